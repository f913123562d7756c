//! Does a budget that is used up become an anomaly and an Incident that name each other, and each once a day?

use serde_json::{Value, json};
use services::incidents::anomalies::{Found, detect_all};
use services::incidents::breaches;
use testkit::db::TestDb;

use crate::harness::World;
use crate::log::Log;

fn budget() -> Value {
    json!({
        "name": "a month of answers", "limit_category": "BUDGET", "limit_type": "COST_USD", "max_value": 1000,
        "reset_period": "MONTHLY", "enforcement": "WARN",
    })
}

/// Spends so many dollars, as somebody reports it afterwards.
async fn spends(world: &World, usd: u32) {
    let check = json!({ "estimated_cost_usd": usd });
    let hold = world
        .made(&world.key, "limits/check", check)
        .await
        .text("/hold_id");
    let settle = json!({ "cost_usd": usd });
    world
        .post(&format!("/api/v1/holds/{hold}/settle"), &settle)
        .send()
        .await
        .ok(200);
}

testkit::both_databases! {
    async fn a_budget_of_a_month_that_is_passed_is_one_anomaly_a_day_and_one_incident(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let limit = world.limit(&budget()).await;
        spends(&world, 850).await;
        // A warning is kept, and opens nothing.
        assert_eq!(detect_all(&world.cx).await.unwrap(), Found { anomalies: 1, incidents: 0, again: 0 });
        spends(&world, 200).await;
        assert_eq!(detect_all(&world.cx).await.unwrap(), Found { anomalies: 1, incidents: 1, again: 0 });
        assert_eq!(detect_all(&world.cx).await.unwrap(), Found::default(), "once a day");
        let listed = world.get("/api/v1/incidents").send().await;
        let id = listed.ok(200).text("/items/0/incident_id");
        let incident = log.send("the Incident", world.get(&format!("/api/v1/incidents/{id}"))).await;
        assert_eq!(
            (incident.ok(200).text("/category"), incident.text("/cause_type"), incident.text("/severity")),
            ("BUDGET_EXCEEDED".to_owned(), "SYSTEM".to_owned(), "high".to_owned())
        );
        let about = log.send("what it is about", world.get(&format!("/api/v1/incidents/{id}/anomalies"))).await;
        assert_eq!((about.ok(200).text("/items/0/entity_id"), about.at("/items/0/deviation_pct")), (limit, json!(105)));
        assert_eq!(about.at("/items/1"), Value::Null);
        // The breach of the same Limit is the same Incident.
        breaches::explain_all(&world.cx).await.unwrap();
        // The next day it is another anomaly, and still the same Incident.
        world.clock.advance_seconds(86_400);
        assert_eq!(detect_all(&world.cx).await.unwrap(), Found { anomalies: 1, incidents: 0, again: 1 });
        let listed = world.get("/api/v1/incidents").send().await;
        assert_eq!((listed.ok(200).at("/items/0/occurrences"), listed.at("/items/1")), (json!(3), Value::Null));
        let about = world.get(&format!("/api/v1/incidents/{id}/anomalies")).send().await;
        assert_eq!(about.at("/items").as_array().map(Vec::len), Some(2));
        log.assert("incident_anomalies");
    }

    async fn what_was_seen_to_today_is_not_opened_once_more_today(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget()).await;
        spends(&world, 1050).await;
        // The breach is looked at first.
        breaches::explain_all(&world.cx).await.unwrap();
        let id = world.get("/api/v1/incidents").send().await.text("/items/0/incident_id");
        world.post(&format!("/api/v1/incidents/{id}/resolve"), &json!({})).send().await.ok(200);
        assert_eq!(detect_all(&world.cx).await.unwrap(), Found { anomalies: 1, incidents: 0, again: 0 });
        let about = world.get(&format!("/api/v1/incidents/{id}/anomalies")).send().await;
        assert_eq!(about.ok(200).text("/items/0/anomaly_type"), "BUDGET_EXCEEDED");
        let listed = world.get("/api/v1/incidents").send().await;
        assert_eq!(listed.at("/items/1"), Value::Null);
    }
}
