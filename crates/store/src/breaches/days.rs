//! How often was each limit breached lately?
//!
//! Breaches are counted per day (UTC) with the transaction that records them, so that nobody reads the history: whole
//! days come from their sums, and what is counted row by row is at most the one day in which the window begins.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::upsert::excluded;
use model::breach::Breach;
use model::id::{LimitId, TenantId};
use model::time::Timestamp;

use crate::dialect::upsert;
use crate::error::StoreResult;
use crate::rows::{Table, at};
use crate::schema::{limit_breach_days, limit_breaches};
use crate::tx::{LockTx, Tx};

const TABLE: Table = Table("limit_breach_days");

/// Microseconds of a day (UTC).
const DAY: i64 = 86_400 * Timestamp::MICROS_PER_SECOND;

#[derive(Insertable)]
#[diesel(table_name = limit_breach_days)]
struct Row {
    tenant_id: String,
    limit_owner: String,
    limit_id: String,
    day: i64,
    breaches: i64,
    last_at: i64,
}

/// Adds breaches to their days, in one order everywhere.
pub(super) fn count(tx: &mut LockTx<'_>, breaches: &[Breach]) -> StoreResult<()> {
    use crate::tx::sealed::Connected as _;
    use limit_breach_days as days;
    let mut counted: BTreeMap<(TenantId, TenantId, LimitId, i64), (i64, i64)> = BTreeMap::new();
    for breach in breaches {
        let micros = breach.at.as_micros();
        let name = (
            breach.tenant,
            breach.limit_owner,
            breach.limit,
            micros.div_euclid(DAY),
        );
        let day = counted.entry(name).or_insert((0, micros));
        *day = (day.0 + 1, day.1.max(micros));
    }
    for ((tenant, owner, limit, day), (breaches, last_at)) in counted {
        let row = Row {
            tenant_id: tenant.to_string(),
            limit_owner: owner.to_string(),
            limit_id: limit.to_string(),
            day,
            breaches,
            last_at,
        };
        upsert!(
            tx.conn(),
            days::table,
            &row,
            (days::tenant_id, days::limit_owner, days::limit_id, days::day),
            (
                days::breaches.eq(days::breaches + excluded(days::breaches)),
                days::last_at.eq(excluded(days::last_at)),
            )
        );
    }
    Ok(())
}

/// How often a limit was breached in a window, and when the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    /// How often.
    pub breaches: i64,
    /// When the last time.
    pub last_at: Timestamp,
}

/// The limits of an owner that a tenant's requests have breached since.
///
/// # Errors
/// What the database says.
pub fn recent(
    tx: &mut impl Tx,
    tenant: TenantId,
    owner: TenantId,
    since: Timestamp,
) -> StoreResult<BTreeMap<LimitId, Recent>> {
    let since = since.as_micros();
    // The first whole day behind `since`.
    let first = since.div_euclid(DAY) + i64::from(since.rem_euclid(DAY) > 0);
    let (who, whose) = (tenant.to_string(), owner.to_string());
    // Sums are NUMERIC on PostgreSQL unless they are cast back.
    let days: Vec<(String, i64, i64)> = limit_breach_days::table
        .filter(limit_breach_days::tenant_id.eq(&who))
        .filter(limit_breach_days::limit_owner.eq(&whose))
        .filter(limit_breach_days::day.ge(first))
        .group_by(limit_breach_days::limit_id)
        .select((
            limit_breach_days::limit_id,
            sql::<BigInt>("CAST(SUM(breaches) AS BIGINT)"),
            sql::<BigInt>("MAX(last_at)"),
        ))
        .load(tx.conn())?;
    let edge: Vec<(String, i64, i64)> = limit_breaches::table
        .filter(limit_breaches::tenant_id.eq(&who))
        .filter(limit_breaches::limit_owner.eq(&whose))
        .filter(limit_breaches::breached_at.ge(since))
        .filter(limit_breaches::breached_at.lt(first.saturating_mul(DAY)))
        .group_by(limit_breaches::limit_id)
        .select((
            limit_breaches::limit_id,
            sql::<BigInt>("COUNT(*)"),
            sql::<BigInt>("MAX(breached_at)"),
        ))
        .load(tx.conn())?;
    let mut recent: BTreeMap<LimitId, Recent> = BTreeMap::new();
    for (limit, breaches, last_at) in days.into_iter().chain(edge) {
        let limit = TABLE.parse("limit_id", &limit)?;
        let found = recent.entry(limit).or_insert(Recent {
            breaches: 0,
            last_at: at(last_at),
        });
        found.breaches = found.breaches.saturating_add(breaches);
        found.last_at = found.last_at.max(at(last_at));
    }
    Ok(recent)
}
