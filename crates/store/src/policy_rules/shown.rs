//! Which rules does the console show, those that were triggered last first?

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use model::id::TenantId;
use model::policy::{EnforcementMode, Rule, RuleScope, RuleSource, RuleStatus};
use model::time::Timestamp;

use super::row::{Row, rule};
use crate::error::StoreResult;
use crate::schema::{policy_rule_recent, policy_rules};
use crate::totals::{self, Listing};
use crate::tx::Tx;

/// What a projection shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Only this status.
    pub status: RuleStatus,
    /// Only this mode.
    pub mode: Option<EnforcementMode>,
    /// Only this scope.
    pub scope: Option<RuleScope>,
    /// Only those made by this source.
    pub source: Option<RuleSource>,
    /// Only those made then or later.
    pub created_after: Option<Timestamp>,
    /// Only those made then or before.
    pub created_before: Option<Timestamp>,
}

macro_rules! fitting {
    ($owner:expr, $shown:expr, $query:expr) => {{
        let shown: &Shown = $shown;
        let mut query = $query
            .filter(policy_rules::tenant_id.eq($owner.to_string()))
            .filter(policy_rules::status.eq(shown.status.as_str()))
            .into_boxed();
        if let Some(mode) = shown.mode {
            query = query.filter(policy_rules::enforcement_mode.eq(mode.as_str()));
        }
        if let Some(scope) = shown.scope {
            query = query.filter(policy_rules::scope.eq(scope.as_str()));
        }
        if let Some(source) = shown.source {
            query = query.filter(policy_rules::source.eq(source.as_str()));
        }
        if let Some(after) = shown.created_after {
            query = query.filter(policy_rules::created_at.ge(after.as_micros()));
        }
        if let Some(before) = shown.created_before {
            query = query.filter(policy_rules::created_at.le(before.as_micros()));
        }
        query
    }};
}

/// Rules of an owner with when a tenant's requests have triggered them in the window.
macro_rules! triggered {
    ($tenant:expr, $owner:expr, $since:expr) => {
        policy_rules::table
            .inner_join(
                policy_rule_recent::table.on(policy_rule_recent::rule_owner
                    .eq(policy_rules::tenant_id)
                    .and(policy_rule_recent::rule_id.eq(policy_rules::id))),
            )
            .filter(policy_rule_recent::tenant_id.eq($tenant.to_string()))
            .filter(policy_rule_recent::rule_owner.eq($owner.to_string()))
            .filter(policy_rule_recent::last_at.ge($since.as_micros()))
    };
}

/// A piece of the rules of an owner that fit, and how many fit in all: first those that a tenant's requests have
/// triggered since, the last one first, then the others, the newest first. A row that cannot be
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
) -> StoreResult<(Vec<StoreResult<Rule>>, i64)> {
    let total = if shown.created_after.is_some() || shown.created_before.is_some() {
        fitting!(owner, shown, policy_rules::table)
            .count()
            .get_result(tx.conn())?
    } else {
        let wanted = [
            Some(shown.status.as_str()),
            shown.mode.map(EnforcementMode::as_str),
            shown.scope.map(RuleScope::as_str),
            shown.source.map(RuleSource::as_str),
        ];
        totals::of(tx, owner, Listing::PolicyRules, &wanted)?
    };
    let mut rows: Vec<Row> = fitting!(
        owner,
        shown,
        triggered!(tenant, owner, since).select(policy_rules::all_columns)
    )
    .order((
        policy_rule_recent::last_at.desc(),
        policy_rules::created_at.desc(),
        policy_rules::id.desc(),
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
            fitting!(owner, shown, triggered!(tenant, owner, since))
                .count()
                .get_result(tx.conn())?
        };
        let quiet = policy_rule_recent::table
            .filter(policy_rule_recent::tenant_id.eq(tenant.to_string()))
            .filter(policy_rule_recent::rule_owner.eq(owner.to_string()))
            .filter(policy_rule_recent::rule_id.eq(policy_rules::id))
            .filter(policy_rule_recent::last_at.ge(since.as_micros()));
        let rest: Vec<Row> = fitting!(owner, shown, policy_rules::table)
            .filter(not(exists(quiet)))
            .order((policy_rules::created_at.desc(), policy_rules::id.desc()))
            .limit(most - found)
            .offset(offset.saturating_sub(passed).max(0))
            .load(tx.conn())?;
        rows.extend(rest);
    }
    Ok((rows.into_iter().map(rule).collect(), total))
}
