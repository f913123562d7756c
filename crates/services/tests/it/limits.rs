//! Are limits made and changed as they may be, however many do it at once?

use domain::limits::draft::Draft;
use futures_util::future::join_all;
use model::id::{LimitId, TenantId};
use model::limit::{Enforcement, Handling, Limit, LimitCategory, LimitScope, LimitStatus, LimitType};
use model::window::WindowSpec;
use services::audit::Author;
use services::limits::{Change, Done, LIMITS_MAX, LimitError, Owner};
use testkit::both_databases;
use testkit::db::TestDb;

use crate::books::decided;
use crate::books::draft;
use crate::harness::World;

fn threshold(model: Option<&str>) -> Draft {
    Draft {
        model: model.map(str::to_owned),
        ..draft(LimitCategory::Threshold, LimitType::TokensPerRun, 5)
    }
}

async fn create(world: &World, draft: Draft) -> Result<Done<Limit>, LimitError> {
    let owner = Owner::Tenant(world.tenant);
    services::limits::create(&world.cx, owner, Author::system(), draft, None, |_| String::new()).await
}

async fn change(world: &World, id: LimitId, change: Change) -> Result<Done<Limit>, LimitError> {
    let owner = Owner::Tenant(world.tenant);
    services::limits::update(&world.cx, owner, Author::system(), (id, change), None, |_| {
        String::new()
    })
    .await
}

/// As many limits as an owner may have, less some.
async fn nearly_all(world: &World, less: i64) {
    let tenant = world.tenant;
    let limit = move |number: i64| Limit {
        id: LimitId::from_bits(u128::try_from(number).unwrap()),
        tenant,
        name: "one of many".to_owned(),
        description: None,
        category: LimitCategory::Threshold,
        limit_type: LimitType::TokensPerRun,
        scope: LimitScope::Tenant,
        scope_id: None,
        api_key_id: None,
        model: Some(format!("model-{number}")),
        feature: None,
        end_user: None,
        max: 1,
        window: WindowSpec::PerRun,
        enforcement: Enforcement::Block,
        handling: Handling::default(),
        status: LimitStatus::Active,
        raise: None,
        overrun: None,
        created_at: model::time::Timestamp::from_micros(0),
        updated_at: model::time::Timestamp::from_micros(0),
    };
    let write = world.cx.db.write(move |tx| {
        (1..=LIMITS_MAX - less).try_for_each(|number| store::limits::insert(tx, &limit(number)))
    });
    write.await.unwrap();
}

both_databases! {
    async fn of_many_that_make_the_same_limit_at_once_one_does(db: TestDb) {
        let world = World::new(db).await;
        for round in 0..20 {
            let model = format!("model-{round}");
            let made = join_all((0..8).map(|_| create(&world, threshold(Some(&model))))).await;
            let ids: Vec<_> = made.iter().filter_map(|made| match made {
                Ok(Done::Now(limit, _)) => Some(limit.id),
                _ => None,
            }).collect();
            assert_eq!(ids.len(), 1, "{made:?}");
            let refused = made.iter().filter(|made| matches!(made, Err(LimitError::Exists(twin)) if *twin == ids[0]));
            assert_eq!(refused.count(), 7, "{made:?}");
        }
    }

    async fn of_many_that_change_limits_into_the_same_one_does(db: TestDb) {
        let world = World::new(db).await;
        let limits = [
            world.limit(Draft { enforcement: Enforcement::Warn, ..threshold(None) }).await,
            world.limit(Draft { enforcement: Enforcement::Alert, ..threshold(None) }).await,
            world.limit(Draft { enforcement: Enforcement::Reject, ..threshold(None) }).await,
        ];
        let block = || Change { enforcement: Some(Enforcement::Block), ..Change::default() };
        let changed = join_all(limits.map(|id| change(&world, id, block()))).await;
        assert_eq!(changed.iter().filter(|changed| changed.is_ok()).count(), 1, "{changed:?}");
        let refused = changed.iter().filter(|changed| matches!(changed, Err(LimitError::Exists(_))));
        assert_eq!(refused.count(), 2, "{changed:?}");
    }

    async fn an_owner_has_a_thousand_limits_that_apply_and_not_one_more(db: TestDb) {
        let world = World::new(db).await;
        nearly_all(&world, 2).await;
        let made = join_all(["a", "b", "c", "d"].map(|model| create(&world, threshold(Some(model))))).await;
        let quota = made.iter().filter(|made| matches!(made, Err(LimitError::Quota))).count();
        assert_eq!((made.iter().filter(|made| made.is_ok()).count(), quota), (2, 2), "row 106: {made:?}");
        // One that is disabled makes room for another, and cannot come back then.
        let first = LimitId::from_bits(1);
        let owner = Owner::Tenant(world.tenant);
        services::limits::delete(&world.cx, owner, Author::system(), first, None).await.unwrap();
        create(&world, threshold(Some("e"))).await.unwrap();
        let back = Change { status: Some(LimitStatus::Active), ..Change::default() };
        let refused = change(&world, first, back).await;
        assert!(matches!(refused, Err(LimitError::Quota)), "{refused:?}");
        // The quota is each owner's own.
        let rival = services::tenants::create(&world.cx, Author::system(), "rival").await.unwrap().id;
        assert_ne!(rival, TenantId::PLATFORM);
        services::limits::create(&world.cx, Owner::Tenant(rival), Author::system(), threshold(None), None, |_| String::new()).await.unwrap();
    }

    async fn a_rate_keeps_what_it_has_counted_when_its_window_grows(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(draft(LimitCategory::Rate, LimitType::RequestsTotal, 3)).await;
        let spend = || services::limits::check(&world.cx, world.check_request(1), "req_test".to_owned(), None);
        spend().await.unwrap();
        world.clock.advance_seconds(1);
        spend().await.unwrap();
        let seconds = |seconds| Change { window_seconds: Some(seconds), ..Change::default() };
        change(&world, limit, seconds(3_600)).await.unwrap();
        assert_eq!(world.usage(limit).await, (0, 2));
        world.clock.advance_seconds(59);
        spend().await.unwrap();
        assert!(!decided(spend().await.map_err(|error| panic!("{error}"))).allowed());
        world.balanced().await;
    }

    async fn a_rate_counts_what_was_used_before_its_steps_got_longer(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(draft(LimitCategory::Rate, LimitType::RequestsTotal, 2)).await;
        let spend = || services::limits::check(&world.cx, world.check_request(1), "req_test".to_owned(), None);
        spend().await.unwrap();
        let seconds = |seconds| Change { window_seconds: Some(seconds), ..Change::default() };
        // A step is twelve hours long now, and began before that request.
        change(&world, limit, seconds(2_678_400)).await.unwrap();
        assert!(decided(spend().await.map_err(|error| panic!("{error}"))).allowed());
        assert!(!decided(spend().await.map_err(|error| panic!("{error}"))).allowed());
        world.balanced().await;
    }

    async fn a_rate_is_not_made_shorter_where_it_would_forget_what_was_used(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(draft(LimitCategory::Rate, LimitType::RequestsTotal, 3)).await;
        let seconds = |seconds| Change { window_seconds: Some(seconds), ..Change::default() };
        change(&world, limit, seconds(3_600)).await.unwrap();
        world.clock.advance_seconds(57);
        let spend = || services::limits::check(&world.cx, world.check_request(1), "req_test".to_owned(), None);
        spend().await.unwrap();
        world.clock.advance_seconds(8);
        let refused = change(&world, limit, seconds(60)).await;
        let Err(LimitError::Invalid(problems)) = refused else { panic!("{refused:?}") };
        assert_eq!(problems[0].field, "window_seconds");
        // When nothing of the longer step can count any more, it may.
        world.clock.advance_seconds(120);
        change(&world, limit, seconds(60)).await.unwrap();
        assert_eq!(world.usage(limit).await, (0, 0));
    }
}
