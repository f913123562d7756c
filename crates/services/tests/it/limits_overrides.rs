//! Limits that are raised for a time, and what is written down of it.

use futures_util::future::join_all;
use model::audit::{AuditEvent, EntityType};
use model::decision::Outcome;
use model::digest::Digest;
use model::id::LimitId;
use model::integrity::{Integrity, IntegrityStatus};
use model::limit::LimitStatus;
use model::limit_override::{LimitOverride, OverrideStatus};
use model::page::PageRequest;
use services::audit::Author;
use services::limits::overrides::{self, OverrideError, Wish};
use services::limits::{Change, Done, LimitError, Owner};
use testkit::both_databases;
use testkit::db::TestDb;

use crate::books::decided;
use crate::harness::{USD, World};

fn wish(limit: LimitId, dollars: i64, hours: i64) -> Wish {
    Wish {
        limit,
        value: dollars * USD,
        hours,
        reason: "launch day of the new search".to_owned(),
        starts_at: None,
    }
}

fn ann() -> Author {
    Author::human("key_ann".to_owned())
}

async fn grant(world: &World, wish: Wish) -> Result<LimitOverride, OverrideError> {
    let owner = Owner::Tenant(world.tenant);
    match overrides::grant(&world.cx, owner, ann(), wish, None, |_| String::new()).await? {
        Done::Now(granted, _) => Ok(granted),
        Done::Before(_) => panic!("nothing was sent before"),
    }
}

async fn revoke(world: &World, of: &LimitOverride) -> Result<(), OverrideError> {
    let owner = Owner::Tenant(world.tenant);
    overrides::revoke(&world.cx, owner, ann(), of.id, None)
        .await
        .map(drop)
}

async fn spend(world: &World, dollars: i64) -> (Outcome, Vec<&'static str>) {
    let asked = world.check_request(dollars * USD);
    let answer = services::limits::check(&world.cx, asked, "req_test".to_owned(), None).await;
    let output = decided(answer.map_err(|error| panic!("{error}"))).output;
    let codes = output.warnings.iter().map(|report| report.message_code).collect();
    (output.outcome, codes)
}

async fn audited(world: &World, limit: LimitId) -> Vec<AuditEvent> {
    audited_of(world, Owner::Tenant(world.tenant), limit).await
}

async fn audited_of(world: &World, owner: Owner, limit: LimitId) -> Vec<AuditEvent> {
    let (tenant, filter) = (
        owner.id(),
        store::audit::Filter {
            entity_type: Some(EntityType::Limit),
            entity_id: Some(limit.to_string()),
            before: None,
        },
    );
    let list = world
        .cx
        .db
        .read(move |tx| store::audit::list(tx, tenant, &filter, 50))
        .await
        .unwrap();
    list.iter().rev().map(|placed| placed.entry.event).collect()
}

async fn told(world: &World, limit: LimitId) -> Vec<String> {
    let (tenant, id) = (world.tenant, limit.to_string());
    world
        .cx
        .db
        .read(move |tx| store::timeline::events_of(tx, tenant, &id))
        .await
        .unwrap()
}

both_databases! {
    async fn a_raise_lets_pass_what_the_limit_refuses_until_its_time_is_over(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.budget(50 * USD).await;
        assert_eq!(spend(&world, 45).await, (Outcome::Warn, vec!["LIMIT_APPROACHING"]));
        assert_eq!(spend(&world, 10).await.0, Outcome::Block);
        let granted = grant(&world, wish(limit, 100, 2)).await.unwrap();
        assert_eq!((granted.status, granted.original), (OverrideStatus::Active, 50 * USD));
        assert_eq!(spend(&world, 10).await, (Outcome::Warn, vec!["OVERRIDE_APPLIED"]));
        world.clock.advance_seconds(2 * 3_600);
        assert_eq!(spend(&world, 10).await, (Outcome::Block, vec!["OVERRIDE_EXPIRED"]));
        assert_eq!(overrides::expire(&world.cx).await.unwrap(), 1);
        assert_eq!(overrides::expire(&world.cx).await.unwrap(), 0);
        let seen = overrides::get(&world.cx, Owner::Tenant(world.tenant), granted.id).await.unwrap();
        assert_eq!(seen.status, OverrideStatus::Expired);
        assert_eq!(audited(&world, limit).await, [
            AuditEvent::LimitCreated, AuditEvent::LimitBreached, AuditEvent::LimitOverrideGranted, AuditEvent::LimitOverrideExpired,
        ]);
        assert_eq!(told(&world, limit).await, [
            "limit_created", "limit_breached", "limit_override_granted", "limit_breached", "limit_override_expired",
        ]);
        world.balanced().await;
    }

    async fn a_raise_that_is_taken_back_counts_no_more(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.budget(50 * USD).await;
        let granted = grant(&world, wish(limit, 100, 168)).await.unwrap();
        assert_eq!(spend(&world, 60).await.0, Outcome::Warn);
        revoke(&world, &granted).await.unwrap();
        assert_eq!(spend(&world, 1).await, (Outcome::Block, vec![]));
        let again = revoke(&world, &granted).await;
        assert!(matches!(again, Err(OverrideError::Ended(OverrideStatus::Cancelled))), "{again:?}");
        grant(&world, wish(limit, 70, 1)).await.unwrap();
        assert_eq!(spend(&world, 1).await.0, Outcome::Warn);
    }

    async fn a_scheduled_raise_begins_when_it_says(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.budget(50 * USD).await;
        let start = world.now().plus_seconds(3_600);
        let granted = grant(&world, Wish { starts_at: Some(start), ..wish(limit, 100, 1) }).await.unwrap();
        assert_eq!(granted.status, OverrideStatus::Approved);
        assert_eq!(spend(&world, 60).await.0, Outcome::Block);
        world.clock.advance_seconds(3_600);
        assert_eq!(spend(&world, 60).await.0, Outcome::Warn);
        let seen = overrides::get(&world.cx, Owner::Tenant(world.tenant), granted.id).await.unwrap();
        assert_eq!(seen.status, OverrideStatus::Active);
    }

    async fn a_limit_has_one_raise_at_a_time_and_an_owner_five(db: TestDb) {
        let world = World::new(db).await;
        let mut limits = Vec::new();
        for dollars in 1..=6 {
            let draft = crate::books::draft(model::limit::LimitCategory::Budget, model::limit::LimitType::CostUsd, dollars * USD);
            limits.push(world.limit(domain::limits::draft::Draft { model: Some(format!("m-{dollars}")), ..draft }).await);
        }
        for limit in &limits[..5] {
            grant(&world, wish(*limit, 100, 1)).await.unwrap();
        }
        let twice = grant(&world, wish(limits[0], 200, 1)).await;
        assert!(matches!(twice, Err(OverrideError::Exists(_))), "{twice:?}");
        let sixth = grant(&world, wish(limits[5], 100, 1)).await;
        assert!(matches!(sixth, Err(OverrideError::Quota)), "{sixth:?}");
        // What is over makes room, whether somebody has ended it or not.
        world.clock.advance_seconds(3_600);
        grant(&world, wish(limits[5], 100, 1)).await.unwrap();
        grant(&world, wish(limits[0], 100, 1)).await.unwrap();
        let page = |limit| PageRequest { limit, after: None };
        let owner = Owner::Tenant(world.tenant);
        let (all, more) = overrides::list(&world.cx, owner, None, page(3)).await.unwrap();
        assert_eq!((all.len(), more), (3, true));
        let (of_one, more) = overrides::list(&world.cx, owner, Some(limits[0]), page(10)).await.unwrap();
        assert_eq!((of_one.len(), more), (2, false));
        assert_eq!(of_one[1].status, OverrideStatus::Expired);
    }

    async fn a_raise_ends_with_the_limit_that_is_disabled_and_does_not_come_back_with_it(db: TestDb) {
        let world = World::new(db).await;
        let owner = Owner::Tenant(world.tenant);
        let limit = world.budget(50 * USD).await;
        let becomes = |status| {
            let change = Change { status: Some(status), ..Change::default() };
            services::limits::update(&world.cx, owner, ann(), (limit, change), None, |_| String::new())
        };
        let later = Wish { starts_at: Some(world.now().plus_seconds(60)), ..wish(limit, 100, 2) };
        for wish in [wish(limit, 100, 2), later] {
            let granted = grant(&world, wish).await.unwrap();
            becomes(LimitStatus::Disabled).await.unwrap();
            let seen = overrides::get(&world.cx, owner, granted.id).await.unwrap();
            assert_eq!((seen.status, seen.cancelled_by.as_deref(), seen.cancelled_at), (OverrideStatus::Cancelled, Some("key_ann"), Some(world.now())));
            world.clock.advance_seconds(60);
            becomes(LimitStatus::Active).await.unwrap();
            assert_eq!(spend(&world, 51).await.0, Outcome::Block);
        }
        assert_eq!(audited(&world, limit).await, [
            AuditEvent::LimitCreated,
            AuditEvent::LimitOverrideGranted, AuditEvent::LimitOverrideRevoked, AuditEvent::LimitDisabled, AuditEvent::LimitUpdated,
            AuditEvent::LimitBreached,
            AuditEvent::LimitOverrideGranted, AuditEvent::LimitOverrideRevoked, AuditEvent::LimitDisabled, AuditEvent::LimitUpdated,
        ]);
        // What was deleted makes room for others, also what went with its key.
        let mut limits = Vec::new();
        for number in 1..=6 {
            let of_model = domain::limits::draft::Draft {
                model: Some(format!("model-{number}")),
                api_key_id: (number == 2).then_some(world.key.key.id),
                ..crate::books::draft(model::limit::LimitCategory::Budget, model::limit::LimitType::CostUsd, 50 * USD)
            };
            limits.push(world.limit(of_model).await);
        }
        for limit in &limits[..5] {
            grant(&world, wish(*limit, 100, 168)).await.unwrap();
        }
        assert!(matches!(grant(&world, wish(limits[5], 100, 2)).await, Err(OverrideError::Quota)));
        services::limits::delete(&world.cx, owner, ann(), limits[0], None).await.unwrap();
        let granted = grant(&world, wish(limits[5], 100, 2)).await.unwrap();
        assert!(matches!(grant(&world, wish(limit, 100, 2)).await, Err(OverrideError::Quota)));
        services::keys::change(&world.cx, world.tenant, ann(), world.key.key.id, services::keys::KeyChange::Revoke).await.unwrap();
        grant(&world, wish(limit, 100, 2)).await.unwrap();
        assert_eq!(granted.status, OverrideStatus::Active);
        // One whose time was over before was not taken back.
        world.clock.advance_seconds(2 * 3_600);
        services::limits::delete(&world.cx, owner, ann(), limit, None).await.unwrap();
        let page = PageRequest { limit: 1, after: None };
        let (last, _) = overrides::list(&world.cx, owner, Some(limit), page).await.unwrap();
        assert_eq!(last[0].status, OverrideStatus::Expired);
    }

    async fn every_wrong_field_of_a_raise_is_named(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.budget(50 * USD).await;
        let fields = |refused: Result<LimitOverride, OverrideError>| match refused {
            Err(OverrideError::Invalid(problems)) => problems.iter().map(|problem| problem.field).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        let start = world.now().plus_seconds(-1);
        let wrong = Wish { reason: "too short".to_owned(), starts_at: Some(start), ..wish(limit, 50, 169) };
        assert_eq!(
            fields(grant(&world, wrong).await),
            ["override_value", "duration_hours", "reason", "scheduled_start"]
        );
        let unknown = wish(LimitId::from_bits(9), 100, 1);
        assert_eq!(fields(grant(&world, unknown).await), ["limit_id"]);
        let rival = services::tenants::create(&world.cx, Author::system(), "rival").await.unwrap().id;
        let foreign = overrides::grant(
            &world.cx, Owner::Tenant(rival), ann(), wish(limit, 100, 1), None, |_| String::new(),
        ).await;
        assert!(matches!(foreign, Err(OverrideError::Invalid(_))), "{foreign:?}");
    }

    async fn a_limit_that_does_not_match_its_history_is_found_and_cannot_be_built_on(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.budget(50 * USD).await;
        let check = || services::limits::integrity::check_all(&world.cx, -1);
        assert_eq!(check().await.unwrap(), (1, 0));
        let tenant = world.tenant;
        world.cx.db.write(move |tx| {
            let known = store::limits::found(tx, tenant, limit)?.unwrap();
            let other = Integrity { hash_root: Digest::ZERO, ..known.integrity };
            store::limits::record(tx, tenant, limit, &other, known.at)
        }).await.unwrap();
        assert_eq!(check().await.unwrap(), (1, 1));
        let found = world.cx.db.read(move |tx| store::limits::found(tx, tenant, limit)).await.unwrap().unwrap();
        assert_eq!(found.integrity.status, IntegrityStatus::Failed);
        assert_eq!(audited(&world, limit).await, [AuditEvent::LimitCreated, AuditEvent::IntegrityChanged]);
        let owner = Owner::Tenant(world.tenant);
        let change = |change| services::limits::update(&world.cx, owner, ann(), (limit, change), None, |_| String::new());
        let refused = change(Change { name: Some("new name".to_owned()), ..Change::default() }).await;
        assert!(matches!(refused, Err(LimitError::Tampered)), "{refused:?}");
        let raised = grant(&world, wish(limit, 100, 2)).await;
        assert!(matches!(raised, Err(OverrideError::Tampered)), "{raised:?}");
        let becomes = |status| change(Change { status: Some(status), ..Change::default() });
        becomes(LimitStatus::Disabled).await.unwrap();
        let again = becomes(LimitStatus::Active).await;
        assert!(matches!(again, Err(LimitError::Tampered)), "{again:?}");
        check().await.unwrap();
        let found = world.cx.db.read(move |tx| store::limits::found(tx, tenant, limit)).await.unwrap().unwrap();
        assert_eq!(found.integrity.status, IntegrityStatus::Failed, "disabling it has mended nothing");
    }

    async fn of_many_that_raise_limits_at_once_as_many_do_as_there_may_be(db: TestDb) {
        let world = World::new(db).await;
        let mut limits = Vec::new();
        for number in 1..=8 {
            let of_model = domain::limits::draft::Draft {
                model: Some(format!("model-{number}")),
                ..crate::books::draft(model::limit::LimitCategory::Budget, model::limit::LimitType::CostUsd, 50 * USD)
            };
            limits.push(world.limit(of_model).await);
        }
        let granted = join_all(limits.iter().map(|limit| grant(&world, wish(*limit, 100, 2)))).await;
        let refused = granted.iter().filter(|one| matches!(one, Err(OverrideError::Quota))).count();
        assert_eq!((granted.len() - refused, refused), (overrides::ACTIVE_MAX, 3), "{granted:?}");
    }

    async fn a_raise_of_a_global_limit_counts_for_every_tenant_and_stands_in_the_ledger_of_the_platform(db: TestDb) {
        let world = World::new(db).await;
        let of_all = domain::limits::draft::Draft {
            scope: model::limit::LimitScope::Global,
            ..crate::books::draft(model::limit::LimitCategory::Budget, model::limit::LimitType::CostUsd, 50 * USD)
        };
        let made = services::limits::create(&world.cx, Owner::Platform, ann(), of_all, None, |_| String::new()).await;
        let Ok(Done::Now(limit, _)) = made else { panic!("no limit: {made:?}") };
        assert_eq!(spend(&world, 60).await.0, Outcome::Block);
        assert!(matches!(grant(&world, wish(limit.id, 100, 2)).await, Err(OverrideError::Invalid(_))), "no tenant may");
        let done = overrides::grant(&world.cx, Owner::Platform, ann(), wish(limit.id, 100, 2), None, |_| String::new()).await;
        let Ok(Done::Now(granted, _)) = done else { panic!("no override: {done:?}") };
        assert_eq!(spend(&world, 60).await, (Outcome::Warn, vec!["OVERRIDE_APPLIED"]));
        assert!(matches!(revoke(&world, &granted).await, Err(OverrideError::NotFound)), "no tenant may");
        world.clock.advance_seconds(2 * 3_600);
        assert_eq!(spend(&world, 1).await.0, Outcome::Block);
        assert_eq!(overrides::expire(&world.cx).await.unwrap(), 1);
        assert_eq!(audited_of(&world, Owner::Platform, limit.id).await, [
            AuditEvent::LimitCreated, AuditEvent::LimitOverrideGranted, AuditEvent::LimitOverrideExpired,
        ]);
        assert_eq!(audited(&world, limit.id).await, [AuditEvent::LimitBreached], "the tenant's own, and once a day");
        world.balanced().await;
    }
}
