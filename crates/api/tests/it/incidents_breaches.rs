//! Can a customer see that an LLM Run passed a budget, what came of it, and which breaches that is about?

use serde_json::{Value, json};
use services::incidents::breaches;
use testkit::db::TestDb;

use crate::harness::World;
use crate::log::Log;

fn budget() -> Value {
    json!({
        "name": "a day of answers", "limit_category": "BUDGET", "limit_type": "COST_USD", "max_value": 0.0001,
        "reset_period": "DAILY", "enforcement": "WARN",
    })
}

testkit::both_databases! {
    async fn a_run_that_passes_a_budget_is_an_incident_that_names_the_breach(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let limit = world.limit(&budget()).await;
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 50, "messages": [{ "role": "user", "content": "hello" }] });
        let served = world.post("/v1/chat/completions", &prompt).send().await;
        let run = served.ok(200).header("x-plimsoll-run-id").unwrap().to_owned();
        breaches::explain_all(&world.cx).await.unwrap();
        let listed = world.get("/api/v1/runtime/incidents?topic=ACTIVE").send().await;
        let id = listed.ok(200).text("/items/0/incident_id");
        let incident = log.send("the Incident", world.get(&format!("/api/v1/incidents/{id}"))).await;
        assert_eq!(
            (incident.ok(200).text("/category"), incident.text("/attribution"), incident.text("/severity")),
            ("BUDGET_EXCEEDED".to_owned(), "BUDGET_EXCEEDED".to_owned(), "high".to_owned())
        );
        let about = log.send("what it is about", world.get(&format!("/api/v1/incidents/{id}/breaches"))).await;
        assert_eq!((about.ok(200).text("/items/0/limit_id"), about.text("/items/0/llm_run_id")), (limit, run.clone()));
        assert_eq!(about.at("/items/1"), Value::Null);
        let back = world.get(&format!("/api/v1/runs/{run}/incidents")).send().await;
        assert_eq!(back.ok(200).text("/items/0/incident_id"), id, "the LLM Run names it, too");
        log.assert("incident_breaches");
        let unknown = world.get("/api/v1/incidents/inc_00000000000000000000000000000009/breaches").send().await;
        unknown.is(404, "not-found");
    }
}
