//! Can a customer see what an Incident is, say that it is seen, and end it?

use model::severity::Severity;
use model::time::Clock as _;
use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::governance::{TestIncident, add_incidents, incident};

use crate::harness::{Call, World};
use crate::log::Log;
use crate::policy_proposals::failure;

fn path(id: &str, what: &str) -> String {
    format!("/api/v1/incidents/{id}{what}")
}

fn does<'w>(world: &'w World, id: &str, what: &str) -> Call<'w> {
    world.call("POST", &path(id, what))
}

/// An Incident of severity critical.
async fn opened(world: &World, number: u128) -> TestIncident {
    let mut made = incident(world.tenant, number, world.clock.now());
    made.creation.severity = Severity::Sev1;
    add_incidents(&world.cx.db, vec![made.clone()]).await;
    made
}

async fn lifecycle(world: &World, id: &str) -> String {
    world
        .get(&path(id, ""))
        .send()
        .await
        .ok(200)
        .text("/lifecycle_state")
}

testkit::both_databases! {
    async fn an_incident_is_acknowledged_and_resolved_with_everything_that_belongs_to_it(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let run = failure(&world, &world.key).await;
        let listed = log.send("of its run", world.get(&format!("/api/v1/runs/{run}/incidents"))).await;
        let id = listed.ok(200).text("/items/0/incident_id");
        let first = log.send("the Incident", world.get(&path(&id, ""))).await;
        assert_eq!((first.text("/lifecycle_state"), first.header("etag")), ("ACTIVE".to_owned(), Some("\"2\"")));
        let source = log.send("the LLM Run that it comes from", world.get(&path(&id, "/source-run"))).await;
        assert_eq!(source.ok(200).text("/run_id"), run);
        world.clock.advance_seconds(5);
        let seen = log.send("acknowledge it", does(&world, &id, "/acknowledge").once("a-click")).await;
        assert_eq!((seen.ok(200).text("/lifecycle_state"), seen.at("/version")), ("ACKED".to_owned(), json!(3)));
        let again = does(&world, &id, "/acknowledge").once("a-click").send().await;
        assert_eq!((again.body.as_str(), again.header("idempotency-replayed")), (seen.body.as_str(), Some("true")));
        let other = does(&world, &id, "/acknowledge").send().await;
        assert_eq!(other.ok(200).body, seen.body, "who was first stays");
        world.clock.advance_seconds(60);
        let said = json!({ "resolution_method": "rollback", "notes": "went back to the prompt of last week" });
        let over = log.send("resolve it", does(&world, &id, "/resolve").json(&said)).await;
        assert_eq!((over.ok(200).text("/lifecycle_state"), over.at("/version")), ("RESOLVED".to_owned(), json!(5)));
        let twice = log.send("resolve it again", does(&world, &id, "/resolve").json(&said)).await;
        twice.is(409, "incident-state");
        log.send("acknowledge it too late", does(&world, &id, "/acknowledge")).await.is(409, "incident-state");
        let events = world.get(&path(&id, "/events")).send().await;
        let states: Vec<_> = (0..5).map(|n| events.text(&format!("/items/{n}/new_state"))).collect();
        assert_eq!(states, ["PENDING", "OPEN", "OPEN", "MITIGATING", "RESOLVED"]);
        assert_eq!(events.at("/items/5"), Value::Null);
        let resolved = world.get("/api/v1/runtime/incidents?topic=RESOLVED").send().await;
        assert_eq!(resolved.text("/items/0/resolved_at"), over.text("/resolved_at"));
        assert_eq!(world.get("/api/v1/runtime/incidents?topic=ACTIVE").send().await.at("/total"), json!(0));
        let replayed = services::incidents::replay::anybodys(&world.cx, id.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(replayed.replay.violations, []);
        log.assert("incidents");
    }

    async fn an_incident_that_nobody_acknowledged_is_resolved_in_both_steps_or_in_none(db: TestDb) {
        let world = World::new(db).await;
        let id = opened(&world, 1).await.id().to_string();
        let over = does(&world, &id, "/resolve").json(&json!({})).send().await;
        assert_eq!((over.ok(200).text("/state"), over.at("/version")), ("RESOLVED".to_owned(), json!(4)));
        assert_eq!(over.text("/resolution_notes"), "Resolved in the customer console, without a note.");
        assert_eq!((over.text("/resolution_method"), over.text("/resolution_type")), ("manual".to_owned(), "FIXED".to_owned()));
    }

    async fn a_change_is_made_on_the_version_that_was_seen_or_not_at_all(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let id = opened(&world, 1).await.id().to_string();
        let stale = does(&world, &id, "/acknowledge").header("if-match", "\"1\"");
        log.send("a version that was", stale).await.is(409, "version-conflict");
        for (title, tag) in [("no tag", "2"), ("no number", "\"two\""), ("a weak tag", "W/\"2\"")] {
            log.send(title, does(&world, &id, "/acknowledge").header("if-match", tag)).await.is(400, "invalid-header");
        }
        let two = does(&world, &id, "/acknowledge").header("if-match", "\"2\"").more("if-match", "\"3\"");
        two.send().await.is(400, "invalid-header");
        assert_eq!(lifecycle(&world, &id).await, "ACTIVE");
        does(&world, &id, "/acknowledge").header("if-match", "\"2\"").send().await.ok(200);
        does(&world, &id, "/resolve").json(&json!({})).header("if-match", "*").send().await.ok(200);
        log.assert("incident_versions");
    }

    async fn what_is_wrong_with_a_resolution_is_said(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let id = opened(&world, 1).await.id().to_string();
        let long = "x".repeat(2_001);
        let bodies: [(&str, Value); 5] = [
            ("no method", json!({ "resolution_method": "MANUAL" })),
            ("no type", json!({ "resolution_type": "fixed" })),
            ("too long a note", json!({ "notes": long })),
            ("what only the server sets", json!({ "resolved_by": "me" })),
            ("what nobody knows", json!({ "note": "typo" })),
        ];
        for (title, body) in bodies {
            let answer = log.send(title, does(&world, &id, "/resolve").json(&body)).await;
            assert_eq!(answer.status, 422, "{title} {}", answer.body);
        }
        log.send("no JSON", does(&world, &id, "/resolve").bytes("{")).await.is(400, "malformed-json");
        assert_eq!(lifecycle(&world, &id).await, "ACTIVE");
        log.assert("incident_resolutions");
    }

    async fn two_who_resolve_at_once_make_one_resolution(db: TestDb) {
        let world = World::new(db).await;
        let id = opened(&world, 1).await.id().to_string();
        let resolve = || does(&world, &id, "/resolve").json(&json!({})).send();
        let (one, other) = tokio::join!(resolve(), resolve());
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        assert_eq!(world.get(&path(&id, "")).send().await.at("/version"), json!(4));
    }
}
