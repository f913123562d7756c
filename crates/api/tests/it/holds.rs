//! How does a hold end, and how often?

use serde_json::json;
use testkit::db::TestDb;

use crate::harness::{Call, World, budget};
use crate::log::Log;

fn settle<'w>(world: &'w World, hold: &str, usd: u32) -> Call<'w> {
    world.post(
        &format!("/api/v1/holds/{hold}/settle"),
        &json!({ "cost_usd": usd }),
    )
}

fn release<'w>(world: &'w World, hold: &str) -> Call<'w> {
    world.call("POST", &format!("/api/v1/holds/{hold}/release"))
}

/// What is spent and held of the only limit, in USD.
async fn used(world: &World) -> (serde_json::Value, serde_json::Value) {
    let usage = world.get("/api/v1/limits/usage").send().await;
    (usage.at("/items/0/spent"), usage.at("/items/0/held"))
}

testkit::both_databases! {
    async fn a_hold_ends_once(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(50)).await;
        let mut log = Log::default();
        let hold = world.hold(10).await;
        log.send("settle with what was used of it", settle(&world, &hold, 4)).await.ok(200);
        log.send("settle again", settle(&world, &hold, 4)).await.is(409, "reservation-closed");
        log.send("release after it was settled", release(&world, &hold)).await.is(409, "reservation-closed");
        assert_eq!(used(&world).await, (json!(4), json!(0)));

        let hold = world.hold(10).await;
        log.send("release", release(&world, &hold)).await.ok(200);
        log.send("release again", release(&world, &hold)).await.is(409, "reservation-closed");
        log.send("settle after it was released", settle(&world, &hold, 1)).await.is(409, "reservation-closed");
        assert_eq!(used(&world).await, (json!(4), json!(0)));
        log.assert("holds_end_once");
    }

    async fn more_than_is_held_cannot_be_settled_and_the_hold_stays(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(50)).await;
        let mut log = Log::default();
        let hold = world.hold(10).await;
        let path = format!("/api/v1/holds/{hold}/settle");
        let one_more = json!({ "cost_nano_usd": 10_000_000_001_i64 });
        log.send("one nano-USD more", world.post(&path, &one_more)).await.is(409, "settlement-exceeds-reservation");
        let tokens = json!({ "cost_usd": 1, "input_tokens": 1_000_000 });
        log.send("tokens that no limit counts", world.post(&path, &tokens)).await;
        log.assert("holds_exceeded");
        assert_eq!(used(&world).await.1, json!(0));
    }

    async fn the_hold_of_another_key_is_as_one_that_is_not_there(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(50)).await;
        let hold = world.hold(10).await;
        let colleague = world.key_with(&crate::harness::ALL).await;
        let (_, rival) = world.other_tenant("rival").await;
        for stranger in [&colleague, &rival] {
            for call in [settle(&world, &hold, 4), release(&world, &hold), release(&world, &hold).once("k")] {
                call.with(stranger).send().await.is(404, "not-found");
            }
        }
        assert_eq!(used(&world).await, (json!(0), json!(10)));
        settle(&world, &hold, 4).once("k").send().await.ok(200);
        // Even now that it has ended, nobody else learns that it was there.
        settle(&world, &hold, 4).with(&colleague).send().await.is(404, "not-found");
        settle(&world, &hold, 4).once("k").with(&colleague).send().await.is(403, "idempotency-key-foreign");
        assert_eq!(used(&world).await, (json!(4), json!(0)));
    }

    async fn all_of_a_hold_and_nothing_of_it_can_be_settled(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(50)).await;
        let (all, nothing) = (world.hold(10).await, world.hold(10).await);
        assert_eq!(used(&world).await, (json!(0), json!(20)));
        settle(&world, &all, 10).send().await.ok(200);
        settle(&world, &nothing, 0).send().await.ok(200);
        assert_eq!(used(&world).await, (json!(10), json!(0)));
    }

    async fn a_hold_that_nobody_ends_expires(db: TestDb) {
        let world = World::new(db).await;
        world.limit(&budget(50)).await;
        let mut log = Log::default();
        let body = json!({ "estimated_cost_usd": 10, "ttl_seconds": 60 });
        let short = world.post("/api/v1/limits/check", &body).send().await.text("/hold_id");
        let swept = world.post("/api/v1/limits/check", &body).send().await.text("/hold_id");
        world.clock.advance_seconds(61);
        log.send("after its time, before it was swept", settle(&world, &short, 10)).await.is(409, "reservation-expired");
        assert_eq!(used(&world).await.1, json!(20));
        assert_eq!(services::upkeep::expire_holds(&world.cx).await.unwrap(), 2);
        assert_eq!(used(&world).await, (json!(0), json!(0)));
        log.send("settle after it was swept", settle(&world, &swept, 10)).await;
        log.send("release after it was swept", release(&world, &swept)).await;
        log.assert("holds_expired");
        // The money is free again.
        world.hold(50).await;
    }

    async fn a_limit_can_be_lowered_below_what_is_held_and_lets_nothing_new_pass(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(&budget(50)).await;
        let hold = world.hold(30).await;
        world.put(&format!("/api/v1/limits/{limit}"), &json!({ "max_value": 10 })).send().await.ok(200);
        let refused = world.post("/api/v1/limits/check", &json!({ "estimated_cost_usd": 1 })).send().await;
        assert_eq!(refused.at("/decision"), "BLOCK");
        world.delete(&format!("/api/v1/limits/{limit}")).send().await.is(409, "limit-in-use");
        settle(&world, &hold, 30).send().await.ok(200);
        assert_eq!(used(&world).await, (json!(30), json!(0)));
        world.delete(&format!("/api/v1/limits/{limit}")).send().await.ok(204);
    }
}
