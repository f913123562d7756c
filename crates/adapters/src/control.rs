//! How is an Incident shown to the services that drive it? In the words of the incident control plane: names in camel case,
//! what is not the core under `metadata`.

pub mod signals;

use model::authority::AuthorityContext;
use model::automation::{AutomationSwitch, AutomationSwitches};
use model::incident::{Incident, IncidentEvent, PostMortem, Replay, Resolution, Violation};
use model::time::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An Incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlIncidentView {
    /// Its id, which follows from what it is about.
    #[schema(example = "inc_0f3a9c5d2b7e41868a5c0d9e7f1b2a34")]
    pub incident_id: String,
    /// PENDING, OPEN, MITIGATING, RESOLVED, CLOSED, CANCELLED or ARCHIVED.
    pub state: &'static str,
    /// SEV1 (worst) to SEV4.
    pub severity: &'static str,
    /// The service that it happened to.
    pub service: String,
    /// What people read first.
    pub title: String,
    /// What else they should know.
    pub description: String,
    /// When it came to be.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// By what authority it was changed last: `authorityType`, `authorityId`, `sessionId`, `justification`, `timestamp`.
    #[schema(value_type = Object)]
    pub authority: AuthorityContext,
    /// Everything else.
    pub metadata: ControlMetadata,
}

/// What else is known of an Incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlMetadata {
    /// How many events it has: what `expectedVersion` and `If-Match` are compared with.
    pub version: i64,
    /// The same: the place of its last event.
    pub event_seq: i64,
    /// PROMOTION or MANUAL.
    pub source: &'static str,
    /// What the gate said last: `verdict`, `reason`, `decisionId`, `policyId` and what it rests on.
    #[schema(value_type = Option<Object>)]
    pub promotion: Option<model::incident::Promotion>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The LLM Run that it is about.
    pub run_id: Option<String>,
    /// What kind of failure it is.
    pub category: &'static str,
    /// `LLM_RUN`, SYSTEM or HUMAN.
    pub cause_type: &'static str,
    /// How often it has happened.
    pub occurrences: i64,
    /// When it was opened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opened_at: Option<Timestamp>,
    /// When somebody said that it is seen.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledged_at: Option<Timestamp>,
    /// Who did.
    pub acknowledged_by: Option<String>,
    /// When somebody began to work on it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub mitigating_at: Option<Timestamp>,
    /// How it was resolved.
    #[schema(value_type = Option<Object>)]
    pub resolution: Option<Resolution>,
    /// What was learned.
    #[schema(value_type = Option<Object>)]
    pub post_mortem: Option<PostMortem>,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// That it was none.
    #[schema(value_type = Option<Object>)]
    pub cancellation: Option<model::incident::Cancellation>,
    /// When it was put away.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub archived_at: Option<Timestamp>,
    /// Whose it is.
    pub tenant_id: String,
}

impl From<Incident> for ControlIncidentView {
    fn from(of: Incident) -> Self {
        let made = of.creation;
        let (acknowledged_at, acknowledged_by) = of.acknowledgement.map(|seen| (seen.at, seen.by)).unzip();
        Self {
            incident_id: of.id.to_string(),
            state: of.state.as_str(),
            severity: made.severity.as_str(),
            service: made.service,
            title: made.title,
            description: made.description,
            created_at: of.created_at,
            updated_at: of.updated_at,
            authority: of.authority,
            metadata: ControlMetadata {
                version: of.version,
                event_seq: of.version,
                source: made.source.as_str(),
                promotion: of.promotion,
                tags: made.tags,
                run_id: made.run.map(|run| run.to_string()),
                category: made.category.as_str(),
                cause_type: made.cause_type.as_str(),
                occurrences: of.occurrences,
                opened_at: of.opened_at,
                acknowledged_at,
                acknowledged_by,
                mitigating_at: of.mitigating_at,
                resolution: of.resolution,
                post_mortem: of.post_mortem,
                closed_at: of.closed_at,
                cancellation: of.cancellation,
                archived_at: of.archived_at,
                tenant_id: of.tenant.to_string(),
            },
        }
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ControlErrorView {
    /// What went wrong.
    pub error: ControlErrorBody,
}

/// What went wrong with a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlErrorBody {
    /// The stable word for it.
    #[schema(example = "IDEMPOTENCY_CONFLICT")]
    pub code: &'static str,
    /// What it is, in a sentence.
    pub message: String,
    /// What to quote.
    pub request_id: String,
    /// What belongs to the code. `IDEMPOTENCY_CONFLICT`: `idempotencyKey`, `existingIncidentId` (null if the answer before was
    /// about none), `expectedHash` and `actualHash` of the requests. `CONFLICT`: `incidentId`, `expectedVersion`,
    /// `actualVersion`.
    #[schema(value_type = Option<Object>, example = json!({
        "idempotencyKey": "7d0c", "existingIncidentId": "inc_0f3a9c5d2b7e41868a5c0d9e7f1b2a34",
        "expectedHash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "actualHash": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    }))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

/// A page of Incidents.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ControlPageView {
    /// Newest first.
    pub items: Vec<ControlIncidentView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for those.
    pub next_cursor: Option<String>,
}

/// One thing that happened to an Incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlEventView {
    /// A UUID that follows from its place.
    pub event_id: String,
    /// Of which Incident.
    pub incident_id: String,
    /// What happened.
    pub event_type: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// Who did it.
    pub actor: String,
    /// The state before; null of the first one.
    pub previous_state: Option<String>,
    /// The state after.
    pub new_state: String,
    /// What was said with it.
    #[schema(value_type = Object)]
    pub metadata: Option<Box<RawValue>>,
    /// Its place, from 1.
    pub event_seq: i64,
    /// Whose.
    pub tenant_id: String,
    /// The version of what it consists of.
    pub schema_version: i64,
    /// By what authority.
    #[schema(value_type = Object)]
    pub authority: Option<Box<RawValue>>,
    /// Why.
    pub reason: Option<String>,
    /// The request that it was done in.
    pub request_id: String,
    /// The idempotency key of that request.
    pub idempotency_key: Option<String>,
    /// The hash of the state before; null of the first one.
    pub state_hash_before: Option<String>,
    /// The hash of the state after.
    pub state_hash_after: String,
    /// The hash of the event before.
    pub prev_event_hash: String,
    /// The hash of this one.
    pub event_hash: String,
}

impl From<IncidentEvent> for ControlEventView {
    fn from(of: IncidentEvent) -> Self {
        Self {
            timestamp: of.timestamp(),
            event_id: of.event_id,
            incident_id: of.incident,
            event_type: of.event_type,
            actor: of.actor,
            previous_state: of.previous_state,
            new_state: of.new_state,
            metadata: RawValue::from_string(of.metadata).ok(),
            event_seq: of.seq,
            tenant_id: of.tenant,
            schema_version: of.schema_version,
            authority: RawValue::from_string(of.authority).ok(),
            reason: of.reason,
            request_id: of.request_id,
            idempotency_key: of.idempotency_key,
            state_hash_before: of.state_hash_before,
            state_hash_after: of.state_hash_after,
            prev_event_hash: of.prev_event_hash,
            event_hash: of.event_hash,
        }
    }
}

/// What happened to an Incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ControlTimelineView {
    /// Oldest first.
    pub items: Vec<ControlEventView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for those.
    pub next_cursor: Option<String>,
}

/// An Incident that was made again from its events alone.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlReplayView {
    /// Always true: what does not fit is an error.
    pub success: bool,
    /// Which Incident.
    pub incident_id: String,
    /// How many events it was made from.
    pub event_count: usize,
    /// The Incident.
    pub final_state: Option<ControlIncidentView>,
    /// The hash of its state.
    pub final_hash: Option<String>,
    /// The hash of its last event.
    pub head_hash: String,
    /// What it was made from, oldest first: the first 1,000 events. All of them are in the timeline.
    pub events: Vec<ControlEventView>,
}

impl ControlReplayView {
    /// The view of a replay that is clean.
    pub fn of(replay: Replay, events: Vec<IncidentEvent>, id: String) -> Self {
        Self {
            success: true,
            incident_id: id,
            event_count: replay.events,
            final_hash: replay.incident.as_ref().map(|of| of.state_hash().to_string()),
            final_state: replay.incident.map(Into::into),
            head_hash: replay.head.to_string(),
            events: events.into_iter().map(Into::into).collect(),
        }
    }
}

/// What does not fit, for the details of an error.
pub fn violations(list: &[Violation]) -> serde_json::Value {
    serde_json::json!({ "violations": list })
}

/// Whether the product opens Incidents by itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationView {
    /// Whether it does not: what it notices waits as a PENDING Incident for a person.
    pub automation_paused: bool,
    /// The switch of every tenant; null if nobody has ever switched it.
    pub global: Option<AutomationSwitchView>,
    /// The tenant's own.
    pub tenant: Option<AutomationSwitchView>,
}

/// How a switch was switched last.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationSwitchView {
    /// Whether it is off.
    pub paused: bool,
    /// Why.
    pub reason: String,
    /// By whom.
    pub changed_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
}

impl From<AutomationSwitches> for AutomationView {
    fn from(of: AutomationSwitches) -> Self {
        Self {
            automation_paused: of.is_paused(),
            global: of.global.map(Into::into),
            tenant: of.tenant.map(Into::into),
        }
    }
}

impl From<AutomationSwitch> for AutomationSwitchView {
    fn from(of: AutomationSwitch) -> Self {
        Self {
            paused: of.is_paused,
            reason: of.reason,
            changed_by: of.changed_by,
            changed_at: of.changed_at,
        }
    }
}
