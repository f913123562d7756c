//! Does what the product has noticed come to an Incident where the clock of the node that looks at it is behind?

use std::sync::Arc;

use model::run::Operation;
use serde_json::json;
use services::Context;
use services::incidents::{breaches, failures};
use testkit::clock::FixedClock;
use testkit::db::TestDb;

use crate::gateway::chat;
use crate::harness::World;
use crate::incidents::{failed, incidents_of};

/// A node whose clock is ten minutes behind that of the one that served.
fn behind(world: &World) -> Context {
    let mut cx = world.cx.clone();
    let clock: Arc<FixedClock> = FixedClock::at(world.now().plus_seconds(-600));
    cx.clock = clock;
    cx
}

testkit::both_databases! {
    async fn a_failed_run_opens_its_incident(db: TestDb) {
        let world = World::new(db).await;
        let run = failed(&world, 500).await;
        let made = failures::explain_all(&behind(&world)).await.unwrap();
        assert_eq!((made.runs, made.incidents), (1, 1));
        let [incident] = &*incidents_of(&world, run).await else { panic!("one") };
        let replayed = services::incidents::replay::one(&world.cx, world.tenant, incident.id).await.unwrap();
        assert_eq!(replayed.replay.violations, vec![]);
    }

    async fn a_limit_that_was_hit_opens_its_incident(db: TestDb) {
        let world = World::new(db).await;
        world.budget(1).await;
        world.refused(Operation::Chat, &chat(&json!({}))).await;
        let made = breaches::explain_all(&behind(&world)).await.unwrap();
        assert_eq!((made.breaches, made.incidents), (1, 1));
    }
}
