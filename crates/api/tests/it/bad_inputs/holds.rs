//! 7.6 Limits, holds and settlement, row by row, in the order in which a client meets them; with what 7.9 says of headers.
//!
//! | Row | Where it is shown |
//! |---|---|
//! | 87, 98–101, 103–105 | `bad_inputs::limits`, a line per value |
//! | 88–91 | `what_has_no_room_is_refused_and_what_is_raised_passes`, `of_two_that_do_not_fit_together_one_passes` here |
//! | 92–96, 102 | `a_hold_is_settled_once_in_time_and_by_whoever_took_it` here |
//! | 97 | `what_nobody_can_price_is_never_free` here |
//! | 106 | `bad_inputs::policies::a_thousand_limits_and_a_thousand_policy_rules_are_the_most` |
//! | 12, 25, 65, 66 | `a_header_that_is_read_has_a_value_that_it_may_have` here |
//!
//! Where the answer is another one than that of the list, the product says so: a check that does not fit is a decision
//! (200, `BLOCK`), and on SDK routes a budget is 429 `insufficient_quota`, as SDKs expect it.

use futures_util::future::join;
use serde_json::{Value, json};
use testkit::db::TestDb;

use super::{expect, still_works};
use crate::harness::{ALL, Answer, Call, World, budget};

const CHECK: &str = "/api/v1/limits/check";
const CHAT: &str = "/v1/chat/completions";

fn asks(world: &World, usd: u32) -> Call<'_> {
    world.post(CHECK, &json!({ "estimated_cost_usd": usd, "ttl_seconds": 60 }))
}

fn chat<'w>(world: &'w World, model: &str) -> Call<'w> {
    let body =
        json!({ "model": model, "max_tokens": 50, "messages": [{ "role": "user", "content": "Hello" }] });
    world.post(CHAT, &body)
}

fn rate(max: u32) -> Value {
    json!({ "name": "rate", "limit_category": "RATE", "limit_type": "REQUESTS_PER_HOUR", "max_value": max })
}

fn decided(answer: &Answer) -> (String, bool) {
    (
        answer.ok(200).text("/decision"),
        answer.at("/hold_id").is_string(),
    )
}

testkit::both_databases! {
    async fn what_has_no_room_is_refused_and_what_is_raised_passes(db: TestDb) {
        let world = World::new(db).await;
        let limit = format!("/api/v1/limits/{}", world.limit(&budget(10)).await);
        let none = ("BLOCK".to_owned(), false);
        assert_eq!(decided(&asks(&world, 11).send().await), none, "row 88");
        let first = world.hold(8).await;
        let refused = asks(&world, 5).send().await;
        assert_eq!(decided(&refused), none, "row 90");
        let names = ["/blocking_limits/0/limit", "/blocking_limits/0/held", "/blocking_limits/0/requested"];
        assert_eq!(names.map(|name| refused.at(name)), [json!(10), json!(8), json!(5)], "row 88");
        assert!(refused.at("/blocking_limits/0/resets_at").is_string(), "row 88");
        world.put(&limit, &json!({ "max_value": 20 })).send().await.ok(200);
        let second = asks(&world, 5).send().await;
        assert!(decided(&second).1, "row 90");
        world.put(&limit, &json!({ "max_value": 8 })).send().await.ok(200);
        chat(&world, "gpt-4o-mini").send().await.is(429, "insufficient_quota");
        // Where requests come all the time there are always open holds: they do not keep it from being disabled.
        expect("102", world.call("DELETE", &limit), 409, "limit-in-use").await;
        world.put(&limit, &json!({ "status": "DISABLED" })).send().await.ok(200);
        for hold in [first, second.text("/hold_id")] {
            world.call("POST", &format!("/api/v1/holds/{hold}/release")).send().await.ok(200);
        }
        world.limit(&rate(1)).await;
        chat(&world, "gpt-4o-mini").send().await.ok(200);
        let full = chat(&world, "gpt-4o-mini").send().await;
        assert!(full.is(429, "rate_limit_exceeded").header("retry-after").is_some(), "row 89");
        assert_eq!(world.upstream.request_count(), 1);
    }

    async fn of_two_that_do_not_fit_together_one_passes(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(10)).await;
        for _ in 0..4 {
            let (one, other) = join(asks(&world, 6).send(), asks(&world, 6).send()).await;
            let passed: Vec<Answer> = [one, other].into_iter().filter(|answer| decided(answer).1).collect();
            assert_eq!(passed.len(), 1, "row 91");
            let release = format!("/api/v1/holds/{}/release", passed[0].text("/hold_id"));
            world.call("POST", &release).send().await.ok(200);
        }
    }

    async fn a_hold_is_settled_once_in_time_and_by_whoever_took_it(db: TestDb) {
        let world = World::new(db).await;
        let limit = format!("/api/v1/limits/{}", world.limit(&budget(50)).await);
        let hold = world.hold(5).await;
        let path = |hold: &str, how: &str| format!("/api/v1/holds/{hold}/{how}");
        let settle = |usd: Value| world.post(&path(&hold, "settle"), &json!({ "cost_usd": usd }));
        let (_, rival) = world.other_tenant("rival").await;
        let colleague = world.key_with(&ALL).await;
        expect("92", settle(json!(6)), 409, "settlement-exceeds-reservation").await;
        expect("93", settle(json!(-1)), 422, "validation-failed").await;
        expect("96", settle(json!(1)).with(&rival), 404, "not-found").await;
        expect("96", settle(json!(1)).with(&colleague), 404, "not-found").await;
        expect("102", world.delete(&limit), 409, "limit-in-use").await;
        let first = settle(json!(0)).once("a").send().await;
        assert_eq!(first.ok(200).text("/status"), "SETTLED", "row 93");
        let again = settle(json!(0)).once("a").send().await;
        assert_eq!((again.ok(200).header("idempotency-replayed"), &again.body), (Some("true"), &first.body), "row 94");
        for how in [settle(json!(0)).once("b"), settle(json!(0)), world.call("POST", &path(&hold, "release"))] {
            let closed = expect("94", how, 409, "reservation-closed").await;
            assert!(closed.text("/detail").contains("SETTLED"), "row 94: {}", closed.body);
        }
        let late = asks(&world, 1).send().await.text("/hold_id");
        world.clock.advance_seconds(61);
        for how in ["settle", "release"] {
            let body = if how == "settle" { json!({ "cost_usd": 1 }) } else { json!({}) };
            expect("95", world.post(&path(&late, how), &body), 409, "reservation-expired").await;
        }
        for wrong in ["hold_1", "hold_01M7YQ1WE0000000000000ZZZZ", "%20"] {
            expect("82", world.post(&path(wrong, "settle"), &json!({ "cost_usd": 1 })), 404, "not-found").await;
        }
        still_works(&world).await;
    }

    async fn what_nobody_can_price_is_never_free(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(50)).await;
        chat(&world, testkit::providers::UNPRICED_MODEL).send().await.is(422, "unpriced_model");
        chat(&world, "no-such-model").send().await.is(404, "model_not_found");
        let unknown = json!({ "provider": "openai", "model": "nobody-knows-it", "estimated_tokens": 10 });
        assert_eq!(decided(&world.post(CHECK, &unknown).send().await), ("BLOCK".to_owned(), false), "row 97");
        assert_eq!(world.upstream.request_count(), 0);
    }

    async fn a_header_that_is_read_has_a_value_that_it_may_have(db: TestDb) {
        let world = World::new(db).await;
        let long = "x".repeat(256);
        let many = "x".repeat(201);
        for (row, name, value, status, code) in [
            ("12", "x-plimsoll-project", "a b", 400, "invalid_header"),
            ("12", "x-plimsoll-agent", "", 400, "invalid_header"),
            ("12", "x-plimsoll-feature", "a/b", 400, "invalid_header"),
            ("12", "x-plimsoll-session-id", many.as_str(), 400, "invalid_header"),
            ("12", "x-plimsoll-end-user", many.as_str(), 400, "invalid_header"),
            ("12", "x-plimsoll-parent-run-id", "run_1", 400, "invalid_header"),
            ("25", "authorization", "Basic YTpi", 401, "invalid_api_key"),
            ("25", "authorization", "Bearer", 401, "invalid_api_key"),
        ] {
            let answer = chat(&world, "gpt-4o-mini").header(name, value).send().await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "row {row}: {name}: {value}");
        }
        for (value, code) in [("", "idempotency-key-invalid"), (long.as_str(), "idempotency-key-invalid"), ("a b", "idempotency-key-invalid")] {
            expect("65", asks(&world, 1).header("idempotency-key", value), 400, code).await;
        }
        expect("66", asks(&world, 1).once("a").more("idempotency-key", "b"), 400, "idempotency-key-invalid").await;
        for word in [json!("a b"), json!(""), json!(5), json!("x".repeat(65))] {
            for path in [CHECK, "/api/v1/limits/simulate"] {
                let refused = expect("60", world.post(path, &json!({ "run_type": word })), 422, "validation-failed").await;
                assert_eq!(refused.text("/errors/0/pointer"), "/run_type");
            }
        }
        let check = world.post(CHECK, &json!({ "run_type": "batch", "estimated_tokens": 5 })).send().await;
        assert_eq!(check.ok(200).text("/decision"), "ALLOW");
        assert_eq!(world.upstream.request_count(), 0);
    }
}
