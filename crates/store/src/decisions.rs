//! What was decided, and on what?

use diesel::prelude::*;
use model::decision::DecisionSnapshot;

use crate::dialect::insert_all;
use crate::error::StoreResult;
use crate::schema::decisions;
use crate::tx::LockTx;

#[derive(Insertable)]
#[diesel(table_name = decisions, treat_none_as_default_value = false)]
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

/// Adds decision snapshots.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut LockTx<'_>, snapshots: &[DecisionSnapshot]) -> StoreResult<()> {
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
    insert_all!(tx, decisions::table, &rows);
    Ok(())
}
