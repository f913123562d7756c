//! Do transactions that get into each other's way all end, and end right?

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use std::time::Duration;

use model::id::LimitId;
use model::limit::Limit;
use model::policy::Rule;
use store::counters::{self, Counter, CounterKey};
use store::{BatchHandler, Db, LockTx, StoreError, StoreResult};
use testkit::db::TestDb;

use crate::policies::{NOBODY, insert, rule};
use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_limits, at, limit};
use crate::support::{eventually, settings, soon};

fn counter(limit: u128) -> CounterKey {
    CounterKey {
        owner: ACME,
        limit: LimitId::from_bits(limit),
        window_start: 0,
    }
}

/// Adds one to the counters of two limits, one after the other.
fn add_to_both(tx: &mut LockTx<'_>, limits: [u128; 2], between: impl FnOnce()) -> StoreResult<()> {
    let [first, second] = limits.map(counter);
    let add = |tx: &mut LockTx<'_>, key| {
        counters::lock(tx, &[key])?;
        counters::add(
            tx,
            &[Counter {
                key,
                settled: 1,
                held: 0,
            }],
        )
    };
    add(tx, first)?;
    between();
    add(tx, second)
}

/// A database of two limits whose counters exist, on a server that notices a deadlock at once.
async fn two_limits() -> TestDb {
    let db = TestDb::postgres();
    let (_, name) = db.url().rsplit_once('/').unwrap();
    let quick = format!("ALTER DATABASE {name} SET deadlock_timeout = '20ms'");
    Raw::to(&db).run(&quick).unwrap();
    add_limits(&db, 2).await;
    db.locked(|tx| counters::lock(tx, &[counter(1), counter(2)]).map(drop))
        .await
        .unwrap();
    db
}

async fn totals(db: &TestDb) -> Vec<i64> {
    let all = db
        .read(|tx| counters::since(tx, &[counter(1), counter(2)]))
        .await
        .unwrap();
    let mut all: Vec<_> = all.into_iter().map(|c| (c.key, c.settled)).collect();
    all.sort_unstable();
    all.into_iter().map(|(_, settled)| settled).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_transactions_that_wait_for_each_other_are_repeated_until_both_are_done() {
    let db = two_limits().await;
    let (meet, tries) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let (left, right) = (
        Db::open(&settings(db.url())).unwrap(),
        Db::open(&settings(db.url())).unwrap(),
    );
    let cross = |limits| {
        let (meet, tries, mut first) = (Arc::clone(&meet), Arc::clone(&tries), true);
        move |tx: &mut LockTx<'_>| {
            tries.fetch_add(1, Ordering::SeqCst);
            let meets = std::mem::take(&mut first);
            // Each holds one lock and wants the other's.
            add_to_both(tx, limits, || {
                if meets {
                    meet.wait();
                }
            })
        }
    };
    let both = async { tokio::join!(left.locked(cross([1, 2])), right.locked(cross([2, 1]))) };
    let (one, other) = soon(both).await;
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    // More if one that had to run again was too early once more.
    assert!(tries.load(Ordering::SeqCst) >= 3, "one of them had to run again");
    assert_eq!(totals(&db).await, [2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_whose_batches_deadlock_lose_and_double_nothing() {
    let db = two_limits().await;
    let meet = Arc::new(Barrier::new(2));
    let node = |limits: [u128; 2]| {
        let opened = Db::open(&settings(db.url())).unwrap();
        let (meet, first, tries) = (
            Arc::clone(&meet),
            AtomicBool::new(true),
            Arc::new(AtomicUsize::new(0)),
        );
        let counted = Arc::clone(&tries);
        let handler: BatchHandler<u128, u128> = Arc::new(move |tx, commands| {
            counted.fetch_add(1, Ordering::SeqCst);
            let meets = first.swap(false, Ordering::SeqCst);
            for (place, _) in commands.iter().enumerate() {
                add_to_both(tx, limits, || {
                    if meets && place == 0 {
                        meet.wait();
                    }
                })?;
            }
            Ok(commands.to_vec())
        });
        (opened.batcher(handler), opened, tries)
    };
    let (left, _keep_left, left_tries) = node([1, 2]);
    let (right, _keep_right, right_tries) = node([2, 1]);
    let first = soon(async { tokio::join!(left.submit(0, 0), right.submit(0, 0)) }).await;
    assert!(first.0.is_ok() && first.1.is_ok(), "{first:?}");
    let tries = left_tries.load(Ordering::SeqCst) + right_tries.load(Ordering::SeqCst);
    assert!(tries >= 3, "one of the batches had to run again");
    for n in 1..=20 {
        let pair = soon(async { tokio::join!(left.submit(0, n), right.submit(0, n)) }).await;
        assert!(pair.0.is_ok() && pair.1.is_ok(), "{n}: {pair:?}");
    }
    assert_eq!(totals(&db).await, [42, 42]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_never_given_back_is_waited_for_only_so_long() {
    let db = two_limits().await;
    let mut holder = Raw::to(&db);
    holder
        .run("BEGIN; SELECT 1 FROM limit_counters FOR UPDATE")
        .unwrap();
    let mut impatient = settings(db.url());
    impatient.lock_timeout = std::time::Duration::from_millis(50);
    let impatient = Db::open(&impatient).unwrap();
    let refused = soon(impatient.locked(|tx| counters::lock(tx, &[counter(1)]).map(drop))).await;
    assert!(matches!(refused, Err(StoreError::TimedOut(_))), "{refused:?}");
    holder.run("ROLLBACK").unwrap();
    impatient
        .locked(|tx| counters::lock(tx, &[counter(1)]).map(drop))
        .await
        .unwrap();
}

/// What somebody changes: a limit, or a rule.
#[derive(Debug, Clone, Copy)]
enum Governs {
    Limit(u128),
    Rule(u128),
}

/// The versions of the limits and of the rules, once this is changed. Everything is changed at one time.
fn change(tx: &mut LockTx<'_>, which: Governs) -> StoreResult<(i64, i64)> {
    match which {
        Governs::Limit(n) => {
            let lowered = Limit {
                max: 1,
                updated_at: at(9),
                ..limit(n)
            };
            store::limits::update(tx, &lowered)?;
        }
        Governs::Rule(n) => {
            let mut renamed = Rule {
                version: 2,
                updated_at: at(9),
                ..rule(n)
            };
            renamed.definition.name.push_str(", again");
            renamed.hash = renamed.hash_after(rule(n).hash);
            store::policy_rules::update(tx, &renamed, NOBODY)?;
        }
    }
    let limits = store::limits::versions(tx, &[ACME])?;
    let rules = store::policy_rules::owner_versions(tx, &[ACME])?;
    Ok((limits[0].1, rules[0].1))
}

/// Waits until somebody waits for a lock of this database.
fn until_somebody_waits(watch: &mut Raw) {
    let waiting = "SELECT CAST(COUNT(*) AS TEXT) AS line FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for _ in 0..4_000 {
        if watch.lines(waiting) != ["0"] {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_change_what_governs_at_once_leave_a_version_each() {
    use Governs::{Limit, Rule};
    for [first, second] in [
        [Limit(1), Limit(2)],
        [Rule(1), Rule(2)],
        [Limit(1), Rule(1)],
        [Rule(1), Limit(1)],
    ] {
        let db = TestDb::postgres();
        add_limits(&db, 2).await;
        for n in [1, 2] {
            insert(&db, rule(n)).await;
        }
        let (left, right) = (
            Db::open(&settings(db.url())).unwrap(),
            Db::open(&settings(db.url())).unwrap(),
        );
        let (done, mut watch) = (Arc::new(AtomicBool::new(false)), Raw::to(&db));
        let changed = Arc::clone(&done);
        let one = left.locked(move |tx| {
            let versions = change(tx, first)?;
            changed.store(true, Ordering::SeqCst);
            // The other one has looked at what is there, and waits to write.
            until_somebody_waits(&mut watch);
            Ok::<_, StoreError>(versions)
        });
        let other = async {
            eventually("the first change", async || done.load(Ordering::SeqCst)).await;
            right.locked(move |tx| change(tx, second)).await
        };
        let (one, other) = soon(async { tokio::join!(one, other) }).await;
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(one.0 < other.0, "{first:?} {second:?}: {one:?} {other:?}");
        let rules = matches!(second, Rule(_));
        assert!(
            one.1 < other.1 || !rules,
            "{first:?} {second:?}: {one:?} {other:?}"
        );
    }
}
