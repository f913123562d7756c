//! Which LLM Runs have failed, and has somebody looked at them?

use diesel::prelude::*;
use model::id::{RunId, TenantId};
use model::time::Timestamp;

use super::TABLE;
use crate::error::StoreResult;
use crate::rows::at;
use crate::schema::runs;
use crate::tx::{Tx, Writes};

/// A run that has failed and that nobody has looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unexplained {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub run: RunId,
    /// Since when.
    pub since: Timestamp,
}

/// Runs of all tenants that have failed and that nobody has looked at, those that failed first first, behind `after`, at
/// most `most`.
///
/// # Errors
/// What the database says.
pub fn unexplained(tx: &mut impl Tx, after: Option<Unexplained>, most: i64) -> StoreResult<Vec<Unexplained>> {
    let mut query = runs::table
        .filter(runs::unexplained_since.is_not_null())
        .order((runs::unexplained_since, runs::id))
        .limit(most)
        .select((
            runs::tenant_id,
            runs::id,
            runs::unexplained_since.assume_not_null(),
        ))
        .into_boxed();
    if let Some(after) = after {
        let (since, id) = (after.since.as_micros(), after.run.to_string());
        let later = runs::unexplained_since
            .gt(since)
            .or(runs::unexplained_since.eq(since).and(runs::id.gt(id)));
        query = query.filter(later.assume_not_null());
    }
    let rows: Vec<(String, String, i64)> = query.load(tx.conn())?;
    rows.into_iter()
        .map(|(tenant, run, since)| {
            Ok(Unexplained {
                tenant: TABLE.parse("tenant_id", &tenant)?,
                run: TABLE.parse("id", &run)?,
                since: at(since),
            })
        })
        .collect()
}

/// Notes that runs have been looked at, unless they have failed anew since.
///
/// # Errors
/// What the database says.
pub fn explained(tx: &mut impl Writes, list: &[Unexplained]) -> StoreResult<()> {
    for one in list {
        let same = runs::table
            .find((one.tenant.to_string(), one.run.to_string()))
            .filter(runs::unexplained_since.eq(one.since.as_micros()));
        diesel::update(same)
            .set(runs::unexplained_since.eq(None::<i64>))
            .execute(tx.conn())?;
    }
    Ok(())
}
