//! What does everybody learn of what has happened to an Incident?

use model::audit::{AuditEvent, EntityType};
use model::event::{OpsEvent, OpsEventType};
use model::id::{EventId, IdGenerator};
use model::incident::{Incident, IncidentEventType, IncidentState, Transition};
use model::timeline::SourceDomain;
use serde_json::{Value, json};
use store::{StoreResult, Writes};

use crate::audit::{self, Author, Changed, Told};

/// Tells of one thing that has happened, as what was before and is now shows it.
pub(super) fn tell(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    before: Option<&Incident>,
    happened: &Transition,
) -> StoreResult<()> {
    let now = happened.after();
    match governed(before, now) {
        Some((event, event_type)) => {
            let changed = changed((event, event_type), before, happened);
            audit::record(tx, ids, author, changed, happened.event().timestamp())?;
        }
        None => {
            if let Some(told) = beside(happened) {
                audit::tell(tx, ids, author, told, happened.event().timestamp())?;
            }
        }
    }
    let opens = now.state == IncidentState::Open && before.is_some_and(|before| before.state != now.state);
    if opens {
        store::ops_events::insert(tx, &[ops_event(ids, happened)])?;
    }
    Ok(())
}

/// The words of a change that governs. That an Incident is promoted as it comes to be is part of that it came to be.
fn governed(before: Option<&Incident>, now: &Incident) -> Option<(AuditEvent, &'static str)> {
    let Some(before) = before else {
        return Some((AuditEvent::IncidentCreated, "incident_created"));
    };
    let is_seen = |of: &Incident| of.acknowledgement.is_some();
    if is_seen(now) && !is_seen(before) {
        return Some((AuditEvent::IncidentAcknowledged, "incident_acknowledged"));
    }
    if before.state == now.state {
        return None;
    }
    Some(match now.state {
        IncidentState::Pending => return None,
        // Whatever waited for a decision has been there for longer than an instant.
        IncidentState::Open if before.version == 1 && before.created_at == now.updated_at => return None,
        IncidentState::Open => (AuditEvent::IncidentPromoted, "incident_opened"),
        IncidentState::Mitigating => (AuditEvent::IncidentMitigating, "incident_mitigating"),
        IncidentState::Resolved => (AuditEvent::IncidentResolved, "incident_resolved"),
        IncidentState::Closed => (AuditEvent::IncidentManuallyClosed, "incident_closed"),
        IncidentState::Cancelled => (AuditEvent::IncidentCancelled, "incident_cancelled"),
        IncidentState::Archived => (AuditEvent::IncidentArchived, "incident_archived"),
    })
}

fn changed(
    (event, event_type): (AuditEvent, &'static str),
    before: Option<&Incident>,
    happened: &Transition,
) -> Changed {
    let now = happened.after();
    Changed {
        tenant: now.tenant,
        event,
        entity_type: EntityType::Incident,
        entity_id: now.id.to_string(),
        reason: happened.event().reason.clone(),
        before: before.map(state),
        after: Some(with_proof(state(now), happened)),
        source: SourceDomain::Incidents,
        event_type,
        summary: now.creation.title.clone(),
        related: related(now),
    }
}

/// What the audit ledger keeps of an Incident.
fn state(of: &Incident) -> Value {
    json!({
        "state": of.state,
        "lifecycle_state": of.lifecycle(),
        "severity": of.creation.severity,
        "category": of.creation.category,
        "cause_type": of.creation.cause_type,
        "attribution": of.creation.attribution.to,
        "error_code": of.creation.error_code,
        "llm_run_id": of.creation.run,
        "version": of.version,
    })
}

/// With the hash of the event, so that the chain of the ledger vouches for that of the Incident.
fn with_proof(mut state: Value, happened: &Transition) -> Value {
    if let Some(members) = state.as_object_mut() {
        members.insert("event_hash".to_owned(), json!(happened.event().event_hash));
    }
    state
}

fn related(of: &Incident) -> Value {
    json!({ "incident_id": of.id, "run_id": of.creation.run })
}

/// What leaves the state as it is and governs nothing.
fn beside(happened: &Transition) -> Option<Told> {
    let now = happened.after();
    let event_type = match happened.event().event_type.parse().ok()? {
        IncidentEventType::CommentAdded => "incident_commented",
        IncidentEventType::SignalAdded => "incident_recurred",
        IncidentEventType::PromotionDecided => "incident_not_promoted",
        IncidentEventType::IncidentCreated
        | IncidentEventType::StateChanged
        | IncidentEventType::Acknowledged => return None,
    };
    Some(Told {
        tenant: now.tenant,
        source: SourceDomain::Incidents,
        event_type,
        entity_id: now.id.to_string(),
        related: related(now),
        summary: now.creation.title.clone(),
        data: json!({ "actor": happened.event().actor, "occurrences": now.occurrences }),
    })
}

fn ops_event(ids: &dyn IdGenerator, happened: &Transition) -> OpsEvent {
    let now = happened.after();
    let made = &now.creation;
    let asked = made.signature.as_ref().map(|signature| &signature.request);
    let metadata = json!({
        "severity": made.severity.word(),
        "policy_id": null,
        "model": asked.and_then(|asked| asked.model.as_ref()),
        "category": made.category,
        "attribution": made.attribution.to,
    });
    OpsEvent {
        id: EventId::generate(ids),
        at: happened.event().timestamp(),
        tenant: Some(now.tenant),
        event_type: OpsEventType::IncidentCreated,
        user_id: None,
        session_id: None,
        entity_type: Some("incident"),
        entity_id: Some(now.id.to_string()),
        severity: Some(made.severity.number()),
        latency_ms: None,
        cost: Some(now.cost),
        metadata: metadata.to_string(),
    }
}
