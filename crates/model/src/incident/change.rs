//! What can happen to an Incident, and what is said with it?

use alloc::boxed::Box;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Attributed, CauseType, IncidentCategory, IncidentState, ResolutionMethod, Signature};
use crate::authority::AuthorityContext;
use crate::id::{RunId, SignatureId};
use crate::money::NanoUsd;
use crate::severity::Severity;
use crate::verdict::Verdict;
use crate::wire::wire_enum;

wire_enum! {
    /// What happened to an Incident. All but the first two leave its state as it is.
    IncidentEventType {
        /// It came to be.
        IncidentCreated,
        /// It went on to another state.
        StateChanged,
        /// Somebody has seen it.
        Acknowledged,
        /// Somebody said something about it.
        CommentAdded,
        /// The same happened again.
        SignalAdded,
        /// The gate did not let it become an Incident yet.
        PromotionDecided,
    }
}

wire_enum! {
    /// Where an Incident comes from.
    IncidentSource {
        /// From facts, through rules and the gate.
        Promotion,
        /// From somebody who reported it.
        Manual,
    }
}

wire_enum! {
    /// What came of an Incident, as the incident control plane says it.
    ResolutionType {
        /// What was wrong is right.
        Fixed,
        /// Nothing was wrong.
        FalsePositive,
        /// Another Incident is about the same.
        Duplicate,
        /// It stays as it is.
        WontFix,
    }
}

/// What an Incident is when it comes to be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Creation {
    /// What its id follows from, with the tenant: see [`crate::id::IncidentId::derive`].
    pub identity: String,
    /// Where it comes from.
    pub source: IncidentSource,
    /// How bad it is.
    pub severity: Severity,
    /// Of which kind.
    pub category: IncidentCategory,
    /// What caused it.
    pub cause_type: CauseType,
    /// What it is put down to, and by which rule.
    pub attribution: Attributed,
    /// The service that it happened to.
    pub service: String,
    /// What people read first.
    pub title: String,
    /// What else they should know.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The LLM Run that failed, if one did.
    pub run: Option<RunId>,
    /// The stable word for the failure.
    pub error_code: Option<String>,
    /// Which failures are the same as this one, if it is a run's.
    pub signature: Option<Signature>,
    /// What makes others the same Incident as long as it is active.
    pub fingerprint: Option<String>,
    /// What the failed run cost.
    pub cost: NanoUsd,
    /// The id that joins everything that happened for the request.
    pub correlation_id: String,
}

/// What the gate said, and what it was based on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Promotion {
    /// What it said.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// The id of the decision.
    pub decision_id: String,
    /// The policy that decided.
    pub policy_id: String,
    /// Its version.
    pub policy_version: String,
    /// What was promoted, if it came from facts.
    pub candidate_id: Option<String>,
    /// What that rests on.
    pub evidence_id: Option<String>,
    /// How sure it is, in millionths.
    pub confidence_micro: Option<i64>,
    /// How many detections it rests on.
    pub detection_count: Option<i64>,
    /// By what authority a person let it through, afterwards or with a signal; none if nobody had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_by: Option<Box<AuthorityContext>>,
}

/// Where else something is written about what is done: http or https URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Links {
    /// What is done by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook_url: Option<String>,
    /// Where it is kept track of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_url: Option<String>,
}

impl Links {
    /// Whether there are none: then nothing of them is recorded.
    pub const fn is_empty(&self) -> bool {
        self.runbook_url.is_none() && self.ticket_url.is_none()
    }
}

/// How an Incident is resolved.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolving {
    /// What was done, 20 to 2,048 characters.
    pub summary: String,
    /// What came of it.
    pub resolution_type: ResolutionType,
    /// How the customer console calls it.
    pub method: ResolutionMethod,
    /// Where else it is written.
    #[serde(default, skip_serializing_if = "Links::is_empty")]
    pub links: Links,
}

/// What is said when an Incident is closed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Closing {
    /// Where the post-mortem is written: a URL or an id.
    pub reference: Option<String>,
    /// What it says, 20 to 2,048 characters.
    pub summary: Option<String>,
    /// Where else something is written.
    #[serde(default, skip_serializing_if = "Links::is_empty")]
    pub links: Links,
}

/// What was learned from an Incident: at least one of both.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostMortem {
    /// Where it is written: a URL or an id.
    pub reference: Option<String>,
    /// What it says, 20 to 2,048 characters.
    pub summary: Option<String>,
}

/// By which rule an Incident is put away.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retention {
    /// The policy.
    pub policy_id: String,
    /// Its version.
    pub policy_version: String,
    /// How long after it was closed.
    pub retention_days: i64,
}

/// The same, once more.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Occurrence {
    /// What happened: the id of a run or a signal.
    pub signal_id: String,
    /// The hash of what is on record of it, if it is not a run.
    pub checksum: Option<String>,
    /// The LLM Run that failed, if one did.
    pub run: Option<RunId>,
    /// Which failures are the same as that of the run.
    pub signature: Option<SignatureId>,
    /// What it cost.
    pub cost: NanoUsd,
}

/// What is said about an Incident.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Comment {
    /// What.
    pub text: String,
}

/// Something that happens to an Incident, with what is said with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It comes to be, PENDING.
    Created(Box<Creation>),
    /// It was promoted: OPEN.
    Opened(Promotion),
    /// Somebody works on it: MITIGATING.
    Mitigating(Links),
    /// RESOLVED.
    Resolved(Resolving),
    /// CLOSED.
    Closed(Closing),
    /// CANCELLED, for the reason of the event.
    Cancelled(Links),
    /// ARCHIVED.
    Archived(Retention),
    /// Somebody has seen it.
    Acknowledged,
    /// Somebody says something.
    Commented(Comment),
    /// The same happened again.
    Occurred(Occurrence),
    /// The gate did not promote it.
    NotPromoted(Promotion),
}

/// What is recorded of an event is not what its type and state ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what is recorded of the event cannot be read: {0}")]
pub struct ChangeError(pub String);

impl Change {
    /// What kind of event it is.
    pub const fn event_type(&self) -> IncidentEventType {
        match self {
            Self::Created(_) => IncidentEventType::IncidentCreated,
            Self::Opened(_)
            | Self::Mitigating(_)
            | Self::Resolved(_)
            | Self::Closed(_)
            | Self::Cancelled(_)
            | Self::Archived(_) => IncidentEventType::StateChanged,
            Self::Acknowledged => IncidentEventType::Acknowledged,
            Self::Commented(_) => IncidentEventType::CommentAdded,
            Self::Occurred(_) => IncidentEventType::SignalAdded,
            Self::NotPromoted(_) => IncidentEventType::PromotionDecided,
        }
    }

    /// The state that it leads to; none if it leaves the state as it is.
    pub const fn leads_to(&self) -> Option<IncidentState> {
        match self {
            Self::Created(_) => Some(IncidentState::Pending),
            Self::Opened(_) => Some(IncidentState::Open),
            Self::Mitigating(_) => Some(IncidentState::Mitigating),
            Self::Resolved(_) => Some(IncidentState::Resolved),
            Self::Closed(_) => Some(IncidentState::Closed),
            Self::Cancelled(_) => Some(IncidentState::Cancelled),
            Self::Archived(_) => Some(IncidentState::Archived),
            Self::Acknowledged | Self::Commented(_) | Self::Occurred(_) | Self::NotPromoted(_) => None,
        }
    }

    /// What is recorded of it, as canonical JSON: objects sorted by name, no white space.
    pub fn metadata(&self) -> String {
        match self {
            Self::Created(of) => super::canonical(of),
            Self::Opened(of) | Self::NotPromoted(of) => super::canonical(of),
            Self::Resolved(of) => super::canonical(of),
            Self::Closed(of) => super::canonical(of),
            Self::Archived(of) => super::canonical(of),
            Self::Commented(of) => super::canonical(of),
            Self::Occurred(of) => super::canonical(of),
            Self::Mitigating(of) | Self::Cancelled(of) => super::canonical(of),
            Self::Acknowledged => "{}".to_string(),
        }
    }

    /// The change of an event of this type that led to this state.
    ///
    /// # Errors
    /// [`ChangeError`] if the metadata is not what belongs to it.
    pub fn read(
        event_type: IncidentEventType,
        new_state: IncidentState,
        metadata: &str,
    ) -> Result<Self, ChangeError> {
        use IncidentEventType as Type;
        use IncidentState as State;
        Ok(match (event_type, new_state) {
            (Type::IncidentCreated, _) => Self::Created(payload(metadata)?),
            (Type::StateChanged, State::Open) => Self::Opened(payload(metadata)?),
            (Type::StateChanged, State::Mitigating) => Self::Mitigating(payload(metadata)?),
            (Type::StateChanged, State::Resolved) => Self::Resolved(payload(metadata)?),
            (Type::StateChanged, State::Closed) => Self::Closed(payload(metadata)?),
            (Type::StateChanged, State::Cancelled) => Self::Cancelled(payload(metadata)?),
            (Type::StateChanged, State::Archived) => Self::Archived(payload(metadata)?),
            (Type::StateChanged, State::Pending) => {
                return Err(ChangeError("nothing leads back to PENDING".to_string()));
            }
            (Type::Acknowledged, _) => nothing(metadata, Self::Acknowledged)?,
            (Type::CommentAdded, _) => Self::Commented(payload(metadata)?),
            (Type::SignalAdded, _) => Self::Occurred(payload(metadata)?),
            (Type::PromotionDecided, _) => Self::NotPromoted(payload(metadata)?),
        })
    }
}

fn payload<T: DeserializeOwned>(metadata: &str) -> Result<T, ChangeError> {
    // A list would be read as the members in their order.
    if !metadata.starts_with('{') {
        return Err(ChangeError("what is said is no object".to_string()));
    }
    serde_json::from_str(metadata).map_err(|error| ChangeError(error.to_string()))
}

fn nothing(metadata: &str, change: Change) -> Result<Change, ChangeError> {
    let said: Value = payload(metadata)?;
    if said == Value::Object(serde_json::Map::new()) {
        return Ok(change);
    }
    Err(ChangeError("nothing is said with this event".to_string()))
}
