//! How often was each limit breached lately?
//!
//! Breaches are counted per day (UTC) in the transaction that records them (`lately`), and it is noted there when each
//! limit was breached last.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::upsert::excluded;
use model::breach::Breach;
use model::id::{LimitId, TenantId};
use model::time::Timestamp;

use crate::dialect::{later, upsert};
use crate::error::StoreResult;
use crate::lately::{Recent, Window, day_of, sums};
use crate::rows::Table;
use crate::schema::{limit_breach_days, limit_breaches, limit_recent};
use crate::tx::{Tx, Writes};

const TABLE: Table = Table("limit_breach_days");

/// Whose requests, whose limit, which one.
type Name = (TenantId, TenantId, LimitId);

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

#[derive(Insertable)]
#[diesel(table_name = limit_recent)]
struct Last {
    tenant_id: String,
    limit_owner: String,
    limit_id: String,
    last_at: i64,
}

#[derive(Insertable)]
#[diesel(table_name = limit_recent)]
struct Told {
    tenant_id: String,
    limit_owner: String,
    limit_id: String,
    last_at: i64,
    told_at: i64,
    told_window: i64,
    other_told_at: Option<i64>,
    other_told_window: Option<i64>,
}

/// When it was told of a window of a limit, and of which.
type ToldOf = (Option<i64>, Option<i64>);

/// When it was told of this window, as far as that is known, and the other window that stays known once it is told again: the
/// later one of those that are left.
fn told_of(window: i64, known: [ToldOf; 2]) -> (Option<i64>, ToldOf) {
    let is_it = |told: &&ToldOf| told.1 == Some(window);
    let told_at = known.iter().find(is_it).and_then(|told| told.0);
    let left = known.iter().filter(|told| !is_it(told));
    let other = left.max_by_key(|told| told.1).copied();
    (told_at, other.unwrap_or_default())
}

/// Adds breaches to their days, in one order everywhere.
pub(super) fn count(tx: &mut impl Writes, breaches: &[Breach]) -> StoreResult<()> {
    let mut days: BTreeMap<(Name, i64), (i64, i64)> = BTreeMap::new();
    let mut lasts: BTreeMap<Name, i64> = BTreeMap::new();
    for breach in breaches {
        let name = (breach.tenant, breach.limit_owner, breach.limit);
        let micros = breach.at.as_micros();
        let day = days.entry((name, day_of(breach.at))).or_insert((0, micros));
        *day = (day.0 + 1, day.1.max(micros));
        let last = lasts.entry(name).or_insert(micros);
        *last = micros.max(*last);
    }
    for (day, counted) in days {
        add(tx, day, counted)?;
    }
    for (name, last_at) in lasts {
        last(tx, name, last_at)?;
    }
    Ok(())
}

fn add(tx: &mut impl Writes, (name, day): (Name, i64), (breaches, last_at): (i64, i64)) -> StoreResult<()> {
    use limit_breach_days as days;
    let (tenant, owner, limit) = name;
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
            days::last_at.eq(later!(days::last_at)),
        )
    );
    Ok(())
}

fn last(tx: &mut impl Writes, (tenant, owner, limit): Name, last_at: i64) -> StoreResult<()> {
    use limit_recent as recent;
    let row = Last {
        tenant_id: tenant.to_string(),
        limit_owner: owner.to_string(),
        limit_id: limit.to_string(),
        last_at,
    };
    upsert!(
        tx.conn(),
        recent::table,
        &row,
        (recent::tenant_id, recent::limit_owner, recent::limit_id),
        recent::last_at.eq(later!(recent::last_at))
    );
    Ok(())
}

/// Notes that the limit was passed at this time in this window, and says whether that is the first time in it since then. Two
/// windows are known of each limit: what is settled late passes the one that is over, while the next one is passed too.
/// Asked under the lock of the limit's counter.
///
/// # Errors
/// What the database says.
pub fn is_first_since(
    tx: &mut impl Writes,
    breach: &Breach,
    window: Timestamp,
    (since, noted_at): (Timestamp, Timestamp),
) -> StoreResult<bool> {
    use limit_recent as recent;
    let window = window.as_micros();
    let name = (
        breach.tenant.to_string(),
        breach.limit_owner.to_string(),
        breach.limit.to_string(),
    );
    let known: Option<(ToldOf, ToldOf)> = recent::table
        .find(name.clone())
        .select((
            (recent::told_at, recent::told_window),
            (recent::other_told_at, recent::other_told_window),
        ))
        .first(tx.conn())
        .optional()?;
    let (newest, older) = known.unwrap_or_default();
    let (told_at, (other_told_at, other_told_window)) = told_of(window, [newest, older]);
    if told_at.is_some_and(|told_at| told_at >= since.as_micros()) {
        return Ok(false);
    }
    let (tenant_id, limit_owner, limit_id) = name;
    let row = Told {
        tenant_id,
        limit_owner,
        limit_id,
        last_at: breach.at.as_micros(),
        told_at: noted_at.as_micros(),
        told_window: window,
        other_told_at,
        other_told_window,
    };
    upsert!(
        tx.conn(),
        recent::table,
        &row,
        (recent::tenant_id, recent::limit_owner, recent::limit_id),
        (
            recent::told_at.eq(excluded(recent::told_at)),
            recent::told_window.eq(excluded(recent::told_window)),
            recent::other_told_at.eq(excluded(recent::other_told_at)),
            recent::other_told_window.eq(excluded(recent::other_told_window)),
        )
    );
    Ok(true)
}

/// How often a tenant's requests have breached limits of an owner since; those that were not are left out.
///
/// # Errors
/// What the database says.
pub fn recent(
    tx: &mut impl Tx,
    (tenant, owner): (TenantId, TenantId),
    limits: &[LimitId],
    since: Timestamp,
) -> StoreResult<BTreeMap<LimitId, Recent>> {
    let window = Window::since(since);
    let (who, whose) = (tenant.to_string(), owner.to_string());
    let which: Vec<String> = limits.iter().map(ToString::to_string).collect();
    // Sums are NUMERIC on PostgreSQL unless they are cast back.
    let days: Vec<(String, i64, i64)> = limit_breach_days::table
        .filter(limit_breach_days::tenant_id.eq(&who))
        .filter(limit_breach_days::limit_owner.eq(&whose))
        .filter(limit_breach_days::limit_id.eq_any(&which))
        .filter(limit_breach_days::day.ge(window.first_day))
        .group_by(limit_breach_days::limit_id)
        .select((
            limit_breach_days::limit_id,
            sql::<BigInt>("CAST(SUM(breaches) AS BIGINT)"),
            sql::<BigInt>("MAX(last_at)"),
        ))
        .load(tx.conn())?;
    let edge = window.edge();
    let edge: Vec<(String, i64, i64)> = limit_breaches::table
        .filter(limit_breaches::tenant_id.eq(&who))
        .filter(limit_breaches::limit_owner.eq(&whose))
        .filter(limit_breaches::limit_id.eq_any(&which))
        .filter(limit_breaches::breached_at.ge(edge.start))
        .filter(limit_breaches::breached_at.lt(edge.end))
        .group_by(limit_breaches::limit_id)
        .select((
            limit_breaches::limit_id,
            sql::<BigInt>("COUNT(*)"),
            sql::<BigInt>("MAX(breached_at)"),
        ))
        .load(tx.conn())?;
    sums(TABLE, "limit_id", days.into_iter().chain(edge))
}

/// Notes that a breach goes to the audit ledger, and says whether that is the first one since then. Asked behind
/// [`insert`](super::insert) of that breach, which locks what is noted here.
///
/// # Errors
/// What the database says.
pub fn is_first_audited_since(
    tx: &mut impl Writes,
    (tenant, owner, limit): Name,
    (since, now): (Timestamp, Timestamp),
) -> StoreResult<bool> {
    use limit_recent as recent;
    let earlier = recent::audited_at
        .is_null()
        .or(recent::audited_at.lt(since.as_micros()));
    let row = recent::table
        .filter(recent::tenant_id.eq(tenant.to_string()))
        .filter(recent::limit_owner.eq(owner.to_string()))
        .filter(recent::limit_id.eq(limit.to_string()))
        .filter(earlier);
    let noted = diesel::update(row)
        .set(recent::audited_at.eq(now.as_micros()))
        .execute(tx.conn())?;
    Ok(noted > 0)
}
