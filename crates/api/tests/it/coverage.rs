//! Is every route closed to everybody who may not use it?
//!
//! The table names who may use which route. A route that is not in it fails the test.

use std::collections::BTreeSet;

use model::key::KeyScope::{self, Llm, Manage, Read};
use testkit::db::TestDb;

use crate::harness::{Call, World};
use crate::routes::{Route, closed};

/// Open to everybody. This list may only shrink.
const OPEN: [&str; 5] = ["/livez", "/readyz", "/openapi.json", "/docs", "/metrics"];

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
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

const TABLE: [(&str, &str, Who); 111] = [
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
    ("POST", "/incidents/{incident_id}/promotion", Signed),
    ("POST", "/signals", Signed),
    ("GET", "/kill-switch/status", Signed),
    ("POST", "/kill-switch/disable", Signed),
    ("POST", "/kill-switch/enable", Signed),
    ("GET", "/api/v1/incidents/stream", Tenant(Read)),
    ("GET", "/api/v1/incidents/{incident_id}", Tenant(Read)),
    ("GET", "/api/v1/incidents/patterns", Tenant(Read)),
    ("GET", "/api/v1/incidents/recurring", Tenant(Read)),
    ("GET", "/api/v1/incidents/{incident_id}/cost-impact", Tenant(Read)),
    ("GET", "/api/v1/incidents/{incident_id}/learnings", Tenant(Read)),
    ("GET", "/api/v1/incidents/{incident_id}/anomalies", Tenant(Read)),
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
    ("PUT", "/api/v1/ops/tenants/{tenant_id}/review", Operator),
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

pub(crate) fn table() -> impl Iterator<Item = (&'static str, &'static str, Who)> {
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
