//! Are Incidents opened and driven when nobody takes what is told of them?

use model::principal::PrincipalRole;
use serde_json::json;
use testkit::db::TestDb;

use crate::harness::World;
use crate::signers::{DONE, Somebody};

testkit::both_databases! {
    async fn with_nobody_who_listens_incidents_are_opened_and_driven_all_the_same(db: TestDb) {
        let world = World::new(db).await;
        // Whoever is told is away, and nothing of ours gives messages their place yet: they wait.
        let webhook = json!({ "url": "https://a.example/nobody" });
        world.made(&world.key, "webhooks", webhook).await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let made = sre.reports("one", &sre.report("SEV1")).await;
        let id = made.ok(201).text("/incidentId");
        sre.takes(&id, "MITIGATING", json!({})).await.ok(200);
        // Somebody tries to send them, and nobody answers.
        services::outbox::place(&world.cx).await.unwrap();
        services::webhooks::deliver_due(&world.cx).await.unwrap();
        services::webhooks::finish(&world.cx).await;
        let resolved = json!({ "resolutionSummary": DONE, "resolutionType": "FIXED" });
        assert_eq!(sre.takes(&id, "RESOLVED", resolved).await.ok(200).text("/state"), "RESOLVED");
        assert_eq!(sre.reads(&format!("/incidents/{id}/replay")).await.ok(200).at("/success"), json!(true));
    }
}
