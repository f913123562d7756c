//! What is an Incident, how may it change, and which failures are the same?
//!
//! An Incident is what its events say, in their order. Only a [`Transition`] adds an event, and only this module can make
//! one: what the machine refuses cannot be stored.

mod attribution;
mod change;
mod event;
mod mismatch;
mod reduce;
mod replay;
mod signature;
mod state;
mod transition;

use alloc::string::{String, ToString as _};

use crate::authority::AuthorityContext;
use crate::id::{IncidentId, TenantId};
use crate::money::NanoUsd;
use crate::time::Timestamp;
use crate::wire::wire_enum;

pub use self::attribution::{Attributed, Attribution};
pub use self::change::{
    Change, ChangeError, Closing, Comment, Creation, IncidentEventType, IncidentSource, Links, Occurrence,
    PostMortem, Promotion, ResolutionType, Resolving, Retention,
};
pub use self::event::{EVENT_SCHEMA, IncidentEvent, event_id};
pub use self::mismatch::{MismatchKind, Projection, Replay, Violation};
pub use self::replay::{Player, VIOLATIONS_MOST, replay};
pub use self::signature::{Failure, FailureCode, RequestTraits, Signature};
pub use self::state::{EdgeError, GoingOn, IncidentLifecycle, IncidentState};
pub use self::transition::{Refusal, Standing, Step, StepOf, Transition};

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
        /// More was spent than is usual.
        CostAnomaly,
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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// How an Incident was resolved.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolution {
    /// Who resolved it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub summary: String,
    /// What came of it.
    pub resolution_type: ResolutionType,
    /// How the customer console calls it.
    pub method: ResolutionMethod,
}

/// That an Incident was none.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cancellation {
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// What the events of an Incident have made of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Whose.
    pub tenant: TenantId,
    /// Where it stands.
    pub state: IncidentState,
    /// What it was when it came to be.
    pub creation: Creation,
    /// By whom it was made.
    pub created_by: String,
    /// What it and those that were the same cost together.
    pub cost: NanoUsd,
    /// How often it has happened, the first time included.
    pub occurrences: i64,
    /// What the gate said last.
    pub promotion: Option<Promotion>,
    /// When it became OPEN.
    pub opened_at: Option<Timestamp>,
    /// Who has seen it.
    pub acknowledgement: Option<Acknowledgement>,
    /// When somebody began to work on it.
    pub mitigating_at: Option<Timestamp>,
    /// How it was resolved; set once.
    pub resolution: Option<Resolution>,
    /// What was learned.
    pub post_mortem: Option<PostMortem>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// That it was none.
    pub cancellation: Option<Cancellation>,
    /// By which rule it was put away.
    pub retention: Option<Retention>,
    /// When it was put away.
    pub archived_at: Option<Timestamp>,
    /// By what authority it was changed last.
    pub authority: AuthorityContext,
    /// When it came to be.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// How many events it has.
    pub version: i64,
}

impl Incident {
    /// What the customer console shows; nothing of one that nobody has approved.
    pub const fn lifecycle(&self) -> Option<IncidentLifecycle> {
        self.state.lifecycle(self.acknowledgement.is_some())
    }

    /// When it was over: resolved, or found to be none.
    pub fn over_at(&self) -> Option<Timestamp> {
        let resolved = self.resolution.as_ref().map(|resolution| resolution.at);
        resolved.or_else(|| self.cancellation.as_ref().map(|cancellation| cancellation.at))
    }

    /// The canonical form: JSON without white space whose objects are sorted by name, numbers whole.
    pub fn canonical(&self) -> String {
        canonical(self)
    }

    /// SHA-256 over the canonical form without `version` and `updatedAt`, which every event changes.
    pub fn state_hash(&self) -> crate::digest::Digest {
        let mut form = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = form.as_object_mut() {
            members.remove("version");
            members.remove("updatedAt");
        }
        crate::digest::Digest::of(form.to_string().as_bytes())
    }
}

/// Canonical JSON of what has no maps with keys other than texts and no fractions, for which it cannot fail.
fn canonical(of: &impl serde::Serialize) -> String {
    serde_json::to_value(of).unwrap_or_default().to_string()
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
            words(&mut IncidentState::iter().map(IncidentState::as_str)),
            "PENDING OPEN MITIGATING RESOLVED CLOSED CANCELLED ARCHIVED"
        );
        assert_eq!(
            words(&mut IncidentLifecycle::iter().map(IncidentLifecycle::as_str)),
            "ACTIVE ACKED RESOLVED"
        );
        assert_eq!(
            words(&mut IncidentEventType::iter().map(IncidentEventType::as_str)),
            "INCIDENT_CREATED STATE_CHANGED ACKNOWLEDGED COMMENT_ADDED SIGNAL_ADDED PROMOTION_DECIDED"
        );
        assert_eq!(
            words(&mut ResolutionType::iter().map(ResolutionType::as_str)),
            "FIXED FALSE_POSITIVE DUPLICATE WONT_FIX"
        );
        assert_eq!(
            words(&mut Attribution::iter().map(Attribution::as_str)),
            "MODEL_HALLUCINATION POLICY_CONFLICT CONTEXT_MISSING INFRA_TIMEOUT BUDGET_EXCEEDED USER_MISUSE"
        );
        assert_eq!(
            words(&mut CauseType::iter().map(CauseType::as_str)),
            "LLM_RUN SYSTEM HUMAN"
        );
        assert_eq!(
            words(&mut IncidentCategory::iter().map(IncidentCategory::as_str)),
            "EXECUTION_FAILURE BUDGET_EXCEEDED RATE_LIMIT RESOURCE_EXHAUSTION POLICY_VIOLATION MANUAL COST_ANOMALY"
        );
        assert_eq!(
            words(&mut FailureCode::iter().map(FailureCode::as_str)),
            "EXECUTION_TIMEOUT AGENT_CRASH STEP_FAILURE SKILL_ERROR BUDGET_EXCEEDED RATE_LIMIT_EXCEEDED \
             RESOURCE_EXHAUSTION CANCELLED MANUAL_STOP RETRY_EXHAUSTED UNKNOWN"
        );
    }
}
