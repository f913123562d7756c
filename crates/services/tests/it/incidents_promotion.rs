//! Is what a person lets through opened, and is on record who did?

use model::authority::{AuthorityContext, AuthorityType};
use model::digest::Digest;
use model::id::PromotionDecisionId;
use model::incident::{EdgeError, Incident, IncidentState, Refusal};
use model::principal::{PrincipalAction, PrincipalRole};
use model::promotion::{PromotionDecision, RejectionCode, Verdict};
use services::audit::Author;
use services::incidents::IncidentError;
use services::incidents::change::Asked;
use services::incidents::failures::explain_all;
use services::incidents::promote::promote;
use services::once::Done;
use services::principals::{Signed, admit};
use testkit::db::TestDb;

use crate::automation::{WHY, switches};
use crate::harness::World;
use crate::incidents::{audited, failed, incidents_of, timeline};
use crate::principals::{made, sent_to, signer, world};

/// A failed LLM Run whose Incident was withheld by the kill switch.
async fn withheld(world: &World) -> Incident {
    withheld_after(world, 500).await
}

/// The same of one that failed with this status: another failure is another Incident.
async fn withheld_after(world: &World, status: u16) -> Incident {
    switches(world, AuthorityType::EmergencyOverride, true)
        .await
        .unwrap();
    let run = failed(world, status).await;
    explain_all(&world.cx).await.unwrap();
    let [incident] = <[_; 1]>::try_from(incidents_of(world, run).await).unwrap();
    assert_eq!(incident.state, IncidentState::Pending);
    incident
}

async fn promoted(world: &World, of: &Incident, by: AuthorityType) -> Result<Incident, IncidentError> {
    promoted_with(world, of, by, None).await
}

/// The same of a request that is signed.
async fn promoted_with(
    world: &World,
    of: &Incident,
    by: AuthorityType,
    signed: Option<Signed>,
) -> Result<Incident, IncidentError> {
    let asked = Asked {
        tenant: world.tenant,
        id: of.id,
        author: Author::human("somebody".to_owned()),
        authority: AuthorityContext {
            authority_type: by,
            justification: Some(WHY.to_owned()),
            ..AuthorityContext::engine("somebody", world.now())
        },
        expected_versions: Vec::new(),
        once: None,
        signed,
    };
    match promote(&world.cx, asked, |_| String::new()).await? {
        Done::Now(incident, _) => Ok(incident),
        Done::Before(_) => unreachable!("there is no key"),
    }
}

testkit::both_databases! {
    async fn what_the_kill_switch_withheld_is_opened_by_a_person_and_on_record(db: TestDb) {
        let world = world(db).await;
        let waiting = withheld(&world).await;
        world.clock.advance_seconds(7 * 86_400);
        let refused = promoted(&world, &waiting, AuthorityType::AutoEngine).await;
        let Err(IncidentError::Refused(Refusal::Edge(EdgeError::Unauthorized { required, .. }))) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(required, AuthorityType::HumanOperator, "what was put off is never asked about again by the product");
        let opened = promoted(&world, &waiting, AuthorityType::HumanOperator).await.unwrap();
        assert_eq!((opened.state, opened.version), (IncidentState::Open, waiting.version + 1));
        let said = opened.promotion.clone().unwrap();
        assert_eq!(said.promoted_by.map(|by| by.authority_type), Some(AuthorityType::HumanOperator));
        let (tenant, id) = (world.tenant, waiting.id);
        let decisions = world.cx.db.read(move |tx| store::pipeline::decisions_of(tx, tenant, id)).await.unwrap();
        let [by_hand] = decisions.as_slice() else { panic!("{decisions:?}") };
        assert_eq!((by_hand.decision, by_hand.id.to_string()), (Verdict::Promote, said.decision_id));
        assert_eq!((by_hand.authority.authority_id.as_str(), by_hand.policy.id.as_str()), ("somebody", "promotions-by-hand"));
        assert_eq!(audited(&world, id.to_string()).await, ["IncidentPromoted", "IncidentCreated"]);
        assert!(timeline(&world, id.to_string()).await.contains(&"incident_opened".to_owned()));
        let replayed = services::incidents::replay::one(&world.cx, world.tenant, id).await.unwrap();
        assert_eq!((replayed.replay.violations.as_slice(), replayed.replay.incident.as_ref()), (&[][..], Some(&opened)));
        let again = promoted(&world, &waiting, AuthorityType::OnCallSre).await;
        assert!(matches!(again, Err(IncidentError::Refused(Refusal::Edge(EdgeError::Illegal { .. })))), "{again:?}");
    }

    async fn what_the_gate_has_let_through_already_is_not_let_through_by_a_person_once_more(db: TestDb) {
        let world = world(db).await;
        let (one, other) = (withheld(&world).await, withheld_after(&world, 503).await);
        promoted(&world, &one, AuthorityType::OnCallSre).await.unwrap();
        let (tenant, id) = (world.tenant, one.id);
        let decisions = world.cx.db.read(move |tx| store::pipeline::decisions_of(tx, tenant, id)).await.unwrap();
        let waits = other.promotion.clone().unwrap();
        let elsewhere = PromotionDecision {
            id: PromotionDecisionId::of(Digest::of(b"decided elsewhere")),
            candidate_id: waits.candidate_id.unwrap().parse().unwrap(),
            evidence_id: waits.evidence_id.unwrap().parse().unwrap(),
            incident_id: Some(other.id),
            ..decisions[0].clone()
        };
        world.cx.db.write(move |tx| store::pipeline::add_decision(tx, &elsewhere)).await.unwrap();
        let signer = signer(&made(&world, "one", &[PrincipalRole::Sre]).await);
        let signed = sent_to(&world.cx, &signer, b"").await.unwrap();
        let refused = promoted_with(&world, &other, AuthorityType::OnCallSre, Some(signed.clone())).await;
        let left = (0..200).take_while(|_| admit(&world.cx, &signed, PrincipalAction::Transition, Some(AuthorityType::OnCallSre)).is_ok());
        assert_eq!(left.count(), 120, "what is refused costs nothing of the rate");
        let Err(IncidentError::NotLetThrough(decision)) = refused else { panic!("{refused:?}") };
        assert_eq!((decision.decision, decision.rejection_code), (Verdict::Reject, Some(RejectionCode::DuplicateCandidate)));
        let still = services::incidents::get(&world.cx, world.tenant, other.id).await.unwrap();
        assert_eq!((still.state, still.version), (IncidentState::Pending, other.version));
        let candidate = decision.candidate_id;
        let asked = world.cx.db.read(move |tx| store::pipeline::asked(tx, tenant, candidate)).await.unwrap();
        assert_eq!(asked.times, 3, "what put it off, what was decided elsewhere, and the refusal, which is kept");
    }

    async fn whoever_breaks_the_glass_to_let_one_through_is_on_record_with_the_reason(db: TestDb) {
        let world = world(db).await;
        let waiting = withheld(&world).await;
        promoted(&world, &waiting, AuthorityType::EmergencyOverride).await.unwrap();
        let ledger = audited(&world, waiting.id.to_string()).await;
        assert_eq!(ledger, ["EmergencyOverrideUsed", "IncidentPromoted", "IncidentCreated"]);
        let (tenant, id) = (world.tenant, waiting.id);
        let events = world.cx.db.read(move |tx| store::incidents::events(tx, (tenant, id), None, 100)).await.unwrap();
        assert_eq!(events.last().unwrap().reason.as_deref(), Some(WHY));
    }
}
