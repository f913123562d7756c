//! What is a candidate called, and what makes it another one?

use alloc::vec;

use model::candidate::{CandidateConfidence, Template};
use model::signal::Grade;

use super::super::correlate::correlate;
use super::super::fixtures::{alarm, at, candidate, found};
use super::super::shipped;
use super::*;

fn seen(service: &str, seconds: i64) -> Detection {
    alarm(|it| {
        it.service = service.into();
        it.observed_at = at(seconds);
        it.dedupe_key = format!("alarm-{seconds}");
    })
}

/// The correlation that `service-cascade` makes of these.
fn correlated(detections: &[Detection]) -> (CorrelationRule, Correlation) {
    let rules = shipped::correlation_rules().unwrap();
    let found = correlate(&rules, &detections[0], detections).correlations;
    let correlation = found
        .into_iter()
        .find(|it| it.rule.id.as_str() == "service-cascade")
        .unwrap();
    (rules.get(&correlation.rule).unwrap().clone(), correlation)
}

#[test]
fn the_primary_detection_is_the_worst_then_the_earliest_then_the_first_by_id() {
    let mut detections = vec![seen("s", 30), seen("s", 20), seen("s", 10)];
    let primary = |detections: &[Detection]| {
        let id = candidate("service-cascade", detections)
            .candidate
            .primary_detection_id;
        detections
            .iter()
            .position(|detection| detection.id == id)
            .unwrap()
    };
    assert_eq!(primary(&detections), 2, "the earliest");
    detections[0].severity = Grade::Critical;
    assert_eq!(primary(&detections), 0, "the worst");
    detections[0].severity = Grade::High;
    for detection in &mut detections {
        detection.signal_timestamp = at(10);
    }
    let smallest = detections.iter().map(|detection| detection.id).min().unwrap();
    assert_eq!(detections[primary(&detections)].id, smallest);
}

#[test]
fn the_title_says_severity_rule_and_number_unless_the_rule_says_otherwise() {
    let one = candidate("service-cascade", &[seen("s", 10)]).candidate;
    assert_eq!(one.suggested_title, "[SEV2] external-alarm detected");
    assert_eq!(one.suggested_description, None);
    let three = candidate("service-cascade", &[seen("s", 10), seen("s", 70), seen("s", 130)]).candidate;
    assert_eq!(
        three.suggested_title,
        "[SEV2] external-alarm detected (+2 related)"
    );
    let high = candidate("high-severity", &[seen("s", 10), seen("s", 70)]).candidate;
    assert_eq!(high.suggested_title, "SEV2 at s: Latency too high");
    assert_eq!(
        high.suggested_description.as_deref(),
        Some("2 detections in 2 signals from 2026-01-16T10:00:10.000Z to 2026-01-16T10:01:10.000Z.")
    );
    assert_eq!(high.tags, ["high-severity"]);
}

#[test]
fn a_template_is_filled_once_and_cut_to_what_fits() {
    let (mut rule, correlation) = correlated(&[seen("{{severity}}", 10)]);
    let mut filled = |title: &str| {
        rule.candidate_template = Some(Template {
            title: title.into(),
            description: "d".into(),
            tags: vec!["b".into(), "a".into(), "b".into()],
        });
        build(&rule, &correlation, at(63)).unwrap().candidate
    };
    assert_eq!(
        filled("{{service}}").suggested_title,
        "{{severity}}",
        "what a customer wrote is not filled"
    );
    let all = "{{title}} {{ruleId}} {{signalCount}} {{windowStart}} {{windowEnd}} {{timeWindow}} {{lastObservedAt}}";
    assert_eq!(
        filled(all).suggested_title,
        "Latency too high external-alarm 1 2026-01-16T10:00:00.000Z 2026-01-16T11:00:00.000Z \
         2026-01-16T10:00:00.000Z/2026-01-16T11:00:00.000Z 2026-01-16T10:00:10.000Z"
    );
    assert_eq!(filled("x").tags, ["a", "b"]);
    let long = "{{service}}".repeat(20);
    assert_eq!(filled(&long).suggested_title.chars().count(), 200);
}

#[test]
fn the_blast_radius_says_how_far_it_reaches() {
    let radius = |detections: &[Detection]| {
        let radius = blast_radius(detections);
        (radius.scope, radius.estimated_impact)
    };
    let graded = |service: &str, severity| Detection {
        severity,
        ..seen(service, 1)
    };
    assert_eq!(
        radius(&[graded("a", Grade::Critical)]),
        (BlastScope::SingleService, Impact::Critical)
    );
    assert_eq!(
        radius(&[graded("a", Grade::High)]),
        (BlastScope::SingleService, Impact::High)
    );
    assert_eq!(
        radius(&[graded("a", Grade::Low)]),
        (BlastScope::SingleService, Impact::Low)
    );
    let two = [graded("a", Grade::Medium), graded("b", Grade::Low)];
    assert_eq!(radius(&two), (BlastScope::MultiService, Impact::Medium));
    let beneath = Detection {
        signal_type: SignalType::InfrastructureEvent,
        ..graded("a", Grade::Info)
    };
    assert_eq!(radius(&[beneath]), (BlastScope::Infrastructure, Impact::Low));
    let many: Vec<_> = (0..60)
        .map(|place| {
            let mut detection = graded(&format!("s{place:02}"), Grade::Low);
            detection.resource_refs[0].ref_value = format!("r{place:02}");
            detection
        })
        .collect();
    let wide = blast_radius(&many);
    assert_eq!(
        (wide.affected_services.len(), wide.affected_resources.len()),
        (50, 20)
    );
}

#[test]
fn a_candidate_says_what_its_assessment_says() {
    let made = candidate("high-severity", &found(|_| ()));
    assert_eq!(
        made.candidate.confidence,
        CandidateConfidence::from(made.candidate.assessment.confidence_band)
    );
    assert_eq!(made.candidate.assessment.assessed_at, made.evidence.bundled_at);
    assert_eq!(made.candidate.evidence_id, made.evidence.id);
    assert_eq!(made.candidate.evidence_graph_id, made.graph.id);
    let steps: Vec<_> = made
        .candidate
        .generation_trace
        .iter()
        .map(|step| step.action.as_str())
        .collect();
    assert_eq!(
        steps,
        [
            "validate_inputs",
            "truncate_window",
            "select_primary_detection",
            "resolve_key_fields",
            "compute_correlation_key",
            "compute_confidence",
            "estimate_blast_radius",
            "generate_title",
            "compute_candidate_id"
        ]
    );
}

#[test]
fn the_id_depends_on_detections_and_rule_and_not_on_order_or_clock() {
    let detections = [seen("s", 10), seen("s", 70)];
    let (rule, correlation) = correlated(&detections);
    let made = build(&rule, &correlation, at(63)).unwrap();
    let mut turned = correlation.clone();
    turned.detections.reverse();
    assert_eq!(build(&rule, &turned, at(63)).unwrap(), made);
    let later = build(&rule, &correlation, at(999)).unwrap();
    assert_eq!(
        (later.candidate.id, later.evidence.id, later.graph.id),
        (made.candidate.id, made.evidence.id, made.graph.id)
    );
    let written = |made: &Built| serde_json::to_string(made).unwrap();
    assert_eq!(
        written(&build(&rule, &correlation, at(63)).unwrap()),
        written(&made)
    );
    let fewer = build(&rule, &correlated(&detections[..1]).1, at(63)).unwrap();
    assert_ne!(fewer.candidate.id, made.candidate.id);
    let (mut other_rule, mut other) = (rule.clone(), correlation.clone());
    other_rule.version = "1.0.1".parse().unwrap();
    other.rule = other_rule.reference();
    assert_ne!(
        build(&other_rule, &other, at(63)).unwrap().candidate.id,
        made.candidate.id
    );
    let mut cut = correlation.clone();
    cut.window_truncated = at(-3600);
    assert_ne!(
        build(&rule, &cut, at(63)).unwrap().candidate.id,
        made.candidate.id
    );
}

#[test]
fn without_evidence_or_assessment_there_is_no_candidate() {
    let (mut rule, correlation) = correlated(&[seen("s", 10)]);
    let other = shipped::correlation_rules().unwrap();
    let other = other.iter().next().unwrap();
    assert_eq!(
        build(other, &correlation, at(63)),
        Err(CandidateError::AnotherRule)
    );
    let mut moved = correlation.clone();
    moved.window_end = at(5);
    let outside = EvidenceError::OutsideWindow(correlation.detections[0].id);
    assert_eq!(
        build(&rule, &moved, at(63)),
        Err(CandidateError::Evidence(outside))
    );
    let mut instant = correlation.clone();
    (instant.window_start, instant.window_end) = (at(10), at(10));
    assert_eq!(
        build(&rule, &instant, at(63)),
        Err(CandidateError::Assessment(AssessError::Window))
    );
    rule.threshold.min_detections = 2;
    assert_eq!(build(&rule, &correlation, at(63)), Err(CandidateError::Threshold));
    rule.threshold.min_detections = 0;
    let mut none = correlation;
    none.detections.clear();
    assert_eq!(
        build(&rule, &none, at(63)),
        Err(CandidateError::Evidence(EvidenceError::NoDetections))
    );
}
