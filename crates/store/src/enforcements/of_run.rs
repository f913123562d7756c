//! What did Policy Rules do about one LLM Run?

use diesel::prelude::*;
use model::id::{DecisionId, RuleId, RunId, TenantId};
use model::policy::{EnforcementAction, Stage};
use model::time::Timestamp;

use crate::error::StoreResult;
use crate::rows::{Table, at};
use crate::schema::policy_enforcements;
use crate::tx::Tx;

const TABLE: Table = Table("policy_enforcements");

/// What a rule did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Which rule.
    pub rule: RuleId,
    /// In which version.
    pub rule_version: u32,
    /// What was done.
    pub action: EnforcementAction,
    /// Before the call, or on its answer.
    pub stage: Stage,
    /// The decision that found it.
    pub decision: Option<DecisionId>,
    /// When.
    pub at: Timestamp,
}

type DoneRow = (String, i32, String, String, Option<String>, i64);

/// What rules did about an LLM Run, oldest first, at most `most`.
///
/// # Errors
/// What the database says.
pub fn of_run(tx: &mut impl Tx, tenant: TenantId, run: RunId, most: i64) -> StoreResult<Vec<Done>> {
    let rows: Vec<DoneRow> = policy_enforcements::table
        .filter(policy_enforcements::tenant_id.eq(tenant.to_string()))
        .filter(policy_enforcements::run_id.eq(run.to_string()))
        .order((policy_enforcements::triggered_at, policy_enforcements::id))
        .limit(most)
        .select((
            policy_enforcements::rule_id,
            policy_enforcements::rule_version,
            policy_enforcements::action_taken,
            policy_enforcements::stage,
            policy_enforcements::decision_id,
            policy_enforcements::triggered_at,
        ))
        .load(tx.conn())?;
    let done = |(rule, version, action, stage, decision, triggered_at): DoneRow| {
        Ok(Done {
            rule: TABLE.parse("rule_id", &rule)?,
            rule_version: TABLE.small("rule_version", version)?,
            action: TABLE.parse("action_taken", &action)?,
            stage: TABLE.parse("stage", &stage)?,
            decision: TABLE.parse_opt("decision_id", decision.as_deref())?,
            at: at(triggered_at),
        })
    };
    rows.into_iter().map(done).collect()
}
