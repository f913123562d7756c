//! Does a call keep what was held for it, however long it takes?

use std::time::Duration;

use serde_json::json;
use testkit::upstream::Fault;
use tokio::time::sleep;

use crate::harness::{Home, World, chat};

/// The call takes four times as long as its hold lives; whether it is still held is looked at when it would be long gone.
const TTL: &str = "[gateway]\nhold_ttl_ms = 3000";
const CALL: Duration = Duration::from_secs(12);
const LOOK: Duration = Duration::from_secs(7);

async fn check(world: World) {
    let tenant = world.tenant("Harbour Freight").await;
    tenant.budget(json!(10), "NONE").await;
    let ms = u64::try_from(CALL.as_millis()).unwrap();
    world.provider.fault(Fault::Delay { ms });
    let client = tenant.client.clone();
    let call = tokio::spawn(async move { client.post("/v1/chat/completions", &chat()).await });
    sleep(LOOK).await;
    let (settled, held) = tenant.used().await;
    assert!(
        settled == 0 && held > 0,
        "given away while the call goes on: {held}"
    );
    call.await.unwrap().expect(200);
    let (settled, held) = tenant.used().await;
    assert!(settled > 0 && held == 0, "{settled} settled, {held} held");
    let run = tenant.client.get("/api/v1/runs").await.expect(200)["items"][0].clone();
    assert_eq!(run["status"], json!("succeeded"), "{run}");
    world.home.verify_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_outlives_its_hold_keeps_it_on_sqlite() {
    check(World::with(Home::sqlite(), TTL)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_outlives_its_hold_keeps_it_although_another_node_looks_for_expired_ones_on_postgres() {
    let world = World::with(Home::postgres(), TTL);
    let _other = world.home.serve();
    check(world).await;
}
