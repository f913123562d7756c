//! Are there never more keys than there may be, however many are made at once, and never more first operators than one?

use futures_util::future::join_all;
use model::id::{KeyId, LimitId, TenantId};
use model::key::KeyScope;
use services::Context;
use services::audit::Author;
use services::keys::{KEYS_MAX, KeyChange, KeyError, Maker, NewKey};
use services::limits::LIMITS_MAX;
use testkit::both_databases;
use testkit::db::TestDb;

use crate::harness::World;

async fn create(cx: &Context, tenant: TenantId) -> Result<KeyId, KeyError> {
    create_with(cx, tenant, None).await
}

async fn create_with(cx: &Context, tenant: TenantId, rpm: Option<u32>) -> Result<KeyId, KeyError> {
    let new = NewKey {
        name: "one of many".to_owned(),
        live: true,
        scopes: vec![KeyScope::Read],
        rpm,
        expires_in_days: None,
    };
    let (key, _secret) = services::keys::create(cx, tenant, Maker::operator(Author::system()), new).await?;
    Ok(key.id)
}

/// As many keys as a tenant may have, less some; one that is revoked counts no more.
async fn nearly_all(world: &World, less: usize) {
    let first = create(&world.cx, world.tenant).await.unwrap();
    let mut template = services::keys::get(&world.cx, world.tenant, first).await.unwrap();
    services::keys::change(
        &world.cx,
        world.tenant,
        Author::system(),
        first,
        KeyChange::Revoke,
    )
    .await
    .unwrap();
    let write = world.cx.db.write(move |tx| {
        // The world itself has one.
        (1..KEYS_MAX - less).try_for_each(|number| {
            template.id = KeyId::from_bits(u128::try_from(number).unwrap());
            store::keys::insert(tx, &template, &format!("hash {number}"))
        })
    });
    write.await.unwrap();
}

both_databases! {
    async fn of_many_that_make_a_key_at_once_as_many_do_as_there_is_room_for(db: TestDb) {
        let world = World::new(db).await;
        nearly_all(&world, 2).await;
        let made = join_all((0..12).map(|_| create(&world.cx, world.tenant))).await;
        let refused = made.iter().filter(|made| matches!(made, Err(KeyError::Quota))).count();
        let made: Vec<_> = made.into_iter().filter_map(Result::ok).collect();
        assert_eq!((made.len(), refused), (2, 10));
        services::keys::change(&world.cx, world.tenant, Author::system(), made[0], KeyChange::Revoke).await.unwrap();
        create(&world.cx, world.tenant).await.unwrap();
        let rival = services::tenants::create(&world.cx, Author::system(), "rival").await.unwrap().id;
        create(&world.cx, rival).await.unwrap();
    }

    async fn a_revoked_key_takes_its_limits_along(db: TestDb) {
        let world = World::new(db).await;
        let (cx, tenant) = (&world.cx, world.tenant);
        let active = async || cx.db.read(move |tx| store::limits::count(tx, tenant)).await.unwrap();
        let key = create_with(cx, tenant, Some(10)).await.unwrap();
        let other = create_with(cx, tenant, Some(10)).await.unwrap();
        assert_eq!(active().await, 2);
        for _ in 0..2 {
            services::keys::change(cx, tenant, Author::system(), key, KeyChange::Revoke).await.unwrap();
            assert_eq!(active().await, 1);
        }
        services::keys::change(cx, tenant, Author::system(), other, KeyChange::Freeze { reason: None }).await.unwrap();
        assert_eq!(active().await, 1, "it may come back");
    }

    async fn the_rate_of_a_key_is_a_limit_among_as_many_as_there_may_be(db: TestDb) {
        let world = World::new(db).await;
        let (cx, tenant) = (&world.cx, world.tenant);
        let first = create_with(cx, tenant, Some(10)).await.unwrap();
        let limits = cx.db.read(move |tx| store::limits::active(tx, tenant)).await.unwrap();
        let mut template = limits[0].clone();
        cx.db.write(move |tx| (1..LIMITS_MAX).try_for_each(|number| {
            template.id = LimitId::from_bits(u128::try_from(number).unwrap());
            template.max = number;
            template.model = Some(format!("model {number}"));
            store::limits::insert(tx, &template)
        })).await.unwrap();
        let refused = create_with(cx, tenant, Some(10)).await;
        assert!(matches!(refused, Err(KeyError::LimitQuota)), "{refused:?}");
        create(cx, tenant).await.unwrap();
        services::keys::change(cx, tenant, Author::system(), first, KeyChange::Revoke).await.unwrap();
    }

    async fn nodes_that_start_together_make_one_first_operator(db: TestDb) {
        let world = World::new(db).await;
        let made = join_all((0..8).map(|_| services::tenants::bootstrap(&world.cx))).await;
        let tokens = made.into_iter().filter(|made| made.as_ref().unwrap().is_some()).count();
        assert_eq!(tokens, 1);
    }
}
