//! Does the way from a failed LLM Run to a Policy Rule lead through the API?

use model::id::{IncidentId, PreventionId, RuleId, RunId};
use model::time::Clock as _;
use serde_json::{Value, json};
use services::incidents::failures::explain_all;
use testkit::db::TestDb;
use testkit::governance::prevent;
use testkit::upstream::Fault;

use crate::harness::{Call, World};
use crate::log::Log;

const LIST: &str = "/api/v1/policy-proposals";

/// An LLM Run that the provider answers with 500, once its Incident is open.
pub(crate) async fn failure(world: &World, key: &str) -> String {
    world.upstream.fault(Fault::Status {
        status: 500,
        body: None,
        headers: [].into(),
    });
    let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 50, "messages": [{ "role": "user", "content": "hello" }] });
    let answer = world.post("/v1/chat/completions", &prompt).with(key).send().await;
    let run = answer.ok(500).header("x-plimsoll-run-id").unwrap().to_owned();
    explain_all(&world.cx).await.unwrap();
    run
}

/// The id of the newest proposal.
async fn newest(world: &World) -> String {
    world.get(LIST).send().await.ok(200).text("/items/0/proposal_id")
}

/// A rule as somebody writes it.
fn written(mode: &str) -> Value {
    json!({ "name": "no large models", "condition": "run.model == 'gpt-4o'", "enforcement_mode": mode })
}

const REASON: &str = "it would have kept us from this";

fn review<'w>(world: &'w World, id: &str, what: &str) -> Call<'w> {
    world.call("POST", &format!("{LIST}/{id}/{what}"))
}

testkit::both_databases! {
    async fn a_failure_becomes_a_proposal_and_an_approved_proposal_a_rule(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        log.send("nothing yet", world.get(LIST)).await.ok(200);
        let run = failure(&world, &world.key).await;
        let incidents = log.send("the Incident", world.get("/api/v1/runtime/incidents?topic=ACTIVE")).await;
        assert_eq!((incidents.at("/total"), incidents.text("/items/0/llm_run_id")), (json!(1), run.clone()));
        let listed = log.send("its proposal", world.get(&format!("{LIST}?status=PENDING&proposal_type=CREATE"))).await;
        let id = listed.text("/items/0/proposal_id");
        assert_eq!(listed.text("/items/0/triggering_run_id"), run);
        log.send("one proposal", world.get(&format!("{LIST}/{id}"))).await.ok(200);
        let body = json!({ "enforcement_mode": "BLOCK", "review_notes": "seen twice this week" });
        let approved = log.send("approve it", review(&world, &id, "approve").json(&body).once("a-review")).await;
        let rule = approved.ok(200).text("/rule_id");
        let again = review(&world, &id, "approve").json(&body).once("a-review").send().await;
        assert_eq!((again.body.as_str(), again.header("idempotency-replayed")), (approved.body.as_str(), Some("true")));
        let same = log.send("approve it again", review(&world, &id, "approve")).await;
        assert_eq!(same.ok(200).body, approved.body);
        log.send("say something else", review(&world, &id, "reject")).await.is(409, "proposal-reviewed");
        let milder = review(&world, &id, "approve").json(&json!({ "enforcement_mode": "WARN" }));
        log.send("in another mode", milder).await.is(409, "proposal-reviewed");
        let made = world.get(&format!("/api/v1/policies/rules/{rule}")).send().await;
        assert_eq!((made.text("/status"), made.text("/source"), made.text("/source_run_id")), ("ACTIVE".to_owned(), "LEARNED".to_owned(), run));
        let shown = world.get("/api/v1/runtime/policies/rules?status=ACTIVE").send().await;
        assert_eq!(shown.text("/items/0/rule_id"), rule);
        log.assert("policy_proposals");
    }

    async fn a_refusal_names_the_incident_of_a_rule_that_another_one_goes_before(db: TestDb) {
        let world = World::new(db).await;
        failure(&world, &world.key).await;
        let incident = world.get("/api/v1/runtime/incidents?topic=ACTIVE").send().await.text("/items/0/incident_id");
        review(&world, &newest(&world).await, "approve").send().await.ok(200);
        world.post("/api/v1/projects", &json!({ "project_id": "shop" })).send().await.ok(201);
        let body = json!({ "name": "not here", "condition": "run.model != ''", "enforcement_mode": "BLOCK", "scope": "PROJECT", "scope_id": "shop" });
        let narrow = world.post("/api/v1/policies/rules", &body).send().await.ok(201).text("/rule_id");
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 50, "messages": [{ "role": "user", "content": "hello" }] });
        let refused = world.post("/v1/chat/completions", &prompt).with(&world.key).header("x-plimsoll-project", "shop").send().await;
        let refused = refused.ok(403);
        assert_eq!((refused.header("x-plimsoll-rule-id"), refused.header("x-plimsoll-incident-id")), (Some(narrow.as_str()), Some(incident.as_str())));
    }

    async fn people_propose_and_what_stands_against_it_is_listed(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let make = json!({ "reason": REASON, "definition": written("WARN") });
        let asked = log.send("a new Policy Rule", world.post(LIST, &make)).await;
        let first = asked.ok(201).text("/proposal_id");
        let approved = review(&world, &first, "approve").send().await;
        let rule = approved.ok(200).text("/rule_id");
        let twin = json!({ "reason": REASON, "definition": written("BLOCK") });
        let twin = log.send("one that contradicts it", world.post(LIST, &twin)).await.ok(201).text("/proposal_id");
        log.send("is not approved", review(&world, &twin, "approve")).await.is(409, "policy-conflict");
        let modify = json!({ "proposal_type": "MODIFY", "target_rule_id": rule, "reason": REASON, "definition": written("BLOCK") });
        let asked = log.send("another version", world.post(LIST, &modify)).await;
        let changed = review(&world, &asked.ok(201).text("/proposal_id"), "approve").send().await;
        assert_eq!(changed.ok(200).text("/rule_id"), rule);
        let retire = json!({ "proposal_type": "RETIRE", "target_rule_id": rule, "reason": REASON });
        let asked = log.send("its end", world.post(LIST, &retire)).await.ok(201).text("/proposal_id");
        let notes = json!({ "review_notes": "we still need it" });
        log.send("is rejected", review(&world, &asked, "reject").json(&notes)).await.ok(200);
        let run = failure(&world, &world.key).await;
        let incident = world.get("/api/v1/runtime/incidents?topic=ACTIVE").send().await.text("/items/0/incident_id");
        let drafted = newest(&world).await;
        log.send("the failure has one", world.post(LIST, &json!({ "incident_id": incident }))).await.is(409, "already-exists");
        review(&world, &drafted, "reject").send().await.ok(200);
        let anew = log.send("a draft for an Incident", world.post(LIST, &json!({ "incident_id": incident }))).await;
        assert_eq!((anew.ok(201).text("/proposed_by"), anew.text("/triggering_run_id")), ("HUMAN".to_owned(), run));
        let piece = world.get(&format!("{LIST}?limit=2")).send().await;
        let next = format!("{LIST}?limit=2&cursor={}", piece.ok(200).text("/next_cursor"));
        assert_eq!(world.get(&next).send().await.ok(200).at("/items").as_array().unwrap().len(), 2);
        log.assert("policy_proposals_people");
    }

    async fn wrong_proposals_and_reviews_are_refused(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let none = IncidentId::derive(world.tenant, "none").to_string();
        let rule = RuleId::from_bits(1).to_string();
        for (title, body) in [
            ("nothing", json!({})),
            ("no reason", json!({ "definition": written("BLOCK") })),
            ("no definition", json!({ "reason": REASON })),
            ("a short reason", json!({ "reason": "because", "definition": written("BLOCK") })),
            ("an unknown Incident", json!({ "incident_id": none })),
            ("an Incident and more", json!({ "incident_id": none, "reason": REASON })),
            ("a target of a new one", json!({ "reason": REASON, "definition": written("BLOCK"), "target_rule_id": rule })),
            ("no target", json!({ "proposal_type": "MODIFY", "reason": REASON, "definition": written("BLOCK") })),
            ("an unknown target", json!({ "proposal_type": "RETIRE", "reason": REASON, "target_rule_id": rule })),
            ("a definition to retire", json!({ "proposal_type": "RETIRE", "reason": REASON, "target_rule_id": rule, "definition": written("BLOCK") })),
            ("a condition that is none", json!({ "reason": REASON, "definition": { "name": "x", "condition": "run.modell == 'x'", "enforcement_mode": "BLOCK" } })),
            ("an unknown type", json!({ "proposal_type": "DELETE", "reason": REASON })),
            ("what the server says", json!({ "reason": REASON, "definition": written("BLOCK"), "status": "APPROVED" })),
        ] {
            log.send(title, world.post(LIST, &body)).await.ok(422);
        }
        let id = world.post(LIST, &json!({ "reason": REASON, "definition": written("BLOCK") })).send().await.ok(201).text("/proposal_id");
        for (title, what, body) in [
            ("an unknown mode", "approve", json!({ "enforcement_mode": "DISABLED" })),
            ("empty notes", "reject", json!({ "review_notes": " " })),
            ("an unknown member", "approve", json!({ "mode": "BLOCK" })),
        ] {
            log.send(title, review(&world, &id, what).json(&body)).await.ok(422);
        }
        log.send("an unknown status", world.get(&format!("{LIST}?status=DRAFT"))).await.is(400, "invalid-parameter");
        log.assert("policy_proposals_refused");
    }

    async fn what_a_rule_has_prevented_is_counted_with_its_saving(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        failure(&world, &world.key).await;
        let rule = review(&world, &newest(&world).await, "approve").send().await.ok(200).text("/rule_id");
        let path = format!("/api/v1/policies/rules/{rule}/effectiveness");
        let before = log.send("nothing yet", world.get(&format!("{path}?window_days=2"))).await;
        assert_eq!((before.at("/prevented_count"), before.at("/incidents_before"), before.at("/effectiveness_rate")), (json!(0), json!(1), Value::Null));
        world.clock.advance_seconds(86_400);
        let incident: IncidentId = world.get("/api/v1/runtime/incidents?topic=ACTIVE").send().await.text("/items/0/incident_id").parse().unwrap();
        let of = (world.tenant, rule.parse::<RuleId>().unwrap(), incident);
        for number in 1..=2 {
            prevent(&world.cx.db, of, (PreventionId::from_bits(number), RunId::from_bits(number)), 15_000_000, world.clock.now()).await;
        }
        let wrong = format!("/api/v1/policies/preventions/{}/false-positive", PreventionId::from_bits(2));
        let body = json!({ "reason": "the provider had mended it by then" });
        log.send("one was wrong", world.post(&wrong, &body)).await.ok(200);
        log.send("a short reason", world.post(&wrong, &json!({ "reason": "no" }))).await.ok(422);
        let after = log.send("two, of which one was wrong", world.get(&format!("{path}?window_days=2"))).await;
        assert_eq!((after.at("/prevented_count"), after.at("/false_positive_count")), (json!(2), json!(1)));
        // What was wrong saved nothing.
        assert_eq!((after.at("/estimated_cost_saved_cents"), after.text("/estimated_cost_saved_nano_usd")), (json!(2), "15000000".to_owned()));
        assert_eq!(after.at("/effectiveness_rate"), json!(0.5));
        assert_eq!(world.get(&path).send().await.at("/window_days"), json!(30));
        for wrong in ["0", "366", "ten"] {
            world.get(&format!("{path}?window_days={wrong}")).send().await.is(400, "invalid-parameter");
        }
        log.assert("policy_rule_effectiveness");
    }

    async fn what_was_prevented_is_listed_with_who_called_it_wrong(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let list = "/api/v1/policies/preventions";
        log.send("nothing yet", world.get(list)).await.ok(200);
        failure(&world, &world.key).await;
        let rule = review(&world, &newest(&world).await, "approve").send().await.ok(200).text("/rule_id");
        let incident = world.get("/api/v1/runtime/incidents?topic=ACTIVE").send().await.text("/items/0/incident_id");
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 50, "messages": [{ "role": "user", "content": "hello" }] });
        let mut blocked = Vec::new();
        for _ in 1..=3 {
            world.clock.advance_seconds(1);
            let refused = world.post("/v1/chat/completions", &prompt).send().await;
            blocked.push(refused.ok(403).header("x-plimsoll-run-id").unwrap().to_owned());
        }
        blocked.reverse();
        let all = log.send("three, the newest first", world.get(list)).await.ok(200).json();
        let items = all["items"].as_array().unwrap();
        assert_eq!(items.iter().map(|item| item["blocked_run_id"].as_str().unwrap()).collect::<Vec<_>>(), blocked);
        let wrong = format!("{list}/{}/false-positive", items[1]["prevention_id"].as_str().unwrap());
        let body = json!({ "reason": "the provider had mended it by then" });
        world.post(&wrong, &body).send().await.ok(200);
        let of = format!("{list}?rule_id={rule}&incident_id={incident}");
        let marked = log.send("the one that was wrong", world.get(&format!("{of}&false_positive=true"))).await.ok(200).json();
        assert_eq!((&marked["items"][0]["blocked_run_id"], marked["items"][1].is_null()), (&json!(blocked[1]), true));
        let others = world.get(&format!("{of}&false_positive=false&limit=1")).send().await.ok(200).json();
        assert_eq!((&others["items"][0]["blocked_run_id"], &others["has_more"]), (&json!(blocked[0]), &json!(true)));
        let cursor = others["next_cursor"].as_str().unwrap();
        let rest = world.get(&format!("{of}&false_positive=false&limit=1&cursor={cursor}")).send().await.ok(200).json();
        assert_eq!((&rest["items"][0]["blocked_run_id"], &rest["has_more"]), (&json!(blocked[2]), &json!(false)));
        world.get(&format!("{of}&limit=1&cursor={cursor}")).send().await.is(400, "invalid-cursor");
        for wrong in ["rule_id=LIM-1", "incident_id=inc_1", "false_positive=maybe", "limit=0", "offset=1"] {
            world.get(&format!("{list}?{wrong}")).send().await.is(400, "invalid-parameter");
        }
        let unknown = RuleId::from_bits(7);
        let none = log.send("of no rule", world.get(&format!("{list}?rule_id={unknown}"))).await.ok(200).json();
        assert_eq!(none["items"], json!([]));
        let (_, their_key) = world.other_tenant("rival").await;
        assert_eq!(world.get(list).with(&their_key).send().await.ok(200).at("/items"), json!([]));
        log.assert("policy_preventions");
    }
}
