//! What would a draft have done, over what is on record?

use serde_json::{Value, json};
use services::history::seat;
use testkit::db::TestDb;
use testkit::history::{a_spreadsheet, add_runs, refused};

use crate::harness::{Answer, World};
use crate::log::Log;

const USD: i64 = 1_000_000_000;

const HISTORY: &str = "/api/v1/limits/simulate/history";

fn budget(max: i64) -> Value {
    json!({
        "name": "daily budget", "limit_category": "BUDGET", "limit_type": "COST_USD", "max_value": max,
        "reset_period": "DAILY",
    })
}

fn over(limit: &Value, days: i64) -> Value {
    json!({ "limit": limit, "days": days })
}

async fn wrong(world: &World, body: &Value, (code, pointer): (&str, &str)) -> Answer {
    let answer = world.post(HISTORY, body).send().await;
    answer.is(422, code);
    assert_eq!(answer.text("/errors/0/pointer"), pointer, "{}", answer.body);
    answer
}

testkit::both_databases! {
    async fn a_limit_is_tried_over_what_is_on_record(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let nothing = log.send("nothing is on record", world.post(HISTORY, &over(&budget(100), 1))).await;
        assert_eq!(nothing.ok(200).at("/would_block"), 0);
        let mut runs = a_spreadsheet(world.tenant, USD);
        let mut elsewhere = refused(runs[0].clone());
        elsewhere.id = model::id::RunId::from_bits(90);
        runs.push(elsewhere);
        add_runs(&world.cx.db, runs).await;
        let found = log.send("a budget of 100 a day", world.post(HISTORY, &over(&budget(100), 3))).await;
        assert_eq!((found.ok(200).at("/would_block"), found.at("/blocked/cost_usd")), (json!(2), json!(8)));
        assert_eq!(found.at("/peak/value"), 110);
        let fits = world.post(HISTORY, &over(&budget(110), 3)).send().await;
        assert_eq!((fits.at("/would_block"), fits.at("/peak/utilization_pct")), (json!(0), json!(100)));
        let rate = json!({
            "name": "tokens", "limit_category": "RATE", "limit_type": "TOKENS_PER_HOUR", "max_value": 200, "enforcement": "WARN",
            "model": "gpt-4o*",
        });
        log.send("a rate that warns", world.post(HISTORY, &over(&rate, 2))).await.ok(200);
        let slow = json!({
            "name": "slow", "limit_category": "THRESHOLD", "limit_type": "DURATION_MS", "max_value": 60_000, "consequence": "ABORT",
        });
        log.send("what is measured afterwards", world.post(HISTORY, &json!({ "limit": slow }))).await.ok(200);
        log.assert("limit_history");
        // Nothing was made by trying.
        assert_eq!(world.get("/api/v1/limits").send().await.at("/items"), json!([]));
    }

    async fn what_cannot_be_tried_is_refused_with_its_place(db: TestDb) {
        let world = World::new(db).await;
        let invalid = |pointer| ("validation-failed", pointer);
        for days in [0, 31, -1] {
            wrong(&world, &over(&budget(1), days), invalid("/days")).await;
        }
        for days in [json!("7"), json!(1.5), json!(true), json!([])] {
            wrong(&world, &json!({ "limit": budget(1), "days": days }), invalid("/days")).await;
        }
        wrong(&world, &json!({ "days": 7 }), invalid("/limit")).await;
        wrong(&world, &over(&budget(0), 7), invalid("/limit/max_value")).await;
        wrong(&world, &over(&json!(7), 7), invalid("/limit")).await;
        let with = |name: &str, value: Value| {
            let mut limit = budget(1);
            limit[name] = value;
            over(&limit, 7)
        };
        wrong(&world, &with("reset_period", Value::Null), invalid("/limit/reset_period")).await;
        wrong(&world, &with("limit_type", json!("COST")), invalid("/limit/limit_type")).await;
        wrong(&world, &with("time_zone", json!("Mars/Base")), invalid("/limit/time_zone")).await;
        let half = with("limit_type", json!("TOKENS_TOTAL"));
        let half = { let mut body = half; body["limit"]["max_value"] = json!(0.5); body };
        let answer = wrong(&world, &half, invalid("/limit/max_value")).await;
        assert!(answer.text("/detail").starts_with("`/limit/max_value`: "), "{}", answer.body);
        let foreign = with("api_key_id", json!("key_01M7YQ1WE0000000000000ZZZZ"));
        wrong(&world, &foreign, invalid("/limit/api_key_id")).await;
        wrong(&world, &with("colour", json!("red")), ("unknown-field", "/limit/colour")).await;
        wrong(&world, &with("limit_id", json!("LIM-1")), ("read-only-field", "/limit/limit_id")).await;
        world.post(HISTORY, &with("scope", json!("GLOBAL"))).send().await.is(403, "insufficient-scope");
    }

    async fn a_tenant_goes_through_two_histories_at_once_and_others_meanwhile(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let (_, rival) = world.other_tenant("rival").await;
        let limit = over(&budget(100), 1);
        let drafted = json!({ "name": "no streams", "condition": "run.stream", "enforcement_mode": "BLOCK" });
        let rule = json!({ "rule": drafted });
        let proposed = json!({ "reason": "nobody reads along", "definition": drafted });
        let proposed = world.post("/api/v1/policy-proposals", &proposed).send().await.ok(201).text("/proposal_id");
        let of_proposal = format!("/api/v1/policy-proposals/{proposed}/backtest");
        let first = seat(&world.cx, world.tenant).unwrap();
        world.post(HISTORY, &limit).send().await.ok(200);
        let second = seat(&world.cx, world.tenant).unwrap();
        let refused = log.send("a third", world.post(HISTORY, &limit)).await;
        assert_eq!(refused.is(429, "rate-limited").header("retry-after"), Some("5"));
        world.post("/api/v1/policies/rules/backtest", &rule).send().await.is(429, "rate-limited");
        world.get(&of_proposal).send().await.is(429, "rate-limited");
        // What is wrong is told at once, and who is somebody else is not kept waiting.
        wrong(&world, &over(&budget(0), 7), ("validation-failed", "/limit/max_value")).await;
        world.post(HISTORY, &limit).with(&rival).send().await.ok(200);
        drop(first);
        world.post("/api/v1/policies/rules/backtest", &rule).send().await.ok(200);
        world.get(&of_proposal).send().await.ok(200);
        drop(second);
        log.assert("limit_history_busy");
    }
}
