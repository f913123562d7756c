//! Are costs found that are not usual, along days that were added up once, and by whichever process looks first?

use std::sync::Arc;

use model::anomaly::{Anomaly, AnomalyEntity, AnomalyType, DerivedCause};
use model::cost::{CostRecord, CostSource, TokenUsage};
use model::hold::Subject;
use model::id::{CostId, HoldId};
use model::incident::{CauseType, IncidentCategory, IncidentState};
use model::money::NanoUsd;
use services::incidents::anomalies::{Found, detect_all};
use store::costs::{anomalies, days};
use testkit::db::TestDb;

use crate::harness::World;
use crate::incidents::timeline;

const DAY: u32 = 86_400;

/// Somebody spends so many dollars now.
pub(crate) async fn spends(world: &World, user: &str, dollars: i64) {
    spends_again(world, (user, false), dollars).await;
}

/// The same, and says whether it was tried before.
async fn spends_again(world: &World, (user, is_retry): (&str, bool), dollars: i64) {
    let record = CostRecord {
        id: CostId::generate(world.cx.ids.as_ref()),
        tenant: world.tenant,
        run: None,
        hold: HoldId::generate(world.cx.ids.as_ref()),
        subject: Arc::new(Subject {
            end_user: Some(user.to_owned()),
            ..Subject::default()
        }),
        model: None,
        usage: TokenUsage::default(),
        cost: NanoUsd(dollars * NanoUsd::PER_USD),
        price_version: None,
        source: CostSource::Sdk,
        created_at: world.now(),
        is_retry,
    };
    let insert = move |tx: &mut store::LockTx<'_>| store::costs::insert(tx, std::slice::from_ref(&record));
    world.cx.db.locked(insert).await.unwrap();
}

async fn all(world: &World) -> Vec<Anomaly> {
    let tenant = world.tenant;
    world
        .cx
        .db
        .read(move |tx| anomalies::since(tx, tenant, 0, 50))
        .await
        .unwrap()
}

testkit::both_databases! {
    async fn of_a_tenant_that_spends_nothing_nothing_is_written(db: TestDb) {
        let world = World::new(db).await;
        let tenant = world.tenant;
        let summed = || world.cx.db.read(move |tx| days::summed(tx, tenant, 0));
        assert_eq!(detect_all(&world.cx).await.unwrap(), Found::default());
        assert_eq!(summed().await.unwrap(), []);
        spends(&world, "ada", 10).await;
        world.clock.advance_seconds(2 * DAY);
        detect_all(&world.cx).await.unwrap();
        let first = world.now().day() - 2;
        let summed: Vec<_> = summed().await.unwrap().into_iter().map(|(day, _)| day).collect();
        assert_eq!(summed, [first, first + 1, first + 2], "from the first day on that cost something");
    }

    async fn a_user_that_spends_twice_as_much_on_two_days_is_found_and_opens_an_incident(db: TestDb) {
        let world = World::new(db).await;
        for _ in 0..14 {
            spends(&world, "ada", 10).await;
            spends(&world, "bob", 90).await;
            world.clock.advance_seconds(DAY);
        }
        spends(&world, "ada", 20).await;
        spends(&world, "bob", 90).await;
        assert_eq!(detect_all(&world.cx).await.unwrap(), Found::default(), "one day is none");
        world.clock.advance_seconds(DAY);
        spends(&world, "ada", 30).await;
        spends(&world, "bob", 90).await;
        assert_eq!(detect_all(&world.cx).await.unwrap(), Found { anomalies: 1, incidents: 1, again: 0 });
        let [found] = <[_; 1]>::try_from(all(&world).await).unwrap();
        let (of, finding) = (found.incident.unwrap(), &found.finding);
        assert_eq!((finding.anomaly_type, finding.entity, finding.entity_id.as_str()), (AnomalyType::AbsoluteSpike, AnomalyEntity::User, "ada"));
        // The baseline leaves yesterday out: the days before cost 10 each.
        assert_eq!((finding.deviation_pct, finding.days, finding.expected), (200, 2, NanoUsd(10 * NanoUsd::PER_USD)));
        let incident = services::incidents::get(&world.cx, world.tenant, of).await.unwrap();
        assert_eq!((incident.state, incident.creation.cause_type), (IncidentState::Open, CauseType::System));
        assert_eq!((incident.creation.category, incident.creation.error_code.as_deref()), (IncidentCategory::CostAnomaly, Some("ABSOLUTE_SPIKE")));
        assert_eq!(timeline(&world, found.id.to_string()).await, ["anomaly_detected"]);
        // What is spent meanwhile changes the figures of the same anomaly.
        spends(&world, "ada", 10).await;
        world.clock.advance_seconds(60);
        assert_eq!(detect_all(&world.cx).await.unwrap(), Found::default());
        let [again] = <[_; 1]>::try_from(all(&world).await).unwrap();
        assert_eq!((again.id, again.incident, again.finding.deviation_pct), (found.id, Some(of), 300));
        assert_eq!(services::incidents::anomalies::of_incident(&world.cx, world.tenant, of).await.unwrap(), [again]);
        let one = services::incidents::replay::one(&world.cx, world.tenant, of).await.unwrap();
        assert_eq!(one.replay.violations, []);
    }

    async fn a_loop_of_retries_is_said_to_be_the_cause(db: TestDb) {
        let world = World::new(db).await;
        // Of ten that are sent in a day so many were tried before.
        let day = async |retries: usize, dollars: i64| {
            for nth in 0..10 {
                spends_again(&world, ("ada", nth < retries), dollars).await;
            }
        };
        for _ in 0..14 {
            day(1, 1).await;
            world.clock.advance_seconds(DAY);
        }
        day(4, 2).await;
        world.clock.advance_seconds(DAY);
        day(7, 2).await;
        detect_all(&world.cx).await.unwrap();
        let causes: Vec<_> = all(&world).await.into_iter().map(|it| it.finding.derived_cause).collect();
        assert_eq!(causes, [Some(DerivedCause::RetryLoop); 2], "the user's, and with it the tenant's");
    }

    async fn days_that_are_done_are_added_up_once_and_today_each_time(db: TestDb) {
        let world = World::new(db).await;
        spends(&world, "ada", 1).await;
        world.clock.advance_seconds(40 * DAY);
        spends(&world, "ada", 1).await;
        detect_all(&world.cx).await.unwrap();
        let (tenant, today) = (world.tenant, world.now().day());
        let summed = || async {
            let (all, at) = world.cx.db.read(move |tx| Ok::<_, store::StoreError>((days::since(tx, tenant, today)?, days::summed(tx, tenant, 0)?))).await.unwrap();
            (all.iter().map(|it| (it.entity, it.cost.0 / NanoUsd::PER_USD)).collect::<Vec<_>>(), at)
        };
        let (first, at) = summed().await;
        assert_eq!(first, [(AnomalyEntity::Tenant, 1), (AnomalyEntity::User, 1)]);
        assert_eq!(at.len(), 41, "forty days before, and today");
        spends(&world, "ada", 1).await;
        world.clock.advance_seconds(60);
        detect_all(&world.cx).await.unwrap();
        let (second, later) = summed().await;
        assert_eq!(second, [(AnomalyEntity::Tenant, 2), (AnomalyEntity::User, 2)]);
        let moved: Vec<_> = at.iter().zip(&later).filter(|(before, after)| before != after).collect();
        let yesterday_may_move = usize::from(world.now().as_micros() % (i64::from(DAY) * 1_000_000) < 3_600_000_000);
        assert_eq!(moved.len(), 1 + yesterday_may_move, "{moved:?}");
    }

    async fn two_processes_that_look_at_once_find_it_once(db: TestDb) {
        let world = World::new(db).await;
        for _ in 0..14 {
            spends(&world, "ada", 10).await;
            world.clock.advance_seconds(DAY);
        }
        spends(&world, "ada", 30).await;
        world.clock.advance_seconds(DAY);
        spends(&world, "ada", 30).await;
        let (one, other) = (world.cx.clone(), world.cx.clone());
        let (one, other) = tokio::join!(detect_all(&one), detect_all(&other));
        let (one, other) = (one.unwrap(), other.unwrap());
        let found = all(&world).await;
        assert_eq!(found.len(), 2, "the user's, and with it the tenant's: {found:?}");
        assert_eq!(one.anomalies + other.anomalies, u64::try_from(found.len()).unwrap(), "{found:?}");
        assert_eq!(one.incidents + other.incidents, u64::try_from(found.len()).unwrap(), "{found:?}");
    }
}
