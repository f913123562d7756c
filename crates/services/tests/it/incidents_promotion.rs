//! Is what a person lets through opened, and is on record who did?

use model::authority::{AuthorityContext, AuthorityType};
use model::incident::{EdgeError, Incident, IncidentState, Refusal};
use model::promotion::Verdict;
use services::audit::Author;
use services::incidents::IncidentError;
use services::incidents::change::Asked;
use services::incidents::failures::explain_all;
use services::incidents::promote::promote;
use services::once::Done;
use testkit::db::TestDb;

use crate::automation::{WHY, switches};
use crate::harness::World;
use crate::incidents::{audited, failed, incidents_of, timeline};
use crate::principals::world;

/// A failed LLM Run whose Incident was withheld by the kill switch.
async fn withheld(world: &World) -> Incident {
    switches(world, AuthorityType::EmergencyOverride, true)
        .await
        .unwrap();
    let run = failed(world, 500).await;
    explain_all(&world.cx).await.unwrap();
    let [incident] = <[_; 1]>::try_from(incidents_of(world, run).await).unwrap();
    assert_eq!(incident.state, IncidentState::Pending);
    incident
}

async fn promoted(world: &World, of: &Incident, by: AuthorityType) -> Result<Incident, IncidentError> {
    let asked = Asked {
        tenant: world.tenant,
        id: of.id,
        author: Author::human("somebody".to_owned()),
        authority: AuthorityContext {
            authority_type: by,
            justification: Some(WHY.to_owned()),
            ..AuthorityContext::engine("somebody", world.now())
        },
        expected_version: None,
        once: None,
        signed: None,
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

    async fn whoever_breaks_the_glass_to_let_one_through_is_on_record_with_the_reason(db: TestDb) {
        let world = world(db).await;
        let waiting = withheld(&world).await;
        promoted(&world, &waiting, AuthorityType::EmergencyOverride).await.unwrap();
        let ledger = audited(&world, waiting.id.to_string()).await;
        assert_eq!(ledger, ["EmergencyOverrideUsed", "IncidentPromoted", "IncidentCreated"]);
    }
}
