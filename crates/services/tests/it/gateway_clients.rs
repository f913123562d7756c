//! What is settled when the client goes away?

use std::time::Duration;

use futures_util::StreamExt as _;
use model::hold::HoldStatus;
use model::run::{Operation, RunStatus, UsageSource};
use serde_json::{Value, json};
use services::gateway::{Served, ServedBody};
use testkit::db::TestDb;
use testkit::upstream::{Fault, Outcome, Reply};
use tokio::time::timeout;
use workers::upstream::Timeouts;

use crate::gateway::{Ended, PLAIN_COST, assert_ended, body, chat, estimated, served, worst_case};
use crate::harness::{Setup, USD, World};

const GONE: &str = "client_disconnected";

fn stream() -> Value {
    chat(&json!({"stream": true}))
}

/// Reads the first bytes of an answer and goes away.
async fn reads_a_little_and_leaves(served: Served) {
    let ServedBody::Stream(mut stream) = served.body else {
        panic!("expected a stream");
    };
    assert!(!stream.next().await.unwrap().unwrap().is_empty());
}

fn short_drain() -> Setup {
    let mut setup = Setup::default();
    setup.gateway.drain_timeout = Duration::from_millis(100);
    setup
}

const fn aborted(cost: i64) -> Ended {
    Ended {
        run: RunStatus::Aborted,
        error: Some(GONE),
        ..served(cost)
    }
}

testkit::both_databases! {
    async fn a_client_that_leaves_in_the_middle_pays_what_was_really_used(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(USD).await;
        let mut sum = 0;
        for (operation, cost) in [
            (Operation::Chat, PLAIN_COST),
            (Operation::Responses, PLAIN_COST),
            (Operation::Messages, 12 * 1_000 + 7 * 5_000),
        ] {
            world.upstream.fault(Fault::DelayBetweenEvents { ms: 200 });
            let served = world.serve(operation, &body(operation, true)).await.unwrap();
            let run = served.run;
            reads_a_little_and_leaves(served).await;
            world.run_ended(run).await;
            assert_ended(&world, run, aborted(cost)).await;
            assert_eq!(world.upstream.requests().pop().unwrap().outcome, Outcome::Sent);
            sum += cost;
            assert_eq!(world.usage(budget).await, (sum, 0));
        }
    }

    async fn what_is_not_read_to_its_end_in_time_costs_what_was_held(db: TestDb) {
        let world = World::with(db, short_drain()).await;
        let budget = world.budget(USD).await;
        let mut sum = 0;
        for operation in [Operation::Chat, Operation::Messages] {
            world.upstream.fault(Fault::DelayBetweenEvents { ms: 1_000 });
            let served = world.serve(operation, &body(operation, true)).await.unwrap();
            let (run, held) = (served.run, served.answer.hold.as_ref().unwrap().requested.cost.0);
            reads_a_little_and_leaves(served).await;
            world.run_ended(run).await;
            // Anthropic has told the input by now; what else it made until then nobody knows.
            assert_ended(&world, run, estimated(RunStatus::Aborted, GONE, held)).await;
            sum += held;
            assert_eq!(world.usage(budget).await, (sum, 0));
            let seen_off = |up: &testkit::upstream::Scripted| {
                up.requests().pop().unwrap().outcome == Outcome::Abandoned
            };
            assert!(world.upstream.wait_until(seen_off), "the provider is hung up on");
        }
    }

    async fn a_provider_that_breaks_while_nobody_listens_costs_what_was_held(db: TestDb) {
        let world = World::new(db).await;
        world.budget(USD).await;
        world.upstream.reply(Reply { stream_chunks: 20, ..Reply::default() });
        // Slowly, so that the client is gone before the provider breaks.
        world.upstream.fault(Fault::DropAfterSlowEvents { events: 10, ms: 100 });
        let served = world.serve(Operation::Chat, &stream()).await.unwrap();
        let run = served.run;
        drop(served);
        world.run_ended(run).await;
        let want = estimated(RunStatus::Aborted, GONE, worst_case(&stream(), 1_000));
        assert_ended(&world, run, want).await;
    }

    async fn a_client_that_leaves_before_the_answer_begins_leaves_no_hold_open(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(USD).await;
        for (nth, (body, want)) in [
            (chat(&json!({})), served(PLAIN_COST)),
            (stream(), aborted(PLAIN_COST)),
        ].into_iter().enumerate() {
            world.upstream.fault(Fault::Delay { ms: 2_000 });
            let sent = async {
                while world.upstream.request_count() <= nth {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                served = world.serve(Operation::Chat, &body) => panic!("answered: {served:?}"),
                () = sent => {}
            }
            let run = world.newest_run().await;
            world.run_ended(run).await;
            assert_ended(&world, run, want).await;
            let paid = PLAIN_COST * (i64::try_from(nth).unwrap() + 1);
            assert_eq!(world.usage(budget).await, (paid, 0));
        }
    }

    async fn a_client_that_leaves_a_provider_that_never_answers_pays_what_was_held(db: TestDb) {
        let [connect, first_byte] = [1, 2].map(Duration::from_secs);
        let timeouts = Timeouts { connect, first_byte, idle: first_byte };
        let world = World::with(db, Setup { timeouts, ..Setup::default() }).await;
        world.budget(USD).await;
        world.upstream.fault(Fault::Delay { ms: 30_000 });
        let body = stream();
        tokio::select! {
            served = world.serve(Operation::Chat, &body) => panic!("answered: {served:?}"),
            () = world.until_held() => {}
        }
        let run = world.newest_run().await;
        world.run_ended(run).await;
        let want = estimated(RunStatus::Failed, "upstream_timeout", worst_case(&body, 1_000));
        assert_ended(&world, run, want).await;
    }

    async fn a_client_that_takes_nothing_counts_as_gone(db: TestDb) {
        let mut setup = Setup::default();
        setup.gateway.stall_timeout = Duration::from_millis(200);
        let world = World::with(db, setup).await;
        let budget = world.budget(USD).await;
        // More than may wait for the client.
        world.upstream.reply(Reply { stream_chunks: 400, ..Reply::default() });
        world.upstream.fault(Fault::DelayBetweenEvents { ms: 1 });
        let served = world.serve(Operation::Chat, &stream()).await.unwrap();
        world.run_ended(served.run).await;
        assert_ended(&world, served.run, aborted(PLAIN_COST)).await;
        assert_eq!(world.usage(budget).await, (PLAIN_COST, 0));
    }

    async fn clients_that_leave_at_any_moment_leave_the_books_in_order(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(100 * USD).await;
        world.upstream.reply(Reply { stream_chunks: 10, ..Reply::default() });
        world.upstream.fault_times(Fault::DelayBetweenEvents { ms: 5 }, 40);
        let body = stream();
        let calls = (0..40).map(|nth: u64| {
            let patience = Duration::from_millis(nth * 3);
            timeout(patience, world.call(Operation::Chat, &body))
        });
        futures_util::future::join_all(calls).await;
        // Some of those that nobody waits for any more have not been held yet.
        assert!(world.cx.gateway.flights.landed(Duration::from_secs(10)).await);
        let mut sum = 0;
        for hold in world.holds().await {
            let run = hold.run.unwrap();
            world.run_ended(run).await;
            let run = world.run(run).await;
            assert_eq!(run.usage_source, UsageSource::Provider, "{run:?}");
            sum += run.cost.unwrap().0;
        }
        let settled = world.holds().await.iter().filter(|h| h.status == HoldStatus::Settled).count();
        assert_eq!(world.upstream.request_count(), settled);
        assert_eq!(world.usage(budget).await, (sum, 0));
        world.all_ended().await;
    }
}
