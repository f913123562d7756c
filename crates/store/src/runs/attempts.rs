//! Which LLM Runs tried again what others had failed at?

use diesel::prelude::*;
use model::id::{RunId, TenantId};
use model::run::Run;

use super::{Row, TABLE, run};
use crate::error::StoreResult;
use crate::schema::runs;
use crate::tx::Tx;

/// These runs, as far as they are there, in the order of their ids.
///
/// # Errors
/// What the database says.
pub fn find_all(tx: &mut impl Tx, tenant: TenantId, ids: &[RunId]) -> StoreResult<Vec<Run>> {
    let which: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<Row> = runs::table
        .filter(runs::tenant_id.eq(tenant.to_string()))
        .filter(runs::id.eq_any(which))
        .order(runs::id)
        .load(tx.conn())?;
    rows.into_iter().map(run).collect()
}

/// Which runs are another attempt of one of these, each with the one that it follows, in the order of their ids, at most
/// `most`.
///
/// # Errors
/// What the database says.
pub fn after(
    tx: &mut impl Tx,
    tenant: TenantId,
    ids: &[RunId],
    most: i64,
) -> StoreResult<Vec<(RunId, RunId)>> {
    let which: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<(Option<String>, String)> = runs::table
        .filter(runs::tenant_id.eq(tenant.to_string()))
        // The words of the partial index, so that it is seen to fit.
        .filter(runs::parent_run_id.is_not_null())
        .filter(runs::parent_run_id.eq_any(which))
        .order(runs::id)
        .limit(most)
        .select((runs::parent_run_id, runs::id))
        .load(tx.conn())?;
    rows.into_iter()
        .map(|(parent, id)| {
            let parent = parent.unwrap_or_default();
            Ok((TABLE.parse("parent_run_id", &parent)?, TABLE.parse("id", &id)?))
        })
        .collect()
}
