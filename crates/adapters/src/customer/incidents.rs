//! How is one Incident shown to its customer?

use model::incident::{Incident, IncidentEvent, IncidentLifecycle};
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// An Incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentView {
    /// Its id.
    #[schema(example = "inc_0f3a9c5d2b7e41868a5c0d9e7f1b2a34")]
    pub incident_id: String,
    /// ACTIVE, ACKED or RESOLVED.
    pub lifecycle_state: &'static str,
    /// Where it stands in detail: OPEN, MITIGATING, RESOLVED, CLOSED, CANCELLED or ARCHIVED.
    pub state: &'static str,
    /// `critical`, `high`, `medium` or `low`.
    pub severity: &'static str,
    /// What kind of failure it is.
    pub category: &'static str,
    /// `LLM_RUN`, SYSTEM or HUMAN.
    pub cause_type: &'static str,
    /// What it is put down to: `MODEL_HALLUCINATION`, `POLICY_CONFLICT`, `CONTEXT_MISSING`, `INFRA_TIMEOUT`,
    /// `BUDGET_EXCEEDED` or `USER_MISUSE`.
    pub attribution: &'static str,
    /// What says so: the name of a rule and its version.
    #[schema(example = "llm-timeout-or-5xx/1")]
    pub attribution_rule: String,
    /// What happened.
    pub title: String,
    /// What else is known.
    pub description: String,
    /// The agent or the product feature that it happened to.
    pub service: String,
    /// The LLM Run that failed, if one did.
    pub llm_run_id: Option<String>,
    /// The stable word for the failure.
    pub error_code: Option<String>,
    /// How often it has happened, the first time included.
    pub occurrences: i64,
    /// What that cost, in nano-USD.
    pub cost_nano_usd: String,
    /// The same in whole cents, rounded half up.
    pub cost_cents: i64,
    /// Who has seen it.
    pub acknowledged_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledged_at: Option<Timestamp>,
    /// Who ended it: resolved it, or found that it was none.
    pub resolved_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// `auto`, `manual` or `rollback`.
    pub resolution_method: Option<&'static str>,
    /// FIXED, `FALSE_POSITIVE`, DUPLICATE or `WONT_FIX`.
    pub resolution_type: Option<&'static str>,
    /// What was done, or why it was none.
    pub resolution_notes: Option<String>,
    /// The id that joins everything that happened for the request.
    pub correlation_id: String,
    /// How many events it has: what `If-Match` is compared with.
    pub version: i64,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<Incident> for IncidentView {
    fn from(of: Incident) -> Self {
        let resolution = of.resolution.as_ref();
        let cancellation = of.cancellation.as_ref();
        let ended_by = resolution
            .map(|resolution| &resolution.by)
            .or(cancellation.map(|cancellation| &cancellation.by));
        let notes = resolution
            .map(|resolution| &resolution.summary)
            .or(cancellation.map(|cancellation| &cancellation.reason));
        Self {
            incident_id: of.id.to_string(),
            // One that nobody has approved is shown to nobody.
            lifecycle_state: of.lifecycle().unwrap_or(IncidentLifecycle::Active).as_str(),
            state: of.state.as_str(),
            severity: of.creation.severity.word(),
            category: of.creation.category.as_str(),
            cause_type: of.creation.cause_type.as_str(),
            attribution: of.creation.attribution.to.as_str(),
            attribution_rule: format!(
                "{}/{}",
                of.creation.attribution.rule, of.creation.attribution.rule_version
            ),
            occurrences: of.occurrences,
            cost_nano_usd: of.cost.0.to_string(),
            cost_cents: of.cost.to_cents_half_up(),
            acknowledged_by: of.acknowledgement.as_ref().map(|seen| seen.by.clone()),
            acknowledged_at: of.acknowledgement.as_ref().map(|seen| seen.at),
            resolved_by: ended_by.cloned(),
            resolved_at: of.over_at(),
            resolution_method: resolution.map(|resolution| resolution.method.as_str()),
            resolution_type: resolution.map(|resolution| resolution.resolution_type.as_str()),
            resolution_notes: notes.cloned(),
            version: of.version,
            created_at: of.created_at,
            updated_at: of.updated_at,
            llm_run_id: of.creation.run.map(|run| run.to_string()),
            title: of.creation.title,
            description: of.creation.description,
            service: of.creation.service,
            error_code: of.creation.error_code,
            correlation_id: of.creation.correlation_id,
        }
    }
}

/// A piece of the list of Incidents.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentPageView {
    /// Newest first.
    pub items: Vec<IncidentView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next piece.
    pub next_cursor: Option<String>,
}

/// One thing that happened to an Incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentEventView {
    /// Its id, a UUID.
    pub event_id: String,
    /// Its place, from 1.
    pub seq: i64,
    /// `INCIDENT_CREATED`, `STATE_CHANGED`, ACKNOWLEDGED, `COMMENT_ADDED`, `SIGNAL_ADDED` or `PROMOTION_DECIDED`.
    pub event_type: String,
    /// The state before; none of the first one.
    pub previous_state: Option<String>,
    /// The state after.
    pub new_state: String,
    /// Who did it.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// The hash of this event, which the next one names.
    pub event_hash: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl From<IncidentEvent> for IncidentEventView {
    fn from(of: IncidentEvent) -> Self {
        Self {
            at: of.timestamp(),
            event_id: of.event_id,
            seq: of.seq,
            event_type: of.event_type,
            previous_state: of.previous_state,
            new_state: of.new_state,
            actor: of.actor,
            reason: of.reason,
            event_hash: of.event_hash,
        }
    }
}

/// What happened to an Incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentEventsView {
    /// Oldest first.
    pub items: Vec<IncidentEventView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for those.
    pub next_cursor: Option<String>,
}

/// The Incidents of an LLM Run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunIncidentsView {
    /// In the order of their ids.
    pub items: Vec<IncidentView>,
}
