//! Are there never more keys than there may be, however many are made at once?

use futures_util::future::join_all;
use model::id::{KeyId, TenantId};
use model::key::KeyScope;
use services::Context;
use services::keys::{KEYS_MAX, KeyChange, KeyError, NewKey};
use testkit::both_databases;
use testkit::db::TestDb;

use crate::harness::World;

async fn create(cx: &Context, tenant: TenantId) -> Result<KeyId, KeyError> {
    let new = NewKey {
        name: "one of many".to_owned(),
        live: true,
        scopes: vec![KeyScope::Read],
        rpm: None,
        expires_in_days: None,
    };
    let (key, _secret) = services::keys::create(cx, tenant, None, new).await?;
    Ok(key.id)
}

/// As many keys as a tenant may have, less some; one that is revoked counts no more.
async fn nearly_all(world: &World, less: usize) {
    let first = create(&world.cx, world.tenant).await.unwrap();
    let mut template = services::keys::get(&world.cx, world.tenant, first).await.unwrap();
    services::keys::change(&world.cx, world.tenant, first, KeyChange::Revoke)
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
        services::keys::change(&world.cx, world.tenant, made[0], KeyChange::Revoke).await.unwrap();
        create(&world.cx, world.tenant).await.unwrap();
        let rival = services::tenants::create(&world.cx, "rival").await.unwrap().id;
        create(&world.cx, rival).await.unwrap();
    }
}
