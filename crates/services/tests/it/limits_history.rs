//! What would a limit have done to the runs on record?

use domain::limits::draft::Draft;
use domain::limits::history::Tally;
use model::id::{KeyId, RunId};
use model::limit::{LimitCategory, LimitScope, LimitType};
use model::money::NanoUsd;
use model::run::{Operation, Run};
use serde_json::json;
use services::history::{RUNS_MAX, Stretch};
use services::limits::{LimitError, Simulated, simulate_history};
use testkit::both_databases;
use testkit::db::TestDb;
use testkit::history::{Spent, a_spreadsheet, add_runs, refused, run};

use crate::books::draft;
use crate::harness::{USD, World, tenant};

fn daily(max: i64) -> Draft {
    draft(LimitCategory::Budget, LimitType::CostUsd, max)
}

async fn tried(world: &World, draft: Draft, days: i64) -> Simulated {
    simulate_history(&world.cx, draft, Stretch::of(world.tenant, days))
        .await
        .unwrap()
}

fn hits(found: &Simulated) -> Option<(u128, u128)> {
    let (first, last) = found.report.hits?;
    Some((first.run.bits(), last.run.bits()))
}

both_databases! {
    async fn a_draft_refuses_what_the_spreadsheet_says(db: TestDb) {
        let world = World::new(db).await;
        let mut runs = a_spreadsheet(world.tenant, USD);
        // What another tenant spends, what was refused, and what is too long ago does not count.
        let (other, ..) = tenant(&world.cx, "other", None).await;
        let theirs = a_spreadsheet(other, USD).into_iter();
        runs.extend(theirs.map(|run| Run { id: RunId::from_bits(run.id.bits() + 100), ..run }));
        runs.push(refused(run(world.tenant, 90, Spent { asked: 500 * USD, ..spent(&world, -60) })));
        runs.push(run(world.tenant, 91, Spent { cost: 90 * USD, ..spent(&world, -3 * 86_400) }));
        add_runs(&world.cx.db, runs).await;
        let found = tried(&world, daily(100 * USD), 3).await;
        assert_eq!(found.span.from, "2026-11-19T00:00:00Z".parse().unwrap());
        assert_eq!((found.span.until, found.span.cut_at), (world.now(), None));
        let report = &found.report;
        assert_eq!((report.looked_at, report.applied_to, report.refused_before), (8, 7, 1));
        let blocked = Tally { runs: 2, cost: NanoUsd(8 * USD), input_tokens: 100, output_tokens: 40 };
        assert_eq!(report.blocked, blocked);
        assert_eq!(hits(&found), Some((3, 6)));
        assert_eq!(report.peak.unwrap().value, 110 * USD);
        let days: Vec<_> = report.days.values().map(|day| (day.looked_at, day.blocked.runs)).collect();
        assert_eq!(days, [(0, 0), (4, 1), (4, 1)]);
        // Of today alone.
        let today = tried(&world, daily(100 * USD), 1).await;
        assert_eq!((today.report.looked_at, hits(&today)), (4, Some((6, 6))));
        // Nothing was written by looking.
        assert!(services::limits::usage(&world.cx, world.tenant).await.unwrap().is_empty());
    }

    async fn of_too_many_runs_the_latest_are_looked_at(db: TestDb) {
        let world = World::new(db).await;
        // Two start at the same instant: the cut is between them.
        let mut runs: Vec<_> = (1..=2_100_i64)
            .map(|number| {
                let at = Spent { asked: 1, cost: 1, ..spent(&world, number * 20 - 42_000) };
                run(world.tenant, u128::try_from(number).unwrap(), at)
            })
            .collect();
        runs[1_099].started_at = runs[1_100].started_at;
        add_runs(&world.cx.db, runs).await;
        let few = Stretch { most: 1_000, ..Stretch::of(world.tenant, 30) };
        let found = simulate_history(&world.cx, daily(1), few).await.unwrap();
        assert_eq!(found.report.looked_at, 1_000);
        // One fits on each day, and the latest thousand are of one day.
        assert_eq!((found.report.blocked.runs, hits(&found)), (999, Some((1_102, 2_100))));
        assert_eq!(found.span.cut_at, Some(world.now().plus_seconds(1_101 * 20 - 42_000)));
        let exact = Stretch { most: 2_100, ..few };
        let found = simulate_history(&world.cx, daily(1), exact).await.unwrap();
        assert_eq!((found.report.looked_at, found.span.cut_at), (2_100, None));
        // A page more than fits into one read.
        let all = tried(&world, daily(1), 30).await;
        assert_eq!((all.report.looked_at, all.report.days.len()), (2_100, 30));
        assert_eq!(Stretch::of(world.tenant, 30).most, RUNS_MAX);
    }

    async fn what_a_limit_did_in_life_is_what_it_would_have_done(db: TestDb) {
        let mut world = World::new(db).await;
        let body = json!({ "model": "gpt-4o-mini", "max_tokens": 400, "messages": [{ "role": "user", "content": "x" }] });
        let one = world.call(Operation::Chat, &body).await;
        let asked = world.run(one.run).await.estimated.cost.0;
        for _ in 0..9 {
            world.clock.advance_seconds(1);
            world.call(Operation::Chat, &body).await;
        }
        // Room for four that have ended, and a fifth that asks.
        let used = one.cost.unwrap().0;
        let max = 4 * used + asked;
        let found = tried(&world, daily(max), 1).await;
        assert_eq!(found.report.applied_to, 10);
        (world.tenant, world.key, world.secret) = tenant(&world.cx, "lived", None).await;
        world.budget(max).await;
        let mut refused = 0;
        for _ in 0..10 {
            world.clock.advance_seconds(1);
            refused += i64::from(world.serve(Operation::Chat, &body).await.is_err());
        }
        assert!(refused > 0);
        assert_eq!(found.report.blocked.runs, refused);
    }

    async fn nothing_comes_of_no_runs(db: TestDb) {
        let world = World::new(db).await;
        let found = tried(&world, daily(1), 30).await;
        assert_eq!((found.report.looked_at, found.report.peak, hits(&found)), (0, None, None));
        assert_eq!(found.report.days.len(), 30);
    }

    async fn of_several_at_once_the_first_two_are_gone_through(db: TestDb) {
        let world = World::new(db).await;
        let mut runs = a_spreadsheet(world.tenant, USD);
        runs.truncate(3);
        add_runs(&world.cx.db, runs).await;
        let tried = || simulate_history(&world.cx, daily(1), Stretch::of(world.tenant, 30));
        // Each begins before any of them can end.
        let (first, second, third) = tokio::join!(tried(), tried(), tried());
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(third, Err(LimitError::Busy)), "{third:?}");
        // Those that have ended make room, and so does one that nobody waits for any more.
        tokio::select! {
            biased;
            ended = tried() => panic!("it has not even begun: {ended:?}"),
            () = std::future::ready(()) => {}
        }
        let seat = || services::history::seat(&world.cx, world.tenant);
        let (one, two, three) = (seat(), seat(), seat());
        assert!(one.is_some() && two.is_some() && three.is_none());
    }

    async fn a_draft_that_could_not_be_made_cannot_be_tried(db: TestDb) {
        let world = World::new(db).await;
        let stretch = Stretch::of(world.tenant, 1);
        let refused = async |draft| simulate_history(&world.cx, draft, stretch).await.unwrap_err();
        assert!(matches!(refused(daily(0)).await, LimitError::Invalid(_)));
        let global = Draft { scope: LimitScope::Global, ..daily(1) };
        assert!(matches!(refused(global).await, LimitError::Scope));
        let foreign = Draft { api_key_id: Some(KeyId::from_bits(7)), ..daily(1) };
        assert!(matches!(refused(foreign).await, LimitError::Invalid(_)));
    }
}

/// A run that started so many seconds from now.
fn spent(world: &World, seconds: i64) -> Spent {
    Spent {
        at: world.now().plus_seconds(seconds),
        lasted_ms: 1_000,
        asked: USD,
        cost: USD,
    }
}
