//! Who changed what?
//!
//! Every tenant's entries are numbered without gaps and form a chain: the hash of an entry covers everything that it
//! says, its number and the hash of the entry before it. Nothing can therefore be changed, left out or put in between
//! without breaking every hash from there on, or the last one, which can be kept elsewhere.

use alloc::string::String;

use crate::digest::{Canonical, Digest};
use crate::id::{AuditId, TenantId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// What kind of actor it was.
    ActorType {
        /// A person, or what acts with a person's key.
        Human,
        /// The installation itself.
        System,
        /// An agent.
        Agent,
    }
}

wire_enum! {
    /// What was changed.
    EntityType {
        /// A Policy Rule.
        PolicyRule,
        /// A proposal for one.
        PolicyProposal,
        /// A Limit.
        Limit,
        /// An Incident.
        Incident,
        /// An API key.
        ApiKey,
        /// A tenant.
        Tenant,
        /// Somebody who runs the installation.
        Operator,
        /// Somebody who signs requests.
        Principal,
        /// The switch of automatic promotion.
        Automation,
        /// Somebody who is sent messages.
        Webhook,
    }
}

/// What was done.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
pub enum AuditEvent {
    /// A Policy Rule was made.
    PolicyRuleCreated,
    /// A Policy Rule was changed.
    PolicyRuleModified,
    /// A Policy Rule was retired.
    PolicyRuleRetired,
    /// A proposal was approved.
    PolicyProposalApproved,
    /// A proposal was rejected.
    PolicyProposalRejected,
    /// A person said that a Policy Rule was wrong to prevent an LLM Run.
    PreventionMarkedFalsePositive,
    /// A Limit was made.
    LimitCreated,
    /// A Limit was changed.
    LimitUpdated,
    /// A Limit was disabled.
    LimitDisabled,
    /// A Limit was breached.
    LimitBreached,
    /// A Limit was raised for a time.
    LimitOverrideGranted,
    /// The raise of a Limit was taken back.
    LimitOverrideRevoked,
    /// The time of the raise of a Limit was over.
    LimitOverrideExpired,
    /// A Limit or Policy Rule was found not to be what was decided, or to be so again.
    IntegrityChanged,
    /// An Incident was opened.
    IncidentCreated,
    /// An Incident was acknowledged.
    IncidentAcknowledged,
    /// An Incident was resolved.
    IncidentResolved,
    /// An Incident that waited for approval was promoted.
    IncidentPromoted,
    /// Somebody began to work on an Incident.
    IncidentMitigating,
    /// What was learned from an Incident was written down.
    IncidentManuallyClosed,
    /// An Incident was found to be none.
    IncidentCancelled,
    /// An Incident was put away when its time had come.
    IncidentArchived,
    /// An API key was made.
    ApiKeyCreated,
    /// An API key was frozen.
    ApiKeyFrozen,
    /// An API key was unfrozen.
    ApiKeyUnfrozen,
    /// An API key was revoked.
    ApiKeyRevoked,
    /// An API key was rotated.
    ApiKeyRotated,
    /// A tenant was made.
    TenantCreated,
    /// What a token of a model without a price counts as was changed for a tenant.
    TenantFloorPriceChanged,
    /// How many persons a Policy Rule of a tenant takes was changed.
    TenantReviewChanged,
    /// All traffic of a tenant was stopped.
    EmergencyOverrideActivated,
    /// The traffic of a tenant flows again.
    EmergencyOverrideDeactivated,
    /// An operator was made.
    OperatorCreated,
    /// An operator was revoked.
    OperatorRevoked,
    /// A principal was made, with its first access key.
    PrincipalCreated,
    /// A principal was given another access key.
    PrincipalKeyCreated,
    /// An access key of a principal was revoked.
    PrincipalKeyRevoked,
    /// A principal was revoked, with all its access keys.
    PrincipalRevoked,
    /// The automatic promotion of Incidents was switched off.
    AutomationPaused,
    /// The automatic promotion of Incidents was switched on again.
    AutomationResumed,
    /// Somebody broke the glass to change an Incident, and said why.
    EmergencyOverrideUsed,
    /// A receiver of messages was made.
    WebhookCreated,
    /// A receiver of messages was changed.
    WebhookUpdated,
    /// A receiver of messages was given another secret.
    WebhookSecretRotated,
    /// A receiver of messages is sent nothing more, because it failed or said so.
    WebhookStopped,
    /// A receiver of messages was deleted.
    WebhookDeleted,
}

impl AuditEvent {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorType,
    /// Which one, such as the id of a key; none for the installation itself.
    pub id: Option<String>,
}

impl Actor {
    /// The installation itself.
    pub const SYSTEM: Self = Self {
        kind: ActorType::System,
        id: None,
    };

    /// A person, or what acts with a person's key.
    pub const fn human(id: String) -> Self {
        Self {
            kind: ActorType::Human,
            id: Some(id),
        }
    }

    /// What it is called where one name is needed.
    pub fn name(&self) -> &str {
        self.id.as_deref().unwrap_or("system")
    }
}

/// One entry, before it has its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// Whose ledger; [`TenantId::PLATFORM`] for what belongs to the installation.
    pub tenant: TenantId,
    /// What was done.
    pub event: AuditEvent,
    /// To what kind of thing.
    pub entity_type: EntityType,
    /// To which one.
    pub entity_id: String,
    /// By whom.
    pub actor: Actor,
    /// Why, if somebody said so.
    pub reason: Option<String>,
    /// What it was before, as JSON.
    pub before: Option<String>,
    /// What it is now, as JSON.
    pub after: Option<String>,
    /// The id that joins everything that happened for one request.
    pub correlation_id: String,
    /// When.
    pub at: Timestamp,
}

impl AuditEntry {
    /// The hash of the entry at this place, behind the hash of the one before it ([`Digest::ZERO`] for the first).
    pub fn hash(&self, seq: i64, previous: Digest) -> Digest {
        Canonical::new("audit/1")
            .shown("tenant", self.tenant)
            .shown("seq", seq)
            .shown("id", self.id)
            .text("event", self.event.as_str())
            .text("entity_type", self.entity_type.as_str())
            .text("entity_id", &self.entity_id)
            .text("actor_type", self.actor.kind.as_str())
            .optional("actor_id", self.actor.id.as_deref())
            .optional("reason", self.reason.as_deref())
            .optional("before", self.before.as_deref())
            .optional("after", self.after.as_deref())
            .text("correlation_id", &self.correlation_id)
            .shown("at", self.at.as_micros())
            .shown("previous", previous)
            .digest()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    fn entry() -> AuditEntry {
        AuditEntry {
            id: AuditId::from_bits(1),
            tenant: TenantId::from_bits(2),
            event: AuditEvent::LimitCreated,
            entity_type: EntityType::Limit,
            entity_id: "LIM-1".to_string(),
            actor: Actor::human("key_1".to_string()),
            reason: None,
            before: None,
            after: Some("{}".to_string()),
            correlation_id: "c".to_string(),
            at: Timestamp::from_micros(5),
        }
    }

    #[test]
    fn every_part_of_an_entry_and_its_place_make_the_hash() {
        let first = entry().hash(1, Digest::ZERO);
        let change = |change: fn(&mut AuditEntry)| {
            let mut changed = entry();
            change(&mut changed);
            changed.hash(1, Digest::ZERO)
        };
        let others = [
            entry().hash(2, Digest::ZERO),
            entry().hash(1, first),
            change(|it| it.id = AuditId::from_bits(2)),
            change(|it| it.tenant = TenantId::PLATFORM),
            change(|it| it.event = AuditEvent::LimitUpdated),
            change(|it| it.entity_type = EntityType::Incident),
            change(|it| it.entity_id.push('2')),
            change(|it| it.actor = Actor::SYSTEM),
            change(|it| it.actor.id = None),
            change(|it| it.reason = Some(String::new())),
            change(|it| it.before = Some("{}".to_string())),
            change(|it| it.after = None),
            change(|it| it.correlation_id.clear()),
            change(|it| it.at = Timestamp::from_micros(6)),
        ];
        for other in others {
            assert_ne!(other, first);
        }
        assert_eq!(entry().hash(1, Digest::ZERO), first);
    }
}
