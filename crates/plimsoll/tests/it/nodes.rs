//! Do several nodes on one database act as one?

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::{Client, Home, Plimsoll, Tenant, World, chat, nano};

const TASKS: u64 = 32;

/// A frozen or revoked key may work on another node for so long.
const PROPAGATES_WITHIN: Duration = Duration::from_secs(1);

/// Two nodes, and a tenant whose client talks to the first.
async fn two_nodes() -> (World, Plimsoll, Tenant) {
    let world = World::with(Home::postgres(), "");
    let other = world.home.serve();
    assert_eq!(other.operator_token, None, "the second node is no first start");
    let tenant = world.tenant("Harbour Freight").await;
    (world, other, tenant)
}

/// What a client of the hot limit has seen.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    settled: i64,
    allowed: u64,
    blocked: u64,
}

/// Holds, settles a part of it or gives all of it back, until `rounds` are over.
async fn spend(client: Client, task: u64, rounds: u64) -> Seen {
    let mut seen = Seen::default();
    for round in 0..rounds {
        let amount = i64::try_from(1 + (task * 31 + round * 17) % 9).unwrap() * 1_000;
        let body = json!({"estimated_cost_nano_usd": amount});
        let answer = client.post("/api/v1/limits/check", &body).await.expect(200);
        judge(&answer, amount);
        let Some(hold) = answer["hold_id"].as_str() else {
            seen.blocked += 1;
            continue;
        };
        seen.allowed += 1;
        let end = format!("/api/v1/holds/{hold}");
        if (task + round).is_multiple_of(3) {
            client
                .post(&format!("{end}/release"), &json!({}))
                .await
                .expect(200);
        } else {
            let cost = amount - amount / 4;
            let body = json!({"cost_nano_usd": cost});
            client.post(&format!("{end}/settle"), &body).await.expect(200);
            seen.settled += cost;
        }
    }
    seen
}

/// No decision is wrong by its own account: what is blocked did not fit, what is allowed did.
fn judge(answer: &Value, amount: i64) {
    let headroom = nano(&answer["headroom"]["cost_remaining_nano_usd"]);
    let Some(report) = answer["blocking_limits"].get(0) else {
        assert!(answer["allowed"] == json!(true) && headroom >= 0, "{answer}");
        return;
    };
    let number = |name: &str| nano(&report[name]);
    assert_eq!(number("requested_nano_usd"), amount);
    let used = number("spent_nano_usd") + number("held_nano_usd");
    assert!(
        used + amount > number("limit_nano_usd"),
        "a false block: {answer}"
    );
    assert!(used <= number("limit_nano_usd"), "over the limit: {answer}");
}

async fn on_both(nodes: [&Client; 2], rounds: u64) -> Seen {
    let mut tasks = JoinSet::new();
    for node in nodes {
        for task in 0..TASKS {
            tasks.spawn(spend(node.clone(), task, rounds));
        }
    }
    let seen = tasks.join_all().await;
    seen.iter().fold(Seen::default(), |sum, one| Seen {
        settled: sum.settled + one.settled,
        allowed: sum.allowed + one.allowed,
        blocked: sum.blocked + one.blocked,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_pass_one_hot_limit_and_never_block_what_fits() {
    let (world, other, tenant) = two_nodes().await;
    let (here, there) = (&tenant.client, &tenant.client.at(&other.base_url));
    let max = 1_500_000;
    let limit = tenant.budget(json!("0.0015"), "NONE").await;

    let seen = on_both([here, there], 10).await;
    assert!(seen.allowed > 300 && seen.blocked > 0, "{seen:?}");
    assert_eq!(tenant.used().await, (seen.settled, 0));
    assert!(seen.settled <= max);

    // What is left can be spent to the last nano-USD, and not one more.
    let left = json!({"estimated_cost_nano_usd": max - seen.settled});
    let hold = there.post("/api/v1/limits/check", &left).await.expect(200);
    assert_eq!(hold["allowed"], json!(true), "{hold}");
    let one = json!({"estimated_cost_nano_usd": 1});
    for node in [here, there] {
        let refused = node.post("/api/v1/limits/check", &one).await.expect(200);
        assert_eq!(refused["allowed"], json!(false), "{refused}");
    }
    // A limit that was raised on one node is raised on the other at once.
    let raise = json!({"max_value": "0.0016"});
    here.put(&format!("/api/v1/limits/{limit}"), &raise)
        .await
        .expect(200);
    let allowed = there.post("/api/v1/limits/check", &one).await.expect(200);
    assert_eq!(allowed["allowed"], json!(true), "{allowed}");
    world.home.verify_ledger();
}

/// Calls a model until the status is this one; says when the last call was sent that still had another one. How long a
/// call takes is another matter.
async fn until(client: &Client, status: u16) -> Duration {
    let (began, mut last) = (Instant::now(), Duration::ZERO);
    loop {
        let asked = began.elapsed();
        let reply = client.post("/v1/chat/completions", &chat()).await;
        if reply.status == status {
            return last;
        }
        last = asked;
        assert!(asked < PROPAGATES_WITHIN * 20, "still {reply:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn status(client: &Client) -> u16 {
    client.post("/v1/chat/completions", &chat()).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_frozen_or_revoked_on_one_node_stops_there_at_once_and_elsewhere_within_a_second() {
    let (_world, other, tenant) = two_nodes().await;
    let (id, secret) = tenant.another_key(&json!({"name": "service"})).await;
    let (here, there) = (
        tenant.client.with_key(&secret),
        tenant.client.with_key(&secret).at(&other.base_url),
    );
    let key = format!("/api/v1/keys/{id}");
    assert_eq!((status(&here).await, status(&there).await), (200, 200));

    let reason = json!({"reason": "leaked"});
    tenant
        .client
        .post(&format!("{key}/freeze"), &reason)
        .await
        .expect(200);
    assert_eq!(status(&here).await, 403);
    let took = until(&there, 403).await;
    assert!(
        took <= PROPAGATES_WITHIN,
        "not frozen on the other node after {took:?}"
    );
    let refused = there.post("/v1/chat/completions", &chat()).await.expect(403);
    assert_eq!(refused["error"]["code"], "key_frozen");
    assert!(refused["error"]["message"].as_str().unwrap().contains("leaked"));

    tenant
        .client
        .post(&format!("{key}/unfreeze"), &json!({}))
        .await
        .expect(200);
    assert_eq!(status(&here).await, 200);
    assert!(until(&there, 200).await <= PROPAGATES_WITHIN);

    tenant.client.delete(&key).await.expect(200);
    assert_eq!(status(&here).await, 401);
    let took = until(&there, 401).await;
    assert!(
        took <= PROPAGATES_WITHIN,
        "not revoked on the other node after {took:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_frozen_on_one_node_stops_everywhere_within_a_second() {
    let (world, other, tenant) = two_nodes().await;
    let there = tenant.client.at(&other.base_url);
    assert_eq!((status(&tenant.client).await, status(&there).await), (200, 200));
    let freeze = format!("/api/v1/ops/tenants/{}/freeze", tenant.id);
    world.operator.post(&freeze, &json!({})).await.expect(200);
    assert_eq!(status(&tenant.client).await, 403);
    assert!(until(&there, 403).await <= PROPAGATES_WITHIN);
}
