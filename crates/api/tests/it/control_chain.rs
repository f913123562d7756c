//! Does a service that knows only what it was answered find out whether an Incident is what its events say?

use std::fmt::Write as _;

use infra::secrets::sha256_hex;
use model::principal::PrincipalRole;
use model::time::Timestamp;
use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::World;
use crate::log::Log;
use crate::signers::{DONE, Somebody};

/// The fields of an event in the order in which they are hashed: what they are called there, and on the wire.
const FIELDS: [(&str, &str); 18] = [
    ("tenant", "tenantId"),
    ("incident", "incidentId"),
    ("seq", "eventSeq"),
    ("event_id", "eventId"),
    ("schema_version", "schemaVersion"),
    ("event_type", "eventType"),
    ("at", "timestamp"),
    ("actor", "actor"),
    ("authority", "authority"),
    ("previous_state", "previousState"),
    ("new_state", "newState"),
    ("reason", "reason"),
    ("metadata", "metadata"),
    ("request_id", "requestId"),
    ("idempotency_key", "idempotencyKey"),
    ("state_hash_before", "stateHashBefore"),
    ("state_hash_after", "stateHashAfter"),
    ("prev_event_hash", "prevEventHash"),
];

/// The hash of an event, as docs/incident-api.md says that it is made.
fn hash(event: &Value) -> String {
    let mut form = "incident-event/1\n".to_owned();
    for (name, member) in FIELDS {
        let value = match &event[member] {
            Value::Null => None,
            Value::String(text) if name == "at" => {
                Some(text.parse::<Timestamp>().unwrap().as_micros().to_string())
            }
            Value::String(text) => Some(text.clone()),
            // Objects of `serde_json` are sorted by name, and written without white space.
            other => Some(other.to_string()),
        };
        let line = value.map_or("-".to_owned(), |value| format!("{}:{value}", value.len()));
        writeln!(form, "{name}:{line}").unwrap();
    }
    sha256_hex(form.as_bytes())
}

/// Every event of the timeline, two at a time.
async fn events(sre: &Somebody<'_>, id: &str) -> Vec<Value> {
    let (mut events, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = sre.reads(&format!("/incidents/{id}/timeline{query}")).await;
        events.extend(page.ok(200).at("/items").as_array().unwrap().clone());
        match page.at("/next_cursor") {
            Value::String(cursor) => query = format!("?cursor={cursor}&limit=2"),
            _ => return events,
        }
    }
}

testkit::both_databases! {
    async fn the_chain_of_hashes_is_made_again_from_the_timeline_alone(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let mut report = sre.report("SEV1");
        report["title"] = json!("Zürich: \"田中\" \\ high error rate\n");
        let made = sre.reports("the-key", &report).await;
        let id = made.ok(201).text("/incidentId");
        assert_eq!((made.text("/metadata/tenantId"), made.at("/metadata/acknowledgedBy")), (world.tenant.to_string(), Value::Null));
        world.clock.advance_millis(1_234);
        world.post(&format!("/api/v1/incidents/{id}/acknowledge"), &json!({})).send().await.ok(200);
        let seen = sre.reads(&format!("/incidents/{id}")).await;
        assert!(seen.ok(200).at("/metadata/acknowledgedAt").is_string());
        assert!(!seen.text("/metadata/acknowledgedBy").is_empty());
        sre.takes(&id, "MITIGATING", json!({ "runbookUrl": "https://wiki.example/é", "reason": DONE })).await.is(400, "VALIDATION_ERROR");
        sre.takes(&id, "MITIGATING", json!({ "runbookUrl": "https://wiki.example/e", "reason": DONE })).await.ok(200);
        sre.takes(&id, "RESOLVED", json!({ "resolutionSummary": DONE, "resolutionType": "FIXED" })).await.ok(200);
        let events = events(&sre, &id).await;
        assert_eq!(events.len(), 5);
        let mut before = "0".repeat(64);
        for event in &events {
            assert_eq!((event["prevEventHash"].as_str(), event["eventHash"].as_str()), (Some(&*before), Some(&*hash(event))), "{event}");
            before = event["eventHash"].as_str().unwrap().to_owned();
        }
        assert_eq!((&events[0]["idempotencyKey"], &events[0]["schemaVersion"]), (&json!("the-key"), &json!(1)));
        let replayed = sre.reads(&format!("/incidents/{id}/replay")).await;
        assert_eq!(replayed.ok(200).text("/headHash"), before);
        assert_eq!(replayed.at("/events").as_array(), Some(&events));
        for (name, member) in FIELDS {
            let mut changed = events[2].clone();
            changed[member] = match &changed[member] {
                Value::Number(_) => json!(9),
                Value::String(text) if name == "at" => json!(text.parse::<Timestamp>().unwrap().plus_millis(1)),
                Value::Object(_) => json!({ "another": 1 }),
                _ => json!("another"),
            };
            assert_ne!(hash(&changed), hash(&events[2]), "{name} is part of it");
        }
    }

    async fn an_incident_that_somebody_has_damaged_is_not_shown_as_its_events_say(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let id = sre.reports("one", &sre.report("SEV2")).await.ok(201).text("/incidentId");
        sre.takes(&id, "MITIGATING", json!({})).await.ok(200);
        let replay = || sre.call("GET", &format!("/incidents/{id}/replay"), &[], "");
        replay().send().await.ok(200);
        let mut log = Log::default();
        world.db.by_hand(&format!(
            "UPDATE incidents SET body = replace(body, 'High error rate', 'Low error rate') WHERE id = '{id}'"
        ));
        let found = log.send("the Incident was changed", replay()).await;
        found.is(409, "REPLAY_INTEGRITY_VIOLATION");
        let one = found.at("/error/details/violations/0");
        assert_eq!((&one["kind"], &one["eventSeq"]), (&json!("PROJECTION_MISMATCH"), &Value::Null));
        assert_ne!(one["expected"], one["actual"]);
        past_the_guards(&world, &format!("UPDATE incident_events SET actor = 'nobody' WHERE incident_id = '{id}' AND seq = 2"));
        let found = log.send("and one of its events", replay()).await;
        found.is(409, "REPLAY_INTEGRITY_VIOLATION");
        let violations = found.at("/error/details/violations");
        let second = violations.as_array().unwrap().iter().find(|one| one["kind"] == json!("EVENT_HASH_MISMATCH")).unwrap();
        assert_eq!(second["eventSeq"], json!(2));
        assert!(second["expected"].is_string() && second["actual"].is_string() && second["expected"] != second["actual"]);
        for state in ["/finalState", "/events", "/error/details/finalState"] {
            assert_eq!(found.at(state), Value::Null, "nothing is shown that is not so");
        }
        log.assert("control_damaged");
    }
}

/// Changes what is append-only.
fn past_the_guards(world: &World, statement: &str) {
    if world.db.url().starts_with("sqlite") {
        world.db.by_hand("DROP TRIGGER incident_events_no_update");
        world.db.by_hand(statement);
    } else {
        let statement = format!("SET session_replication_role = replica; {statement}");
        world.db.by_hand(&statement);
    }
}
