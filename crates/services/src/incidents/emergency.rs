//! Who broke the glass?
//!
//! What is changed by `EMERGENCY_OVERRIDE` has an entry of its own in the audit ledger, with the justification, beside the
//! one that any change has.

use model::audit::{AuditEvent, EntityType};
use model::authority::{AuthorityContext, AuthorityType};
use model::id::IdGenerator;
use model::incident::{IncidentState, Transition};
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
    let Some(by) = breaker(happened) else {
        return Ok(());
    };
    let changed = Changed {
        tenant: now.tenant,
        event: AuditEvent::EmergencyOverrideUsed,
        entity_type: EntityType::Incident,
        entity_id: now.id.to_string(),
        reason: by.justification.clone(),
        before: None,
        after: Some(json!({
            "authority_id": by.authority_id,
            "event_type": happened.event().event_type,
            "event_seq": happened.event().seq,
            "new_state": now.state,
        })),
        source: SourceDomain::Incidents,
        event_type: "emergency_override_used",
        summary: format!("{} broke the glass.", by.authority_id),
        related: json!({ "incident_id": now.id }),
    };
    audit::record(tx, ids, author, changed, happened.event().timestamp())
}

/// Whoever broke the glass for it: by what was done, or by having the product open what waited.
fn breaker(happened: &Transition) -> Option<&AuthorityContext> {
    let now = happened.after();
    let is_opened = now.state == IncidentState::Open
        && happened.event().previous_state.as_deref() == Some(IncidentState::Pending.as_str());
    let promoted_by = now
        .promotion
        .as_ref()
        .and_then(|said| said.promoted_by.as_deref());
    let breaks = |by: &&AuthorityContext| by.authority_type == AuthorityType::EmergencyOverride;
    [Some(&now.authority), promoted_by.filter(|_| is_opened)]
        .into_iter()
        .flatten()
        .find(breaks)
}
