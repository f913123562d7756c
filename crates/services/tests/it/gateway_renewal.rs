//! What becomes of the money of a run that takes longer than its hold lives?

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use model::event::OpsEventType;
use model::hold::HoldStatus;
use model::run::{Operation, RunStatus};
use serde_json::{Value, json};
use services::Context;
use services::gateway::{Gateway, GatewayError, Served, ServedBody};
use services::upkeep::expire_holds;
use testkit::db::TestDb;
use testkit::upstream::Fault;
use workers::upstream::UpstreamPool;

use crate::gateway::{Ended, PLAIN_COST, assert_ended, chat, released, served};
use crate::harness::{Setup, USD, World};

fn stream() -> Value {
    chat(&json!({"stream": true}))
}

impl World {
    /// A process beside this one on the same database: none of the requests on their way is its own.
    pub(crate) fn another_process(&self) -> Context {
        let (clock, ids) = (Arc::clone(&self.cx.clock), Arc::clone(&self.cx.ids));
        let pool = UpstreamPool::new(&[], Setup::default().timeouts, 0).unwrap();
        let gateway = Gateway::new(pool, self.cx.gateway.settings.clone());
        Context::new(
            self.db.open_again(),
            clock,
            ids,
            Arc::clone(&self.cx.prices),
            gateway,
        )
    }

    /// A stream that is slow enough for something to happen meanwhile.
    async fn slow_stream(&self) -> Served {
        self.upstream.fault(Fault::DelayBetweenEvents { ms: 500 });
        self.serve(Operation::Chat, &stream()).await.unwrap()
    }
}

async fn read_to_its_end(served: Served) {
    let ServedBody::Stream(mut chunks) = served.body else {
        panic!("expected a stream")
    };
    while let Some(chunk) = chunks.next().await {
        chunk.unwrap();
    }
}

testkit::both_databases! {
    async fn a_stream_that_outlives_its_hold_keeps_its_room(db: TestDb) {
        let world = World::new(db).await;
        let (budget, other) = (world.budget(USD).await, world.another_process());
        let answer = world.slow_stream().await;
        let run = answer.run;
        let (settled, held) = world.usage(budget).await;
        assert!(settled == 0 && held > 0);
        for _ in 0..3 {
            world.clock.advance_seconds(601);
            assert_eq!(expire_holds(&world.cx).await.unwrap(), 0);
        }
        // Nor can anybody else take it: the hold has been renewed for all.
        assert_eq!(expire_holds(&other).await.unwrap(), 0);
        assert_eq!(world.usage(budget).await, (0, held));
        read_to_its_end(answer).await;
        assert_ended(&world, run, served(PLAIN_COST)).await;
        assert_eq!(world.usage(budget).await, (PLAIN_COST, 0));
        assert_eq!(world.events(OpsEventType::LlmCallFailed).await, 0);
        assert_eq!(world.events(OpsEventType::LlmCallMade).await, 1);
        world.all_ended().await;
        // Done is done: there is nothing left to renew.
        world.clock.advance_seconds(6_010);
        assert_eq!(expire_holds(&world.cx).await.unwrap(), 0);
    }

    async fn what_others_got_meanwhile_is_said_when_a_run_settles_late(db: TestDb) {
        let world = World::new(db).await;
        let (budget, other) = (world.budget(USD).await, world.another_process());
        let answer = world.slow_stream().await;
        let run = answer.run;
        world.clock.advance_seconds(601);
        // This process could not renew it, and another one did what it must.
        assert_eq!(expire_holds(&other).await.unwrap(), 1);
        assert_eq!(world.usage(budget).await, (0, 0));
        let all = world.check_request(USD);
        services::limits::check(&other, all, String::new(), None).await.unwrap();
        read_to_its_end(answer).await;
        assert_eq!(world.run(run).await.status, RunStatus::Succeeded);
        // The money is spent whether it fits or not, and nobody is told that all is well.
        assert_eq!(world.usage(budget).await, (PLAIN_COST, USD));
        assert_eq!(world.breaches(budget).await, 1);
        world.balanced().await;
    }

    async fn a_run_that_settles_late_and_fits_is_no_breach(db: TestDb) {
        let world = World::new(db).await;
        let (budget, other) = (world.budget(USD).await, world.another_process());
        let answer = world.slow_stream().await;
        let run = answer.run;
        world.clock.advance_seconds(601);
        assert_eq!(expire_holds(&other).await.unwrap(), 1);
        read_to_its_end(answer).await;
        assert_ended(&world, run, served(PLAIN_COST)).await;
        assert_eq!(world.usage(budget).await, (PLAIN_COST, 0));
        assert_eq!(world.breaches(budget).await, 0);
        assert_eq!(expire_holds(&world.cx).await.unwrap(), 0);
        // Both were true when they were told.
        assert_eq!(world.events(OpsEventType::LlmCallFailed).await, 1);
        assert_eq!(world.events(OpsEventType::LlmCallMade).await, 1);
    }

    async fn a_run_that_fails_and_may_be_charged_after_its_hold_expired_is_told_as_failed_once(db: TestDb) {
        let mut setup = Setup::default();
        setup.timeouts.idle = Duration::from_secs(3);
        let world = World::with(db, setup).await;
        let (budget, other) = (world.budget(USD).await, world.another_process());
        world.upstream.fault(Fault::DelayBetweenEvents { ms: 30_000 });
        let answer = world.serve(Operation::Chat, &stream()).await.unwrap();
        world.clock.advance_seconds(601);
        assert_eq!(expire_holds(&other).await.unwrap(), 1);
        let got = crate::harness::read(answer).await;
        assert_eq!(got.broken, Some("upstream_timeout"));
        let run = world.run(got.run).await;
        assert_eq!((run.status, run.error_code.as_deref()), (RunStatus::Failed, Some("upstream_timeout")));
        assert_eq!(world.usage(budget).await, (run.estimated.cost.0, 0));
        assert_eq!(world.events(OpsEventType::LlmCallFailed).await, 1);
    }

    async fn a_run_that_fails_after_its_hold_expired_is_written_down_as_failed(db: TestDb) {
        let setup = Setup {
            max_retries: 4,
            ..Setup::default()
        };
        let world = World::with(db, setup).await;
        let (budget, other) = (world.budget(USD).await, world.another_process());
        let dead = chat(&json!({"model": "dead-1"}));
        let expiring = async {
            world.until_held().await;
            world.clock.advance_seconds(601);
            assert_eq!(expire_holds(&other).await.unwrap(), 1);
        };
        let (answer, ()) = tokio::join!(world.serve(Operation::Chat, &dead), expiring);
        let Err(GatewayError::Upstream { run, .. }) = answer else {
            panic!("expected no answer, got {answer:?}");
        };
        let want = Ended {
            hold: HoldStatus::Expired,
            ..released("upstream_unreachable")
        };
        assert_ended(&world, run, want).await;
        assert_eq!(world.usage(budget).await, (0, 0));
        assert_eq!(world.events(OpsEventType::LlmCallFailed).await, 1);
    }
}
