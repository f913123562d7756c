//! Does anything that is secret or private get where it must not be?
//!
//! Canaries are planted: keys, tokens, prompts and answers. After a session with everything that can happen, all
//! that the process wrote is searched for them.

use std::fs;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::upstream::{Fault, Reply};

use crate::harness::{Client, Home, PROVIDER_KEY, Plimsoll, World};

const PROMPT: &str = "canary-prompt-the-captain-is-ill";
const NONSENSE: &str = "sk-canary-nonsense";
const ANSWER: &str = "canary-answer-call-the-doctor";

fn request(path: &str) -> Value {
    let messages = json!([{"role": "user", "content": PROMPT}]);
    match path {
        "/v1/messages" => json!({"model": "claude-haiku-4-5", "max_tokens": 50, "messages": messages}),
        "/v1/responses" => json!({"model": "gpt-4o-mini", "input": PROMPT}),
        "/v1/embeddings" => json!({"model": "text-embedding-3-small", "input": PROMPT}),
        _ => json!({"model": "gpt-4o-mini", "messages": messages}),
    }
}

/// Every route, with good answers, provider faults, refusals and nonsense.
async fn session(world: &World) -> Vec<String> {
    let tenant = world.tenant("Harbour Freight").await;
    tenant.budget(json!(1_000_000), "NONE").await;
    let (key_id, frozen) = tenant.another_key(&json!({"name": "frozen"})).await;
    let freeze = format!("/api/v1/keys/{key_id}/freeze");
    tenant
        .client
        .post(&freeze, &json!({"reason": "test"}))
        .await
        .expect(200);
    world.provider.reply(Reply {
        text: ANSWER.to_owned(),
        ..Reply::default()
    });
    for path in [
        "/v1/chat/completions",
        "/v1/messages",
        "/v1/responses",
        "/v1/embeddings",
    ] {
        answers(world, &tenant.client, path).await;
        let refused = tenant.client.with_key(&frozen).post(path, &request(path)).await;
        refused.expect(403);
        let unknown = tenant.client.with_key(NONSENSE).post(path, &request(path)).await;
        unknown.expect(401);
        let mut unpriced = request(path);
        unpriced["model"] = json!("mystery-1");
        tenant.client.post(path, &unpriced).await;
        tenant.client.post(path, &json!([PROMPT])).await;
    }
    for path in [
        "/api/v1/runs",
        "/api/v1/keys",
        "/api/v1/limits/usage",
        "/api/v1/nothing",
    ] {
        tenant.client.get(path).await;
    }
    vec![tenant.client.key().to_owned(), frozen]
}

/// Streamed and not, with a good answer and with everything that can go wrong at a provider.
async fn answers(world: &World, client: &Client, path: &str) {
    let faults = [
        None,
        Some(Fault::status(401)),
        Some(Fault::status(500)),
        Some(Fault::DropBeforeHeaders),
        Some(Fault::DropAfterEvents { events: 1 }),
        Some(Fault::MalformedJson),
        Some(Fault::MissingUsage),
        Some(Fault::OverReportedUsage { factor: 1_000_000 }),
    ];
    for fault in &faults {
        for stream in [false, true] {
            if let Some(fault) = fault {
                world.provider.fault(fault.clone());
            }
            let mut body = request(path);
            if path != "/v1/embeddings" {
                body["stream"] = json!(stream);
            }
            // What becomes of it is tested elsewhere; here only what is left behind counts.
            drop(client.call(Method::POST, path, Some(&body), &[]).await);
            world.provider.clear_faults();
        }
    }
}

fn must_not_be_in(place: &str, text: &[u8], secrets: &[String]) {
    for secret in secrets {
        let found = text
            .windows(secret.len())
            .position(|part| part == secret.as_bytes());
        let around = found.map(|at| {
            let part = &text[at.saturating_sub(200)..(at + 200).min(text.len())];
            String::from_utf8_lossy(part).into_owned()
        });
        assert_eq!(around, None, "{secret} is in {place}");
    }
}

fn database_files(home: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    let ours = |path: &std::path::PathBuf| path.to_string_lossy().contains("plimsoll.db");
    files.filter(ours).collect()
}

async fn check(level: &str, lines: usize) {
    let home = Home::sqlite();
    let log = format!("[log]\nlevel = \"{level}\"\n[gateway]\nmax_retries = 0");
    let world = World::with(home, &log);
    let mut secrets = session(&world).await;
    let ops = world
        .operator
        .at(world.server.metrics_url.trim_end_matches("/metrics"));
    let metrics = ops.get("/metrics").await.body;
    let token = world.server.operator_token.clone().unwrap();
    secrets.extend([token, PROVIDER_KEY.to_owned()]);
    let private = [PROMPT.to_owned(), ANSWER.to_owned(), NONSENSE.to_owned()];
    secrets.extend(private);
    must_not_be_in("the metrics", metrics.as_bytes(), &secrets);

    let World { server, home, .. } = world;
    let server: Plimsoll = server;
    let said = server.stderr();
    assert!(said.contains("Configuration in force"), "{said}");
    assert!(
        said.lines().count() > lines,
        "too little was logged to show anything"
    );
    must_not_be_in("the log", said.as_bytes(), &secrets);
    let files = database_files(home.path());
    assert!(!files.is_empty());
    for file in files {
        must_not_be_in(&file.display().to_string(), &fs::read(&file).unwrap(), &secrets);
    }
    server.terminate();
    for file in database_files(home.path()) {
        must_not_be_in(&file.display().to_string(), &fs::read(&file).unwrap(), &secrets);
    }
    let doctor = home.run(&["doctor"]);
    must_not_be_in("doctor", (doctor.stdout + &doctor.stderr).as_bytes(), &secrets);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_content_is_left_behind() {
    check("info", 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_content_is_left_behind_when_everything_is_logged() {
    check("trace", 1_000).await;
}
