//! What does the timeline say when a limit is hit, or more was used than was held?

use domain::settle::Change;
use model::audit::{Actor, AuditEntry, AuditEvent, EntityType};
use model::breach::{Breach, BreachType};
use model::hold::Hold;
use model::id::{AuditId, IdGenerator, TimelineId};
use model::time::Timestamp;
use model::timeline::{SourceDomain, TimelineEntry};
use serde_json::{Value, json};

/// That a limit was hit. What others have used of a limit that is not the tenant's own is not told.
pub(super) fn breached(ids: &dyn IdGenerator, breach: &Breach, correlation_id: &str) -> TimelineEntry {
    let own = breach.limit_owner == breach.tenant;
    let data = json!({
        "breach_type": breach.breach_type,
        "value": own.then_some(breach.value),
        "limit_value": own.then_some(breach.max),
    });
    let summary = match breach.breach_type {
        BreachType::Breached => "A Limit was passed",
        BreachType::Exhausted | BreachType::Throttled => "A Limit had no room for an LLM Run",
        BreachType::Violated => "An LLM Run was over a Limit",
    };
    TimelineEntry {
        id: TimelineId::generate(ids),
        tenant: breach.tenant,
        at: breach.at,
        source: SourceDomain::Limits,
        event_type: "limit_breached",
        entity_id: breach.limit.to_string(),
        related: related(json!({
            "breach_id": breach.id, "run_id": breach.run, "decision_id": breach.decision,
        })),
        summary: summary.to_owned(),
        data: data.to_string(),
        correlation_id: correlation_id.to_owned(),
    }
}

/// What the audit ledger has of it. What others have used of a limit that is not the tenant's own is not told.
pub(super) fn audited(ids: &dyn IdGenerator, breach: &Breach, correlation_id: &str) -> AuditEntry {
    let own = breach.limit_owner == breach.tenant;
    let state = related(json!({
        "breach_id": breach.id,
        "breach_type": breach.breach_type,
        "value": own.then_some(breach.value),
        "limit_value": own.then_some(breach.max),
        "run_id": breach.run,
        "decision_id": breach.decision,
    }));
    AuditEntry {
        id: AuditId::generate(ids),
        tenant: breach.tenant,
        event: AuditEvent::LimitBreached,
        entity_type: EntityType::Limit,
        entity_id: breach.limit.to_string(),
        actor: Actor::SYSTEM,
        reason: None,
        before: None,
        after: Some(state),
        correlation_id: correlation_id.to_owned(),
        at: breach.at,
    }
}

/// That an ALERT limit was passed. What others have used of a limit that is not the tenant's own is not told.
pub(crate) fn alerted(ids: &dyn IdGenerator, breach: &Breach, correlation_id: &str) -> TimelineEntry {
    TimelineEntry {
        id: TimelineId::generate(ids),
        event_type: "alert_fired",
        summary: "A Limit was passed that is to raise an alert".to_owned(),
        ..breached(ids, breach, correlation_id)
    }
}

/// That a provider reported more than was held.
pub(super) fn overrun(ids: &dyn IdGenerator, hold: &Hold, change: &Change, now: Timestamp) -> TimelineEntry {
    let of = |item: &&model::hold::HoldItem| item.limit == change.limit;
    let amount = hold.items.iter().find(of).map(|item| item.amount);
    TimelineEntry {
        id: TimelineId::generate(ids),
        tenant: hold.tenant,
        at: now,
        source: SourceDomain::Limits,
        event_type: "hold_overrun",
        entity_id: hold.id.to_string(),
        related: related(json!({
            "limit_id": change.limit, "run_id": hold.run, "decision_id": hold.decision,
        })),
        summary: "An LLM Run used more than was held for it".to_owned(),
        data: json!({ "held": amount, "used": change.settled }).to_string(),
        correlation_id: String::new(),
    }
}

/// Only what there is.
fn related(mut ids: Value) -> String {
    if let Some(ids) = ids.as_object_mut() {
        ids.retain(|_, id| !id.is_null());
    }
    ids.to_string()
}
