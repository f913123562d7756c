//! Does a person let an Incident through that waits, and who may?

use model::incident::IncidentState;
use model::principal::PrincipalRole;
use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::{Answer, World};
use crate::signers::{DONE, Somebody};

impl Somebody<'_> {
    async fn promotes(&self, id: &str, said: Value) -> Answer {
        let mut body = said;
        body["authority"]["authorityType"] = json!(self.authority);
        self.sends(
            "POST",
            &format!("/incidents/{id}/promotion"),
            &[],
            &body.to_string(),
        )
        .await
    }

    /// Reports one that waits, as only who is on call may promote it.
    async fn waits(&self, key: &str) -> String {
        let made = self.reports(key, &self.report("SEV1")).await;
        assert_eq!(made.ok(201).text("/state"), "PENDING");
        made.text("/incidentId")
    }
}

testkit::both_databases! {
    async fn what_the_kill_switch_held_back_is_opened_by_a_person(db: TestDb) {
        let world = World::new(db).await;
        let glass = Somebody::new(&world, PrincipalRole::BreakGlass, "EMERGENCY_OVERRIDE").await;
        let pager = Somebody::new(&world, PrincipalRole::Service, "AUTO_ENGINE").await;
        let operator = Somebody::new(&world, PrincipalRole::Operator, "HUMAN_OPERATOR").await;
        let switch = json!({ "authority": { "authorityType": "EMERGENCY_OVERRIDE", "justification": DONE } }).to_string();
        glass.sends("POST", "/kill-switch/disable", &[], &switch).await.ok(200);
        let mut last = None;
        for nth in 0..4 {
            // Signals come in as ever; nothing of them is lost.
            last = Some(pager.signals(&pager.alarm(&format!("alarm-{nth}"), "SEV3")).await);
        }
        let held = last.unwrap();
        assert_eq!(held.ok(201).text("/decision/verdict"), "DEFER");
        let id = held.text("/incidentId");
        world.get(&format!("/api/v1/incidents/{id}")).send().await.is(404, "not-found");
        pager.promotes(&id, json!({})).await.is(503, "KILL_SWITCH_ACTIVE");
        // However long it has waited.
        world.clock.advance_seconds(86_400);
        let opened = operator.promotes(&id, json!({ "expectedVersion": 2, "authority": { "justification": DONE } })).await;
        assert_eq!((opened.ok(200).text("/state"), opened.header("etag")), ("OPEN".to_owned(), Some("\"3\"")));
        assert_eq!(opened.text("/metadata/promotion/policyId"), "promotions-by-hand");
        assert_eq!(opened.text("/metadata/promotion/promotedBy/authorityType"), "HUMAN_OPERATOR");
        operator.promotes(&id, json!({})).await.is(409, "ILLEGAL_TRANSITION");
        let timeline = operator.reads(&format!("/incidents/{id}/timeline")).await;
        assert_eq!((timeline.ok(200).text("/items/2/newState"), timeline.text("/items/2/reason")), ("OPEN".to_owned(), DONE.to_owned()));
        assert_eq!(timeline.text("/items/2/authority/authorityType"), "AUTO_ENGINE", "the product opens what a person promotes");
        assert_eq!(operator.reads(&format!("/incidents/{id}/replay")).await.ok(200).at("/success"), json!(true));
        let shown = world.get(&format!("/api/v1/incidents/{id}")).send().await;
        assert_eq!(shown.ok(200).text("/lifecycle_state"), "ACTIVE");
    }

    async fn a_report_that_waits_is_opened_by_whoever_is_on_call(db: TestDb) {
        let world = World::new(db).await;
        let operator = Somebody::new(&world, PrincipalRole::Operator, "HUMAN_OPERATOR").await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let creator = Somebody::new(&world, PrincipalRole::Creator, "HUMAN_OPERATOR").await;
        let reader = Somebody::new(&world, PrincipalRole::Reader, "HUMAN_OPERATOR").await;
        let service = Somebody::new(&world, PrincipalRole::Service, "AUTO_ENGINE").await;
        let id = operator.waits("one").await;
        for somebody in [&creator, &reader] {
            somebody.promotes(&id, json!({})).await.is(403, "UNAUTHORIZED");
        }
        for somebody in [&operator, &service] {
            let refused = somebody.promotes(&id, json!({})).await;
            refused.is(403, "UNAUTHORIZED");
            assert_eq!(refused.text("/error/details/requiredAuthority"), "ON_CALL_SRE");
        }
        sre.promotes(&id, json!({ "expectedVersion": 9 })).await.is(409, "CONFLICT");
        sre.promotes(&id, json!({ "reason": DONE })).await.is(400, "VALIDATION_ERROR");
        sre.promotes("nonsense", json!({})).await.is(400, "INVALID_INCIDENT_ID");
        sre.promotes("inc_00000000000000000000000000000000", json!({})).await.is(404, "INCIDENT_NOT_FOUND");
        let (theirs, _) = world.other_tenant("rival").await;
        let other = Somebody::of(&world, theirs, "theirs", &[PrincipalRole::Sre], "ON_CALL_SRE").await;
        other.promotes(&id, json!({})).await.is(404, "INCIDENT_NOT_FOUND");
        let body = json!({ "authority": { "authorityType": "ON_CALL_SRE" } }).to_string();
        let (uri, key) = (format!("/incidents/{id}/promotion"), [("idempotency-key", "once")]);
        let sends = || sre.sends("POST", &uri, &key, &body);
        let opened = sends().await;
        assert_eq!(opened.ok(200).text("/state"), "OPEN");
        let again = sends().await;
        assert_eq!((again.ok(200).body.as_str(), again.header("x-idempotency-replayed")), (opened.body.as_str(), Some("true")));
    }

    async fn whoever_breaks_the_glass_says_why_and_it_is_on_record(db: TestDb) {
        let world = World::new(db).await;
        let operator = Somebody::new(&world, PrincipalRole::Operator, "HUMAN_OPERATOR").await;
        let glass = Somebody::new(&world, PrincipalRole::BreakGlass, "EMERGENCY_OVERRIDE").await;
        let id = operator.waits("one").await;
        glass.promotes(&id, json!({})).await.is(400, "MISSING_JUSTIFICATION");
        let opened = glass.promotes(&id, json!({ "authority": { "justification": DONE } })).await;
        assert_eq!(opened.ok(200).text("/state"), IncidentState::Open.as_str());
    }
}
