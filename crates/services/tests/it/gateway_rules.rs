//! Is every LLM Run judged by the Policy Rules before it spends, and is written down what they did?

use model::authority::AuthorityContext;
use model::decision::Outcome;
use model::event::OpsEventType;
use model::id::RuleId;
use model::incident::{
    Change as Happening, Failure, FailureCode, Occurrence, RequestTraits, Signature, StepOf, Transition,
};
use model::money::NanoUsd;
use model::permille::Permille;
use model::policy::{Definition, EnforcementMode, PreventionOutcome, Rule, RuleSource, RuleType};
use model::run::{Operation, RunStatus};
use serde_json::{Value, json};
use services::gateway::GatewayError;
use services::incidents::failures::explain_all;
use services::ledger::Forbidden;
use services::policies::Change;
use services::proposals::Approval;
use testkit::db::TestDb;
use testkit::governance::{self, TestIncident};
use testkit::upstream::Fault;

use crate::gateway::chat;
use crate::harness::{USD, World};
use crate::incidents::{failed, proposals};
use crate::policies::{create, definition, retire, update};
use crate::proposals::approve;

const STREAMS: &str = "run.stream";

async fn forbidden(world: &World, body: &Value) -> Forbidden {
    match world.serve(Operation::Chat, body).await {
        Err(GatewayError::Forbidden(forbidden)) => *forbidden,
        other => panic!("expected a refusal by a rule, got {other:?}"),
    }
}

/// What the header of an answer says.
async fn outcome(world: &World, body: &Value) -> Option<String> {
    let served = world.serve(Operation::Chat, body).await.unwrap();
    let outcome = served.answer.policy.clone();
    crate::harness::read(served).await;
    outcome
}

pub(crate) async fn triggers(world: &World, rule: RuleId) -> i64 {
    let (tenant, since) = (world.tenant, world.now().plus_seconds(-60));
    let read = world
        .cx
        .db
        .read(move |tx| store::enforcements::recent(tx, (tenant, tenant), &[rule], since));
    read.await.unwrap().get(&rule).map_or(0, |recent| recent.times)
}

pub(crate) fn incident(world: &World) -> TestIncident {
    let mut made = governance::incident(world.tenant, 0, world.now());
    made.creation.run = None;
    made.creation.cost = NanoUsd(3 * USD);
    made.creation.signature = Some(Signature {
        failure: Failure {
            code: FailureCode::ExecutionTimeout,
            error_class: "upstream_timeout".to_owned(),
            upstream_status: None,
        },
        request: RequestTraits::default(),
    });
    made
}

testkit::both_databases! {
    async fn what_a_rule_blocks_is_refused_before_it_is_sent_and_written_down(db: TestDb) {
        let world = World::new(db).await;
        let budget = world.budget(50 * USD).await;
        let rule = create(&world, definition("'shell' in tools", EnforcementMode::Block)).await.unwrap().rule;
        let body = chat(&json!({ "tools": [{ "type": "function", "function": { "name": "shell" } }] }));
        let refused = forbidden(&world, &body).await;
        assert_eq!(refused.judgement.deciding().map(|found| (found.rule, found.version, found.hash)), Some((rule.id, 1, rule.hash)));
        let run = world.run(refused.run).await;
        assert_eq!((run.status, run.error_code.as_deref(), run.hold), (RunStatus::Blocked, Some("policy_violation"), None));
        assert_eq!((run.tools.as_slice(), run.decision), (&["shell".to_owned()][..], refused.decision));
        assert_eq!((world.upstream.request_count(), world.holds().await.len()), (0, 0));
        assert_eq!(world.usage(budget).await, (0, 0));
        assert_eq!(triggers(&world, rule.id).await, 1);
        assert_eq!(world.events(OpsEventType::PolicyBlocked).await, 1);
        let (tenant, id) = (world.tenant, refused.run.to_string());
        let told = world.cx.db.read(move |tx| store::timeline::events_of(tx, tenant, &id)).await.unwrap();
        assert_eq!(told, ["rule_applied"]);
        // Without the tool it runs.
        assert_eq!(outcome(&world, &chat(&json!({}))).await.as_deref(), Some("allow"));
        world.all_ended().await;
    }

    async fn a_change_of_the_rules_is_seen_by_the_next_request(db: TestDb) {
        let world = World::new(db).await;
        let body = chat(&json!({ "stream": true }));
        assert_eq!(outcome(&world, &body).await, None, "nothing is said where there are no rules");
        let rule = create(&world, definition(STREAMS, EnforcementMode::Block)).await.unwrap().rule;
        forbidden(&world, &body).await;
        let warns = Change { mode: Some(EnforcementMode::Warn), ..Change::default() };
        update(&world, &rule, warns).await.unwrap();
        let warned = outcome(&world, &body).await.unwrap();
        assert_eq!(warned, format!("warn, warn;rule={};version=2", rule.id));
        update(&world, &rule, retire("tried")).await.unwrap();
        assert_eq!(outcome(&world, &body).await, None);
        assert_eq!(triggers(&world, rule.id).await, 2);
        world.all_ended().await;
    }

    async fn rules_that_do_not_refuse_are_recorded_and_said_and_the_limits_are_asked(db: TestDb) {
        let world = World::new(db).await;
        let mut rules = Vec::new();
        for (mode, condition) in [
            (EnforcementMode::DryRun, "run.model == 'round-1'"),
            (EnforcementMode::Log, "estimate.cost_usd > 0.0"),
            (EnforcementMode::Warn, "run.provider != ''"),
        ] {
            rules.push(create(&world, definition(condition, mode)).await.unwrap().rule.id);
        }
        let [tried, logged, warned] = rules[..] else { unreachable!() };
        let said = outcome(&world, &chat(&json!({}))).await.unwrap();
        assert_eq!(said, format!("warn, warn;rule={warned};version=1, log;rule={logged};version=1, dry-run;rule={tried};version=1"));
        world.budget(1).await;
        let refused = world.refused(Operation::Chat, &chat(&json!({}))).await;
        assert_eq!((refused.output.outcome, refused.policy.as_deref()), (Outcome::Block, Some(said.as_str())));
        for rule in rules {
            assert_eq!(triggers(&world, rule).await, 2);
        }
    }

    async fn evaluators_look_at_what_is_asked_and_keep_nothing_of_it(db: TestDb) {
        let world = World::new(db).await;
        let filter = Definition { rule_type: RuleType::PiiFilter, condition: None, ..definition("", EnforcementMode::Block) };
        create(&world, filter).await.unwrap();
        let said = |text: &str| chat(&json!({ "messages": [{ "role": "user", "content": [{ "type": "text", "text": text }] }] }));
        assert_eq!(outcome(&world, &said("call me back")).await.as_deref(), Some("allow"));
        // Longer than what is looked at in place.
        let long = format!("{} write to ann.smith@example.com please", "a word. ".repeat(4_000));
        for text in ["write to ann.smith@example.com please", &long] {
            let refused = forbidden(&world, &said(text)).await;
            let shown = json!(refused.judgement).to_string();
            assert!(shown.contains("EMAIL") && !shown.contains("ann"), "{shown}");
        }
        let messages = json!({ "model": "claude-haiku-4-5", "max_tokens": 5, "system": "ann.smith@example.com", "messages": [] });
        assert!(matches!(world.serve(Operation::Messages, &messages).await, Err(GatewayError::Forbidden(_))));
    }

    async fn what_has_failed_before_can_be_asked_for(db: TestDb) {
        let world = World::new(db).await;
        let twice = "failure.count >= 2 && failure.code == 'STEP_FAILURE' && failure.status == 500";
        create(&world, definition(twice, EnforcementMode::Block)).await.unwrap();
        let body = chat(&json!({}));
        for _ in 0..2 {
            world.upstream.fault(Fault::Status { status: 500, body: None, headers: [].into() });
            assert_eq!(outcome(&world, &body).await.as_deref(), Some("allow"));
        }
        forbidden(&world, &body).await;
        // Another input has not failed yet.
        let other = chat(&json!({ "messages": [{ "role": "user", "content": "something else" }] }));
        assert_eq!(outcome(&world, &other).await.as_deref(), Some("allow"));
        world.all_ended().await;
    }

    async fn a_rule_that_cannot_be_judged_refuses_and_any_other_is_passed_over(db: TestDb) {
        let world = World::new(db).await;
        // Nobody knows what this model costs.
        let dear = "estimate.cost_usd > 1.0";
        let body = chat(&json!({ "model": "nobody-knows-1" }));
        let warns = create(&world, definition(dear, EnforcementMode::Warn)).await.unwrap().rule;
        assert_eq!(outcome(&world, &body).await.as_deref(), Some("allow"));
        update(&world, &warns, Change { mode: Some(EnforcementMode::Block), ..Change::default() }).await.unwrap();
        let refused = forbidden(&world, &body).await;
        assert!(refused.judgement.deciding().is_some_and(|found| matches!(found.reason, domain::policy::Reason::PolicyError { .. })));
    }

    async fn what_a_rule_born_of_an_incident_refuses_is_a_prevention(db: TestDb) {
        let world = World::new(db).await;
        let origin = incident(&world);
        let definition = definition(STREAMS, EnforcementMode::Block);
        let id = born_of(&world, &origin, definition).await;
        let refused = forbidden(&world, &chat(&json!({ "stream": true }))).await;
        assert_eq!(refused.judgement.deciding().and_then(|found| found.source_incident), Some(origin.id()));
        let (tenant, since) = (world.tenant, world.now());
        let sums = world.cx.db.read(move |tx| store::preventions::sums(tx, tenant, id, since)).await.unwrap();
        let sums: Vec<_> = sums.iter().map(|sum| (sum.outcome, sum.times, sum.saving, sum.last_at)).collect();
        assert_eq!(sums, [(PreventionOutcome::Prevented, 1, NanoUsd(3 * USD), world.now())]);
        let run = refused.run;
        let opened = world.cx.db.read(move |tx| store::incidents::of_run(tx, tenant, run, 200)).await.unwrap();
        assert_eq!(opened, []);
    }

    async fn what_is_saved_is_what_one_failure_cost_however_often_it_has_happened(db: TestDb) {
        let world = World::new(db).await;
        let origin = incident(&world);
        let id = born_of(&world, &origin, definition(STREAMS, EnforcementMode::Block)).await;
        // Twice again, the second time for more; the rules are read before and behind that.
        for (nth, cost) in [(1, 3 * USD), (2, 9 * USD)] {
            occurs(&world, &origin, (nth, cost)).await;
            forbidden(&world, &chat(&json!({ "stream": true }))).await;
            create(&world, definition(&format!("run.stream && estimate.input_tokens == {nth}"), EnforcementMode::Log)).await.unwrap();
        }
        forbidden(&world, &chat(&json!({ "stream": true }))).await;
        let (tenant, since) = (world.tenant, world.now());
        let sums = world.cx.db.read(move |tx| store::preventions::sums(tx, tenant, id, since)).await.unwrap();
        assert_eq!(sums.iter().map(|sum| (sum.times, sum.saving)).collect::<Vec<_>>(), [(3, NanoUsd(9 * USD))]);
    }

    async fn a_rule_that_was_learned_from_failures_without_an_incident_prevents_too(db: TestDb) {
        let world = World::new(db).await;
        let mut runs = Vec::new();
        for _ in 0..3 {
            runs.push(failed(&world, 429).await);
            explain_all(&world.cx).await.unwrap();
        }
        let proposal = proposals(&world).await.remove(0);
        let approved = approve(&world, proposal.id, Approval::default()).await.unwrap();
        let rule = approved.rule.unwrap();
        let refused = forbidden(&world, &chat(&json!({}))).await;
        assert_eq!(refused.judgement.deciding().map(|found| (found.rule, found.source_incident, found.source_run)), Some((rule, None, Some(runs[2]))));
        let effect = services::effectiveness::of_rule(&world.cx, world.tenant, rule, 7).await.unwrap();
        let cost = world.run(runs[2]).await.cost.unwrap_or_default();
        assert_eq!((effect.counts.prevented, effect.counts.saved, effect.last_prevented_at), (1, cost, Some(world.now())));
        let tenant = world.tenant;
        let listed = world.cx.db.read(move |tx| store::preventions::list(tx, tenant, &store::preventions::Filter::default(), 10)).await.unwrap();
        let listed: Vec<_> = listed.into_iter().map(|(one, _)| (one.rule, Some(one.signature), one.original_incident, one.blocked_run)).collect();
        assert_eq!(listed, [(rule, proposal.provenance.signature, None, refused.run)]);
    }

    async fn it_is_one_too_where_another_rule_decides(db: TestDb) {
        let world = World::new(db).await;
        let decides = create(&world, definition("run.stream || false", EnforcementMode::Block)).await.unwrap().rule.id;
        let origin = incident(&world);
        let learned = born_of(&world, &origin, definition(STREAMS, EnforcementMode::Block)).await;
        let refused = forbidden(&world, &chat(&json!({ "stream": true }))).await;
        assert_eq!(refused.judgement.deciding().map(|found| found.rule), Some(decides));
        let (tenant, since) = (world.tenant, world.now());
        let sums = world.cx.db.read(move |tx| store::preventions::sums(tx, tenant, learned, since)).await.unwrap();
        assert_eq!(sums.iter().map(|sum| (sum.times, sum.saving)).collect::<Vec<_>>(), [(1, NanoUsd(3 * USD))]);
    }
}

/// The failure of this Incident happens again.
async fn occurs(world: &World, origin: &TestIncident, (nth, cost): (i32, i64)) {
    let (tenant, id, at) = (world.tenant, origin.id(), world.now());
    let again = Occurrence {
        signal_id: format!("again {nth}"),
        checksum: None,
        run: None,
        signature: None,
        cost: NanoUsd(cost),
    };
    let write = move |tx: &mut store::WriteTx<'_>| -> store::StoreResult<()> {
        let standing = store::incidents::standing(tx, tenant, id)?.unwrap();
        let step = StepOf {
            authority: AuthorityContext::engine("incidents", at),
            at,
            request_id: "req_test".to_owned(),
            idempotency_key: None,
        };
        let occurred = Transition::of(&standing, step.with(Happening::Occurred(again.clone()))).unwrap();
        store::incidents::append(tx, &[occurred])
    };
    world.cx.db.write(write).await.unwrap();
}

/// A rule that came from this Incident.
pub(crate) async fn born_of(world: &World, origin: &TestIncident, definition: Definition) -> RuleId {
    let mut rule = Rule {
        source: RuleSource::Learned,
        source_incident: Some(origin.id()),
        ..plain(world, definition)
    };
    rule.hash = rule.hash_after(model::digest::Digest::ZERO);
    let (id, born) = (rule.id, origin.clone());
    let made = move |tx: &mut store::WriteTx<'_>| -> store::StoreResult<()> {
        store::incidents::append(tx, &born.history())?;
        store::policy_rules::insert(
            tx,
            &rule,
            store::policy_rules::Change {
                by: None,
                reason: None,
            },
        )
    };
    world.cx.db.write(made).await.unwrap();
    id
}

fn plain(world: &World, definition: Definition) -> Rule {
    Rule {
        id: RuleId::generate(world.cx.ids.as_ref()),
        tenant: world.tenant,
        version: 1,
        definition: Definition {
            min_confidence: Permille::new(600),
            ..definition
        },
        status: model::policy::RuleStatus::Active,
        hash: model::digest::Digest::ZERO,
        source: RuleSource::Manual,
        source_proposal: None,
        source_incident: None,
        source_run: None,
        parent: None,
        created_by: None,
        retirement: None,
        created_at: world.now(),
        updated_at: world.now(),
    }
}
