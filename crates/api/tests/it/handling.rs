//! What does an answer say where a request has waited, or where less is served than was asked for?

use std::time::Duration;

use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::providers::UNPRICED_MODEL;

use crate::harness::{Answer, World};

const OPENAI: &str = "/v1/chat/completions";
const ANTHROPIC: &str = "/v1/messages";

const OURS: [&str; 4] = [
    "x-plimsoll-queued-ms",
    "x-plimsoll-queue-deadline",
    "x-plimsoll-served-model",
    "x-plimsoll-degraded-by",
];

fn chat(model: &str) -> Value {
    json!({ "model": model, "max_tokens": 50, "messages": [{ "role": "user", "content": "Hello" }] })
}

/// A daily budget that all requests under it wait for.
fn queue(usd: u32, queue_timeout_ms: u32) -> Value {
    json!({
        "name": "in line", "limit_category": "BUDGET", "limit_type": "COST_USD", "reset_period": "DAILY",
        "max_value": usd, "enforcement": "QUEUE", "queue_timeout_ms": queue_timeout_ms,
    })
}

/// A daily budget that has room for small models only.
fn degrade(model: &str) -> Value {
    json!({
        "name": "small models", "limit_category": "BUDGET", "limit_type": "COST_USD", "reset_period": "DAILY",
        "max_value": 0.01, "enforcement": "DEGRADE", "degrade_model": model,
    })
}

/// Which of our headers about handling an answer carries.
fn handled(answer: &Answer) -> Vec<&'static str> {
    OURS.into_iter()
        .filter(|name| answer.header(name).is_some())
        .collect()
}

async fn until_waiting(world: &World, count: usize) {
    for _ in 0..1_000 {
        if world.cx.ledger.waiting() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} wait, and not {count}", world.cx.ledger.waiting());
}

testkit::both_databases! {
    async fn what_is_served_after_waiting_says_how_long_and_until_when(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&queue(1, 20_000)).await;
        for (path, model) in [(OPENAI, "gpt-4o-mini"), (ANTHROPIC, "claude-haiku-4-5")] {
            // Nearly all of it.
            let held = world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": 0.9999 })).send().await;
            let release = async {
                until_waiting(&world, 1).await;
                let path = format!("/api/v1/holds/{}/release", held.text("/hold_id"));
                world.call("POST", &path).send().await.ok(200);
            };
            let (answer, ()) = tokio::join!(world.post(path, &chat(model)).send(), release);
            assert_eq!(handled(answer.ok(200)), ["x-plimsoll-queued-ms", "x-plimsoll-queue-deadline"], "{path}");
            let waited: i64 = answer.header("x-plimsoll-queued-ms").unwrap().parse().unwrap();
            assert!((0..20_000).contains(&waited), "{waited}");
            // The clock stands still.
            assert_eq!(answer.header("x-plimsoll-queue-deadline"), Some("2026-11-21T09:30:20.000Z"));
        }
    }

    async fn what_is_refused_after_waiting_says_until_when_and_when_to_come_again(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&queue(1, 100)).await;
        world.hold(1).await;
        for (path, model) in [(OPENAI, "gpt-4o-mini"), (ANTHROPIC, "claude-haiku-4-5")] {
            let answer = world.post(path, &chat(model)).send().await;
            assert_eq!(handled(answer.ok(429)), ["x-plimsoll-queue-deadline"], "{path}");
            let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=86_400).contains(&wait), "{wait}");
        }
        assert_eq!(world.upstream.request_count(), 0);
    }

    async fn a_check_of_limits_does_not_wait(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&queue(1, 60_000)).await;
        world.hold(1).await;
        let check = json!({ "estimated_cost_usd": 1 });
        let answer = world.post("/api/v1/limits/check", &check).send().await;
        assert_eq!(answer.ok(200).text("/decision"), "BLOCK");
        assert_eq!(answer.text("/blocking_limits/0/enforcement"), "QUEUE");
        assert!(answer.at("/blocking_limits/0/resets_at").is_string(), "{}", answer.body);
        assert_eq!(handled(&answer), [""; 0]);
    }

    async fn what_is_served_instead_says_which_model_and_because_of_which_limits(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(&degrade("gpt-4o-mini")).await;
        for model in ["gpt-4", UNPRICED_MODEL] {
            let answer = world.post(OPENAI, &chat(model)).send().await;
            assert_eq!(handled(answer.ok(200)), ["x-plimsoll-served-model", "x-plimsoll-degraded-by"], "{model}");
            assert_eq!(answer.header("x-plimsoll-served-model"), Some("gpt-4o-mini"));
            assert_eq!(answer.header("x-plimsoll-degraded-by"), Some(limit.as_str()));
            // The client is told in the body too: it is the provider's own.
            assert_eq!(answer.text("/model"), "gpt-4o-mini");
        }
        let answer = world.post(OPENAI, &chat("gpt-4o-mini")).send().await;
        assert_eq!(handled(answer.ok(200)), [""; 0]);
    }

    async fn what_is_served_with_a_lower_cap_alone_says_so_as_well(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(&json!({
            "name": "short answers", "limit_category": "BUDGET", "limit_type": "COST_USD", "reset_period": "DAILY",
            "max_value": 0.05, "enforcement": "DEGRADE", "degrade_max_output_tokens": 5,
        })).await;
        for (path, model) in [(OPENAI, "gpt-4"), (ANTHROPIC, "claude-opus-4-1")] {
            // The question fits, and so long an answer does not.
            let mut long = chat(model);
            long["max_tokens"] = json!(1_000);
            let answer = world.post(path, &long).send().await;
            assert_eq!(handled(answer.ok(200)), ["x-plimsoll-served-model", "x-plimsoll-degraded-by"], "{model}");
            assert_eq!(answer.header("x-plimsoll-served-model"), Some(model));
            assert_eq!(answer.header("x-plimsoll-degraded-by"), Some(limit.as_str()));
            assert_eq!(world.upstream.requests().last().unwrap().json()["max_tokens"], 5, "{model}");
        }
    }

    async fn a_stream_says_in_its_headers_what_is_served_instead(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(&degrade("claude-haiku-4-5")).await;
        let mut body = chat("claude-opus-4-1");
        body["stream"] = json!(true);
        let answer = world.post(ANTHROPIC, &body).send().await;
        assert_eq!(handled(answer.ok(200)), ["x-plimsoll-served-model", "x-plimsoll-degraded-by"]);
        assert_eq!(answer.header("x-plimsoll-served-model"), Some("claude-haiku-4-5"));
        assert_eq!(answer.header("x-plimsoll-degraded-by"), Some(limit.as_str()));
    }

    async fn a_refusal_that_nothing_cheaper_mends_says_of_neither(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&degrade("claude-haiku-4-5")).await;
        let answer = world.post(OPENAI, &chat("gpt-4")).send().await;
        assert_eq!(handled(answer.ok(429)), [""; 0]);
        assert_eq!(world.upstream.request_count(), 0);
    }
}
