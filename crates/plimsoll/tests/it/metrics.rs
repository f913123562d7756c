//! Do the metrics agree with what was served, and does the document name them all?

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::upstream::Fault;

use crate::harness::{Home, Tenant, World, chat, nano};

const DOCUMENT: &str = include_str!("../../../../docs/metrics.md");

async fn scrape(world: &World) -> String {
    let ops = world.server.metrics_url.trim_end_matches("/metrics");
    world.operator.at(ops).get("/metrics").await.body
}

/// The same when nothing is on its way any more, which a client may know before it is counted.
async fn scrape_at_rest(world: &World) -> String {
    for _ in 0..2_000 {
        let page = scrape(world).await;
        if value(&page, "plimsoll_requests_in_flight", &[]) == "0" {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("something is still on its way");
}

/// The value of the series of this name with these labels.
#[track_caller]
fn value<'p>(page: &'p str, name: &str, labels: &[&str]) -> &'p str {
    let mut found = page.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| {
            rest.starts_with([' ', '{']) && labels.iter().all(|label| rest.contains(label))
        })
    });
    let line = found
        .next()
        .unwrap_or_else(|| panic!("no {name} with {labels:?}: {page}"));
    assert_eq!(found.next(), None, "{name} with {labels:?} is several");
    line.rsplit_once(' ').unwrap().1
}

async fn newest_run(tenant: &Tenant) -> Value {
    let runs = tenant.client.get("/api/v1/runs").await.expect(200);
    runs["items"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_served_refused_and_failed_is_counted_once_with_its_tokens_and_its_cost() {
    let world = World::with(Home::sqlite(), "[gateway]\nmax_retries = 0\n");
    let page = scrape(&world).await;
    assert_eq!(
        value(&page, "plimsoll_limit_decisions_total", &["outcome=\"BLOCK\""]),
        "0"
    );
    let (rich, poor) = (world.tenant("Harbour").await, world.tenant("Tidewater").await);
    poor.budget(json!(0.000_001), "DAILY").await;
    let path = "/v1/chat/completions";
    rich.client.post(path, &chat()).await.expect(200);
    let served = newest_run(&rich).await;
    poor.client.post(path, &chat()).await.expect(429);
    world.provider.fault(Fault::Status {
        status: 503,
        body: None,
        headers: [].into(),
    });
    rich.client.post(path, &chat()).await.expect(503);
    let check = json!({"estimated_cost_usd": 1});
    rich.client.post("/api/v1/limits/check", &check).await.expect(200);

    let page = scrape_at_rest(&world).await;
    let runs = |status: &str| {
        let labels = [
            "provider=\"openai\"",
            "operation=\"chat\"",
            &format!("status=\"{status}\""),
        ];
        value(&page, "plimsoll_llm_runs_total", &labels)
    };
    assert_eq!(
        [runs("succeeded"), runs("blocked"), runs("failed")],
        ["1", "1", "1"]
    );
    let decisions = |outcome: &str| {
        let label = format!("outcome=\"{outcome}\"");
        value(&page, "plimsoll_limit_decisions_total", &[&label])
    };
    assert_eq!(
        [decisions("ALLOW"), decisions("WARN"), decisions("BLOCK")],
        ["3", "0", "1"]
    );
    for (kind, field) in [("input", "input_tokens"), ("output", "output_tokens")] {
        let counted = value(&page, "plimsoll_llm_tokens_total", &[&format!("type=\"{kind}\"")]);
        assert_eq!(counted, served["usage"][field].to_string(), "{served}");
    }
    let cost = value(&page, "plimsoll_llm_cost_usd_total", &["provider=\"openai\""]);
    let exact: model::money::NanoUsd = cost.parse().unwrap();
    assert_eq!(exact.0, nano(&served["cost_nano_usd"]), "{cost}");
    let code = ["provider=\"openai\"", "code=\"upstream_status_503\""];
    assert_eq!(value(&page, "plimsoll_upstream_errors_total", &code), "1");
    assert_eq!(value(&page, "plimsoll_holds_expired_total", &[]), "0");
    documented(&page);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_in_flight_until_its_books_are_done() {
    let world = World::start();
    let tenant = world.tenant("Harbour").await;
    world.provider.fault(Fault::Delay { ms: 8_000 });
    let body = chat();
    let slow = tenant
        .client
        .call(Method::POST, "/v1/chat/completions", Some(&body), &[]);
    let seen = async {
        for _ in 0..4_000 {
            if world.provider.request_count() > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        scrape(&world).await
    };
    let (answer, during) = tokio::join!(slow, seen);
    assert_eq!(answer.unwrap().status, 200);
    assert_eq!(value(&during, "plimsoll_requests_in_flight", &[]), "1");
    scrape_at_rest(&world).await;
}

/// A THRESHOLD of this type that only tells.
async fn threshold(tenant: &Tenant, limit_type: &str, max: i64, more: Value) {
    let mut body = json!({"name": limit_type, "limit_category": "THRESHOLD", "limit_type": limit_type,
        "max_value": max, "enforcement": "WARN"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    tenant.client.post("/api/v1/limits", &body).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn thresholds_that_are_passed_are_counted_by_type_and_consequence() {
    let world = World::with(Home::sqlite(), "[gateway]\nmax_retries = 0\n");
    let count = |page: &str, limit_type: &str, consequence: &str| {
        let labels = [
            format!("type=\"{limit_type}\""),
            format!("consequence=\"{consequence}\""),
        ];
        value(
            page,
            "plimsoll_thresholds_passed_total",
            &[&labels[0], &labels[1]],
        )
        .to_owned()
    };
    let page = scrape(&world).await;
    for limit_type in ["LATENCY_MS", "DURATION_MS", "RETRY_COUNT", "ERROR_RATE_PCT"] {
        assert_eq!(count(&page, limit_type, "ALERT"), "0", "{limit_type}");
    }
    let path = "/v1/chat/completions";
    let slow = world.tenant("Harbour").await;
    threshold(&slow, "DURATION_MS", 100, json!({"consequence": "INCIDENT"})).await;
    threshold(&slow, "LATENCY_MS", 60_000, json!({})).await;
    world.provider.fault(Fault::Delay { ms: 200 });
    slow.client.post(path, &chat()).await.expect(200);
    let failing = world.tenant("Tidewater").await;
    let seconds = json!({"measurement_window_seconds": 60});
    threshold(&failing, "ERROR_RATE_PCT", 50, seconds).await;
    world.provider.fault_times(Fault::status(400), 20);
    for _ in 0..20 {
        failing.client.post(path, &chat()).await.expect(400);
    }
    // The share of failures is measured each second.
    for _ in 0..100 {
        if count(&scrape(&world).await, "ERROR_RATE_PCT", "ALERT") == "1" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let page = scrape_at_rest(&world).await;
    assert_eq!(count(&page, "ERROR_RATE_PCT", "ALERT"), "1");
    assert_eq!(
        (
            count(&page, "DURATION_MS", "INCIDENT"),
            count(&page, "DURATION_MS", "ALERT")
        ),
        ("1".to_owned(), "0".to_owned())
    );
    assert_eq!(count(&page, "LATENCY_MS", "ALERT"), "0");
    documented(&page);
}

/// Every name on the page is in the document, with its type.
fn documented(page: &str) {
    let named: BTreeSet<(&str, &str)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let rows: BTreeSet<(&str, &str)> = DOCUMENT
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let name = cells.next()?.trim_end_matches('`');
            Some((name.split_once('{').map_or(name, |(name, _)| name), cells.next()?))
        })
        .collect();
    assert!(named.len() > 8, "{named:?}");
    assert_eq!(named, rows);
}
