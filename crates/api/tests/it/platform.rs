//! May one tenant learn from a limit of the whole installation what the others spend?

use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::{Answer, World, budget};
use crate::log::Log;

/// What the platform's limits and their use are, in every unit they could be told in: no tenant may see one of them.
const SECRETS: [&str; 12] = [
    "777",
    "770",
    "33.3",
    "33300",
    "743.7",
    "743",
    "10.0",
    "7777",
    "7770",
    "the founder",
    "\"current_percent\":4",
    "\"utilization_pct\":4",
];

/// A GLOBAL limit on money and one on requests, and a tenant that has spent 33.3 of 777 USD.
async fn world(db: TestDb) -> (World, String) {
    let world = World::new(db).await;
    let mut money = budget(777);
    money["scope"] = json!("GLOBAL");
    money["description"] = json!("set by the founder");
    money["reset_period"] = json!("MONTHLY");
    let rate = json!({
        "name": "all requests", "limit_category": "RATE", "limit_type": "REQUESTS_PER_MINUTE", "max_value": 7777,
        "scope": "GLOBAL",
    });
    for limit in [money, rate] {
        world
            .post("/api/v1/ops/limits", &limit)
            .by_operator()
            .send()
            .await
            .ok(201);
    }
    let (_, rival) = world.other_tenant("rival").await;
    let check = json!({ "estimated_cost_usd": 33.3, "run_count": 7 });
    let held = world
        .post("/api/v1/limits/check", &check)
        .with(&rival)
        .send()
        .await;
    let settle = format!("/api/v1/holds/{}/settle", held.ok(200).text("/hold_id"));
    world
        .post(&settle, &json!({ "cost_usd": 33.3, "requests": 7 }))
        .with(&rival)
        .send()
        .await
        .ok(200);
    (world, rival)
}

fn tells_nothing(title: &str, answer: &Answer) {
    let mut said = answer.body.clone();
    for (name, value) in &answer.headers {
        if name.contains("ratelimit") {
            said.push_str(value);
        }
    }
    for secret in SECRETS {
        assert!(!said.contains(secret), "{title} tells {secret}: {answer:?}");
    }
}

testkit::both_databases! {
    async fn a_tenant_sees_what_a_global_limit_is_and_not_how_much_of_it_is_used(db: TestDb) {
        let (world, _) = world(db).await;
        let usage = world.get("/api/v1/limits/usage").send().await;
        tells_nothing("usage", &usage);
        assert_eq!(usage.text("/items/0/name"), "daily budget");
        assert_eq!(usage.text("/items/0/limit_type"), "COST_USD");
        assert_eq!(usage.text("/items/0/resets_at"), "2026-12-01T00:00:00.000Z");
        for name in ["max_value", "spent", "held", "remaining", "utilization_pct", "description", "spent_nano_usd"] {
            assert_eq!(usage.at(&format!("/items/0/{name}")), Value::Null, "{name}: {}", usage.body);
        }
        let small = json!({ "estimated_cost_usd": 1 });
        let free = world.post("/api/v1/limits/check", &small).send().await;
        tells_nothing("check", &free);
        assert_eq!(free.at("/headroom/cost_remaining_usd"), Value::Null);
        assert_eq!(free.at("/headroom/runs_remaining"), Value::Null);
        // A limit of its own is what the room is counted in.
        world.limit(&budget(50)).await;
        let own = world.post("/api/v1/limits/simulate", &small).send().await;
        tells_nothing("simulate", &own);
        assert_eq!(own.at("/headroom/cost_remaining_usd"), 49);
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 5, "messages": [{ "role": "user", "content": "hello" }] });
        let served = world.post("/v1/chat/completions", &prompt).send().await;
        tells_nothing("an LLM Run", served.ok(200));
        assert_eq!(served.header("x-ratelimit-limit-requests"), None);
    }

    async fn a_tenant_that_a_global_limit_refuses_learns_its_name_and_when_it_resets(db: TestDb) {
        let (world, _) = world(db).await;
        let refused = world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": 760 })).send().await;
        tells_nothing("check", &refused);
        assert_eq!(refused.at("/decision"), "BLOCK");
        assert_eq!(refused.text("/blocking_limits/0/name"), "daily budget");
        assert_eq!(refused.text("/blocking_limits/0/scope"), "GLOBAL");
        assert_eq!(refused.at("/blocking_limits/0/requested"), 760);
        assert_eq!(refused.text("/blocking_limits/0/resets_at"), "2026-12-01T00:00:00.000Z");
        for name in ["limit", "spent", "held", "remaining", "current_percent"] {
            assert_eq!(refused.at(&format!("/blocking_limits/0/{name}")), Value::Null, "{name}");
        }
        assert!(refused.text("/message").contains("`daily budget`, a limit of the whole installation"), "{}", refused.body);
        let path = format!("/api/v1/ops/limits/{}", refused.text("/blocking_limits/0/limit_id"));
        let lowered = world.put(&path, &json!({ "max_value": 33.3 })).by_operator().send().await;
        assert_eq!(lowered.ok(200).at("/already_exceeded"), false);
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 5, "messages": [{ "role": "user", "content": "hello" }] });
        for route in ["/v1/chat/completions", "/v1/messages"] {
            let model = if route == "/v1/messages" { "claude-haiku-4-5" } else { "gpt-4o-mini" };
            let mut prompt = prompt.clone();
            prompt["model"] = json!(model);
            let refused = world.post(route, &prompt).send().await;
            tells_nothing(route, refused.ok(429));
            assert!(refused.body.contains("a limit of the whole installation"), "{}", refused.body);
        }
    }

    async fn an_incident_about_a_global_limit_tells_nobody_how_much_of_it_is_used(db: TestDb) {
        let (world, _) = world(db).await;
        world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": 760 })).send().await;
        services::incidents::breaches::explain_all(&world.cx).await.unwrap();
        let listed = world.get("/api/v1/incidents").send().await;
        let id = listed.ok(200).text("/items/0/incident_id");
        for of in ["", "/breaches", "/events", "/learnings"] {
            let answer = world.get(&format!("/api/v1/incidents/{id}{of}")).send().await;
            tells_nothing(of, answer.ok(200));
        }
        let breaches = world.get(&format!("/api/v1/incidents/{id}/breaches")).send().await;
        assert_eq!(breaches.at("/items/0/value_at_breach"), Value::Null);
        assert_eq!(breaches.at("/items/0/limit_value"), Value::Null);
    }

    async fn a_global_limit_that_is_nearly_used_up_warns_no_tenant(db: TestDb) {
        let (world, _) = world(db).await;
        let large = world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": 700 })).send().await;
        tells_nothing("check", &large);
        assert_eq!((large.at("/decision"), large.at("/warnings")), (json!("ALLOW"), json!([])));
        assert_eq!(large.text("/message"), "Allowed.");
    }

    async fn operators_see_all_that_is_used_of_a_global_limit(db: TestDb) {
        let (world, rival) = world(db).await;
        let usage = world.get("/api/v1/ops/limits/usage").by_operator().send().await;
        assert_eq!(usage.ok(200).at("/items").as_array().unwrap().len(), 2);
        assert_eq!((usage.at("/items/0/max_value"), usage.at("/items/0/spent")), (json!(777), json!(33.3)));
        assert_eq!((usage.at("/items/0/held"), usage.at("/items/0/utilization_pct")), (json!(0), json!(4)));
        assert_eq!((usage.at("/items/1/spent"), usage.text("/items/0/description")), (json!(7), "set by the founder".to_owned()));
        world.get("/api/v1/ops/limits/usage").with(&rival).send().await.is(401, "wrong-credential-kind");
    }

    async fn an_operator_raises_a_global_limit_for_a_time_and_no_tenant_learns_of_it(db: TestDb) {
        let (world, _) = world(db).await;
        let mut log = Log::default();
        let overrides = "/api/v1/ops/limits/overrides";
        let limits = world.get("/api/v1/ops/limits").by_operator().send().await.ok(200).json();
        let money = limits["items"].as_array().unwrap().iter().find(|limit| limit["limit_type"] == "COST_USD").unwrap();
        let limit = money["limit_id"].as_str().unwrap();
        // 33.3 of 777 USD are spent; 760 more do not fit.
        let check = json!({ "estimated_cost_usd": 760 });
        assert_eq!(world.post("/api/v1/limits/check", &check).send().await.at("/decision"), "BLOCK");
        let raise = |value: Value, hours: i64, reason: &str| {
            json!({ "limit_id": limit, "override_value": value, "duration_hours": hours, "reason": reason })
        };
        let reason = "the fleet comes in for the winter";
        for (title, body) in [
            ("no hour", raise(json!(999), 0, reason)),
            ("more than a week", raise(json!(999), 169, reason)),
            ("a short reason", raise(json!(999), 24, "why not")),
            ("no raise", raise(json!(777), 24, reason)),
        ] {
            log.send(title, world.post(overrides, &body).by_operator()).await.is(422, "validation-failed");
        }
        let own = world.limit(&budget(50)).await;
        let foreign = json!({ "limit_id": own, "override_value": 999, "duration_hours": 24, "reason": reason });
        log.send("a limit of a tenant", world.post(overrides, &foreign).by_operator()).await.is(422, "validation-failed");
        world.delete(&format!("/api/v1/limits/{own}")).send().await.ok(204);
        let body = raise(json!(999), 24, reason);
        let made = log.send("raise it", world.post(overrides, &body).by_operator().once("a-raise")).await;
        let again = world.post(overrides, &body).by_operator().once("a-raise").send().await;
        assert_eq!((again.body.as_str(), again.header("idempotency-replayed")), (made.ok(201).body.as_str(), Some("true")));
        log.send("raise it twice", world.post(overrides, &body).by_operator()).await.is(409, "already-exists");
        let path = format!("{overrides}/{}", made.text("/override_id"));
        log.send("one override", world.get(&path).by_operator()).await.ok(200);
        let listed = world.get(&format!("{overrides}?limit_id={limit}")).by_operator().send().await;
        assert_eq!(listed.ok(200).at("/items/0/override_id"), made.at("/override_id"));
        let usage = world.get("/api/v1/ops/limits/usage").by_operator().send().await;
        assert_eq!(usage.ok(200).at("/items/0/effective_max_value"), json!(999), "{}", usage.body);

        // A tenant's request fits now, and says nothing of why.
        let allowed = log.send("what a tenant sees", world.post("/api/v1/limits/check", &check)).await;
        tells_nothing("check", allowed.ok(200));
        assert_eq!((allowed.at("/decision"), allowed.at("/overrides_applied"), allowed.at("/warnings")), (json!("ALLOW"), json!([]), json!([])));
        world.get(&path.replace("/ops", "")).send().await.is(404, "not-found");
        assert_eq!(world.get("/api/v1/limits/overrides").send().await.ok(200).at("/items"), json!([]));
        let release = format!("/api/v1/holds/{}/release", allowed.text("/hold_id"));
        world.call("POST", &release).send().await.ok(200);

        log.send("take it back", world.delete(&path).by_operator()).await.ok(204);
        log.send("take it back twice", world.delete(&path).by_operator()).await.is(409, "override-ended");
        assert_eq!(world.post("/api/v1/limits/check", &check).send().await.at("/decision"), "BLOCK");
        log.assert("operators_overrides");
    }
}
