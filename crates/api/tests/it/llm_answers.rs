//! What does an SDK see of an answer that a Policy Rule withholds?

use serde_json::json;
use testkit::db::TestDb;
use testkit::upstream::{Fault, Reply};

use crate::harness::World;
use crate::llm::{ANTHROPIC, OPENAI, both, chat};
use crate::log::Log;

testkit::both_databases! {
    async fn an_answer_that_a_policy_rule_withholds_is_named_in_the_shape_of_the_sdk(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let rule = json!({ "name": "no cards", "rule_type": "PII_FILTER", "stage": "OUTPUT", "enforcement_mode": "BLOCK" });
        let rule = world.post("/api/v1/policies/rules", &rule).send().await.ok(201).text("/rule_id");
        world.upstream.reply(Reply { text: "Pay with 4111 1111 1111 1111.".to_owned(), ..Reply::default() });
        for (provider, call) in both(&world) {
            let answer = log.send(&format!("withheld, of {provider}"), call).await;
            assert_eq!(answer.ok(403).header("x-plimsoll-rule-id"), Some(rule.as_str()));
            assert!(!answer.body.contains("4111"), "{}", answer.body);
        }
        let warns = json!({ "enforcement_mode": "WARN" });
        world.put(&format!("/api/v1/policies/rules/{rule}"), &warns).send().await.ok(200);
        let answer = log.send("told only, of OpenAI", world.post(OPENAI, &chat("gpt-4o-mini"))).await;
        let said = format!("warn, warn;rule={rule};version=2");
        assert_eq!(answer.ok(200).header("x-plimsoll-policy-outcome"), Some(said.as_str()));
        assert_eq!(world.upstream.request_count(), 3);
        log.assert("llm_withheld");
    }

    async fn a_stream_that_a_policy_rule_cuts_off_says_so_in_the_shape_of_the_sdk(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let rule = json!({ "name": "no cards", "rule_type": "PII_FILTER", "stage": "OUTPUT", "enforcement_mode": "BLOCK" });
        let rule = world.post("/api/v1/policies/rules", &rule).send().await.ok(201).text("/rule_id");
        world.upstream.reply(Reply { text: "Fine so far. Pay with 4111 1111 1111 1111.".to_owned(), ..Reply::default() });
        let streams = || [("OpenAI", OPENAI, "gpt-4o-mini"), ("Anthropic", ANTHROPIC, "claude-haiku-4-5")].map(|(provider, path, model)| {
            let mut body = chat(model);
            body["stream"] = json!(true);
            // So that events come one by one.
            world.upstream.fault(Fault::DelayBetweenEvents { ms: 5 });
            (provider, world.post(path, &body))
        });
        for (provider, call) in streams() {
            let answer = log.send(&format!("cut off, of {provider}"), call).await;
            assert!(!answer.ok(200).body.contains("4111"), "{}", answer.body);
        }
        let warns = json!({ "enforcement_mode": "WARN" });
        world.put(&format!("/api/v1/policies/rules/{rule}"), &warns).send().await.ok(200);
        for (provider, call) in streams() {
            log.send(&format!("told only, of {provider}"), call).await.ok(200);
        }
        log.assert("llm_withheld_streams");
    }
}
