//! Is every error written down, whatever becomes of its id and of the database?

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use futures_util::FutureExt as _;
use infra::envelope::{ErrorEnvelope, ErrorId, ErrorSeverity, InfraClass, L5};
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use model::id::IdGenerator;
use model::time::Timestamp;
use services::Context;
use services::journal::{ApiCall, Journal, write_down};
use store::{Db, Settings, StoreError};
use testkit::db::TestDb;

use crate::harness::World;

/// An id that an error has already.
const TAKEN: u128 = 0xbad;

/// How many errors wait at most.
const BOUND: usize = 10_000;

fn error(id: u128, message: &str) -> ErrorEnvelope {
    let (id, at) = (ErrorId::from_bits(id), Timestamp::from_micros(1_000_000));
    ErrorEnvelope::new::<L5, _>(InfraClass::Timeout, ErrorSeverity::Error, "test", message, id, at)
}

/// The messages that are stored, sorted.
async fn stored(db: &Db) -> Vec<String> {
    let most = i64::try_from(BOUND * 2).unwrap();
    let since = Timestamp::from_micros(0);
    let records = db.read(move |tx| store::infra_errors::by_component(tx, "test", since, most));
    let records = records.await.unwrap();
    let ids: BTreeSet<&str> = records.iter().map(|record| record.error_id.as_str()).collect();
    assert_eq!(ids.len(), records.len());
    let mut messages: Vec<String> = records.into_iter().map(|record| record.message).collect();
    messages.sort();
    messages
}

/// A world in which one error has [`TAKEN`].
async fn with_an_error(db: TestDb) -> World {
    let world = World::new(db).await;
    world.cx.journal.error(error(TAKEN, "first"));
    write_down(&world.cx).await.unwrap();
    world
}

/// Ids with which something happens when the next one is drawn.
#[derive(Default)]
struct Hooked(Mutex<Option<Box<dyn FnOnce() + Send>>>, AtomicU64);

impl IdGenerator for Hooked {
    fn next(&self) -> u128 {
        if let Some(hook) = self.0.lock().unwrap().take() {
            hook();
        }
        u128::from(self.1.fetch_add(1, Ordering::SeqCst)) + TAKEN + 1
    }
}

/// A context whose database has one short queue of writes.
fn narrow(world: &World) -> Context {
    let mut settings = Settings::for_url(world.db.url()).unwrap();
    (settings.write_connections, settings.queue_depth) = (1, 2);
    let mut cx = world.cx.clone();
    cx.db = Db::open(&settings).unwrap();
    cx
}

/// The same with `hook` at the next id.
fn hooked(world: &World, hook: impl FnOnce(&Db, &Journal) + Send + 'static) -> Context {
    let (ids, mut cx) = (Arc::new(Hooked::default()), narrow(world));
    let (db, journal) = (cx.db.clone(), Arc::clone(&cx.journal));
    *ids.0.lock().unwrap() = Some(Box::new(move || hook(&db, &journal)));
    cx.ids = ids;
    cx
}

/// Lets writes wait until the sender is dropped: this one, and those behind it.
fn stop(db: &Db, gate: mpsc::Receiver<()>) {
    let (reached, arrival) = mpsc::channel();
    let waiting = db.write(move |_| {
        reached.send(()).ok();
        gate.recv().ok();
        Ok::<_, StoreError>(())
    });
    assert!(waiting.now_or_never().is_none());
    // From here on nothing leaves the queue.
    arrival.recv().unwrap();
}

/// The same, and lets no more writes into the queue.
fn clog(db: &Db, gate: mpsc::Receiver<()>) {
    stop(db, gate);
    let idle = || db.write(|_| Ok::<_, StoreError>(())).now_or_never();
    while idle().is_none() {}
}

/// Counts what `plimsoll_errors_not_stored_total` is told.
#[derive(Default)]
struct NotStored(Arc<Count>);

#[derive(Default)]
struct Count(AtomicU64);

impl CounterFn for Count {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::SeqCst);
    }

    fn absolute(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }
}

impl metrics::Recorder for NotStored {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == "plimsoll_errors_not_stored_total" {
            Counter::from_arc(Arc::clone(&self.0))
        } else {
            Counter::noop()
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

testkit::both_databases! {
    async fn an_error_whose_id_is_taken_gets_another_one(db: TestDb) {
        let world = with_an_error(db).await;
        world.cx.journal.error(error(TAKEN, "second"));
        world.cx.journal.error(error(1, "third"));
        write_down(&world.cx).await.unwrap();
        write_down(&world.cx).await.unwrap();
        assert_eq!(stored(&world.cx.db).await, ["first", "second", "third"]);
    }

    async fn errors_of_one_id_are_each_written_once(db: TestDb) {
        let world = World::new(db).await;
        for message in ["a", "b", "c"] {
            world.cx.journal.error(error(1, message));
        }
        write_down(&world.cx).await.unwrap();
        write_down(&world.cx).await.unwrap();
        assert_eq!(stored(&world.cx.db).await, ["a", "b", "c"]);
    }

    async fn an_error_that_finds_no_free_id_waits_for_the_next_time(db: TestDb) {
        let world = with_an_error(db).await;
        world.repeat_ids(Some(TAKEN));
        world.cx.journal.error(error(TAKEN, "second"));
        write_down(&world.cx).await.unwrap();
        assert_eq!(stored(&world.cx.db).await, ["first"]);
        world.repeat_ids(None);
        write_down(&world.cx).await.unwrap();
        assert_eq!(stored(&world.cx.db).await, ["first", "second"]);
    }

    async fn an_error_that_needs_another_id_outlives_a_database_that_fails_then(db: TestDb) {
        let world = with_an_error(db).await;
        let (open, gate) = mpsc::channel();
        let cx = hooked(&world, |db, _| clog(db, gate));
        cx.journal.error(error(TAKEN, "second"));
        let failed = write_down(&cx).await;
        drop(open);
        assert!(matches!(failed, Err(StoreError::Overloaded)), "{failed:?}");
        write_down(&world.cx).await.unwrap();
        assert_eq!(stored(&cx.db).await, ["first", "second"]);
    }

    async fn what_is_being_written_waits_again_when_the_writing_is_given_up(db: TestDb) {
        let world = World::new(db).await;
        let (open, gate) = mpsc::channel();
        let cx = narrow(&world);
        stop(&cx.db, gate);
        cx.journal.error(error(1, "only"));
        let given_up = write_down(&cx).now_or_never();
        drop(open);
        assert!(given_up.is_none(), "{given_up:?}");
        write_down(&cx).await.unwrap();
        write_down(&cx).await.unwrap();
        assert_eq!(stored(&cx.db).await, ["only"]);
    }

    async fn what_the_full_journal_turns_away_is_counted_and_the_oldest_are_kept(db: TestDb) {
        let metrics = NotStored::default();
        let _recording = metrics::set_default_local_recorder(&metrics);
        let world = World::new(db).await;
        let (open, gate) = mpsc::channel();
        // More come while those before them cannot be written.
        let cx = hooked(&world, |db, journal| {
            clog(db, gate);
            for n in 6_000..12_000 {
                journal.error(error(n, &format!("{n:05}")));
            }
        });
        for n in 0..6_000 {
            cx.journal.error(error(n, &format!("{n:05}")));
        }
        // Its event draws the id.
        cx.journal.call(ApiCall {
            tenant: None,
            endpoint: "/".to_owned(),
            method: "GET".to_owned(),
            status: 200,
        });
        let failed = write_down(&cx).await;
        drop(open);
        assert!(matches!(failed, Err(StoreError::Overloaded)), "{failed:?}");
        assert_eq!(metrics.0.0.load(Ordering::SeqCst), 2_000);
        cx.journal.error(error(12_000, "12000"));
        assert_eq!(metrics.0.0.load(Ordering::SeqCst), 2_001);
        write_down(&world.cx).await.unwrap();
        let kept: Vec<String> = (0..BOUND).map(|n| format!("{n:05}")).collect();
        assert_eq!(stored(&cx.db).await, kept);
    }
}
