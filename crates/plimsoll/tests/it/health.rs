//! What do load balancers and dashboards get to see?

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::harness::{Home, Plimsoll, World, chat};

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_have_a_listener_of_their_own() {
    let world = World::start();
    let ops = world
        .operator
        .at(world.server.metrics_url.trim_end_matches("/metrics"));
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(ops.get(path).await.status, 200, "{path}");
    }
    let ready = ops.get("/readyz").await.expect(200);
    assert_eq!(ready["ready"], true, "{ready}");
    // Nothing else is there, and the metrics are not where the public is.
    for path in ["/v1/models", "/api/v1/ops/tenants", "/docs"] {
        assert_eq!(ops.get(path).await.status, 404, "{path}");
    }
    assert_eq!(world.operator.get("/metrics").await.status, 404);
    for path in ["/livez", "/readyz"] {
        assert_eq!(world.operator.get(path).await.status, 200, "{path}");
    }
}

/// The series of the metrics, without their values.
fn series(metrics: &str) -> BTreeSet<&str> {
    metrics
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_callers_send_makes_no_series_and_no_label_names_a_tenant() {
    let world = World::start();
    let tenant = world.tenant("Harbour Freight").await;
    let ops = world
        .operator
        .at(world.server.metrics_url.trim_end_matches("/metrics"));
    let send = async |number: usize| {
        let mut body = chat();
        body["model"] = json!(format!("gpt-4o-mini-{number}"));
        body["user"] = json!(format!("user-{number}"));
        let name = format!("canary-{number}");
        let headers = [
            ("x-plimsoll-project", name.as_str()),
            ("x-request-id", name.as_str()),
        ];
        let call = tenant
            .client
            .call(Method::POST, "/v1/chat/completions", Some(&body), &headers);
        call.await.unwrap();
        tenant.client.get(&format!("/no/such/{number}?q={number}")).await;
        tenant.client.get(&format!("/api/v1/runs/run-{number}")).await;
        let method = Method::from_bytes(format!("CANARY{number}").as_bytes()).unwrap();
        let call = tenant.client.call(method, "/v1/models", None, &[]);
        call.await.unwrap();
    };
    send(0).await;
    let before = ops.get("/metrics").await.body;
    for number in 1..30 {
        send(number).await;
    }
    let after = ops.get("/metrics").await.body;
    assert!(after.contains("http_requests_total{"), "{after}");
    let new: Vec<_> = series(&after).difference(&series(&before)).copied().collect();
    assert!(new.is_empty(), "{new:#?}");
    for text in [
        &tenant.id,
        &tenant.key_id,
        tenant.client.key(),
        "canary",
        "CANARY",
        "gpt-4o",
    ] {
        assert!(!after.contains(text), "{text} is in the metrics: {after}");
    }
}

/// Whether a connection that was asked once and then left alone for so long still answers.
async fn outlives(base_url: &str, idle: Duration) -> bool {
    let mut connection = TcpStream::connect(base_url.trim_start_matches("http://"))
        .await
        .unwrap();
    let mut answered = 0;
    for pause in [Duration::ZERO, idle] {
        sleep(pause).await;
        let ask = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
        if connection.write_all(ask).await.is_err() {
            break;
        }
        let mut answer = [0; 1024];
        let read = connection.read(&mut answer).await.unwrap_or(0);
        answered += usize::from(answer[..read].starts_with(b"HTTP/1.1 200"));
    }
    assert!(answered > 0, "no answer at all");
    answered == 2
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_kept_for_as_long_as_is_configured() {
    let home = Home::sqlite();
    home.configure("http://127.0.0.1:1", "");
    let server = home.serve();
    assert!(outlives(&server.base_url, Duration::from_secs(7)).await);
    drop(server);
    let server = Plimsoll::serve(home.path(), &["--set", "server.keep_alive_ms=1000"]);
    assert!(!outlives(&server.base_url, Duration::from_secs(4)).await);
}
