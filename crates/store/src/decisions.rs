//! What was decided, and on what?

use model::decision::DecisionSnapshot;

use crate::dialect::append::{append, appended};
use crate::dialect::prepared::{Rows as _, Value};
use crate::error::StoreResult;
use crate::tx::Writes;

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
