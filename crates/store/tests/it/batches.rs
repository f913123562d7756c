//! Do commands share a transaction without sharing their fate?

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, poll_immediate};
use model::id::HoldId;
use store::{BatchHandler, Db, LockTx, StoreError, StoreResult};
use testkit::db::TestDb;

use crate::support::gate::Gate;
use crate::support::raw::Raw;
use crate::support::samples::{ACME, hold};
use crate::support::{settings, soon};

/// All commands of these tests go the same way.
const LANE: u128 = 7;

/// Takes the hold with the number of each command, and answers with the number.
fn take_holds(tx: &mut LockTx<'_>, commands: &[u128]) -> StoreResult<Vec<u128>> {
    let holds: Vec<_> = commands.iter().map(|n| hold(*n)).collect();
    store::holds::insert(tx, &holds)?;
    Ok(commands.to_vec())
}

async fn exists(db: &Db, n: u128) -> bool {
    let found = db
        .read(move |tx| store::holds::find(tx, ACME, HoldId::from_bits(n)))
        .await;
    found.unwrap().is_some()
}

testkit::both_databases! {
    async fn many_commands_are_few_transactions_and_are_answered_after_the_commit(db: TestDb) {
        let (gate, handler) = Gate::before(take_holds);
        let batcher = db.batcher(handler);
        let other = db.open_again();
        let submit = async |n| {
            let answer = batcher.submit(LANE, n).await;
            // Whoever has an answer finds what it says, from any other connection.
            (n, answer.unwrap(), exists(&other, n).await)
        };
        let plug = submit(1);
        let behind = async {
            assert_eq!(gate.arrival(), [1]);
            let mut all = Box::pin(join_all((2..=300).map(submit)));
            assert!(poll_immediate(&mut all).await.is_none());
            gate.pass();
            assert_eq!(gate.arrival(), (2..=300).collect::<Vec<_>>(), "all that waited, in order");
            gate.pass();
            all.await
        };
        let (first, mut answers) = soon(async { tokio::join!(biased; plug, behind) }).await;
        answers.push(first);
        assert_eq!(answers.len(), 300);
        for (n, answer, found) in answers {
            assert!(n == answer && found, "{n} was answered {answer}, and is it there? {found}");
        }
        let more: Vec<_> = gate.open().try_iter().collect();
        assert_eq!(more, Vec::<Vec<u128>>::new());
    }

    async fn no_batch_is_larger_than_it_may_be(db: TestDb) {
        let mut small = settings(db.url());
        (small.batch_max, small.commit_group_max) = (10, 1);
        let small = Db::open(&small).unwrap();
        let (gate, handler) = Gate::before(take_holds);
        let batcher = small.batcher(handler);
        let plug = batcher.submit(LANE, 1);
        let behind = async {
            assert_eq!(gate.arrival(), [1]);
            let mut all = Box::pin(join_all((2..=26).map(|n| batcher.submit(LANE, n))));
            assert!(poll_immediate(&mut all).await.is_none());
            for size in [10, 10, 5] {
                gate.pass();
                assert_eq!(gate.arrival().len(), size);
            }
            gate.pass();
            all.await
        };
        let (plug, all) = soon(async { tokio::join!(biased; plug, behind) }).await;
        assert_eq!(plug.unwrap(), 1);
        assert!(all.into_iter().map(Result::unwrap).eq(2..=26));
    }

    async fn commands_of_many_callers_are_batched_without_anybody_waiting_for_it(db: TestDb) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let handler: BatchHandler<u128, u128> = Arc::new(move |tx, commands| {
            counted.fetch_add(1, Ordering::SeqCst);
            take_holds(tx, commands)
        });
        let batcher = db.batcher(handler);
        let answers = soon(join_all((0..2000).map(|n| batcher.submit(n, n)))).await;
        assert!(answers.into_iter().map(Result::unwrap).eq(0..2000));
        assert_eq!(Raw::to(&db).count("holds"), 2000);
        let calls = calls.load(Ordering::SeqCst);
        assert!(calls <= 200, "{calls} transactions for 2000 commands");
    }

    async fn a_poisoned_command_fails_alone_and_the_order_is_kept(db: TestDb) {
        let one_lane = Db::open(&settings(db.url())).unwrap();
        let (gate, handler) = Gate::before(take_holds);
        let batcher = one_lane.batcher(handler);
        let plug = batcher.submit(LANE, 13);
        let behind = async {
            assert_eq!(gate.arrival(), [13]);
            let mut first = Box::pin(join_all([10, 11, 13, 14].map(|n| batcher.submit(LANE, n))));
            assert!(poll_immediate(&mut first).await.is_none());
            gate.pass();
            assert_eq!(gate.arrival(), [10, 11, 13, 14]);
            let mut second = Box::pin(join_all([15, 16].map(|n| batcher.submit(LANE, n))));
            assert!(poll_immediate(&mut second).await.is_none());
            // 13 is there already: all four are rolled back and come again one by one, before what came later.
            for batch in [&[10][..], &[11], &[13], &[14], &[15, 16]] {
                gate.pass();
                assert_eq!(gate.arrival(), batch);
            }
            gate.pass();
            (first.await, second.await)
        };
        let (plug, (first, second)) = soon(async { tokio::join!(biased; plug, behind) }).await;
        assert_eq!(plug.unwrap(), 13);
        for (n, answer) in [10, 11, 13, 14].into_iter().zip(first) {
            match answer {
                Ok(same) => assert!(same == n && n != 13),
                Err(error) => assert!(n == 13 && matches!(error, StoreError::Duplicate(_)), "{n}: {error:?}"),
            }
        }
        assert!(second.into_iter().map(Result::unwrap).eq([15, 16]));
        for n in [10, 11, 13, 14, 15, 16] {
            assert!(exists(&db, n).await, "{n}");
        }
        assert_eq!(Raw::to(&db).count("holds"), 6);
    }

    async fn a_panic_of_the_handler_fails_its_command_only(db: TestDb) {
        let handler: BatchHandler<u128, u128> = Arc::new(|tx, commands| {
            let done = take_holds(tx, commands);
            assert!(!commands.contains(&5), "a defect of the handler");
            done
        });
        let batcher = db.batcher(handler);
        let answers = soon(join_all((1..=20).map(|n| batcher.submit(LANE, n)))).await;
        for (n, answer) in (1..=20).zip(answers) {
            match answer {
                Ok(same) => assert!(same == n && n != 5),
                Err(error) => assert!(n == 5 && matches!(error, StoreError::Panicked), "{n}: {error:?}"),
            }
            assert_eq!(exists(&db, n).await, n != 5, "{n}");
        }
    }

    async fn a_handler_that_forgets_an_answer_has_done_nothing(db: TestDb) {
        let handler: BatchHandler<u128, u128> = Arc::new(|tx, commands| {
            let mut done = take_holds(tx, commands)?;
            done.retain(|n| *n != 5);
            Ok(done)
        });
        let batcher = db.batcher(handler);
        let answers = soon(join_all((1..=20).map(|n| batcher.submit(LANE, n)))).await;
        for (n, answer) in (1..=20).zip(answers) {
            assert_eq!(answer.is_ok(), n != 5, "{n}: {answer:?}");
            assert_eq!(exists(&db, n).await, n != 5, "{n}");
        }
    }

    async fn an_error_that_no_command_is_to_blame_for_answers_all(db: TestDb) {
        let (gate, handler) = Gate::before(|tx, commands| {
            take_holds(tx, commands)?;
            Err::<Vec<u128>, _>(StoreError::Settings("out of order".to_owned()))
        });
        let batcher = db.batcher(handler);
        let plug = batcher.submit(LANE, 1);
        let behind = async {
            gate.arrival();
            let mut all = Box::pin(join_all((2..=20).map(|n| batcher.submit(LANE, n))));
            assert!(poll_immediate(&mut all).await.is_none());
            gate.pass();
            gate.arrival();
            gate.pass();
            all.await
        };
        let (plug, mut answers) = soon(async { tokio::join!(biased; plug, behind) }).await;
        answers.push(plug);
        let failed = |answer: &StoreResult<u128>| matches!(answer, Err(StoreError::Settings(_)));
        assert!(answers.len() == 20 && answers.iter().all(failed), "{answers:?}");
        assert_eq!(Raw::to(&db).count("holds"), 0);
        assert_eq!(gate.open().try_iter().count(), 0, "nothing is tried again");
    }

    async fn a_full_batch_queue_refuses_at_once(db: TestDb) {
        let mut few = settings(db.url());
        few.queue_depth = 3;
        let few = Db::open(&few).unwrap();
        let (gate, handler) = Gate::before(take_holds);
        let batcher = few.batcher(handler);
        let plug = batcher.submit(LANE, 1);
        let behind = async {
            gate.arrival();
            let mut waiting = Box::pin(join_all((2..=4).map(|n| batcher.submit(LANE, n))));
            assert!(poll_immediate(&mut waiting).await.is_none());
            let refused = tokio::time::timeout(Duration::from_secs(1), batcher.submit(LANE, 5)).await;
            assert!(matches!(refused, Ok(Err(StoreError::Overloaded))), "{refused:?}");
            drop(gate);
            waiting.await
        };
        let (plug, waiting) = soon(async { tokio::join!(biased; plug, behind) }).await;
        assert_eq!(plug.unwrap(), 1);
        assert!(waiting.into_iter().map(Result::unwrap).eq(2..=4));
        assert!(!exists(&db, 5).await);
    }

    async fn a_command_is_carried_out_when_its_caller_has_gone(db: TestDb) {
        let (gate, handler) = Gate::before(take_holds);
        let batcher = db.batcher(handler);
        let mut running = Box::pin(batcher.submit(LANE, 1));
        assert!(poll_immediate(&mut running).await.is_none());
        assert_eq!(gate.arrival(), [1]);
        let mut queued = Box::pin(batcher.submit(LANE, 2));
        assert!(poll_immediate(&mut queued).await.is_none());
        drop((running, queued));
        drop(gate);
        assert_eq!(soon(batcher.submit(LANE, 3)).await.unwrap(), 3);
        assert!(exists(&db, 1).await && exists(&db, 2).await);
    }
}
