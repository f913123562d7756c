//! What does an SDK see: of an answer, and of every refusal, in its own provider's shape?

use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::providers::{PROVIDER_KEY, UNPRICED_MODEL};
use testkit::upstream::Fault;

use crate::harness::{Call, World, budget};
use crate::log::Log;

pub(crate) const OPENAI: &str = "/v1/chat/completions";
pub(crate) const ANTHROPIC: &str = "/v1/messages";

pub(crate) fn chat(model: &str) -> Value {
    json!({ "model": model, "max_tokens": 50, "messages": [{ "role": "user", "content": "Hello" }] })
}

/// The same question to each provider.
pub(crate) fn both(world: &World) -> [(&'static str, Call<'_>); 2] {
    [
        ("OpenAI", world.post(OPENAI, &chat("gpt-4o-mini"))),
        ("Anthropic", world.post(ANTHROPIC, &chat("claude-haiku-4-5"))),
    ]
}

async fn refused(log: &mut Log, world: &World, why: &str, status: u16) {
    for (provider, call) in both(world) {
        log.send(&format!("{why}, to {provider}"), call).await.ok(status);
    }
}

testkit::both_databases! {
    async fn a_budget_that_is_spent_refuses_in_the_shape_of_the_sdk_and_tells_it_not_to_retry(db: TestDb) {
        let world = World::new(db).await;
        let mut body = budget(1);
        body["max_value"] = json!(0.000_01);
        world.limit(&body).await;
        let mut log = Log::default();
        refused(&mut log, &world, "no room in the budget", 429).await;
        let answer = world.post(OPENAI, &chat("gpt-4o-mini")).send().await;
        assert_eq!(answer.at("/error/code"), "insufficient_quota");
        assert_eq!(answer.at("/error/type"), "insufficient_quota");
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert_eq!(answer.header("retry-after"), None);
        assert!(answer.header("ratelimit").is_some() && answer.header("ratelimit-policy").is_some());
        assert_eq!(world.upstream.request_count(), 0);
        log.assert("llm_budget");
    }

    async fn money_is_in_the_ietf_fields_with_its_unit_and_never_under_a_name_for_requests_or_tokens(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(1)).await;
        let ratelimits = |answer: &crate::harness::Answer| {
            let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| name.clone()).filter(|name| name.contains("ratelimit")).collect();
            names.sort();
            names
        };
        for (provider, call) in both(&world) {
            let served = call.send().await;
            assert_eq!(ratelimits(served.ok(200)), ["ratelimit", "ratelimit-policy"], "{provider}");
            assert!(served.header("ratelimit-policy").unwrap().ends_with(";q=1000000000;qu=\"x-nano-usd\";w=86400"));
        }
        world.limit(&json!({
            "name": "nine a minute", "limit_category": "RATE", "limit_type": "REQUESTS_PER_MINUTE", "max_value": 9,
        })).await;
        let answer = world.post(OPENAI, &chat("gpt-4o-mini")).send().await;
        assert_eq!(answer.ok(200).header("x-ratelimit-limit-requests"), Some("9"));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("8"));
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), None);
        assert!(answer.header("ratelimit").unwrap().contains("\";r=8"), "{answer:?}");
    }

    async fn a_policy_rule_that_refuses_is_named_in_the_shape_of_the_sdk(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let rule = json!({ "name": "nothing from this agent", "condition": "run.agent == 'support'", "enforcement_mode": "BLOCK" });
        let rule = world.post("/api/v1/policies/rules", &rule).send().await.ok(201).text("/rule_id");
        let tried = json!({ "name": "no mail", "rule_type": "PII_FILTER", "enforcement_mode": "DRY_RUN" });
        let tried = world.post("/api/v1/policies/rules", &tried).send().await.ok(201).text("/rule_id");
        for (provider, call) in both(&world) {
            let call = call.header("x-plimsoll-agent", "support");
            log.send(&format!("refused, to {provider}"), call).await.ok(403);
        }
        let mut body = chat("gpt-4o-mini");
        body["messages"] = json!([{ "role": "user", "content": "mail ann.smith@example.com" }]);
        let answer = log.send("tried only, to OpenAI", world.post(OPENAI, &body)).await;
        let said = format!("allow, dry-run;rule={tried};version=1");
        assert_eq!(answer.ok(200).header("x-plimsoll-policy-outcome"), Some(said.as_str()));
        assert_eq!(world.upstream.request_count(), 1);
        assert_ne!(rule, tried);
        log.assert("llm_rules");
    }

    async fn a_rate_that_is_full_refuses_and_says_when_to_come_again(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&json!({
            "name": "two a minute", "limit_category": "RATE", "limit_type": "REQUESTS_PER_MINUTE", "max_value": 2,
        })).await;
        let mut log = Log::default();
        for (provider, call) in both(&world) {
            log.send(&format!("room for {provider}"), call).await.ok(200);
        }
        world.clock.advance_seconds(20);
        refused(&mut log, &world, "the minute is full", 429).await;
        let answer = world.post(OPENAI, &chat("gpt-4o-mini")).send().await;
        assert_eq!(answer.at("/error/code"), "rate_limit_exceeded");
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert_eq!(answer.header("x-should-retry"), None);
        world.clock.advance_seconds(wait);
        world.post(OPENAI, &chat("gpt-4o-mini")).send().await.ok(200);
        log.assert("llm_rate");
    }

    async fn an_sdk_finds_the_id_of_its_request_where_it_looks_for_it(db: TestDb) {
        let world = World::new(db).await;
        for status in [200, 401, 413] {
            for (provider, call) in both(&world) {
                let answer = match status {
                    401 => call.with("plim_live_nonsense"),
                    413 => call.bytes(vec![b' '; 200_000]),
                    _ => call,
                };
                let answer = answer.send().await;
                let ours = answer.ok(status).header("x-request-id");
                assert!(ours.is_some());
                let theirs = answer.header("request-id");
                assert_eq!(theirs, ours.filter(|_| provider == "Anthropic"), "{provider} {status}");
            }
        }
        let unknown = world.get("/v1/no-such-path").header("anthropic-version", "2023-06-01").send().await;
        assert_eq!(unknown.ok(404).header("request-id"), unknown.header("x-request-id"));
        let native = world.get("/api/v1/limits").send().await;
        assert_eq!(native.ok(200).header("request-id"), None);
    }

    async fn a_run_over_a_threshold_is_refused_for_good(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&json!({
            "name": "small runs", "limit_category": "THRESHOLD", "limit_type": "TOKENS_PER_RUN", "max_value": 10,
        })).await;
        let mut log = Log::default();
        refused(&mut log, &world, "more tokens than a run may have", 403).await;
        log.assert("llm_threshold");
    }

    async fn a_model_without_a_price_is_refused_under_a_money_limit_unless_there_is_a_floor_price(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(50)).await;
        let mut log = Log::default();
        let call = || world.post(OPENAI, &chat(UNPRICED_MODEL));
        log.send("no price is known", call()).await.is(422, "unpriced_model");
        assert_eq!(world.upstream.request_count(), 0);
        let path = format!("/api/v1/ops/tenants/{}/floor-price", world.tenant);
        world.put(&path, &json!({ "floor_price_nano_usd": 1000 })).by_operator().send().await.ok(200);
        log.send("at the floor price", call()).await.ok(200);
        log.assert("llm_unpriced");
    }

    async fn a_frozen_key_and_a_frozen_tenant_are_refused(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let victim = world.post("/api/v1/keys", &json!({ "name": "victim" })).send().await;
        let path = format!("/api/v1/keys/{}/freeze", victim.text("/api_key_id"));
        world.post(&path, &json!({ "reason": "leaked on 2026-11-20" })).send().await.ok(200);
        for (provider, call) in both(&world) {
            log.send(&format!("the key is frozen, {provider}"), call.with(&victim.text("/secret"))).await.ok(403);
        }
        let path = format!("/api/v1/ops/tenants/{}/freeze", world.tenant);
        world.post(&path, &json!({})).by_operator().send().await.ok(200);
        refused(&mut log, &world, "the tenant is frozen", 403).await;
        log.assert("llm_frozen");
    }
}

/// Requests to this path that no provider may see, and their statuses.
fn mistakes<'w>(world: &'w World, path: &str) -> Vec<(&'static str, Call<'w>, u16)> {
    let raw = |body: &str| world.call("POST", path).bytes(body);
    let post = |body: Value| world.post(path, &body);
    let changed = |name: &str, value: Value| {
        let mut body = chat("gpt-4o-mini");
        body[name] = value;
        world.post(path, &body)
    };
    vec![
        ("no JSON", raw("{\"model\": \"gpt"), 400),
        ("a field twice", raw("{\"model\":\"a\",\"model\":\"b\"}"), 400),
        ("no model", post(json!({})), 422),
        ("an empty model", post(json!({ "model": "" })), 422),
        ("no output", changed("max_tokens", json!(0)), 422),
        (
            "another destination",
            changed("base_url", json!("http://169.254.169.254/")),
            422,
        ),
        (
            "stream is no text",
            post(json!({ "model": "gpt-4o-mini", "stream": "yes" })),
            422,
        ),
        (
            "no JSON by its type",
            post(json!({})).header("content-type", "text/plain"),
            415,
        ),
        (
            "compressed",
            post(json!({})).header("content-encoding", "gzip"),
            415,
        ),
        (
            "an agent that is no name",
            post(json!({})).header("x-plimsoll-agent", "a b"),
            400,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_sdk_gets_wrong_is_said_in_its_shape() {
    let world = World::new(TestDb::sqlite()).await;
    let mut log = Log::default();
    for (provider, call) in both(&world) {
        log.send(&format!("no key, {provider}"), call.clone().anonymous())
            .await
            .ok(401);
        log.send(
            &format!("no such key, {provider}"),
            call.clone().with("sk-ant-something"),
        )
        .await
        .ok(401);
        log.send(
            &format!("two keys, {provider}"),
            call.more("authorization", "Bearer two"),
        )
        .await
        .ok(400);
    }
    log.send("no provider serves it", world.post(OPENAI, &chat("llama-4")))
        .await
        .is(404, "model_not_found");
    log.send("no provider serves it", world.post(ANTHROPIC, &chat("llama-4")))
        .await
        .ok(404);
    for path in [OPENAI, ANTHROPIC] {
        for (title, call, status) in mistakes(&world, path) {
            log.send(title, call).await.ok(status);
        }
    }
    assert_eq!(world.upstream.request_count(), 0);
    log.assert("llm_mistakes");
    let large = format!("{{\"model\":\"{}\"}}", "x".repeat(128 * 1024));
    let answer = world.call("POST", OPENAI).bytes(large).send().await;
    answer.is(413, "payload_too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_said_in_the_shape_of_whoever_asks() {
    let world = World::new(TestDb::sqlite()).await;
    let mut log = Log::default();
    for (path, shape) in [
        ("/v1/audio/speech", "/error/code"),
        ("/v1/chat/completions/", "/error/code"),
        ("/v1", "/error/code"),
        ("/v1/messages/batches", "/request_id"),
    ] {
        let answer = log.send("nothing is there", world.post(path, &json!({}))).await;
        assert!(answer.ok(404).at(shape).is_string(), "{path}: {}", answer.body);
    }
    let models = || world.get("/v1/files").header("anthropic-version", "2023-06-01");
    log.send("nothing is there for Anthropic's SDK", models())
        .await
        .ok(404);
    for (method, path, allow) in [
        ("GET", OPENAI, "POST"),
        ("DELETE", ANTHROPIC, "POST"),
        ("GET", "/v1/messages/count_tokens", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
    ] {
        let answer = log.send("another method", world.call(method, path)).await;
        assert_eq!(answer.ok(405).header("allow"), Some(allow), "{method} {path}");
    }
    for path in ["/v1/chat%2Fcompletions", "/v1/messages?api_key=sk-1"] {
        log.send("refused before any route", world.post(path, &json!({})))
            .await
            .ok(400);
    }
    // What only looks like an SDK's path is our own API's.
    for path in ["/v1x", "/api/v1/nothing"] {
        world.get(path).send().await.is(404, "not-found");
    }
    log.assert("llm_unserved");
    let options = world.call("OPTIONS", OPENAI).send().await;
    assert_eq!(
        options.is(405, "method_not_supported").header("allow"),
        Some("POST")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_what_the_provider_said_with_our_headers() {
    let world = World::new(TestDb::sqlite()).await;
    world.limit(&budget(50)).await;
    let mut log = Log::default();
    let input = json!({ "model": "text-embedding-3-small", "input": "Hello" });
    for (title, call) in [
        ("chat", world.post(OPENAI, &chat("gpt-4o-mini"))),
        (
            "completion",
            world.post(
                "/v1/completions",
                &json!({ "model": "gpt-3.5-turbo-instruct", "prompt": "Hello", "max_tokens": 9 }),
            ),
        ),
        ("embedding", world.post("/v1/embeddings", &input)),
        (
            "response",
            world.post(
                "/v1/responses",
                &json!({ "model": "gpt-4o-mini", "input": "Hello", "max_output_tokens": 9 }),
            ),
        ),
        (
            "message",
            world
                .post(ANTHROPIC, &chat("claude-haiku-4-5"))
                .header("anthropic-version", "2023-06-01"),
        ),
        (
            "count",
            world.post(
                "/v1/messages/count_tokens",
                &json!({ "model": "claude-haiku-4-5", "messages": [] }),
            ),
        ),
    ] {
        log.send(title, call).await.ok(200);
    }
    let mut streamed = chat("gpt-4o-mini");
    streamed["stream"] = json!(true);
    log.send("a stream", world.post(OPENAI, &streamed)).await.ok(200);
    log.assert("llm_answers");
    let models = world.get("/v1/models").send().await;
    assert_eq!(models.ok(200).at("/object"), "list");
    assert!(models.body.contains("\"gpt-4o-mini\"") && models.body.contains("\"claude-haiku-4-5\""));
    let models = world
        .get("/v1/models?limit=20")
        .header("anthropic-version", "2023-06-01")
        .send()
        .await;
    assert_eq!(models.ok(200).at("/data/0/type"), "model");
    assert!(!models.body.contains("gpt-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_is_said_without_its_words_about_our_key() {
    let world = World::new(TestDb::sqlite()).await;
    let mut log = Log::default();
    let leak = Fault::Status {
        status: 401,
        body: Some(format!("{{\"error\":\"{PROVIDER_KEY} is wrong\"}}")),
        headers: std::collections::BTreeMap::default(),
    };
    for (why, fault, status) in [
        ("the provider rejects our key", leak, 502),
        ("the provider breaks off", Fault::DropBeforeHeaders, 502),
        ("the provider is silent", Fault::Delay { ms: 4_000 }, 504),
    ] {
        for (provider, call) in both(&world) {
            world.upstream.fault(fault.clone());
            let answer = log.send(&format!("{why}, {provider}"), call).await;
            assert!(!answer.ok(status).body.contains(PROVIDER_KEY), "{}", answer.body);
        }
    }
    log.assert("llm_upstream");
}
