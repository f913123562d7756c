//! Is what happens to Incidents told by a real process, in the words of a standard, also when it is killed?

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::receiver::{Act, Received, Receiver};
use testkit::upstream::Fault;

use crate::harness::{Home, Plimsoll, Tenant, World, chat};
use crate::sdk;

/// For development, with a master key of its own.
const CONFIG: &str = "[gateway]\nmax_retries = 0\n[webhooks]\nplain_http = \"allow\"\nprivate_addresses = \"allow\"\n\
     [secrets]\nmaster_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n";

async fn webhook(tenant: &Tenant, receiver: &Receiver) -> Value {
    let body = json!({"url": receiver.url()});
    tenant.client.post("/api/v1/webhooks", &body).await.expect(201)
}

/// LLM Runs that fail: the first opens an Incident, the others are the same once more.
async fn fail(world: &World, tenant: &Tenant, times: usize) {
    world.provider.fault_times(Fault::status(503), times);
    for _ in 0..times {
        tenant
            .client
            .post("/v1/chat/completions", &chat())
            .await
            .expect(503);
    }
}

/// The Incidents of the tenant with the ids of their events that customers are told of.
async fn told(tenant: &Tenant) -> BTreeSet<String> {
    let listed = tenant
        .client
        .get("/api/v1/runtime/incidents?topic=ACTIVE&limit=100")
        .await
        .expect(200);
    let mut told = BTreeSet::new();
    for incident in listed["items"].as_array().unwrap() {
        let path = format!(
            "/api/v1/incidents/{}/events",
            incident["incident_id"].as_str().unwrap()
        );
        let events = tenant.client.get(&path).await.expect(200);
        let shown = events["items"].as_array().unwrap().iter();
        let shown = shown.filter(|event| event["new_state"] != "PENDING");
        told.extend(shown.map(|event| format!("msg_{}", event["event_id"].as_str().unwrap())));
    }
    told
}

fn ids(received: &[Received]) -> BTreeSet<String> {
    received
        .iter()
        .map(|one| one.header("webhook-id").to_owned())
        .collect()
}

/// What was received when it is at least so much.
async fn received(receiver: &Receiver, least: usize) -> Vec<Received> {
    for _ in 0..1_000 {
        let so_far = receiver.received();
        if so_far.len() >= least {
            return so_far;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("only {} messages came", receiver.received().len());
}

/// What the reference library says of each message: which secrets are right, and how many forgeries it takes.
fn verified(secrets: &[&Value], received: &[Received]) -> Value {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let message = |one: &Received| {
        let headers: serde_json::Map<_, _> = names
            .iter()
            .map(|&name| (name.to_owned(), one.header(name).into()))
            .collect();
        json!({"headers": headers, "body": one.body})
    };
    let given = json!({"secrets": secrets, "messages": received.iter().map(message).collect::<Vec<_>>()});
    let ended = sdk::run("webhook_verify.py", &[&given.to_string()]);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_library_takes_every_message_and_no_forgery() {
    let world = World::with(Home::sqlite(), CONFIG);
    let tenant = world.tenant("Harbour").await;
    let receiver = Receiver::start().await;
    let made = webhook(&tenant, &receiver).await;
    fail(&world, &tenant, 1).await;
    let first = received(&receiver, 1).await;
    assert_eq!(first[0].json()["type"], "incident.created");
    assert!(first[0].body.len() < 20_000, "{}", first[0].body.len());
    let another = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let said = verified(&[&made["secret"], &another.into()], &first);
    assert_eq!(said, json!([{"right": [made["secret"]], "forged": 0}]));
    let path = format!(
        "/api/v1/webhooks/{}/rotate-secret",
        made["webhook_id"].as_str().unwrap()
    );
    let rotated = tenant.client.post(&path, &json!({})).await.expect(200);
    assert_ne!(rotated["secret"], made["secret"]);
    fail(&world, &tenant, 1).await;
    let both = received(&receiver, 2).await;
    let said = verified(&[&made["secret"], &rotated["secret"]], &both[1..]);
    assert_eq!(
        said,
        json!([{"right": [made["secret"], rotated["secret"]], "forged": 0}])
    );
    let shown = tenant.client.get("/api/v1/webhooks").await;
    assert!(!shown.body.contains("whsec_"), "{}", shown.body);
    // One line for each event, without what people wrote.
    let log = world.server.stderr();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("an Incident was changed"))
        .collect();
    assert!(lines.len() >= 3, "{log}");
    let title = both[0].json()["data"]["title"].as_str().unwrap().to_owned();
    assert!(
        lines
            .iter()
            .all(|line| !line.contains(&title) && line.contains("authority_type")),
        "{lines:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_again_and_again_loses_no_message() {
    let mut world = World::with(Home::sqlite(), CONFIG);
    let mut tenant = world.tenant("Harbour").await;
    let receiver = Receiver::start().await;
    webhook(&tenant, &receiver).await;
    // Once only: what fails twice is tried again much later.
    receiver.play(&[Act::status(500), Act::status(200)]);
    for round in 0..4 {
        fail(&world, &tenant, 6).await;
        tokio::time::sleep(Duration::from_millis(90 * round)).await;
        world.server.kill();
        world.server = Plimsoll::serve(world.home.path(), &[]);
        world.operator = world.operator.at(&world.server.base_url);
        tenant.client = tenant.client.at(&world.server.base_url);
    }
    let mut missing = BTreeSet::new();
    // A lease of a dead process lasts for a minute.
    for _ in 0..2_000 {
        let expected = told(&tenant).await;
        missing = &expected - &ids(&receiver.received());
        if expected.len() >= 20 && missing.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(missing, BTreeSet::new());
    assert_eq!(
        &ids(&receiver.received()) - &told(&tenant).await,
        BTreeSet::new(),
        "nothing else came"
    );
}
