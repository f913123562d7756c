//! Can two who change the database at once, by hand, leave what is ACTIVE without the row of its integrity? Of SQLite there is
//! one who writes at a time.

use std::thread;
use std::time::Duration;

use model::limit::{Limit, LimitStatus};
use model::policy::{Retirement, Rule, RuleStatus};
use store::policy_rules::Change;
use testkit::db::TestDb;

use crate::policies::rule;
use crate::support::raw::Raw;
use crate::support::samples::{ACME, at, limit, tenant};

/// How both come to an end: what the one does, what the other does, and in which order they commit.
struct Race {
    first: &'static str,
    second: &'static str,
}

/// The one who wants something ACTIVE, the other who takes the row of its integrity away.
const RACES: [Race; 4] = [
    Race {
        first: "BEGIN; {activate}; SET CONSTRAINTS ALL IMMEDIATE",
        second: "BEGIN; {delete}; COMMIT",
    },
    Race {
        first: "BEGIN ISOLATION LEVEL REPEATABLE READ; {activate}",
        second: "BEGIN; {delete}; COMMIT",
    },
    Race {
        first: "BEGIN; {delete}; SET CONSTRAINTS ALL IMMEDIATE",
        second: "BEGIN ISOLATION LEVEL REPEATABLE READ; {activate}; COMMIT",
    },
    Race {
        first: "BEGIN; {delete}",
        second: "BEGIN; {activate}; COMMIT",
    },
];

/// The first does what it does, the second all of it, as far as it gets; then the first commits.
fn run(db: &TestDb, race: &Race, (activate, delete): (&str, &str)) {
    let of = |sql: &str| sql.replace("{activate}", activate).replace("{delete}", delete);
    let (mut first, mut second, mut watch) = (Raw::to(db), Raw::to(db), Raw::to(db));
    first.run(&of(race.first)).unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| second.run(&of(race.second)));
        let waiting = "SELECT CAST(COUNT(*) AS TEXT) AS line FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while !other.is_finished() && watch.lines(waiting) == ["0"] {
            thread::sleep(Duration::from_millis(5));
        }
        let committed = first.run("COMMIT").is_ok();
        let also = other.join().unwrap().is_ok();
        assert!(
            !(committed && also),
            "both have committed: {}; {}",
            race.first,
            race.second
        );
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_change_a_limit_and_its_row_at_once_one_is_refused() {
    for race in RACES {
        let db = TestDb::postgres();
        let disabled = Limit {
            status: LimitStatus::Disabled,
            ..limit(1)
        };
        db.write(move |tx| {
            store::tenants::insert(tx, &tenant(ACME, "acme"))?;
            store::limits::insert(tx, &disabled)
        })
        .await
        .unwrap();
        let statements = (
            "UPDATE limits SET status = 'ACTIVE'",
            "DELETE FROM limit_integrity",
        );
        run(&db, &race, statements);
        nothing_is_missing(&db, "limits", "limit_integrity", "limit_id");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_change_a_rule_and_its_row_at_once_one_is_refused() {
    for race in RACES {
        let db = TestDb::postgres();
        let mut retired = Rule {
            version: 2,
            status: RuleStatus::Retired,
            retirement: Some(Retirement {
                at: at(9),
                by: "key_2".to_owned(),
                reason: "replaced".to_owned(),
                superseded_by: None,
            }),
            updated_at: at(9),
            ..rule(1)
        };
        retired.hash = retired.hash_after(rule(1).hash);
        db.write(move |tx| {
            store::tenants::insert(tx, &tenant(ACME, "acme"))?;
            store::policy_rules::insert(
                tx,
                &rule(1),
                Change {
                    by: None,
                    reason: None,
                },
            )?;
            store::policy_rules::update(
                tx,
                &retired,
                Change {
                    by: None,
                    reason: None,
                },
            )
        })
        .await
        .unwrap();
        let activate = "UPDATE policy_rules SET status = 'ACTIVE', retired_at = NULL, retired_by = NULL, \
                        retirement_reason = NULL";
        run(&db, &race, (activate, "DELETE FROM policy_rule_integrity"));
        nothing_is_missing(&db, "policy_rules", "policy_rule_integrity", "rule_id");
    }
}

fn nothing_is_missing(db: &TestDb, table: &str, integrity: &str, key: &str) {
    let missing = format!(
        "SELECT t.id AS line FROM {table} t LEFT JOIN {integrity} i ON i.tenant_id = t.tenant_id AND i.{key} = t.id \
         WHERE t.status = 'ACTIVE' AND i.{key} IS NULL"
    );
    assert_eq!(Raw::to(db).lines(&missing), Vec::<String>::new());
}
