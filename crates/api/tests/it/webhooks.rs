//! How are webhooks made, changed and deleted, and what is refused?

use model::time::Clock as _;
use serde_json::{Value, json};
use testkit::db::TestDb;
use testkit::governance::{add_incidents, incident};

use crate::harness::{Answer, World};
use crate::log::Log;

const URL: &str = "https://example.com/plimsoll";

async fn make(world: &World, body: Value) -> Answer {
    world.post("/api/v1/webhooks", &body).send().await
}

/// An Incident is opened.
async fn happens(world: &World) {
    let opened = incident(world.tenant, 1, world.clock.now());
    add_incidents(&world.cx.db, vec![opened]).await;
    services::outbox::place(&world.cx).await.unwrap();
}

testkit::both_databases! {
    async fn a_webhook_is_made_with_a_secret_that_is_shown_once_changed_and_deleted(db: TestDb) {
        let world = World::new(db).await;
        let made = make(&world, json!({ "url": URL, "description": "pager", "topics": ["incident.created"] })).await;
        made.ok(201);
        let secret = made.text("/secret");
        assert!(secret.starts_with("whsec_") && secret.len() == 50, "{}", secret.len());
        assert_eq!(made.header("cache-control"), Some("no-store"));
        let path = format!("/api/v1/webhooks/{}", made.text("/webhook_id"));
        let mut log = Log::default();
        let got = log.send("one", world.get(&path)).await;
        let list = log.send("all", world.get("/api/v1/webhooks")).await;
        assert!(!got.body.contains("whsec_") && !list.body.contains("whsec_"));
        world.clock.advance_seconds(60);
        let change = json!({ "url": "https://example.com/other", "description": "", "topics": ["incident.updated", "incident.created"] });
        log.send("change it", world.put(&path, &change)).await.ok(200);
        happens(&world).await;
        let sent = log.send("what is sent", world.get(&format!("{path}/deliveries"))).await;
        let again = format!("{path}/deliveries/{}/redeliver", sent.text("/items/0/delivery_id"));
        log.send("send what waits again", world.call("POST", &again)).await.is(409, "delivery-pending");
        log.send("turn it off", world.put(&path, &json!({ "enabled": false }))).await.ok(200);
        log.send("send it again", world.call("POST", &again)).await.is(409, "webhook-disabled");
        log.send("turn it on", world.put(&path, &json!({ "enabled": true }))).await.ok(200);
        let rotated = world.call("POST", &format!("{path}/rotate-secret")).send().await;
        rotated.ok(200);
        assert_ne!(rotated.text("/secret"), secret);
        assert_eq!(rotated.header("cache-control"), Some("no-store"));
        log.send("what was given up", world.get(&format!("{path}/deliveries?status=DEAD"))).await.ok(200);
        log.send("now send it again", world.call("POST", &again)).await.ok(202);
        log.send("this installation sends nothing", world.call("POST", &format!("{path}/test"))).await.is(409, "webhooks-unavailable");
        let inside = json!({ "url": "https://169.254.169.254/latest" });
        log.send("an address inside", world.post("/api/v1/webhooks", &inside)).await.is(422, "unsafe-url");
        log.send("delete it", world.delete(&path)).await.ok(204);
        log.send("again", world.delete(&path)).await.is(404, "not-found");
        log.send("nothing is left", world.get("/api/v1/webhooks")).await.ok(200);
        log.assert("webhooks");
    }

    async fn the_same_request_twice_makes_one_webhook_and_tells_the_secret_once(db: TestDb) {
        let world = World::new(db).await;
        let body = json!({ "url": URL });
        let first = world.post("/api/v1/webhooks", &body).once("k1").send().await;
        let again = world.post("/api/v1/webhooks", &body).once("k1").send().await;
        assert_eq!((first.status, again.status), (201, 201));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!((first.text("/webhook_id"), again.at("/secret")), (again.text("/webhook_id"), Value::Null));
        world.post("/api/v1/webhooks", &json!({ "url": "https://example.com" })).once("k1").send().await.is(422, "idempotency-key-reused");
        let list = world.get("/api/v1/webhooks").send().await;
        assert_eq!(list.at("/items").as_array().unwrap().len(), 1);
    }

    async fn a_tenant_has_fifty_webhooks_at_the_most(db: TestDb) {
        let world = World::new(db).await;
        let mut last = String::new();
        for _ in 0..50 {
            let made = make(&world, json!({ "url": URL })).await;
            made.ok(201);
            last = made.text("/webhook_id");
        }
        make(&world, json!({ "url": URL })).await.is(403, "quota-exceeded");
        world.delete(&format!("/api/v1/webhooks/{last}")).send().await.ok(204);
        make(&world, json!({ "url": URL })).await.ok(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_an_address_that_is_not_public_or_not_plain() {
    let world = World::new(TestDb::sqlite()).await;
    let path = make(&world, json!({ "url": URL })).await.text("/webhook_id");
    let path = format!("/api/v1/webhooks/{path}");
    let long = format!("https://example.com/{}", "x".repeat(2_029));
    let mut refused = 0;
    for url in [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:,hi",
        "example.com",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://0.0.0.0/",
        "https://localhost/",
        "https://localhost./",
        "https://169.254.169.254/latest",
        "https://[fd00:ec2::254]/",
        "https://metadata.google.internal/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://10.0.0.1/",
        "https://user:pass@example.com/",
        "https://example.com/#a",
        "https://example.com:22/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://xn--example-.org/",
        "https://example.com./",
        "https://ex%61mple.com/",
        "https://bücher.example/",
        "https://example.com/\r\nhost: x",
        &long,
        "",
    ] {
        make(&world, json!({ "url": url })).await.is(422, "unsafe-url");
        world
            .put(&path, &json!({ "url": url }))
            .send()
            .await
            .is(422, "unsafe-url");
        refused += 1;
    }
    assert_eq!(refused, 33);
    // A name that leads inside is refused when it is looked up.
    make(&world, json!({ "url": "https://10.0.0.1.nip.io/" }))
        .await
        .ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_webhook_is_refused_by_name() {
    let world = World::new(TestDb::sqlite()).await;
    let many: Vec<&str> = std::iter::repeat_n("incident.created", 1_000).collect();
    for (more, code) in [
        (json!({ "topics": [] }), "validation-failed"),
        (json!({ "topics": ["incident.closed"] }), "validation-failed"),
        (json!({ "topics": ["incident.pending"] }), "validation-failed"),
        (
            json!({ "topics": ["incident.created", "incident.created"] }),
            "validation-failed",
        ),
        (json!({ "topics": many }), "validation-failed"),
        (json!({ "topics": "incident.created" }), "validation-failed"),
        (json!({ "description": "" }), "validation-failed"),
        (json!({ "description": "x".repeat(201) }), "validation-failed"),
        (json!({ "description": "a\u{200b}b" }), "validation-failed"),
        (json!({ "secret": "" }), "read-only-field"),
        (json!({ "secret": "whsec_AAAA" }), "read-only-field"),
        (json!({ "status": "ENABLED" }), "read-only-field"),
        (json!({ "headers": { "Host": "x" } }), "unknown-field"),
    ] {
        let mut body = json!({ "url": URL });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        make(&world, body).await.is(422, code);
    }
    make(&world, json!({})).await.is(422, "validation-failed");
    let path = format!(
        "/api/v1/webhooks/{}",
        make(&world, json!({ "url": URL })).await.text("/webhook_id")
    );
    world
        .get(&format!("{path}/deliveries?status=LOST"))
        .send()
        .await
        .is(400, "invalid-parameter");
    world
        .get(&format!("{path}/deliveries?cursor=x"))
        .send()
        .await
        .is(400, "invalid-cursor");
    let unknown = format!("{path}/deliveries/whd_01M7YQ1WE0000000000000ZZZZ/redeliver");
    world.call("POST", &unknown).send().await.is(404, "not-found");
}
