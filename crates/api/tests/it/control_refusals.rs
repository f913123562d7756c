//! Is what is refused only after a while, or for a reason that is seldom, refused over HTTP as it is documented?

use model::principal::PrincipalRole;
use serde_json::json;
use testkit::db::TestDb;

use crate::harness::World;
use crate::signers::{DONE, Somebody};

/// What people see nothing of: so many characters that it would be a reason.
fn invisible() -> [String; 3] {
    let zero_width = "\u{200b}".repeat(19);
    [
        format!("\u{200b}{zero_width}"),
        format!("x{zero_width}"),
        format!("x{}x", "\n".repeat(20)),
    ]
}

testkit::both_databases! {
    async fn what_was_closed_is_not_archived_before_its_time(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let service = Somebody::new(&world, PrincipalRole::Service, "AUTO_ENGINE").await;
        let id = sre.reports("one", &sre.report("SEV3")).await.ok(201).text("/incidentId");
        sre.takes(&id, "MITIGATING", json!({})).await.ok(200);
        sre.takes(&id, "RESOLVED", json!({ "resolutionSummary": DONE, "resolutionType": "FIXED" })).await.ok(200);
        sre.takes(&id, "CLOSED", json!({ "postMortemRef": "pm-7" })).await.ok(200);
        world.clock.advance_seconds(90 * 86_400 - 1);
        let early = service.takes(&id, "ARCHIVED", json!({})).await;
        early.is(409, "RETENTION_NOT_REACHED");
        assert_eq!(early.at("/error/details"), json!({ "retentionDays": 90 }));
        assert_eq!(sre.reads(&format!("/incidents/{id}")).await.text("/state"), "CLOSED");
        world.clock.advance_seconds(1);
        assert_eq!(service.takes(&id, "ARCHIVED", json!({})).await.ok(200).text("/state"), "ARCHIVED");
    }

    async fn a_right_signature_of_a_frozen_tenant_is_refused(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let id = sre.reports("one", &sre.report("SEV3")).await.ok(201).text("/incidentId");
        let path = format!("/api/v1/ops/tenants/{}", world.tenant);
        world.post(&format!("{path}/freeze"), &json!({ "reason": "unpaid" })).by_operator().send().await.ok(200);
        for refused in [
            sre.reads(&format!("/incidents/{id}")).await,
            sre.takes(&id, "MITIGATING", json!({})).await,
            sre.reports("two", &sre.report("SEV3")).await,
        ] {
            refused.is(403, "TENANT_SUSPENDED");
            assert_eq!(refused.at("/error/details"), json!({ "reason": "unpaid" }));
        }
        world.post(&format!("{path}/unfreeze"), &json!({})).by_operator().send().await.ok(200);
        assert_eq!(sre.reads(&format!("/incidents/{id}")).await.ok(200).at("/metadata/version"), json!(2));
    }

    async fn what_the_gate_let_through_elsewhere_is_not_let_through_once_more(db: TestDb) {
        let world = World::new(db).await;
        let operator = Somebody::new(&world, PrincipalRole::Operator, "HUMAN_OPERATOR").await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let made = operator.reports("one", &operator.report("SEV1")).await;
        assert_eq!(made.ok(201).text("/state"), "PENDING");
        let (id, candidate) = (made.text("/incidentId"), made.text("/metadata/promotion/candidateId"));
        world.db.by_hand(&format!(
            "INSERT INTO promotion_decisions (tenant_id, id, candidate_id, decision, policy_id, incident_id, decided_at, body) \
             SELECT tenant_id, '{}', candidate_id, 'PROMOTE', policy_id, incident_id, decided_at, body \
             FROM promotion_decisions WHERE candidate_id = '{candidate}'",
            "a".repeat(64)
        ));
        let body = json!({ "authority": { "authorityType": "ON_CALL_SRE" } }).to_string();
        let refused = sre.sends("POST", &format!("/incidents/{id}/promotion"), &[], &body).await;
        refused.is(409, "PROMOTION_REFUSED");
        assert_eq!(refused.at("/error/details"), json!({ "verdict": "REJECT", "rejectionCode": "DUPLICATE_CANDIDATE" }));
        let still = sre.reads(&format!("/incidents/{id}")).await;
        assert_eq!((still.ok(200).text("/state"), still.at("/metadata/version")), ("PENDING".to_owned(), json!(2)));
    }

    async fn what_nobody_sees_is_no_reason(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let glass = Somebody::new(&world, PrincipalRole::BreakGlass, "EMERGENCY_OVERRIDE").await;
        let one = sre.reports("one", &sre.report("SEV3")).await.ok(201).text("/incidentId");
        let two = sre.reports("two", &sre.report("SEV3")).await.ok(201).text("/incidentId");
        sre.takes(&two, "MITIGATING", json!({})).await.ok(200);
        for text in invisible() {
            sre.takes(&one, "CANCELLED", json!({ "reason": text })).await.is(400, "VALIDATION_ERROR");
            sre.takes(&two, "RESOLVED", json!({ "resolutionSummary": text, "resolutionType": "FIXED" })).await.is(400, "VALIDATION_ERROR");
            let mut report = glass.report("SEV3");
            report["authority"]["justification"] = json!(text);
            glass.reports("three", &report).await.is(400, "INVALID_JUSTIFICATION");
        }
        sre.takes(&one, "CANCELLED", json!({ "reason": "it was a drill\nof the team" })).await.ok(200);
    }

    async fn a_title_may_begin_with_what_nobody_sees(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        for (number, before) in [" ", "\n", "\u{200b}", "\u{200b} \n"].into_iter().enumerate() {
            let title = format!("{}Outage", before.repeat(200 / before.chars().count()));
            let mut report = sre.report("SEV3");
            report["title"] = json!(title);
            let made = sre.reports(&format!("key-{number}"), &report).await;
            assert_eq!(made.ok(201).text("/title"), title, "it is kept as it was sent");
        }
        let mut nothing = sre.report("SEV3");
        nothing["title"] = json!("\u{200b}".repeat(200));
        sre.reports("nothing", &nothing).await.is(400, "VALIDATION_ERROR");
    }
}
