//! What becomes of an Incident when the same happens again?

use model::authority::AuthorityContext;
use model::id::{IdGenerator, IncidentId};
use model::incident::{Change, IncidentState, Occurrence, Promotion, Standing, Step, StepOf, Transition};
use model::promotion::Verdict;
use model::time::Timestamp;
use store::Writes;

use super::{ENGINE, IncidentError, record, why};
use crate::audit::Author;

/// The Incident that what is new is compared with, if it has been let through: the gate does not make another one. One
/// that waits is asked about anew.
pub(super) fn let_through(same: Option<&Standing>) -> Option<IncidentId> {
    let incident = &same?.incident;
    (incident.state != IncidentState::Pending).then_some(incident.id)
}

/// Adds to an Incident that the same has happened again, and says whether that has opened it: what waits for a decision
/// is opened by a new fact that the gate lets through.
pub(super) fn attach(
    tx: &mut impl Writes,
    ids: &dyn IdGenerator,
    author: &Author,
    (same, again, promotion): (&Standing, Occurrence, Promotion),
    now: Timestamp,
) -> Result<bool, IncidentError> {
    let step = || StepOf {
        authority: AuthorityContext::engine(ENGINE, now),
        at: now,
        request_id: author.correlation_id.clone(),
        idempotency_key: None,
    };
    let occurred = Transition::of(same, step().with(Change::Occurred(again)))?;
    let opens = same.incident.state == IncidentState::Pending && promotion.verdict == Verdict::Promote;
    let mut happened = vec![occurred];
    if opens {
        let standing = happened.last().map_or_else(|| same.clone(), Transition::standing);
        let opened = Step {
            reason: why(&promotion),
            ..step().with(Change::Opened(promotion))
        };
        happened.push(Transition::of(&standing, opened)?);
    }
    record(tx, ids, author, Some(same), &happened)?;
    Ok(opens)
}
