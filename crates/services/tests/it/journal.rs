//! What happens on the side is written down, once, and not lost.

use model::event::OpsEventType;
use model::run::Operation;
use serde_json::json;
use services::journal::{ApiCall, write_down};
use testkit::db::TestDb;
use testkit::upstream::Fault;

use crate::gateway::chat;
use crate::harness::World;

testkit::both_databases! {
    async fn calls_of_one_kind_are_added_up_and_written_once(db: TestDb) {
        let world = World::new(db).await;
        let call = |status| ApiCall {
            tenant: Some(world.tenant),
            endpoint: "/api/v1/limits".to_owned(),
            method: "GET".to_owned(),
            status,
        };
        for _ in 0..3 {
            world.cx.journal.call(call(200));
        }
        world.cx.journal.call(call(404));
        world.cx.journal.limit_hit("write_queue");
        write_down(&world.cx).await.unwrap();
        write_down(&world.cx).await.unwrap();
        let count = |kind| {
            let db = world.cx.db.clone();
            async move {
                let since = model::time::Timestamp::from_micros(0);
                db.read(move |tx| store::ops_events::count(tx, kind, since)).await.unwrap()
            }
        };
        assert_eq!(count(OpsEventType::ApiCallReceived).await, 2);
        assert_eq!(count(OpsEventType::InfraLimitHit).await, 1);
    }

    async fn a_provider_that_fails_leaves_a_forensic_record(db: TestDb) {
        let world = World::new(db).await;
        world.upstream.fault(Fault::DropBeforeHeaders);
        assert!(world.serve(Operation::Chat, &chat(&json!({}))).await.is_err());
        write_down(&world.cx).await.unwrap();
        let since = model::time::Timestamp::from_micros(0);
        let found = world
            .cx
            .db
            .read(move |tx| store::infra_errors::by_component(tx, "workers::upstream", since, 10))
            .await
            .unwrap();
        let [record] = &found[..] else { panic!("expected one record, got {found:?}") };
        assert_eq!(record.layer, "L5");
        assert!(record.error_class.starts_with("infra."), "{}", record.error_class);
        assert_eq!(record.tenant_id, Some(world.tenant.to_string()));
        assert!(record.run_id.as_ref().is_some_and(|id| id.starts_with("run_")));
    }
}
