//! Is a stream judged on its way, and does nothing reach its client that a rule forbids?

use std::time::Duration;

use futures_util::StreamExt as _;
use model::event::OpsEventType;
use model::id::RunId;
use model::policy::{Definition, EnforcementMode, OnStream, RuleType, Stage};
use model::run::{Operation, Run, RunStatus};
use serde_json::{Value, json};
use services::gateway::{GatewayError, Served, ServedBody};
use services::ledger::Forbidden;
use testkit::db::TestDb;
use testkit::upstream::{Fault, Outcome, Reply, Scripted};

use crate::gateway::{PLAIN_COST, assert_ended, body, chat, estimated, served};
use crate::gateway_answers::{CARD, finds, halted, is_decided, output, told};
use crate::gateway_rules::{born_of, incident, triggers};
use crate::harness::{Got, USD, World, read};
use crate::policies::{create, retire, update};

const STREAMED: [Operation; 4] = [
    Operation::Chat,
    Operation::TextCompletion,
    Operation::Responses,
    Operation::Messages,
];
const CLEAN: &str = "Fine so far. ";

/// One forbidden sentence between two others, in many events.
fn secret() -> Reply {
    Reply {
        text: format!("{CLEAN}Pay with {CARD} today. And so on."),
        stream_chunks: 25,
        ..Reply::default()
    }
}

/// The events of a stream, each with its empty line.
fn events(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    text.split_inclusive("\n\n").map(str::to_owned).collect()
}

/// What an event adds to the text.
fn text(event: &str) -> String {
    let data = event.lines().find_map(|line| line.strip_prefix("data: "));
    let data: Value = data
        .and_then(|data| serde_json::from_str(data).ok())
        .unwrap_or_default();
    let places = [
        "/choices/0/delta/content",
        "/choices/0/text",
        "/delta",
        "/delta/text",
    ];
    let mut said = places.iter().filter_map(|place| data.pointer(place)?.as_str());
    said.next().unwrap_or_default().to_owned()
}

/// The events of the answer up to the last one that says nothing beyond this.
fn up_to(whole: &[u8], clean: &str) -> String {
    let mut said = String::new();
    let before = events(whole).into_iter().take_while(|event| {
        said.push_str(&text(event));
        clean.starts_with(&said)
    });
    before.collect()
}

async fn got(world: &World, operation: Operation) -> (Got, Served) {
    let served = world.serve(operation, &body(operation, true)).await.unwrap();
    let (withheld, answer) = (served.withheld.clone(), served.answer.clone());
    let (status, headers, run, decision) =
        (served.status, served.headers.clone(), served.run, served.decision);
    let got = read(served).await;
    let body = ServedBody::Whole(got.body.clone());
    let told = Served {
        status,
        headers,
        body,
        run,
        decision,
        cost: None,
        answer,
        withheld,
    };
    (got, told)
}

fn why(served: &Served) -> Forbidden {
    served
        .withheld
        .as_ref()
        .and_then(|withheld| withheld.get())
        .cloned()
        .expect("the rest was withheld")
}

/// What a stream that was cut is settled at: all that was held.
async fn assert_halted(world: &World, run: RunId) -> Run {
    let held = world.run(run).await.estimated.cost.0;
    let run = assert_ended(world, run, halted(estimated(RunStatus::Halted, "", held))).await;
    assert_eq!(run.http_status, Some(200));
    run
}

testkit::both_databases! {
    async fn a_stream_ends_with_the_sentence_before_the_one_that_a_rule_blocks(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(50 * USD).await;
        world.upstream.reply(secret());
        let mut wholes = Vec::new();
        for operation in STREAMED {
            wholes.push(got(&world, operation).await.0.body);
        }
        let rule = create(&world, finds(RuleType::PiiFilter, EnforcementMode::Block)).await.unwrap().rule;
        let (mut paid, _) = world.usage(budget).await;
        for (times, (operation, whole)) in (1..).zip(STREAMED.into_iter().zip(wholes)) {
            world.upstream.fault(Fault::DelayBetweenEvents { ms: 50 });
            let (got, served) = got(&world, operation).await;
            assert_eq!(got.broken, Some("policy_violation"));
            // The very bytes of the provider, up to there.
            let expected = up_to(&whole, CLEAN);
            assert!(expected.contains("Fi"), "{expected}");
            assert_eq!(String::from_utf8(got.body.to_vec()).unwrap(), expected);
            let why = why(&served);
            assert_eq!((why.stage, why.run), (Stage::Output, got.run));
            let run = assert_halted(&world, got.run).await;
            paid += run.cost.unwrap().0;
            assert_eq!(world.usage(budget).await, (paid, 0), "settled once, and nothing is held");
            assert!(is_decided(&world, why.decision).await);
            assert_eq!(told(&world, got.run).await, ["rule_applied"]);
            assert_eq!(triggers(&world, rule.id).await, times);
            assert_eq!(world.events(OpsEventType::PolicyBlocked).await, times);
            let seen_off = |up: &Scripted| up.requests().pop().unwrap().outcome == Outcome::Abandoned;
            assert!(world.upstream.wait_until(seen_off), "the provider is hung up on");
        }
    }

    async fn a_harmless_stream_comes_as_the_provider_sent_it(db: TestDb) {
        let world = World::new(db).await;
        world.upstream.reply(Reply { text: "One. Two! Three? And four".to_owned(), stream_chunks: 9, ..Reply::default() });
        let mut wholes = Vec::new();
        for operation in STREAMED {
            wholes.push(got(&world, operation).await.0.body);
        }
        for mode in [EnforcementMode::Block, EnforcementMode::Warn] {
            create(&world, finds(RuleType::PiiFilter, mode)).await.unwrap();
            for (operation, whole) in STREAMED.into_iter().zip(&wholes) {
                let (got, served) = got(&world, operation).await;
                assert_eq!((got.broken, &got.body), (None, whole), "{operation:?}");
                assert!(served.withheld.is_some_and(|withheld| withheld.get().is_none()));
                assert_eq!(world.run(got.run).await.status, RunStatus::Succeeded);
            }
        }
        world.all_ended().await;
    }

    async fn what_only_tells_is_recorded_and_noted_before_the_end(db: TestDb) {
        let world = World::new(db).await;
        world.upstream.reply(secret());
        let mut wholes = Vec::new();
        for operation in STREAMED {
            wholes.push(got(&world, operation).await.0.body);
        }
        let warns = create(&world, finds(RuleType::PiiFilter, EnforcementMode::Warn)).await.unwrap().rule.id;
        let annotates = Definition { on_stream: OnStream::Annotate, ..finds(RuleType::PiiFilter, EnforcementMode::Block) };
        let annotates = create(&world, annotates).await.unwrap().rule.id;
        let logs = create(&world, output("run.stream", EnforcementMode::Log)).await.unwrap().rule.id;
        let note = format!(": x-plimsoll-policy-outcome: warn, warn;rule={warns};version=1, warn;rule={annotates};version=1, log;rule={logs};version=1\n\n");
        for (times, (operation, whole)) in (1..).zip(STREAMED.into_iter().zip(wholes)) {
            world.upstream.fault(Fault::DelayBetweenEvents { ms: 2 });
            let (got, _) = got(&world, operation).await;
            let mut expected = events(&whole);
            expected.insert(expected.len() - 1, note.clone());
            let body = String::from_utf8(got.body.to_vec()).unwrap();
            assert_eq!(body, expected.concat(), "{operation:?}");
            for rule in [warns, annotates, logs] {
                assert_eq!(triggers(&world, rule).await, times);
            }
            let run = world.run(got.run).await;
            assert_eq!((run.status, run.error_code), (RunStatus::Succeeded, None));
        }
        assert_eq!(world.events(OpsEventType::PolicyBlocked).await, 0);
        world.all_ended().await;
    }

    async fn a_rule_that_needs_no_text_refuses_a_stream_before_it_begins(db: TestDb) {
        let world = World::new(db).await;
        create(&world, output("run.stream", EnforcementMode::Block)).await.unwrap();
        let answered = world.serve(Operation::Chat, &body(Operation::Chat, true)).await;
        let Err(GatewayError::Forbidden(forbidden)) = answered else { panic!("{answered:?}") };
        let held = world.run(forbidden.run).await.estimated.cost.0;
        let run = assert_ended(&world, forbidden.run, halted(estimated(RunStatus::Halted, "", held))).await;
        assert_eq!(run.http_status, Some(403));
        // The same rule has nothing against an answer that comes whole.
        world.call(Operation::Chat, &body(Operation::Chat, false)).await;
    }

    async fn a_rule_about_failures_withholds_the_end_of_a_stream_that_broke_off(db: TestDb) {
        let world = World::new(db).await;
        let rule = create(&world, output("failure.known && failure.code == 'STEP_FAILURE'", EnforcementMode::Block)).await.unwrap().rule.id;
        world.upstream.fault(Fault::DropAfterEvents { events: 2 });
        let (got, served) = got(&world, Operation::Chat).await;
        assert_eq!((got.broken, why(&served).judgement.deciding().unwrap().rule), (Some("policy_violation"), rule));
        assert_halted(&world, got.run).await;
    }

    async fn a_change_of_the_rules_does_not_reach_a_stream_on_its_way(db: TestDb) {
        let world = World::new(db).await;
        let rule = create(&world, finds(RuleType::PiiFilter, EnforcementMode::Block)).await.unwrap().rule;
        world.upstream.reply(secret());
        world.upstream.fault(Fault::DelayBetweenEvents { ms: 50 });
        let served = world.serve(Operation::Chat, &body(Operation::Chat, true)).await.unwrap();
        update(&world, &rule, retire("too strict")).await.unwrap();
        let withheld = served.withheld.clone().unwrap();
        assert_eq!(read(served).await.broken, Some("policy_violation"));
        assert_eq!(withheld.get().and_then(|why| why.judgement.deciding().map(|found| found.version)), Some(1));
        let after = got(&world, Operation::Chat).await.0;
        assert_eq!(after.broken, None);
    }

    async fn a_client_that_left_before_is_told_nothing_and_pays_what_was_used(db: TestDb) {
        let world = World::new(db).await;
        let rule = create(&world, finds(RuleType::PiiFilter, EnforcementMode::Block)).await.unwrap().rule.id;
        world.upstream.reply(secret());
        world.upstream.fault(Fault::DelayBetweenEvents { ms: 50 });
        let served_now = world.serve(Operation::Chat, &body(Operation::Chat, true)).await.unwrap();
        let run = served_now.run;
        drop(served_now);
        world.run_ended(run).await;
        assert_ended(&world, run, halted(served(PLAIN_COST))).await;
        assert_eq!(triggers(&world, rule).await, 1);
    }

    async fn what_a_rule_born_of_an_incident_cuts_off_is_a_prevention(db: TestDb) {
        let world = World::new(db).await;
        let origin = incident(&world);
        let rule = born_of(&world, &origin, finds(RuleType::PiiFilter, EnforcementMode::Block)).await;
        world.upstream.reply(secret());
        let (got, _) = got(&world, Operation::Messages).await;
        assert_eq!(got.broken, Some("policy_violation"));
        let (tenant, since, run) = (world.tenant, world.now(), got.run);
        let sums = world.cx.db.read(move |tx| store::preventions::sums(tx, tenant, rule, since)).await.unwrap();
        assert_eq!(sums.iter().map(|sum| (sum.outcome.as_str(), sum.times)).collect::<Vec<_>>(), [("mitigated", 1)]);
        assert!(world.cx.db.read(move |tx| store::preventions::is_recorded(tx, tenant, run)).await.unwrap());
    }

    async fn events_that_come_whole_are_looked_at_as_events(db: TestDb) {
        let world = World::new(db).await;
        create(&world, finds(RuleType::PiiFilter, EnforcementMode::Block)).await.unwrap();
        let say = |text: &str| format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }));
        let events = format!("{}{}data: [DONE]\n\n", say("It is 4111 1111"), say(" 1111 1111."));
        world.upstream.fault(Fault::Status {
            status: 200,
            body: Some(events),
            headers: [("content-type".to_owned(), "text/event-stream".to_owned())].into(),
        });
        let answered = world.serve(Operation::Chat, &chat(&json!({}))).await;
        assert!(matches!(answered, Err(GatewayError::Forbidden(_))), "{answered:?}");
    }

    async fn nothing_waits_where_no_rule_may_block(db: TestDb) {
        let world = World::new(db).await;
        create(&world, finds(RuleType::PiiFilter, EnforcementMode::Warn)).await.unwrap();
        world.upstream.reply(Reply { text: "no end in sight".to_owned(), ..Reply::default() });
        world.upstream.fault(Fault::DelayBetweenEvents { ms: 30_000 });
        let served = world.serve(Operation::Chat, &body(Operation::Chat, true)).await.unwrap();
        let ServedBody::Stream(mut stream) = served.body else { panic!("expected a stream") };
        let first = tokio::time::timeout(Duration::from_secs(20), stream.next()).await;
        assert!(first.is_ok_and(|first| first.is_some()), "the first event waits for its sentence");
    }
}
