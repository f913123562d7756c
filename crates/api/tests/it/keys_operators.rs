//! What can an operator do with the keys of a tenant, and is a key made once?

use serde_json::{Value, json};
use testkit::db::TestDb;

use crate::harness::{ALL, Answer, World};
use crate::log::Log;

fn count(list: &Answer) -> usize {
    list.ok(200).at("/items").as_array().unwrap().len()
}

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

testkit::both_databases! {
    async fn an_operator_lists_freezes_unfreezes_and_revokes_the_keys_of_a_tenant(db: TestDb) {
        let world = World::new(db).await;
        let mut log = Log::default();
        let keys = format!("/api/v1/ops/tenants/{}/keys", world.tenant);
        let made = world.post(&keys, &json!({ "name": "second", "scopes": ["READ"] })).by_operator().send().await;
        let (secret, id) = (made.ok(201).text("/secret"), made.text("/api_key_id"));
        let list = log.send("the keys", world.get(&keys).by_operator()).await;
        assert!(count(&list) == 2 && !list.body.contains("secret"), "{}", list.body);
        assert_eq!(list.body, world.get("/api/v1/keys").send().await.body, "the tenant sees the same");

        let path = format!("{keys}/{id}");
        let attempt = || world.get("/api/v1/projects").with(&secret).send();
        attempt().await.ok(200);
        log.send("freeze", world.post(&format!("{path}/freeze"), &json!({ "reason": "leaked" })).by_operator()).await.ok(200);
        attempt().await.is(403, "key-frozen");
        log.send("unfreeze", world.call("POST", &format!("{path}/unfreeze")).by_operator()).await.ok(200);
        attempt().await.ok(200);
        log.send("revoke", world.delete(&path).by_operator()).await.ok(200);
        attempt().await.is(401, "invalid-credential");
        log.send("that is for ever", world.call("POST", &format!("{path}/unfreeze")).by_operator()).await.is(409, "key-revoked");
        // The other key of the tenant was not meant.
        world.get("/api/v1/projects").send().await.ok(200);
        log.assert("keys_operators");
    }

    async fn a_key_is_found_below_its_own_tenant_only(db: TestDb) {
        let world = World::new(db).await;
        let (rival, their_key) = world.other_tenant("rival").await;
        let id = world.get("/api/v1/keys").send().await.text("/items/0/api_key_id");
        for owner in [rival.to_string(), model::id::TenantId::PLATFORM.to_string(), "tnt_01M7YQ1WE0000000000000ZZZZ".to_owned()] {
            let path = format!("/api/v1/ops/tenants/{owner}/keys/{id}");
            world.delete(&path).by_operator().send().await.is(404, "not-found");
            world.post(&format!("{path}/freeze"), &json!({})).by_operator().send().await.is(404, "not-found");
            world.call("POST", &format!("{path}/unfreeze")).by_operator().send().await.is(404, "not-found");
        }
        for nobody in ["tnt_01M7YQ1WE0000000000000ZZZZ", "nonsense"] {
            world.get(&format!("/api/v1/ops/tenants/{nobody}/keys")).by_operator().send().await.is(404, "not-found");
        }
        world.get("/api/v1/projects").send().await.ok(200);
        world.get("/api/v1/projects").with(&their_key).send().await.ok(200);
    }

    async fn a_key_that_is_asked_for_twice_with_one_idempotency_key_is_made_once_and_shown_once(db: TestDb) {
        let world = World::new(db).await;
        let body = json!({ "name": "once", "scopes": ["READ"], "rate_limit_rpm": 7 });
        let ops = format!("/api/v1/ops/tenants/{}/keys", world.tenant);
        for (made, call) in [
            (1, world.post("/api/v1/keys", &body)),
            // An operator's idempotency keys are not the tenant's.
            (2, world.post(&ops, &body).by_operator()),
        ] {
            let first = call.clone().once("k-1").send().await;
            assert!(first.ok(201).text("/secret").starts_with("plim_live_") && !replayed(&first));
            world.clock.advance_seconds(400 * 86_400);
            let again = call.clone().once("k-1").send().await;
            assert!(replayed(again.ok(201)), "{again:?}");
            assert_eq!(again.header("cache-control"), Some("no-store"));
            assert_eq!(again.at("/secret"), Value::Null);
            let mut expected = first.json();
            expected["secret"] = Value::Null;
            assert_eq!(again.json(), expected);
            assert_eq!(count(&world.get("/api/v1/keys").send().await), 1 + made);
            let mut other = body.clone();
            other["name"] = json!("another");
            call.clone().json(&other).once("k-1").send().await.is(422, "idempotency-key-reused");
            call.clone().once("a b").send().await.is(400, "idempotency-key-invalid");
        }
        let colleague = world.key_with(&ALL).await;
        world.post("/api/v1/keys", &body).with(&colleague).once("k-1").send().await.is(403, "idempotency-key-foreign");
        let limits = world.get("/api/v1/limits?type=RATE").send().await;
        assert_eq!(count(&limits), 2, "one for each key: {}", limits.body);
    }

    async fn of_many_that_ask_for_a_key_at_once_with_one_idempotency_key_one_gets_the_secret(db: TestDb) {
        let world = World::new(db).await;
        let call = world.post("/api/v1/keys", &json!({ "name": "once" })).once("k-1");
        let answers = futures_util::future::join_all((0..8).map(|_| crate::idempotency::patient(call.clone()))).await;
        let secrets = answers.iter().filter(|answer| answer.ok(201).at("/secret").is_string()).count();
        let ids: std::collections::BTreeSet<_> = answers.iter().map(|answer| answer.text("/api_key_id")).collect();
        assert_eq!((secrets, ids.len()), (1, 1), "{answers:#?}");
        assert_eq!(count(&world.get("/api/v1/keys").send().await), 2);
    }

    async fn a_key_that_was_refused_can_be_asked_for_again_with_the_same_idempotency_key(db: TestDb) {
        let world = World::new(db).await;
        let manager = world.key_with(&[model::key::KeyScope::Manage]).await;
        let ask = |scope: &str| world.post("/api/v1/keys", &json!({ "name": "once", "scopes": [scope] })).with(&manager).once("k-1").send();
        ask("LLM").await.is(403, "scope-escalation");
        let made = ask("MANAGE").await;
        assert!(made.ok(201).at("/secret").is_string() && !replayed(&made));
    }
}
