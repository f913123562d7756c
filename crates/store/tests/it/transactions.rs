//! Is a transaction everything or nothing, whatever becomes of its work and of its caller?

use std::sync::mpsc;

use futures_util::future::{join_all, poll_immediate};
use infra::correlation::{self, CorrelationContext};
use model::id::TenantId;
use store::{Db, StoreError};
use testkit::db::TestDb;
use testkit::ids::CountingIds;

use crate::support::samples::{ACME, add_acme, at, tenant};
use crate::support::{CallerError, eventually, settings, soon};

const OTHER: TenantId = TenantId::from_bits(2);

async fn exists(db: &Db, id: TenantId) -> bool {
    let found = db.read(move |tx| store::tenants::find(tx, id)).await;
    found.unwrap().is_some()
}

testkit::both_databases! {
    async fn what_was_written_is_there_for_every_reader(db: TestDb) {
        add_acme(&db).await;
        assert!(exists(&db, ACME).await);
        assert!(exists(&db.open_again(), ACME).await);
    }

    async fn an_error_of_the_caller_rolls_everything_back_and_comes_back_as_it_is(db: TestDb) {
        let answer = db.write(|tx| {
            store::tenants::insert(tx, &tenant(ACME, "acme"))?;
            Err::<(), _>(CallerError::Refused)
        });
        assert!(matches!(answer.await, Err(CallerError::Refused)));
        let answer = db.locked(|tx| {
            store::limits::insert(tx, &crate::support::samples::limit(1))?;
            Ok::<_, CallerError>(())
        });
        assert!(matches!(answer.await, Err(CallerError::Store(StoreError::ForeignKey(_)))));
        assert!(!exists(&db, ACME).await);
        add_acme(&db).await;
    }

    async fn an_error_in_the_middle_rolls_back_what_came_before(db: TestDb) {
        add_acme(&db).await;
        let answer = db.write(|tx| {
            store::tenants::insert(tx, &tenant(OTHER, "other"))?;
            store::tenants::insert(tx, &tenant(TenantId::from_bits(3), "acme"))
        });
        assert!(matches!(answer.await, Err(StoreError::Duplicate(_))));
        assert!(!exists(&db, OTHER).await);
    }

    async fn a_failed_transaction_leaves_those_that_commit_with_it_alone(db: TestDb) {
        add_acme(&db).await;
        // All in the queue at once: on SQLite they become one group.
        let writes = (10..60).map(|n| {
            let name = if n % 10 == 0 { "acme".to_owned() } else { format!("tenant {n}") };
            db.write(move |tx| {
                store::tenants::insert(tx, &tenant(TenantId::from_bits(n), &name))?;
                Ok::<_, StoreError>(n)
            })
        });
        let answers = join_all(writes).await;
        for (n, answer) in (10..60).zip(answers) {
            match answer {
                Ok(same) => assert!(same == n && n % 10 != 0),
                Err(error) => assert!(matches!(error, StoreError::Duplicate(_)) && n % 10 == 0, "{n}: {error:?}"),
            }
            assert_eq!(exists(&db, TenantId::from_bits(n)).await, n % 10 != 0, "{n}");
        }
    }

    async fn work_that_hides_an_error_is_never_told_that_it_was_written(db: TestDb) {
        add_acme(&db).await;
        let answer = db.write(|tx| {
            store::tenants::insert(tx, &tenant(OTHER, "other"))?;
            drop(store::tenants::insert(tx, &tenant(TenantId::from_bits(3), "acme")));
            Ok::<_, StoreError>(())
        });
        // PostgreSQL gives the whole transaction up after an error, SQLite the statement only.
        let answer = answer.await;
        assert_eq!(answer.is_ok(), exists(&db, OTHER).await, "{answer:?}");
        assert!(!matches!(answer, Err(StoreError::OutcomeUnknown(_))), "{answer:?}");
        db.write(|tx| store::tenants::insert(tx, &tenant(TenantId::from_bits(4), "next"))).await.unwrap();
    }

    async fn a_panic_rolls_back_and_the_next_transaction_works(db: TestDb) {
        for _ in 0..3 {
            let answer = db.write::<(), StoreError, _>(|tx| {
                store::tenants::insert(tx, &tenant(ACME, "acme"))?;
                panic!("a defect of the caller")
            });
            assert!(matches!(answer.await, Err(StoreError::Panicked)));
            let answer = db.read::<(), StoreError, _>(|_| panic!("a defect of a reader"));
            assert!(matches!(answer.await, Err(StoreError::Panicked)));
        }
        assert!(!exists(&db, ACME).await);
        add_acme(&db).await;
        assert!(exists(&db, ACME).await);
    }

    async fn the_work_runs_within_the_correlation_of_its_caller(db: TestDb) {
        let ids = CountingIds::start();
        let seen = |context: Option<CorrelationContext>| context.map(|c| c.correlation_id().to_owned());
        let current = move || Ok::<_, StoreError>(seen(correlation::current()));
        for name in ["req_a", "req_b"] {
            let context = CorrelationContext::root(name, None, at(0), &*ids);
            let work = async { [
                db.read(move |_| current()).await.unwrap(),
                db.write(move |_| current()).await.unwrap(),
                db.locked(move |_| current()).await.unwrap(),
            ] };
            let found = correlation::scope(context, work).await;
            assert_eq!(found.map(Option::unwrap), [name; 3]);
        }
        assert_eq!(db.write(move |_| current()).await.unwrap(), None, "it must not stay on the thread");
    }

    async fn the_work_goes_on_when_its_caller_has_gone(db: TestDb) {
        let (started, has_started) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let handle = db.db();
        let caller = tokio::spawn(async move {
            let write = handle.write(move |tx| {
                started.send(()).unwrap();
                may_go.recv().unwrap();
                store::tenants::insert(tx, &tenant(ACME, "acme"))
            });
            write.await.unwrap();
        });
        tokio::task::spawn_blocking(move || has_started.recv().unwrap()).await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert!(!exists(&db, ACME).await);
        go.send(()).unwrap();
        eventually("the tenant is written", async || exists(&db, ACME).await).await;
    }

    async fn a_full_queue_refuses_at_once(db: TestDb) {
        let mut few = settings(db.url());
        (few.write_connections, few.queue_depth) = (1, 4);
        let few = Db::open(&few).unwrap();
        let (started, has_started) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let plug = few.write(move |_| {
            started.send(()).unwrap();
            may_go.recv().unwrap();
            Ok::<_, StoreError>(())
        });
        let behind = async {
            // Runs after the plug was polled once, so it is queued first.
            has_started.recv().unwrap();
            let writes = (0..6).map(|_| few.write(|_| Ok::<_, StoreError>(())));
            let mut all = Box::pin(join_all(writes));
            // One look at each puts it into the queue or answers it.
            assert!(poll_immediate(&mut all).await.is_none());
            go.send(()).unwrap();
            all.await
        };
        let (plug, answers) = soon(async { tokio::join!(biased; plug, behind) }).await;
        plug.unwrap();
        let refused = |answer: &Result<(), StoreError>| matches!(answer, Err(StoreError::Overloaded));
        assert_eq!(answers.iter().map(refused).collect::<Vec<_>>(), [false, false, false, false, true, true]);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4);
    }

    async fn a_reader_sees_one_state_until_it_ends(db: TestDb) {
        let (looked, has_looked) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let reader = db.read(move |tx| {
            let first = store::tenants::find(tx, ACME)?.is_some();
            looked.send(()).unwrap();
            may_go.recv().unwrap();
            Ok::<_, StoreError>((first, store::tenants::find(tx, ACME)?.is_some()))
        });
        let writer = async {
            has_looked.recv().unwrap();
            add_acme(&db).await;
            go.send(()).unwrap();
        };
        let (seen, ()) = soon(async { tokio::join!(biased; reader, writer) }).await;
        assert_eq!(seen.unwrap(), (false, false));
        assert!(exists(&db, ACME).await);
    }
}
