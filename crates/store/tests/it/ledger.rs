//! Is every hold found again, and ended as it was told to?

use model::hold::HoldStatus;
use model::id::{HoldId, TenantId};
use store::{StoreError, holds};
use testkit::db::TestDb;

use crate::support::samples::{ACME, amounts, at, hold};

const OTHER: TenantId = TenantId::from_bits(2);

testkit::both_databases! {
    async fn a_hold_comes_back_as_it_was(db: TestDb) {
        let mut bare = hold(2);
        bare.subject = model::hold::Subject::default();
        (bare.run, bare.items) = (None, vec![]);
        let mut foreign = hold(1);
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
        let all: Vec<_> = [(1, 50), (2, 10), (3, 30), (4, 31), (5, 20)].map(|(n, expires)| {
            let mut hold = hold(n);
            hold.expires_at = at(expires);
            if n == 5 {
                (hold.status, hold.ended_at) = (HoldStatus::Released, Some(at(1)));
            }
            hold
        }).into();
        db.locked(move |tx| holds::insert(tx, &all)).await.unwrap();
        let overdue = async |now, most| {
            let found = db.read(move |tx| holds::overdue(tx, at(now), most)).await.unwrap();
            found.into_iter().map(|(_, id)| id.bits()).collect::<Vec<_>>()
        };
        assert_eq!(overdue(30, 10).await, [2, 3], "the instant itself is over");
        assert_eq!(overdue(100, 10).await, [2, 3, 4, 1]);
        assert_eq!(overdue(100, 1).await, [2]);
        assert_eq!(overdue(9, 10).await, []);
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
}
