//! What does an event make of an Incident? The one function that changes one and that replays its past.

use alloc::string::String;

use super::{Acknowledgement, Cancellation, Change, Incident, IncidentState, PostMortem, Resolution};
use crate::authority::AuthorityContext;
use crate::id::{IncidentId, TenantId};
use crate::time::Timestamp;

/// Who did it, when and why.
#[derive(Debug, Clone)]
pub(super) struct Deed<'a> {
    pub(super) at: Timestamp,
    pub(super) actor: &'a str,
    pub(super) authority: &'a AuthorityContext,
    pub(super) reason: Option<&'a str>,
}

/// Why an event makes nothing of an Incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Impossible {
    /// It comes to be twice.
    CreatedTwice,
    /// Something happens before it came to be.
    NotCreated,
    /// The event makes no sense in the state that the Incident is in.
    OutOfPlace,
    /// It happened too often.
    TooOften,
}

/// What this makes of an Incident; who may do it is looked at elsewhere.
pub(super) fn reduce(
    of: (TenantId, IncidentId),
    before: Option<&Incident>,
    change: &Change,
    deed: &Deed<'_>,
) -> Result<Incident, Impossible> {
    let Some(before) = before else {
        return match change {
            Change::Created(creation) => Ok(created(of, creation, deed)),
            _ => Err(Impossible::NotCreated),
        };
    };
    let by = || String::from(deed.actor);
    let mut next = before.clone();
    match change {
        Change::Created(_) => return Err(Impossible::CreatedTwice),
        Change::Opened(promotion) => {
            next.promotion = Some(promotion.clone());
            next.opened_at = Some(deed.at);
        }
        Change::Mitigating(_) => next.mitigating_at = Some(deed.at),
        Change::Resolved(said) => {
            next.resolution = Some(Resolution {
                by: by(),
                at: deed.at,
                summary: said.summary.clone(),
                resolution_type: said.resolution_type,
                method: said.method,
            });
        }
        Change::Closed(learned) => {
            next.post_mortem = Some(PostMortem {
                reference: learned.reference.clone(),
                summary: learned.summary.clone(),
            });
            next.closed_at = Some(deed.at);
        }
        Change::Cancelled(_) => next.cancellation = Some(cancellation(deed)),
        Change::Archived(rule) => {
            next.retention = Some(rule.clone());
            next.archived_at = Some(deed.at);
        }
        Change::Acknowledged => next.acknowledgement = Some(acknowledged(before, deed)?),
        Change::Commented(_) => {}
        Change::Occurred(once_more) => {
            if !before.state.is_active() {
                return Err(Impossible::OutOfPlace);
            }
            next.occurrences = before.occurrences.checked_add(1).ok_or(Impossible::TooOften)?;
            next.cost = before
                .cost
                .checked_add(once_more.cost)
                .ok_or(Impossible::TooOften)?;
        }
        Change::NotPromoted(promotion) => {
            if before.state != IncidentState::Pending {
                return Err(Impossible::OutOfPlace);
            }
            next.promotion = Some(promotion.clone());
        }
    }
    next.state = change.leads_to().unwrap_or(before.state);
    next.authority = deed.authority.clone();
    next.updated_at = deed.at;
    next.version = before.version.checked_add(1).ok_or(Impossible::TooOften)?;
    Ok(next)
}

fn acknowledged(before: &Incident, deed: &Deed<'_>) -> Result<Acknowledgement, Impossible> {
    if before.state != IncidentState::Open || before.acknowledgement.is_some() {
        return Err(Impossible::OutOfPlace);
    }
    Ok(Acknowledgement {
        by: String::from(deed.actor),
        at: deed.at,
    })
}

fn cancellation(deed: &Deed<'_>) -> Cancellation {
    Cancellation {
        by: String::from(deed.actor),
        at: deed.at,
        reason: String::from(deed.reason.unwrap_or_default()),
    }
}

fn created((tenant, id): (TenantId, IncidentId), creation: &super::Creation, deed: &Deed<'_>) -> Incident {
    Incident {
        id,
        tenant,
        state: IncidentState::Pending,
        creation: creation.clone(),
        created_by: String::from(deed.actor),
        cost: creation.cost,
        occurrences: 1,
        promotion: None,
        opened_at: None,
        acknowledgement: None,
        mitigating_at: None,
        resolution: None,
        post_mortem: None,
        closed_at: None,
        cancellation: None,
        retention: None,
        archived_at: None,
        authority: deed.authority.clone(),
        created_at: deed.at,
        updated_at: deed.at,
        version: 1,
    }
}
