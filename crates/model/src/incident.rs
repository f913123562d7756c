//! What is an Incident, and which failures are the same?

mod signature;

use alloc::string::String;

use crate::id::{IncidentId, RunId, TenantId};
use crate::money::NanoUsd;
use crate::severity::Severity;
use crate::time::Timestamp;
use crate::wire::wire_enum;

pub use self::signature::{Failure, FailureCode, RequestTraits, Signature};

wire_enum! {
    /// Where an Incident stands, as the customer console shows it.
    IncidentLifecycle {
        /// Nobody has seen to it.
        Active,
        /// Somebody has; it is listed with the active ones, with a badge.
        Acked,
        /// It is over.
        Resolved,
    }
}

impl IncidentLifecycle {
    /// Whether it may go there: acknowledged once, resolved once, never opened again.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Active, Self::Acked | Self::Resolved) | (Self::Acked, Self::Resolved)
        )
    }
}

wire_enum! {
    /// What caused an Incident.
    CauseType {
        /// An LLM Run.
        LlmRun,
        /// The system, such as a budget that was passed.
        System,
        /// A person who reported it.
        Human,
    }
}

wire_enum! {
    /// What kind of failure it is.
    IncidentCategory {
        /// A run did not come to its end.
        ExecutionFailure,
        /// Money ran out.
        BudgetExceeded,
        /// Somebody was called too often.
        RateLimit,
        /// Something else ran out.
        ResourceExhaustion,
        /// A Policy Rule found what may not be.
        PolicyViolation,
        /// Somebody stopped it.
        Manual,
    }
}

wire_enum! {
    "snake_case";
    /// How an Incident was resolved.
    ResolutionMethod {
        /// By itself.
        Auto,
        /// By a person.
        Manual,
        /// By going back to what was before.
        Rollback,
    }
}

/// Who saw to an Incident, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// How an Incident ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// Who ended it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// How.
    pub method: ResolutionMethod,
    /// What people should know.
    pub notes: Option<String>,
}

/// An Incident, as far as the loop from failure to Policy Rule needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Whose.
    pub tenant: TenantId,
    /// Where it stands.
    pub lifecycle: IncidentLifecycle,
    /// How bad it is.
    pub severity: Severity,
    /// What kind of failure it is.
    pub category: IncidentCategory,
    /// What people read.
    pub title: String,
    /// What caused it.
    pub cause_type: CauseType,
    /// The LLM Run that failed, if one did.
    pub run: Option<RunId>,
    /// The stable word for the failure.
    pub error_code: Option<String>,
    /// Which failures are the same as this one, if it is a run's.
    pub signature: Option<Signature>,
    /// What the failed run cost.
    pub cost: NanoUsd,
    /// Who saw to it.
    pub acknowledgement: Option<Acknowledgement>,
    /// How it ended.
    pub resolution: Option<Resolution>,
    /// The id that joins everything that happened for the request.
    pub correlation_id: String,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn the_words_of_the_contract_do_not_change() {
        let words = |list: &mut dyn Iterator<Item = &'static str>| list.collect::<Vec<_>>().join(" ");
        assert_eq!(
            words(&mut IncidentLifecycle::iter().map(IncidentLifecycle::as_str)),
            "ACTIVE ACKED RESOLVED"
        );
        assert_eq!(
            words(&mut CauseType::iter().map(CauseType::as_str)),
            "LLM_RUN SYSTEM HUMAN"
        );
        assert_eq!(
            words(&mut IncidentCategory::iter().map(IncidentCategory::as_str)),
            "EXECUTION_FAILURE BUDGET_EXCEEDED RATE_LIMIT RESOURCE_EXHAUSTION POLICY_VIOLATION MANUAL"
        );
        assert_eq!(
            words(&mut FailureCode::iter().map(FailureCode::as_str)),
            "EXECUTION_TIMEOUT AGENT_CRASH STEP_FAILURE SKILL_ERROR BUDGET_EXCEEDED RATE_LIMIT_EXCEEDED \
             RESOURCE_EXHAUSTION CANCELLED MANUAL_STOP RETRY_EXHAUSTED UNKNOWN"
        );
    }

    #[test]
    fn an_incident_is_acknowledged_and_resolved_once() {
        let edges: Vec<_> = IncidentLifecycle::iter()
            .flat_map(|from| IncidentLifecycle::iter().map(move |to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .map(|(from, to)| (from.as_str(), to.as_str()))
            .collect();
        assert_eq!(
            edges,
            [("ACTIVE", "ACKED"), ("ACTIVE", "RESOLVED"), ("ACKED", "RESOLVED")]
        );
    }
}
