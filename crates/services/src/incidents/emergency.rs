//! Who broke the glass?
//!
//! What is changed by `EMERGENCY_OVERRIDE` has an entry of its own in the audit ledger, with the justification, beside the
//! one that any change has.

use model::audit::{AuditEvent, EntityType};
use model::authority::AuthorityType;
use model::id::IdGenerator;
use model::incident::Transition;
use model::timeline::SourceDomain;
use serde_json::json;
use store::{StoreResult, Writes};

use crate::audit::{self, Author, Changed};

/// Writes it down, if it was so.
pub(super) fn note(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    happened: &Transition,
) -> StoreResult<()> {
    let now = happened.after();
    if now.authority.authority_type != AuthorityType::EmergencyOverride {
        return Ok(());
    }
    let changed = Changed {
        tenant: now.tenant,
        event: AuditEvent::EmergencyOverrideUsed,
        entity_type: EntityType::Incident,
        entity_id: now.id.to_string(),
        reason: now.authority.justification.clone(),
        before: None,
        after: Some(json!({
            "authority_id": now.authority.authority_id,
            "event_type": happened.event().event_type,
            "event_seq": happened.event().seq,
            "new_state": now.state,
        })),
        source: SourceDomain::Incidents,
        event_type: "emergency_override_used",
        summary: format!("{} broke the glass.", now.authority.authority_id),
        related: json!({ "incident_id": now.id }),
    };
    audit::record(tx, ids, author, changed, happened.event().timestamp())
}
