//! Do the official SDKs of OpenAI and Anthropic notice that Plimsoll is there?

mod table;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use testkit::upstream::Scripted;

use crate::harness::{Client, Ended, Home, Tenant, World, chat, output};

/// What a token of a model without a price costs the tenant of these tests.
const FLOOR_NANO_USD: u64 = 1_234;

/// Upstreams whose answers were recorded: name (as in price tables) and models. The last serves the rest.
const RECORDED: [(&str, &str); 7] = [
    ("groq", "\"llama3-*\""),
    ("mistral", "\"mistral-*\""),
    ("deepseek", "\"deepseek-*\""),
    ("together", "\"mistralai/*\""),
    ("voyage", "\"voyage-*\""),
    ("writer", "\"palmyra-*\""),
    ("local", ""),
];

const MAKE_PYTHON: &str =
    "python3 -m venv .venv && .venv/bin/pip install -r crates/testkit/python/requirements.txt";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Python that has the SDKs. Panics and says how to make it.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration; where Python lies is something that a machine must tell them"
)]
pub(crate) fn python() -> PathBuf {
    let told = std::env::var_os("PLIMSOLL_PYTHON").map(PathBuf::from);
    let ours = root().join(".venv/bin/python");
    let found = [Some(ours), told]
        .into_iter()
        .flatten()
        .find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no Python with the SDKs; run: {MAKE_PYTHON}"))
}

/// Runs a script to its end.
pub(crate) fn run(script: &str, args: &[&str]) -> Ended {
    let mut command = Command::new(python());
    command
        .arg(root().join("crates/testkit/python").join(script))
        .args(args)
        // What the scripts share is imported from beside them.
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let ended = output(command);
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    ended
}

/// A step of a scenario by a script that takes the address, a key and the step: the object that it prints.
pub(crate) fn step(script: &str, world: &World, tenant: &Tenant, step: &str) -> Value {
    step_with(script, world, tenant, step, &[])
}

/// The same with more arguments.
pub(crate) fn step_with(script: &str, world: &World, tenant: &Tenant, step: &str, more: &[&str]) -> Value {
    let known = [world.server.base_url.as_str(), tenant.client.key(), step];
    let ended = run(script, &[&known, more].concat());
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout))
}

/// Every upstream of the recordings, all of them at the same address.
fn upstreams(provider: &str) -> String {
    let one = |(name, models): (&str, &str)| {
        format!(
            "[upstreams.{name}]\nkind = \"openai_compatible\"\nbase_url = \"{provider}/v1\"\nmodels = [{models}]\n"
        )
    };
    RECORDED.map(one).concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_exchange_is_the_same_with_and_without_plimsoll_and_costs_what_the_table_says() {
    let Some(provider) = Scripted::recorded() else {
        return;
    };
    let home = Home::sqlite();
    let more = format!("[gateway]\nmax_retries = 0\n{}", upstreams(provider.base_url()));
    home.configure(provider.base_url(), &more);
    let server = home.serve();
    let operator = Client::new(&server.base_url, server.operator_token.as_deref().unwrap());
    let tenant = Tenant::make(&operator, "Harbour Freight").await;
    // With a money limit everything is held and capped, and a stream is asked for its usage.
    tenant.budget(json!(1_000_000), "NONE").await;
    let floor = format!("/api/v1/ops/tenants/{}/floor-price", tenant.id);
    let body = json!({"floor_price_nano_usd": FLOOR_NANO_USD});
    operator.put(&floor, &body).await.expect(200);

    let report = home.path().join("report.json");
    let ran = run(
        "sdk_equality.py",
        &[
            "--direct",
            provider.base_url(),
            "--via",
            &server.base_url,
            "--api-key",
            tenant.client.key(),
            "--runs-url",
            &format!("{}/api/v1/runs", server.base_url),
            "--floor-nano-usd",
            &FLOOR_NANO_USD.to_string(),
            "--report",
            report.to_str().unwrap(),
        ],
    );
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    // Seen on success too (.config/nextest.toml).
    let table = table::of(&report);
    writeln!(std::io::stdout(), "{}\n{table}", ran.stdout).unwrap();
    assert_eq!(report["differences"], json!([]), "{}", ran.stdout);
    assert_eq!(
        report["usable"],
        json!(provider.exchanges().len()),
        "{}",
        ran.stdout
    );
    assert_eq!(tenant.used().await.1, 0, "nothing is held any more");
    home.verify_ledger();
    table::is_documented(&table, &root().join("docs/compatibility.md"));
}

/// A key of a tenant of its own, with this limit.
async fn limited(world: &World, name: &str, limit: &Value) -> Tenant {
    let tenant = world.tenant(name).await;
    tenant.client.post("/api/v1/limits", limit).await.expect(201);
    tenant
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_get_answers_streams_and_their_own_exceptions() {
    let world = World::with(Home::sqlite(), "[gateway]\nmax_retries = 0");
    let good = world.tenant("Harbour Freight").await;
    good.budget(json!(1000), "NONE").await;
    let spent = world.tenant("Tidewater Labs").await;
    spent.budget(json!("0.000000001"), "NONE").await;
    let rate =
        json!({"name": "rate", "limit_category": "RATE", "limit_type": "REQUESTS_PER_HOUR", "max_value": 1});
    let hasty = limited(&world, "Breakwater", &rate).await;
    hasty
        .client
        .post("/v1/chat/completions", &chat())
        .await
        .expect(200);
    let (id, frozen) = good.another_key(&json!({"name": "frozen"})).await;
    let freeze = format!("/api/v1/keys/{id}/freeze");
    good.client.post(&freeze, &json!({})).await.expect(200);

    let keys = json!({"good": good.client.key(), "spent": spent.client.key(), "hasty": hasty.client.key(),
        "frozen": frozen});
    let ended = run(
        "sdk_smoke.py",
        &[
            "--base-url",
            &world.server.base_url,
            "--keys",
            &keys.to_string(),
            "--fault-url",
            world.provider.base_url(),
        ],
    );
    assert!(ended.stdout.contains("checks hold"), "{ended:?}");
    world.home.verify_ledger();
}
