//! What is recorded of a request, whatever becomes of it?

use model::event::{OpsEvent, OpsEventType};
use model::hold::Subject;
use model::id::{EventId, TenantId};
use model::run::{Run, RunStatus, UsageSource};
use model::time::Timestamp;
use serde_json::Value;

use super::command::{HoldCommand, NewRun};
use super::patience::asked_for;

/// The LLM Run of a request that is refused now; who lets it run says so.
pub(super) fn blocked(command: &HoldCommand, new: &NewRun, now: Timestamp) -> Run {
    Run {
        id: new.id,
        tenant: command.tenant,
        status: RunStatus::Blocked,
        operation: new.operation,
        subject: asked_for(command),
        served_model: None,
        stream: new.stream,
        decision: command.decision,
        hold: None,
        estimated: command.amounts,
        usage: None,
        usage_source: UsageSource::None,
        cost: None,
        http_status: None,
        error_code: None,
        retries: 0,
        started_at: now,
        first_byte_at: None,
        completed_at: Some(now),
        correlation_id: command.correlation_id.clone(),
        tools: new.tools.clone(),
        input_fingerprint: new.input_fingerprint.clone(),
        parent: new.parent,
    }
}

/// What is told of a request that a Limit or a Policy Rule refuses, or of an answer that one withholds.
pub(super) fn refusal(
    (tenant, subject): (TenantId, &Subject),
    policy: String,
    metadata: &Value,
    (id, at): (EventId, Timestamp),
) -> OpsEvent {
    OpsEvent {
        id,
        at,
        tenant: Some(tenant),
        event_type: OpsEventType::PolicyBlocked,
        user_id: subject.end_user.clone(),
        session_id: subject.session_id.clone(),
        entity_type: Some("policy"),
        entity_id: Some(policy),
        severity: Some(3),
        latency_ms: None,
        cost: None,
        metadata: metadata.to_string(),
    }
}
