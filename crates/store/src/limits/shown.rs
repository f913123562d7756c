//! Which limits does the console show, those that were breached last first?

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use model::id::TenantId;
use model::limit::{Enforcement, Limit, LimitCategory, LimitScope, LimitStatus};
use model::time::Timestamp;

use super::row::{Row, limit};
use crate::error::StoreResult;
use crate::schema::{limit_recent, limits};
use crate::totals::{self, Listing};
use crate::tx::Tx;

/// What a projection shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Only this category.
    pub category: LimitCategory,
    /// Only this status.
    pub status: LimitStatus,
    /// Only this scope.
    pub scope: Option<LimitScope>,
    /// Only this enforcement.
    pub enforcement: Option<Enforcement>,
    /// Only those made then or later.
    pub created_after: Option<Timestamp>,
    /// Only those made then or before.
    pub created_before: Option<Timestamp>,
}

macro_rules! fitting {
    ($owner:expr, $shown:expr, $query:expr) => {{
        let shown: &Shown = $shown;
        let mut query = $query
            .filter(limits::tenant_id.eq($owner.to_string()))
            .filter(limits::category.eq(shown.category.as_str()))
            .filter(limits::status.eq(shown.status.as_str()))
            .into_boxed();
        if let Some(scope) = shown.scope {
            query = query.filter(limits::scope.eq(scope.as_str()));
        }
        if let Some(enforcement) = shown.enforcement {
            query = query.filter(limits::enforcement.eq(enforcement.as_str()));
        }
        if let Some(after) = shown.created_after {
            query = query.filter(limits::created_at.ge(after.as_micros()));
        }
        if let Some(before) = shown.created_before {
            query = query.filter(limits::created_at.le(before.as_micros()));
        }
        query
    }};
}

/// Limits of an owner with when a tenant's requests have breached them in the window.
macro_rules! breached {
    ($tenant:expr, $owner:expr, $since:expr) => {
        limits::table
            .inner_join(
                limit_recent::table.on(limit_recent::limit_owner
                    .eq(limits::tenant_id)
                    .and(limit_recent::limit_id.eq(limits::id))),
            )
            .filter(limit_recent::tenant_id.eq($tenant.to_string()))
            .filter(limit_recent::limit_owner.eq($owner.to_string()))
            .filter(limit_recent::last_at.ge($since.as_micros()))
    };
}

/// A piece of the limits of an owner that fit, and how many fit in all: first those that a tenant's requests have
/// breached since, the last one first, then the others, the newest first. A row that cannot be
/// read is an error of its own, so that the others are shown.
///
/// # Errors
/// What the database says.
pub fn shown(
    tx: &mut impl Tx,
    (tenant, owner): (TenantId, TenantId),
    shown: &Shown,
    since: Timestamp,
    (most, offset): (i64, i64),
) -> StoreResult<(Vec<StoreResult<Limit>>, i64)> {
    let total = if shown.created_after.is_some() || shown.created_before.is_some() {
        fitting!(owner, shown, limits::table)
            .count()
            .get_result(tx.conn())?
    } else {
        let wanted = [
            Some(shown.category.as_str()),
            Some(shown.status.as_str()),
            shown.scope.map(LimitScope::as_str),
            shown.enforcement.map(Enforcement::as_str),
        ];
        totals::of(tx, owner, Listing::Limits, &wanted)?
    };
    let mut rows: Vec<Row> = fitting!(
        owner,
        shown,
        breached!(tenant, owner, since).select(limits::all_columns)
    )
    .order((
        limit_recent::last_at.desc(),
        limits::created_at.desc(),
        limits::id.desc(),
    ))
    .limit(most)
    .offset(offset)
    .load(tx.conn())?;
    let found = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if found < most && offset.saturating_add(found) < total {
        // The rest of the piece begins behind the last one of those, or further on.
        let passed: i64 = if found > 0 {
            offset.saturating_add(found)
        } else {
            fitting!(owner, shown, breached!(tenant, owner, since))
                .count()
                .get_result(tx.conn())?
        };
        let quiet = limit_recent::table
            .filter(limit_recent::tenant_id.eq(tenant.to_string()))
            .filter(limit_recent::limit_owner.eq(owner.to_string()))
            .filter(limit_recent::limit_id.eq(limits::id))
            .filter(limit_recent::last_at.ge(since.as_micros()));
        let rest: Vec<Row> = fitting!(owner, shown, limits::table)
            .filter(not(exists(quiet)))
            .order((limits::created_at.desc(), limits::id.desc()))
            .limit(most - found)
            .offset(offset.saturating_sub(passed).max(0))
            .load(tx.conn())?;
        rows.extend(rest);
    }
    Ok((rows.into_iter().map(limit).collect(), total))
}
