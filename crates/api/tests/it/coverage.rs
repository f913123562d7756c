//! Is every route closed to everybody who may not use it?
//!
//! The table names who may use which route. A route that is not in it fails the test.

use std::collections::BTreeSet;

use model::id::{PreventionId, RunId, TenantId};
use model::key::KeyScope::{self, Llm, Manage, Read};
use model::time::Clock as _;
use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::governance::prevent;

use crate::harness::{Call, World, budget};
use crate::policy_proposals::failure;
use crate::routes::{Route, closed};

/// Open to everybody. This list may only shrink.
const OPEN: [&str; 5] = ["/livez", "/readyz", "/openapi.json", "/docs", "/metrics"];

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// A key of a tenant with this scope.
    Tenant(KeyScope),
    /// The same on an SDK's route, where refusals have the SDK's shape.
    Sdk,
    /// An operator.
    Operator,
    /// A principal that signs requests, where refusals have the shape of the incident control plane.
    Signed,
}

use Who::{Operator, Sdk, Signed, Tenant};

const TABLE: [(&str, &str, Who); 107] = [
    ("POST", "/v1/chat/completions", Sdk),
    ("POST", "/v1/completions", Sdk),
    ("POST", "/v1/embeddings", Sdk),
    ("POST", "/v1/responses", Sdk),
    ("POST", "/v1/messages", Sdk),
    ("POST", "/v1/messages/count_tokens", Sdk),
    ("GET", "/v1/models", Sdk),
    ("GET", "/api/v1/limits", Tenant(Read)),
    ("POST", "/api/v1/limits", Tenant(Manage)),
    ("GET", "/api/v1/limits/usage", Tenant(Read)),
    ("POST", "/api/v1/limits/check", Tenant(Llm)),
    ("POST", "/api/v1/limits/simulate", Tenant(Read)),
    ("POST", "/api/v1/limits/simulate/history", Tenant(Read)),
    (
        "GET",
        "/api/v1/policies/rules/{rule_id}/effectiveness",
        Tenant(Read),
    ),
    ("GET", "/api/v1/policies/preventions", Tenant(Read)),
    (
        "POST",
        "/api/v1/policies/preventions/{prevention_id}/false-positive",
        Tenant(Manage),
    ),
    ("GET", "/api/v1/policy-proposals", Tenant(Read)),
    ("POST", "/api/v1/policy-proposals", Tenant(Manage)),
    ("GET", "/api/v1/policy-proposals/{proposal_id}", Tenant(Read)),
    (
        "GET",
        "/api/v1/policy-proposals/{proposal_id}/backtest",
        Tenant(Read),
    ),
    (
        "POST",
        "/api/v1/policy-proposals/{proposal_id}/approve",
        Tenant(Manage),
    ),
    (
        "POST",
        "/api/v1/policy-proposals/{proposal_id}/reject",
        Tenant(Manage),
    ),
    ("GET", "/api/v1/webhooks", Tenant(Read)),
    ("POST", "/api/v1/webhooks", Tenant(Manage)),
    ("GET", "/api/v1/webhooks/{webhook_id}", Tenant(Read)),
    ("PUT", "/api/v1/webhooks/{webhook_id}", Tenant(Manage)),
    ("DELETE", "/api/v1/webhooks/{webhook_id}", Tenant(Manage)),
    (
        "POST",
        "/api/v1/webhooks/{webhook_id}/rotate-secret",
        Tenant(Manage),
    ),
    ("POST", "/api/v1/webhooks/{webhook_id}/test", Tenant(Manage)),
    ("GET", "/api/v1/webhooks/{webhook_id}/deliveries", Tenant(Read)),
    (
        "POST",
        "/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
        Tenant(Manage),
    ),
    ("GET", "/api/v1/contract/labels", Tenant(Read)),
    ("GET", "/api/v1/incidents", Tenant(Read)),
    ("GET", "/incidents", Signed),
    ("POST", "/incidents", Signed),
    ("GET", "/incidents/{incident_id}", Signed),
    ("PATCH", "/incidents/{incident_id}/state", Signed),
    ("GET", "/incidents/{incident_id}/timeline", Signed),
    ("GET", "/incidents/{incident_id}/replay", Signed),
    ("GET", "/kill-switch/status", Signed),
    ("POST", "/kill-switch/disable", Signed),
    ("POST", "/kill-switch/enable", Signed),
    ("GET", "/api/v1/incidents/stream", Tenant(Read)),
    ("GET", "/api/v1/incidents/{incident_id}", Tenant(Read)),
    ("GET", "/api/v1/incidents/patterns", Tenant(Read)),
    ("GET", "/api/v1/incidents/recurring", Tenant(Read)),
    ("GET", "/api/v1/incidents/{incident_id}/cost-impact", Tenant(Read)),
    ("GET", "/api/v1/incidents/{incident_id}/learnings", Tenant(Read)),
    ("GET", "/api/v1/incidents/{incident_id}/breaches", Tenant(Read)),
    ("GET", "/api/v1/incidents/{incident_id}/events", Tenant(Read)),
    ("GET", "/api/v1/incidents/{incident_id}/source-run", Tenant(Read)),
    (
        "POST",
        "/api/v1/incidents/{incident_id}/acknowledge",
        Tenant(Manage),
    ),
    ("POST", "/api/v1/incidents/{incident_id}/resolve", Tenant(Manage)),
    ("GET", "/api/v1/runs/{run_id}/incidents", Tenant(Read)),
    ("GET", "/api/v1/runtime/incidents", Tenant(Read)),
    ("GET", "/api/v1/runtime/policies/rules", Tenant(Read)),
    ("GET", "/api/v1/runtime/policies/limits", Tenant(Read)),
    ("GET", "/api/v1/limits/overrides", Tenant(Read)),
    ("POST", "/api/v1/limits/overrides", Tenant(Manage)),
    ("GET", "/api/v1/limits/overrides/{override_id}", Tenant(Read)),
    ("DELETE", "/api/v1/limits/overrides/{override_id}", Tenant(Manage)),
    ("GET", "/api/v1/limits/{limit_id}", Tenant(Read)),
    ("PUT", "/api/v1/limits/{limit_id}", Tenant(Manage)),
    ("DELETE", "/api/v1/limits/{limit_id}", Tenant(Manage)),
    ("GET", "/api/v1/policies/rules", Tenant(Read)),
    ("POST", "/api/v1/policies/rules", Tenant(Manage)),
    ("POST", "/api/v1/policies/rules/backtest", Tenant(Read)),
    ("GET", "/api/v1/policies/rules/{rule_id}", Tenant(Read)),
    ("PUT", "/api/v1/policies/rules/{rule_id}", Tenant(Manage)),
    ("GET", "/api/v1/policies/rules/{rule_id}/versions", Tenant(Read)),
    ("POST", "/api/v1/holds/{hold_id}/settle", Tenant(Llm)),
    ("POST", "/api/v1/holds/{hold_id}/release", Tenant(Llm)),
    ("GET", "/api/v1/runs", Tenant(Read)),
    ("GET", "/api/v1/runs/{run_id}", Tenant(Read)),
    ("GET", "/api/v1/runs/{run_id}/cost", Tenant(Read)),
    ("GET", "/api/v1/runs/{run_id}/logs", Tenant(Read)),
    ("GET", "/api/v1/analytics/costs", Tenant(Read)),
    ("GET", "/api/v1/keys", Tenant(Read)),
    ("POST", "/api/v1/keys", Tenant(Manage)),
    ("DELETE", "/api/v1/keys/{api_key_id}", Tenant(Manage)),
    ("POST", "/api/v1/keys/{api_key_id}/freeze", Tenant(Manage)),
    ("POST", "/api/v1/keys/{api_key_id}/unfreeze", Tenant(Manage)),
    ("GET", "/api/v1/projects", Tenant(Read)),
    ("POST", "/api/v1/projects", Tenant(Manage)),
    ("GET", "/api/v1/agents", Tenant(Read)),
    ("POST", "/api/v1/agents", Tenant(Manage)),
    ("GET", "/api/v1/ops/tenants", Operator),
    ("POST", "/api/v1/ops/tenants", Operator),
    ("POST", "/api/v1/ops/tenants/{tenant_id}/freeze", Operator),
    ("POST", "/api/v1/ops/tenants/{tenant_id}/unfreeze", Operator),
    ("PUT", "/api/v1/ops/tenants/{tenant_id}/floor-price", Operator),
    ("GET", "/api/v1/ops/tenants/{tenant_id}/keys", Operator),
    ("POST", "/api/v1/ops/tenants/{tenant_id}/keys", Operator),
    (
        "DELETE",
        "/api/v1/ops/tenants/{tenant_id}/keys/{api_key_id}",
        Operator,
    ),
    (
        "POST",
        "/api/v1/ops/tenants/{tenant_id}/keys/{api_key_id}/freeze",
        Operator,
    ),
    (
        "POST",
        "/api/v1/ops/tenants/{tenant_id}/keys/{api_key_id}/unfreeze",
        Operator,
    ),
    ("GET", "/api/v1/ops/limits", Operator),
    ("POST", "/api/v1/ops/limits", Operator),
    ("GET", "/api/v1/ops/limits/usage", Operator),
    ("GET", "/api/v1/ops/limits/overrides", Operator),
    ("POST", "/api/v1/ops/limits/overrides", Operator),
    ("GET", "/api/v1/ops/limits/overrides/{override_id}", Operator),
    ("DELETE", "/api/v1/ops/limits/overrides/{override_id}", Operator),
    ("PUT", "/api/v1/ops/limits/{limit_id}", Operator),
    ("GET", "/api/v1/ops/policies/rules", Operator),
    ("POST", "/api/v1/ops/policies/rules", Operator),
    ("PUT", "/api/v1/ops/policies/rules/{rule_id}", Operator),
];

fn table() -> impl Iterator<Item = (&'static str, &'static str, Who)> {
    TABLE.into_iter()
}

/// A request that is wrong in every other way, so that only who sends it can be what is refused. GET as HEAD too.
fn rubbish<'w>(world: &'w World, method: &str, path: &str) -> Vec<Call<'w>> {
    let path = format!("{path}?no_such_parameter=1");
    let mut calls = vec![world.call(method, &path)];
    if method == "GET" {
        calls.push(world.call("HEAD", &path));
    } else {
        calls = vec![calls.remove(0).bytes("{\"no_such_member\":")];
    }
    calls
}

/// Sends the call; its status and code, without a code where there is no body.
async fn refusal(call: Call<'_>, expected: (u16, &str)) {
    let expected = match expected.1 {
        "missing_api_key" | "invalid_api_key" if call.path.contains("/messages") => {
            (401, "authentication_error")
        }
        "insufficient_scope" if call.path.contains("/messages") => (403, "permission_error"),
        _ => expected,
    };
    let (title, head) = (format!("{} {}", call.method, call.path), call.method == "HEAD");
    let answer = call.send().await;
    let code = if head {
        expected.1.to_owned()
    } else {
        answer.code()
    };
    assert_eq!(
        (answer.status, code.as_str()),
        expected,
        "{title}: {}",
        answer.body
    );
}

#[test]
fn the_table_has_every_route_that_is_not_open_and_the_open_ones_do_not_grow() {
    let known: BTreeSet<Route> = table()
        .map(|(method, path, _)| Route {
            method: method.to_owned(),
            path: path.to_owned(),
        })
        .collect();
    assert_eq!(closed().into_iter().collect::<BTreeSet<_>>(), known);
    assert!(
        api::routes::OPEN.iter().all(|path| OPEN.contains(path)),
        "{:?}",
        api::routes::OPEN
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_credential() {
    let world = World::new(TestDb::sqlite()).await;
    for (method, path, who) in table() {
        let code = match who {
            Sdk => "missing_api_key",
            Signed => "AUTHENTICATION_REQUIRED",
            Tenant(_) | Operator => "authentication-required",
        };
        for call in rubbish(&world, method, path) {
            refusal(call.anonymous(), (401, code)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_with_a_credential_of_another_kind() {
    let world = World::new(TestDb::sqlite()).await;
    for (method, path, who) in table() {
        for call in rubbish(&world, method, path) {
            match who {
                Sdk => refusal(call.by_operator(), (401, "invalid_api_key")).await,
                Tenant(_) => refusal(call.by_operator(), (401, "wrong-credential-kind")).await,
                Operator => refusal(call, (401, "wrong-credential-kind")).await,
                Signed => refusal(call, (401, "WRONG_CREDENTIAL_KIND")).await,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_with_a_key_that_does_not_exist() {
    let world = World::new(TestDb::sqlite()).await;
    let elsewhere = World::new(TestDb::sqlite()).await;
    for (method, path, who) in table() {
        for call in rubbish(&world, method, path) {
            let (call, code) = match who {
                Sdk => (call.with(&elsewhere.key), "invalid_api_key"),
                Tenant(_) => (call.with(&elsewhere.key), "invalid-credential"),
                Operator => (call.with(&elsewhere.operator), "invalid-credential"),
                Signed => (call.with(&elsewhere.key), "WRONG_CREDENTIAL_KIND"),
            };
            refusal(call, (401, code)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_with_a_key_that_lacks_the_scope() {
    let world = World::new(TestDb::sqlite()).await;
    let lacking = |scope: KeyScope| {
        [Llm, Read, Manage]
            .into_iter()
            .filter(move |other| *other != scope)
    };
    for (method, path, who) in table() {
        let (scope, code) = match who {
            // Roles of principals are looked at with the signatures.
            Operator | Signed => continue,
            Sdk => (Llm, "insufficient_scope"),
            Tenant(scope) => (scope, "insufficient-scope"),
        };
        for call in rubbish(&world, method, path) {
            // A new key each time: the refusal must not depend on whether the key was seen before.
            let key = world.key_with(&lacking(scope).collect::<Vec<_>>()).await;
            refusal(call.clone().with(&key), (403, code)).await;
            let again = call.with(&key).send().await;
            assert!(
                again.body.is_empty() || again.body.contains(scope.as_str()),
                "{}",
                again.body
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_answers_without_a_credential() {
    let world = World::new(TestDb::sqlite()).await;
    for path in api::routes::OPEN.iter().filter(|path| **path != "/metrics") {
        world.get(path).anonymous().send().await.ok(200);
        world.call("HEAD", path).anonymous().send().await.ok(200);
    }
    for elsewhere in ["/metrics", "/bench/check"] {
        world.get(elsewhere).anonymous().send().await.is(404, "not-found");
    }
}

/// A body that the route takes.
fn body(path: &str) -> Value {
    match path.rsplit('/').next().unwrap() {
        "settle" => json!({ "cost_usd": 1 }),
        "freeze" => json!({ "reason": "a test" }),
        "approve" | "reject" | "resolve" => json!({}),
        "false-positive" => json!({ "reason": "a test of tenants" }),
        "floor-price" => json!({ "floor_price_nano_usd": null }),
        "keys" => json!({ "name": "a key" }),
        "{limit_id}" | "{rule_id}" => json!({ "name": "another name" }),
        "{webhook_id}" => json!({ "description": "another name" }),
        other => panic!("no body for {other}"),
    }
}

testkit::both_databases! {
    async fn the_ids_of_another_tenant_are_answered_like_ids_that_nobody_has(db: TestDb) {
        let world = World::new(db).await;
        let (theirs, their_key) = world.other_tenant("rival").await;
        let limit = world.made(&their_key, "limits", budget(50)).await.text("/limit_id");
        let hold = world.made(&their_key, "limits/check", json!({ "estimated_cost_usd": 1 })).await.text("/hold_id");
        let prompt = json!({ "model": "gpt-4o-mini", "max_tokens": 5, "messages": [] });
        let run = world.post("/v1/chat/completions", &prompt).with(&their_key).send().await;
        let run = run.ok(200).header("x-plimsoll-run-id").unwrap().to_owned();
        let key = world.get("/api/v1/keys").with(&their_key).send().await.text("/items/0/api_key_id");
        let raise = json!({ "limit_id": limit, "override_value": 99, "duration_hours": 1, "reason": "a test of tenants" });
        let raise = world.made(&their_key, "limits/overrides", raise).await.text("/override_id");
        let webhook = world.made(&their_key, "webhooks", json!({ "url": "https://a.example" })).await.text("/webhook_id");
        let rule = json!({ "name": "a rule", "condition": "run.stream", "enforcement_mode": "LOG" });
        let their_rule = world.made(&their_key, "policies/rules", rule.clone()).await.text("/rule_id");
        let our_rule = world.post("/api/v1/policies/rules", &rule).send().await.text("/rule_id");
        failure(&world, &their_key).await;
        let proposal = world.get("/api/v1/policy-proposals").with(&their_key).send().await.text("/items/0/proposal_id");
        let incidents = world.get("/api/v1/runtime/incidents?topic=ACTIVE").with(&their_key).send().await;
        let incident = incidents.text("/items/0/incident_id");
        let prevention = PreventionId::from_bits(1).to_string();
        let born = (theirs, their_rule.parse().unwrap(), incident.parse().unwrap());
        prevent(&world.cx.db, born, (PreventionId::from_bits(1), RunId::from_bits(1)), 1, world.clock.now()).await;
        let platform = TenantId::PLATFORM.to_string();
        let ours = world.limit(&budget(50)).await;
        let mut checked = 0;
        for (method, path, who) in table().filter(|(_, path, who)| path.contains('{') && *who != Signed) {
            let (open, close) = (path.find('{').unwrap(), path.find('}').unwrap());
            let (foreign, unknown) = match &path[open..=close] {
                "{limit_id}" if who == Operator => (&ours, "LIM-01M7YQ1WE0000000000000ZZZZ"),
                "{limit_id}" => (&limit, "LIM-01M7YQ1WE0000000000000ZZZZ"),
                "{rule_id}" if who == Operator => (&our_rule, "PR-01M7YQ1WE0000000000000ZZZZ"),
                "{rule_id}" => (&their_rule, "PR-01M7YQ1WE0000000000000ZZZZ"),
                "{proposal_id}" => (&proposal, "prop_01M7YQ1WE0000000000000ZZZZ"),
                "{incident_id}" => (&incident, "inc_00000000000000000000000000000000"),
                "{prevention_id}" => (&prevention, "prev_01M7YQ1WE0000000000000ZZZZ"),
                "{webhook_id}" => (&webhook, "whk_01M7YQ1WE0000000000000ZZZZ"),
                "{override_id}" => (&raise, "ovr_01M7YQ1WE0000000000000ZZZZ"),
                "{hold_id}" => (&hold, "hold_01M7YQ1WE0000000000000ZZZZ"),
                "{run_id}" => (&run, "run_01M7YQ1WE0000000000000ZZZZ"),
                "{api_key_id}" => (&key, "key_01M7YQ1WE0000000000000ZZZZ"),
                "{tenant_id}" => (&platform, "tnt_01M7YQ1WE0000000000000ZZZZ"),
                other => panic!("no id for {other}"),
            };
            let mut answers = Vec::new();
            for id in [foreign, unknown, "nonsense"] {
                let concrete = format!("{}{id}{}", &path[..open], &path[close + 1..]);
                let mut call = world.call(method, &concrete).header("x-request-id", "the-same-request");
                if method != "GET" && !["release", "unfreeze", "acknowledge", "rotate-secret", "test", "redeliver"].iter().any(|end| path.ends_with(end)) && method != "DELETE" {
                    call = call.json(&body(path));
                }
                if who == Operator {
                    call = call.by_operator();
                }
                let answer = call.send().await;
                answer.is(404, "not-found");
                answers.push(answer.body);
            }
            assert!(answers.iter().all(|body| body == &answers[0]), "{method} {path}: {answers:?}");
            checked += 1;
        }
        assert_eq!(checked, 50);
        // Nothing of it was done, and no list shows it.
        let lists = ["/api/v1/limits", "/api/v1/limits/usage", "/api/v1/runs", "/api/v1/keys", "/api/v1/analytics/costs?group_by=api_key", "/api/v1/policies/rules"];
        for path in lists {
            let list = world.get(path).send().await.ok(200).body.clone();
            assert!([&limit, &hold, &run, &key, &their_rule].iter().all(|id| !list.contains(id.as_str())), "{path}: {list}");
        }
        let still = world.get(&format!("/api/v1/limits/{limit}")).with(&their_key).send().await;
        assert_eq!((still.text("/name").as_str(), still.text("/status").as_str()), ("daily budget", "ACTIVE"));
        assert_ne!(theirs, world.tenant);
    }
}
