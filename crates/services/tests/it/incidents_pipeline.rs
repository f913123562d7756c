//! Is everything written down on the way from a fact to an Incident, also where there is none?

use model::incident::{Incident, IncidentState};
use model::promotion::{PromotionDecision, RejectionCode};
use model::verdict::Verdict;
use services::incidents::failures::explain_all;
use testkit::db::TestDb;

use crate::harness::World;
use crate::incidents::{failed, incidents_of};

/// Everything that the gate has said about an Incident, oldest first.
pub(crate) async fn decisions(world: &World, incident: &Incident) -> Vec<PromotionDecision> {
    let (tenant, id) = (world.tenant, incident.id);
    let found = world
        .cx
        .db
        .read(move |tx| store::pipeline::decisions_of(tx, tenant, id));
    found.await.unwrap()
}

testkit::both_databases! {
    async fn what_the_engines_said_is_written_down_with_the_incident(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        explain_all(&world.cx).await.unwrap();
        let incident = incidents_of(&world, run).await.remove(0);
        let said = decisions(&world, &incident).await;
        let [decision] = said.as_slice() else { panic!("{said:?}") };
        let kept = incident.promotion.as_ref().unwrap();
        assert_eq!((decision.decision, decision.id.to_string()), (Verdict::Promote, kept.decision_id.clone()));
        assert_eq!(Some(decision.candidate_id.to_string()), kept.candidate_id);
        let (tenant, candidate) = (world.tenant, decision.candidate_id);
        let at = world.run(run).await.completed_at.unwrap();
        let found = world.cx.db.read(move |tx| {
            let asked = store::pipeline::asked(tx, tenant, candidate)?;
            let wanted = store::pipeline::Wanted { dedupe_key: Some(run.to_string()), ..Default::default() };
            let detections = store::pipeline::detections(tx, tenant, &wanted, (at.plus_seconds(-1), at), 10)?;
            let signal = store::pipeline::signal(tx, tenant, detections[0].signal_ids[0])?;
            Ok::<_, store::StoreError>((asked, detections, signal))
        });
        let (asked, detections, signal) = found.await.unwrap();
        assert_eq!((asked.times, asked.promoted), (1, Some(decision.id)));
        assert_eq!(detections.len(), 1);
        assert_eq!(detections[0].rule.id.to_string(), "llm-run-failed");
        let signal = signal.unwrap();
        assert_eq!(signal.dedupe_key, run.to_string());
        assert!(domain::pipeline::signals::is_intact(&signal));
    }

    async fn what_is_added_to_an_incident_was_refused_another_one(db: TestDb) {
        let world = World::new(db).await;
        let first = failed(&world, 500).await;
        explain_all(&world.cx).await.unwrap();
        failed(&world, 500).await;
        explain_all(&world.cx).await.unwrap();
        let incident = incidents_of(&world, first).await.remove(0);
        let said: Vec<_> = decisions(&world, &incident).await.iter().map(|it| (it.decision, it.rejection_code)).collect();
        let refused = (Verdict::Reject, Some(RejectionCode::ActiveIncidentExists));
        assert_eq!(said, [(Verdict::Promote, None), refused]);
    }

    async fn a_failure_that_nobody_could_look_at_for_days_opens_its_incident_all_the_same(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        world.clock.advance_seconds(3 * 86_400);
        let made = explain_all(&world.cx).await.unwrap();
        let incident = incidents_of(&world, run).await.remove(0);
        assert_eq!((made.incidents, incident.state), (1, IncidentState::Open), "{:?}", incident.promotion);
    }
}
