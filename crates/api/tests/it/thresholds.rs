//! What does a client see whose LLM Run is cut off by a threshold?

use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::upstream::Fault;

use crate::harness::World;

const OPENAI: &str = "/v1/chat/completions";
const ANTHROPIC: &str = "/v1/messages";

fn threshold(limit_type: &str, max: u32) -> Value {
    json!({
        "name": "quick answers", "limit_category": "THRESHOLD", "limit_type": limit_type, "max_value": max,
        "enforcement": "BLOCK",
    })
}

fn chat(model: &str, stream: bool) -> Value {
    json!({ "model": model, "max_tokens": 50, "stream": stream, "messages": [{ "role": "user", "content": "Hello" }] })
}

testkit::both_databases! {
    async fn an_answer_that_takes_too_long_is_a_504_that_names_the_limit(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(&threshold("LATENCY_MS", 200)).await;
        for (path, model) in [(OPENAI, "gpt-4o-mini"), (ANTHROPIC, "claude-haiku-4-5")] {
            world.upstream.fault(Fault::Delay { ms: 1_500 });
            let answer = world.post(path, &chat(model, false)).send().await;
            assert_eq!(answer.status, 504, "{path}");
            let message = answer.text("/error/message");
            assert!(message.contains("quick answers") && message.contains(&limit), "{message}");
            assert!(answer.header("x-plimsoll-run-id").is_some());
            let kind = if path == OPENAI { answer.text("/error/code") } else { answer.text("/error/type") };
            assert_eq!(kind, if path == OPENAI { "threshold_cut_off" } else { "timeout_error" });
        }
    }

    async fn a_stream_that_takes_too_long_ends_with_an_error_in_its_own_shape(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&threshold("DURATION_MS", 400)).await;
        for (path, model) in [(OPENAI, "gpt-4o-mini"), (ANTHROPIC, "claude-haiku-4-5")] {
            world.upstream.fault(Fault::DelayBetweenEvents { ms: 150 });
            let answer = world.post(path, &chat(model, true)).send().await;
            assert_eq!(answer.status, 200, "{path}");
            let body = &answer.body;
            let last = body.trim_end().rsplit("\n\n").next().unwrap();
            assert!(last.contains("Threshold exceeded") && last.contains("quick answers"), "{body}");
            assert!(body.len() > last.len() + 10, "something came before: {body}");
        }
    }
}
