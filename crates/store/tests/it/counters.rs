//! Is a counter exact however many add to it at once?

use futures_util::future::join_all;
use model::id::{LimitId, TenantId};
use store::counters::{self, Counter, CounterKey, ROLLING_LOCK};
use store::{Db, LockTx, StoreError, StoreResult};
use testkit::db::TestDb;

use crate::support::samples::{ACME, add_limits};
use crate::support::soon;

fn key(limit: u128, window_start: i64) -> CounterKey {
    CounterKey {
        owner: ACME,
        limit: LimitId::from_bits(limit),
        window_start,
    }
}

fn counter(limit: u128, window_start: i64, settled: i64, held: i64) -> Counter {
    Counter {
        key: key(limit, window_start),
        settled,
        held,
    }
}

async fn since(db: &Db, ranges: Vec<CounterKey>) -> Vec<Counter> {
    let mut found = db.read(move |tx| counters::since(tx, &ranges)).await.unwrap();
    found.sort_by_key(|counter| counter.key);
    found
}

async fn add(db: &Db, deltas: Vec<Counter>) {
    db.locked(move |tx| counters::add(tx, &deltas)).await.unwrap();
}

/// Locks, and says what the counters hold; none of these was moved.
fn lock(tx: &mut LockTx<'_>, keys: &[CounterKey]) -> Result<Vec<Counter>, StoreError> {
    let locked = counters::lock(tx, keys)?;
    assert!(locked.iter().all(|locked| locked.moved_to.is_none()));
    Ok(locked.into_iter().map(|locked| locked.counter).collect())
}

/// What is there, without those that count nothing: PostgreSQL makes a row in order to lock it.
fn counting(found: Vec<Counter>) -> Vec<Counter> {
    found
        .into_iter()
        .filter(|counter| counter.settled != 0 || counter.held != 0)
        .collect()
}

testkit::both_databases! {
    async fn a_sum_beyond_64_bits_is_refused_and_changes_nothing(db: TestDb) {
        add_limits(&db, 2).await;
        add(&db, vec![counter(1, 10, i64::MAX - 1, 3)]).await;
        for (settled, held) in [(2, 0), (0, i64::MAX)] {
            let more = db.locked(move |tx| counters::add(tx, &[counter(1, 10, settled, held), counter(2, 10, 1, 1)]));
            let refused = more.await;
            assert!(matches!(refused, Err(StoreError::Constraint(_) | StoreError::Query(_))), "{refused:?}");
        }
        let all = db.read(|tx| counters::all(tx)).await.unwrap();
        assert_eq!(all, [counter(1, 10, i64::MAX - 1, 3)]);
    }

    async fn what_is_added_adds_up(db: TestDb) {
        add_limits(&db, 2).await;
        add(&db, vec![counter(1, 10, 5, 7), counter(1, 20, 0, 1), counter(2, 10, i64::MAX - 1, 0)]).await;
        add(&db, vec![counter(1, 10, -2, 3), counter(2, 10, 1, 0), counter(2, 30, 4, 4)]).await;
        add(&db, vec![]).await;
        assert_eq!(since(&db, vec![key(1, 0)]).await, [counter(1, 10, 3, 10), counter(1, 20, 0, 1)]);
        assert_eq!(since(&db, vec![key(1, 10)]).await.len(), 2, "the start itself counts");
        assert_eq!(since(&db, vec![key(1, 11)]).await, [counter(1, 20, 0, 1)]);
        let several = since(&db, vec![key(1, 20), key(2, 10)]).await;
        assert_eq!(several, [counter(1, 20, 0, 1), counter(2, 10, i64::MAX, 0), counter(2, 30, 4, 4)]);
        assert_eq!(since(&db, vec![]).await, []);
        let all = db.read(|tx| counters::all(tx)).await.unwrap();
        assert_eq!(all.len(), 4);
    }

    async fn a_locked_counter_reads_as_it_is_and_one_that_is_missing_as_zero(db: TestDb) {
        add_limits(&db, 2).await;
        add(&db, vec![counter(1, 10, 5, 7)]).await;
        let all = |tx: &mut LockTx<'_>| {
            let found = lock(tx, &[key(1, 10), key(1, 20), key(2, 10)])?;
            let nothing = lock(tx, &[])?;
            counters::add(tx, &[counter(1, 10, 1, 0), counter(2, 10, 0, 9)])?;
            let again = lock(tx, &[key(1, 10), key(2, 10)])?;
            Ok::<_, StoreError>((counting(found), nothing, again))
        };
        let (found, nothing, again) = db.locked(all).await.unwrap();
        assert_eq!(found, [counter(1, 10, 5, 7)]);
        assert_eq!(nothing, []);
        assert_eq!(again, [counter(1, 10, 6, 7), counter(2, 10, 0, 9)]);
    }

    async fn counters_are_locked_and_versions_confirmed_in_one_call_as_in_two(db: TestDb) {
        add_limits(&db, 2).await;
        add(&db, vec![counter(1, 10, 5, 7)]).await;
        db.locked(|tx| counters::set_moves(tx, &[(key(1, 10), Some(30))])).await.unwrap();
        let owners = [TenantId::PLATFORM, ACME, TenantId::from_bits(9)];
        for keys in [vec![], vec![key(1, 10)], vec![key(1, 10), key(1, 20), key(2, 10)]] {
            let both = db.locked(move |tx| {
                let (locked, mut versions) = counters::lock_and_confirm(tx, &keys, &owners)?;
                let mut expected = store::limits::versions(tx, &owners)?;
                versions.sort_unstable();
                expected.sort_unstable();
                assert_eq!(versions, expected);
                assert_eq!(versions.len(), 2, "one of them does not exist");
                Ok::<_, StoreError>((locked, counters::lock(tx, &keys)?))
            });
            let (one, two) = both.await.unwrap();
            assert_eq!(one, two);
        }
    }

    async fn a_counter_says_where_it_was_moved(db: TestDb) {
        add_limits(&db, 2).await;
        add(&db, vec![counter(1, 10, 5, 7)]).await;
        let marks = vec![(key(1, 10), Some(30)), (key(1, 20), Some(30)), (key(1, 30), None)];
        db.locked(move |tx| counters::set_moves(tx, &marks)).await.unwrap();
        add(&db, vec![counter(1, 10, 1, 0)]).await;
        let found = db.locked(|tx| counters::lock(tx, &[key(1, 10), key(1, 20), key(1, 30)])).await.unwrap();
        let expected = [(counter(1, 10, 6, 7), Some(30)), (counter(1, 20, 0, 0), Some(30)), (counter(1, 30, 0, 0), None)];
        assert_eq!(found, expected.map(|(counter, moved_to)| counters::Locked { counter, moved_to }));
        db.locked(|tx| counters::set_moves(tx, &[(key(1, 10), None)])).await.unwrap();
        let moves = db.read(|tx| counters::moves(tx)).await.unwrap();
        assert_eq!(moves, [(key(1, 20), 30)]);
    }

    async fn the_lock_of_a_rolling_limit_counts_nothing(db: TestDb) {
        add_limits(&db, 1).await;
        let found = db.locked(|tx| {
            let found = lock(tx, &[key(1, ROLLING_LOCK), key(1, 10)])?;
            counters::add(tx, &[counter(1, 10, 1, 2)])?;
            Ok::<_, StoreError>(found)
        });
        assert_eq!(counting(found.await.unwrap()), []);
        assert_eq!(since(&db, vec![key(1, -1_000_000)]).await, [counter(1, 10, 1, 2)]);
        let all = since(&db, vec![key(1, i64::MIN)]).await;
        assert_eq!(counting(all), [counter(1, 10, 1, 2)]);
    }

    async fn keys_that_do_not_ascend_are_a_defect_of_the_caller(db: TestDb) {
        add_limits(&db, 2).await;
        for keys in [[key(2, 0), key(1, 0)], [key(1, 5), key(1, 4)], [key(1, 0), key(1, 0)]] {
            let locked = db.locked(move |tx| counters::lock(tx, &keys)).await;
            assert!(matches!(locked, Err(StoreError::Panicked)), "{keys:?}");
            let deltas = keys.map(|key| Counter { key, settled: 1, held: 0 });
            let added = db.locked(move |tx| counters::add(tx, &deltas)).await;
            assert!(matches!(added, Err(StoreError::Panicked)), "{keys:?}");
        }
    }

    async fn a_counter_of_a_limit_that_does_not_exist_is_refused(db: TestDb) {
        add_limits(&db, 1).await;
        let added = db.locked(|tx| counters::add(tx, &[counter(2, 0, 1, 0)])).await;
        assert!(matches!(added, Err(StoreError::ForeignKey(_))), "{added:?}");
    }

    async fn nobody_passes_a_maximum_however_many_try_at_once(db: TestDb) {
        add_limits(&db, 1).await;
        let attempts = (0..60).map(|_| db.locked(|tx| take_one(tx, 0, 0, 40)));
        let taken = soon(join_all(attempts)).await;
        assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 40);
        assert_eq!(since(&db, vec![key(1, 0)]).await, [counter(1, 0, 0, 40)]);
    }
}

/// Takes one of `most`, if there is one left after looking at what is locked.
fn take_one(tx: &mut LockTx<'_>, lock: i64, window: i64, most: i64) -> StoreResult<bool> {
    counters::lock(tx, &[key(1, lock)])?;
    let held: i64 = counters::since(tx, &[key(1, 0)])?
        .iter()
        .map(|counter| counter.held)
        .sum();
    if held >= most {
        return Ok(false);
    }
    counters::add(tx, &[counter(1, window, 0, 1)])?;
    Ok(true)
}

async fn race_of_two_nodes(lock: i64, left_window: i64, right_window: i64) -> i64 {
    let db = TestDb::postgres();
    add_limits(&db, 1).await;
    let (left, right) = (db.db(), db.open_again());
    let attempts = (0..100).map(|n| {
        let (node, window) = if n % 2 == 0 {
            (&left, left_window)
        } else {
            (&right, right_window)
        };
        node.locked(move |tx| take_one(tx, lock, window, 50))
    });
    let taken = soon(join_all(attempts)).await;
    assert_eq!(
        taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(),
        50
    );
    since(&db, vec![key(1, 0)])
        .await
        .iter()
        .map(|counter| counter.held)
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_share_a_counter_lose_no_update_and_overspend_nothing() {
    assert_eq!(race_of_two_nodes(0, 0, 0).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_whose_clocks_differ_by_a_step_are_serialised_by_the_rolling_lock() {
    assert_eq!(race_of_two_nodes(ROLLING_LOCK, 10, 20).await, 50);
}
