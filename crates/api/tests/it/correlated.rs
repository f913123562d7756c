//! Does a request keep the id that its sender has given it, on every answer and on record?

use model::principal::PrincipalRole;
use serde_json::json;
use testkit::db::TestDb;

use crate::harness::World;
use crate::signers::Somebody;

testkit::both_databases! {
    async fn the_correlation_of_the_sender_is_answered_and_kept(db: TestDb) {
        let world = World::new(db).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let sent = [("x-correlation-id", "pager:7.a"), ("x-request-id", "made-by-a-proxy"), ("idempotency-key", "one")];
        let made = sre.sends("POST", "/incidents", &sent, &sre.report("SEV3").to_string()).await;
        assert_eq!((made.ok(201).header("x-correlation-id"), made.header("x-request-id")), (Some("pager:7.a"), Some("pager:7.a")));
        let id = made.text("/incidentId");
        let shown = world.get(&format!("/api/v1/incidents/{id}")).send().await;
        assert_eq!(shown.ok(200).text("/correlation_id"), "pager:7.a");
        let told = sre.reads(&format!("/incidents/{id}/timeline")).await;
        assert_eq!(told.ok(200).text("/items/0/requestId"), "pager:7.a");
    }

    async fn without_one_and_with_what_is_none_it_gets_another(db: TestDb) {
        let world = World::new(db).await;
        let ask = || world.get("/api/v1/limits");
        for (name, value) in [("x-correlation-id", "a"), ("x-request-id", "b")] {
            let answer = ask().header(name, value).send().await;
            assert_eq!(answer.ok(200).header("x-correlation-id"), Some(value), "both name it");
        }
        let spare = ask().header("x-correlation-id", "two words").header("x-request-id", "b").send().await;
        assert_eq!(spare.ok(200).header("x-correlation-id"), Some("b"));
        for bad in ["two words", "\"quoted\"", &"x".repeat(129)] {
            let answer = ask().header("x-correlation-id", bad).send().await;
            let ours = answer.ok(200).header("x-correlation-id").unwrap();
            assert!(ours.starts_with("req_"), "{bad}: {ours}");
        }
        let refused = world.get("/nowhere").header("x-correlation-id", "c").send().await;
        assert_eq!((refused.ok(404).header("x-correlation-id"), refused.at("/request_id")), (Some("c"), json!("c")));
    }
}
