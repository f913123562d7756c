//! Is every request that was accepted answered when the server is asked to stop?

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::{Client, Home, Plimsoll, Tenant, chat};

const CLIENTS: usize = 16;

/// The grace that the configuration of the tests gives.
const GRACE: Duration = Duration::from_secs(15);

/// The runs of a client that were answered to the end, each counted; the client ends when nobody answers any more.
async fn work(client: Client, streams: bool, answers: Arc<AtomicUsize>) -> Vec<String> {
    let mut body = chat();
    body["stream"] = json!(streams);
    let mut runs = Vec::new();
    loop {
        let call = client.call(Method::POST, "/v1/chat/completions", Some(&body), &[]);
        let Ok(reply) = call.await else { return runs };
        let whole = if streams {
            reply.body.ends_with("data: [DONE]\n\n")
        } else {
            reply.body.contains("\"chat.completion\"")
        };
        assert!(reply.status == 200 && whole, "cut off: {reply:?}");
        runs.push(reply.header("x-plimsoll-run-id").unwrap().to_owned());
        answers.fetch_add(1, Ordering::SeqCst);
    }
}

async fn all_runs(client: &Client) -> Vec<Value> {
    let (mut runs, mut cursor) = (Vec::new(), String::new());
    loop {
        let mut page = client
            .get(&format!("/api/v1/runs?limit=200{cursor}"))
            .await
            .expect(200);
        runs.append(page["items"].as_array_mut().unwrap());
        let Some(next) = page["next_cursor"].as_str() else {
            return runs;
        };
        cursor.clear();
        write!(cursor, "&cursor={next}").unwrap();
    }
}

async fn check(home: Home) {
    let slow = [
        "simulate-provider",
        "--port",
        "0",
        "--latency-ms",
        "60",
        "--tokens-per-second",
        "100",
        "--output",
        "json",
    ];
    let provider = Plimsoll::spawn(home.path(), &slow);
    home.configure(provider.base_url.trim_end_matches("/v1"), "");
    let server = home.serve();
    let operator = Client::new(&server.base_url, server.operator_token.as_deref().unwrap());
    let tenant = Tenant::make(&operator, "Harbour Freight").await;
    tenant.budget(json!(1000), "NONE").await;

    let (mut clients, answers) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for number in 0..CLIENTS {
        clients.spawn(work(tenant.client.clone(), number % 2 == 0, Arc::clone(&answers)));
    }
    while answers.load(Ordering::SeqCst) < 2 * CLIENTS {
        sleep(Duration::from_millis(10)).await;
    }
    let (code, took) = tokio::task::spawn_blocking(|| server.terminate()).await.unwrap();
    assert_eq!(code, 0);
    assert!(took < GRACE, "{took:?}");
    let answered: BTreeSet<String> = clients.join_all().await.concat().into_iter().collect();
    assert!(answered.len() > CLIENTS, "{}", answered.len());

    let server = home.serve();
    let client = tenant.client.at(&server.base_url);
    let runs = all_runs(&client).await;
    for run in &runs {
        assert_eq!(run["status"], "succeeded", "{run}");
        assert_eq!(run["usage_source"], "PROVIDER", "{run}");
    }
    let recorded: BTreeSet<String> = runs
        .iter()
        .map(|run| run["run_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(recorded, answered, "what was let in and what was answered");
    let tenant = Tenant { client, ..tenant };
    assert_eq!(tenant.used().await.1, 0, "nothing is held any more");
    home.verify_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_answers_everything_that_was_let_in_on_sqlite() {
    check(Home::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_answers_everything_that_was_let_in_on_postgres() {
    check(Home::postgres()).await;
}
