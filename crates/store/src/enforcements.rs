//! What did Policy Rules do, and how often?

mod of_run;

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use model::id::{RuleId, RunId, TenantId};
use model::policy::{Enforcement, EnforcementAction, RuleType, Stage};
use model::time::Timestamp;

use crate::dialect::append::{append, appended};
use crate::dialect::prepared::Value;
use crate::error::StoreResult;
use crate::lately::{Recent, Window, day_of, sums};
use crate::rows::Table;
use crate::schema::{policy_enforcements, policy_rule_days, policy_rules};
use crate::tx::{Tx, Writes};

pub use self::of_run::{Done, of_run};

const TABLE: Table = Table("policy_rule_days");

appended! {
    /// What rules did.
    NewEnforcements: policy_enforcements (
        tenant_id, id, rule_owner, rule_id, rule_version, run_id, decision_id, action_taken, stage, details,
        triggered_at
    )
}

appended! {
    /// How often a rule was triggered in a day, and when last.
    AddDays: policy_rule_days (tenant_id, rule_owner, rule_id, day, triggers, last_at)
    " ON CONFLICT (tenant_id, rule_owner, rule_id, day) DO UPDATE SET \
        triggers = policy_rule_days.triggers + excluded.triggers, \
        last_at = CASE WHEN excluded.last_at > policy_rule_days.last_at THEN excluded.last_at \
            ELSE policy_rule_days.last_at END"
}

appended! {
    /// When a rule was triggered last.
    AddRecent: policy_rule_recent (tenant_id, rule_owner, rule_id, last_at)
    " ON CONFLICT (tenant_id, rule_owner, rule_id) DO UPDATE SET \
        last_at = CASE WHEN excluded.last_at > policy_rule_recent.last_at THEN excluded.last_at \
            ELSE policy_rule_recent.last_at END"
}

/// The texts of an enforcement, as they are stored.
struct Texts {
    tenant: String,
    id: String,
    owner: String,
    rule: String,
    run: Option<String>,
    decision: Option<String>,
}

/// Adds what rules did, and counts it: by a few statements, however many there are.
///
/// # Errors
/// What the database says.
pub fn insert(tx: &mut impl Writes, done: &[Enforcement]) -> StoreResult<()> {
    let texts: Vec<Texts> = done.iter().map(texts).collect();
    let values: Vec<Value<'_>> = done
        .iter()
        .zip(&texts)
        .flat_map(|(of, texts)| values(of, texts))
        .collect();
    append::<NewEnforcements>(tx.conn(), &values)?;
    count(tx, done.iter().zip(&texts))
}

fn texts(of: &Enforcement) -> Texts {
    Texts {
        tenant: of.tenant.to_string(),
        id: of.id.to_string(),
        owner: of.rule_owner.to_string(),
        rule: of.rule.to_string(),
        run: of.run.map(|id| id.to_string()),
        decision: of.decision.map(|id| id.to_string()),
    }
}

fn values<'a>(of: &'a Enforcement, texts: &'a Texts) -> [Value<'a>; 11] {
    [
        Value::Text(&texts.tenant),
        Value::Text(&texts.id),
        Value::Text(&texts.owner),
        Value::Text(&texts.rule),
        Value::Number(of.rule_version.into()),
        Value::MaybeText(texts.run.as_deref()),
        Value::MaybeText(texts.decision.as_deref()),
        Value::Text(of.action.as_str()),
        Value::Text(of.stage.as_str()),
        Value::Text(&of.details),
        Value::Number(of.at.as_micros()),
    ]
}

/// Adds to the days of rules, and notes when they were triggered last. Counters are locked in one order everywhere.
fn count<'a>(
    tx: &mut impl Writes,
    done: impl Iterator<Item = (&'a Enforcement, &'a Texts)>,
) -> StoreResult<()> {
    type Whose<'a> = [&'a str; 3];
    let mut days: BTreeMap<(Whose<'_>, i64), (i64, i64)> = BTreeMap::new();
    let mut lately: BTreeMap<Whose<'_>, i64> = BTreeMap::new();
    for (of, texts) in done {
        let (whose, at) = ([&*texts.tenant, &*texts.owner, &*texts.rule], of.at.as_micros());
        let (triggers, last) = days.entry((whose, day_of(of.at))).or_insert((0, at));
        *triggers += 1;
        *last = at.max(*last);
        let last = lately.entry(whose).or_insert(at);
        *last = at.max(*last);
    }
    let days: Vec<Value<'_>> = days
        .iter()
        .flat_map(|((whose, day), (triggers, last))| {
            let numbers = [*day, *triggers, *last].map(Value::Number);
            whose.map(Value::Text).into_iter().chain(numbers)
        })
        .collect();
    append::<AddDays>(tx.conn(), &days)?;
    let lately: Vec<Value<'_>> = lately
        .iter()
        .flat_map(|(whose, last)| whose.map(Value::Text).into_iter().chain([Value::Number(*last)]))
        .collect();
    Ok(append::<AddRecent>(tx.conn(), &lately)?)
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
