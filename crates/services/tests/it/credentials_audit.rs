//! Is everything that is done to keys, tenants and operators written down once, with who did it?

use model::audit::{Actor, AuditEvent, EntityType};
use model::id::TenantId;
use model::key::KeyScope;
use model::money::NanoUsd;
use services::audit::Author;
use services::keys::{KeyChange, Maker, NewKey};
use services::tenants::TenantChange;
use store::audit::Placed;
use testkit::both_databases;
use testkit::db::TestDb;

use crate::harness::World;

fn author() -> Author {
    Author::human("op_1".to_owned())
}

/// What a tenant's ledger says of a kind of thing, oldest first.
async fn ledger(world: &World, tenant: TenantId, of: EntityType) -> Vec<Placed> {
    let filter = store::audit::Filter {
        entity_type: Some(of),
        ..Default::default()
    };
    let read = world
        .db
        .read(move |tx| store::audit::list(tx, tenant, &filter, 50));
    let mut entries = read.await.unwrap();
    entries.reverse();
    entries
}

fn events(entries: &[Placed]) -> Vec<AuditEvent> {
    entries.iter().map(|placed| placed.entry.event).collect()
}

async fn words_of(world: &World, tenant: TenantId, entity: String) -> Vec<String> {
    let read = world
        .db
        .read(move |tx| store::timeline::events_of(tx, tenant, &entity));
    read.await.unwrap()
}

both_databases! {
    async fn the_life_of_a_key_is_written_down_once_each(db: TestDb) {
        let world = World::new(db).await;
        let (cx, tenant) = (&world.cx, world.tenant);
        let before = ledger(&world, tenant, EntityType::ApiKey).await.len();
        let new = NewKey {
            name: "batch".to_owned(),
            live: true,
            scopes: vec![KeyScope::Llm],
            rpm: Some(10),
            expires_in_days: None,
        };
        let (key, secret) = services::keys::create(cx, tenant, Maker::operator(author()), new).await.unwrap();
        let freeze = || KeyChange::Freeze { reason: Some("leaked".to_owned()) };
        for change in [freeze(), freeze(), KeyChange::Unfreeze, KeyChange::Unfreeze, KeyChange::Revoke, KeyChange::Revoke] {
            services::keys::change(cx, tenant, author(), key.id, change).await.unwrap();
        }
        let limits = events(&ledger(&world, tenant, EntityType::Limit).await);
        assert_eq!(limits, [AuditEvent::LimitCreated, AuditEvent::LimitDisabled], "its rate came and went with it");
        let entries = ledger(&world, tenant, EntityType::ApiKey).await.split_off(before);
        assert_eq!(events(&entries), [
            AuditEvent::ApiKeyCreated,
            AuditEvent::ApiKeyFrozen,
            AuditEvent::ApiKeyUnfrozen,
            AuditEvent::ApiKeyRevoked,
        ]);
        assert!(entries.iter().all(|placed| placed.entry.actor == Actor::human("op_1".to_owned())));
        assert_eq!(entries[1].entry.reason.as_deref(), Some("leaked"));
        let hidden = secret.expose();
        assert!(entries.iter().all(|placed| !format!("{placed:?}").contains(hidden)), "the secret is nowhere");
        assert_eq!(
            words_of(&world, tenant, key.id.to_string()).await,
            ["api_key_created", "api_key_frozen", "api_key_unfrozen", "api_key_revoked"],
        );
    }

    async fn what_is_done_to_a_tenant_is_written_down_once_each(db: TestDb) {
        let world = World::new(db).await;
        let cx = &world.cx;
        let tenant = services::tenants::create(cx, author(), "rival").await.unwrap().id;
        let freeze = || TenantChange::Freeze { reason: None };
        let price = || TenantChange::FloorPrice(Some(NanoUsd(7)));
        let review = || TenantChange::TwoPersonReview(true);
        for change in [freeze(), freeze(), TenantChange::Unfreeze, TenantChange::Unfreeze, price(), price(), review(), review()] {
            services::tenants::change(cx, author(), tenant, change).await.unwrap();
        }
        let entries = ledger(&world, tenant, EntityType::Tenant).await;
        assert_eq!(events(&entries), [
            AuditEvent::TenantCreated,
            AuditEvent::EmergencyOverrideActivated,
            AuditEvent::EmergencyOverrideDeactivated,
            AuditEvent::TenantFloorPriceChanged,
            AuditEvent::TenantReviewChanged,
        ]);
        let (before, after) = (&entries[3].entry.before, &entries[3].entry.after);
        assert!(before.as_ref().unwrap().contains(r#""floor_price_nano_usd":null"#), "{before:?}");
        assert!(after.as_ref().unwrap().contains(r#""floor_price_nano_usd":"7""#), "{after:?}");
        assert_eq!(
            words_of(&world, tenant, tenant.to_string()).await,
            ["tenant_created", "tenant_frozen", "tenant_unfrozen", "tenant_floor_price_changed", "tenant_review_changed"],
        );
    }

    async fn operators_are_written_down_in_the_ledger_of_the_installation(db: TestDb) {
        let world = World::new(db).await;
        let cx = &world.cx;
        services::tenants::bootstrap(cx).await.unwrap().unwrap();
        let (operator, token) = services::tenants::create_operator(cx, author(), "second").await.unwrap();
        services::tenants::revoke_operator(cx, author(), operator.id).await.unwrap();
        services::tenants::revoke_operator(cx, author(), operator.id).await.unwrap_err();
        let entries = ledger(&world, TenantId::PLATFORM, EntityType::Operator).await;
        assert_eq!(events(&entries), [
            AuditEvent::OperatorCreated,
            AuditEvent::OperatorCreated,
            AuditEvent::OperatorRevoked,
        ]);
        assert_eq!(entries[0].entry.actor, Actor::SYSTEM, "the first one comes with the installation");
        assert!(entries.iter().all(|placed| !format!("{placed:?}").contains(token.expose())), "the token is nowhere");
    }
}
