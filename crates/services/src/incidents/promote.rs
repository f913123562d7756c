//! How does a person let an Incident through that waits?
//!
//! What the gate has put off, or did not let its reporter open, waits as PENDING until a person asks the gate again: by a
//! policy of its own, and by the authority of that person. The product opens it then, and says for whom.

use model::authority::{AuthorityContext, AuthorityType};
use model::id::IdGenerator;
use model::incident::{
    Change, EdgeError, Incident, IncidentState, Promotion, Refusal, Standing, Step, StepOf, Transition,
};
use model::principal::PrincipalAction;
use model::promotion::{PromotionDecision, Verdict};
use model::severity::Severity;
use model::time::Timestamp;
use store::WriteTx;
use tokio::time::Instant;

use super::change::Asked;
use super::{ENGINE, IncidentError, pipeline, record, why};
use crate::context::Context;
use crate::measure::{self, Counted};
use crate::once::{Done, Render};
use crate::principals::{Toll, answered_or_spent};

/// What has become of it; what the gate said is kept either way.
enum Asking {
    Open(Box<Incident>, String),
    Before(crate::ledger::Replay),
    Refused(Box<PromotionDecision>),
}

/// Lets an Incident through. What the gate says is kept, also where it is a refusal.
///
/// # Errors
/// [`IncidentError`]; [`IncidentError::NotLetThrough`] if the gate refuses for what the Incident rests on.
pub async fn promote(
    cx: &Context,
    asked: Asked,
    render: Render<Incident>,
) -> Result<Done<Incident>, IncidentError> {
    let (clock, ids, began) = (cx.clock.clone(), cx.ids.clone(), Instant::now());
    let by = asked.authority.authority_type;
    let toll = asked.signed.as_ref();
    let toll = toll.map(|signed| Toll::of(cx, signed, PrincipalAction::Transition, by));
    let (id, who) = (asked.id, asked.authority.authority_id.clone());
    let done = cx
        .db
        .write(move |tx| -> Result<Asking, IncidentError> {
            let once = asked.once.as_ref();
            let before = answered_or_spent::<IncidentError>(tx, once, asked.signed.as_ref())?;
            if let Some(before) = before {
                return Ok(Asking::Before(before));
            }
            let standing =
                store::incidents::standing(tx, asked.tenant, asked.id)?.ok_or(IncidentError::NotFound)?;
            asked.is_seen(&standing.incident)?;
            may(&standing.incident, by).map_err(Refusal::from)?;
            let now = clock.now();
            let decision = decide(tx, &standing.incident, &asked, now)?;
            if decision.decision != Verdict::Promote {
                return Ok(Asking::Refused(Box::new(decision)));
            }
            toll.as_ref().map_or(Ok(()), Toll::pay)?;
            let opened = open(tx, ids.as_ref(), (&asked, &standing, &decision), now)?;
            let body = render(&opened);
            if let Some(once) = once {
                once.record(tx, 200, &body, now)?;
            }
            Ok(Asking::Open(Box::new(opened), body))
        })
        .await;
    measure::incident_changed(
        began.elapsed(),
        matches!(done, Ok(Asking::Open(..) | Asking::Before(_))),
    );
    if let Err(IncidentError::Refused(Refusal::Edge(refused @ EdgeError::Unauthorized { .. }))) = &done {
        let authority = by.as_str();
        tracing::warn!(%refused, incident_id = %id, authority, authority_id = who, "an authority was not enough");
    }
    let (said, done) = match done? {
        Asking::Before(before) => return Ok(Done::Before(before)),
        Asking::Open(opened, body) => {
            measure::done_by(by, "promotion");
            (Verdict::Promote, Ok(Done::Now(*opened, body)))
        }
        Asking::Refused(decision) => (decision.decision, Err(IncidentError::NotLetThrough(decision))),
    };
    let mut counted = Counted::default();
    counted.decided(said);
    measure::pipeline(&counted);
    done
}

/// Whether somebody may let it through: a person, and who is on call for the worst.
fn may(incident: &Incident, by: AuthorityType) -> Result<(), EdgeError> {
    let (from, to, severity) = (incident.state, IncidentState::Open, incident.creation.severity);
    if from != IncidentState::Pending {
        return Err(EdgeError::Illegal { from, to });
    }
    if by.is_human() && severity >= by.promotes_up_to() {
        return Ok(());
    }
    Err(EdgeError::Unauthorized {
        by,
        to,
        severity,
        required: match severity {
            Severity::Sev1 => AuthorityType::OnCallSre,
            Severity::Sev2 | Severity::Sev3 | Severity::Sev4 => AuthorityType::HumanOperator,
        },
    })
}

/// What the gate says of what it rests on, by the policy for what is let through by hand.
fn decide(
    tx: &mut WriteTx<'_>,
    incident: &Incident,
    asked: &Asked,
    now: Timestamp,
) -> Result<PromotionDecision, IncidentError> {
    let candidate = incident.promotion.as_ref();
    let candidate = candidate.and_then(|said| said.candidate_id.as_ref()?.parse().ok());
    let candidate = candidate.ok_or(IncidentError::NotNoticed)?;
    let asked = pipeline::Asked {
        tenant: asked.tenant,
        naming: pipeline::Naming::Given {
            incident: incident.id,
            active: None,
        },
        authority: asked.authority.clone(),
        request_id: asked.author.correlation_id.clone(),
    };
    pipeline::by_hand(tx, candidate, &asked, now)
}

/// The product opens it, for whoever has asked.
fn open(
    tx: &mut WriteTx<'_>,
    ids: &dyn IdGenerator,
    (asked, standing, decision): (&Asked, &Standing, &PromotionDecision),
    now: Timestamp,
) -> Result<Incident, IncidentError> {
    let said = standing.incident.promotion.as_ref();
    let promotion = Promotion {
        detection_count: said.and_then(|said| said.detection_count),
        promoted_by: Some(Box::new(asked.authority.clone())),
        ..pipeline::said(decision)
    };
    let step = StepOf {
        authority: AuthorityContext::engine(ENGINE, now),
        at: now,
        request_id: asked.author.correlation_id.clone(),
        idempotency_key: asked.once.as_ref().map(|once| once.key.clone()),
    };
    let step = Step {
        reason: why(&promotion),
        ..step.with(Change::Opened(promotion))
    };
    let opened = Transition::of(standing, step)?;
    let after = opened.after().clone();
    record(tx, ids, &asked.author, Some(standing), &[opened])?;
    Ok(after)
}
