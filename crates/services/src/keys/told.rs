//! What is written down when a key comes, changes or goes?

use model::audit::{AuditEvent, EntityType};
use model::key::{ApiKey, KeyStatus};
use model::timeline::SourceDomain;
use serde_json::{Value, json};

use crate::audit::Changed;

pub(super) fn created(key: &ApiKey) -> Changed {
    let what = (AuditEvent::ApiKeyCreated, "api_key_created");
    changed(key, what, format!("The API key {} was made.", key.name), None)
}

/// What happened to a key; none if it is as it was.
pub(super) fn change(before: &ApiKey, after: &ApiKey) -> Option<Changed> {
    if (before.status, &before.freeze_reason) == (after.status, &after.freeze_reason) {
        return None;
    }
    let (event, word, done) = match after.status {
        KeyStatus::Frozen => (AuditEvent::ApiKeyFrozen, "api_key_frozen", "frozen"),
        KeyStatus::Active => (AuditEvent::ApiKeyUnfrozen, "api_key_unfrozen", "unfrozen"),
        KeyStatus::Revoked => (AuditEvent::ApiKeyRevoked, "api_key_revoked", "revoked"),
    };
    let summary = format!("The API key {} was {done}.", after.name);
    Some(changed(after, (event, word), summary, Some(shown(before))))
}

fn changed(
    key: &ApiKey,
    (event, event_type): (AuditEvent, &'static str),
    summary: String,
    before: Option<Value>,
) -> Changed {
    Changed {
        tenant: key.tenant,
        event,
        entity_type: EntityType::ApiKey,
        entity_id: key.id.to_string(),
        reason: key.freeze_reason.clone(),
        before,
        after: Some(shown(key)),
        source: SourceDomain::Connectivity,
        event_type,
        summary,
        related: json!({ "api_key_id": key.id.to_string() }),
    }
}

/// Everything of it that somebody decided; of the secret only the end that people tell keys apart by.
fn shown(key: &ApiKey) -> Value {
    json!({
        "name": key.name,
        "environment": if key.live { "live" } else { "test" },
        "last4": key.last4,
        "scopes": key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        "status": key.status.as_str(),
        "freeze_reason": key.freeze_reason,
        "rate_limit_rpm": key.rpm,
        "expires_at": key.expires_at.map(|at| at.to_string()),
    })
}
