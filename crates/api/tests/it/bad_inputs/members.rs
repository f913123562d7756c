//! 7.3 JSON bodies, member by member: which one is wrong?

use serde_json::{Value, json};
use testkit::db::TestDb;

use super::{expect, still_works};
use crate::harness::{Call, World, budget};

/// Every route that reads a body, with one that it takes.
async fn routes(world: &World) -> Vec<(String, &'static str, bool, Value)> {
    let limit = world.limit(&budget(50)).await;
    let hold = world.hold(1).await;
    let key = world
        .post("/api/v1/keys", &json!({ "name": "another" }))
        .send()
        .await
        .text("/api_key_id");
    let agent = world.post("/api/v1/agents", &json!({ "agent_id": "crawler" }));
    agent.send().await.ok(201);
    let tenant = format!("/api/v1/ops/tenants/{}", world.tenant);
    let rate = json!({
        "name": "a rate", "description": "d", "limit_category": "RATE", "limit_type": "REQUESTS_PER_HOUR", "max_value": 9,
        "scope": "AGENT", "scope_id": "crawler", "model": "m", "enforcement": "WARN",
    });
    let global = json!({
        "name": "all", "limit_category": "RATE", "limit_type": "REQUESTS_PER_HOUR", "max_value": 9, "scope": "GLOBAL",
    });
    let check = json!({
        "estimated_cost_usd": 1, "project_id": "p", "agent_id": "a", "feature": "f", "session_id": "s", "end_user": "e",
        "provider": "openai", "model": "m",
    });
    let reason = json!({ "reason": "r" });
    let new_key = json!({ "name": "k", "environment": "live", "scopes": ["READ"] });
    vec![
        ("/api/v1/limits".to_owned(), "POST", false, rate),
        (
            format!("/api/v1/limits/{limit}"),
            "PUT",
            false,
            json!({ "name": "n", "description": "d" }),
        ),
        ("/api/v1/limits/check".to_owned(), "POST", false, check.clone()),
        ("/api/v1/limits/simulate".to_owned(), "POST", false, check),
        (
            format!("/api/v1/holds/{hold}/settle"),
            "POST",
            false,
            json!({ "cost_usd": "1", "model": "m" }),
        ),
        ("/api/v1/keys".to_owned(), "POST", false, new_key.clone()),
        (
            format!("/api/v1/keys/{key}/freeze"),
            "POST",
            false,
            reason.clone(),
        ),
        (
            "/api/v1/projects".to_owned(),
            "POST",
            false,
            json!({ "project_id": "p", "description": "d" }),
        ),
        (
            "/api/v1/agents".to_owned(),
            "POST",
            false,
            json!({ "agent_id": "a", "project_id": "p", "description": "d" }),
        ),
        (
            "/api/v1/ops/tenants".to_owned(),
            "POST",
            true,
            json!({ "name": "t" }),
        ),
        (format!("{tenant}/freeze"), "POST", true, reason),
        (format!("{tenant}/keys"), "POST", true, new_key),
        ("/api/v1/ops/limits".to_owned(), "POST", true, global),
    ]
}

fn call<'w>(world: &'w World, path: &str, method: &str, by_operator: bool, body: &Value) -> Call<'w> {
    let call = world.call(method, path).json(body);
    if by_operator { call.by_operator() } else { call }
}

testkit::both_databases! {
    async fn the_character_nul_is_refused_in_every_text_that_a_route_reads(db: TestDb) {
        let world = World::new(db).await;
        for (path, method, ops, body) in routes(&world).await {
            let texts = body.as_object().unwrap().iter().filter(|(_, value)| value.is_string());
            let names: Vec<String> = texts.map(|(name, _)| name.clone()).collect();
            assert!(!names.is_empty(), "{path}");
            for name in names {
                let mut bad = body.clone();
                bad[&name] = json!(format!("{}\0", body[&name].as_str().unwrap()));
                let answer = expect("47", call(&world, &path, method, ops, &bad), 422, "validation-failed").await;
                assert_eq!(answer.text("/errors/0/pointer"), format!("/{name}"), "{path}");
            }
            let mut bad = body.clone();
            bad["a\0b"] = json!(1);
            expect("47", call(&world, &path, method, ops, &bad), 422, "validation-failed").await;
        }
        for path in ["/api/v1/runs?model=a%00b", "/api/v1/limits/LIM-%00", "/api/v1/limits?cursor=%00"] {
            expect("47", world.get(path), 400, "malformed-request").await;
        }
        still_works(&world).await;
    }

    async fn every_refusal_points_at_the_member_that_is_wrong(db: TestDb) {
        let world = World::new(db).await;
        for (path, method, ops, body) in routes(&world).await {
            for (name, member) in body.as_object().unwrap() {
                // A number instead of a text, and an object instead of anything else.
                let wrong = if member.is_string() { json!(7) } else { json!({}) };
                if name == "cost_usd" {
                    continue;
                }
                let mut bad = body.clone();
                bad[name] = wrong;
                let answer = expect("55", call(&world, &path, method, ops, &bad), 422, "validation-failed").await;
                assert_eq!(answer.text("/errors/0/pointer"), format!("/{name}"), "{path}: {}", answer.body);
                let said = answer.text("/errors/0/detail");
                let rust = ["i64", "u32", "struct ", "enum ", "borrowed", "variant"];
                assert!(rust.iter().all(|word| !said.contains(word)), "{path}: {said}");
            }
            let mut unknown = body.clone();
            unknown["no/such"] = json!(1);
            let answer = expect("52", call(&world, &path, method, ops, &unknown), 422, "unknown-field").await;
            assert_eq!(answer.text("/errors/0/pointer"), "/no~1such", "{path}");
        }
        for (body, pointer) in [
            (json!({ "estimated_cost_cents": -1 }), "/estimated_cost_cents"),
            (json!({ "estimated_cost_nano_usd": -1 }), "/estimated_cost_nano_usd"),
            (json!({ "estimated_cost_usd": 1, "estimated_cost_cents": 100 }), "/estimated_cost_cents"),
            (json!({ "estimated_cost_usd": "1,000" }), "/estimated_cost_usd"),
            (json!({ "estimated_cost_usd": 1e30 }), "/estimated_cost_usd"),
            (json!({ "estimated_cost_usd": "NaN" }), "/estimated_cost_usd"),
            (json!({ "estimated_output_tokens": -1 }), "/estimated_output_tokens"),
        ] {
            let answer = expect("87", world.post("/api/v1/limits/check", &body), 422, "validation-failed").await;
            assert_eq!(answer.text("/errors/0/pointer"), pointer);
        }
    }

    async fn what_an_answer_shows_and_nobody_writes_is_read_only(db: TestDb) {
        let world = World::new(db).await;
        let mut read_only = 0;
        for (path, method, ops, body) in routes(&world).await {
            // A reason is about a resource and none of it.
            if path.ends_with("freeze") {
                continue;
            }
            let made = call(&world, &path, method, ops, &body).send().await;
            assert!(made.status < 300, "{path}: {}", made.body);
            let mut shown: Vec<String> = made.json().as_object().unwrap().keys().cloned().collect();
            shown.push("tenant_id".to_owned());
            for name in shown {
                let mut bad = json!({});
                bad[&name] = json!(null);
                let answer = call(&world, &path, method, ops, &bad).send().await;
                assert_ne!(answer.code(), "unknown-field", "{path} {name}: {}", answer.body);
                if answer.code() == "read-only-field" {
                    assert_eq!(answer.text("/errors/0/pointer"), format!("/{name}"), "row 53: {path}");
                    read_only += 1;
                }
            }
        }
        assert!(read_only > 80, "{read_only}");
    }

    async fn a_name_has_one_spelling(db: TestDb) {
        let world = World::new(db).await;
        let tenant = |name: &str| world.post("/api/v1/ops/tenants", &json!({ "name": name })).by_operator();
        let made = tenant(" Zu\u{308}ri ").send().await;
        assert_eq!(made.ok(201).text("/name"), "Z\u{fc}ri", "row 61");
        expect("61", tenant("Z\u{fc}ri"), 409, "already-exists").await;
        let mut limit = budget(1);
        limit["name"] = json!("e\u{301}te\u{301}");
        let limit = world.post("/api/v1/limits", &limit).send().await;
        assert_eq!(limit.ok(201).text("/name"), "\u{e9}t\u{e9}");
        let change = json!({ "name": "A\u{30a}" });
        let changed = world.put(&format!("/api/v1/limits/{}", limit.text("/limit_id")), &change).send().await;
        assert_eq!(changed.ok(200).text("/name"), "\u{c5}");
        let key = world.post("/api/v1/keys", &json!({ "name": "n\u{303}" })).send().await;
        assert_eq!(key.ok(201).text("/name"), "\u{f1}");
    }
}
