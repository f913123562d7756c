//! What would a Policy Rule have done to the runs on record?

use domain::policy::backtest::NotOnRecord;
use model::id::{ProposalId, RunId};
use model::money::NanoUsd;
use model::policy::{Definition, EnforcementMode};
use model::run::{Operation, Run};
use serde_json::json;
use services::audit::Author;
use services::gateway::GatewayError;
use services::history::Stretch;
use services::owner::Owner;
use services::policies::{Backtested, PolicyError, backtest};
use services::proposals::ProposalError;
use testkit::both_databases;
use testkit::db::TestDb;
use testkit::governance::rule;
use testkit::history::{Spent, a_spreadsheet, add_runs, failed, refused, run};

use crate::harness::{USD, World};

fn definition(world: &World, mode: EnforcementMode, condition: &str) -> Definition {
    Definition {
        condition: Some(condition.to_owned()),
        mode,
        ..rule(world.tenant, 1, world.now()).definition
    }
}

async fn tried(world: &World, condition: &str, days: i64) -> Backtested {
    let draft = definition(world, EnforcementMode::Block, condition);
    backtest(&world.cx, draft, Stretch::of(world.tenant, days))
        .await
        .unwrap()
}

fn marks(found: &Backtested) -> Vec<u128> {
    let examples = found.report.examples.iter();
    examples.map(|example| example.mark.run.bits()).collect()
}

/// A run that started so many minutes ago, and took half a minute.
fn ago(world: &World, number: u128, minutes: i64) -> Run {
    let spent = Spent {
        at: world.now().plus_seconds(-minutes * 60),
        lasted_ms: 30_000,
        asked: USD,
        cost: USD,
    };
    run(world.tenant, number, spent)
}

both_databases! {
    async fn a_draft_meets_what_the_spreadsheet_says(db: TestDb) {
        let world = World::new(db).await;
        let mut runs = a_spreadsheet(world.tenant, USD);
        // More than 50 USD were asked for by 1, 2 and 5, of which 2 failed; and by one that was refused.
        runs[1] = failed(runs[1].clone(), "upstream_timeout");
        runs.push(refused(Run { id: RunId::from_bits(90), ..runs[0].clone() }));
        add_runs(&world.cx.db, runs).await;
        let found = tried(&world, "estimate.cost_usd > 50", 3).await;
        let report = &found.report;
        assert_eq!((report.looked_at, report.matched, report.refused_before), (8, 4, 1));
        let blocked = report.blocked;
        assert_eq!((blocked.all.runs, blocked.succeeded, blocked.failed), (3, 2, 1));
        assert_eq!(blocked.all.cost, NanoUsd(110 * USD));
        assert_eq!(marks(&found), [1, 90, 2, 5]);
        let days: Vec<_> = report.days.values().map(|day| (day.looked_at, day.matched, day.blocked.all.runs)).collect();
        assert_eq!(days, [(0, 0, 0), (5, 3, 2), (3, 1, 1)]);
        let morning = tried(&world, "time.hour == 9 && time.weekday == 5", 3).await;
        assert_eq!(morning.report.matched, 5);
        // Looking has recorded nothing.
        let matched = world.events(model::event::OpsEventType::PolicyBlocked).await;
        assert_eq!(matched, 0);
    }

    async fn failures_from_before_the_days_are_on_record(db: TestDb) {
        let world = World::new(db).await;
        let day = 24 * 60;
        let timeout = |run: Run| failed(run, "upstream_timeout");
        add_runs(&world.cx.db, vec![
            timeout(ago(&world, 1, 5 * day)),
            timeout(ago(&world, 2, 4 * day)),
            // Of another look.
            Run { tools: vec!["shell".to_owned()], ..timeout(ago(&world, 3, 3 * day)) },
            ago(&world, 4, 60),
            timeout(ago(&world, 5, 50)),
            ago(&world, 6, 40),
        ]).await;
        let count = async |count: i64| marks(&tried(&world, &format!("failure.count == {count}"), 1).await);
        assert_eq!((count(2).await, count(3).await), (vec![4, 5], vec![6]));
        let code = tried(&world, "failure.code == 'EXECUTION_TIMEOUT'", 1).await;
        assert_eq!(marks(&code), [4, 5, 6]);
        // Over more days, they are in the history themselves.
        let all = tried(&world, "failure.count == 0", 30).await;
        assert_eq!(marks(&all), [1, 3]);
    }

    async fn what_a_rule_did_in_life_is_what_it_would_have_done(db: TestDb) {
        let world = World::new(db).await;
        let body = |tokens: i64| json!({ "model": "gpt-4o-mini", "max_tokens": tokens, "messages": [{ "role": "user", "content": "x" }] });
        for tokens in [10, 200, 400, 300, 20] {
            world.clock.advance_seconds(1);
            world.call(Operation::Chat, &body(tokens)).await;
        }
        let condition = "estimate.output_tokens > 200 && run.provider == 'openai' && estimate.cost_usd < 1";
        let found = tried(&world, condition, 1).await;
        assert_eq!((found.report.looked_at, found.report.blocked.all.runs), (5, 2));
        let draft = definition(&world, EnforcementMode::Block, condition);
        let owner = Owner::Tenant(world.tenant);
        services::policies::create(&world.cx, owner, Author::system(), draft, None, |_| String::new()).await.unwrap();
        let mut refused = 0;
        for tokens in [10, 200, 400, 300, 20] {
            world.clock.advance_seconds(1);
            match world.serve(Operation::Chat, &body(tokens)).await {
                Err(GatewayError::Forbidden(_)) => refused += 1,
                other => drop(other.unwrap()),
            }
        }
        assert_eq!(refused, 2);
        // What was refused in life is met again, and costs nothing.
        let again = tried(&world, condition, 1).await.report;
        assert_eq!((again.matched, again.refused_before, again.blocked.all.runs), (4, 2, 2));
    }

    async fn of_too_many_runs_the_latest_are_judged(db: TestDb) {
        let world = World::new(db).await;
        let runs = (1..=1_203).map(|number| ago(&world, number, 1_300 - i64::try_from(number).unwrap()));
        add_runs(&world.cx.db, runs.collect()).await;
        let few = Stretch { most: 1_001, ..Stretch::of(world.tenant, 30) };
        let draft = definition(&world, EnforcementMode::Log, "!failure.known");
        let found = backtest(&world.cx, draft, few).await.unwrap();
        assert_eq!((found.report.looked_at, found.report.matched), (1_001, 1_001));
        assert_eq!(found.report.hits.map(|(first, _)| first.run.bits()), Some(203));
        assert_eq!((found.report.blocked.all.runs, found.report.examples.len()), (0, 20));
        assert_eq!(found.span.cut_at, Some(ago(&world, 202, 1_098).started_at));
    }

    async fn what_is_not_on_record_cannot_be_tried(db: TestDb) {
        let world = World::new(db).await;
        let stretch = Stretch::of(world.tenant, 1);
        let contents = definition(&world, EnforcementMode::Block, "findings.pii.count > 0");
        let refused = backtest(&world.cx, contents, stretch).await;
        assert!(matches!(refused, Err(PolicyError::NotOnRecord(NotOnRecord::Contents))), "{refused:?}");
        let wrong = definition(&world, EnforcementMode::Block, "run.modle == 'a'");
        assert!(matches!(backtest(&world.cx, wrong, stretch).await, Err(PolicyError::Invalid(_))));
        let unknown = services::proposals::backtest(&world.cx, ProposalId::from_bits(9), stretch).await;
        assert!(matches!(unknown, Err(ProposalError::NotFound)));
        let nothing = tried(&world, "run.stream || !run.stream", 30).await.report;
        assert_eq!((nothing.looked_at, nothing.hits, nothing.days.len()), (0, None, 30));
    }
}
