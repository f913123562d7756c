//! What was decided, and on what?

use diesel::prelude::*;
use model::decision::{DecisionSnapshot, Outcome};
use model::id::{DecisionId, TenantId};
use model::time::Timestamp;

use crate::dialect::append::{append, appended};
use crate::dialect::prepared::{Rows as _, Value};
use crate::error::StoreResult;
use crate::rows::{Table, at};
use crate::schema::decisions;
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("decisions");

struct Row {
    tenant_id: String,
    id: String,
    engine: String,
    engine_version: String,
    outcome: String,
    run_id: Option<String>,
    hold_id: Option<String>,
    input_hash: String,
    input: String,
    output: String,
    correlation_id: String,
    created_at: i64,
}

impl Row {
    fn values(&self) -> [Value<'_>; NewDecisions::COLUMNS] {
        [
            Value::Text(&self.tenant_id),
            Value::Text(&self.id),
            Value::Text(&self.engine),
            Value::Text(&self.engine_version),
            Value::Text(&self.outcome),
            Value::MaybeText(self.run_id.as_deref()),
            Value::MaybeText(self.hold_id.as_deref()),
            Value::Text(&self.input_hash),
            Value::Text(&self.input),
            Value::Text(&self.output),
            Value::Text(&self.correlation_id),
            Value::Number(self.created_at),
        ]
    }
}

appended! {
    /// Snapshots of decisions.
    NewDecisions: decisions (
        tenant_id, id, engine, engine_version, outcome, run_id, hold_id, input_hash, input, output,
        correlation_id, created_at
    )
}

/// Adds decision snapshots.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, snapshots: &[DecisionSnapshot]) -> StoreResult<()> {
    let rows: Vec<Row> = snapshots
        .iter()
        .map(|snapshot| Row {
            tenant_id: snapshot.tenant.to_string(),
            id: snapshot.id.to_string(),
            engine: snapshot.engine.to_owned(),
            engine_version: snapshot.engine_version.to_owned(),
            outcome: snapshot.outcome.as_str().to_owned(),
            run_id: snapshot.run.map(|run| run.to_string()),
            hold_id: snapshot.hold.map(|hold| hold.to_string()),
            input_hash: snapshot.input_hash.clone(),
            input: snapshot.input.clone(),
            output: snapshot.output.clone(),
            correlation_id: snapshot.correlation_id.clone(),
            created_at: snapshot.created_at.as_micros(),
        })
        .collect();
    let values: Vec<_> = rows.iter().flat_map(Row::values).collect();
    Ok(append::<NewDecisions>(
        crate::tx::sealed::Connected::conn(tx),
        &values,
    )?)
}

/// What is on record of a decision, without what it was based on and what it said in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Its id.
    pub id: DecisionId,
    /// Which engine decided.
    pub engine: String,
    /// Which version of it.
    pub engine_version: String,
    /// What it said.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
}

type DecidedRow = (String, String, String, String, i64);

/// These decisions, as far as they are there, in the order of their ids.
///
/// # Errors
/// What the database says.
pub fn find_all(tx: &mut impl Tx, tenant: TenantId, ids: &[DecisionId]) -> StoreResult<Vec<Decided>> {
    let which: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<DecidedRow> = decisions::table
        .filter(decisions::tenant_id.eq(tenant.to_string()))
        .filter(decisions::id.eq_any(which))
        .order(decisions::id)
        .select((
            decisions::id,
            decisions::engine,
            decisions::engine_version,
            decisions::outcome,
            decisions::created_at,
        ))
        .load(tx.conn())?;
    let decided = |(id, engine, engine_version, outcome, created_at): DecidedRow| {
        Ok(Decided {
            id: TABLE.parse("id", &id)?,
            engine,
            engine_version,
            outcome: TABLE.parse("outcome", &outcome)?,
            at: at(created_at),
        })
    };
    rows.into_iter().map(decided).collect()
}
