//! Does every operation reach the provider and come back unchanged, and is it settled at its true cost?

use http::HeaderMap;
use model::event::OpsEventType;
use model::hold::HoldStatus;
use model::id::{LimitId, RunId};
use model::limit::{Enforcement, LimitCategory, LimitType};
use model::run::{Operation, Run, RunStatus, UsageSource};
use serde_json::{Value, json};
use services::words::Draft;
use testkit::db::TestDb;
use testkit::upstream::Reply;
use workers::upstream::UpstreamRequest;

use crate::books::draft;
use crate::harness::{Got, USD, World};

/// What the provider uses unless the test says otherwise, at the price of `round-1`.
pub(crate) const PLAIN_COST: i64 = 12 * 1_000 + 7 * 2_000;

/// A chat with a model at a round price.
pub(crate) fn chat(more: &Value) -> Value {
    let mut body = json!({"model": "round-1", "messages": [{"role": "user", "content": "hello"}]});
    let (fields, more) = (body.as_object_mut().unwrap(), more.as_object().unwrap());
    fields.extend(more.clone());
    body
}

/// A small request of every kind.
pub(crate) fn body(operation: Operation, stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": "hello"}]);
    let mut body = match operation {
        Operation::Chat => json!({"model": "round-1", "messages": messages}),
        Operation::TextCompletion => json!({"model": "round-1", "prompt": "hello"}),
        Operation::Embeddings => json!({"model": "text-embedding-3-small", "input": ["hello", "you"]}),
        Operation::Responses => json!({"model": "round-1", "input": "hello"}),
        Operation::Messages => json!({"model": "claude-haiku-4-5", "messages": messages, "max_tokens": 50}),
        Operation::CountTokens => json!({"model": "claude-haiku-4-5", "messages": messages}),
    };
    if stream {
        body["stream"] = json!(true);
    }
    body
}

/// How a run is to have ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) run: RunStatus,
    pub(crate) error: Option<&'static str>,
    pub(crate) hold: HoldStatus,
    pub(crate) source: UsageSource,
    /// Nano-USD.
    pub(crate) cost: Option<i64>,
    /// The price that the cost names; none for the table and its overrides.
    pub(crate) floor: Option<&'static str>,
}

/// Served, and settled at what the provider reported.
pub(crate) const fn served(cost: i64) -> Ended {
    Ended {
        run: RunStatus::Succeeded,
        error: None,
        hold: HoldStatus::Settled,
        source: UsageSource::Provider,
        cost: Some(cost),
        floor: None,
    }
}

/// Failed, and nothing can have been used.
pub(crate) const fn released(error: &'static str) -> Ended {
    Ended {
        run: RunStatus::Failed,
        error: Some(error),
        hold: HoldStatus::Released,
        source: UsageSource::None,
        cost: None,
        floor: None,
    }
}

/// Nobody said what was used, and so it counts as all that was held.
pub(crate) const fn estimated(run: RunStatus, error: &'static str, held: i64) -> Ended {
    Ended {
        run,
        error: Some(error),
        hold: HoldStatus::Settled,
        source: UsageSource::Estimated,
        cost: Some(held),
        floor: None,
    }
}

/// What a request at the round price holds at most.
pub(crate) fn worst_case(body: &Value, output: i64) -> i64 {
    (i64::try_from(body.to_string().len()).unwrap() + 1_024) * 1_000 + output * 2_000
}

/// Everything that is written about a run says that it ended like this, and the counters are right.
pub(crate) async fn assert_ended(world: &World, run: RunId, want: Ended) -> Run {
    let run = world.run(run).await;
    assert_eq!(run.status, want.run, "{run:?}");
    assert_eq!(run.error_code.as_deref(), want.error, "{run:?}");
    assert_eq!(run.usage_source, want.source, "{run:?}");
    assert_eq!(run.cost.map(|cost| cost.0), want.cost, "{run:?}");
    assert!(run.completed_at.is_some(), "{run:?}");
    let holds = world.holds().await;
    let hold = holds.iter().find(|hold| Some(hold.id) == run.hold).unwrap();
    assert_eq!((hold.status, hold.run), (want.hold, Some(run.id)));
    assert!(hold.ended_at.is_some(), "{hold:?}");
    let costs = world.costs(run.id).await;
    let paid: Vec<i64> = costs.iter().map(|record| record.cost.0).collect();
    assert_eq!(paid, Vec::from_iter(want.cost));
    for record in costs {
        assert_eq!((record.hold, record.run), (hold.id, Some(run.id)));
        let version = want.floor.unwrap_or(world.cx.prices.version());
        assert_eq!(record.price_version.as_deref(), Some(version));
        assert_eq!(record.subject, run.subject);
    }
    let told = if want.run == RunStatus::Failed {
        OpsEventType::LlmCallFailed
    } else {
        OpsEventType::LlmCallMade
    };
    assert!(world.events(told).await >= 1);
    assert!(world.events(OpsEventType::ApiCallReceived).await >= 1);
    world.all_ended().await;
    run
}

/// What the same request gets without a gateway in between.
pub(crate) async fn directly(world: &World, operation: Operation, body: &Value) -> Vec<u8> {
    let model = body["model"].as_str().unwrap();
    let hold = world.holds().await.remove(0);
    let bytes = body.to_string().into();
    let request = UpstreamRequest::new(&hold, operation, bytes, &HeaderMap::new());
    let route = world.cx.gateway.upstreams.route(operation, model).unwrap();
    let mut response = route.send(request).await.unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = response.body.next().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    all
}

fn cost_of(operation: Operation) -> Option<i64> {
    match operation {
        Operation::Chat | Operation::TextCompletion | Operation::Responses => Some(PLAIN_COST),
        // 0.02 USD per million.
        Operation::Embeddings => Some(12 * 20),
        // 1 and 5 USD per million.
        Operation::Messages => Some(12 * 1_000 + 7 * 5_000),
        Operation::CountTokens => None,
    }
}

const WHOLE: [Operation; 6] = [
    Operation::Chat,
    Operation::TextCompletion,
    Operation::Embeddings,
    Operation::Responses,
    Operation::Messages,
    Operation::CountTokens,
];

const STREAMED: [Operation; 4] = [
    Operation::Chat,
    Operation::TextCompletion,
    Operation::Responses,
    Operation::Messages,
];

/// Serves one request under a budget, compares it with a direct call, and says what it got.
async fn passes(world: &World, budget: LimitId, operation: Operation, stream: bool) -> Got {
    let body = body(operation, stream);
    let before = world.usage(budget).await.0;
    let got = world.call(operation, &body).await;
    assert_eq!((got.status.as_u16(), got.broken), (200, None), "{operation:?}");
    assert_eq!(got.body, directly(world, operation, &body).await, "{operation:?}");
    let kind = got.headers.get("content-type").unwrap().to_str().unwrap();
    assert_eq!(kind.starts_with("text/event-stream"), stream);
    let cost = cost_of(operation);
    let want = match cost {
        Some(cost) => served(cost),
        None => Ended {
            source: UsageSource::None,
            cost: None,
            ..served(0)
        },
    };
    let run = assert_ended(world, got.run, want).await;
    assert_eq!(run.decision, got.decision);
    assert_eq!(
        (run.operation, run.stream, run.http_status),
        (operation, stream, Some(200))
    );
    let cost = cost.unwrap_or(0);
    assert_eq!(world.usage(budget).await, (before + cost, 0), "{operation:?}");
    if operation != Operation::CountTokens {
        let usage = run.usage.unwrap();
        let made = if operation == Operation::Embeddings { 0 } else { 7 };
        assert_eq!((usage.input, usage.output), (12, made), "{operation:?}");
        assert_eq!(run.served_model.as_deref(), body["model"].as_str());
    }
    got
}

testkit::both_databases! {
    async fn every_answer_passes_unchanged_and_is_settled_at_its_true_cost(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(100 * USD).await;
        for operation in WHOLE {
            let got = passes(&world, budget, operation, false).await;
            assert_eq!(got.cost.map(|cost| cost.0), cost_of(operation), "{operation:?}");
        }
        let made = world.events(OpsEventType::LlmCallMade).await;
        assert_eq!((made, world.events(OpsEventType::ApiCallReceived).await), (6, 6));
    }

    async fn every_stream_passes_unchanged_and_is_settled_when_its_end_is_seen(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(100 * USD).await;
        for operation in STREAMED {
            let got = passes(&world, budget, operation, true).await;
            assert_eq!(got.cost, None, "the cost of a stream is not known when it begins");
        }
    }

    async fn usage_is_asked_for_and_hidden_unless_the_client_asks_itself(db: TestDb) {
        let world = World::new(db).await;
        for operation in [Operation::Chat, Operation::TextCompletion] {
            for (options, asked) in [
                (None, false),
                (Some(json!({"include_usage": false})), false),
                (Some(json!({"include_usage": true})), true),
                (Some(json!({"include_obfuscation": false})), false),
            ] {
                let mut body = body(operation, true);
                if let Some(options) = &options {
                    body["stream_options"] = options.clone();
                }
                let got = world.call(operation, &body).await;
                let sent = world.upstream.requests().pop().unwrap().json();
                assert_eq!(sent["stream_options"]["include_usage"], true, "{options:?}");
                let kept = options.as_ref().and_then(|o| o.get("include_obfuscation"));
                assert_eq!(sent["stream_options"].get("include_obfuscation"), kept);
                let text = String::from_utf8(got.body.to_vec()).unwrap();
                assert_eq!(text.contains("\"prompt_tokens\""), asked, "{options:?} {text}");
                assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
                assert_ended(&world, got.run, served(PLAIN_COST)).await;
            }
        }
    }

    async fn usage_is_asked_for_where_the_upstream_allows_it_and_a_limit_needs_it(db: TestDb) {
        let world = World::new(db).await;
        // Always, where a limit needs it, never.
        let upstreams = ["round-1", "llama-3.1-8b-instant", "strict-1"];
        let requests = draft(LimitCategory::Rate, LimitType::RequestsPerMinute, 100);
        let tokens = draft(LimitCategory::Rate, LimitType::TokensPerMinute, 10_000_000);
        // A limit that only warns counts all the same.
        let tokens = Draft { enforcement: Enforcement::Warn, ..tokens };
        for (limit, asked) in [
            (None, [true, false, false]),
            (Some(requests), [true, false, false]),
            (Some(tokens), [true, true, false]),
        ] {
            if let Some(limit) = limit {
                world.limit(limit).await;
            }
            for (model, asked) in upstreams.into_iter().zip(asked) {
                let mut body = json!({"model": model, "messages": [], "stream": true});
                let got = world.call(Operation::Chat, &body).await;
                let text = String::from_utf8(got.body.to_vec()).unwrap();
                assert!(text.ends_with("data: [DONE]\n\n") && !text.contains("\"prompt_tokens\""), "{text}");
                if asked {
                    body["stream_options"] = json!({"include_usage": true});
                }
                assert_eq!(world.upstream.requests().pop().unwrap().json(), body);
            }
        }
        world.all_ended().await;
    }

    async fn tokens_of_every_class_are_recorded_and_priced_by_the_table(db: TestDb) {
        let world = World::new(db).await;
        world.upstream.reply(Reply {
            cached_input_tokens: 400,
            reasoning_tokens: 100,
            ..Reply::of_tokens(1_000, 300)
        });
        let messages = json!([{"role": "user", "content": "hello"}]);
        // 0.15 and 0.60 USD per million, 0.075 for what comes from the cache.
        let chat = json!({"model": "gpt-4o-mini", "messages": messages});
        // 1 and 5 USD, 0.10 for what comes from the cache.
        let message = json!({"model": "claude-haiku-4-5", "messages": messages, "max_tokens": 1_000});
        for (operation, mut body, cost, reasoning) in [
            (Operation::Chat, chat, 600 * 150 + 400 * 75 + 300 * 600, 100),
            (Operation::Messages, message, 600 * 1_000 + 400 * 100 + 300 * 5_000, 0),
        ] {
            for stream in [false, true] {
                body["stream"] = json!(stream);
                let got = world.call(operation, &body).await;
                let run = assert_ended(&world, got.run, served(cost)).await;
                let usage = run.usage.unwrap();
                let counts = (usage.input, usage.cache_read, usage.output, usage.reasoning);
                assert_eq!(counts, (1_000, 400, 300, reasoning), "{operation:?}");
                assert_eq!(world.costs(run.id).await[0].usage, usage);
            }
        }
    }

    async fn a_request_is_attributed_and_counted_on_every_limit_it_meets(db: TestDb) {
        let world = World::new(db).await;
        let tokens = world.limit(draft(LimitCategory::Budget, LimitType::TokensTotal, 100_000)).await;
        let output = world.limit(draft(LimitCategory::Budget, LimitType::TokensOutput, 100_000)).await;
        let rate = world.limit(draft(LimitCategory::Rate, LimitType::RequestsPerMinute, 10)).await;
        let money = world.budget(USD).await;
        let mut request = world.request(Operation::Chat, &chat(&json!({"user": "u-7"})));
        request.attribution.feature = Some("search".to_owned());
        let served_now = services::gateway::serve(&world.cx, request).await.unwrap();
        let got = crate::harness::read(served_now).await;
        let run = assert_ended(&world, got.run, served(PLAIN_COST)).await;
        assert_eq!(run.subject.end_user.as_deref(), Some("u-7"));
        assert_eq!(run.subject.feature.as_deref(), Some("search"));
        assert_eq!(run.subject.provider.as_deref(), Some("openai"));
        assert_eq!(run.subject.api_key_id, Some(world.key.key.id));
        assert_eq!(run.correlation_id, "req_test");
        assert_eq!(world.usage(tokens).await, (19, 0));
        assert_eq!(world.usage(output).await, (7, 0));
        assert_eq!(world.usage(rate).await, (1, 0));
        assert_eq!(world.usage(money).await, (PLAIN_COST, 0));
    }

    async fn counting_tokens_costs_a_request_and_nothing_else(db: TestDb) {
        let world = World::new(db).await;
        let money = world.budget(1).await;
        let rate = world.limit(draft(LimitCategory::Rate, LimitType::RequestsPerMinute, 10)).await;
        world.call(Operation::CountTokens, &body(Operation::CountTokens, false)).await;
        assert_eq!(world.usage(money).await, (0, 0));
        assert_eq!(world.usage(rate).await, (1, 0));
        world.all_ended().await;
    }

    async fn many_requests_at_once_spend_what_they_spend_and_never_more_than_the_budget(db: TestDb) {
        let world = World::new(db).await;
        // What one of these holds at most is 40 USD per million tokens of some 1,100 and 10 more.
        let body = chat(&json!({"max_tokens": 10, "stream": true}));
        let budget = world.budget(3 * worst_case(&body, 10)).await;
        let calls = (0..20).map(|_| async {
            match world.serve(Operation::Chat, &body).await {
                Ok(answer) => Some(crate::harness::read(answer).await.run),
                Err(_refused) => None,
            }
        });
        let runs: Vec<RunId> = futures_util::future::join_all(calls).await.into_iter().flatten().collect();
        assert!(runs.len() >= 3, "{} were served", runs.len());
        let served = i64::try_from(runs.len()).unwrap();
        assert_eq!(world.usage(budget).await, (served * PLAIN_COST, 0));
        assert_eq!(world.upstream.request_count(), runs.len());
        world.all_ended().await;
    }
}
