//! What is recorded when a request hits a limit?

use crate::id::{BreachId, DecisionId, LimitId, RunId, TenantId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// How a limit was hit.
    BreachType {
        /// Passed, because it only warns, or because a provider reported more than was held.
        Breached,
        /// A budget had no room for the request.
        Exhausted,
        /// A rate had no room for the request.
        Throttled,
        /// A single LLM Run was over a threshold.
        Violated,
    }
}

/// One breach of a limit: a fact, never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Its id.
    pub id: BreachId,
    /// Whose request it was.
    pub tenant: TenantId,
    /// Whose limit it was.
    pub limit_owner: TenantId,
    /// Which limit.
    pub limit: LimitId,
    /// Which LLM Run, if there is one.
    pub run: Option<RunId>,
    /// The decision that found it.
    pub decision: DecisionId,
    /// How.
    pub breach_type: BreachType,
    /// What the counter would have reached, in the unit of the limit.
    pub value: i64,
    /// The maximum at that time.
    pub max: i64,
    /// When.
    pub at: Timestamp,
}
