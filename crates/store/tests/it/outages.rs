//! What happens while the database cannot be reached, and afterwards?

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use store::{BatchHandler, Db, StoreError};
use testkit::db::TestDb;
use testkit::postgres::PrivatePostgres;

use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_acme};
use crate::support::{settings, soon};

/// Keeps everybody else from writing.
enum Outage {
    Locked(Raw),
    Closed(String),
}

impl Outage {
    fn of(db: &TestDb) -> Self {
        if db.is_shared() {
            let (_, name) = db.url().rsplit_once('/').unwrap();
            let server = PrivatePostgres::shared();
            let close = format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false");
            server.sql("postgres", &close).unwrap();
            disconnect_all(db);
            Self::Closed(name.to_owned())
        } else {
            let mut raw = Raw::to(db);
            raw.run("BEGIN IMMEDIATE").unwrap();
            Self::Locked(raw)
        }
    }

    fn end(self) {
        match self {
            Self::Locked(mut raw) => raw.run("ROLLBACK").unwrap(),
            Self::Closed(name) => {
                let open = format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true");
                PrivatePostgres::shared().sql("postgres", &open).unwrap();
            }
        }
    }
}

fn disconnect_all(db: &TestDb) {
    let (_, name) = db.url().rsplit_once('/').unwrap();
    let end =
        format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'");
    PrivatePostgres::shared().sql("postgres", &end).unwrap();
}

fn unreachable(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::Connect(_))
}

testkit::both_databases! {
    async fn an_outage_is_answered_and_what_comes_after_it_works(db: TestDb) {
        let mut impatient = settings(db.url());
        impatient.lock_timeout = Duration::from_millis(100);
        let impatient = Db::open(&impatient).unwrap();
        let handler: BatchHandler<u128, u128> = Arc::new(|_, commands| Ok(commands.to_vec()));
        let batcher = impatient.batcher(handler);
        assert_eq!(batcher.submit(1, 1).await.unwrap(), 1);
        let outage = Outage::of(&db);
        for _ in 0..2 {
            let answers = soon(join_all((0..50).map(|n| batcher.submit(1, n)))).await;
            for answer in answers {
                assert!(answer.as_ref().is_err_and(unreachable), "{answer:?}");
            }
            let write = soon(impatient.write(|_| Ok::<_, StoreError>(()))).await;
            assert!(write.as_ref().is_err_and(unreachable), "{write:?}");
        }
        outage.end();
        assert_eq!(soon(batcher.submit(1, 2)).await.unwrap(), 2);
        soon(add_acme(&impatient)).await;
        let found = soon(impatient.read(|tx| store::tenants::find(tx, ACME))).await;
        assert!(found.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_connection_that_broke_while_it_was_idle_is_not_noticed_by_anybody() {
    let db = TestDb::postgres();
    let handler: BatchHandler<u128, u128> = Arc::new(|_, commands| Ok(commands.to_vec()));
    let batcher = db.batcher(handler);
    disconnect_all(&db);
    add_acme(&db).await;
    assert!(
        db.read(|tx| store::tenants::find(tx, ACME))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(batcher.submit(1, 1).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_in_the_middle_writes_nothing_and_is_replaced() {
    let db = TestDb::postgres();
    let (_, name) = db.url().rsplit_once('/').unwrap();
    let name = name.to_owned();
    let broken = db.write(move |tx| {
        store::tenants::insert(tx, &crate::support::samples::tenant(ACME, "acme"))?;
        let end = format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
             WHERE datname = '{name}' AND state = 'idle in transaction'"
        );
        PrivatePostgres::shared().sql("postgres", &end).unwrap();
        store::tenants::find(tx, ACME)
    });
    let broken = soon(broken).await;
    assert!(broken.as_ref().is_err_and(unreachable), "{broken:?}");
    assert!(
        db.read(|tx| store::tenants::find(tx, ACME))
            .await
            .unwrap()
            .is_none()
    );
    add_acme(&db).await;
}
