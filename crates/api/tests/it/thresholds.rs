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

    async fn a_threshold_that_only_tells_is_named_in_the_answer_and_fires_its_alert(db: TestDb) {
        let world = World::new(db).await;
        let told = |enforcement: &str| json!({
            "name": enforcement, "limit_category": "THRESHOLD", "limit_type": "LATENCY_MS", "enforcement": enforcement, "max_value": 1,
            "model": if enforcement == "WARN" { "gpt-4*" } else { "gpt-4o-mini" },
        });
        let (warn, alert) = (world.limit(&told("WARN")).await, world.limit(&told("ALERT")).await);
        world.upstream.fault(Fault::Delay { ms: 50 });
        let answer = world.post(OPENAI, &chat("gpt-4o-mini", false)).send().await;
        let said = answer.ok(200).header("x-plimsoll-limit-warnings").unwrap();
        for limit in [&warn, &alert] {
            assert!(said.contains(&format!("\"{limit}\";code=THRESHOLD_LIMIT_EXCEEDED")), "{said}");
        }
        // Of a stream it is known when its header is gone.
        world.upstream.fault(Fault::Delay { ms: 50 });
        let stream = world.post(OPENAI, &chat("gpt-4o-mini", true)).send().await;
        assert_eq!(stream.ok(200).header("x-plimsoll-limit-warnings"), None);
    }

    async fn what_a_threshold_cannot_do_is_refused_when_it_is_saved_and_when_it_is_changed(db: TestDb) {
        let world = World::new(db).await;
        for limit_type in ["LATENCY_MS", "DURATION_MS", "RETRY_COUNT", "ERROR_RATE_PCT"] {
            for enforcement in ["BLOCK", "REJECT", "WARN", "ALERT", "QUEUE", "DEGRADE"] {
                let mut wanted = threshold(limit_type, 5);
                wanted["enforcement"] = json!(enforcement);
                if enforcement == "DEGRADE" {
                    wanted["degrade_model"] = json!("gpt-4o-mini");
                }
                // Nothing waits for what has been, and only of the runs that follow can something cheaper be served.
                let fits = enforcement != "QUEUE" && (enforcement != "DEGRADE" || limit_type == "ERROR_RATE_PCT");
                let made = world.post("/api/v1/limits", &wanted).send().await;
                let title = format!("{limit_type} {enforcement}: {}", made.body);
                assert_eq!(made.status, if fits { 201 } else { 422 }, "{title}");
                if fits {
                    let path = format!("/api/v1/limits/{}", made.text("/limit_id"));
                    if enforcement == "WARN" {
                        let change = world.put(&path, &json!({ "enforcement": "QUEUE" })).send().await;
                        assert_eq!(change.is(422, "validation-failed").text("/errors/0/pointer"), "/enforcement");
                    }
                    world.delete(&path).send().await.ok(204);
                } else {
                    assert_eq!(made.text("/errors/0/pointer"), "/enforcement", "{title}");
                }
            }
        }
    }
}
