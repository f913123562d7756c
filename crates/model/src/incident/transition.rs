//! Which changes does the machine allow?

use alloc::string::{String, ToString as _};

use super::event::{EVENT_SCHEMA, IncidentEvent, event_id};
use super::reduce::{Deed, reduce};
use super::{Change, Creation, EdgeError, Incident, IncidentState};
use crate::authority::{AuthorityContext, AuthorityType, JustificationError, is_a_reason};
use crate::digest::Digest;
use crate::id::{IncidentId, TenantId};
use crate::time::Timestamp;
use crate::verdict::Verdict;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// What somebody wants to happen, and who, why and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub change: Change,
    /// By what authority.
    pub authority: AuthorityContext,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
    /// In which request.
    pub request_id: String,
    /// The idempotency key of that request.
    pub idempotency_key: Option<String>,
}

/// An Incident as it is stored, with the hash of its last event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The Incident.
    pub incident: Incident,
    /// The hash of its last event.
    pub head: Digest,
}

/// Why something cannot happen to an Incident.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not go there, or not by this authority.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The authority does not say why, or not at the length that it has to.
    #[error(transparent)]
    Justification(#[from] JustificationError),
    /// It is resolved without a summary of 20 to 2,048 characters.
    #[error("a resolution has a summary of 20 to 2048 characters")]
    MissingResolution,
    /// It is resolved already, and stays so.
    #[error("the resolution of an Incident is set once")]
    ResolutionImmutable,
    /// It is closed without a reference or a summary of 20 to 2,048 characters.
    #[error("a post-mortem has a reference, or a summary of 20 to 2048 characters")]
    MissingPostMortem,
    /// It is cancelled without a reason of 20 to 2,048 characters.
    #[error("a cancellation has a reason of 20 to 2048 characters")]
    MissingReason,
    /// It is opened without a promotion.
    #[error("an Incident is opened by a decision to promote it")]
    NotPromoted,
    /// It is archived before its time.
    #[error("an Incident is archived {retention_days} days after it was closed")]
    RetentionNotReached {
        /// How long it stays.
        retention_days: i64,
    },
    /// This does not happen to an Incident in its state.
    #[error("this does not happen to an Incident in state {}", .0.as_str())]
    OutOfPlace(IncidentState),
}

/// A change that the machine has allowed: the one thing that the store accepts. It cannot be made elsewhere.
///
/// ```compile_fail,E0451
/// use model::digest::Digest;
/// use model::incident::{Incident, IncidentEvent, Transition};
///
/// fn forge(event: IncidentEvent, after: Incident, head: Digest) -> Transition {
///     Transition { event, after, head }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    event: IncidentEvent,
    after: Incident,
    head: Digest,
}

impl Transition {
    /// An Incident comes to be, PENDING; its id follows from tenant and identity.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn create(tenant: TenantId, creation: Creation, step: StepOf) -> Result<Self, Refusal> {
        let id = IncidentId::derive(tenant, &creation.identity);
        let step = step.with(Change::Created(alloc::boxed::Box::new(creation)));
        Self::made((tenant, id), None, step)
    }

    /// Something happens to an Incident.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn of(standing: &Standing, step: Step) -> Result<Self, Refusal> {
        let incident = &standing.incident;
        Self::made((incident.tenant, incident.id), Some(standing), step)
    }

    fn made(
        (tenant, id): (TenantId, IncidentId),
        standing: Option<&Standing>,
        step: Step,
    ) -> Result<Self, Refusal> {
        let before = standing.map(|standing| &standing.incident);
        allowed(before, &step)?;
        // What is read from a database must be what was written there, to the byte.
        let at = step.at.whole_millis();
        let deed = Deed {
            at: before.map_or(at, |before| before.updated_at.max(at)),
            actor: &step.authority.authority_id,
            authority: &step.authority,
            reason: step.reason.as_deref(),
        };
        let state = before.map_or(IncidentState::Pending, |before| before.state);
        let after = reduce((tenant, id), before, &step.change, &deed)
            .map_err(|_impossible| Refusal::OutOfPlace(state))?;
        let mut event = IncidentEvent {
            tenant: tenant.to_string(),
            incident: id.to_string(),
            seq: after.version,
            event_id: event_id(tenant, id, after.version),
            schema_version: EVENT_SCHEMA,
            event_type: step.change.event_type().as_str().to_string(),
            at: deed.at.as_micros(),
            actor: deed.actor.to_string(),
            authority: super::canonical(&step.authority),
            previous_state: before.map(|before| before.state.as_str().to_string()),
            new_state: after.state.as_str().to_string(),
            metadata: step.change.metadata(),
            state_hash_before: before.map(|before| before.state_hash().to_string()),
            state_hash_after: after.state_hash().to_string(),
            prev_event_hash: standing
                .map_or(Digest::ZERO, |standing| standing.head)
                .to_string(),
            event_hash: String::new(),
            reason: step.reason,
            request_id: step.request_id,
            idempotency_key: step.idempotency_key,
        };
        let head = event.hash();
        event.event_hash = head.to_string();
        Ok(Self { event, after, head })
    }

    /// What is recorded.
    pub const fn event(&self) -> &IncidentEvent {
        &self.event
    }

    /// What the Incident is now.
    pub const fn after(&self) -> &Incident {
        &self.after
    }

    /// How it stands now: what the next change is made from.
    pub fn standing(&self) -> Standing {
        Standing {
            incident: self.after.clone(),
            head: self.head,
        }
    }
}

/// Everything of a [`Step`] but what happens: that it comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOf {
    /// By what authority.
    pub authority: AuthorityContext,
    /// When.
    pub at: Timestamp,
    /// In which request.
    pub request_id: String,
    /// The idempotency key of that request.
    pub idempotency_key: Option<String>,
}

impl StepOf {
    /// The step with what happens.
    pub fn with(self, change: Change) -> Step {
        Step {
            change,
            authority: self.authority,
            reason: None,
            at: self.at,
            request_id: self.request_id,
            idempotency_key: self.idempotency_key,
        }
    }
}

/// Whether whoever wants it may have it, and says what has to be said.
pub(super) fn allowed(before: Option<&Incident>, step: &Step) -> Result<(), Refusal> {
    let by = step.authority.authority_type;
    if let Some(before) = before {
        if matches!(step.change, Change::Resolved(_)) && before.resolution.is_some() {
            return Err(Refusal::ResolutionImmutable);
        }
        match step.change.leads_to() {
            Some(to) => before.state.may_go(to, by, before.creation.severity)?,
            None => beside(before.state, &step.change, by)?,
        }
    }
    step.authority.justified()?;
    said(before, step)
}

/// What leaves the state as it is.
fn beside(state: IncidentState, change: &Change, by: AuthorityType) -> Result<(), Refusal> {
    let only_people = matches!(change, Change::Acknowledged);
    if only_people && !by.is_human() {
        return Err(Refusal::OutOfPlace(state));
    }
    Ok(())
}

/// Whether everything is said that has to be said.
fn said(before: Option<&Incident>, step: &Step) -> Result<(), Refusal> {
    match &step.change {
        Change::Opened(promotion) if promotion.verdict != Verdict::Promote => Err(Refusal::NotPromoted),
        Change::Resolved(said) if !is_a_reason(&said.summary) => Err(Refusal::MissingResolution),
        Change::Closed(learned) => {
            let named = learned
                .reference
                .as_deref()
                .is_some_and(|reference| !reference.trim().is_empty());
            let told = learned.summary.as_deref().map(is_a_reason);
            match told {
                Some(false) => Err(Refusal::MissingPostMortem),
                None if !named => Err(Refusal::MissingPostMortem),
                _ => Ok(()),
            }
        }
        Change::Cancelled(_) if !step.reason.as_deref().is_some_and(is_a_reason) => {
            Err(Refusal::MissingReason)
        }
        Change::Archived(rule) => {
            let closed_at = before.and_then(|before| before.closed_at);
            let due = closed_at.map(|at| at.plus_millis(rule.retention_days.saturating_mul(DAY_MS)));
            if due.is_some_and(|due| due <= step.at) {
                return Ok(());
            }
            Err(Refusal::RetentionNotReached {
                retention_days: rule.retention_days,
            })
        }
        _ => Ok(()),
    }
}
