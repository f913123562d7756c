//! How is a change of what governs written down?
//!
//! With every change, in its transaction: who did what to which thing, and an entry of the timeline. If that cannot be
//! written, nothing is changed.

use model::audit::{Actor, AuditEntry, AuditEvent, EntityType};
use model::id::{AuditId, IdGenerator, TenantId, TimelineId};
use model::time::Timestamp;
use model::timeline::{SourceDomain, TimelineEntry};
use serde_json::Value;
use store::{StoreResult, Writes};

/// Who asks for a change, and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// The id that joins everything that happens for the request.
    pub correlation_id: String,
}

impl Author {
    /// A person, or what acts with a person's key, in the request that is being answered.
    pub fn human(principal: String) -> Self {
        Self::in_this_request(Actor::human(principal))
    }

    /// The installation itself.
    pub fn system() -> Self {
        Self::in_this_request(Actor::SYSTEM)
    }

    fn in_this_request(actor: Actor) -> Self {
        Self {
            actor,
            correlation_id: infra::correlation::current_id(),
        }
    }
}

/// What was changed.
pub(crate) struct Changed {
    /// Whose ledger it goes to.
    pub tenant: TenantId,
    /// What was done.
    pub event: AuditEvent,
    /// To what kind of thing.
    pub entity_type: EntityType,
    /// To which one.
    pub entity_id: String,
    /// Why.
    pub reason: Option<String>,
    /// What it was before.
    pub before: Option<Value>,
    /// What it is now.
    pub after: Option<Value>,
    /// Where it happened.
    pub source: SourceDomain,
    /// Its word on the timeline.
    pub event_type: &'static str,
    /// What people read there.
    pub summary: String,
    /// What else it has to do with: an object of ids.
    pub related: Value,
}

/// Writes a change down.
pub(crate) fn record(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    changed: Changed,
    now: Timestamp,
) -> StoreResult<()> {
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    let entry = AuditEntry {
        id: AuditId::generate(ids),
        tenant: changed.tenant,
        event: changed.event,
        entity_type: changed.entity_type,
        entity_id: changed.entity_id,
        actor: author.actor.clone(),
        reason: changed.reason,
        before: text(changed.before),
        after: text(changed.after),
        correlation_id: author.correlation_id.clone(),
        at: now,
    };
    store::audit::append(tx, &entry)?;
    let told = Told {
        tenant: changed.tenant,
        source: changed.source,
        event_type: changed.event_type,
        entity_id: entry.entity_id,
        related: changed.related,
        summary: changed.summary,
        data: serde_json::json!({ "actor": author.actor.name(), "reason": entry.reason }),
    };
    tell(tx, ids, author, told, now)
}

/// What is told on the timeline.
pub(crate) struct Told {
    /// Whose timeline.
    pub tenant: TenantId,
    /// Where it happened.
    pub source: SourceDomain,
    /// Its word.
    pub event_type: &'static str,
    /// To which thing.
    pub entity_id: String,
    /// What else it has to do with: an object of ids.
    pub related: Value,
    /// What people read.
    pub summary: String,
    /// What else is known: an object.
    pub data: Value,
}

/// Tells on the timeline what is no change of what governs.
pub(crate) fn tell(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    told: Told,
    now: Timestamp,
) -> StoreResult<()> {
    let entry = TimelineEntry {
        id: TimelineId::generate(ids),
        tenant: told.tenant,
        at: now,
        source: told.source,
        event_type: told.event_type,
        entity_id: told.entity_id,
        related: told.related.to_string(),
        summary: told.summary,
        data: told.data.to_string(),
        correlation_id: author.correlation_id.clone(),
    };
    store::timeline::insert(tx, &entry)
}
