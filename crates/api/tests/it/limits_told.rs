//! What is told of limits: which of them decides, what lets pass, and what goes on at one time?

use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::{Answer, Call, World};

const CHAT: &str = "/v1/chat/completions";
const SIMULATE: &str = "/api/v1/limits/simulate";

fn chat(world: &World) -> Call<'_> {
    let body = json!({ "model": "gpt-4o-mini", "max_tokens": 50, "messages": [{ "role": "user", "content": "Hello" }] });
    world.post(CHAT, &body)
}

fn limit(limit_type: &str, max: impl Into<Value>, more: &Value) -> Value {
    let mut body = json!({ "name": limit_type, "limit_type": limit_type, "max_value": max.into() });
    let (members, more) = (body.as_object_mut().unwrap(), more.as_object().unwrap());
    members.extend(more.clone());
    body
}

fn daily(limit_type: &str, max: impl Into<Value>, more: &Value) -> Value {
    let mut body = limit(limit_type, max, more);
    (body["limit_category"], body["reset_period"]) = (json!("BUDGET"), json!("DAILY"));
    body
}

fn hourly(max: i64, enforcement: &str) -> Value {
    let more = json!({ "limit_category": "RATE", "enforcement": enforcement });
    limit("REQUESTS_PER_HOUR", max, &more)
}

fn places(max: i64) -> Value {
    limit("CONCURRENT_RUNS", max, &json!({ "limit_category": "BUDGET" }))
}

/// Status, code, whether there is a `Retry-After`, and what is said about trying again.
fn told(answer: &Answer) -> (u16, String, bool, Option<&str>) {
    let again = answer.header("x-should-retry");
    (
        answer.status,
        answer.text("/error/code"),
        answer.header("retry-after").is_some(),
        again,
    )
}

testkit::both_databases! {
    async fn the_first_limit_in_the_order_decides_and_all_of_them_whether_to_try_again(db: TestDb) {
        let world = World::new(db).await;
        let rate = world.limit(&hourly(1, "BLOCK")).await;
        let asked = world.post("/api/v1/limits/check", &json!({ "run_count": 1 })).send().await;
        let hold = asked.ok(200).text("/hold_id");
        let full = chat(&world).send().await;
        assert_eq!(told(&full), (429, "rate_limit_exceeded".to_owned(), true, None));
        // A budget that is spent is asked later, and no waiting for the rate helps any more.
        world.limit(&daily("COST_USD", 0.000_001, &json!({}))).await;
        let run = limit("TOKENS_PER_RUN", 1, &json!({ "limit_category": "THRESHOLD" }));
        world.limit(&run).await;
        let both = chat(&world).send().await;
        assert_eq!(told(&both), (429, "rate_limit_exceeded".to_owned(), false, Some("false")));
        let asked = json!({ "estimated_cost_usd": 1, "estimated_tokens": 2 });
        let said = world.post(SIMULATE, &asked).send().await;
        assert_eq!(said.ok(200).text("/message_code"), "RATE_LIMIT_EXCEEDED");
        assert_eq!((said.text("/blocking_limit_id"), said.at("/checks_performed")), (rate.clone(), json!(3)));
        assert_eq!(said.text("/blocking_limit_type"), "REQUESTS_PER_HOUR");
        let all = said.at("/blocking_limits");
        let all: Vec<&Value> = all.as_array().unwrap().iter().map(|report| &report["limit_type"]).collect();
        assert_eq!(all, ["REQUESTS_PER_HOUR", "COST_USD", "TOKENS_PER_RUN"]);
        world.delete(&format!("/api/v1/limits/{rate}")).send().await.is(409, "limit-in-use");
        world.call("POST", &format!("/api/v1/holds/{hold}/release")).send().await.ok(200);
        world.put(&format!("/api/v1/limits/{rate}"), &json!({ "status": "DISABLED" })).send().await.ok(200);
        let spent = chat(&world).send().await;
        assert_eq!(told(&spent), (429, "insufficient_quota".to_owned(), false, Some("false")));
    }

    async fn what_is_rejected_is_never_to_be_tried_again(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&hourly(1, "REJECT")).await;
        chat(&world).send().await.ok(200);
        let refused = chat(&world).send().await;
        assert_eq!(told(&refused), (429, "rate_limit_exceeded".to_owned(), false, Some("false")));
    }

    async fn what_nobody_knows_the_cost_of_is_told_by_what_lets_pass_and_refused_by_the_rest(db: TestDb) {
        let world = World::new(db).await;
        let prompt = json!({ "model": "mystery-1", "max_tokens": 5, "messages": [{ "role": "user", "content": "hello" }] });
        let unknown = || world.post("/v1/chat/completions", &prompt);
        let mut said = Vec::new();
        for enforcement in ["ALERT", "WARN"] {
            let limit = world.limit(&daily("COST_USD", 50, &json!({ "enforcement": enforcement }))).await;
            said.push(format!("\"{limit}\";code=COST_UNKNOWN"));
        }
        let answer = unknown().send().await;
        let mut told: Vec<&str> = answer.ok(200).header("x-plimsoll-limit-warnings").unwrap().split(", ").collect();
        told.sort_unstable();
        said.sort_unstable();
        assert_eq!(told, said);
        for path in [SIMULATE, "/api/v1/limits/check"] {
            let asked = json!({ "model": "mystery-1", "provider": "openai", "estimated_tokens": 5 });
            let answer = world.post(path, &asked).send().await;
            assert_eq!((answer.ok(200).text("/decision"), answer.text("/message_code")), ("WARN".to_owned(), "COST_UNKNOWN".to_owned()));
            assert!(answer.text("/message").contains("nobody knows what it costs"), "{}", answer.body);
        }
        // What has a price says nothing.
        assert_eq!(chat(&world).send().await.ok(200).header("x-plimsoll-limit-warnings"), None);
        world.limit(&daily("COST_USD", 50, &json!({}))).await;
        unknown().send().await.is(422, "unpriced_model");
    }

    async fn what_lets_pass_is_told_in_the_answer(db: TestDb) {
        let world = World::new(db).await;
        chat(&world).send().await.ok(200);
        assert_eq!(chat(&world).send().await.header("x-plimsoll-limit-warnings"), None);
        let warn = world.limit(&daily("COST_USD", 0.000_001, &json!({ "enforcement": "WARN" }))).await;
        let user = daily("COST_USD", 0.000_001, &json!({ "enforcement": "ALERT", "end_user": "ada" }));
        let user = world.limit(&user).await;
        let answer = chat(&world).send().await;
        let said = format!("\"{warn}\";code=DAILY_COST_BUDGET_EXCEEDED");
        assert_eq!(answer.ok(200).header("x-plimsoll-limit-warnings"), Some(said.as_str()));
        let answer = chat(&world).header("x-plimsoll-end-user", "ada").send().await;
        let both = answer.ok(200).header("x-plimsoll-limit-warnings").unwrap();
        assert_eq!(both.split(", ").count(), 2, "{both}");
        assert!(both.contains(&format!("\"{user}\";code=USER_COST_BUDGET_EXCEEDED")), "{both}");
    }

    async fn places_are_shown_asked_for_and_given_back(db: TestDb) {
        let world = World::new(db).await;
        let made = world.post("/api/v1/limits", &places(2)).send().await;
        assert_eq!((made.ok(201).text("/reset_period"), made.at("/max_value")), ("NONE".to_owned(), json!(2)));
        let never = json!({ "reset_period": "DAILY", "name": "n", "limit_category": "BUDGET", "limit_type": "CONCURRENT_RUNS", "max_value": 1 });
        world.post("/api/v1/limits", &never).send().await.is(422, "validation-failed");
        let check = |delta: i64| world.post("/api/v1/limits/check", &json!({ "concurrency_delta": delta }));
        let first = check(2).send().await;
        assert_eq!(first.ok(200).at("/headroom/runs_remaining"), 0);
        let usage = world.get("/api/v1/limits/usage").send().await;
        assert_eq!((usage.at("/items/0/held"), usage.at("/items/0/spent")), (json!(2), json!(0)));
        let refused = chat(&world).send().await;
        assert_eq!(told(&refused), (429, "rate_limit_exceeded".to_owned(), false, None));
        assert!(refused.header("ratelimit-policy").unwrap().contains("qu=\"concurrent-requests\""));
        let said = check(1).send().await;
        assert_eq!(said.text("/message_code"), "CONCURRENT_RUN_LIMIT_EXCEEDED");
        assert!(said.text("/message").starts_with("Too many LLM Runs at one time"), "{}", said.body);
        assert_eq!(check(0).send().await.text("/decision"), "WARN", "nothing is left, and nothing is asked for");
        let path = format!("/api/v1/holds/{}/release", first.text("/hold_id"));
        world.call("POST", &path).send().await.ok(200);
        chat(&world).send().await.ok(200);
        assert_eq!(world.get("/api/v1/limits/usage").send().await.at("/items/0/held"), 0);
        let shown = world.get("/api/v1/runtime/policies/limits?type=BUDGET").send().await;
        assert_eq!(shown.ok(200).text("/items/0/limit_type"), "CONCURRENT_RUNS");
        let history = world.post("/api/v1/limits/simulate/history", &json!({ "limit": places(1), "days": 1 })).send().await;
        assert_eq!((history.ok(200).at("/would_block"), history.at("/peak/value")), (json!(0), json!(1)));
        for delta in [-1, 1_000_001] {
            check(delta).send().await.is(422, "validation-failed");
        }
    }

    async fn workers_features_and_users_have_two_names_each(db: TestDb) {
        let world = World::new(db).await;
        world.post("/api/v1/agents", &json!({ "agent_id": "crawler" })).send().await.ok(201);
        world.limit(&daily("REQUESTS_TOTAL", 1, &json!({ "scope": "AGENT", "scope_id": "crawler" }))).await;
        world.limit(&daily("COST_USD", 1, &json!({ "feature": "answers" }))).await;
        world.limit(&daily("COST_USD", 1, &json!({ "end_user": "ada" }))).await;
        let cases = [
            (json!({ "worker_id": "crawler", "run_count": 2 }), "WORKER_DAILY_LIMIT_EXCEEDED"),
            (json!({ "agent_id": "crawler", "worker_id": "crawler", "run_count": 2 }), "WORKER_DAILY_LIMIT_EXCEEDED"),
            (json!({ "feature_id": "answers", "estimated_cost_usd": 2 }), "FEATURE_COST_BUDGET_EXCEEDED"),
            (json!({ "feature": "answers", "user_id": "ada", "estimated_cost_usd": 2 }), "FEATURE_COST_BUDGET_EXCEEDED"),
            (json!({ "user_id": "ada", "estimated_cost_usd": 2 }), "USER_COST_BUDGET_EXCEEDED"),
        ];
        for (body, code) in cases {
            let answer = world.post(SIMULATE, &body).send().await;
            assert_eq!(answer.ok(200).text("/message_code"), code, "{body}");
        }
        for body in [
            json!({ "agent_id": "crawler", "worker_id": "another" }),
            json!({ "feature": "answers", "feature_id": "another" }),
            json!({ "end_user": "ada", "user_id": "bob" }),
            json!({ "user_id": "" }),
        ] {
            world.post(SIMULATE, &body).send().await.is(422, "validation-failed");
        }
        for more in [json!({ "feature": "a b" }), json!({ "end_user": " " }), json!({ "end_user": "é".repeat(201) })] {
            world.post("/api/v1/limits", &daily("TOKENS_TOTAL", 1, &more)).send().await.is(422, "validation-failed");
        }
    }
}
