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
