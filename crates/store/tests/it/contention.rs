//! Do transactions that get into each other's way all end, and end right?

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use model::id::LimitId;
use store::counters::{self, Counter, CounterKey};
use store::{BatchHandler, Db, LockTx, StoreError, StoreResult};
use testkit::db::TestDb;

use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_limits};
use crate::support::{settings, soon};

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
