//! Is every hold found again, and ended as it was told to?

use model::hold::{HoldItem, HoldStatus};
use model::id::{HoldId, LimitId, TenantId};
use store::counters::{self, Counter, CounterKey};
use store::holds::Share;
use store::{StoreError, holds};
use testkit::db::TestDb;

use crate::support::samples::{ACME, add_limits, amounts, at, hold};

const OTHER: TenantId = TenantId::from_bits(2);

testkit::both_databases! {
    async fn a_hold_comes_back_as_it_was(db: TestDb) {
        let mut bare = hold(2);
        bare.subject = std::sync::Arc::default();
        (bare.run, bare.items) = (None, vec![]);
        let mut foreign = hold(3);
        foreign.tenant = OTHER;
        let all = [hold(1), bare, foreign];
        let inserted = all.clone();
        db.locked(move |tx| { holds::insert(tx, &[])?; holds::insert(tx, &inserted) }).await.unwrap();
        for expected in all {
            let (tenant, id) = (expected.tenant, expected.id);
            let found = db.read(move |tx| holds::find(tx, tenant, id)).await.unwrap();
            assert_eq!(found, Some(expected));
        }
        let missing = db.read(|tx| holds::find(tx, OTHER, HoldId::from_bits(2))).await.unwrap();
        assert_eq!(missing, None, "another tenant's hold is not found");
        let twice = db.locked(|tx| holds::insert(tx, &[hold(1)])).await;
        assert!(matches!(twice, Err(StoreError::Duplicate(_))));
    }

    async fn holds_are_locked_and_ended_together(db: TestDb) {
        db.locked(|tx| holds::insert(tx, &[hold(1), hold(2), hold(3), hold(4)])).await.unwrap();
        let ids = |numbers: &[u128]| numbers.iter().map(|n| (ACME, HoldId::from_bits(*n))).collect::<Vec<_>>();
        let wanted = ids(&[1, 3, 9]);
        let end = db.locked(move |tx| {
            assert_eq!(holds::lock(tx, &[])?, []);
            let mut locked = holds::lock(tx, &wanted)?;
            for hold in &mut locked {
                hold.ended_at = Some(at(5));
                hold.status = HoldStatus::Released;
            }
            if let Some(first) = locked.first_mut() {
                first.status = HoldStatus::Settled;
                first.settled = Some(amounts(400));
                first.items.iter_mut().for_each(|item| item.settled = 400);
            }
            holds::end(tx, &[])?;
            holds::end(tx, &locked)?;
            Ok::<_, StoreError>(locked)
        });
        let ended = end.await.unwrap();
        assert_eq!(ended.iter().map(|hold| hold.id.bits()).collect::<Vec<_>>(), [1, 3]);
        let mut expected = vec![hold(2), hold(4)];
        expected.extend(ended);
        expected.sort_by_key(|hold| hold.id);
        let all = db.read(|tx| holds::stretch(tx, None, 10)).await.unwrap();
        assert_eq!(all, expected);
        let unsorted = ids(&[3, 1]);
        let refused = db.locked(move |tx| holds::lock(tx, &unsorted)).await;
        assert!(matches!(refused, Err(StoreError::Panicked)));
    }

    async fn open_holds_whose_time_is_over_are_overdue_oldest_first(db: TestDb) {
        let all: Vec<_> = [(1, 50), (2, 10), (3, 30), (4, 31), (5, 20), (6, 10)].map(|(n, expires)| {
            let mut hold = hold(n);
            hold.expires_at = at(expires);
            if n == 5 {
                (hold.status, hold.ended_at) = (HoldStatus::Released, Some(at(1)));
            }
            hold
        }).into();
        db.locked(move |tx| holds::insert(tx, &all)).await.unwrap();
        let overdue = async |now, after, most| {
            db.read(move |tx| holds::overdue(tx, at(now), after, most)).await.unwrap()
        };
        let ids = |found: &[holds::Overdue]| found.iter().map(|hold| hold.id.bits()).collect::<Vec<_>>();
        assert_eq!(ids(&overdue(30, None, 10).await), [2, 6, 3], "the instant itself is over");
        let all = overdue(100, None, 10).await;
        assert_eq!(ids(&all), [2, 6, 3, 4, 1]);
        assert_eq!(ids(&overdue(100, None, 1).await), [2]);
        assert_eq!(ids(&overdue(9, None, 10).await), []);
        for (count, last) in all.iter().enumerate() {
            assert_eq!(overdue(100, Some(*last), 10).await, all[count + 1..], "also at equal times");
        }
    }

    async fn stretches_cover_the_ledger_without_gaps_and_repeats(db: TestDb) {
        let all: Vec<_> = (1..=25).map(|n| {
            let mut hold = hold(n);
            hold.tenant = if n % 3 == 0 { OTHER } else { ACME };
            hold
        }).collect();
        let mut expected = all.clone();
        expected.sort_by_key(|hold| (hold.tenant, hold.id));
        db.locked(move |tx| holds::insert(tx, &all)).await.unwrap();
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let stretch = db.read(move |tx| holds::stretch(tx, after, 4)).await.unwrap();
            let Some(last) = stretch.last() else { break };
            assert!(stretch.len() <= 4 && found.len() <= expected.len());
            after = Some((last.tenant, last.id));
            found.extend(stretch);
        }
        // Each database goes in the order of its own key.
        found.sort_by_key(|hold| (hold.tenant, hold.id));
        assert_eq!(found, expected);
    }

    async fn what_holds_have_on_a_limit_is_found(db: TestDb) {
        let name = (ACME, LimitId::from_bits(1));
        let settled = |n, used, taken_at| {
            let mut hold = hold(n);
            (hold.status, hold.settled, hold.ended_at) = (HoldStatus::Settled, Some(amounts(used)), Some(at(9)));
            (hold.items[0].settled, hold.created_at) = (used, at(taken_at));
            hold
        };
        let mut carried = settled(7, 1_000, 5);
        carried.items[0].carried = true;
        let mut foreign = settled(8, 10_000, 5);
        foreign.tenant = OTHER;
        let mut else_where = settled(9, 100_000, 5);
        else_where.items[0].limit = LimitId::from_bits(2);
        let of_all = HoldItem { owner: TenantId::PLATFORM, ..hold(1).items[0] };
        foreign.items.push(HoldItem { settled: 3, ..of_all });
        let mut released = hold(6);
        (released.status, released.ended_at) = (HoldStatus::Released, Some(at(9)));
        let all = [hold(1), settled(2, 1, 4), settled(3, 10, 5), settled(4, 100, 6), released, carried, foreign, else_where];
        db.locked(move |tx| holds::insert(tx, &all)).await.unwrap();
        let found = db.read(move |tx| {
            let sum = |tx: &mut _, name, since, from| holds::settled_on(tx, name, at(since), from);
            let late = Some(HoldId::from_bits(4));
            let sums = [sum(tx, name, 0, None)?, sum(tx, name, 5, None)?, sum(tx, name, 0, late)?];
            let platform = sum(tx, (TenantId::PLATFORM, name.1), 0, None)?;
            Ok::<_, StoreError>((sums, platform, holds::open_on(tx, name)?))
        });
        let (sums, platform, open) = found.await.unwrap();
        assert_eq!((sums, platform), ([111, 110, 100], 3));
        assert_eq!(open, [Share { taken_at: at(0), item: hold(1).items[0] }]);
    }

    async fn holds_are_taken_with_what_they_count(db: TestDb) {
        add_limits(&db, 1).await;
        let delta = |held| Counter {
            key: CounterKey { owner: ACME, limit: LimitId::from_bits(1), window_start: 10 },
            settled: 0,
            held,
        };
        for (number, deltas) in [(1, vec![delta(3)]), (2, vec![delta(4)]), (3, vec![])] {
            db.locked(move |tx| holds::take(tx, &[hold(number)], &deltas)).await.unwrap();
        }
        db.locked(move |tx| holds::take(tx, &[], &[delta(5)])).await.unwrap();
        assert!(db.locked(move |tx| holds::take(tx, &[hold(1)], &[delta(5)])).await.is_err());
        let all = db.read(|tx| Ok::<_, StoreError>((holds::stretch(tx, None, 9)?, counters::all(tx)?))).await.unwrap();
        assert_eq!(all, (vec![hold(1), hold(2), hold(3)], vec![delta(12)]));
    }
}
