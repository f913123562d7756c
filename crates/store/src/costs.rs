//! What was spent, by whom, on what?

pub mod anomalies;
pub mod days;

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use model::cost::CostRecord;
use model::hold::Subject;
use model::id::{IncidentId, RunId, TenantId};
use model::money::NanoUsd;
use model::time::Timestamp;

use crate::dialect::append::{append, appended};
use crate::dialect::prepared::{Rows as _, Value};
use crate::error::StoreResult;
use crate::rows::{Table, at, to_json};
use crate::schema::{cost_records, incident_breaches, incident_runs};
use crate::tx::{LockTx, Tx};

const TABLE: Table = Table("cost_records");

#[derive(Queryable)]
#[diesel(table_name = cost_records)]
struct Row {
    tenant_id: String,
    id: String,
    run_id: Option<String>,
    hold_id: String,
    api_key_id: Option<String>,
    project_id: Option<String>,
    agent_id: Option<String>,
    feature: Option<String>,
    session_id: Option<String>,
    end_user: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    input_tokens: i64,
    output_tokens: i64,
    usage: String,
    cost: i64,
    price_version: Option<String>,
    source: String,
    created_at: i64,
    is_retry: bool,
}

impl Row {
    fn values(&self) -> [Value<'_>; NewCosts::COLUMNS] {
        [
            Value::Text(&self.tenant_id),
            Value::Text(&self.id),
            Value::MaybeText(self.run_id.as_deref()),
            Value::Text(&self.hold_id),
            Value::MaybeText(self.api_key_id.as_deref()),
            Value::MaybeText(self.project_id.as_deref()),
            Value::MaybeText(self.agent_id.as_deref()),
            Value::MaybeText(self.feature.as_deref()),
            Value::MaybeText(self.session_id.as_deref()),
            Value::MaybeText(self.end_user.as_deref()),
            Value::MaybeText(self.provider.as_deref()),
            Value::MaybeText(self.model.as_deref()),
            Value::Number(self.input_tokens),
            Value::Number(self.output_tokens),
            Value::Text(&self.usage),
            Value::Number(self.cost),
            Value::MaybeText(self.price_version.as_deref()),
            Value::Text(&self.source),
            Value::Number(self.created_at),
            Value::Flag(self.is_retry),
        ]
    }
}

appended! {
    /// Costs of what has been settled.
    NewCosts: cost_records (
        tenant_id, id, run_id, hold_id, api_key_id, project_id, agent_id, feature, session_id, end_user,
        provider, model, input_tokens, output_tokens, usage, cost, price_version, source, created_at, is_retry
    )
}

/// Adds cost records.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut LockTx<'_>, records: &[CostRecord]) -> StoreResult<()> {
    let rows: Vec<Row> = records.iter().map(row).collect();
    let values: Vec<_> = rows.iter().flat_map(Row::values).collect();
    Ok(append::<NewCosts>(
        crate::tx::sealed::Connected::conn(tx),
        &values,
    )?)
}

/// The cost records of one LLM Run, oldest first.
///
/// # Errors
/// What the database says.
pub fn of_run(tx: &mut impl Tx, tenant: TenantId, run: RunId) -> StoreResult<Vec<CostRecord>> {
    let rows: Vec<Row> = cost_records::table
        .filter(cost_records::tenant_id.eq(tenant.to_string()))
        .filter(cost_records::run_id.eq(run.to_string()))
        .order((cost_records::created_at, cost_records::id))
        .load(tx.conn())?;
    rows.into_iter().map(record).collect()
}

/// What these LLM Runs cost, each that has a cost record.
///
/// # Errors
/// What the database says.
pub fn of_runs(tx: &mut impl Tx, tenant: TenantId, ids: &[RunId]) -> StoreResult<BTreeMap<RunId, NanoUsd>> {
    let which: Vec<String> = ids.iter().map(ToString::to_string).collect();
    // Sums are NUMERIC on PostgreSQL unless they are cast back.
    let rows: Vec<(Option<String>, i64)> = cost_records::table
        .filter(cost_records::tenant_id.eq(tenant.to_string()))
        .filter(cost_records::run_id.eq_any(which))
        .group_by(cost_records::run_id)
        .select((cost_records::run_id, sql::<BigInt>("CAST(SUM(cost) AS BIGINT)")))
        .load(tx.conn())?;
    rows.into_iter()
        .map(|(run, cost)| Ok((TABLE.parse("run_id", &run.unwrap_or_default())?, NanoUsd(cost))))
        .collect()
}

/// The cost records of the LLM Runs that an Incident is about, oldest first: of those that failed, and of those that hit
/// a Limit.
///
/// # Errors
/// What the database says.
pub fn of_incident(tx: &mut impl Tx, tenant: TenantId, incident: IncidentId) -> StoreResult<Vec<CostRecord>> {
    let (whose, which) = (tenant.to_string(), incident.to_string());
    // Not as a join: SQLite would begin it with all costs of the tenant.
    let of_runs = || cost_records::table.filter(cost_records::tenant_id.eq(tenant.to_string()));
    let failed = incident_runs::table
        .filter(incident_runs::tenant_id.eq(&whose))
        .filter(incident_runs::incident_id.eq(&which))
        .select(incident_runs::run_id.nullable());
    let failed: Vec<Row> = of_runs()
        .filter(cost_records::run_id.eq_any(failed))
        .load(tx.conn())?;
    let hit = incident_breaches::table
        .filter(incident_breaches::tenant_id.eq(&whose))
        .filter(incident_breaches::incident_id.eq(&which))
        .select(incident_breaches::run_id);
    let hit: Vec<Row> = of_runs()
        .filter(cost_records::run_id.eq_any(hit))
        .load(tx.conn())?;
    // A run can have failed and hit Limits, and more than one of them.
    let each: BTreeMap<(i64, String), Row> = failed
        .into_iter()
        .chain(hit)
        .map(|row| ((row.created_at, row.id.clone()), row))
        .collect();
    each.into_values().map(record).collect()
}

/// By what costs are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// Everything together.
    None,
    /// Days of UTC.
    Day,
    /// Model.
    Model,
    /// API key.
    ApiKey,
    /// Agent.
    Agent,
    /// Product feature.
    Feature,
}

type Sums = (Option<String>, (i64, i64, i64, i64));

/// What a group adds up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostGroup {
    /// The group: days since the epoch for [`GroupBy::Day`], otherwise the name; none where nothing was given.
    pub key: Option<String>,
    /// Money.
    pub cost: NanoUsd,
    /// Input tokens.
    pub input_tokens: i64,
    /// Output tokens.
    pub output_tokens: i64,
    /// Cost records.
    pub requests: i64,
}

/// What a tenant spent in `[from, to)`, added up by group. Days ascend; other groups descend by cost.
///
/// # Errors
/// What the database says.
pub fn grouped(
    tx: &mut impl Tx,
    tenant: TenantId,
    group: GroupBy,
    from: Timestamp,
    to: Timestamp,
) -> StoreResult<Vec<CostGroup>> {
    use cost_records::{agent_id, api_key_id, created_at, feature, model, tenant_id};
    // Sums are NUMERIC on PostgreSQL unless they are cast back.
    let sums = || {
        (
            sql::<BigInt>("CAST(SUM(cost) AS BIGINT)"),
            sql::<BigInt>("CAST(SUM(input_tokens) AS BIGINT)"),
            sql::<BigInt>("CAST(SUM(output_tokens) AS BIGINT)"),
            sql::<BigInt>("COUNT(*)"),
        )
    };
    let base = cost_records::table
        .filter(tenant_id.eq(tenant.to_string()))
        .filter(created_at.ge(from.as_micros()))
        .filter(created_at.lt(to.as_micros()));
    macro_rules! by {
        ($column:expr) => {
            base.group_by($column)
                .select(($column, sums()))
                .load::<Sums>(tx.conn())?
        };
    }
    let rows: Vec<Sums> = match group {
        GroupBy::None => {
            let all = base
                .select((
                    sql::<BigInt>("CAST(COALESCE(SUM(cost), 0) AS BIGINT)"),
                    sql::<BigInt>("CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT)"),
                    sql::<BigInt>("CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT)"),
                    sql::<BigInt>("COUNT(*)"),
                ))
                .first::<(i64, i64, i64, i64)>(tx.conn())?;
            vec![(None, all)]
        }
        GroupBy::Day => {
            let day = || sql::<BigInt>("created_at / 86400000000");
            let rows: Vec<(i64, (i64, i64, i64, i64))> =
                base.group_by(day()).select((day(), sums())).load(tx.conn())?;
            rows.into_iter()
                .map(|(day, sums)| (Some(day.to_string()), sums))
                .collect()
        }
        GroupBy::Model => by!(model),
        GroupBy::ApiKey => by!(api_key_id),
        GroupBy::Agent => by!(agent_id),
        GroupBy::Feature => by!(feature),
    };
    let mut groups: Vec<CostGroup> = rows
        .into_iter()
        .map(|(key, (cost, input_tokens, output_tokens, requests))| CostGroup {
            key,
            cost: NanoUsd(cost),
            input_tokens,
            output_tokens,
            requests,
        })
        .collect();
    match group {
        GroupBy::Day => groups.sort_by_key(|g| g.key.as_deref().and_then(|day| day.parse::<i64>().ok())),
        _ => groups.sort_by(|a, b| b.cost.cmp(&a.cost).then_with(|| a.key.cmp(&b.key))),
    }
    Ok(groups)
}

fn row(record: &CostRecord) -> Row {
    let subject = &record.subject;
    Row {
        tenant_id: record.tenant.to_string(),
        id: record.id.to_string(),
        run_id: record.run.map(|run| run.to_string()),
        hold_id: record.hold.to_string(),
        api_key_id: subject.api_key_id.map(|id| id.to_string()),
        project_id: subject.project_id.clone(),
        agent_id: subject.agent_id.clone(),
        feature: subject.feature.clone(),
        session_id: subject.session_id.clone(),
        end_user: subject.end_user.clone(),
        provider: subject.provider.clone(),
        model: record.model.clone(),
        input_tokens: record.usage.input,
        output_tokens: record.usage.output,
        usage: to_json(&record.usage),
        cost: record.cost.0,
        price_version: record.price_version.clone(),
        source: record.source.as_str().to_owned(),
        created_at: record.created_at.as_micros(),
        is_retry: record.is_retry,
    }
}

fn record(row: Row) -> StoreResult<CostRecord> {
    Ok(CostRecord {
        id: TABLE.parse("id", &row.id)?,
        tenant: TABLE.parse("tenant_id", &row.tenant_id)?,
        run: TABLE.parse_opt("run_id", row.run_id.as_deref())?,
        hold: TABLE.parse("hold_id", &row.hold_id)?,
        subject: Arc::new(Subject {
            api_key_id: TABLE.parse_opt("api_key_id", row.api_key_id.as_deref())?,
            project_id: row.project_id,
            agent_id: row.agent_id,
            feature: row.feature,
            session_id: row.session_id,
            end_user: row.end_user,
            provider: row.provider,
            model: row.model.clone(),
        }),
        model: row.model,
        usage: TABLE.json("usage", &row.usage)?,
        cost: NanoUsd(row.cost),
        price_version: row.price_version,
        source: TABLE.parse("source", &row.source)?,
        created_at: at(row.created_at),
        is_retry: row.is_retry,
    })
}
