//! Does a row that cannot be read stop what is done for all the others?

use model::id::TenantId;
use model::incident::{GoingOn, Incident, IncidentState};
use model::limit::{Enforcement, LimitCategory, LimitType};
use model::page::PageRequest;
use model::run::Operation;
use model::window::ResetPeriod;
use serde_json::json;
use services::audit::Author;
use services::incidents::archive::archive_due;
use services::incidents::learnings::learnings;
use services::incidents::patterns::patterns;
use services::incidents::recurring::{Asked, recurring};
use services::incidents::{anomalies, breaches};
use services::limits::Written;
use services::owner::Owner;
use services::words::Draft;
use testkit::db::TestDb;
use testkit::governance::{TestIncident, add_incidents, incident, resolved};

use crate::books::draft;
use crate::gateway::chat;
use crate::harness::World;
use crate::incidents_archive::closes;

/// Past what guards a table.
fn by_hand(world: &World, statement: &str) {
    let is_sqlite = world.db.url().starts_with("sqlite");
    let past_the_guards = if is_sqlite {
        ""
    } else {
        "SET session_replication_role = replica; "
    };
    world.db.by_hand(&format!("{past_the_guards}{statement}"));
}

/// A tenant whose turn comes in another order than that of the world.
async fn rival(world: &World) -> TenantId {
    services::tenants::create(&world.cx, Author::system(), "rival")
        .await
        .unwrap()
        .id
}

fn names(items: &[Incident]) -> Vec<String> {
    let mut names: Vec<_> = items.iter().map(|one| one.id.to_string()).collect();
    names.sort();
    names
}

testkit::both_databases! {
    async fn the_others_are_archived(db: TestDb) {
        let world = World::new(db).await;
        let mut ids = Vec::new();
        for number in 1..=3 {
            let made = resolved(incident(world.tenant, number, world.now()), world.now());
            ids.push(made.id());
            add_incidents(&world.cx.db, vec![made]).await;
            closes(&world, ids[ids.len() - 1]).await;
        }
        ids.sort();
        for broken in [ids[0], ids[2]] {
            by_hand(&world, &format!("UPDATE incidents SET body = '{{}}' WHERE id = '{broken}'"));
        }
        world.clock.advance_seconds(91 * 86_400);
        assert_eq!(archive_due(&world.cx).await.unwrap(), 1);
        let whole = services::incidents::get(&world.cx, world.tenant, ids[1]).await.unwrap();
        assert_eq!(whole.state, IncidentState::Archived);
    }

    async fn the_others_are_listed(db: TestDb) {
        let world = World::new(db).await;
        let (tenant, cx) = (world.tenant, &world.cx);
        let made: Vec<_> = (1..=3).map(|number| incident(tenant, number, world.now())).collect();
        let mut whole: Vec<_> = made.iter().map(|one| one.id().to_string()).collect();
        whole.sort();
        let broken = whole.remove(1);
        add_incidents(&cx.db, made).await;
        by_hand(&world, &format!("UPDATE incidents SET body = '{{}}' WHERE id = '{broken}'"));
        let (mut listed, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = PageRequest { limit: 1, after };
            let page = services::incidents::list(cx, tenant, store::incidents::Listed::default(), page).await.unwrap();
            listed.extend(page.items);
            (after, pages) = (page.next, pages + 1);
            if after.is_none() {
                break;
            }
        }
        assert_eq!((names(&listed), pages), (whole.clone(), 3));
        let page = PageRequest { limit: 10, after: None };
        let visible = services::incidents::visible(cx, tenant, store::incidents::Shown::default(), page).await.unwrap();
        assert_eq!(names(&visible.items), whole);
        let rows = services::projections::Rows { limit: 2, offset: 0 };
        let table = services::projections::incidents::incidents(cx, tenant, store::incidents::Filter::default(), rows).await.unwrap();
        assert_eq!((table.total, table.has_more), (3, true), "what is there counts");
    }

    async fn the_others_are_compared(db: TestDb) {
        let world = World::new(db).await;
        let (tenant, cx) = (world.tenant, &world.cx);
        let alike = |number: u128| {
            let at = world.now().plus_seconds(i64::try_from(number).unwrap() - 100);
            crate::incidents_reads::of_failure(&world, number, ("timeout", "a"), at)
        };
        let made: Vec<_> = (1..=4).map(alike).collect();
        let ids: Vec<_> = made.iter().map(TestIncident::id).collect();
        add_incidents(&cx.db, made).await;
        assert!(!patterns(cx, tenant, 24, 10).await.unwrap().is_cut);
        by_hand(&world, &format!("UPDATE incidents SET signature_id = 'nonsense' WHERE id = '{}'", ids[2]));
        // The newest of its failure.
        by_hand(&world, &format!("UPDATE incidents SET body = '{{}}' WHERE id = '{}'", ids[3]));
        let found = patterns(cx, tenant, 24, 10).await.unwrap();
        assert_eq!((found.looked_at, found.is_cut), (3, true), "that one is missing is said");
        assert_eq!(found.failures.iter().map(|one| (one.incidents, one.latest.id)).collect::<Vec<_>>(), [(3, ids[1])]);
        let asked = Asked { days: 30, threshold: 2, most: 20 };
        let back = recurring(cx, tenant, asked).await.unwrap();
        assert_eq!((back.groups[0].total, back.is_cut), (3, true));
        let learned = learnings(cx, tenant, ids[0]).await.unwrap();
        assert_eq!(learned.similar.iter().map(|one| one.incident.id).collect::<Vec<_>>(), [ids[1]]);
        assert!(learned.is_cut);
    }

    async fn one_of_a_service_goes_on_whatever_its_id_is(db: TestDb) {
        let world = World::new(db).await;
        let tenant = world.tenant;
        let made: Vec<_> = (1..=2).map(|number| incident(tenant, number, world.now().plus_seconds(i64::try_from(number).unwrap()))).collect();
        let newest = made[1].id();
        add_incidents(&world.cx.db, made).await;
        let known = || world.cx.db.read(move |tx| store::incidents::of_service(tx, tenant, "llm"));
        assert_eq!(known().await.unwrap().active, GoingOn::Incident(newest));
        by_hand(&world, &format!("UPDATE incidents SET id = 'nonsense' WHERE id = '{newest}'"));
        assert_eq!(known().await.unwrap().active, GoingOn::Unreadable);
    }

    async fn the_messages_of_other_tenants_are_placed(db: TestDb) {
        let world = World::new(db).await;
        let (tenant, rival) = (world.tenant, rival(&world).await);
        for owner in [tenant, rival] {
            add_incidents(&world.cx.db, vec![incident(owner, 1, world.now())]).await;
        }
        let broken = tenant.min(rival);
        by_hand(&world, &format!("UPDATE outbox SET topic = 'nonsense' WHERE tenant_id = '{broken}'"));
        assert_eq!(services::outbox::place(&world.cx).await.unwrap(), 2);
        assert_eq!(services::outbox::place(&world.cx).await.unwrap(), 0);
    }

    async fn the_costs_of_other_tenants_are_looked_at(db: TestDb) {
        let world = World::new(db).await;
        let rival = rival(&world).await;
        // Those that came last are looked at first.
        assert!(rival > world.tenant);
        crate::incidents_anomalies::spends(&world, "ada", 10).await;
        let money = draft(LimitCategory::Budget, LimitType::CostUsd, 1);
        let rendered = |_: &Written| String::new();
        services::limits::create(&world.cx, Owner::Tenant(rival), Author::system(), money, None, rendered).await.unwrap();
        by_hand(&world, "UPDATE limits SET zone = 'Middle/Earth'");
        anomalies::detect_one(&world.cx, rival).await.unwrap_err();
        anomalies::detect_all(&world.cx).await.unwrap();
        let tenant = world.tenant;
        let summed = world.cx.db.read(move |tx| store::costs::days::summed(tx, tenant, 0)).await.unwrap();
        assert_eq!(summed.len(), 1);
    }

    async fn the_breaches_of_other_limits_are_looked_at(db: TestDb) {
        let world = World::new(db).await;
        let mut limits = Vec::new();
        for period in [ResetPeriod::Daily, ResetPeriod::Monthly] {
            let told = Draft {
                enforcement: Enforcement::Warn,
                reset_period: Some(period),
                ..draft(LimitCategory::Budget, LimitType::CostUsd, 1)
            };
            limits.push(world.limit(told).await);
        }
        world.call(Operation::Chat, &chat(&json!({}))).await;
        by_hand(&world, &format!("UPDATE limit_breaches SET decision_id = 'nonsense' WHERE limit_id = '{}'", limits[0]));
        for expected in [(1, 1), (0, 0)] {
            let made = breaches::explain_all(&world.cx).await.unwrap();
            assert_eq!((made.breaches, made.incidents), expected);
        }
    }
}
