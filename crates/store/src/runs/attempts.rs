//! Which LLM Runs tried again what others had failed at?

use std::collections::BTreeSet;

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

/// Which runs are another attempt of one of these and are none of the `known` ones, in the order of their ids, at most
/// `most`.
///
/// # Errors
/// What the database says.
pub fn after(
    tx: &mut impl Tx,
    tenant: TenantId,
    ids: &[RunId],
    known: &BTreeSet<RunId>,
    most: i64,
) -> StoreResult<Vec<RunId>> {
    let which: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let known: Vec<String> = known.iter().map(ToString::to_string).collect();
    let rows: Vec<String> = runs::table
        .filter(runs::tenant_id.eq(tenant.to_string()))
        // The words of the partial index, so that it is seen to fit.
        .filter(runs::parent_run_id.is_not_null())
        .filter(runs::parent_run_id.eq_any(which))
        // Here and not afterwards: they must not take the places of those that are asked for.
        .filter(runs::id.ne_all(known))
        .order(runs::id)
        .limit(most)
        .select(runs::id)
        .load(tx.conn())?;
    rows.iter().map(|id| TABLE.parse("id", id)).collect()
}
