//! What did Policy Rules do, and how often?

mod of_run;

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::upsert::excluded;
use model::id::{RuleId, RunId, TenantId};
use model::policy::{Enforcement, EnforcementAction, RuleType, Stage};
use model::time::Timestamp;

use crate::dialect::{later, upsert};
use crate::error::StoreResult;
use crate::lately::{Recent, Window, day_of, sums};
use crate::rows::Table;
use crate::schema::{policy_enforcements, policy_rule_days, policy_rule_recent, policy_rules};
use crate::tx::{Tx, Writes};

pub use self::of_run::{Done, of_run};

const TABLE: Table = Table("policy_rule_days");

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
    // Counters are locked in one order everywhere.
    let mut done: Vec<&Enforcement> = done.iter().collect();
    done.sort_by_key(|one| (one.tenant, one.rule_owner, one.rule, one.at));
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
        day: day_of(of.at),
        triggers: 1,
        last_at: of.at.as_micros(),
    }
}

#[derive(Insertable)]
#[diesel(table_name = policy_rule_recent)]
struct Last {
    tenant_id: String,
    rule_owner: String,
    rule_id: String,
    last_at: i64,
}

/// Adds to the day of a rule, and notes when it was triggered last.
fn count(tx: &mut impl Writes, day: &Day) -> StoreResult<()> {
    use {policy_rule_days as days, policy_rule_recent as recent};
    upsert!(
        tx.conn(),
        days::table,
        day,
        (days::tenant_id, days::rule_owner, days::rule_id, days::day),
        (
            days::triggers.eq(days::triggers + excluded(days::triggers)),
            days::last_at.eq(later!(days::last_at)),
        )
    );
    let last = Last {
        tenant_id: day.tenant_id.clone(),
        rule_owner: day.rule_owner.clone(),
        rule_id: day.rule_id.clone(),
        last_at: day.last_at,
    };
    upsert!(
        tx.conn(),
        recent::table,
        &last,
        (recent::tenant_id, recent::rule_owner, recent::rule_id),
        recent::last_at.eq(later!(recent::last_at))
    );
    Ok(())
}

/// How often a tenant's requests have triggered rules of an owner since; those that were not are left out.
///
/// # Errors
/// What the database says.
pub fn recent(
    tx: &mut impl Tx,
    (tenant, owner): (TenantId, TenantId),
    rules: &[RuleId],
    since: Timestamp,
) -> StoreResult<BTreeMap<RuleId, Recent>> {
    let window = Window::since(since);
    let (who, whose) = (tenant.to_string(), owner.to_string());
    let which: Vec<String> = rules.iter().map(ToString::to_string).collect();
    // Sums are NUMERIC on PostgreSQL unless they are cast back.
    let days: Vec<(String, i64, i64)> = policy_rule_days::table
        .filter(policy_rule_days::tenant_id.eq(&who))
        .filter(policy_rule_days::rule_owner.eq(&whose))
        .filter(policy_rule_days::rule_id.eq_any(&which))
        .filter(policy_rule_days::day.ge(window.first_day))
        .group_by(policy_rule_days::rule_id)
        .select((
            policy_rule_days::rule_id,
            sql::<BigInt>("CAST(SUM(triggers) AS BIGINT)"),
            sql::<BigInt>("MAX(last_at)"),
        ))
        .load(tx.conn())?;
    let edge = window.edge();
    let edge: Vec<(String, i64, i64)> = policy_enforcements::table
        .filter(policy_enforcements::tenant_id.eq(&who))
        .filter(policy_enforcements::rule_owner.eq(&whose))
        .filter(policy_enforcements::rule_id.eq_any(&which))
        .filter(policy_enforcements::triggered_at.ge(edge.start))
        .filter(policy_enforcements::triggered_at.lt(edge.end))
        .group_by(policy_enforcements::rule_id)
        .select((
            policy_enforcements::rule_id,
            sql::<BigInt>("COUNT(*)"),
            sql::<BigInt>("MAX(triggered_at)"),
        ))
        .load(tx.conn())?;
    sums(TABLE, "rule_id", days.into_iter().chain(edge))
}

/// The rules that stopped an LLM Run, each once, and on what: the request or the answer.
///
/// # Errors
/// What the database says.
pub fn that_stopped(
    tx: &mut impl Tx,
    tenant: TenantId,
    run: RunId,
) -> StoreResult<Vec<(RuleId, RuleType, Stage)>> {
    use {policy_enforcements as done, policy_rules as rules};
    let of_rule = rules::tenant_id
        .eq(done::rule_owner)
        .and(rules::id.eq(done::rule_id));
    let found: Vec<(String, String, String)> = done::table
        .inner_join(rules::table.on(of_rule))
        .filter(done::tenant_id.eq(tenant.to_string()))
        .filter(done::run_id.eq(run.to_string()))
        .filter(done::action_taken.eq(EnforcementAction::Blocked.as_str()))
        .order((rules::id, done::stage))
        .select((rules::id, rules::rule_type, done::stage))
        .distinct()
        .load(tx.conn())?;
    found
        .iter()
        .map(|(id, rule_type, stage)| {
            let table = Table("policy_enforcements");
            Ok((
                table.parse("rule_id", id)?,
                table.parse("rule_type", rule_type)?,
                table.parse("stage", stage)?,
            ))
        })
        .collect()
}
