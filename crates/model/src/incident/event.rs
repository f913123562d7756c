//! What is recorded of one thing that happened to an Incident?

use alloc::format;
use alloc::string::String;

use crate::digest::{Canonical, Digest};
use crate::id::{IncidentId, TenantId};
use crate::time::Timestamp;

/// The version of what an event consists of.
pub const EVENT_SCHEMA: i64 = 1;

/// An event as it is stored: texts and numbers, whatever has become of them. What it means is found out by
/// [`super::replay`], which trusts nothing; what is written comes from a [`super::Transition`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentEvent {
    /// Whose.
    pub tenant: String,
    /// Of which Incident.
    pub incident: String,
    /// Its place among the events of the Incident, from 1, without gaps.
    pub seq: i64,
    /// A UUID that follows from tenant, Incident and place: see [`event_id`].
    pub event_id: String,
    /// The version of what it consists of.
    pub schema_version: i64,
    /// What happened: a word of [`super::IncidentEventType`].
    pub event_type: String,
    /// When, in microseconds since 1970; never before the event before it.
    pub at: i64,
    /// Who did it.
    pub actor: String,
    /// By what authority: canonical JSON of [`crate::authority::AuthorityContext`].
    pub authority: String,
    /// The state before; none of the first event.
    pub previous_state: Option<String>,
    /// The state after.
    pub new_state: String,
    /// Why.
    pub reason: Option<String>,
    /// What was said with it: canonical JSON of the payload of [`super::Change`].
    pub metadata: String,
    /// The request that it was done in.
    pub request_id: String,
    /// The idempotency key of that request.
    pub idempotency_key: Option<String>,
    /// [`super::Incident::state_hash`] before; none of the first event.
    pub state_hash_before: Option<String>,
    /// The same after.
    pub state_hash_after: String,
    /// The hash of the event before; 64 zeros of the first event.
    pub prev_event_hash: String,
    /// The hash of this event: see [`IncidentEvent::hash`].
    pub event_hash: String,
}

impl IncidentEvent {
    /// SHA-256 over the canonical form `incident-event/1` of everything but the hash itself. The hash of the event before
    /// is part of it, so that the events of an Incident form a chain.
    pub fn hash(&self) -> Digest {
        Canonical::new("incident-event/1")
            .text("tenant", &self.tenant)
            .text("incident", &self.incident)
            .shown("seq", self.seq)
            .text("event_id", &self.event_id)
            .shown("schema_version", self.schema_version)
            .text("event_type", &self.event_type)
            .shown("at", self.at)
            .text("actor", &self.actor)
            .text("authority", &self.authority)
            .optional("previous_state", self.previous_state.as_deref())
            .text("new_state", &self.new_state)
            .optional("reason", self.reason.as_deref())
            .text("metadata", &self.metadata)
            .text("request_id", &self.request_id)
            .optional("idempotency_key", self.idempotency_key.as_deref())
            .optional("state_hash_before", self.state_hash_before.as_deref())
            .text("state_hash_after", &self.state_hash_after)
            .text("prev_event_hash", &self.prev_event_hash)
            .digest()
    }

    /// When.
    pub const fn timestamp(&self) -> Timestamp {
        Timestamp::from_micros(self.at)
    }
}

/// The id of an event: a UUID of version 8 (RFC 9562) whose 122 free bits are the first of SHA-256 over the canonical form
/// `incident-event-id/1` of tenant, Incident and place.
pub fn event_id(tenant: TenantId, incident: IncidentId, seq: i64) -> String {
    let form = Canonical::new("incident-event-id/1")
        .shown("tenant", tenant)
        .shown("incident", incident)
        .shown("seq", seq);
    let bits = form.digest().head();
    // Four bits say the version, two the variant.
    let bits = bits & !(0xf << 76) | (0x8 << 76);
    let bits = bits & !(0b11 << 62) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let mut id = String::new();
    for (place, digit) in hex.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(digit);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_event_is_a_uuid_that_follows_from_its_place() {
        let (tenant, incident) = (TenantId::from_bits(1), IncidentId::from_bits(2));
        let id = event_id(tenant, incident, 1);
        assert_eq!(id.len(), 36);
        let char_at = |place: usize| id.chars().nth(place).unwrap_or_default();
        assert_eq!((char_at(8), char_at(13), char_at(14)), ('-', '-', '8'));
        assert!("89ab".contains(char_at(19)), "{id}");
        assert_eq!(id, event_id(tenant, incident, 1));
        assert_ne!(id, event_id(tenant, incident, 2));
        assert_ne!(id, event_id(tenant, IncidentId::from_bits(3), 1));
        assert_ne!(id, event_id(TenantId::from_bits(2), incident, 1));
    }
}
