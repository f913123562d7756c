//! How is an Incident opened?
//!
//! Everything that opens one comes through here, so that its events, the audit ledger, the timeline and the stream of ops
//! events agree about it: all of it is one transaction.

pub mod failures;

use model::audit::{AuditEvent, EntityType};
use model::event::{OpsEvent, OpsEventType};
use model::id::{EventId, IdGenerator};
use model::incident::Incident;
use model::run::Run;
use model::time::Timestamp;
use model::timeline::SourceDomain;
use serde_json::json;
use store::incidents::Event;
use store::{StoreResult, Writes};

use crate::audit::{self, Author, Changed};

/// Opens an Incident, and says whether it did: one that is there already is left as it is.
pub(crate) fn open(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    new: &Incident,
    run: Option<&Run>,
) -> StoreResult<bool> {
    if store::incidents::find(tx, new.tenant, new.id)?.is_some() {
        return Ok(false);
    }
    let now = new.created_at;
    store::incidents::insert(tx, new)?;
    store::incidents::add_event(tx, new.tenant, new.id, &detection(new, now))?;
    audit::record(tx, ids, author, opened(new), now)?;
    store::ops_events::insert(tx, &[told(ids, new, run)])?;
    Ok(true)
}

fn detection(new: &Incident, now: Timestamp) -> Event {
    let signature = new.signature.as_ref();
    let data = json!({
        "llm_run_id": new.run,
        "error_code": new.error_code,
        "signature_id": signature.map(model::incident::Signature::id),
        "family_id": signature.map(model::incident::Signature::family),
    });
    Event {
        event_type: "detection",
        description: new.title.clone(),
        actor: None,
        data: data.to_string(),
        at: now,
    }
}

fn opened(new: &Incident) -> Changed {
    Changed {
        tenant: new.tenant,
        event: AuditEvent::IncidentCreated,
        entity_type: EntityType::Incident,
        entity_id: new.id.to_string(),
        reason: None,
        before: None,
        after: Some(json!({
            "lifecycle_state": new.lifecycle,
            "severity": new.severity,
            "category": new.category,
            "cause_type": new.cause_type,
            "error_code": new.error_code,
            "llm_run_id": new.run,
        })),
        source: SourceDomain::Incidents,
        event_type: "incident_created",
        summary: new.title.clone(),
        related: json!({ "incident_id": new.id, "run_id": new.run }),
    }
}

fn told(ids: &dyn IdGenerator, new: &Incident, run: Option<&Run>) -> OpsEvent {
    let subject = run.map(|run| &run.subject);
    let metadata = json!({
        "severity": new.severity.word(),
        "policy_id": null,
        "model": subject.and_then(|subject| subject.model.as_ref()),
        "category": new.category,
    });
    OpsEvent {
        id: EventId::generate(ids),
        at: new.created_at,
        tenant: Some(new.tenant),
        event_type: OpsEventType::IncidentCreated,
        user_id: subject.and_then(|subject| subject.end_user.clone()),
        session_id: subject.and_then(|subject| subject.session_id.clone()),
        entity_type: Some("incident"),
        entity_id: Some(new.id.to_string()),
        severity: Some(new.severity.number()),
        latency_ms: None,
        cost: Some(new.cost),
        metadata: metadata.to_string(),
    }
}
