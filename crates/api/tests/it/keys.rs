//! How do API keys come and go, and when does it take effect?

use model::key::KeyScope;
use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::{Answer, World};
use crate::log::Log;

async fn make(world: &World, body: Value) -> Answer {
    let answer = world.post("/api/v1/keys", &body).send().await;
    answer.ok(201);
    answer
}

async fn try_key(world: &World, key: &Answer) -> Answer {
    world
        .get("/api/v1/projects")
        .with(&key.text("/secret"))
        .send()
        .await
}

testkit::both_databases! {
    async fn a_key_is_shown_once_frozen_unfrozen_and_revoked_and_each_acts_on_the_next_request(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let body = json!({ "name": "search service", "scopes": ["READ", "LLM"] });
        let key = log.send("a key", world.post("/api/v1/keys", &body)).await;
        let secret = key.text("/secret");
        let list = log.send("the list", world.get("/api/v1/keys")).await;
        assert!(!list.body.contains(&secret) && !list.body.contains("secret"));
        assert!(secret.ends_with(&key.text("/last4")));
        let path = format!("/api/v1/keys/{}", key.text("/api_key_id"));
        let reason = json!({ "reason": "on holiday" });

        try_key(&world, &key).await.ok(200);
        log.send("freeze", world.post(&format!("{path}/freeze"), &reason)).await.ok(200);
        log.send("its next request", world.get("/api/v1/projects").with(&secret)).await.is(403, "key-frozen");
        log.send("freeze again", world.post(&format!("{path}/freeze"), &json!({}))).await.ok(200);
        log.send("unfreeze", world.call("POST", &format!("{path}/unfreeze"))).await.ok(200);
        try_key(&world, &key).await.ok(200);
        log.send("revoke", world.delete(&path)).await.ok(200);
        try_key(&world, &key).await.is(401, "invalid-credential");
        world.clock.advance_seconds(60);
        log.send("revoke again", world.delete(&path)).await.ok(200);
        log.send("freeze what is revoked", world.post(&format!("{path}/freeze"), &reason)).await.is(409, "key-revoked");
        log.send("unfreeze what is revoked", world.call("POST", &format!("{path}/unfreeze"))).await.is(409, "key-revoked");
        log.assert("keys");
    }

    async fn unknown_revoked_and_expired_keys_are_answered_alike(db: TestDb) {
        let world = World::new(db).await;
        let elsewhere = World::new(TestDb::sqlite()).await;
        let expired = make(&world, json!({ "name": "for a day", "expires_in_days": 1 })).await;
        let revoked = make(&world, json!({ "name": "for an hour" })).await;
        world.delete(&format!("/api/v1/keys/{}", revoked.text("/api_key_id"))).send().await.ok(200);
        try_key(&world, &expired).await.ok(200);
        world.clock.advance_seconds(86_400);
        let mut answers = Vec::new();
        for secret in [elsewhere.key.clone(), revoked.text("/secret"), expired.text("/secret")] {
            let call = world.get("/api/v1/projects").with(&secret).header("x-request-id", "same");
            let mut answer = call.send().await;
            answer.is(401, "invalid-credential");
            answer.headers.retain(|(name, _)| name != "date");
            answers.push(answer);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
        let status = |list: &Answer, name: &str| {
            let items = list.at("/items");
            items.as_array().unwrap().iter().find(|item| item["name"] == name).unwrap()["status"].clone()
        };
        let list = world.get("/api/v1/keys").send().await;
        assert_eq!([status(&list, "for a day"), status(&list, "for an hour")], ["EXPIRED", "REVOKED"]);
    }

    async fn the_requests_per_minute_of_a_key_are_a_limit_like_any_other(db: TestDb) {
        let world = World::new(db).await;
        let key = make(&world, json!({ "name": "slow", "rate_limit_rpm": 2 })).await;
        let secret = key.text("/secret");
        let limits = world.get("/api/v1/limits?type=RATE").send().await;
        assert_eq!(limits.at("/items/0/api_key_id"), key.at("/api_key_id"));
        assert_eq!(limits.at("/items/0/max_value"), 2);
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 5, "messages": [] });
        let ask = |secret: &str| world.post("/v1/chat/completions", &prompt).with(secret).send();
        ask(&secret).await.ok(200);
        ask(&secret).await.ok(200);
        let refused = ask(&secret).await;
        refused.is(429, "rate_limit_exceeded");
        // A window of whole seconds: the second in which the first request came counts in full.
        let wait = refused.header("retry-after").unwrap();
        assert_eq!(wait, "61");
        // Other keys have their own pace.
        ask(&world.key).await.ok(200);
        world.clock.advance_seconds(wait.parse().unwrap());
        ask(&secret).await.ok(200);
    }

    async fn nobody_gives_a_scope_that_they_do_not_have(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let manager = world.key_with(&[KeyScope::Manage]).await;
        let wanted = json!({ "name": "more", "scopes": ["MANAGE", "LLM"] });
        log.send("more than one has", world.post("/api/v1/keys", &wanted).with(&manager)).await.is(403, "scope-escalation");
        let unsaid = json!({ "name": "the usual" });
        world.post("/api/v1/keys", &unsaid).with(&manager).send().await.is(403, "scope-escalation");
        let same = json!({ "name": "the same", "scopes": ["MANAGE"] });
        world.post("/api/v1/keys", &same).with(&manager).send().await.ok(201);
        log.assert("keys_escalation");
    }

    async fn a_freeze_needs_no_reason_and_so_no_body(db: TestDb) {
        let world = World::new(db).await;
        let key = make(&world, json!({ "name": "search service" })).await;
        let path = format!("/api/v1/keys/{}/freeze", key.text("/api_key_id"));
        let plain = world.call("POST", &path).bytes("because").header("content-type", "text/plain");
        plain.send().await.is(415, "unsupported-media-type");
        let frozen = world.call("POST", &path).send().await;
        assert_eq!((frozen.ok(200).text("/status").as_str(), frozen.at("/freeze_reason")), ("FROZEN", json!(null)));
        let path = format!("/api/v1/ops/tenants/{}/freeze", world.tenant);
        let frozen = world.call("POST", &path).by_operator().send().await;
        assert_eq!((frozen.ok(200).text("/status").as_str(), frozen.at("/freeze_reason")), ("FROZEN", json!(null)));
    }

    async fn a_frozen_tenant_is_stopped_with_all_its_keys_and_nobody_else_is(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let (_, other) = world.other_tenant("rival").await;
        let path = format!("/api/v1/ops/tenants/{}", world.tenant);
        world.get("/api/v1/projects").send().await.ok(200);
        let reason = json!({ "reason": "unpaid since October" });
        world.post(&format!("{path}/freeze"), &reason).by_operator().send().await.ok(200);
        log.send("its next request", world.get("/api/v1/projects")).await.is(403, "tenant-suspended");
        log.send("it cannot free itself", world.post("/api/v1/keys", &json!({ "name": "new" }))).await.is(403, "tenant-suspended");
        world.get("/api/v1/projects").with(&other).send().await.ok(200);
        world.call("POST", &format!("{path}/unfreeze")).by_operator().send().await.ok(200);
        world.get("/api/v1/projects").send().await.ok(200);
        let tenants = world.get("/api/v1/ops/tenants").by_operator().send().await;
        assert_eq!(tenants.at("/items").as_array().unwrap().len(), 2, "the platform is no tenant: {}", tenants.body);
        log.assert("tenant_frozen");
    }
}
