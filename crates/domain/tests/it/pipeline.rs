//! What does the engine `pipeline` decide, and what of it is frozen?

use domain::incidents::FailedRun;
use domain::pipeline::candidates::build;
use domain::pipeline::confidence::{MODEL_VERSION, WEIGHTS};
use domain::pipeline::correlate::correlate;
use domain::pipeline::detect::detect;
use domain::pipeline::gate::{
    Automation, GATE_VERSION, GateInput, Known, MIN_BAND, MIN_DETECTIONS, MIN_SCORE, Naming, evaluate,
};
use domain::pipeline::signals::own::{Report, breach, failed_run, manual_report};
use domain::pipeline::signals::{SignalDraft, ingest, normalize};
use domain::pipeline::{NAME, ids, shipped};
use model::authority::AuthorityType;
use model::breach::{Breach, BreachType};
use model::candidate::ConfidenceBand;
use model::id::{BreachId, DecisionId, IncidentId, LimitId, RunId, TenantId};
use model::incident::{Failure, FailureCode, RequestTraits, Signature};
use model::json::Json;
use model::promotion::{Check, Promoter, RejectionCode};
use model::severity::Severity;
use model::signal::{Certainty, Grade, SignalSource, SignalType};
use model::time::Timestamp;
use serde::Serialize;
use strum::IntoEnumIterator as _;

const TENANT: TenantId = TenantId::from_bits(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_768_557_600_000_000).plus_seconds(seconds)
}

fn json(value: &impl Serialize) -> Option<String> {
    serde_json::to_string_pretty(value).ok()
}

/// Everything that becomes of a draft, from signal to decision, by what is shipped.
fn journey(draft: &SignalDraft, kind: AuthorityType, naming: Naming) -> Option<Vec<String>> {
    let signal = ingest(TENANT, draft, at(10)).ok()?;
    let normalized = normalize(&signal, at(11));
    let detected = detect(&shipped::detection_rules().ok()?, &normalized, at(12));
    let mut told = vec![json(&signal)?, json(&normalized)?, json(&detected)?];
    let rules = shipped::correlation_rules().ok()?;
    let policies = shipped::policies().ok()?;
    let promoter = Promoter {
        authority_type: kind,
        authority_id: "plimsoll".to_owned(),
        session_id: None,
        justification: None,
    };
    // Detections come one after the other; the last one sees them all.
    let trigger = detected.detections.last()?;
    let correlated = correlate(&rules, trigger, &detected.detections);
    for correlation in &correlated.correlations {
        let built = build(rules.get(&correlation.rule)?, correlation, at(13)).ok()?;
        let decision = evaluate(&GateInput {
            request_id: "req-1",
            attempt: 1,
            candidate: &built.candidate,
            evidence: Known::Known(Some(&built.evidence)),
            policy: policies.get(&built.candidate.policy),
            promoter: &promoter,
            naming,
            active_incident: Known::Known(None),
            promoted_before: Known::Known(None),
            service_incident: Known::Known(model::incident::GoingOn::Nothing),
            last_promotion_at: Known::Known(None),
            automation: Known::Known(Automation::Running),
            now: at(14),
        });
        told.extend([json(&built)?, json(&decision)?]);
    }
    Some(told)
}

fn run_failed() -> Option<Vec<String>> {
    let signature = Signature {
        failure: Failure {
            code: FailureCode::ExecutionTimeout,
            error_class: "upstream_timeout".to_owned(),
            upstream_status: Some(504),
        },
        request: RequestTraits {
            provider: Some("openai".to_owned()),
            model: Some("gpt-4o".to_owned()),
            ..RequestTraits::default()
        },
    };
    let failed = FailedRun {
        tenant: TENANT,
        run: RunId::from_bits(0x0199_0000_0000_0000_0000_0000_0000_0007),
        signature: &signature,
    };
    let incident = domain::incidents::open(&failed).incident;
    journey(
        &failed_run(&failed, "chat", at(0)),
        AuthorityType::AutoEngine,
        Naming::Given(incident),
    )
}

fn budget_breached() -> Option<Vec<String>> {
    let fact = Breach {
        id: BreachId::from_bits(2),
        tenant: TENANT,
        limit_owner: TENANT,
        limit: LimitId::from_bits(3),
        run: None,
        decision: DecisionId::from_bits(4),
        breach_type: BreachType::Exhausted,
        value: 1_200,
        max: 1_000,
        at: at(0),
    };
    journey(
        &breach(&fact, "chat", None),
        AuthorityType::AutoEngine,
        Naming::ByEvidence,
    )
}

fn came_from_outside(severity: Severity) -> Option<Vec<String>> {
    let draft = SignalDraft {
        source: SignalSource::CloudwatchAlarm,
        signal_type: SignalType::AlarmStateChange,
        service: "search".to_owned(),
        severity,
        confidence: Certainty::Definitive,
        dedupe_key: "arn:alarm:latency".to_owned(),
        observed_at: at(0),
        title: "Latency too high".to_owned(),
        attributes: Json::map([("tags", Json::map([("alarmArn", Json::from("arn:alarm:latency"))]))]),
        raw: "{}".to_owned(),
    };
    journey(&draft, AuthorityType::AutoEngine, Naming::ByEvidence)
}

fn was_reported() -> Option<Vec<String>> {
    let report = Report {
        idempotency_key: "key-1",
        service: "chat",
        severity: Severity::Sev2,
        title: "All answers are empty",
        reported_by: "principal:ann",
        reported_at: at(0),
        body: "{\"service\":\"chat\"}",
    };
    let incident = ids::manual_incident(TENANT, report.idempotency_key);
    journey(
        &manual_report(&report),
        AuthorityType::HumanOperator,
        Naming::Given(incident),
    )
}

#[test]
fn a_failed_run_becomes_an_incident() {
    let told = run_failed().unwrap();
    assert_eq!(
        Some(&told),
        run_failed().as_ref(),
        "the same facts, the same bytes"
    );
    crate::golden(NAME, "failed-run", &told);
}

#[test]
fn a_breached_budget_becomes_an_incident() {
    let told = budget_breached().unwrap();
    assert_eq!(
        Some(&told),
        budget_breached().as_ref(),
        "the same facts, the same bytes"
    );
    crate::golden(NAME, "budget-breach", &told);
}

#[test]
fn what_comes_from_outside_becomes_an_incident_if_it_is_sure_and_those_who_may_ask() {
    let told = [Severity::Sev2, Severity::Sev4].map(|severity| came_from_outside(severity).unwrap());
    crate::golden(NAME, "external", &told.concat());
}

#[test]
fn a_report_becomes_an_incident() {
    let told = was_reported().unwrap();
    assert!(
        told.last()
            .unwrap()
            .contains(&IncidentId::to_string(&ids::manual_incident(TENANT, "key-1")))
    );
    crate::golden(NAME, "report", &told);
}

#[test]
fn what_is_frozen_does_not_change_unseen() {
    let words = |list: Vec<&'static str>| list.join(" ");
    let mut frozen = vec![
        format!(
            "gate {GATE_VERSION}: {MIN_SCORE} {} {MIN_DETECTIONS}",
            MIN_BAND.as_str()
        ),
        format!("checks: {}", words(Check::iter().map(Check::as_str).collect())),
        format!(
            "codes: {}",
            words(RejectionCode::iter().map(RejectionCode::as_str).collect())
        ),
        format!("model {MODEL_VERSION}"),
    ];
    frozen.extend(WEIGHTS.map(|(factor, weight)| format!("weight {} {weight}", factor.as_str())));
    frozen.extend(
        ConfidenceBand::iter().map(|band| format!("band {} from {}", band.as_str(), band.min_score())),
    );
    frozen.extend(Grade::iter().map(|grade| {
        format!(
            "grade {} {} {}",
            grade.as_str(),
            grade.score(),
            grade.severity().as_str()
        )
    }));
    for kind in AuthorityType::iter() {
        frozen.push(format!(
            "{} promotes up to {}",
            kind.as_str(),
            kind.promotes_up_to().as_str()
        ));
    }
    frozen.extend(
        shipped::policies()
            .unwrap()
            .iter()
            .map(|policy| json(policy.policy()).unwrap()),
    );
    frozen.extend(
        shipped::correlation_rules()
            .unwrap()
            .iter()
            .map(|rule| json(rule).unwrap()),
    );
    frozen.extend(
        shipped::detection_rules()
            .unwrap()
            .iter()
            .map(|rule| json(rule.rule()).unwrap()),
    );
    crate::golden(NAME, "frozen", &frozen);
}
