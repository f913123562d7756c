//! Scenario 1 of the build plan: is a budget held before it is spent?

use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::{Answer, World, budget};
use crate::log::Log;

fn cost(usd: u32) -> Value {
    json!({ "estimated_cost_usd": usd })
}

async fn ask(log: &mut Log, world: &World, title: &str, usd: u32) -> Answer {
    log.send(title, world.post("/api/v1/limits/check", &cost(usd)))
        .await
}

async fn settle(log: &mut Log, world: &World, title: &str, checked: &Answer, usd: u32) -> Answer {
    let path = format!("/api/v1/holds/{}/settle", checked.text("/hold_id"));
    log.send(title, world.post(&path, &json!({ "cost_usd": usd })))
        .await
}

testkit::both_databases! {
    async fn a_daily_budget_of_50_refuses_the_10_that_would_pass_it_and_lets_them_pass_once_it_is_raised(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let made = log.send("a budget of $50 a day", world.post("/api/v1/limits", &budget(50))).await;
        made.ok(201);
        for round in 1..=3 {
            let checked = ask(&mut log, &world, &format!("check {round} of $15"), 15).await;
            assert_eq!(checked.at("/allowed"), true);
            settle(&mut log, &world, &format!("settle {round} of $15"), &checked, 15).await.ok(200);
        }
        let refused = ask(&mut log, &world, "$10 do not fit into the $5 that are left", 10).await;
        assert_eq!(refused.status, 200);
        assert_eq!(refused.at("/decision"), "BLOCK");
        let blocking = refused.at("/blocking_limits/0");
        let expected = json!({
            "limit_id": made.text("/limit_id"), "name": "daily budget", "limit_type": "COST_USD",
            "limit": 50, "spent": 45, "held": 0, "requested": 10, "resets_at": "2026-11-22T00:00:00.000Z",
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&blocking[name], value, "{name}");
        }
        assert_eq!(refused.at("/headroom/cost_remaining_usd"), 5);

        let path = format!("/api/v1/limits/{}", made.text("/limit_id"));
        log.send("the budget is raised to $100", world.put(&path, &json!({ "max_value": 100 }))).await.ok(200);
        let allowed = ask(&mut log, &world, "now they fit", 10).await;
        assert_eq!(allowed.at("/allowed"), true);
        settle(&mut log, &world, "and are spent", &allowed, 10).await.ok(200);
        log.send("what is used", world.get("/api/v1/limits/usage")).await.ok(200);
        let costs = log.send("what was spent", world.get("/api/v1/analytics/costs")).await;
        assert_eq!(costs.at("/total_cost_usd"), 55);
        assert_eq!(costs.at("/total_requests"), 4);
        log.assert("scenario_1");
    }

    async fn eight_of_ten_are_spent_then_five_are_refused_until_the_limit_is_twenty(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let made = log.send("a budget of $10 a day", world.post("/api/v1/limits", &budget(10))).await;
        let eight = ask(&mut log, &world, "8 fit", 8).await;
        settle(&mut log, &world, "8 are spent", &eight, 8).await.ok(200);
        let five = ask(&mut log, &world, "5 do not fit", 5).await;
        assert_eq!(five.at("/decision"), "BLOCK");
        assert_eq!(five.at("/hold_id"), Value::Null);
        let path = format!("/api/v1/limits/{}", made.text("/limit_id"));
        log.send("the budget is raised to $20", world.put(&path, &json!({ "max_value": 20 }))).await.ok(200);
        assert_eq!(ask(&mut log, &world, "5 fit", 5).await.at("/allowed"), true);
        log.assert("scenario_1_seed");
    }

    async fn of_two_checks_of_six_at_the_same_instant_ten_let_one_pass(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(10)).await;
        let six = || world.post("/api/v1/limits/check", &cost(6)).send();
        let (one, two) = tokio::join!(six(), six());
        let mut decisions = [one.at("/decision"), two.at("/decision")].map(|word| word.to_string());
        decisions.sort();
        assert_eq!(decisions, ["\"ALLOW\"", "\"BLOCK\""]);
    }
}
