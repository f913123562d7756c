//! What is told to the outside of what has happened?
//!
//! One message per event of an Incident, made with the event. What a message says of the Incident is what it was right
//! after the event, whatever becomes of it before the message arrives.

use alloc::format;
use alloc::string::{String, ToString as _};

use serde_json::{Value, json};

use crate::id::{IncidentId, TenantId};
use crate::incident::{IncidentEventType, IncidentState, Transition};
use crate::time::Timestamp;

/// What a message is about.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
pub enum Topic {
    /// Something that no customer is shown happened: nobody has approved the Incident.
    #[serde(rename = "incident.pending")]
    #[strum(serialize = "incident.pending")]
    Pending,
    /// An Incident was opened.
    #[serde(rename = "incident.created")]
    #[strum(serialize = "incident.created")]
    Created,
    /// An Incident went on to another state.
    #[serde(rename = "incident.state_changed")]
    #[strum(serialize = "incident.state_changed")]
    StateChanged,
    /// Somebody has seen an Incident.
    #[serde(rename = "incident.acknowledged")]
    #[strum(serialize = "incident.acknowledged")]
    Acknowledged,
    /// Something else happened to an Incident: a comment, the same once more.
    #[serde(rename = "incident.updated")]
    #[strum(serialize = "incident.updated")]
    Updated,
}

impl Topic {
    /// What customers are told, in the order in which it is listed.
    pub const TOLD: [Self; 4] = [
        Self::Created,
        Self::StateChanged,
        Self::Acknowledged,
        Self::Updated,
    ];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether customers are told.
    pub fn is_told(self) -> bool {
        self != Self::Pending
    }

    fn of(happened: &Transition) -> Self {
        let event = happened.event();
        if happened.after().state == IncidentState::Pending {
            return Self::Pending;
        }
        let was_pending = event.previous_state.as_deref() == Some(IncidentState::Pending.as_str());
        match event.event_type.parse() {
            Ok(IncidentEventType::StateChanged) if was_pending => Self::Created,
            Ok(IncidentEventType::StateChanged) => Self::StateChanged,
            Ok(IncidentEventType::Acknowledged) => Self::Acknowledged,
            _ => Self::Updated,
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whose.
    pub tenant: TenantId,
    /// About which Incident.
    pub incident: IncidentId,
    /// About which of its events.
    pub seq: i64,
    /// What receivers know it by, the same however often it comes: `msg_` and the id of the event.
    pub id: String,
    /// What it is about.
    pub topic: Topic,
    /// What is sent, a JSON object: `type`, `timestamp`, `data`.
    pub body: String,
    /// When it happened.
    pub at: Timestamp,
}

impl Message {
    /// The message of what has happened.
    pub fn of(happened: &Transition) -> Self {
        let event = happened.event();
        let now = happened.after();
        let topic = Topic::of(happened);
        Self {
            tenant: now.tenant,
            incident: now.id,
            seq: event.seq,
            id: format!("msg_{}", event.event_id),
            topic,
            body: body(topic.as_str(), event.timestamp(), &data(happened)),
            at: event.timestamp(),
        }
    }
}

/// What is sent of something that happened.
pub fn body(topic: &str, at: Timestamp, data: &Value) -> String {
    json!({ "type": topic, "timestamp": at, "data": data }).to_string()
}

fn data(happened: &Transition) -> Value {
    let (event, now) = (happened.event(), happened.after());
    json!({
        "incident_id": now.id,
        "event_id": event.event_id,
        "seq": event.seq,
        "event_type": event.event_type,
        "previous_state": event.previous_state,
        "state": now.state,
        "lifecycle_state": now.lifecycle(),
        "severity": now.creation.severity.word(),
        "category": now.creation.category,
        "cause_type": now.creation.cause_type,
        "service": now.creation.service,
        "title": now.creation.title,
        "llm_run_id": now.creation.run,
        "occurrences": now.occurrences,
        "cost_nano_usd": now.cost.0.to_string(),
        "actor": event.actor,
        "authority_type": now.authority.authority_type,
        "reason": event.reason,
    })
}

/// A message in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its place among all of the tenant, from 1, without gaps.
    pub place: i64,
    /// The message.
    pub message: Message,
}
