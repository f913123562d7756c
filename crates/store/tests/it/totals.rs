//! Are the sums that the console's tables are told the rows that there are?

use std::path::Path;

use model::incident::{CauseType, IncidentCategory};
use model::limit::{Enforcement, Limit, LimitCategory, LimitStatus};
use model::policy::{Definition, EnforcementMode, Retirement, Rule, RuleScope, RuleSource, RuleStatus};
use model::severity::Severity;
use store::policy_rules::{self as rules, Change, Shown};
use store::{incidents, limits};
use testkit::db::TestDb;
use testkit::governance;

use crate::policies::{incident, rule};
use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_acme, at, limit};
use crate::support::settings;

const NOBODY: Change<'_> = Change {
    by: None,
    reason: None,
};

/// The sum, which is to be what counting says: with a time that all rows are after, they are counted.
async fn of_incidents(db: &TestDb, filter: &incidents::Filter) -> i64 {
    let counted = incidents::Filter {
        created_after: Some(at(0)),
        ..filter.clone()
    };
    let (filter, pages) = (filter.clone(), (100, 0));
    let (rows, summed) = db
        .read(move |tx| incidents::page(tx, ACME, &filter, pages))
        .await
        .unwrap();
    let (_, counted) = db
        .read(move |tx| incidents::page(tx, ACME, &counted, pages))
        .await
        .unwrap();
    assert_eq!((summed, summed), (counted, i64::try_from(rows.len()).unwrap()));
    summed
}

async fn of_rules(db: &TestDb, shown: &Shown) -> i64 {
    let counted = Shown {
        created_after: Some(at(0)),
        ..shown.clone()
    };
    let (shown, piece) = (shown.clone(), (100, 0));
    let of = (ACME, ACME);
    let (rows, summed) = db
        .read(move |tx| rules::shown(tx, of, &shown, at(0), piece))
        .await
        .unwrap();
    let (_, counted) = db
        .read(move |tx| rules::shown(tx, of, &counted, at(0), piece))
        .await
        .unwrap();
    assert_eq!((summed, summed), (counted, i64::try_from(rows.len()).unwrap()));
    summed
}

async fn of_limits(db: &TestDb, shown: &limits::Shown) -> i64 {
    let counted = limits::Shown {
        created_after: Some(at(0)),
        ..shown.clone()
    };
    let (shown, piece) = (shown.clone(), (100, 0));
    let of = (ACME, ACME);
    let (rows, summed) = db
        .read(move |tx| limits::shown(tx, of, &shown, at(0), piece))
        .await
        .unwrap();
    let (_, counted) = db
        .read(move |tx| limits::shown(tx, of, &counted, at(0), piece))
        .await
        .unwrap();
    assert_eq!((summed, summed), (counted, i64::try_from(rows.len()).unwrap()));
    summed
}

testkit::both_databases! {
    async fn the_totals_of_incidents_follow_every_change(db: TestDb) {
        add_acme(&db).await;
        let mut severe = incident(4);
        severe.creation.severity = Severity::Sev1;
        let worst = severe.clone();
        let new = [incident(1), incident(2), governance::resolved(incident(3), at(6)), severe];
        db.write(move |tx| new.iter().try_for_each(|one| incidents::append(tx, &one.history()))).await.unwrap();
        let of = |is_over| incidents::Filter { is_over, ..Default::default() };
        let severe = |is_over| incidents::Filter { severity: Some(Severity::Sev1), ..of(is_over) };
        assert_eq!((of_incidents(&db, &of(false)).await, of_incidents(&db, &of(true)).await), (3, 1));
        assert_eq!(of_incidents(&db, &severe(false)).await, 1);
        // Two of them are over as well.
        for done in [incident(2), worst] {
            let before = done.history().len();
            let over = governance::resolved(done, at(9)).history().split_off(before);
            db.write(move |tx| incidents::append(tx, &over)).await.unwrap();
        }
        assert_eq!((of_incidents(&db, &of(false)).await, of_incidents(&db, &of(true)).await), (1, 3));
        assert_eq!((of_incidents(&db, &severe(false)).await, of_incidents(&db, &severe(true)).await), (0, 1));
        for category in [IncidentCategory::ExecutionFailure.as_str(), "NOTHING_HAS_IT"] {
            for cause in [CauseType::LlmRun, CauseType::System] {
                let narrow = incidents::Filter { category: Some(category.to_owned()), cause_type: Some(cause), ..of(false) };
                of_incidents(&db, &narrow).await;
            }
        }
        let twice = db.write(move |tx| incidents::append(tx, &incident(1).history())).await;
        assert!(twice.is_err());
        assert_eq!(of_incidents(&db, &of(false)).await, 1, "what came to nothing is not counted");
    }

    async fn the_totals_of_limits_follow_every_change(db: TestDb) {
        add_acme(&db).await;
        let made: Vec<_> = (1..=3).map(limit).collect();
        db.write(move |tx| made.iter().try_for_each(|one| limits::insert(tx, one))).await.unwrap();
        let of = |status, enforcement| limits::Shown {
            category: LimitCategory::Budget, status, scope: None, enforcement, created_after: None, created_before: None,
        };
        assert_eq!(of_limits(&db, &of(LimitStatus::Active, None)).await, 3);
        let warns = Limit { enforcement: Enforcement::Warn, ..limit(1) };
        let disabled = Limit { status: LimitStatus::Disabled, ..limit(2) };
        db.write(move |tx| {
            limits::update(tx, &warns)?;
            limits::update(tx, &disabled)
        }).await.unwrap();
        assert_eq!(of_limits(&db, &of(LimitStatus::Active, None)).await, 2);
        assert_eq!(of_limits(&db, &of(LimitStatus::Active, Some(Enforcement::Warn))).await, 1);
        assert_eq!(of_limits(&db, &of(LimitStatus::Disabled, None)).await, 1);
    }

    async fn the_totals_of_rules_follow_every_change(db: TestDb) {
        add_acme(&db).await;
        let made: Vec<Rule> = (1..=3).map(rule).collect();
        db.write(move |tx| made.iter().try_for_each(|one| rules::insert(tx, one, NOBODY))).await.unwrap();
        let of = |status, mode| Shown { status, mode, scope: None, source: None, created_after: None, created_before: None };
        assert_eq!(of_rules(&db, &of(RuleStatus::Active, None)).await, 3);
        let mut warns = Rule {
            version: 2,
            definition: Definition { mode: EnforcementMode::Warn, ..rule(1).definition },
            ..rule(1)
        };
        warns.hash = warns.hash_after(rule(1).hash);
        let mut retired = Rule {
            version: 2,
            status: RuleStatus::Retired,
            retirement: Some(Retirement { at: at(5), by: "key_1".to_owned(), reason: "tried".to_owned(), superseded_by: None }),
            ..rule(2)
        };
        retired.hash = retired.hash_after(rule(2).hash);
        db.write(move |tx| {
            rules::update(tx, &warns, NOBODY)?;
            rules::update(tx, &retired, NOBODY)
        }).await.unwrap();
        assert_eq!(of_rules(&db, &of(RuleStatus::Active, None)).await, 2);
        assert_eq!(of_rules(&db, &of(RuleStatus::Active, Some(EnforcementMode::Warn))).await, 1);
        assert_eq!(of_rules(&db, &of(RuleStatus::Retired, None)).await, 1);
        let elsewhere = Shown { scope: Some(RuleScope::Agent), ..of(RuleStatus::Active, None) };
        assert_eq!(of_rules(&db, &elsewhere).await, 0);
        let mut learned = Rule { source: RuleSource::Learned, ..rule(4) };
        learned.hash = learned.hash_after(model::digest::Digest::ZERO);
        db.write(move |tx| rules::insert(tx, &learned, NOBODY)).await.unwrap();
        let by = |source| Shown { source: Some(source), ..of(RuleStatus::Active, None) };
        assert_eq!(of_rules(&db, &by(RuleSource::Learned)).await, 1);
        assert_eq!(of_rules(&db, &by(rule(1).source)).await, 2);
    }

    async fn what_was_there_before_totals_were_kept_is_counted_when_they_come(db: TestDb) {
        add_acme(&db).await;
        let over = governance::resolved(incident(3), at(6));
        let mut severe = incident(4);
        severe.creation.severity = Severity::Sev1;
        let opened = [incident(1), incident(2), over, severe];
        let mut retired = Rule {
            version: 2,
            status: RuleStatus::Retired,
            retirement: Some(Retirement { at: at(5), by: "key_1".to_owned(), reason: "tried".to_owned(), superseded_by: None }),
            ..rule(2)
        };
        retired.hash = retired.hash_after(rule(2).hash);
        let warns = Limit { enforcement: Enforcement::Warn, ..limit(1) };
        let disabled = Limit { status: LimitStatus::Disabled, ..limit(2) };
        let bounds = [warns, disabled, limit(3)];
        db.write(move |tx| {
            opened.iter().try_for_each(|one| incidents::append(tx, &one.history()))?;
            (1..=3).try_for_each(|n| rules::insert(tx, &rule(n), NOBODY))?;
            rules::update(tx, &retired, NOBODY)?;
            bounds.iter().try_for_each(|one| limits::insert(tx, one))
        }).await.unwrap();
        back_to(&db, 7);
        let mut raw = Raw::to(&db);
        let kept = raw.pick(
            "SELECT name AS line FROM sqlite_master WHERE name = 'listing_totals'",
            "SELECT table_name::text AS line FROM information_schema.tables WHERE table_name = 'listing_totals'",
        );
        assert_eq!(raw.lines(kept), Vec::<String>::new());
        store::migrate::run(&settings(db.url())).unwrap();

        let topic = |is_over| incidents::Filter { is_over, ..Default::default() };
        assert_eq!((of_incidents(&db, &topic(false)).await, of_incidents(&db, &topic(true)).await), (3, 1));
        let severe = incidents::Filter { severity: Some(Severity::Sev1), ..topic(false) };
        assert_eq!(of_incidents(&db, &severe).await, 1);
        let of = |status| Shown { status, mode: None, scope: None, source: None, created_after: None, created_before: None };
        assert_eq!((of_rules(&db, &of(RuleStatus::Active)).await, of_rules(&db, &of(RuleStatus::Retired)).await), (2, 1));
        let of = |status, enforcement| limits::Shown {
            category: LimitCategory::Budget, status, scope: None, enforcement, created_after: None, created_before: None,
        };
        assert_eq!(of_limits(&db, &of(LimitStatus::Active, None)).await, 2);
        assert_eq!(of_limits(&db, &of(LimitStatus::Active, Some(Enforcement::Warn))).await, 1);
        assert_eq!(of_limits(&db, &of(LimitStatus::Disabled, None)).await, 1);
        // And they go on from there.
        db.write(move |tx| incidents::append(tx, &incident(5).history())).await.unwrap();
        assert_eq!(of_incidents(&db, &topic(false)).await, 4);
    }
}

/// Undoes every migration behind this one.
fn back_to(db: &TestDb, number: u64) {
    let mut raw = Raw::to(db);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../migrations")
        .join(raw.pick("sqlite", "postgres"));
    let mut migrations: Vec<_> = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    migrations.sort();
    for migration in migrations.iter().rev() {
        let name = migration.file_name().unwrap().to_str().unwrap();
        let (version, _) = name.split_once('_').unwrap();
        if version.parse::<u64>().unwrap() <= number {
            break;
        }
        raw.run(&std::fs::read_to_string(migration.join("down.sql")).unwrap())
            .unwrap();
        raw.run(&format!(
            "DELETE FROM __diesel_schema_migrations WHERE version = '{version}'"
        ))
        .unwrap();
    }
}
