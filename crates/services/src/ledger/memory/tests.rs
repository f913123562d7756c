//! Is what a batch knew forgotten whenever it may not be true any more?

use std::sync::Arc;

use model::amounts::Amounts;
use model::id::DecisionId;
use model::time::Timestamp;
use store::counters::{Counter, CounterKey};
use store::{StoreError, StoreResult};
use testkit::both_databases;
use testkit::db::TestDb;

use super::*;

const TENANT: TenantId = TenantId::from_bits(7);

fn hold(bits: u128) -> Hold {
    Hold {
        id: HoldId::from_bits(bits),
        tenant: TENANT,
        status: HoldStatus::Pending,
        decision: DecisionId::from_bits(bits),
        run: None,
        subject: Arc::default(),
        requested: Amounts::default(),
        settled: None,
        items: Vec::new(),
        created_at: Timestamp::from_micros(0),
        expires_at: Timestamp::from_micros(1),
        ended_at: None,
    }
}

fn key() -> CounterKey {
    CounterKey {
        owner: TENANT,
        limit: LimitId::from_bits(1),
        window_start: 0,
    }
}

/// A batch that takes a hold, or none, and knows one counter at its end; then its transaction fails, or not.
async fn batch(db: &TestDb, memory: &Arc<Memory>, hold_bits: Option<u128>, fails: bool) {
    let memory = Arc::clone(memory);
    let ran = db.locked(move |tx| -> StoreResult<()> {
        let mut known = memory.recall(tx)?;
        let taken: Vec<Hold> = hold_bits.map(hold).into_iter().collect();
        store::holds::insert(tx, &taken)?;
        known.counters.learn(vec![Counter {
            key: key(),
            settled: 0,
            held: 1,
        }]);
        memory.keep(tx, known, taken.last().map(Into::into))?;
        if fails { Err(StoreError::Stopped) } else { Ok(()) }
    });
    assert_eq!(ran.await.is_err(), fails);
}

async fn is_known(db: &TestDb, memory: &Arc<Memory>) -> bool {
    let memory = Arc::clone(memory);
    let knows = db.locked(move |tx| -> StoreResult<bool> { Ok(memory.recall(tx)?.counters.knows(&key())) });
    knows.await.unwrap()
}

both_databases! {
    async fn what_a_committed_batch_knew_is_known_where_nobody_else_writes(db: TestDb) {
        let memory = Arc::new(Memory::default());
        batch(&db, &memory, Some(1), false).await;
        batch(&db, &memory, None, false).await;
        assert_eq!(is_known(&db, &memory).await, !db.is_shared());
    }

    async fn what_a_batch_knew_that_was_rolled_back_is_forgotten(db: TestDb) {
        let memory = Arc::new(Memory::default());
        batch(&db, &memory, Some(1), true).await;
        assert!(!is_known(&db, &memory).await);
    }

    async fn what_a_batch_knew_that_took_nothing_and_was_rolled_back_is_forgotten(db: TestDb) {
        let memory = Arc::new(Memory::default());
        batch(&db, &memory, None, true).await;
        assert!(!is_known(&db, &memory).await);
    }

    async fn what_is_changed_in_between_is_read_anew(db: TestDb) {
        let memory = Arc::new(Memory::default());
        batch(&db, &memory, Some(1), false).await;
        db.locked(|tx| store::holds::insert(tx, &[hold(2)])).await.unwrap();
        assert!(!is_known(&db, &memory).await);
        batch(&db, &memory, Some(3), false).await;
        let other = db.open_again();
        other.locked(|tx| store::holds::insert(tx, &[hold(4)])).await.unwrap();
        assert!(!is_known(&db, &memory).await);
    }

    async fn a_batch_without_holds_after_one_that_was_rolled_back_with_it_is_forgotten(db: TestDb) {
        let memory = Arc::new(Memory::default());
        batch(&db, &memory, Some(1), false).await;
        let shared = Arc::clone(&memory);
        let both = db.locked(move |tx| -> StoreResult<()> {
            let known = shared.recall(tx)?;
            store::holds::insert(tx, &[hold(2)])?;
            shared.keep(tx, known, Some((&hold(2)).into()))?;
            let known = shared.recall(tx)?;
            shared.keep(tx, known, None)?;
            Err(StoreError::Stopped)
        });
        assert!(both.await.is_err());
        assert!(!is_known(&db, &memory).await);
    }
}
