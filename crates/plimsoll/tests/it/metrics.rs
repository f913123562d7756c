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
    for _ in 0..200 {
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
    world.provider.fault(Fault::Delay { ms: 2_000 });
    let body = chat();
    let slow = tenant
        .client
        .call(Method::POST, "/v1/chat/completions", Some(&body), &[]);
    let seen = async {
        while world.provider.request_count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        scrape(&world).await
    };
    let (answer, during) = tokio::join!(slow, seen);
    assert_eq!(answer.unwrap().status, 200);
    assert_eq!(value(&during, "plimsoll_requests_in_flight", &[]), "1");
    scrape_at_rest(&world).await;
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
