//! Is an LLM Run held to the thresholds that only its course can tell: its first byte, its end, its attempts?

use std::collections::BTreeMap;

use model::id::LimitId;
use model::limit::{Consequence, Degrade, Enforcement, Handling, LimitCategory, LimitType};
use model::run::{Operation, Run, RunStatus, UsageSource};
use serde_json::json;
use services::audit::Author;
use services::gateway::GatewayError;
use services::limits::{Done, LimitError, Owner, Written};
use services::words::Draft;
use testkit::db::TestDb;
use testkit::upstream::Fault;

use crate::books::draft;
use crate::gateway::chat;
use crate::harness::{Setup, World};

fn threshold(
    limit_type: LimitType,
    max: i64,
    enforcement: Enforcement,
    consequence: Option<Consequence>,
) -> Draft {
    Draft {
        enforcement,
        handling: Handling {
            consequence,
            ..Handling::default()
        },
        ..draft(LimitCategory::Threshold, limit_type, max)
    }
}

/// Long enough for every bound of these tests to be passed by it, and none by anything else.
const LATE: u64 = 1_500;
const BOUND: i64 = 400;

fn unavailable() -> Fault {
    Fault::Status {
        status: 503,
        body: None,
        headers: BTreeMap::from([("retry-after-ms".to_owned(), "1".to_owned())]),
    }
}

impl World {
    /// Takes a limit away again.
    async fn lift(&self, limit: LimitId) {
        let owner = Owner::Tenant(self.tenant);
        services::limits::delete(&self.cx, owner, Author::system(), limit, None)
            .await
            .unwrap();
    }

    /// Makes a limit, or says which fields of it are wrong.
    async fn tries(&self, draft: Draft) -> Result<LimitId, Vec<&'static str>> {
        let owner = Owner::Tenant(self.tenant);
        let rendered = |_: &Written| String::new();
        match services::limits::create(&self.cx, owner, Author::system(), draft, None, rendered).await {
            Ok(Done::Now(limit, _)) => Ok(limit.id),
            Err(LimitError::Invalid(problems)) => Err(problems.iter().map(|problem| problem.field).collect()),
            other => panic!("neither made nor invalid: {other:?}"),
        }
    }

    /// The next answer takes a while, and comes with the third attempt.
    fn slow_and_tried_thrice(&self) {
        for _ in 0..2 {
            self.upstream.fault(unavailable());
        }
        self.upstream.fault(Fault::Delay { ms: 50 });
    }

    /// What the timeline says of the limit, first to last.
    async fn told(&self, limit: LimitId) -> Vec<String> {
        let (tenant, id) = (self.tenant, limit.to_string());
        let events = self
            .cx
            .db
            .read(move |tx| store::timeline::events_of(tx, tenant, &id));
        events.await.unwrap()
    }

    /// Serves, and expects to be cut off by this limit before anything is passed on.
    async fn cut_off(&self, expected: LimitId) -> Run {
        match self.serve(Operation::Chat, &chat(&json!({}))).await {
            Err(GatewayError::CutOff { limit, run, .. }) => {
                assert_eq!(limit.map(|(id, _)| id), Some(expected));
                self.run(run).await
            }
            other => panic!("expected to be cut off, got {other:?}"),
        }
    }

    /// The run was stopped by us, recorded once, and what it may have cost is settled.
    async fn assert_halted(&self, run: &Run, limit: LimitId) {
        let code = run.error_code.as_deref();
        assert_eq!(
            (run.status, code),
            (RunStatus::Halted, Some("THRESHOLD_LIMIT_EXCEEDED"))
        );
        assert_eq!(run.usage_source, UsageSource::Estimated);
        assert_eq!(run.cost, Some(run.estimated.cost));
        assert_eq!(self.breaches(limit).await, 1);
        self.all_ended().await;
    }
}

testkit::both_databases! {
    async fn without_a_first_byte_in_time_the_call_is_given_up_and_settled(db: TestDb) {
        let world = World::new(db).await;
        world.limit(threshold(LimitType::LatencyMs, 60_000, Enforcement::Reject, None)).await;
        for (enforcement, consequence) in [(Enforcement::Block, None), (Enforcement::Alert, Some(Consequence::Abort))] {
            let limit = world.limit(threshold(LimitType::LatencyMs, BOUND, enforcement, consequence)).await;
            world.upstream.fault(Fault::Delay { ms: LATE });
            let run = world.cut_off(limit).await;
            world.assert_halted(&run, limit).await;
            world.lift(limit).await;
        }
    }

    async fn a_late_first_byte_under_a_limit_that_only_tells_is_served_and_recorded(db: TestDb) {
        let world = World::new(db).await;
        let told = threshold(LimitType::LatencyMs, 50, Enforcement::Alert, Some(Consequence::Incident));
        let told = world.limit(told).await;
        let wide = world.limit(threshold(LimitType::LatencyMs, 60_000, Enforcement::Warn, None)).await;
        world.upstream.fault(Fault::Delay { ms: 200 });
        let got = world.call(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!(world.run(got.run).await.status, RunStatus::Succeeded);
        assert_eq!((world.breaches(told).await, world.breaches(wide).await), (1, 0));
    }

    async fn a_stream_that_takes_too_long_ends_with_an_error_and_is_settled(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(threshold(LimitType::DurationMs, 1_500, Enforcement::Reject, None)).await;
        world.upstream.fault(Fault::DelayBetweenEvents { ms: 400 });
        let got = world.call(Operation::Chat, &chat(&json!({"stream": true}))).await;
        assert_eq!(got.broken, Some("threshold_cut_off"));
        assert!(!got.body.is_empty());
        world.run_ended(got.run).await;
        world.assert_halted(&world.run(got.run).await, limit).await;
    }

    async fn a_whole_answer_that_takes_too_long_is_not_waited_for(db: TestDb) {
        let world = World::new(db).await;
        let limit = world.limit(threshold(LimitType::DurationMs, BOUND, Enforcement::Block, None)).await;
        world.upstream.fault(Fault::Delay { ms: LATE });
        let run = world.cut_off(limit).await;
        world.assert_halted(&run, limit).await;
    }

    async fn a_strict_limit_of_retries_stops_trying_and_one_that_tells_counts_them(db: TestDb) {
        let world = World::with(db, Setup { max_retries: 2, ..Setup::default() }).await;
        let strict = world.limit(threshold(LimitType::RetryCount, 1, Enforcement::Block, None)).await;
        for _ in 0..2 {
            world.upstream.fault(unavailable());
        }
        let got = world.call(Operation::Chat, &chat(&json!({}))).await;
        let run = world.run(got.run).await;
        assert_eq!((run.status, run.retries, world.upstream.request_count()), (RunStatus::Failed, 1, 2));
        // It has not passed the limit: it was kept from that.
        assert_eq!(world.breaches(strict).await, 0);
        world.lift(strict).await;
        let told = world.limit(threshold(LimitType::RetryCount, 1, Enforcement::Alert, None)).await;
        for _ in 0..2 {
            world.upstream.fault(unavailable());
        }
        let got = world.call(Operation::Chat, &chat(&json!({}))).await;
        let run = world.run(got.run).await;
        assert_eq!((run.status, run.retries, world.breaches(told).await), (RunStatus::Succeeded, 2, 1));
    }

    async fn what_an_alert_and_a_warning_say_of_what_is_known_afterwards(db: TestDb) {
        let world = World::with(db, Setup { max_retries: 2, ..Setup::default() }).await;
        for limit_type in [LimitType::LatencyMs, LimitType::DurationMs, LimitType::RetryCount] {
            let alert = world.limit(threshold(limit_type, 1, Enforcement::Alert, None)).await;
            let warn = world.limit(threshold(limit_type, 1, Enforcement::Warn, None)).await;
            for turn in 1..=2 {
                world.slow_and_tried_thrice();
                let served = world.serve(Operation::Chat, &chat(&json!({}))).await.unwrap();
                let said: Vec<_> = served.answer.output.warnings.iter().map(|report| report.limit).collect();
                assert_eq!(said, [alert, warn], "{limit_type:?}");
                crate::harness::read(served).await;
                // A threshold is about one LLM Run: each one that passes it is told.
                assert_eq!((world.breaches(alert).await, world.breaches(warn).await), (turn, turn));
            }
            assert_eq!(world.told(alert).await, ["limit_created", "limit_breached", "alert_fired", "limit_breached", "alert_fired"]);
            assert_eq!(world.told(warn).await, ["limit_created", "limit_breached", "limit_breached"]);
            for limit in [alert, warn] {
                world.lift(limit).await;
            }
        }
        world.all_ended().await;
    }

    async fn a_stream_says_at_its_beginning_what_is_known_by_then_and_the_rest_is_recorded(db: TestDb) {
        let world = World::with(db, Setup { max_retries: 2, ..Setup::default() }).await;
        let tried = world.limit(threshold(LimitType::RetryCount, 1, Enforcement::Alert, None)).await;
        let slow = world.limit(threshold(LimitType::DurationMs, 1, Enforcement::Alert, None)).await;
        world.slow_and_tried_thrice();
        let served = world.serve(Operation::Chat, &chat(&json!({"stream": true}))).await.unwrap();
        let said: Vec<_> = served.answer.output.warnings.iter().map(|report| report.limit).collect();
        assert_eq!(said, [tried]);
        let got = crate::harness::read(served).await;
        world.run_ended(got.run).await;
        for limit in [tried, slow] {
            assert_eq!(world.told(limit).await, ["limit_created", "limit_breached", "alert_fired"]);
        }
    }

    async fn who_is_cut_off_or_kept_from_passing_fires_no_alert(db: TestDb) {
        let world = World::with(db, Setup { max_retries: 2, ..Setup::default() }).await;
        for enforcement in [Enforcement::Block, Enforcement::Reject] {
            let late = world.limit(threshold(LimitType::LatencyMs, BOUND, enforcement, None)).await;
            world.upstream.fault(Fault::Delay { ms: LATE });
            world.cut_off(late).await;
            assert_eq!(world.told(late).await, ["limit_created", "limit_breached"]);
            world.lift(late).await;
            let tried = world.limit(threshold(LimitType::RetryCount, 1, enforcement, None)).await;
            world.slow_and_tried_thrice();
            let got = world.call(Operation::Chat, &chat(&json!({}))).await;
            assert_eq!(world.run(got.run).await.retries, 1);
            assert_eq!(world.told(tried).await, ["limit_created"]);
            world.lift(tried).await;
            // What was not asked for any more.
            world.upstream.clear_faults();
        }
    }

    async fn what_cannot_be_done_with_what_is_known_afterwards_is_refused(db: TestDb) {
        let world = World::new(db).await;
        let degrade = Some(Degrade { model: Some("round-1".to_owned()), output_tokens: None });
        for limit_type in [LimitType::LatencyMs, LimitType::DurationMs, LimitType::RetryCount] {
            for (enforcement, degrade) in [(Enforcement::Queue, None), (Enforcement::Degrade, None), (Enforcement::Degrade, degrade.clone())] {
                let draft = threshold(limit_type, 5, enforcement, None);
                let handling = Handling { degrade, ..draft.handling.clone() };
                let made = world.tries(Draft { handling, ..draft }).await;
                assert_eq!(made, Err(vec!["enforcement"]), "{limit_type:?} {enforcement:?}");
            }
            for enforcement in [Enforcement::Block, Enforcement::Reject, Enforcement::Warn, Enforcement::Alert] {
                let made = world.tries(threshold(limit_type, 5, enforcement, None)).await;
                world.lift(made.unwrap()).await;
            }
        }
        let queue = threshold(LimitType::ErrorRatePct, 5, Enforcement::Queue, None);
        assert_eq!(world.tries(queue).await, Err(vec!["enforcement"]));
    }
}
