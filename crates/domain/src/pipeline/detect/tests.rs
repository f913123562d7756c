//! Which rules are loaded, and what do they find?

mod load;

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;

use model::detection::Operator;
use model::signal::{Certainty, Grade, SignalSource, SignalType};
use proptest::prelude::*;
use serde_json::json;

use super::super::fixtures::{at, draft, normalized};
use super::*;

/// A rule with these conditions that looks at everything.
fn written(conditions: &serde_json::Value) -> serde_json::Value {
    json!({
        "ruleId": "test", "ruleVersion": "1.0.0", "name": "n", "description": "d", "owner": "o",
        "category": "EXECUTION_FAILURE", "conditions": conditions, "outputConfidence": "HIGH"
    })
}

fn load(rule: serde_json::Value) -> Result<LoadedRule, RuleProblem> {
    LoadedRule::load(serde_json::from_value(rule).unwrap()).map_err(|error| error.problem)
}

fn condition(field: &str, operator: Operator, value: &serde_json::Value) -> serde_json::Value {
    json!({ "conditionId": "c", "field": field, "operator": operator.as_str(), "value": value })
}

/// A rule with one condition, its threshold justified.
fn asks(field: &str, operator: Operator, value: &serde_json::Value) -> Result<LoadedRule, RuleProblem> {
    let mut rule = written(&json!([condition(field, operator, value)]));
    if value.is_i64() {
        rule["thresholdJustifications"] =
            json!([{"field": field, "threshold": value, "source": "s", "rationale": "r", "owner": "o"}]);
    }
    load(rule)
}

#[test]
fn every_operator_holds_where_it_should_and_nowhere_else() {
    use Operator as Op;
    let signal = normalized(|_| ());
    let (value, text, nothing, missing) = (
        "attributes.value",
        "attributes.text",
        "attributes.nothing",
        "attributes.missing",
    );
    for (field, operator, expected, holds) in [
        (value, Op::Equals, json!(950), true),
        (value, Op::Equals, json!("950"), false),
        (nothing, Op::Equals, json!(null), true),
        (missing, Op::Equals, json!(null), false),
        (value, Op::NotEquals, json!("950"), true),
        (value, Op::NotEquals, json!(950), false),
        (missing, Op::NotEquals, json!(1), true),
        (text, Op::Contains, json!("lat"), true),
        (text, Op::Contains, json!("LAT"), false),
        (value, Op::Contains, json!("9"), false),
        (text, Op::NotContains, json!("cost"), true),
        (text, Op::NotContains, json!("lat"), false),
        (missing, Op::NotContains, json!("cost"), false),
        (text, Op::StartsWith, json!("p99"), true),
        (text, Op::StartsWith, json!("latency"), false),
        (text, Op::EndsWith, json!("latency"), true),
        (text, Op::EndsWith, json!("p99"), false),
        (value, Op::GreaterThan, json!(949), true),
        (value, Op::GreaterThan, json!(950), false),
        (text, Op::GreaterThan, json!(0), false),
        (value, Op::LessThan, json!(951), true),
        (value, Op::LessThan, json!(950), false),
        (value, Op::GreaterThanOrEquals, json!(950), true),
        (value, Op::GreaterThanOrEquals, json!(951), false),
        (value, Op::LessThanOrEquals, json!(950), true),
        (value, Op::LessThanOrEquals, json!(949), false),
        (missing, Op::LessThanOrEquals, json!(949), false),
        (value, Op::Exists, json!(null), true),
        (nothing, Op::Exists, json!(null), false),
        (missing, Op::Exists, json!(null), false),
        (value, Op::NotExists, json!(null), false),
        (nothing, Op::NotExists, json!(null), true),
        (missing, Op::NotExists, json!(null), true),
        (value, Op::In, json!([1, 950]), true),
        (value, Op::In, json!(["950"]), false),
        (missing, Op::In, json!([null]), false),
        (value, Op::NotIn, json!([1]), true),
        (value, Op::NotIn, json!([950]), false),
        (missing, Op::NotIn, json!([1]), true),
        (text, Op::MatchesRegex, json!("^p\\d+ "), true),
        (text, Op::MatchesRegex, json!("^\\d"), false),
        (value, Op::MatchesRegex, json!("9"), false),
        ("resourceRefs[0].refType", Op::Equals, json!("aws-arn"), true),
        ("environmentRefs.0.value", Op::Equals, json!("eu-1"), true),
        ("severity", Op::Equals, json!("HIGH"), true),
    ] {
        let rule = asks(field, operator, &expected).unwrap();
        let evaluation = evaluate(&rule, &signal).unwrap();
        let step = &evaluation.evaluation_trace[0];
        assert_eq!(step.result, holds, "{field} {} {expected}", operator.as_str());
        assert_eq!(step.operator, Some(operator));
        assert_eq!(evaluation.decision == RuleVerdict::Match, holds);
    }
}

#[test]
fn a_rule_with_more_conditions_than_its_trace_shows_is_refused() {
    let many = |count: usize, last: &str| {
        let conditions: Vec<_> = (0..count)
            .map(|place| {
                json!({"conditionId": format!("c{place}"), "field": "service", "operator": "equals",
                "value": if place + 1 == count { last } else { "search" }})
            })
            .collect();
        load(written(&json!(conditions)))
    };
    assert_eq!(many(21, "search").unwrap_err(), RuleProblem::TooManyConditions);
    // Whatever is behind the first condition that fails is evaluated, shown, and counts.
    let evaluation = evaluate(&many(20, "other").unwrap(), &normalized(|_| ())).unwrap();
    assert_eq!(
        (evaluation.evaluation_trace.len(), evaluation.decision),
        (20, RuleVerdict::NoMatch)
    );
    let places: Vec<_> = evaluation
        .evaluation_trace
        .iter()
        .map(|step| step.step_index)
        .collect();
    assert_eq!(places, (0..20).collect::<Vec<_>>());
    assert_eq!(
        evaluate(&many(20, "search").unwrap(), &normalized(|_| ()))
            .unwrap()
            .decision,
        RuleVerdict::Match
    );
}

#[test]
fn a_rule_looks_at_what_is_in_all_of_its_lists() {
    let looks = |matcher: serde_json::Value| {
        let mut rule = written(&json!([]));
        rule["signalMatcher"] = matcher;
        evaluate(&load(rule).unwrap(), &normalized(|_| ()))
    };
    let all = json!({"signalTypes": ["RUN_FAILED", "ALARM_STATE_CHANGE"], "sources": ["CUSTOM_API"],
        "severities": ["HIGH"], "confidences": ["DEFINITIVE"]});
    assert!(looks(all.clone()).is_some());
    for (list, other) in [
        ("signalTypes", "RUN_FAILED"),
        ("sources", "LLM_RUN"),
        ("severities", "LOW"),
        ("confidences", "LOW"),
    ] {
        let mut changed = all.clone();
        changed[list] = json!([other]);
        assert_eq!(looks(changed), None, "{list}");
    }
    let trace = looks(json!({})).unwrap().evaluation_trace;
    assert_eq!(
        (trace.len(), trace[0].condition_id.as_str(), trace[0].result),
        (1, "UNCONDITIONAL", true)
    );
}

#[test]
fn what_a_rule_says_of_severity_and_confidence_is_what_the_detection_has() {
    let mut rule = written(&json!([]));
    let found = |rule: &serde_json::Value| {
        let rules = DetectionRules::load(vec![serde_json::from_value(rule.clone()).unwrap()]).unwrap();
        let detection = detect(&rules, &normalized(|_| ()), at(62))
            .detections
            .pop()
            .unwrap();
        (detection.severity, detection.certainty, detection.confidence)
    };
    assert_eq!(
        found(&rule),
        (Grade::High, Certainty::High, Score::ONE),
        "as bad as the signal"
    );
    rule["outputSeverity"] = json!("CRITICAL");
    rule["outputConfidence"] = json!("LOW");
    assert_eq!(found(&rule), (Grade::Critical, Certainty::Low, Score::ONE));
}

#[test]
fn a_group_of_signals_is_a_tenth_surer_with_each_and_its_order_is_no_difference() {
    let rule = load(written(&json!([]))).unwrap();
    let signals: Vec<_> = (0..12)
        .map(|minute| normalized(|it| it.observed_at = at(-60 * minute)))
        .collect();
    for count in 1..=12 {
        let found = detect_together(&rule, &signals[..count], at(62)).unwrap();
        let expected = if count == 1 { 10 } else { count.min(10) };
        assert_eq!(
            found.confidence,
            Score::of(u64::try_from(expected).unwrap(), 10),
            "{count}"
        );
        assert_eq!(found.signal_timestamp, signals[count - 1].timestamp);
        let mut turned = signals[..count].to_vec();
        turned.reverse();
        turned.push(signals[0].clone());
        assert_eq!(detect_together(&rule, &turned, at(62)).unwrap(), found);
    }
}

#[test]
fn a_group_that_is_no_group_is_refused() {
    let rule = load(written(&json!([condition(
        "service",
        Operator::Equals,
        &json!("search")
    )])))
    .unwrap();
    let together = |other: NormalizedSignal| detect_together(&rule, &[normalized(|_| ()), other], at(62));
    assert_eq!(detect_together(&rule, &[], at(62)), Err(DetectError::NoSignals));
    assert_eq!(
        together(normalized(|it| it.service = "x".into())),
        Err(DetectError::SeveralServices)
    );
    let worse = normalized(|it| it.severity = model::severity::Severity::Sev1);
    assert_eq!(together(worse), Err(DetectError::SeveralSeverities));
    let foreign = super::super::signals::ingest(model::id::TenantId::from_bits(2), &draft(), at(60)).unwrap();
    let foreign = super::super::signals::normalize(&foreign, at(61));
    assert_eq!(together(foreign), Err(DetectError::SeveralTenants));
    let elsewhere: Vec<_> = (0..2)
        .map(|key| {
            normalized(|it| {
                it.service = "x".into();
                it.dedupe_key = key.to_string();
            })
        })
        .collect();
    assert_eq!(
        detect_together(&rule, &elsewhere, at(62)),
        Err(DetectError::NoMatch)
    );
    let many: Vec<_> = (0..101)
        .map(|key| normalized(|it| it.dedupe_key = key.to_string()))
        .collect();
    assert_eq!(
        detect_together(&rule, &many, at(62)),
        Err(DetectError::TooManySignals)
    );
    assert!(detect_together(&rule, &many[..100], at(62)).is_ok());
}

#[test]
fn the_same_signal_has_the_same_detections_apart_from_the_clock() {
    let rules = super::super::shipped::detection_rules().unwrap();
    let found = |now| detect(&rules, &normalized(|_| ()), now);
    assert_eq!(
        serde_json::to_string(&found(at(9))).unwrap(),
        serde_json::to_string(&found(at(9))).unwrap()
    );
    let mut later = found(at(99));
    for detection in &mut later.detections {
        detection.detected_at = at(9);
    }
    assert_eq!(later, found(at(9)));
    let names: Vec<_> = later.detections.iter().map(|it| it.rule.to_string()).collect();
    assert_eq!(names, ["external-alarm@1.0.0", "high-severity-signal@1.0.0"]);
}

proptest! {
    #[test]
    fn no_path_and_no_value_makes_it_panic(field in "\\PC{1,20}", path in "[a-b0-2.\\[\\]]{1,12}", value in any::<i64>()) {
        for field in [field.as_str(), path.as_str()] {
            if let Ok(rule) = asks(field, Operator::GreaterThan, &json!(value)) {
                let _ = evaluate(&rule, &normalized(|it| it.attributes = Json::map([(field, Json::from(value))])));
            }
        }
    }

    #[test]
    fn any_pattern_is_refused_or_matched(pattern in "\\PC{0,40}") {
        if let Ok(rule) = asks("title", Operator::MatchesRegex, &json!(pattern)) {
            let one = evaluate(&rule, &normalized(|_| ()));
            prop_assert_eq!(one, evaluate(&rule, &normalized(|_| ())));
        }
    }
}

#[test]
fn sources_of_our_own_are_found_by_their_own_rules_only() {
    let own = |source, signal_type, attributes: Json| {
        let found = super::super::fixtures::found(|it| {
            it.source = source;
            it.signal_type = signal_type;
            it.attributes = attributes;
        });
        found
            .iter()
            .map(|it| it.rule.id.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let text = || Json::from("x");
    let run = Json::map([("runId", text()), ("code", text())]);
    assert_eq!(
        own(SignalSource::LlmRun, SignalType::RunFailed, run),
        "llm-run-failed"
    );
    assert_eq!(
        own(SignalSource::LlmRun, SignalType::RunFailed, Json::map([])),
        ""
    );
    let limit = || Json::map([("limitId", text())]);
    assert_eq!(
        own(SignalSource::Limit, SignalType::BudgetBreached, limit()),
        "budget-breached"
    );
    assert_eq!(
        own(SignalSource::Limit, SignalType::ThresholdViolated, limit()),
        "threshold-violated"
    );
    let failed = Json::map([("status", Json::from("FAILED"))]);
    assert_eq!(
        own(SignalSource::Integrity, SignalType::IntegrityViolated, failed),
        "integrity-violated"
    );
    let report = Json::map([("reportedBy", text())]);
    assert_eq!(
        own(SignalSource::Manual, SignalType::ManualReport, report),
        "manual-report"
    );
}
