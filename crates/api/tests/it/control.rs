//! Do services open and drive Incidents with signed requests?

use model::principal::PrincipalRole;
use model::time::Clock as _;
use serde_json::json;
use testkit::db::TestDb;

use crate::harness::World;
use crate::signers::{DONE, Somebody};

testkit::both_databases! {
    async fn an_incident_is_reported_driven_to_its_end_and_replayed(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let made = sre.reports("one", &sre.report("SEV1")).await;
        made.ok(201);
        let id = made.text("/incidentId");
        assert_eq!((made.text("/state"), made.text("/metadata/source")), ("OPEN".to_owned(), "MANUAL".to_owned()));
        assert_eq!(made.text("/metadata/promotion/policyId"), "manual-reports");
        assert_eq!(made.header("location"), Some(format!("/incidents/{id}").as_str()));
        assert_eq!((made.header("x-idempotency-replayed"), made.header("etag")), (Some("false"), Some("\"2\"")));
        let again = sre.reports("one", &sre.report("SEV1")).await;
        assert_eq!((again.ok(200).body.as_str(), again.header("x-idempotency-replayed")), (made.body.as_str(), Some("true")));
        sre.reports("one", &sre.report("SEV2")).await.is(409, "IDEMPOTENCY_CONFLICT");
        for (to, said) in [
            ("MITIGATING", json!({ "expectedVersion": 2 })),
            ("RESOLVED", json!({ "resolutionSummary": DONE, "resolutionType": "FIXED" })),
            ("CLOSED", json!({ "postMortemRef": "https://wiki.example/pm-7" })),
        ] {
            world.clock.advance_seconds(60);
            let taken = sre.takes(&id, to, said).await;
            assert_eq!(taken.ok(200).text("/state"), to);
        }
        sre.takes(&id, "OPEN", json!({})).await.is(409, "ILLEGAL_TRANSITION");
        sre.takes(&id, "PENDING", json!({})).await.is(409, "ILLEGAL_TRANSITION");
        let timeline = sre.reads(&format!("/incidents/{id}/timeline")).await;
        assert_eq!(timeline.ok(200).at("/items").as_array().map(Vec::len), Some(5));
        let first = sre.reads(&format!("/incidents/{id}/timeline?limit=4")).await;
        let cursor = first.ok(200).text("/next_cursor");
        let rest = sre.reads(&format!("/incidents/{id}/timeline?cursor={cursor}")).await;
        assert_eq!((rest.ok(200).at("/items/0"), rest.at("/has_more")), (timeline.at("/items/4"), json!(false)));
        sre.reads(&format!("/incidents/{id}/timeline?limit=101")).await.is(400, "INVALID_FILTERS");
        sre.reads(&format!("/incidents/{id}/timeline?cursor=1")).await.is(400, "INVALID_FILTERS");
        let replayed = sre.reads(&format!("/incidents/{id}/replay")).await;
        assert_eq!((replayed.ok(200).at("/success"), replayed.at("/eventCount")), (json!(true), json!(5)));
        assert_eq!(replayed.text("/finalState/state"), "CLOSED");
        assert_eq!(replayed.text("/headHash"), timeline.text("/items/4/eventHash"));
        let read = sre.reads(&format!("/incidents/{id}")).await;
        assert_eq!((read.ok(200).header("etag"), read.at("/metadata/version")), (Some("\"5\""), json!(5)));
        assert_eq!(read.at(""), replayed.at("/finalState"));
        let listed = sre.reads("/incidents?service=api-gateway&state=CLOSED").await;
        assert_eq!(listed.ok(200).text("/items/0/incidentId"), id);
        let shown = world.get(&format!("/api/v1/incidents/{id}")).send().await;
        assert_eq!((shown.ok(200).text("/lifecycle_state"), shown.text("/cause_type")), ("RESOLVED".to_owned(), "HUMAN".to_owned()));
    }

    async fn whoever_may_not_promote_reports_an_incident_that_waits(db: TestDb) {
        let world = World::new(db).await;
        let operator = Somebody::new(&world, PrincipalRole::Operator, "HUMAN_OPERATOR").await;
        let made = operator.reports("worst", &operator.report("SEV1")).await;
        assert_eq!(made.ok(201).text("/state"), "PENDING");
        assert_eq!(made.text("/metadata/promotion/verdict"), "REJECT");
        let id = made.text("/incidentId");
        world.get(&format!("/api/v1/incidents/{id}")).send().await.is(404, "not-found");
        let refused = operator.takes(&id, "OPEN", json!({})).await;
        refused.is(403, "UNAUTHORIZED");
        assert_eq!(refused.text("/error/details/requiredAuthority"), "AUTO_ENGINE");
        operator.takes(&id, "CANCELLED", json!({ "reason": DONE })).await.is(409, "ILLEGAL_TRANSITION");
        let made = operator.reports("bad", &operator.report("SEV2")).await;
        assert_eq!(made.ok(201).text("/state"), "OPEN");
    }

    async fn what_must_be_said_and_who_may_say_it(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let operator = Somebody::new(&world, PrincipalRole::Operator, "HUMAN_OPERATOR").await;
        let service = Somebody::new(&world, PrincipalRole::Service, "AUTO_ENGINE").await;
        let glass = Somebody::new(&world, PrincipalRole::BreakGlass, "EMERGENCY_OVERRIDE").await;
        let reader = Somebody::new(&world, PrincipalRole::Reader, "HUMAN_OPERATOR").await;
        let id = sre.reports("one", &sre.report("SEV1")).await.text("/incidentId");
        reader.reads(&format!("/incidents/{id}")).await.ok(200);
        reader.takes(&id, "MITIGATING", json!({})).await.is(403, "UNAUTHORIZED");
        reader.reports("two", &reader.report("SEV4")).await.is(403, "UNAUTHORIZED");
        service.reports("three", &service.report("SEV4")).await.is(403, "UNAUTHORIZED");
        service.takes(&id, "MITIGATING", json!({})).await.ok(200);
        service.takes(&id, "RESOLVED", json!({ "resolutionSummary": DONE, "resolutionType": "FIXED" })).await.is(403, "UNAUTHORIZED");
        operator.takes(&id, "RESOLVED", json!({ "resolutionSummary": DONE, "resolutionType": "FIXED" })).await.is(403, "UNAUTHORIZED");
        sre.takes(&id, "RESOLVED", json!({})).await.is(400, "MISSING_RESOLUTION");
        sre.takes(&id, "RESOLVED", json!({ "resolutionSummary": DONE })).await.is(400, "MISSING_RESOLUTION");
        sre.takes(&id, "RESOLVED", json!({ "expectedVersion": 9, "resolutionSummary": DONE, "resolutionType": "FIXED" })).await.is(409, "CONFLICT");
        glass.takes(&id, "RESOLVED", json!({ "resolutionSummary": DONE, "resolutionType": "FIXED" })).await.ok(200);
        sre.takes(&id, "RESOLVED", json!({ "resolutionSummary": DONE, "resolutionType": "FIXED" })).await.is(409, "RESOLUTION_IMMUTABLE");
        sre.takes(&id, "CLOSED", json!({})).await.is(400, "MISSING_POST_MORTEM");
        let mut said = sre.report("SEV3");
        said["authority"]["authorityType"] = json!("EMERGENCY_OVERRIDE");
        sre.reports("four", &said).await.is(403, "UNAUTHORIZED");
        let silent = glass.reports("five", &glass.report("SEV3")).await;
        silent.is(400, "MISSING_JUSTIFICATION");
        let late = json!({ "authorityType": "ON_CALL_SRE", "timestamp": "2020-01-01T00:00:00Z" });
        said["authority"] = late;
        sre.reports("six", &said).await.is(400, "INVALID_AUTHORITY");
    }

    async fn what_is_wrong_with_a_request_is_said_in_one_shape(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let whole = sre.report("SEV3");
        for (field, value, code) in [
            ("service", json!(" "), "VALIDATION_ERROR"),
            ("service", json!("x".repeat(257)), "VALIDATION_ERROR"),
            ("title", json!(""), "VALIDATION_ERROR"),
            ("title", json!("x".repeat(513)), "VALIDATION_ERROR"),
            ("description", json!("x".repeat(4097)), "VALIDATION_ERROR"),
            ("metadata", json!({ "tags": [""] }), "VALIDATION_ERROR"),
            ("metadata", json!({ "runId": "run_01M7YQ1WE0000000000000ZZZZ" }), "VALIDATION_ERROR"),
            ("severity", json!("SEV5"), "VALIDATION_ERROR"),
            ("authority", json!({}), "VALIDATION_ERROR"),
            ("state", json!("OPEN"), "VALIDATION_ERROR"),
            ("surprise", json!(1), "VALIDATION_ERROR"),
        ] {
            let mut body = whole.clone();
            body[field] = value;
            let answer = sre.reports("key", &body).await;
            answer.is(400, code);
            assert!(answer.at("/error/requestId").is_string(), "{}", answer.body);
        }
        for field in ["service", "severity", "title", "authority"] {
            let mut body = whole.clone();
            body.as_object_mut().unwrap().remove(field);
            sre.reports("key", &body).await.is(400, "VALIDATION_ERROR");
        }
        sre.sends("POST", "/incidents", &[], "{").await.is(400, "INVALID_REQUEST");
        sre.reads("/incidents/nonsense").await.is(400, "INVALID_INCIDENT_ID");
        sre.reads("/incidents/inc_00000000000000000000000000000000").await.is(404, "INCIDENT_NOT_FOUND");
        sre.reads("/incidents?state=ACTIVE").await.is(400, "INVALID_FILTERS");
        sre.reads("/incidents?severity=high").await.is(400, "INVALID_FILTERS");
        sre.reads("/incidents?colour=red").await.is(400, "INVALID_FILTERS");
        sre.reports("key", &whole).await.ok(201);
    }

    async fn a_request_that_is_sent_again_as_it_was_changes_nothing(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let id = sre.reports("one", &sre.report("SEV3")).await.text("/incidentId");
        let body = json!({ "newState": "MITIGATING", "authority": { "authorityType": "ON_CALL_SRE" } }).to_string();
        let uri = format!("/incidents/{id}/state");
        let json = [("content-type", "application/json")];
        let signed = sre.signer.sign(world.clock.now(), ("PATCH", &uri), &json, body.as_bytes());
        let sends = || {
            let mut call = world.call("PATCH", &uri).anonymous();
            for (name, value) in &signed {
                call = call.header(name, value);
            }
            call.body = Some(body.clone().into_bytes());
            call.send()
        };
        sends().await.ok(200);
        sends().await.is(401, "SIGNATURE_REPLAYED");
        assert_eq!(sre.reads(&format!("/incidents/{id}")).await.at("/metadata/version"), json!(3));
    }
}
