//! How does somebody change an Incident?

use model::authority::AuthorityContext;
use model::id::{IncidentId, TenantId};
use model::incident::{
    Change, EdgeError, Incident, IncidentState, Links, Refusal, ResolutionMethod, ResolutionType, Resolving,
    Standing, Step, Transition,
};
use model::principal::PrincipalAction;
use model::time::Timestamp;

use tokio::time::Instant;

use super::{IncidentError, record};
use crate::audit::Author;
use crate::context::Context;
use crate::measure;
use crate::once::{Done, Once, Render};
use crate::principals::{Signed, Toll, answered_or_spent};

/// Who changes an Incident, of whom, and in which request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose Incident.
    pub tenant: TenantId,
    /// Which.
    pub id: IncidentId,
    /// Who, as the audit ledger says it.
    pub author: Author,
    /// By what authority.
    pub authority: AuthorityContext,
    /// The versions that the caller has seen, as often as it says so: all of them have to be the one that it is.
    pub expected_versions: Vec<i64>,
    /// The idempotency key, if the request has one.
    pub once: Option<Once>,
    /// The signature of the request, if it has one: it is used up by the change.
    pub signed: Option<Signed>,
}

impl Asked {
    /// Refuses what was not asked for in sight of the Incident as it is.
    pub(super) fn is_seen(&self, incident: &Incident) -> Result<(), IncidentError> {
        let (id, actual) = (self.id, incident.version);
        let other = self.expected_versions.iter().find(|seen| **seen != actual);
        other.map_or(Ok(()), |&expected| {
            Err(IncidentError::Outdated { id, expected, actual })
        })
    }
}

/// What somebody wants to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// One step of the machine, with the reason for it.
    Step(Box<Change>, Option<String>),
    /// A state that nothing leads back to: the machine says so.
    Back(IncidentState),
    /// That it is seen; nothing happens to what somebody has seen already.
    Acknowledge,
    /// That it is over, whether somebody has worked on it or not: both steps of the machine, or none.
    Resolve {
        /// What was done.
        notes: Option<String>,
        /// What came of it.
        resolution_type: ResolutionType,
        /// How.
        method: ResolutionMethod,
    },
}

impl Wish {
    /// Whether it comes from the console of customers, where one that nobody has approved is not there.
    fn is_of_customers(&self) -> bool {
        matches!(self, Self::Acknowledge | Self::Resolve { .. })
    }
}

/// Changes an Incident. The same wish of an acknowledgement twice changes nothing the second time.
///
/// # Errors
/// [`IncidentError`].
pub async fn change(
    cx: &Context,
    asked: Asked,
    wish: Wish,
    render: Render<Incident>,
) -> Result<Done<Incident>, IncidentError> {
    let (clock, ids, began) = (cx.clock.clone(), cx.ids.clone(), Instant::now());
    let by = asked.authority.authority_type;
    let toll = asked.signed.as_ref();
    let toll = toll.map(|signed| Toll::of(cx, signed, PrincipalAction::Transition, by));
    let (id, who) = (asked.id, asked.authority.authority_id.clone());
    let changed = cx
        .db
        .write(move |tx| -> Result<Done<Incident>, IncidentError> {
            let once = asked.once.as_ref();
            let before = answered_or_spent::<IncidentError>(tx, once, asked.signed.as_ref())?;
            if let Some(before) = before {
                return Ok(Done::Before(before));
            }
            if !by.is_human() && store::automation::switches(tx, asked.tenant)?.is_paused() {
                return Err(IncidentError::SwitchedOff);
            }
            let standing =
                store::incidents::standing(tx, asked.tenant, asked.id)?.ok_or(IncidentError::NotFound)?;
            if wish.is_of_customers() && standing.incident.lifecycle().is_none() {
                return Err(IncidentError::NotFound);
            }
            asked.is_seen(&standing.incident)?;
            let now = clock.now();
            let happened = steps(&standing, &asked, &wish, now)?;
            toll.as_ref().map_or(Ok(()), Toll::pay)?;
            record(tx, ids.as_ref(), &asked.author, Some(&standing), &happened)?;
            let changed = happened
                .last()
                .map_or(standing.incident, |last| last.after().clone());
            let body = render(&changed);
            if let Some(once) = once {
                once.record(tx, 200, &body, now)?;
            }
            Ok(Done::Now(changed, body))
        })
        .await;
    measure::incident_changed(began.elapsed(), changed.is_ok());
    if matches!(changed, Ok(Done::Now(..))) {
        measure::done_by(by, "transition");
    }
    changed.inspect_err(|error| {
        if let IncidentError::Refused(Refusal::Edge(refused @ EdgeError::Unauthorized { .. })) = error {
            let authority = by.as_str();
            tracing::warn!(%refused, incident_id = %id, authority, authority_id = who, "an authority was not enough");
        }
    })
}

fn steps(
    standing: &Standing,
    asked: &Asked,
    wish: &Wish,
    now: Timestamp,
) -> Result<Vec<Transition>, Refusal> {
    let step = |change, reason: Option<String>| Step {
        change,
        authority: asked.authority.clone(),
        reason,
        at: now,
        request_id: asked.author.correlation_id.clone(),
        idempotency_key: asked.once.as_ref().map(|once| once.key.clone()),
    };
    let incident = &standing.incident;
    match wish {
        Wish::Step(change, reason) => Ok(vec![Transition::of(
            standing,
            step((**change).clone(), reason.clone()),
        )?]),
        Wish::Back(to) => {
            let from = incident.state;
            Err(EdgeError::Illegal { from, to: *to }.into())
        }
        Wish::Acknowledge => {
            let is_taken = incident.acknowledgement.is_some() && incident.state == IncidentState::Open;
            if is_taken || incident.state == IncidentState::Mitigating {
                return Ok(Vec::new());
            }
            Ok(vec![Transition::of(standing, step(Change::Acknowledged, None))?])
        }
        Wish::Resolve {
            notes,
            resolution_type,
            method,
        } => {
            let resolved = Change::Resolved(Resolving {
                summary: summary(notes.as_deref()),
                resolution_type: *resolution_type,
                method: *method,
                links: Links::default(),
            });
            if incident.state != IncidentState::Open {
                return Ok(vec![Transition::of(standing, step(resolved, None))?]);
            }
            let first = Transition::of(standing, step(Change::Mitigating(Links::default()), None))?;
            let second = Transition::of(&first.standing(), step(resolved, None))?;
            Ok(vec![first, second])
        }
    }
}

/// The machine wants to know what was done; the console may leave it out.
fn summary(notes: Option<&str>) -> String {
    match notes.map(str::trim).filter(|notes| !notes.is_empty()) {
        Some(notes) => format!("Resolved in the customer console: {notes}"),
        None => "Resolved in the customer console, without a note.".to_owned(),
    }
}
