//! Is what cannot be meant refused in the same words, whoever sends it?

use model::principal::PrincipalRole;
use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::World;
use crate::signers::{DONE, Somebody};

/// The routes that name an Incident, each with a body if it takes one.
fn routes(authority: &str) -> [(&'static str, &'static str, Option<Value>); 5] {
    let authority = json!({ "authorityType": authority });
    [
        ("GET", "", None),
        ("GET", "/timeline", None),
        ("GET", "/replay", None),
        (
            "PATCH",
            "/state",
            Some(json!({ "newState": "MITIGATING", "authority": authority.clone() })),
        ),
        ("POST", "/promotion", Some(json!({ "authority": authority }))),
    ]
}

testkit::both_databases! {
    async fn what_is_there_already_what_is_over_and_whose_it_is(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let id = sre.reports("one", &sre.report("SEV2")).await.ok(201).text("/incidentId");
        sre.takes(&id, "MITIGATING", json!({})).await.ok(200);
        sre.takes(&id, "MITIGATING", json!({})).await.is(409, "ILLEGAL_TRANSITION");
        sre.takes(&id, "CANCELLED", json!({ "reason": DONE })).await.is(409, "ILLEGAL_TRANSITION");
        sre.takes(&id, "ARCHIVED", json!({})).await.is(409, "ILLEGAL_TRANSITION");
        let mut of_another = json!({ "newState": "RESOLVED", "authority": { "authorityType": "ON_CALL_SRE" } });
        of_another["authority"]["authorityId"] = json!("arn:plimsoll:iam::tnt_00000000000000000000000000:principal/somebody");
        sre.sends("PATCH", &format!("/incidents/{id}/state"), &[], &of_another.to_string()).await.is(403, "UNAUTHORIZED");
        of_another["authority"] = json!({ "authorityType": "AUTO_ENGINE" });
        sre.sends("PATCH", &format!("/incidents/{id}/state"), &[], &of_another.to_string()).await.is(403, "UNAUTHORIZED");

        // Another tenant's is answered like one that nobody has.
        let (theirs, _) = world.other_tenant("rival").await;
        let other = Somebody::of(&world, theirs, "other", &[PrincipalRole::Sre], "ON_CALL_SRE").await;
        for (method, path, body) in routes("ON_CALL_SRE") {
            let body = body.map(|body| body.to_string()).unwrap_or_default();
            let mut answers = Vec::new();
            for id in [id.as_str(), "inc_00000000000000000000000000000000"] {
                let uri = format!("/incidents/{id}{path}");
                let answer = other.sends(method, &uri, &[("x-request-id", "the-same-request")], &body).await;
                answer.is(404, "INCIDENT_NOT_FOUND");
                answers.push(answer.body);
            }
            assert_eq!(answers[0], answers[1], "{method} {path}");
        }
        assert_eq!(sre.reads(&format!("/incidents/{id}")).await.ok(200).text("/state"), "MITIGATING");
    }
}

/// The hash of a request that names no time of its authority.
fn hash(method: &str, path: &str, body: &Value) -> String {
    infra::secrets::sha256_hex(format!("{method} {path}\n{body}").as_bytes())
}

testkit::both_databases! {
    async fn whoever_uses_a_key_again_is_told_which_request_it_belongs_to(db: TestDb) {
        let world = World::new(db).await;
        let glass = Somebody::new(&world, PrincipalRole::BreakGlass, "EMERGENCY_OVERRIDE").await;
        let pager = Somebody::new(&world, PrincipalRole::Service, "AUTO_ENGINE").await;
        let authority = json!({ "authorityType": "EMERGENCY_OVERRIDE", "justification": DONE });
        let mut report = glass.report("SEV1");
        report["authority"] = authority.clone();
        let id = glass.reports("report", &report).await.ok(201).text("/incidentId");
        let (state, promotion) = (format!("/incidents/{id}/state"), format!("/incidents/{id}/promotion"));
        let mut other = report.clone();
        other["severity"] = json!("SEV2");
        let first = json!({ "newState": "MITIGATING", "authority": authority });
        let second = json!({ "newState": "CANCELLED", "reason": DONE, "authority": authority });
        let (quiet, again) = (json!({ "authority": authority }), json!({ "authority": authority, "scope": "GLOBAL" }));
        let (one, two) = (pager.alarm("alarm-1", "SEV3"), pager.alarm("alarm-2", "SEV3"));
        let operator = Somebody::new(&world, PrincipalRole::Operator, "HUMAN_OPERATOR").await;
        let waits = operator.report("SEV1");
        let waiting = operator.reports("waits", &waits).await.ok(201).text("/incidentId");
        let of_waiting = format!("/incidents/{waiting}/promotion");
        let later = json!({ "authority": authority, "expectedVersion": 2 });
        for (by, method, path, used, given, existing) in [
            (&glass, "POST", "/incidents", &report, &other, json!(id)),
            (&glass, "PATCH", state.as_str(), &first, &second, json!(id)),
            (&glass, "POST", of_waiting.as_str(), &quiet, &later, json!(waiting)),
            (&pager, "POST", "/signals", &one, &two, Value::Null),
            (&glass, "POST", "/kill-switch/disable", &quiet, &again, Value::Null),
        ] {
            let key = [("idempotency-key", "report")];
            by.sends(method, path, &key, &used.to_string()).await;
            let refused = by.sends(method, path, &key, &given.to_string()).await;
            refused.is(409, "IDEMPOTENCY_CONFLICT");
            let expected = json!({
                "idempotencyKey": "report", "existingIncidentId": existing,
                "expectedHash": hash(method, path, used), "actualHash": hash(method, path, given),
            });
            assert_eq!(refused.at("/error/details"), expected, "{method} {path}");
        }
        let key = [("idempotency-key", "report")];
        let foreign = operator.sends("POST", "/incidents", &key, &waits.to_string()).await;
        foreign.is(403, "UNAUTHORIZED");
        assert!(foreign.at("/error/details").is_null(), "nobody is told of the request of another: {}", foreign.body);
        let (stale, opened) = (json!({ "expectedVersion": 9 }), json!({ "authority": authority, "expectedVersion": 9 }));
        let taken = glass.takes(&id, "RESOLVED", stale).await;
        let promoted = glass.sends("POST", &promotion, &[], &opened.to_string()).await;
        // Said twice, both have to be so.
        let twice = |body: i64, header: &'static str| {
            let said = json!({ "newState": "MITIGATING", "authority": authority, "expectedVersion": body });
            (said.to_string(), [("if-match", header)])
        };
        let mut all = vec![taken, promoted];
        for (body, header) in [(3, "\"9\""), (9, "\"3\"")] {
            let (said, header) = twice(body, header);
            all.push(glass.sends("PATCH", &state, &header, &said).await);
        }
        for refused in all {
            refused.is(409, "CONFLICT");
            let expected = json!({ "incidentId": id, "expectedVersion": 9, "actualVersion": 3 });
            assert_eq!(refused.at("/error/details"), expected);
        }
    }
}

testkit::both_databases! {
    async fn where_the_runbook_and_the_ticket_are_is_kept_with_every_step(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let (runbook, ticket) = ("https://wiki.example/runbooks/7?a=b#c", "http://tickets.example:8080/OPS-7");
        let links = |mut said: Value| {
            said["runbookUrl"] = json!(runbook);
            said["ticketUrl"] = json!(ticket);
            said
        };
        let id = sre.reports("one", &sre.report("SEV2")).await.ok(201).text("/incidentId");
        for no_link in [
            json!("javascript:alert(1)"), json!("ftp://files.example/runbook"), json!("//wiki.example/runbook"),
            json!("https://"), json!("wiki.example/runbook"), json!("https://ops:secret@wiki.example/runbook"),
            json!("https://wiki.example/a b"), json!("https://wiki.example/\u{202e}"), json!(""), json!(7),
            json!(format!("https://wiki.example/{}", "a".repeat(2048))),
        ] {
            for link in ["runbookUrl", "ticketUrl"] {
                let mut said = json!({});
                said[link] = no_link.clone();
                let refused = sre.takes(&id, "MITIGATING", said).await;
                refused.is(400, "VALIDATION_ERROR");
                assert_eq!(refused.at("/error/details/issues/0/field"), json!(link), "{}", refused.body);
            }
        }
        let other = sre.reports("other", &sre.report("SEV2")).await.ok(201).text("/incidentId");
        sre.takes(&other, "CANCELLED", links(json!({ "reason": DONE }))).await.ok(200);
        for (to, said) in [
            ("MITIGATING", json!({})),
            ("RESOLVED", json!({ "resolutionSummary": DONE, "resolutionType": "FIXED" })),
            ("CLOSED", json!({ "postMortemRef": "pm-7" })),
        ] {
            sre.takes(&id, to, links(said)).await.ok(200);
        }
        let expected = json!({ "runbookUrl": runbook, "ticketUrl": ticket });
        for (id, places) in [(&id, &["/items/2/metadata", "/items/3/metadata/links", "/items/4/metadata/links"][..]),
                             (&other, &["/items/2/metadata"])] {
            let timeline = sre.reads(&format!("/incidents/{id}/timeline")).await;
            for place in places {
                assert_eq!(timeline.ok(200).at(place), expected, "{place}: {}", timeline.body);
            }
            let replayed = sre.reads(&format!("/incidents/{id}/replay")).await;
            assert_eq!(replayed.ok(200).at("/success"), json!(true));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_id_is_refused_on_every_route_that_names_one() {
    let world = World::new(TestDb::sqlite()).await;
    let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
    let long = "a".repeat(6_000);
    for id in [
        "nonsense",
        "inc_0",
        "INC_00000000000000000000000000000000",
        "inc_0000000000000000000000000000000G",
        "%ff",
        "%00",
        "a%2Fb",
        &long,
    ] {
        for (method, path, body) in routes("ON_CALL_SRE") {
            let body = body.map(|body| body.to_string()).unwrap_or_default();
            let answer = sre
                .sends(method, &format!("/incidents/{id}{path}"), &[], &body)
                .await;
            assert_eq!(answer.status, 400, "{method} {id}{path}: {}", answer.body);
        }
    }
}
