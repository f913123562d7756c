//! What is written down of a change of a limit?

use model::audit::{AuditEvent, EntityType};
use model::limit::Limit;
use model::timeline::SourceDomain;
use serde_json::{Value, json};

use crate::audit::Changed;

/// What the audit ledger shows of a limit: everything that decides.
pub(super) fn state(limit: &Limit) -> Value {
    let handling = &limit.handling;
    let degrade = handling.degrade.clone().unwrap_or_default();
    json!({
        "name": limit.name,
        "description": limit.description,
        "limit_category": limit.category,
        "limit_type": limit.limit_type,
        "scope": limit.scope,
        "scope_id": limit.scope_id,
        "api_key_id": limit.api_key_id,
        "model": limit.model,
        "feature": limit.feature,
        "end_user": limit.end_user,
        "max": limit.max,
        "window": window(limit),
        "enforcement": limit.enforcement,
        "queue_timeout_ms": handling.queue_ms,
        "degrade_model": degrade.model,
        "degrade_max_output_tokens": degrade.output_tokens,
        "consequence": handling.consequence,
        "measurement_window_seconds": handling.measured_seconds,
        "status": limit.status,
        "override_id": limit.raise.map(|raise| raise.id),
        "raised_max": limit.raise.map(|raise| raise.max),
    })
}

fn window(limit: &Limit) -> Value {
    use model::window::WindowSpec;
    match &limit.window {
        WindowSpec::Calendar {
            period,
            zone,
            week_start,
        } => json!({ "reset_period": period, "time_zone": zone.name(), "week_start": week_start }),
        WindowSpec::Rolling { seconds } => json!({ "window_seconds": seconds }),
        WindowSpec::PerRun => Value::Null,
    }
}

pub(crate) fn created(limit: &Limit) -> Changed {
    Changed {
        after: Some(state(limit)),
        ..changed(limit, AuditEvent::LimitCreated, "limit_created", "was made")
    }
}

pub(super) fn updated(before: &Limit, after: &Limit) -> Changed {
    Changed {
        before: Some(state(before)),
        after: Some(state(after)),
        ..changed(after, AuditEvent::LimitUpdated, "limit_updated", "was changed")
    }
}

pub(crate) fn disabled(before: &Limit, after: &Limit) -> Changed {
    Changed {
        before: Some(state(before)),
        after: Some(state(after)),
        ..changed(after, AuditEvent::LimitDisabled, "limit_disabled", "was disabled")
    }
}

pub(super) fn changed(limit: &Limit, event: AuditEvent, word: &'static str, what: &str) -> Changed {
    Changed {
        tenant: limit.tenant,
        event,
        entity_type: EntityType::Limit,
        entity_id: limit.id.to_string(),
        reason: None,
        before: None,
        after: None,
        source: SourceDomain::Limits,
        event_type: word,
        summary: format!("Limit \u{201c}{}\u{201d} {what}", limit.name),
        related: json!({ "limit_id": limit.id }),
    }
}
