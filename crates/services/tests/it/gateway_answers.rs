//! Is every answer judged by the Policy Rules before its client gets it, and is written down what they did?

use std::collections::BTreeMap;

use domain::settle::{Authority, End};
use model::decision::Outcome;
use model::event::OpsEventType;
use model::id::{DecisionId, RuleId, RunId};
use model::money::NanoUsd;
use model::policy::{Definition, EnforcementMode, OnStream, PreventionOutcome, RuleType, Stage};
use model::run::{Operation, RunStatus, UsageSource};
use serde_json::{Value, json};
use services::gateway::{GatewayError, ServedBody};
use services::ledger::Forbidden;
use services::policies::Change;
use testkit::db::TestDb;
use testkit::upstream::{Fault, Reply};

use crate::books::end;
use crate::gateway::{Ended, PLAIN_COST, assert_ended, body, chat, served};
use crate::gateway_rules::{born_of, incident, triggers};
use crate::harness::{USD, World};
use crate::policies::{create, definition, retire, update};

pub(crate) const CARD: &str = "4111 1111 1111 1111";

/// A rule that judges answers.
pub(crate) fn output(condition: &str, mode: EnforcementMode) -> Definition {
    Definition {
        stage: Stage::Output,
        ..definition(condition, mode)
    }
}

/// A rule about what is found in answers.
pub(crate) fn finds(rule_type: RuleType, mode: EnforcementMode) -> Definition {
    Definition {
        rule_type,
        condition: None,
        ..output("", mode)
    }
}

pub(crate) fn says(text: &str) -> Reply {
    Reply {
        text: text.to_owned(),
        ..Reply::default()
    }
}

/// An answer of a provider as it is written here.
pub(crate) fn answers(body: &Value) -> Fault {
    Fault::Status {
        status: 200,
        body: Some(body.to_string()),
        headers: BTreeMap::new(),
    }
}

/// The same run, halted by a rule.
pub(crate) const fn halted(ended: Ended) -> Ended {
    Ended {
        run: RunStatus::Halted,
        error: Some("policy_violation"),
        ..ended
    }
}

async fn withheld(world: &World, operation: Operation, body: &Value) -> Forbidden {
    match world.serve(operation, body).await {
        Err(GatewayError::Forbidden(forbidden)) => *forbidden,
        other => panic!("expected that the answer is withheld, got {other:?}"),
    }
}

/// Whether there is a snapshot of this decision: there is no way to read one, but a second one is refused.
pub(crate) async fn is_decided(world: &World, id: DecisionId) -> bool {
    let again = model::decision::DecisionSnapshot {
        id,
        tenant: world.tenant,
        engine: "policy",
        engine_version: "1",
        outcome: Outcome::Block,
        run: None,
        hold: None,
        input_hash: String::new(),
        input: "{}".to_owned(),
        output: "{}".to_owned(),
        correlation_id: String::new(),
        created_at: world.now(),
    };
    let written = world
        .cx
        .db
        .locked(move |tx| store::decisions::insert(tx, std::slice::from_ref(&again)));
    matches!(written.await, Err(store::StoreError::Duplicate(_)))
}

/// What the timeline says of a run.
pub(crate) async fn told(world: &World, run: RunId) -> Vec<String> {
    let (tenant, id) = (world.tenant, run.to_string());
    let read = world
        .cx
        .db
        .read(move |tx| store::timeline::events_of(tx, tenant, &id));
    read.await.unwrap()
}

/// What a client gets that is served, and what the header says.
async fn got(world: &World, body: &Value) -> (String, Option<String>) {
    let served = world.serve(Operation::Chat, body).await.unwrap();
    let said = served.answer.policy.clone();
    let ServedBody::Whole(body) = served.body else {
        panic!("expected a whole answer");
    };
    (String::from_utf8(body.to_vec()).unwrap(), said)
}

testkit::both_databases! {
    async fn an_answer_that_a_rule_blocks_is_withheld_paid_for_and_written_down(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(50 * USD).await;
        let rule = create(&world, finds(RuleType::PiiFilter, EnforcementMode::Block)).await.unwrap().rule;
        world.upstream.reply(says(&format!("Pay with {CARD} today.")));
        let (mut sum, mut times) = (0, 0);
        for (operation, cost) in [
            (Operation::Chat, PLAIN_COST),
            (Operation::TextCompletion, PLAIN_COST),
            (Operation::Responses, PLAIN_COST),
            (Operation::Messages, 12 * 1_000 + 7 * 5_000),
        ] {
            let refused = withheld(&world, operation, &body(operation, false)).await;
            assert_eq!(refused.stage, Stage::Output);
            let deciding = refused.judgement.deciding().map(|found| (found.rule, found.version, found.hash));
            assert_eq!(deciding, Some((rule.id, 1, rule.hash)));
            let shown = json!(refused.judgement).to_string();
            assert!(shown.contains("CARD") && !shown.contains("4111"), "{shown}");
            (sum, times) = (sum + cost, times + 1);
            let run = assert_ended(&world, refused.run, halted(served(cost))).await;
            assert_eq!((run.http_status, run.usage_source), (Some(403), UsageSource::Provider));
            assert_eq!(world.usage(budget).await, (sum, 0), "paid once, and nothing is held");
            assert_ne!(run.decision, refused.decision, "that one let it run");
            assert!(is_decided(&world, refused.decision).await);
            assert_eq!(told(&world, refused.run).await, ["rule_applied"]);
            assert_eq!(triggers(&world, rule.id).await, times);
            assert_eq!(world.events(OpsEventType::PolicyBlocked).await, times);
        }
        assert_eq!(world.upstream.request_count(), 4);
        assert_eq!(world.events(OpsEventType::LlmCallFailed).await, 0, "a provider that answers has not failed");
        // What says nothing of the kind is served.
        world.upstream.reply(Reply::default());
        assert_eq!(got(&world, &chat(&json!({}))).await.1.as_deref(), Some("allow"));
        let vectors = world.call(Operation::Embeddings, &body(Operation::Embeddings, false)).await;
        assert_eq!(vectors.status, 200);
    }

    async fn what_a_rule_does_not_block_is_served_recorded_and_said(db: TestDb) {
        let world = World::new(db).await;
        let asked = create(&world, definition("run.model == 'round-1'", EnforcementMode::Log)).await.unwrap().rule.id;
        let mut rules = Vec::new();
        for mode in [EnforcementMode::DryRun, EnforcementMode::Log, EnforcementMode::Warn] {
            rules.push(create(&world, finds(RuleType::PiiFilter, mode)).await.unwrap().rule.id);
        }
        let [tried, logged, warned] = rules[..] else { unreachable!() };
        world.upstream.reply(says(&format!("Pay with {CARD} today.")));
        let (body, said) = got(&world, &chat(&json!({}))).await;
        assert!(body.contains(CARD), "{body}");
        let said = said.unwrap();
        assert_eq!(said, format!("warn, log;rule={asked};version=1, warn;rule={warned};version=1, log;rule={logged};version=1, dry-run;rule={tried};version=1"));
        for rule in [asked, tried, logged, warned] {
            assert_eq!(triggers(&world, rule).await, 1);
        }
        let run = world.run(world.newest_run().await).await;
        assert_eq!((run.status, run.http_status, run.error_code), (RunStatus::Succeeded, Some(200), None));
        assert_eq!(told(&world, run.id).await, [""; 0]);
        // With one that blocks, all are recorded, and the most restrictive decides.
        let blocks = create(&world, finds(RuleType::PiiFilter, EnforcementMode::Block)).await.unwrap().rule.id;
        let refused = withheld(&world, Operation::Chat, &chat(&json!({}))).await;
        let matched: Vec<RuleId> = refused.judgement.matches.iter().map(|found| found.rule).collect();
        assert_eq!(matched, [blocks, warned, logged, tried]);
        for (rule, times) in [(blocks, 1), (warned, 2), (logged, 2), (tried, 2), (asked, 2)] {
            assert_eq!(triggers(&world, rule).await, times);
        }
        world.all_ended().await;
    }

    async fn all_choices_refusals_and_what_tools_are_given_are_looked_at(db: TestDb) {
        let world = World::new(db).await;
        create(&world, finds(RuleType::PiiFilter, EnforcementMode::Block)).await.unwrap();
        let message = |message: Value| json!({ "model": "round-1", "choices": [
            { "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Fine." } },
            { "index": 1, "finish_reason": "stop", "message": message },
        ], "usage": { "prompt_tokens": 12, "completion_tokens": 7 } });
        let call = json!([{ "id": "call_1", "type": "function", "function": { "name": "pay", "arguments": format!("{{\"card\":\"{CARD}\"}}") } }]);
        for told in [
            json!({ "role": "assistant", "content": format!("It is {CARD}.") }),
            json!({ "role": "assistant", "content": null, "refusal": format!("Not {CARD}.") }),
            json!({ "role": "assistant", "content": null, "tool_calls": call }),
        ] {
            world.upstream.fault(answers(&message(told)));
            let refused = withheld(&world, Operation::Chat, &chat(&json!({ "n": 2 }))).await;
            assert_ended(&world, refused.run, halted(served(PLAIN_COST))).await;
        }
        world.upstream.fault(answers(&message(json!({ "role": "assistant", "content": "Fine too." }))));
        got(&world, &chat(&json!({ "n": 2 }))).await;
    }

    async fn a_statement_about_what_the_prompt_says_nothing_about_is_withheld(db: TestDb) {
        let world = World::new(db).await;
        create(&world, finds(RuleType::ContentAccuracy, EnforcementMode::Block)).await.unwrap();
        world.upstream.reply(says("Yes, your contract is set to auto-renew."));
        let asks = |context: &Value| chat(&json!({ "messages": [
            { "role": "system", "content": format!("Answer from this contract: {context}") },
            { "role": "user", "content": "Will it renew by itself?" },
        ] }));
        let unknown = json!({ "customer": "Ann", "auto_renew": null });
        let refused = withheld(&world, Operation::Chat, &asks(&unknown)).await;
        let shown = json!(refused.judgement).to_string();
        assert!(shown.contains("UNSUPPORTED_STATEMENT"), "{shown}");
        got(&world, &asks(&json!({ "customer": "Ann", "auto_renew": true }))).await;
        world.upstream.reply(says("I don't have information about auto-renewal."));
        got(&world, &asks(&unknown)).await;
    }

    async fn a_rule_that_cannot_be_judged_withholds_and_any_other_is_passed_over(db: TestDb) {
        let world = World::new(db).await;
        // Nobody knows what this model costs.
        let dear = output("estimate.cost_usd > 1.0", EnforcementMode::Warn);
        let body = chat(&json!({ "model": "nobody-knows-1" }));
        let rule = create(&world, dear).await.unwrap().rule;
        assert_eq!(got(&world, &body).await.1.as_deref(), Some("allow"));
        let blocks = Change { mode: Some(EnforcementMode::Block), ..Change::default() };
        let rule = update(&world, &rule, blocks).await.unwrap().rule;
        let refused = withheld(&world, Operation::Chat, &body).await;
        assert!(refused.judgement.deciding().is_some_and(|found| matches!(found.reason, domain::policy::Reason::PolicyError { .. })));
        update(&world, &rule, retire("tried")).await.unwrap();
        // Nor does anybody know what is said in an encoding that nobody asked for.
        let packed = || Fault::Status {
            status: 200,
            body: Some("packed".to_owned()),
            headers: [("content-encoding".to_owned(), "zstd".to_owned())].into(),
        };
        let rule = create(&world, finds(RuleType::PiiFilter, EnforcementMode::Warn)).await.unwrap().rule;
        world.upstream.fault(packed());
        assert_eq!(got(&world, &chat(&json!({}))).await, ("packed".to_owned(), Some("allow".to_owned())));
        update(&world, &rule, Change { mode: Some(EnforcementMode::Block), ..Change::default() }).await.unwrap();
        world.upstream.fault(packed());
        withheld(&world, Operation::Chat, &chat(&json!({}))).await;
        world.all_ended().await;
    }

    async fn an_answer_is_judged_by_the_version_that_let_its_request_run(db: TestDb) {
        let world = World::new(db).await;
        let rule = create(&world, finds(RuleType::PiiFilter, EnforcementMode::Warn)).await.unwrap().rule;
        world.upstream.reply(says(&format!("It is {CARD}.")));
        world.upstream.fault(Fault::Delay { ms: 2_000 });
        let body = chat(&json!({}));
        let changes = async {
            world.until_held().await;
            let blocks = Change { mode: Some(EnforcementMode::Block), ..Change::default() };
            update(&world, &rule, blocks).await.unwrap()
        };
        let ((_, said), _) = tokio::join!(got(&world, &body), changes);
        assert_eq!(said.unwrap(), format!("warn, warn;rule={};version=1", rule.id));
        let refused = withheld(&world, Operation::Chat, &body).await;
        assert_eq!(refused.judgement.deciding().map(|found| found.version), Some(2));
        assert_eq!(triggers(&world, rule.id).await, 2);
    }

    async fn rules_apply_to_the_answers_in_their_scope(db: TestDb) {
        let world = World::new(db).await;
        let scoped = Definition {
            scope: model::policy::RuleScope::Agent,
            scope_id: Some("support".to_owned()),
            ..output("true", EnforcementMode::Block)
        };
        world.agent("support").await;
        create(&world, scoped).await.unwrap();
        got(&world, &chat(&json!({}))).await;
        let mut request = world.request(Operation::Chat, &chat(&json!({})));
        request.attribution.agent_id = Some("support".to_owned());
        let answered = services::gateway::serve(&world.cx, request).await;
        assert!(matches!(answered, Err(GatewayError::Forbidden(_))), "{answered:?}");
    }

    async fn what_has_failed_can_be_asked_for(db: TestDb) {
        let world = World::new(db).await;
        let broken = || Fault::Status { status: 500, body: None, headers: BTreeMap::new() };
        let twice = "failure.code == 'STEP_FAILURE' && failure.status == 500 && failure.count == 2";
        let rule = create(&world, output(twice, EnforcementMode::Warn)).await.unwrap().rule;
        for said in ["allow".to_owned(), format!("warn, warn;rule={};version=1", rule.id)] {
            world.upstream.fault(broken());
            let served = world.serve(Operation::Chat, &chat(&json!({}))).await.unwrap();
            assert_eq!((served.status.as_u16(), served.answer.policy), (500, Some(said)));
            assert_eq!(world.run(served.run).await.status, RunStatus::Failed);
        }
        // What did not fail has no failure.
        assert_eq!(got(&world, &chat(&json!({}))).await.1.as_deref(), Some("allow"));
        world.all_ended().await;
    }

    async fn what_a_rule_born_of_an_incident_withholds_is_a_prevention(db: TestDb) {
        let world = World::new(db).await;
        let origin = incident(&world);
        let rule = born_of(&world, &origin, finds(RuleType::PiiFilter, EnforcementMode::Block)).await;
        world.upstream.reply(says(&format!("It is {CARD}.")));
        let refused = withheld(&world, Operation::Chat, &chat(&json!({}))).await;
        assert_eq!(refused.judgement.deciding().and_then(|found| found.source_incident), Some(origin.id()));
        let (tenant, since) = (world.tenant, world.now());
        let sums = world.cx.db.read(move |tx| store::preventions::sums(tx, tenant, rule, since)).await.unwrap();
        let sums: Vec<_> = sums.iter().map(|sum| (sum.outcome, sum.times, sum.saving)).collect();
        assert_eq!(sums, [(PreventionOutcome::Mitigated, 1, NanoUsd(3 * USD))], "the provider was paid");
        services::incidents::failures::explain_all(&world.cx).await.unwrap();
        let run = refused.run;
        let opened = world.cx.db.read(move |tx| store::incidents::of_run(tx, tenant, run, 200)).await.unwrap();
        assert_eq!(opened, []);
    }

    async fn what_is_withheld_is_written_down_once_also_where_the_hold_is_gone(db: TestDb) {
        let world = World::new(db).await;
        let rule = create(&world, finds(RuleType::PiiFilter, EnforcementMode::Block)).await.unwrap().rule;
        world.upstream.reply(says(&format!("It is {CARD}.")));
        world.upstream.fault(Fault::Delay { ms: 2_000 });
        let body = chat(&json!({}));
        let released = async {
            world.until_held().await;
            let hold = world.holds().await[0].id;
            let release = end(world.tenant, hold, End::Release, Authority::Gateway);
            world.cx.ledger.end(release).await.unwrap();
        };
        let (refused, ()) = tokio::join!(withheld(&world, Operation::Chat, &body), released);
        assert_eq!(world.run(refused.run).await.status, RunStatus::Halted);
        assert_eq!((triggers(&world, rule.id).await, world.events(OpsEventType::PolicyBlocked).await), (1, 1));
        assert!(is_decided(&world, refused.decision).await);
        assert_eq!(told(&world, refused.run).await, ["rule_applied"]);
    }

    async fn a_rule_for_streams_that_annotates_still_blocks_what_comes_whole(db: TestDb) {
        let world = World::new(db).await;
        let annotates = Definition { on_stream: OnStream::Annotate, ..finds(RuleType::PiiFilter, EnforcementMode::Block) };
        create(&world, annotates).await.unwrap();
        world.upstream.reply(says(&format!("It is {CARD}.")));
        withheld(&world, Operation::Chat, &chat(&json!({}))).await;
    }
}
