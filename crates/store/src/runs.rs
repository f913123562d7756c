//! The LLM Runs.

mod attempts;
mod history;
mod listed;
mod outcomes;
mod unexplained;

use std::sync::Arc;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use model::digest::Digest;
use model::id::{RunId, TenantId};
use model::run::{Run, RunStatus};
use model::time::Timestamp;

use crate::dialect::append::{append, appended};
use crate::dialect::prepared::{Rows as _, Value};
use crate::dialect::update::{Update as _, update, updated};
use crate::error::StoreResult;
use crate::rows::{Table, at, micros, to_json};
use crate::schema::runs;
use crate::tx::{LockTx, Tx, Writes};

pub use self::attempts::{after, find_all};
pub use self::history::{Place, before_latest, failures_before, stretch};
pub use self::listed::{Filter, list};
pub use self::outcomes::{Outcome, outcomes};
pub use self::unexplained::{Unexplained, explained, unexplained};

const TABLE: Table = Table("runs");

#[derive(Queryable)]
#[diesel(table_name = runs)]
struct Row {
    tenant_id: String,
    id: String,
    status: String,
    operation: String,
    subject: String,
    provider: Option<String>,
    model: Option<String>,
    api_key_id: Option<String>,
    served_model: Option<String>,
    stream: bool,
    decision_id: String,
    hold_id: Option<String>,
    estimated: String,
    usage: Option<String>,
    usage_source: String,
    cost: Option<i64>,
    http_status: Option<i32>,
    error_code: Option<String>,
    retries: i32,
    started_at: i64,
    first_byte_at: Option<i64>,
    completed_at: Option<i64>,
    correlation_id: String,
    tools: Option<String>,
    input_fingerprint: Option<String>,
    traits: Option<String>,
    unexplained_since: Option<i64>,
    parent_run_id: Option<String>,
}

impl Row {
    fn values(&self) -> [Value<'_>; NewRuns::COLUMNS] {
        [
            Value::Text(&self.tenant_id),
            Value::Text(&self.id),
            Value::Text(&self.status),
            Value::Text(&self.operation),
            Value::Text(&self.subject),
            Value::MaybeText(self.provider.as_deref()),
            Value::MaybeText(self.model.as_deref()),
            Value::MaybeText(self.api_key_id.as_deref()),
            Value::MaybeText(self.served_model.as_deref()),
            Value::Flag(self.stream),
            Value::Text(&self.decision_id),
            Value::MaybeText(self.hold_id.as_deref()),
            Value::Text(&self.estimated),
            Value::MaybeText(self.usage.as_deref()),
            Value::Text(&self.usage_source),
            Value::MaybeNumber(self.cost),
            Value::MaybeNumber(self.http_status.map(i64::from)),
            Value::MaybeText(self.error_code.as_deref()),
            Value::Number(self.retries.into()),
            Value::Number(self.started_at),
            Value::MaybeNumber(self.first_byte_at),
            Value::MaybeNumber(self.completed_at),
            Value::Text(&self.correlation_id),
            Value::MaybeText(self.tools.as_deref()),
            Value::MaybeText(self.input_fingerprint.as_deref()),
            Value::MaybeText(self.traits.as_deref()),
            Value::MaybeText(self.parent_run_id.as_deref()),
        ]
    }
}

impl Row {
    fn ended(&self) -> [Value<'_>; Ended::VALUES] {
        [
            Value::Text(&self.status),
            Value::MaybeText(self.served_model.as_deref()),
            Value::MaybeText(self.usage.as_deref()),
            Value::Text(&self.usage_source),
            Value::MaybeNumber(self.cost),
            Value::MaybeNumber(self.http_status.map(i64::from)),
            Value::MaybeText(self.error_code.as_deref()),
            Value::Number(self.retries.into()),
            Value::MaybeNumber(self.first_byte_at),
            Value::MaybeNumber(self.completed_at),
            Value::MaybeNumber(self.unexplained_since),
            Value::Text(&self.tenant_id),
            Value::Text(&self.id),
        ]
    }
}

appended! {
    /// Runs that begin.
    NewRuns: runs (
        tenant_id, id, status, operation, subject, provider, model, api_key_id, served_model, stream,
        decision_id, hold_id, estimated, usage, usage_source, cost, http_status, error_code, retries,
        started_at, first_byte_at, completed_at, correlation_id, tools, input_fingerprint, traits,
        parent_run_id
    )
}

updated! {
    /// What is known of a run when it has ended, and not before.
    Ended: runs (
        status, served_model, usage, usage_source, cost, http_status, error_code, retries, first_byte_at,
        completed_at, unexplained_since
    )
}

/// Adds runs.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, list: &[Run]) -> StoreResult<()> {
    let rows: Vec<Row> = list.iter().map(row).collect();
    let values: Vec<_> = rows.iter().flat_map(Row::values).collect();
    Ok(append::<NewRuns>(
        crate::tx::sealed::Connected::conn(tx),
        &values,
    )?)
}

/// Writes how runs ended.
///
/// # Errors
/// What the database says.
pub fn finish(tx: &mut impl Writes, list: &[Run]) -> StoreResult<()> {
    let rows: Vec<Row> = list.iter().map(row).collect();
    let values: Vec<_> = rows.iter().flat_map(Row::ended).collect();
    Ok(update::<Ended>(crate::tx::sealed::Connected::conn(tx), &values)?)
}

/// Marks runs as crashed whose process has gone away without a word; a run that has ended is left alone. Gives those
/// that were marked.
///
/// # Errors
/// What the database says.
pub fn crash(
    tx: &mut LockTx<'_>,
    list: &[(TenantId, RunId)],
    at: Timestamp,
) -> StoreResult<Vec<(TenantId, RunId)>> {
    use crate::tx::sealed::Connected as _;
    let mut crashed = Vec::new();
    for (tenant, run) in list {
        let live = runs::table
            .find((tenant.to_string(), run.to_string()))
            .filter(runs::status.eq(RunStatus::Running.as_str()));
        let marked = diesel::update(live)
            .set((
                runs::status.eq(RunStatus::Crashed.as_str()),
                runs::error_code.eq("hold_expired"),
                runs::completed_at.eq(at.as_micros()),
                runs::unexplained_since.eq(at.as_micros()),
            ))
            .execute(tx.conn())?;
        if marked > 0 {
            crashed.push((*tenant, *run));
        }
    }
    Ok(crashed)
}

/// One run of a tenant.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut impl Tx, tenant: TenantId, id: RunId) -> StoreResult<Option<Run>> {
    let found: Option<Row> = runs::table
        .find((tenant.to_string(), id.to_string()))
        .get_result(tx.conn())
        .optional()?;
    found.map(run).transpose()
}

/// The most failures that are counted.
pub const FAILURES_MAX: i64 = 1_000;

/// The latest run of a tenant that failed on a request with these traits ([`RequestTraits::digest`]), and how many
/// there are, at most [`FAILURES_MAX`].
///
/// [`RequestTraits::digest`]: model::incident::RequestTraits::digest
///
/// # Errors
/// What the database says.
pub fn latest_failure(tx: &mut impl Tx, tenant: TenantId, traits: Digest) -> StoreResult<Option<(Run, i64)>> {
    // The words of the partial index, so that it is seen to fit.
    let alike = runs::table
        .filter(runs::tenant_id.eq(tenant.to_string()))
        .filter(runs::traits.eq(traits.to_string()))
        .filter(sql::<Bool>("(status = 'failed' OR status = 'crashed')"));
    // The index knows the instants, not the ids. Asked for both in order, SQLite would go back through all runs of the
    // tenant, one by one.
    let known: Vec<i64> = alike
        .clone()
        .select(runs::started_at)
        .order(runs::started_at.desc())
        .limit(FAILURES_MAX)
        .load(tx.conn())?;
    let Some(last) = known.first() else {
        return Ok(None);
    };
    let latest: Row = alike
        .filter(runs::started_at.eq(last))
        .order(runs::id.desc())
        .first(tx.conn())?;
    let count = i64::try_from(known.len()).unwrap_or(FAILURES_MAX);
    Ok(Some((run(latest)?, count)))
}

/// How many runs are in a status, over all tenants.
///
/// # Errors
/// What the database says.
pub fn count(tx: &mut impl Tx, status: RunStatus) -> StoreResult<i64> {
    Ok(runs::table
        .filter(runs::status.eq(status.as_str()))
        .count()
        .get_result(tx.conn())?)
}

/// Whether somebody has to look at it.
fn failed(run: &Run) -> bool {
    matches!(run.status, RunStatus::Failed | RunStatus::Crashed)
}

fn row(run: &Run) -> Row {
    Row {
        tenant_id: run.tenant.to_string(),
        id: run.id.to_string(),
        status: run.status.as_str().to_owned(),
        operation: run.operation.as_str().to_owned(),
        subject: to_json(&*run.subject),
        provider: run.subject.provider.clone(),
        model: run.subject.model.clone(),
        api_key_id: run.subject.api_key_id.map(|id| id.to_string()),
        served_model: run.served_model.clone(),
        stream: run.stream,
        decision_id: run.decision.to_string(),
        hold_id: run.hold.map(|id| id.to_string()),
        estimated: to_json(&run.estimated),
        usage: run.usage.as_ref().map(to_json),
        usage_source: run.usage_source.as_str().to_owned(),
        cost: run.cost.map(|cost| cost.0),
        http_status: run.http_status.map(i32::from),
        error_code: run.error_code.clone(),
        retries: i32::try_from(run.retries).unwrap_or(i32::MAX),
        started_at: run.started_at.as_micros(),
        first_byte_at: micros(run.first_byte_at),
        completed_at: micros(run.completed_at),
        correlation_id: run.correlation_id.clone(),
        tools: (!run.tools.is_empty()).then(|| to_json(&run.tools)),
        input_fingerprint: run.input_fingerprint.clone(),
        traits: Some(run.traits().digest().to_string()),
        unexplained_since: micros(run.completed_at.filter(|_| failed(run))),
        parent_run_id: run.parent.map(|id| id.to_string()),
    }
}

fn run(row: Row) -> StoreResult<Run> {
    Ok(Run {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        status: TABLE.parse("status", &row.status)?,
        operation: TABLE.parse("operation", &row.operation)?,
        subject: Arc::new(TABLE.json("subject", &row.subject)?),
        served_model: row.served_model,
        stream: row.stream,
        decision: TABLE.parse("decision_id", &row.decision_id)?,
        hold: TABLE.parse_opt("hold_id", row.hold_id.as_deref())?,
        estimated: TABLE.json("estimated", &row.estimated)?,
        usage: row.usage.map(|text| TABLE.json("usage", &text)).transpose()?,
        usage_source: TABLE.parse("usage_source", &row.usage_source)?,
        cost: row.cost.map(model::money::NanoUsd),
        http_status: row
            .http_status
            .map(|status| TABLE.small("http_status", status))
            .transpose()?,
        error_code: row.error_code,
        retries: TABLE.small("retries", row.retries)?,
        started_at: at(row.started_at),
        first_byte_at: row.first_byte_at.map(at),
        completed_at: row.completed_at.map(at),
        correlation_id: row.correlation_id,
        tools: row
            .tools
            .map(|text| TABLE.json("tools", &text))
            .transpose()?
            .unwrap_or_default(),
        input_fingerprint: row.input_fingerprint,
        parent: TABLE.parse_opt("parent_run_id", row.parent_run_id.as_deref())?,
    })
}
