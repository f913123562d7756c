//! What rules would have done to histories that were worked out by hand.

use alloc::format;
use alloc::vec;

use model::amounts::Amounts;
use model::cost::TokenUsage;
use model::hold::Subject;
use model::id::{DecisionId, HoldId, RuleId, RunId, TenantId};
use model::money::NanoUsd;
use model::permille::Permille;
use model::policy::{EnforcementMode, OnStream, Rule, RuleScope, RuleSource, RuleStatus};
use model::run::{Operation, RunStatus, UsageSource};

use super::*;

const TENANT: TenantId = TenantId::from_bits(1);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn rule(mode: EnforcementMode, condition: &str) -> Rule {
    let written = at("2026-11-22T12:00:00Z");
    Rule {
        id: RuleId::from_bits(1),
        tenant: TENANT,
        version: 1,
        definition: Definition {
            name: "draft".to_string(),
            description: None,
            rule_type: RuleType::Condition,
            stage: Stage::Input,
            condition: Some(condition.to_string()),
            min_confidence: Permille::new(600),
            scope: RuleScope::Tenant,
            scope_id: None,
            mode,
            on_stream: OnStream::Block,
        },
        status: RuleStatus::Active,
        hash: Digest::ZERO,
        source: RuleSource::Manual,
        source_proposal: None,
        source_incident: None,
        source_run: None,
        parent: None,
        created_by: None,
        retirement: None,
        created_at: written,
        updated_at: written,
    }
}

/// A run of this model that started then, took a minute, could have cost 90 and cost 10.
fn run(n: u128, started: &str, model: &str) -> Run {
    let started_at = at(started);
    Run {
        id: RunId::from_bits(n),
        tenant: TENANT,
        status: RunStatus::Succeeded,
        operation: Operation::Chat,
        subject: Arc::new(Subject {
            model: Some(model.to_string()),
            agent_id: Some("support".to_string()),
            ..Subject::default()
        }),
        served_model: None,
        stream: false,
        decision: DecisionId::from_bits(n),
        hold: Some(HoldId::from_bits(n)),
        estimated: Amounts {
            cost: NanoUsd(90),
            input_tokens: 8,
            output_tokens: 4,
            requests: 1,
        },
        usage: Some(TokenUsage {
            input: 5,
            output: 2,
            ..TokenUsage::default()
        }),
        usage_source: UsageSource::Provider,
        cost: Some(NanoUsd(10)),
        http_status: Some(200),
        error_code: None,
        retries: 0,
        started_at,
        first_byte_at: None,
        completed_at: Some(started_at.plus_seconds(60)),
        correlation_id: String::new(),
        tools: vec!["search".to_string(), "shell".to_string()],
        input_fingerprint: None,
        parent: None,
    }
}

fn failed(run: Run) -> Run {
    Run {
        status: RunStatus::Failed,
        error_code: Some("upstream_timeout".to_string()),
        http_status: None,
        ..run
    }
}

fn backtest(rule: Rule) -> Result<Backtest, NotOnRecord> {
    let (from, until) = (at("2026-11-20T00:00:00Z"), at("2026-11-22T12:00:00Z"));
    Backtest::new(Prepared::new(rule)).map(|backtest| backtest.over(from, until))
}

fn tried(rule: Rule, runs: &[Run]) -> Report {
    let mut backtest = backtest(rule).unwrap();
    for run in runs {
        backtest.take(run);
    }
    backtest.report()
}

fn marks(report: &Report) -> Vec<u128> {
    report
        .examples
        .iter()
        .map(|example| example.mark.run.bits())
        .collect()
}

/// | run | day | model | in life |
/// |---|---|---|---|
/// | 1 | 20th 05:59 | a | succeeded |
/// | 2 | 20th 06:00 | a | failed |
/// | 3 | 20th 07:00 | b | succeeded |
/// | 4 | 21st 08:00 | a | refused |
/// | 5 | 22nd 09:00 | a | succeeded |
fn runs() -> Vec<Run> {
    vec![
        run(1, "2026-11-20T05:59:59Z", "a"),
        failed(run(2, "2026-11-20T06:00:00Z", "a")),
        run(3, "2026-11-20T07:00:00Z", "b"),
        Run {
            status: RunStatus::Blocked,
            hold: None,
            usage: None,
            usage_source: UsageSource::None,
            cost: None,
            ..run(4, "2026-11-21T08:00:00Z", "a")
        },
        run(5, "2026-11-22T09:00:00Z", "a"),
    ]
}

#[test]
fn a_blocking_rule_refuses_what_matches_and_ran() {
    let condition = "run.model == 'a' && time.hour >= 6 && 'shell' in tools && estimate.cost_usd < 1";
    let report = tried(rule(EnforcementMode::Block, condition), &runs());
    assert_eq!(
        (report.looked_at, report.matched, report.refused_before),
        (5, 3, 1)
    );
    let (met, blocked) = (report.met, report.blocked);
    assert_eq!(met, blocked);
    assert_eq!((blocked.all.runs, blocked.succeeded, blocked.failed), (2, 1, 1));
    assert_eq!((blocked.all.cost, blocked.all.input_tokens), (NanoUsd(20), 10));
    let (first, last) = report.hits.unwrap();
    assert_eq!((first.run.bits(), last.run.bits()), (2, 5));
    assert_eq!(marks(&report), [2, 4, 5]);
    let days: Vec<_> = report.days.values().collect();
    let told: Vec<_> = days
        .iter()
        .map(|day| (day.looked_at, day.matched, day.blocked.all.runs))
        .collect();
    assert_eq!(told, [(3, 1, 1), (1, 1, 0), (1, 1, 1)]);
}

#[test]
fn a_rule_that_refuses_nothing_matches_and_blocks_nothing() {
    for mode in [
        EnforcementMode::Warn,
        EnforcementMode::Log,
        EnforcementMode::DryRun,
    ] {
        let report = tried(rule(mode, "run.model == 'a'"), &runs());
        assert_eq!((report.matched, report.met.all.runs), (4, 3), "{mode:?}");
        assert_eq!(report.blocked, Fates::default(), "{mode:?}");
    }
}

#[test]
fn only_runs_in_its_scope_are_judged() {
    let mut agent = rule(EnforcementMode::Block, "true");
    agent.definition.scope = RuleScope::Agent;
    agent.definition.scope_id = Some("support".to_string());
    assert_eq!(tried(agent.clone(), &runs()).matched, 5);
    agent.definition.scope_id = Some("other".to_string());
    assert_eq!(tried(agent, &runs()).matched, 0);
}

/// What is on record of model `a` when each run starts: nothing for 1; nothing for 2, as 1 runs until 06:01; one failure
/// for 3; two for 4, of which the later one has a status.
#[test]
fn a_failure_is_on_record_when_it_has_ended_and_for_requests_that_look_the_same() {
    let broken = Run {
        error_code: Some("server_error".to_string()),
        http_status: Some(500),
        ..failed(run(3, "2026-11-20T06:01:00Z", "a"))
    };
    let history = [
        failed(run(1, "2026-11-20T06:00:00Z", "a")),
        run(2, "2026-11-20T06:00:30Z", "a"),
        broken,
        run(4, "2026-11-20T07:00:00Z", "a"),
        run(5, "2026-11-20T08:00:00Z", "b"),
    ];
    let matching = |condition: &str| marks(&tried(rule(EnforcementMode::Block, condition), &history));
    assert_eq!(matching("failure.known"), [3, 4]);
    assert_eq!(
        matching("failure.count == 1 && failure.code == 'EXECUTION_TIMEOUT'"),
        [3]
    );
    assert_eq!(matching("failure.count == 2 && failure.status == 500"), [4]);
}

#[test]
fn what_was_on_record_before_the_history_is_recalled_once() {
    let before = failed(run(9, "2026-11-01T00:00:00Z", "a"));
    let traits = before.traits().digest();
    let mut backtest = backtest(rule(EnforcementMode::Block, "failure.count == 7")).unwrap();
    assert!(backtest.needs_failures());
    for _ in 0..2 {
        backtest.recall(traits, Some((&before, 7)));
    }
    for run in &runs() {
        backtest.take(run);
    }
    // The failure of run 2 makes eight of seven.
    assert_eq!(marks(&backtest.report()), [1, 2]);
}

#[test]
fn a_rule_that_cannot_be_judged_refuses_if_it_blocks_and_says_why() {
    let unknown = Run {
        estimated: Amounts {
            cost: NanoUsd(0),
            ..run(1, "2026-11-20T06:00:00Z", "a").estimated
        },
        cost: None,
        ..run(1, "2026-11-20T06:00:00Z", "a")
    };
    let dear = "estimate.cost_usd > 5";
    let blocking = tried(
        rule(EnforcementMode::Block, dear),
        core::slice::from_ref(&unknown),
    );
    assert_eq!((blocking.faults, blocking.blocked.all.runs), (1, 1));
    assert!(blocking.first_fault.is_some() && blocking.examples[0].is_fault);
    let warning = tried(rule(EnforcementMode::Warn, dear), &[unknown]);
    assert_eq!((warning.faults, warning.matched), (1, 0));
}

#[test]
fn contents_are_not_on_record() {
    let condition = |text| backtest(rule(EnforcementMode::Block, text)).map(|_| ());
    assert_eq!(
        condition("findings.pii.count > 0 || run.stream"),
        Err(NotOnRecord::Contents)
    );
    let mut evaluator = rule(EnforcementMode::Block, "run.stream");
    evaluator.definition.rule_type = RuleType::PiiFilter;
    assert_eq!(backtest(evaluator).map(|_| ()), Err(NotOnRecord::Contents));
    let mut answers = rule(EnforcementMode::Block, "run.stream");
    answers.definition.stage = Stage::Output;
    assert_eq!(backtest(answers).map(|_| ()), Err(NotOnRecord::Answers));
}

#[test]
fn the_latest_matches_are_kept_as_examples() {
    let many: Vec<Run> = (1..=25)
        .map(|n| run(n, &format!("2026-11-20T06:00:{n:02}Z"), "a"))
        .collect();
    let report = tried(rule(EnforcementMode::Log, "true"), &many);
    assert_eq!(report.matched, 25);
    assert_eq!(marks(&report), (6..=25).collect::<Vec<u128>>());
}
