//! What did a Policy Rule do?

use alloc::string::String;

use super::{EnforcementAction, Stage};
use crate::id::{DecisionId, EnforcementId, RuleId, RunId, TenantId};
use crate::time::Timestamp;

/// What was done because a rule matched: a fact, never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enforcement {
    /// Its id.
    pub id: EnforcementId,
    /// Whose request it was.
    pub tenant: TenantId,
    /// Whose rule it was.
    pub rule_owner: TenantId,
    /// Which rule.
    pub rule: RuleId,
    /// In which version.
    pub rule_version: u32,
    /// Which LLM Run.
    pub run: Option<RunId>,
    /// The decision that found it.
    pub decision: Option<DecisionId>,
    /// What was done.
    pub action: EnforcementAction,
    /// Before the call, or on its answer.
    pub stage: Stage,
    /// Why it matched, as JSON, without any content.
    pub details: String,
    /// When.
    pub at: Timestamp,
}
