//! Which limits did one LLM Run hit?

use diesel::prelude::*;
use model::breach::BreachType;
use model::id::{LimitId, RunId, TenantId};
use model::time::Timestamp;

use crate::error::StoreResult;
use crate::rows::{Table, at};
use crate::schema::limit_breaches;
use crate::tx::Tx;

const TABLE: Table = Table("limit_breaches");

/// That a limit was hit; not how full it was, which nobody may know of a GLOBAL one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Which limit.
    pub limit: LimitId,
    /// How.
    pub breach_type: BreachType,
    /// When.
    pub at: Timestamp,
}

/// Which limits an LLM Run hit, oldest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn of_run(tx: &mut impl Tx, tenant: TenantId, run: RunId, most: i64) -> StoreResult<Vec<Hit>> {
    let rows: Vec<(String, String, i64)> = limit_breaches::table
        .filter(limit_breaches::tenant_id.eq(tenant.to_string()))
        .filter(limit_breaches::run_id.eq(run.to_string()))
        .order((limit_breaches::breached_at, limit_breaches::id))
        .limit(most)
        .select((
            limit_breaches::limit_id,
            limit_breaches::breach_type,
            limit_breaches::breached_at,
        ))
        .load(tx.conn())?;
    let hit = |(limit, breach_type, breached_at): (String, String, i64)| {
        Ok(Hit {
            limit: TABLE.parse("limit_id", &limit)?,
            breach_type: TABLE.parse("breach_type", &breach_type)?,
            at: at(breached_at),
        })
    };
    rows.into_iter().map(hit).collect()
}
