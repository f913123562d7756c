//! 7.6 Limits, holds, settlement.

use serde_json::{Value, json};
use testkit::db::TestDb;

use super::expect;
use crate::harness::{World, budget};

/// A budget with some members changed; null takes a member out.
fn with(changes: &Value) -> Value {
    let mut body = budget(10);
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

testkit::both_databases! {
    async fn a_limit_that_makes_no_sense_is_not_made(db: TestDb) {
        let world = World::new(db).await;
        let refused = [
            ("87", json!({ "max_value": 0 })),
            ("87", json!({ "max_value": -1 })),
            ("87", json!({ "max_value": 1e30 })),
            ("87", json!({ "max_value": "0.0000000001" })),
            ("87", json!({ "max_value": "1,000" })),
            ("87", json!({ "max_value": "NaN" })),
            ("87", json!({ "max_value": "" })),
            ("87", json!({ "max_value": "$5" })),
            ("87", json!({ "limit_type": "TOKENS_TOTAL", "max_value": 1.5 })),
            ("103", json!({ "window_seconds": 3600 })),
            ("103", json!({ "reset_period": "WEEKLY", "window_seconds": 3600 })),
            ("103", json!({ "reset_period": null })),
            ("103", json!({ "limit_category": "RATE", "reset_period": null, "window_seconds": 0 })),
            ("103", json!({ "limit_category": "RATE", "reset_period": null, "window_seconds": 2_678_401 })),
            ("103", json!({ "limit_category": "RATE", "limit_type": "REQUESTS_PER_MINUTE", "reset_period": null, "window_seconds": 61 })),
            ("103", json!({ "limit_category": "THRESHOLD", "limit_type": "TOKENS_PER_RUN" })),
            ("103", json!({ "limit_category": "THRESHOLD", "reset_period": null })),
            ("103", json!({ "time_zone": "Mars/Olympus" })),
            ("103", json!({ "time_zone": "europe/berlin " })),
            ("103", json!({ "reset_period": "YEARLY" })),
            ("103", json!({ "scope": "PROJECT" })),
            ("103", json!({ "scope": "TENANT", "scope_id": "p" })),
            ("103", json!({ "scope": "AGENT", "scope_id": "a b" })),
            ("103", json!({ "api_key_id": "key_01M7YQ1WE0000000000000ZZZZ" })),
            ("103", json!({ "api_key_id": "key_1" })),
            ("103", json!({ "model": "" })),
            ("60", json!({ "description": "é".repeat(1025) })),
            ("60", json!({ "enforcement": "block" })),
        ];
        for (row, changes) in refused {
            expect(row, world.post("/api/v1/limits", &with(&changes)), 422, "validation-failed").await;
        }
        expect("104", world.post("/api/v1/limits", &with(&json!({ "scope": "GLOBAL" }))), 403, "insufficient-scope").await;
        let ours = world.post("/api/v1/ops/limits", &budget(1)).by_operator();
        expect("104", ours, 403, "insufficient-scope").await;
        world.limit(&budget(10)).await;
        expect("105", world.post("/api/v1/limits", &with(&json!({ "name": "another", "max_value": 99 }))), 409, "already-exists").await;
        let limits = world.get("/api/v1/limits").send().await;
        assert_eq!(limits.at("/items").as_array().unwrap().len(), 1);
    }

    async fn a_change_that_makes_no_sense_is_not_made(db: TestDb) {
        let world = World::new(db).await;
        let limit = format!("/api/v1/limits/{}", world.limit(&budget(10)).await);
        let before = world.get(&limit).send().await.body;
        for (row, change) in [
            ("87", json!({ "max_value": 0 })),
            ("87", json!({ "max_value": "1e30" })),
            ("103", json!({ "window_seconds": 60 })),
            ("103", json!({ "reset_period": "NEVER" })),
            ("60", json!({ "name": "" })),
            ("59", json!({ "status": "DELETED" })),
        ] {
            expect(row, world.put(&limit, &change), 422, "validation-failed").await;
        }
        for read_only in ["limit_id", "scope", "limit_type", "created_at", "tenant_id"] {
            let mut change = json!({});
            change[read_only] = json!("x");
            expect("53", world.put(&limit, &change), 422, "read-only-field").await;
        }
        assert_eq!(world.get(&limit).send().await.body, before);
        // Lower than what is held is no mistake: what is open stays, nothing new passes.
        world.hold(8).await;
        let lowered = world.put(&limit, &json!({ "max_value": 5 })).send().await;
        assert_eq!(lowered.ok(200).at("/already_exceeded"), true, "row 100");
        assert_eq!(world.get("/api/v1/limits/usage").send().await.at("/items/0/held"), 8);
        let refused = world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": 0.01 })).send().await;
        assert_eq!(refused.at("/decision"), "BLOCK", "row 101");
        let raised = world.put(&limit, &json!({ "max_value": 8 })).send().await;
        assert_eq!(raised.ok(200).at("/already_exceeded"), false, "equality passes");
    }

    async fn a_change_that_makes_a_limit_the_same_as_another_is_refused(db: TestDb) {
        let world = World::new(db).await;
        let first = world.limit(&budget(10)).await;
        let second = world.limit(&with(&json!({ "reset_period": "WEEKLY" }))).await;
        let (first, second) = (format!("/api/v1/limits/{first}"), format!("/api/v1/limits/{second}"));
        let same = json!({ "reset_period": "DAILY" });
        expect("105", world.put(&second, &same), 409, "already-exists").await;
        // One that does not apply is not the same as one that does, until it is to apply again.
        world.put(&first, &json!({ "status": "DISABLED" })).send().await.ok(200);
        world.put(&second, &same).send().await.ok(200);
        expect("105", world.put(&first, &json!({ "status": "ACTIVE" })), 409, "already-exists").await;
        world.put(&second, &json!({ "name": "renamed" })).send().await.ok(200);
    }

    async fn a_limit_for_what_nobody_has_made_is_not_made(db: TestDb) {
        let world = World::new(db).await;
        let (_, other) = world.other_tenant("other").await;
        let project = world.post("/api/v1/projects", &json!({ "project_id": "search" }));
        project.with(&other).send().await.ok(201);
        let about = |scope: &str, id: &str| with(&json!({ "scope": scope, "scope_id": id }));
        for (scope, id) in [("PROJECT", "serach"), ("AGENT", "crawlr"), ("PROJECT", "search")] {
            let refused = world.post("/api/v1/limits", &about(scope, id)).send().await;
            assert_eq!(refused.is(422, "validation-failed").text("/errors/0/pointer"), "/scope_id", "row 103: {scope}");
            let tried = world.post("/api/v1/limits/simulate/history", &json!({ "limit": about(scope, id) })).send().await;
            assert_eq!(tried.is(422, "validation-failed").text("/errors/0/pointer"), "/limit/scope_id", "row 103: {scope}");
        }
        // A check may name a provider that is called without us.
        let unknown = world.post("/api/v1/limits", &about("PROVIDER", "opneai")).send().await;
        assert_eq!(unknown.ok(201).text("/warnings/0/pointer"), "/scope_id");
        world.post("/api/v1/projects", &json!({ "project_id": "search" })).send().await.ok(201);
        world.post("/api/v1/agents", &json!({ "agent_id": "crawler" })).send().await.ok(201);
        for (scope, id) in [("PROJECT", "search"), ("AGENT", "crawler"), ("PROVIDER", "openai")] {
            let made = world.post("/api/v1/limits", &about(scope, id)).send().await;
            assert_eq!(made.ok(201).at("/warnings"), json!([]), "{scope}");
            assert_eq!(made.at("/already_exceeded"), false);
            let tried = world.post("/api/v1/limits/simulate/history", &json!({ "limit": about(scope, id) }));
            tried.send().await.ok(200);
        }
    }

    async fn a_rule_for_what_is_another_tenants_is_not_made(db: TestDb) {
        let world = World::new(db).await;
        let (_, other) = world.other_tenant("other").await;
        for (path, id) in [("projects", "project_id"), ("agents", "agent_id")] {
            let mut body = json!({});
            body[id] = json!("search");
            world.post(&format!("/api/v1/{path}"), &body).with(&other).send().await.ok(201);
        }
        let rule = |scope: &str| {
            let body = json!({ "name": "r", "condition": "run.stream", "enforcement_mode": "WARN", "scope": scope, "scope_id": "search" });
            world.post("/api/v1/policies/rules", &body)
        };
        for scope in ["PROJECT", "AGENT"] {
            let refused = rule(scope).send().await;
            assert_eq!(refused.is(422, "validation-failed").text("/errors/0/pointer"), "/scope_id", "row 109: {scope}");
        }
        assert_eq!(world.get("/api/v1/policies/rules").send().await.at("/items"), json!([]));
        world.post("/api/v1/projects", &json!({ "project_id": "search" })).send().await.ok(201);
        rule("PROJECT").send().await.ok(201);
    }

    async fn every_type_of_limit_is_in_force_until_it_is_disabled(db: TestDb) {
        let world = World::new(db).await;
        for limit_type in ["LATENCY_MS", "ERROR_RATE_PCT", "TOKENS_PER_RUN"] {
            let limit = json!({ "name": "t", "limit_category": "THRESHOLD", "limit_type": limit_type, "max_value": 5 });
            let made = world.post("/api/v1/limits", &limit).send().await;
            assert_eq!(made.ok(201).at("/in_force"), true, "{limit_type}");
            let path = format!("/api/v1/limits/{}", made.text("/limit_id"));
            assert_eq!(world.get(&path).send().await.at("/exceeded"), json!(null));
            let changed = world.put(&path, &json!({ "max_value": 6 })).send().await;
            assert_eq!(changed.ok(200).at("/in_force"), true);
            world.delete(&path).send().await.ok(204);
            assert_eq!(world.get(&path).send().await.at("/in_force"), false);
        }
    }

    async fn a_check_that_makes_no_sense_holds_nothing(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(10)).await;
        for (row, body) in [
            ("87", json!({ "estimated_cost_usd": -1 })),
            ("87", json!({ "estimated_cost_cents": -1 })),
            ("87", json!({ "estimated_cost_cents": i64::MAX })),
            ("87", json!({ "estimated_cost_nano_usd": -1 })),
            ("87", json!({ "estimated_cost_usd": 1, "estimated_cost_cents": 100 })),
            ("87", json!({ "estimated_cost_usd": "0.0000000001" })),
            ("98", json!({ "estimated_tokens": 1_000_000_000_001_i64 })),
            ("98", json!({ "estimated_tokens": 1, "estimated_input_tokens": 1 })),
            ("98", json!({ "run_count": 0 })),
            ("98", json!({ "run_count": 1_000_001 })),
            ("99", json!({ "ttl_seconds": 0 })),
            ("99", json!({ "ttl_seconds": 86_401 })),
            ("99", json!({ "ttl_seconds": i64::MAX })),
            ("48", json!({ "project_id": "a b" })),
            ("60", json!({ "end_user": "é".repeat(201) })),
        ] {
            for path in ["/api/v1/limits/check", "/api/v1/limits/simulate"] {
                expect(row, world.post(path, &body), 422, "validation-failed").await;
            }
        }
        let huge = world.post("/api/v1/limits/check", &json!({ "estimated_cost_nano_usd": i64::MAX })).send().await;
        assert_eq!(huge.ok(200).at("/decision"), "BLOCK", "row 88");
        let unpriced = json!({ "provider": "openai", "model": "no-such-model", "estimated_tokens": 10 });
        let unpriced = world.post("/api/v1/limits/check", &unpriced).send().await;
        assert_eq!((unpriced.at("/decision"), unpriced.at("/hold_id")), (json!("BLOCK"), Value::Null), "row 97");
        assert!(unpriced.text("/message").contains("never taken for zero"), "row 97: {}", unpriced.body);
        assert_eq!(world.get("/api/v1/limits/usage").send().await.at("/items/0/held"), 0);
    }

    async fn a_settlement_that_makes_no_sense_leaves_the_hold_as_it_is(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(10)).await;
        let hold = world.hold(5).await;
        let path = format!("/api/v1/holds/{hold}/settle");
        for (row, body) in [
            ("93", json!({ "cost_usd": -1 })),
            ("93", json!({ "cost_nano_usd": -1 })),
            ("93", json!({})),
            ("93", json!({ "cost_usd": null })),
            ("93", json!({ "cost_usd": 1, "cost_nano_usd": 1_000_000_000 })),
            ("87", json!({ "cost_usd": 1e30 })),
            ("87", json!({ "cost_usd": 1, "input_tokens": -1 })),
            ("87", json!({ "cost_usd": 1, "output_tokens": 1_000_000_000_001_i64 })),
            ("60", json!({ "cost_usd": 1, "model": "" })),
            ("60", json!({ "cost_usd": 1, "model": "m".repeat(201) })),
            ("48", json!({ "cost_usd": 1, "model": "a\u{0}b" })),
        ] {
            expect(row, world.post(&path, &body), 422, "validation-failed").await;
        }
        expect("92", world.post(&path, &json!({ "cost_usd": "5.000000001" })), 409, "settlement-exceeds-reservation").await;
        assert_eq!(world.get("/api/v1/limits/usage").send().await.at("/items/0/held"), 5);
        world.post(&path, &json!({ "cost_usd": 4.5e-3 })).send().await.ok(200);
        assert_eq!(world.get("/api/v1/limits/usage").send().await.at("/items/0/spent"), 0.0045);
    }

    async fn a_key_or_a_tenant_that_makes_no_sense_is_not_made(db: TestDb) {
        let world = World::new(db).await;
        for body in [
            json!({ "name": "a", "scopes": [] }),
            json!({ "name": "a", "scopes": ["ADMIN"] }),
            json!({ "name": "a", "scopes": "READ" }),
            json!({ "name": "a", "environment": "LIVE" }),
            json!({ "name": "a", "rate_limit_rpm": 0 }),
            json!({ "name": "a", "rate_limit_rpm": 1_000_001 }),
            json!({ "name": "a", "rate_limit_rpm": -1 }),
            json!({ "name": "a", "expires_in_days": 0 }),
            json!({ "name": "a", "expires_in_days": 366 }),
        ] {
            expect("59", world.post("/api/v1/keys", &body), 422, "validation-failed").await;
        }
        let tenant = |body: &Value| world.post("/api/v1/ops/tenants", body).by_operator();
        expect("60", tenant(&json!({ "name": "é".repeat(256) })), 422, "validation-failed").await;
        expect("105", tenant(&json!({ "name": "acme" })), 409, "already-exists").await;
        for price in [0, -1, 1_000_000_001] {
            let path = format!("/api/v1/ops/tenants/{}/floor-price", world.tenant);
            let call = world.put(&path, &json!({ "floor_price_nano_usd": price })).by_operator();
            expect("87", call, 422, "validation-failed").await;
        }
        let project = json!({ "project_id": "p" });
        world.post("/api/v1/projects", &project).send().await.ok(201);
        expect("105", world.post("/api/v1/projects", &project), 409, "already-exists").await;
        let agent = json!({ "agent_id": "a", "project_id": "no-such-project" });
        expect("103", world.post("/api/v1/agents", &agent), 422, "validation-failed").await;
    }
}
