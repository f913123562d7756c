//! What does the client get, and what is settled, when the provider fails?

use std::time::Duration;

use model::event::OpsEventType;
use model::run::{Operation, RunStatus, UsageSource};
use serde_json::{Value, json};
use services::gateway::GatewayError;
use testkit::db::TestDb;
use testkit::upstream::{Fault, Reply};
use workers::upstream::Timeouts;

use crate::gateway::{Ended, PLAIN_COST, assert_ended, body, chat, estimated, released, served, worst_case};
use crate::harness::{Got, Setup, USD, World};

fn impatient() -> Setup {
    Setup {
        timeouts: Timeouts {
            connect: Duration::from_secs(1),
            first_byte: Duration::from_secs(1),
            idle: Duration::from_secs(2),
        },
        ..Setup::default()
    }
}

fn stream() -> Value {
    chat(&json!({"stream": true}))
}

/// Expects that there is no answer, and gives the code and the run as it ended.
async fn unanswered(world: &World, body: &Value, want: Ended) -> &'static str {
    match world.serve(Operation::Chat, body).await {
        Err(GatewayError::Upstream { code, run, .. }) => {
            assert_ended(world, run, want).await;
            code
        }
        other => panic!("expected no answer, got {other:?}"),
    }
}

fn failed(error: &'static str, held: i64) -> Ended {
    estimated(RunStatus::Failed, error, held)
}

fn text(got: &Got) -> &str {
    std::str::from_utf8(&got.body).unwrap()
}

testkit::both_databases! {
    async fn a_provider_that_cannot_be_reached_costs_nothing(db: TestDb) {
        let world = World::with(db, Setup { max_retries: 1, ..impatient() }).await;
        let budget = world.budget(USD).await;
        let body = chat(&json!({"model": "dead-1"}));
        let want = released("upstream_unreachable");
        assert_eq!(unanswered(&world, &body, want).await, "upstream_unreachable");
        assert_eq!(world.usage(budget).await, (0, 0));
        assert_eq!(world.run(world.newest_run().await).await.retries, 1);
        assert_eq!(world.events(OpsEventType::LlmCallFailed).await, 1);
    }

    async fn a_request_that_was_sent_and_stays_unanswered_costs_what_was_held(db: TestDb) {
        let world = World::with(db, impatient()).await;
        let budget = world.budget(USD).await;
        let body = chat(&json!({}));
        let held = worst_case(&body, 1_000);
        for (nth, (fault, code)) in [
            (Fault::Delay { ms: 10_000 }, "upstream_timeout"),
            (Fault::DropBeforeHeaders, "upstream_error"),
            (Fault::DropAfterBytes { bytes: 20 }, "upstream_error"),
        ].into_iter().enumerate() {
            world.upstream.fault(fault);
            assert_eq!(unanswered(&world, &body, failed(code, held)).await, code);
            let times = i64::try_from(nth).unwrap() + 1;
            assert_eq!(world.usage(budget).await, (held * times, 0));
            assert_eq!(world.upstream.request_count(), nth + 1, "not sent twice");
        }
    }

    async fn a_refusal_of_the_provider_is_passed_on_after_retries_and_costs_nothing(db: TestDb) {
        let world = World::with(db, Setup { max_retries: 1, ..Setup::default() }).await;
        let budget = world.budget(USD).await;
        let not_now = |status, name: &str, value: &str| Fault::Status {
            status,
            body: None,
            headers: [(name.to_owned(), value.to_owned())].into(),
        };
        for (fault, status, requests, code) in [
            (not_now(500, "retry-after-ms", "1"), 500, 2, "server_error"),
            (not_now(503, "retry-after-ms", "1"), 503, 2, "server_error"),
            (not_now(429, "retry-after", "60"), 429, 1, "invalid_request_error"),
            (not_now(404, "x-request-id", "r"), 404, 1, "invalid_request_error"),
        ] {
            world.upstream.reset();
            world.upstream.fault_times(fault, requests);
            let got = world.call(Operation::Chat, &stream()).await;
            assert_eq!(got.status.as_u16(), status);
            assert!(text(&got).contains("the script of this test"), "{got:?}");
            assert_eq!(got.headers.get("retry-after").is_some(), status == 429);
            assert_eq!(world.upstream.request_count(), requests);
            let run = assert_ended(&world, got.run, released(code)).await;
            assert_eq!((run.http_status, run.retries), (Some(status), u32::try_from(requests).unwrap() - 1));
            assert_eq!(world.usage(budget).await, (0, 0));
        }
        world.upstream.reset();
        world.upstream.fault(not_now(500, "retry-after-ms", "1"));
        let got = world.call(Operation::Chat, &stream()).await;
        let run = assert_ended(&world, got.run, served(PLAIN_COST)).await;
        assert_eq!(run.retries, 1);
    }

    async fn a_call_that_breaks_when_it_is_tried_again_is_recorded_with_its_retries(db: TestDb) {
        let world = World::with(db, Setup { max_retries: 1, ..Setup::default() }).await;
        world.budget(USD).await;
        let body = chat(&json!({}));
        world.upstream.fault(Fault::Status {
            status: 503,
            body: None,
            headers: [("retry-after-ms".to_owned(), "1".to_owned())].into(),
        });
        world.upstream.fault(Fault::DropBeforeHeaders);
        let want = failed("upstream_error", worst_case(&body, 1_000));
        assert_eq!(unanswered(&world, &body, want).await, "upstream_error");
        assert_eq!(world.upstream.request_count(), 2);
        assert_eq!(world.run(world.newest_run().await).await.retries, 1);
    }

    async fn what_the_provider_says_about_our_key_is_not_for_the_client(db: TestDb) {
        let world = World::new(db).await;
        let told = "{\"error\":{\"message\":\"Incorrect API key provided: sk-pro***ret\",\"code\":\"invalid_api_key\"}}";
        world.upstream.fault(Fault::Status {
            status: 401,
            body: Some(told.to_owned()),
            headers: [].into(),
        });
        let want = released("upstream_credential_rejected");
        assert_eq!(unanswered(&world, &stream(), want).await, "upstream_credential_rejected");
        let run = world.run(world.newest_run().await).await;
        assert_eq!(run.http_status, Some(401));
        assert!(!format!("{run:?}").contains("sk-pro"));
    }

    async fn an_answer_that_nobody_can_read_passes_and_costs_what_was_held(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(USD).await;
        let body = chat(&json!({}));
        let held = worst_case(&body, 1_000);
        world.upstream.fault(Fault::MalformedJson);
        let got = world.call(Operation::Chat, &body).await;
        assert_eq!((got.status.as_u16(), got.cost.map(|cost| cost.0)), (200, Some(held)));
        assert!(got.body.starts_with(b"{\"choices\"") && !got.body.ends_with(b"}"), "{got:?}");
        assert_ended(&world, got.run, failed("upstream_malformed", held)).await;
        // An error under a status that denies it.
        world.upstream.fault(Fault::Status {
            status: 200,
            body: Some("{\"error\":{\"code\":\"overloaded\"}}".to_owned()),
            headers: [].into(),
        });
        let got = world.call(Operation::Chat, &body).await;
        assert_ended(&world, got.run, failed("overloaded", held)).await;
        assert_eq!(world.usage(budget).await, (2 * held, 0));
        // One event that cannot be read spoils nothing.
        world.upstream.fault(Fault::MalformedJson);
        let got = world.call(Operation::Chat, &stream()).await;
        assert!(text(&got).ends_with("data: [DONE]\n\n"));
        assert_ended(&world, got.run, served(PLAIN_COST)).await;
    }

    async fn an_answer_that_says_nothing_about_usage_costs_what_was_held(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(USD).await;
        let mut sum = 0;
        for body in [chat(&json!({})), stream()] {
            let held = worst_case(&body, 1_000);
            sum += held;
            world.upstream.fault(Fault::MissingUsage);
            let got = world.call(Operation::Chat, &body).await;
            assert_eq!((got.status.as_u16(), got.broken), (200, None));
            let want = Ended { error: None, ..estimated(RunStatus::Succeeded, "", held) };
            let run = assert_ended(&world, got.run, want).await;
            assert_eq!(run.usage, None);
            let record = &world.costs(got.run).await[0];
            assert_eq!(record.usage.output, 1_000);
            assert_eq!(world.usage(budget).await, (sum, 0));
        }
    }

    async fn more_usage_than_was_held_is_settled_as_reported_and_is_a_breach_where_it_passes_the_maximum(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(1_500 * PLAIN_COST).await;
        let mut sum = 0;
        for (nth, body) in [chat(&json!({})), stream()].into_iter().enumerate() {
            world.upstream.fault(Fault::OverReportedUsage { factor: 1_000 });
            let got = world.call(Operation::Chat, &body).await;
            let cost = 1_000 * PLAIN_COST;
            sum += cost;
            let run = assert_ended(&world, got.run, served(cost)).await;
            assert!(cost > run.estimated.cost.0);
            assert_eq!(world.usage(budget).await, (sum, 0));
            assert_eq!(world.breaches(budget).await, i64::try_from(nth).unwrap(), "only the second one passes it");
            let (tenant, hold) = (world.tenant, run.hold.unwrap().to_string());
            let told = world.cx.db.read(move |tx| store::timeline::events_of(tx, tenant, &hold)).await.unwrap();
            assert_eq!(told, ["hold_overrun"]);
        }
        let (tenant, limit) = (world.tenant, budget.to_string());
        let told = world.cx.db.read(move |tx| store::timeline::events_of(tx, tenant, &limit)).await.unwrap();
        assert_eq!(told, ["limit_created", "limit_breached"]);
    }

    async fn usage_that_cannot_be_is_not_believed(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(USD).await;
        let body = chat(&json!({}));
        let held = worst_case(&body, 1_000);
        let mut sum = 0;
        for tokens in [2_000_000_000, 1_000_000_000_000_000_000, u64::MAX] {
            world.upstream.fault(Fault::ReportedUsage { input_tokens: tokens, output_tokens: 1 });
            let got = world.call(Operation::Chat, &body).await;
            let want = Ended { error: None, ..estimated(RunStatus::Succeeded, "", held) };
            assert_ended(&world, got.run, want).await;
            sum += held;
            assert_eq!(world.usage(budget).await, (sum, 0));
        }
    }

    async fn a_stream_that_breaks_off_costs_what_is_known_or_what_was_held(db: TestDb) {
        let world = World::new(db).await;
        world.budget(USD).await;
        let held = worst_case(&stream(), 1_000);
        world.upstream.fault(Fault::DropAfterEvents { events: 3 });
        let got = world.call(Operation::Chat, &stream()).await;
        assert_eq!((got.status.as_u16(), got.broken), (200, Some("upstream_error")));
        assert_eq!(text(&got).matches("data: ").count(), 3);
        assert_ended(&world, got.run, failed("upstream_error", held)).await;
        // Of six events and the usage, all but `[DONE]` arrived.
        world.upstream.fault(Fault::DropAfterEvents { events: 6 });
        let got = world.call(Operation::Chat, &stream()).await;
        let known = Ended { run: RunStatus::Failed, error: Some("upstream_error"), ..served(PLAIN_COST) };
        assert_ended(&world, got.run, known).await;
    }

    async fn a_stream_that_ends_without_its_mark_has_succeeded_if_its_choices_are_finished(db: TestDb) {
        let world = World::new(db).await;
        world.budget(USD).await;
        let two = chat(&json!({"stream": true, "n": 2}));
        let unreported = |held| Ended { error: None, ..estimated(RunStatus::Succeeded, "", held) };
        let held = worst_case(&stream(), 1_000);
        // Four events with text, the finish, the usage, `[DONE]`; with two choices the first five come twice.
        for (body, events, want) in [
            (stream(), 6, served(PLAIN_COST)),
            (stream(), 5, unreported(held)),
            (stream(), 4, failed("upstream_incomplete", held)),
            (two.clone(), 10, unreported(worst_case(&two, 2_000))),
            (two.clone(), 9, failed("upstream_incomplete", worst_case(&two, 2_000))),
        ] {
            world.upstream.fault(Fault::EndAfterEvents { events });
            let got = world.call(Operation::Chat, &body).await;
            assert_eq!((got.status.as_u16(), got.broken), (200, None));
            assert_ended(&world, got.run, want).await;
        }
    }

    async fn the_counts_at_the_beginning_of_a_message_are_not_what_it_costs(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(USD).await;
        let body = body(Operation::Messages, true);
        world.upstream.fault(Fault::DropAfterEvents { events: 5 });
        let got = world.call(Operation::Messages, &body).await;
        assert!(text(&got).contains("\"output_tokens\":1"), "{got:?}");
        let run = world.run(got.run).await;
        assert_ended(&world, got.run, failed("upstream_error", run.estimated.cost.0)).await;
        assert_eq!(world.usage(budget).await, (run.estimated.cost.0, 0));
    }

    async fn an_endless_line_passes_and_is_bounded_where_an_answer_is_collected(db: TestDb) {
        let mut setup = Setup::default();
        setup.gateway.answer_cap_bytes = 1024 * 1024;
        let world = World::with(db, setup).await;
        // Larger than any event that is read.
        let bytes = 9 * 1024 * 1024;
        world.upstream.fault(Fault::HugeLine { bytes });
        let got = world.call(Operation::Chat, &stream()).await;
        assert!(got.body.len() > bytes && got.broken.is_none());
        assert_ended(&world, got.run, served(PLAIN_COST)).await;
        let body = chat(&json!({}));
        world.upstream.fault(Fault::HugeLine { bytes: 1_000_000 });
        let got = world.call(Operation::Chat, &body).await;
        assert_ended(&world, got.run, served(PLAIN_COST)).await;
        world.upstream.fault(Fault::HugeLine { bytes: 1024 * 1024 });
        let want = failed("upstream_too_large", worst_case(&body, 1_000));
        assert_eq!(unanswered(&world, &body, want).await, "upstream_too_large");
    }

    async fn slow_bytes_are_waited_for_and_silence_is_not(db: TestDb) {
        let world = World::with(db, impatient()).await;
        world.upstream.fault(Fault::SlowBytes { bytes: 100, ms: 2 });
        let got = world.call(Operation::Chat, &stream()).await;
        assert_ended(&world, got.run, served(PLAIN_COST)).await;
        let held = worst_case(&stream(), 1_000);
        world.upstream.fault(Fault::DelayBetweenEvents { ms: 10_000 });
        let got = world.call(Operation::Chat, &stream()).await;
        assert_eq!(got.broken, Some("upstream_timeout"));
        assert_ended(&world, got.run, failed("upstream_timeout", held)).await;
        let body = chat(&json!({}));
        world.upstream.fault(Fault::SlowBytes { bytes: 10, ms: 10_000 });
        let want = failed("upstream_timeout", worst_case(&body, 1_000));
        assert_eq!(unanswered(&world, &body, want).await, "upstream_timeout");
    }

    async fn a_provider_that_fails_while_others_are_served_spoils_only_its_own(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(100 * USD).await;
        world.upstream.reply(Reply::of_tokens(12, 7));
        world.upstream.fault_times(Fault::DropAfterEvents { events: 2 }, 5);
        let request = stream();
        let calls = (0..15).map(|_| world.call(Operation::Chat, &request));
        let got = futures_util::future::join_all(calls).await;
        let broken = got.iter().filter(|got| got.broken.is_some()).count();
        assert_eq!(broken, 5);
        let mut sum = 0;
        for got in got {
            let run = world.run(got.run).await;
            assert_eq!(run.usage_source == UsageSource::Provider, got.broken.is_none());
            sum += run.cost.unwrap().0;
        }
        assert_eq!(sum, 10 * PLAIN_COST + 5 * worst_case(&request, 1_000));
        assert_eq!(world.usage(budget).await, (sum, 0));
        world.all_ended().await;
    }
}
