//! Does a customer see what Incidents there are, what they cost and what can be learned from them?

use model::id::RunId;
use model::severity::Severity;
use model::time::Clock as _;
use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::governance::{TestIncident, acknowledged, add_incidents, incident, resolved};
use testkit::history::{add_runs, stand_in};

use crate::harness::World;
use crate::log::Log;
use crate::policy_proposals::failure;

const LIST: &str = "/api/v1/incidents";

/// Four Incidents: one open, one that is seen, one that is over, and one of another service that is critical.
async fn four(world: &World) -> Vec<TestIncident> {
    let at = |second| world.clock.now().plus_seconds(second - 100);
    let mut made: Vec<TestIncident> = (1..=4)
        .map(|number| incident(world.tenant, number, at(i64::try_from(number).unwrap())))
        .collect();
    made[1] = acknowledged(made[1].clone(), at(10));
    made[2] = resolved(made[2].clone(), at(20));
    made[3].creation.service = "search".to_owned();
    made[3].creation.severity = Severity::Sev1;
    for (number, one) in (1..).zip(&mut made) {
        one.creation.run = Some(RunId::from_bits(number));
    }
    let runs = made
        .iter()
        .zip(1..)
        .map(|(one, number)| stand_in(world.tenant, RunId::from_bits(number), one.at));
    add_runs(&world.cx.db, runs.collect()).await;
    add_incidents(&world.cx.db, made.clone()).await;
    made
}

/// Which of them a list shows, by their numbers.
async fn listed(world: &World, made: &[TestIncident], query: &str) -> Vec<usize> {
    let page = world.get(&format!("{LIST}{query}")).send().await;
    let items = page.ok(200).at("/items");
    let number = |item: &Value| {
        let id = item["incident_id"].as_str().unwrap();
        made.iter().position(|one| one.id().to_string() == id).unwrap() + 1
    };
    items.as_array().unwrap().iter().map(number).collect()
}

testkit::both_databases! {
    async fn incidents_are_listed_newest_first_by_what_they_are(db: TestDb) {
        let world = World::new(db).await;
        let made = four(&world).await;
        let mut log = Log::default();
        log.send("all of them", world.get(LIST)).await.ok(200);
        let created = made[1].at;
        let cases = [
            ("", vec![4, 3, 2, 1]),
            ("?topic=ACTIVE", vec![4, 2, 1]),
            ("?topic=RESOLVED", vec![3]),
            ("?lifecycle_state=ACTIVE", vec![4, 1]),
            ("?lifecycle_state=ACKED", vec![2]),
            ("?lifecycle_state=RESOLVED&include_archived=true", vec![3]),
            ("?topic=RESOLVED&lifecycle_state=ACKED", vec![]),
            ("?severity=critical", vec![4]),
            ("?category=EXECUTION_FAILURE", vec![4, 3, 2, 1]),
            ("?category=RATE_LIMIT", vec![]),
            ("?cause_type=HUMAN", vec![]),
            ("?service=search", vec![4]),
            (&format!("?created_after={created}&created_before={created}"), vec![2]),
        ];
        for (query, expected) in cases {
            assert_eq!(listed(&world, &made, query).await, expected, "{query}");
        }
        let first = world.get(&format!("{LIST}?limit=3")).send().await;
        assert_eq!((first.ok(200).at("/has_more"), first.at("/items/3")), (json!(true), Value::Null));
        let cursor = first.text("/next_cursor");
        assert_eq!(listed(&world, &made, &format!("?limit=3&cursor={cursor}")).await, [1]);
        // It belongs to this list, this filter and this tenant.
        world.get(&format!("{LIST}?limit=3&topic=ACTIVE&cursor={cursor}")).send().await.is(400, "invalid-cursor");
        let (_, other) = world.other_tenant("other").await;
        world.get(&format!("{LIST}?limit=3&cursor={cursor}")).with(&other).send().await.is(400, "invalid-cursor");
        let theirs = world.get(LIST).with(&other).send().await;
        assert_eq!((theirs.ok(200).at("/items"), theirs.at("/has_more")), (json!([]), json!(false)));
        log.assert("incidents_list");
    }

    async fn what_is_wrong_with_a_question_about_incidents_is_said(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let questions = [
            "?topic=ACKED", "?lifecycle_state=OPEN", "?severity=SEV1", "?cause_type=llm_run", "?category=",
            "?created_after=yesterday", "?created_after=2026-01-02T00:00:00Z&created_before=2026-01-01T00:00:00Z",
            "?include_archived=yes", "?limit=0", "?limit=201", "?offset=5", "?topic=ACTIVE&topic=ACTIVE",
            "/patterns?window_hours=0", "/patterns?window_hours=169", "/patterns?limit=51", "/patterns?days=1",
            "/recurring?baseline_days=91", "/recurring?recurrence_threshold=1", "/recurring?limit=x",
        ];
        for question in questions {
            log.send(question, world.get(&format!("{LIST}{question}"))).await.is(400, "invalid-parameter");
        }
        for what in ["cost-impact", "learnings"] {
            world.get(&format!("{LIST}/inc_1/{what}")).send().await.is(404, "not-found");
            world.get(&format!("{LIST}/inc_0f3a9c5d2b7e41868a5c0d9e7f1b2a34/{what}")).send().await.is(404, "not-found");
        }
        world.get("/api/v1/runs/run_1/logs").send().await.is(404, "not-found");
        log.assert("incidents_questions");
    }

    async fn what_an_incident_cost_and_what_is_on_record_of_its_run_is_shown(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let run = failure(&world, &world.key).await;
        let of_run = world.get(&format!("/api/v1/runs/{run}/incidents")).send().await;
        let id = of_run.ok(200).text("/items/0/incident_id");
        world.clock.advance_seconds(3);
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 50, "messages": [{ "role": "user", "content": "hello" }] });
        let again = world.post("/v1/chat/completions", &prompt).header("x-plimsoll-parent-run-id", &run).send().await;
        let again = again.ok(200).header("x-plimsoll-run-id").unwrap().to_owned();
        let cost = log.send("what it cost", world.get(&format!("{LIST}/{id}/cost-impact"))).await;
        assert_eq!((cost.ok(200).at("/runs_affected"), cost.at("/recovered")), (json!(2), json!(true)));
        let attempt = world.get(&format!("/api/v1/runs/{again}")).send().await;
        assert_eq!(attempt.ok(200).text("/parent_run_id"), run);
        assert_eq!(cost.text("/recovery_cost_nano_usd"), attempt.text("/cost_nano_usd"));
        log.send("what can be learned", world.get(&format!("{LIST}/{id}/learnings"))).await.ok(200);
        log.send("what they have in common", world.get(&format!("{LIST}/patterns"))).await.ok(200);
        log.send("what comes back", world.get(&format!("{LIST}/recurring?recurrence_threshold=2"))).await.ok(200);
        let logs = log.send("what is on record of the LLM Run", world.get(&format!("/api/v1/runs/{run}/logs"))).await;
        assert_eq!(logs.ok(200).at("/incident_ids"), json!([id]));
        assert!(!logs.body.contains("hello"), "what was asked is not there");
        let wrong = world.post("/v1/chat/completions", &prompt).header("x-plimsoll-parent-run-id", "run_1").send().await;
        assert_eq!(wrong.status, 400, "{}", wrong.body);
        log.assert("incidents_costs");
    }

    async fn what_comes_back_is_shown_with_what_was_learned(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let made = four(&world).await;
        log.send("what they have in common", world.get(&format!("{LIST}/patterns?window_hours=1"))).await.ok(200);
        log.send("what comes back", world.get(&format!("{LIST}/recurring"))).await.ok(200);
        let first = made[0].id();
        log.send("what can be learned", world.get(&format!("{LIST}/{first}/learnings"))).await.ok(200);
        log.send("what it cost", world.get(&format!("{LIST}/{first}/cost-impact"))).await.ok(200);
        log.assert("incidents_learned");
    }
}
