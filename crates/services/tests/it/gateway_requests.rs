//! What reaches the provider, and how much is held for it?

use bytes::Bytes;
use http::HeaderMap;
use model::limit::{Enforcement, LimitCategory, LimitType};
use model::run::Operation;
use serde_json::{Value, json};
use services::gateway::GatewayError;
use testkit::db::TestDb;
use testkit::upstream::{Fault, Reply};

use crate::books::draft;
use crate::gateway::{assert_ended, body, chat, released, served, worst_case};
use crate::harness::{PROVIDER_KEY, USD, World};

async fn sent(world: &World, operation: Operation, body: &Value) -> Value {
    world.call(operation, body).await;
    world.upstream.requests().pop().unwrap().json()
}

/// Expects that the request is refused for this field, and that nothing happens.
async fn invalid(world: &World, operation: Operation, body: &Value, field: &str) {
    match world.serve(operation, body).await {
        Err(GatewayError::Invalid { field: found, detail }) => {
            assert_eq!(found, field, "{detail}");
        }
        other => panic!("expected {field} to be refused, got {other:?}"),
    }
    assert_eq!(world.upstream.request_count(), 0);
    assert_eq!(world.holds().await, []);
}

testkit::both_databases! {
    async fn the_providers_key_arrives_and_the_customers_never_does(db: TestDb) {
        let world = World::new(db).await;
        for (operation, header) in [
            (Operation::Chat, "authorization"),
            (Operation::Messages, "x-api-key"),
            (Operation::CountTokens, "x-api-key"),
        ] {
            world.upstream.reset();
            let mut request = world.request(operation, &body(operation, false));
            for (name, value) in [
                ("cookie", "session=1"),
                ("x-forwarded-for", "10.0.0.1"),
                ("openai-organization", "org-1"),
                ("x-plimsoll-project", "p"),
                ("anthropic-beta", "b1"),
            ] {
                request.headers.insert(name, value.parse().unwrap());
            }
            request.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
            services::gateway::serve(&world.cx, request).await.unwrap();
            let seen = world.upstream.only_request();
            assert!(seen.header(header).unwrap().ends_with(PROVIDER_KEY), "{seen:?}");
            assert!(!seen.contains("plim_"), "{seen:?}");
            let mut names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            let version = (header == "x-api-key").then_some("anthropic-version");
            let mut expected = vec!["accept", "anthropic-beta", "content-length", "content-type", "host",
                "traceparent", "user-agent", header];
            expected.extend(version);
            expected.sort_unstable();
            assert_eq!(names, expected);
            assert_eq!(seen.header("user-agent"), Some("sdk/1"));
        }
    }

    async fn a_body_that_needs_no_change_arrives_as_the_very_bytes_that_were_sent(db: TestDb) {
        let world = World::new(db).await;
        world.limit(draft(LimitCategory::Rate, LimitType::RequestsPerMinute, 10)).await;
        let text = "{ \"messages\" :[{\"role\":\"user\",\"content\":\"\\u00e9 1.0e2\"}],\n\"model\":\"round-1\",\"seed\":1.0e2}";
        let mut request = world.request(Operation::Chat, &json!({}));
        request.body = Bytes::from_static(text.as_bytes());
        services::gateway::serve(&world.cx, request).await.unwrap();
        assert_eq!(world.upstream.only_request().body, text);
        world.all_ended().await;
    }

    async fn a_request_cannot_choose_its_destination_or_the_key(db: TestDb) {
        let world = World::new(db).await;
        for field in ["api_base", "base_url", "api_key", "organization", "extra_headers", "api_version"] {
            invalid(&world, Operation::Chat, &chat(&json!({field: "x"})), field).await;
        }
        // However it is spelt: the name is read as JSON.
        let mut request = world.request(Operation::Chat, &json!({}));
        request.body = Bytes::from_static(b"{\"model\":\"round-1\",\"api\\u005fbase\":\"http://evil\"}");
        let refused = services::gateway::serve(&world.cx, request).await;
        assert!(matches!(refused, Err(GatewayError::Invalid { field, .. }) if field == "api_base"));
    }

    async fn what_is_not_a_request_is_refused_before_anything_is_held(db: TestDb) {
        let world = World::new(db).await;
        for (more, field) in [
            (json!({"stream": "yes"}), "stream"),
            (json!({"n": 0}), "n"),
            (json!({"n": 1_000}), "n"),
            (json!({"max_tokens": 0}), "max_tokens"),
            (json!({"max_tokens": 1.5}), "max_tokens"),
            (json!({"max_tokens": 1_000_000_000}), "max_tokens"),
            (json!({"max_completion_tokens": i64::MAX}), "max_completion_tokens"),
            (json!({"model": 7}), "model"),
            (json!({"model": ""}), "model"),
        ] {
            invalid(&world, Operation::Chat, &chat(&more), field).await;
        }
        let prompts = vec!["x"; 200];
        let dear = json!({"model": "round-1", "prompt": prompts, "n": 128, "max_tokens": 100_000_000});
        invalid(&world, Operation::TextCompletion, &dear, "max_tokens").await;
        for bad in ["", "[1]", "{\"model\":\"a\",\"model\":\"b\"}", "{\"model\":NaN}"] {
            let mut request = world.request(Operation::Chat, &json!({}));
            request.body = Bytes::copy_from_slice(bad.as_bytes());
            let refused = services::gateway::serve(&world.cx, request).await;
            assert!(matches!(refused, Err(GatewayError::Malformed(_))), "{bad}");
        }
        assert_eq!(world.holds().await, []);
        assert_eq!(world.upstream.request_count(), 0);
    }

    async fn under_a_limit_of_money_or_tokens_a_request_without_a_cap_gets_one(db: TestDb) {
        let world = World::new(db).await;
        let llama = json!({"model": "llama-3.1-8b-instant", "messages": []});
        let cases = [
            (Operation::Chat, chat(&json!({})), Some("max_completion_tokens")),
            // Compatible providers know the older name only.
            (Operation::Chat, llama, Some("max_tokens")),
            (Operation::TextCompletion, body(Operation::TextCompletion, false), Some("max_tokens")),
            (Operation::Responses, body(Operation::Responses, false), Some("max_output_tokens")),
            (Operation::Embeddings, body(Operation::Embeddings, false), None),
        ];
        for (operation, request, _) in &cases {
            assert_eq!(sent(&world, *operation, request).await, *request, "no limit, no cap");
        }
        world.limit(draft(LimitCategory::Rate, LimitType::RequestsPerMinute, 100)).await;
        for (operation, request, _) in &cases {
            assert_eq!(sent(&world, *operation, request).await, *request, "requests need no cap");
        }
        let warn = draft(LimitCategory::Rate, LimitType::TokensPerMinute, 10_000_000);
        world.limit(services::words::Draft { enforcement: Enforcement::Warn, ..warn.clone() }).await;
        for (operation, request, _) in &cases {
            assert_eq!(sent(&world, *operation, request).await, *request, "a limit that lets pass needs no cap");
        }
        world.limit(warn).await;
        for (operation, request, field) in &cases {
            let mut expected = request.clone();
            if let Some(field) = field {
                expected[*field] = json!(1_000);
            }
            assert_eq!(sent(&world, *operation, request).await, expected);
        }
        world.all_ended().await;
    }

    async fn a_cap_of_the_client_is_kept_and_of_two_the_larger_is_held(db: TestDb) {
        let world = World::new(db).await;
        world.budget(100 * USD).await;
        for (more, output) in [
            (json!({"max_tokens": 10}), 10),
            (json!({"max_completion_tokens": 20}), 20),
            (json!({"max_completion_tokens": 20, "max_tokens": 3_000}), 3_000),
            (json!({"max_tokens": 10, "n": 3}), 30),
            (json!({"max_tokens": null}), 1_000),
        ] {
            let request = chat(&more);
            let got = world.call(Operation::Chat, &request).await;
            let seen = world.upstream.requests().pop().unwrap().json();
            let mut expected = request.clone();
            if more["max_tokens"].is_null() && more.get("max_completion_tokens").is_none() {
                expected["max_completion_tokens"] = json!(1_000);
            }
            assert_eq!(seen, expected);
            let run = world.run(got.run).await;
            assert_eq!(run.estimated.output_tokens, output, "{more}");
            assert_eq!(run.estimated.cost.0, worst_case(&request, output), "{more}");
        }
        world.all_ended().await;
    }

    async fn a_cap_that_says_none_is_none_where_local_servers_know_it_and_a_whole_float_is_whole(db: TestDb) {
        let world = World::new(db).await;
        let local = |more: &Value| {
            let mut body = chat(more);
            body["model"] = json!("llama-3.1-8b-instant");
            body
        };
        invalid(&world, Operation::Chat, &chat(&json!({"max_tokens": -1})), "max_tokens").await;
        for wrong in [json!({"max_tokens": 0}), json!({"max_tokens": 1000.5}), json!({"max_tokens": "-1"})] {
            invalid(&world, Operation::Chat, &local(&wrong), "max_tokens").await;
        }
        let cases = [
            (json!({"max_tokens": -1}), 1_000, json!({"max_tokens": 1_000})),
            (json!({"max_completion_tokens": -1}), 1_000, json!({"max_completion_tokens": 1_000})),
            (json!({"max_tokens": 20.0}), 20, json!({"max_tokens": 20.0})),
            // Which of the two a server obeys is not known.
            (
                json!({"max_tokens": -1, "max_completion_tokens": 20}),
                1_000,
                json!({"max_tokens": 1_000, "max_completion_tokens": 20}),
            ),
        ];
        for (more, _, _) in &cases {
            let request = local(more);
            assert_eq!(sent(&world, Operation::Chat, &request).await, request, "no limit, no change");
        }
        world.budget(100 * USD).await;
        for (more, output, capped) in &cases {
            let got = world.call(Operation::Chat, &local(more)).await;
            assert_eq!(world.upstream.requests().pop().unwrap().json(), local(capped));
            assert_eq!(world.run(got.run).await.estimated.output_tokens, *output, "{more}");
        }
        world.all_ended().await;
    }

    async fn the_hold_is_the_worst_case_and_what_is_settled_is_never_more(db: TestDb) {
        let world = World::new(db).await;
        let request = chat(&json!({}));
        let held = worst_case(&request, 1_000);
        let budget = world.budget(held).await;
        // The provider would make more than it is allowed to, and counts every byte as a token.
        let input = u64::try_from(request.to_string().len()).unwrap();
        world.upstream.reply(Reply::of_tokens(input, 50_000));
        let got = world.call(Operation::Chat, &request).await;
        let cost = i64::try_from(input).unwrap() * 1_000 + 1_000 * 2_000;
        let run = assert_ended(&world, got.run, served(cost)).await;
        assert_eq!(run.estimated.cost.0, held);
        assert_eq!(world.usage(budget).await, (cost, 0));
        assert!(cost <= held);
        assert_eq!(world.breaches(budget).await, 0);
    }

    async fn of_the_answers_headers_only_what_is_listed_comes_back(db: TestDb) {
        let world = World::new(db).await;
        let fault = Fault::Status {
            status: 400,
            body: Some("{\"error\":{\"message\":\"no\",\"code\":\"bad_thing\"}}".to_owned()),
            headers: [("set-cookie", "a=b"), ("x-request-id", "r-1"), ("x-ratelimit-limit-tokens", "9")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        world.upstream.fault(fault);
        let got = world.call(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!(got.status.as_u16(), 400);
        let mut expected = HeaderMap::new();
        expected.insert("content-type", "application/json".parse().unwrap());
        expected.insert("x-upstream-request-id", "r-1".parse().unwrap());
        assert_eq!(got.headers, expected);
        assert_ended(&world, got.run, released("bad_thing")).await;
    }
}
