//! Does a closed database end its threads, and lose nothing on the way?

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use futures_util::future::{join_all, poll_immediate};
use model::id::TenantId;
use store::{BatchHandler, Db, StoreError};
use testkit::db::TestDb;

use crate::support::raw::Raw;
use crate::support::samples::{ACME, add_acme, hold, tenant};
use crate::support::{eventually, settings, soon};

/// A database of the same engine that nobody else has opened: how many connections to it are open?
struct Lonely {
    url: String,
    file: Option<PathBuf>,
}

impl Lonely {
    fn beside(db: &TestDb) -> Self {
        let url = format!("{}_lonely", db.url());
        if let Some(path) = url.strip_prefix("sqlite:") {
            store::migrate::run(&settings(&url)).unwrap();
            let file = Some(path.into());
            return Self { url, file };
        }
        let (_, name) = url.rsplit_once('/').unwrap();
        Raw::to(db).run(&format!("CREATE DATABASE {name}")).unwrap();
        store::migrate::run(&settings(&url)).unwrap();
        Self { url, file: None }
    }

    fn connections(&self, db: &TestDb) -> usize {
        if let Some(file) = &self.file {
            return open_files(file);
        }
        let (_, name) = self.url.rsplit_once('/').unwrap();
        Raw::to(db).count(&format!("pg_stat_activity WHERE datname = '{name}'"))
    }
}

fn open_files(path: &Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = links.filter_map(|link| std::fs::read_link(link.path()).ok());
    targets.filter(|target| target == path).count()
}

testkit::both_databases! {
    async fn a_closed_database_has_no_connections_even_if_somebody_keeps_a_batcher(db: TestDb) {
        let lonely = Lonely::beside(&db);
        eventually("migrating has ended", async || lonely.connections(&db) == 0).await;
        let opened = Db::open(&settings(&lonely.url)).unwrap();
        assert!(lonely.connections(&db) > 0);
        let handler: BatchHandler<u128, u128> = Arc::new(|_, commands| Ok(commands.to_vec()));
        let batcher = opened.batcher(handler);
        assert_eq!(batcher.submit(1, 1).await.unwrap(), 1);
        let clone = opened.clone();
        drop(opened);
        clone.read(|_| Ok::<_, StoreError>(())).await.unwrap();
        soon(tokio::task::spawn_blocking(move || drop(clone))).await.unwrap();
        eventually("the connections are closed", async || lonely.connections(&db) == 0).await;
        let late = soon(batcher.submit(1, 2)).await;
        assert!(matches!(late, Err(StoreError::Stopped)), "{late:?}");
    }

    async fn what_waits_when_the_database_is_closed_is_still_carried_out(db: TestDb) {
        let mut one = settings(db.url());
        one.write_connections = 1;
        let closing = Db::open(&one).unwrap();
        let handler: BatchHandler<u128, u128> = Arc::new(|tx, commands| {
            store::holds::insert(tx, &commands.iter().map(|n| hold(*n)).collect::<Vec<_>>())?;
            Ok(commands.to_vec())
        });
        let batcher = closing.batcher(handler);
        let (started, has_started) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let mut plug = Box::pin(closing.write(move |_| {
            started.send(()).unwrap();
            may_go.recv().unwrap();
            Ok::<_, StoreError>(())
        }));
        assert!(poll_immediate(&mut plug).await.is_none());
        has_started.recv().unwrap();
        let writes = (10..30).map(|n| {
            let new = tenant(TenantId::from_bits(n), &format!("tenant {n}"));
            closing.write(move |tx| store::tenants::insert(tx, &new))
        });
        let mut writes = Box::pin(join_all(writes));
        assert!(poll_immediate(&mut writes).await.is_none());
        let mut batched = Box::pin(join_all((10..30).map(|n| batcher.submit(n, n))));
        drop(poll_immediate(&mut batched).await);
        // Their callers have gone, and the database with them.
        drop((plug, writes));
        let closer = tokio::task::spawn_blocking(move || drop(closing));
        go.send(()).unwrap();
        soon(closer).await.unwrap();
        assert!(soon(batched).await.iter().all(Result::is_ok));
        let mut raw = Raw::to(&db);
        assert_eq!((raw.count("tenants"), raw.count("holds")), (1 + 20, 20));
    }

    async fn work_may_drop_the_last_reference_to_its_database(db: TestDb) {
        let opened = Db::open(&settings(db.url())).unwrap();
        let inner = opened.clone();
        let (started, has_started) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let caller = tokio::spawn(async move {
            let mut last = Some(inner);
            opened.write(move |tx| {
                started.send(()).unwrap();
                may_go.recv().unwrap();
                store::tenants::insert(tx, &tenant(ACME, "acme"))?;
                drop(last.take());
                Ok::<_, StoreError>(())
            }).await
        });
        tokio::task::spawn_blocking(move || has_started.recv().unwrap()).await.unwrap();
        caller.abort();
        drop(caller.await);
        go.send(()).unwrap();
        eventually("the tenant is written", async || {
            db.read(|tx| store::tenants::find(tx, ACME)).await.unwrap().is_some()
        }).await;
    }
}

#[tokio::test]
async fn a_reader_of_another_process_survives_the_end_of_the_writer() {
    let db = TestDb::sqlite();
    let second = db.open_again();
    add_acme(&second).await;
    drop(second);
    assert!(
        db.read(|tx| store::tenants::find(tx, ACME))
            .await
            .unwrap()
            .is_some()
    );
}
