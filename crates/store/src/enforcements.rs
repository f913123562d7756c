//! What did Policy Rules do, and how often?

use diesel::prelude::*;
use diesel::upsert::excluded;
use model::id::{RuleId, TenantId};
use model::policy::Enforcement;
use model::time::Timestamp;

use crate::dialect::upsert;
use crate::error::StoreResult;
use crate::schema::{policy_enforcements, policy_rule_days};
use crate::tx::{Tx, Writes};

/// Microseconds of a day (UTC).
const DAY: i64 = 86_400 * Timestamp::MICROS_PER_SECOND;

#[derive(Insertable)]
#[diesel(table_name = policy_enforcements)]
struct Row<'a> {
    tenant_id: String,
    id: String,
    rule_owner: String,
    rule_id: String,
    rule_version: i32,
    run_id: Option<String>,
    decision_id: Option<String>,
    action_taken: &'static str,
    stage: &'static str,
    details: &'a str,
    triggered_at: i64,
}

#[derive(Insertable)]
#[diesel(table_name = policy_rule_days)]
struct Day {
    tenant_id: String,
    rule_owner: String,
    rule_id: String,
    day: i64,
    triggers: i64,
    last_at: i64,
}

/// Adds what rules did, and counts it.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, done: &[Enforcement]) -> StoreResult<()> {
    for one in done {
        diesel::insert_into(policy_enforcements::table)
            .values(row(one))
            .execute(tx.conn())?;
        count(tx, &day(one))?;
    }
    Ok(())
}

fn row(of: &Enforcement) -> Row<'_> {
    Row {
        tenant_id: of.tenant.to_string(),
        id: of.id.to_string(),
        rule_owner: of.rule_owner.to_string(),
        rule_id: of.rule.to_string(),
        rule_version: i32::try_from(of.rule_version).unwrap_or(i32::MAX),
        run_id: of.run.map(|id| id.to_string()),
        decision_id: of.decision.map(|id| id.to_string()),
        action_taken: of.action.as_str(),
        stage: of.stage.as_str(),
        details: &of.details,
        triggered_at: of.at.as_micros(),
    }
}

fn day(of: &Enforcement) -> Day {
    Day {
        tenant_id: of.tenant.to_string(),
        rule_owner: of.rule_owner.to_string(),
        rule_id: of.rule.to_string(),
        day: of.at.as_micros().div_euclid(DAY),
        triggers: 1,
        last_at: of.at.as_micros(),
    }
}

/// Adds to the day of a rule.
fn count(tx: &mut impl Writes, day: &Day) -> StoreResult<()> {
    use policy_rule_days as days;
    upsert!(
        tx.conn(),
        days::table,
        day,
        (days::tenant_id, days::rule_owner, days::rule_id, days::day),
        (
            days::triggers.eq(days::triggers + excluded(days::triggers)),
            days::last_at.eq(excluded(days::last_at)),
        )
    );
    Ok(())
}

/// How often a tenant's requests have triggered a rule since, and when the last time.
///
/// Whole days are read from their sums; what is counted row by row is at most the one day that begins before `since`.
///
/// # Errors
/// What the database says.
pub fn triggers(
    tx: &mut impl Tx,
    tenant: TenantId,
    rule: (TenantId, RuleId),
    since: Timestamp,
) -> StoreResult<(i64, Option<Timestamp>)> {
    let since = since.as_micros();
    // The first whole day behind `since`.
    let first = since.div_euclid(DAY) + i64::from(since.rem_euclid(DAY) > 0);
    let (owner, id) = (rule.0.to_string(), rule.1.to_string());
    let days: Vec<(i64, i64)> = policy_rule_days::table
        .filter(policy_rule_days::tenant_id.eq(tenant.to_string()))
        .filter(policy_rule_days::rule_owner.eq(&owner))
        .filter(policy_rule_days::rule_id.eq(&id))
        .filter(policy_rule_days::day.ge(first))
        .select((policy_rule_days::triggers, policy_rule_days::last_at))
        .load(tx.conn())?;
    let edge: Vec<i64> = policy_enforcements::table
        .filter(policy_enforcements::tenant_id.eq(tenant.to_string()))
        .filter(policy_enforcements::rule_owner.eq(&owner))
        .filter(policy_enforcements::rule_id.eq(&id))
        .filter(policy_enforcements::triggered_at.ge(since))
        .filter(policy_enforcements::triggered_at.lt(first.saturating_mul(DAY)))
        .select(policy_enforcements::triggered_at)
        .load(tx.conn())?;
    let counted: i64 = days.iter().map(|(triggers, _)| triggers).sum();
    let last = days
        .iter()
        .map(|(_, last)| *last)
        .chain(edge.iter().copied())
        .max();
    let edge = i64::try_from(edge.len()).unwrap_or(i64::MAX);
    Ok((counted.saturating_add(edge), last.map(Timestamp::from_micros)))
}
