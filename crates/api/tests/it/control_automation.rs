//! Can the product be kept from opening Incidents by itself, and by nobody but who breaks the glass?

use model::id::TenantId;
use model::principal::PrincipalRole;
use serde_json::json;
use testkit::db::TestDb;

use crate::harness::{Answer, World};
use crate::signers::{DONE, Somebody};

impl Somebody<'_> {
    /// Switches automatic promotion.
    async fn switches(&self, word: &str, scope: &str) -> Answer {
        let authority = json!({ "authorityType": self.authority, "justification": DONE });
        let body = json!({ "scope": scope, "authority": authority }).to_string();
        self.sends("POST", &format!("/kill-switch/{word}"), &[], &body)
            .await
    }

    /// Whether it is off for the signer's tenant.
    async fn is_paused(&self) -> bool {
        let status = self.reads("/kill-switch/status").await;
        status.ok(200).at("/automationPaused") == json!(true)
    }
}

testkit::both_databases! {
    async fn whoever_breaks_the_glass_switches_the_product_off_and_nobody_else(db: TestDb) {
        let world = World::new(db).await;
        let glass = Somebody::new(&world, PrincipalRole::BreakGlass, "EMERGENCY_OVERRIDE").await;
        for (role, authority) in [
            (PrincipalRole::Sre, "ON_CALL_SRE"),
            (PrincipalRole::Operator, "HUMAN_OPERATOR"),
            (PrincipalRole::Service, "AUTO_ENGINE"),
            (PrincipalRole::Creator, "HUMAN_OPERATOR"),
            (PrincipalRole::Reader, "HUMAN_OPERATOR"),
        ] {
            let somebody = Somebody::new(&world, role, authority).await;
            for word in ["disable", "enable"] {
                somebody.switches(word, "TENANT").await.is(403, "UNAUTHORIZED");
            }
            assert!(!somebody.is_paused().await);
        }
        let silent = json!({ "authority": { "authorityType": "EMERGENCY_OVERRIDE" } }).to_string();
        glass.sends("POST", "/kill-switch/disable", &[], &silent).await.is(400, "MISSING_JUSTIFICATION");
        let less = json!({ "authority": { "authorityType": "ON_CALL_SRE", "justification": DONE } }).to_string();
        let refused = glass.sends("POST", "/kill-switch/disable", &[], &less).await;
        refused.is(403, "UNAUTHORIZED");
        assert_eq!(refused.at("/error/details/requiredAuthority"), "EMERGENCY_OVERRIDE");
        glass.switches("disable", "EVERYBODY").await.is(400, "VALIDATION_ERROR");

        let off = glass.switches("disable", "TENANT").await;
        assert_eq!((off.ok(200).at("/automationPaused"), off.text("/tenant/reason")), (json!(true), DONE.to_owned()));
        assert!(glass.is_paused().await);
        // What is off already is not switched off once more.
        glass.switches("disable", "TENANT").await.ok(200);
        let on = glass.switches("enable", "TENANT").await;
        assert_eq!(on.ok(200).at("/automationPaused"), json!(false));
        assert!(on.text("/tenant/changedBy").ends_with(":principal/BREAK_GLASS"));
    }

    async fn while_it_is_off_programs_change_nothing_and_people_go_on(db: TestDb) {
        let world = World::new(db).await;
        let glass = Somebody::new(&world, PrincipalRole::BreakGlass, "EMERGENCY_OVERRIDE").await;
        let sre = Somebody::new(&world, PrincipalRole::Sre, "ON_CALL_SRE").await;
        let service = Somebody::new(&world, PrincipalRole::Service, "AUTO_ENGINE").await;
        let both = Somebody::with(&world, "both", &[PrincipalRole::Operator, PrincipalRole::Service], "AUTO_ENGINE").await;
        let one = sre.reports("one", &sre.report("SEV3")).await.text("/incidentId");
        glass.switches("disable", "TENANT").await.ok(200);
        // Before anything else is looked at.
        service.sends("PATCH", "/incidents/nonsense/state", &[], "{").await.is(503, "KILL_SWITCH_ACTIVE");
        both.sends("PATCH", "/incidents/nonsense/state", &[], "{").await.is(400, "INVALID_REQUEST");
        both.takes(&one, "MITIGATING", json!({})).await.is(503, "KILL_SWITCH_ACTIVE");
        service.reads(&format!("/incidents/{one}")).await.ok(200);
        let two = sre.reports("two", &sre.report("SEV3")).await;
        assert_eq!(two.ok(201).text("/state"), "OPEN");
        sre.takes(&one, "MITIGATING", json!({})).await.ok(200);
        glass.switches("enable", "TENANT").await.ok(200);
        both.takes(&two.text("/incidentId"), "MITIGATING", json!({})).await.ok(200);
    }

    async fn the_switch_of_all_tenants_is_for_principals_of_the_installation(db: TestDb) {
        let world = World::new(db).await;
        let glass = Somebody::new(&world, PrincipalRole::BreakGlass, "EMERGENCY_OVERRIDE").await;
        glass.switches("disable", "GLOBAL").await.is(403, "UNAUTHORIZED");
        let founder = Somebody::of(&world, TenantId::PLATFORM, "founder", &[PrincipalRole::BreakGlass], "EMERGENCY_OVERRIDE").await;
        // It has no tenant of its own, and nobody's is switched because nobody said whose.
        for body in [
            json!({ "authority": { "authorityType": "EMERGENCY_OVERRIDE", "justification": DONE } }),
            json!({ "scope": "TENANT", "authority": { "authorityType": "EMERGENCY_OVERRIDE", "justification": DONE } }),
        ] {
            for word in ["disable", "enable"] {
                let refused = founder.sends("POST", &format!("/kill-switch/{word}"), &[], &body.to_string()).await;
                refused.is(400, "VALIDATION_ERROR");
                assert_eq!(refused.text("/error/details/issues/0/field"), "scope");
            }
        }
        assert!(!glass.is_paused().await && !founder.is_paused().await);
        assert_eq!(founder.switches("disable", "GLOBAL").await.ok(200).at("/tenant"), json!(null));
        assert!(glass.is_paused().await && founder.is_paused().await);
        // A tenant's own does not outweigh it.
        let on = glass.switches("enable", "TENANT").await;
        assert_eq!((on.ok(200).at("/automationPaused"), on.at("/global/paused")), (json!(true), json!(true)));
        founder.switches("enable", "GLOBAL").await.ok(200);
        assert!(!glass.is_paused().await);
    }
}
