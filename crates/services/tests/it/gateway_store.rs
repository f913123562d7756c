//! What becomes of the money when the books cannot be written, or slowly?

use std::sync::mpsc;
use std::time::Duration;

use futures_util::StreamExt as _;
use model::hold::HoldStatus;
use model::id::{HoldId, TenantId};
use model::run::{Operation, RunStatus};
use serde_json::{Value, json};
use services::gateway::{GatewayError, ServedBody};
use services::upkeep::expire_holds;
use store::{Db, StoreError};
use testkit::db::TestDb;
use testkit::upstream::Fault;

use crate::gateway::{PLAIN_COST, assert_ended, chat, served};
use crate::harness::{Setup, USD, World};

fn stream() -> Value {
    chat(&json!({"stream": true}))
}

/// Keeps everybody else from ending this hold.
struct Outage {
    end: mpsc::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Outage {
    async fn of(other: Db, tenant: TenantId, hold: HoldId) -> Self {
        let (end, ended) = mpsc::channel::<()>();
        let (begin, locked) = tokio::sync::oneshot::channel();
        let mut begin = Some(begin);
        let task = tokio::spawn(async move {
            let holding = other.locked(move |tx| {
                // SQLite has one writer, PostgreSQL a lock on the row.
                store::holds::lock(tx, &[(tenant, hold)])?;
                begin.take().map(|begin| begin.send(()));
                ended.recv().unwrap();
                Ok::<(), StoreError>(())
            });
            holding.await.unwrap();
        });
        locked.await.unwrap();
        Self { end, task }
    }

    /// As soon as there is a hold.
    async fn begins(world: &World, other: Db) -> Self {
        world.until_held().await;
        let holds = world.holds().await;
        let hold = holds.iter().find(|hold| hold.status == HoldStatus::Pending);
        Self::of(other, world.tenant, hold.unwrap().id).await
    }

    async fn end(self) {
        self.end.send(()).unwrap();
        self.task.await.unwrap();
    }
}

fn hasty() -> Setup {
    Setup {
        lock_timeout: Some(Duration::from_millis(100)),
        ..Setup::default()
    }
}

/// A stream that cannot be settled before all of its text is there, or before its end is there.
async fn stream_under_an_outage(db: TestDb, settle_wait: Duration, in_time: bool) {
    let mut setup = Setup::default();
    setup.gateway.settle_wait = settle_wait;
    let world = World::with(db, setup).await;
    world.budget(USD).await;
    let other = world.db.open_again();
    world.upstream.fault(Fault::Delay { ms: 2_000 });
    let request = stream();
    let serving = world.serve(Operation::Chat, &request);
    let (served, outage) = tokio::join!(serving, Outage::begins(&world, other));
    let served = served.unwrap();
    let run = served.run;
    let ServedBody::Stream(mut chunks) = served.body else {
        panic!("expected a stream")
    };
    let (mut seen, mut outage) = (String::new(), Some(outage));
    while !seen.contains("[DONE]") {
        seen.push_str(std::str::from_utf8(&chunks.next().await.unwrap().unwrap()).unwrap());
        if seen.contains("\"stop\"")
            && in_time
            && let Some(outage) = outage.take()
        {
            // The text is there, its end is not.
            assert!(!seen.contains("[DONE]"));
            outage.end().await;
        }
    }
    let settled = world.run(run).await.status == RunStatus::Succeeded;
    assert_eq!(settled, in_time, "what an SDK finds that stops at the mark");
    if let Some(outage) = outage {
        outage.end().await;
    }
    world.run_ended(run).await;
    world.all_ended().await;
}

testkit::both_databases! {
    async fn an_answer_is_given_although_it_cannot_be_settled_and_the_hold_ends_by_itself(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(USD).await;
        for body in [chat(&json!({})), stream()] {
            world.upstream.fault(Fault::Delay { ms: 2_000 });
            let breaking = async {
                world.until_held().await;
                world.repeat_ids(Some(1));
            };
            let (got, ()) = tokio::join!(world.call(Operation::Chat, &body), breaking);
            assert_eq!((got.status.as_u16(), got.broken), (200, None));
            assert_eq!(world.open_holds().await, 1);
            assert_eq!(world.run(got.run).await.status, RunStatus::Running);
            world.repeat_ids(None);
            world.balanced().await;
            assert_eq!(expire_holds(&world.cx).await.unwrap(), 0, "not before its time");
            world.clock.advance_seconds(600);
            assert_eq!(expire_holds(&world.cx).await.unwrap(), 1);
            assert_eq!(world.usage(budget).await, (0, 0));
            world.all_ended().await;
        }
    }

    async fn what_the_store_refuses_for_a_while_is_settled_afterwards(db: TestDb) {
        let world = World::with(db, hasty()).await;
        let budget = world.budget(USD).await;
        for (nth, body) in [chat(&json!({})), stream()].into_iter().enumerate() {
            let other = world.db.open_again();
            world.upstream.fault(Fault::Delay { ms: 2_000 });
            let (got, outage) = tokio::join!(world.call(Operation::Chat, &body), Outage::begins(&world, other));
            assert_eq!((got.status.as_u16(), got.broken), (200, None));
            assert_eq!(world.open_holds().await, 1, "nobody could settle it");
            // Several attempts fail.
            tokio::time::sleep(Duration::from_millis(700)).await;
            assert_eq!(world.open_holds().await, 1);
            outage.end().await;
            world.run_ended(got.run).await;
            assert_ended(&world, got.run, served(PLAIN_COST)).await;
            let times = i64::try_from(nth).unwrap() + 1;
            assert_eq!(world.usage(budget).await, (times * PLAIN_COST, 0));
        }
    }

    async fn the_end_of_a_stream_waits_for_its_books(db: TestDb) {
        stream_under_an_outage(db, Duration::from_secs(20), true).await;
    }

    async fn the_end_of_a_stream_does_not_wait_for_its_books_for_long(db: TestDb) {
        stream_under_an_outage(db, Duration::from_millis(500), false).await;
    }

    async fn nothing_is_sent_while_nobody_can_tell_whether_it_fits(db: TestDb) {
        let world = World::new(db).await;
        world.budget(USD).await;
        let first = world.call(Operation::Chat, &chat(&json!({}))).await;
        // Another hold of the same id.
        world.repeat_ids(Some(world.holds().await[0].id.bits()));
        let refused = world.serve(Operation::Chat, &chat(&json!({}))).await;
        assert!(matches!(refused, Err(GatewayError::Unenforceable(_))), "{refused:?}");
        world.repeat_ids(None);
        assert_eq!(world.upstream.request_count(), 1);
        assert_ended(&world, first.run, served(PLAIN_COST)).await;
    }
}
