//! Does every part of an id make a difference, and order none?

use alloc::string::ToString as _;
use alloc::vec;

use super::super::fixtures::{TENANT, at};
use super::*;

fn hash(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// No two of these are the same.
fn all_differ(mut ids: Vec<String>) {
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn every_part_of_a_detection_makes_a_difference() {
    let rule = |text: &str| text.parse::<Versioned>().unwrap();
    let (one, two) = (SignalId::of(hash("1")), SignalId::of(hash("2")));
    let other = TenantId::from_bits(2);
    all_differ(vec![
        detection(TENANT, &rule("a@1.0.0"), &[one]).to_string(),
        detection(other, &rule("a@1.0.0"), &[one]).to_string(),
        detection(TENANT, &rule("b@1.0.0"), &[one]).to_string(),
        detection(TENANT, &rule("a@1.0.1"), &[one]).to_string(),
        detection(TENANT, &rule("a@1.0.0"), &[two]).to_string(),
        detection(TENANT, &rule("a@1.0.0"), &[one, two]).to_string(),
    ]);
    assert_eq!(
        detection(TENANT, &rule("a@1.0.0"), &[one, two]),
        detection(TENANT, &rule("a@1.0.0"), &[two, one, two])
    );
}

#[test]
fn every_part_of_a_normalised_signal_and_of_evidence_makes_a_difference() {
    let (one, two) = (SignalId::of(hash("1")), SignalId::of(hash("2")));
    let other = TenantId::from_bits(2);
    let (kind, at_0) = (SignalType::RunFailed, at(0));
    all_differ(vec![
        normalized_signal(TENANT, one, kind, at_0).to_string(),
        normalized_signal(other, one, kind, at_0).to_string(),
        normalized_signal(TENANT, two, kind, at_0).to_string(),
        normalized_signal(TENANT, one, SignalType::CustomEvent, at_0).to_string(),
        normalized_signal(TENANT, one, kind, at(1)).to_string(),
    ]);
    let (first, second) = (DetectionId::of(hash("1")), DetectionId::of(hash("2")));
    all_differ(vec![
        evidence(TENANT, "s", &[first], at(0), at(9)).to_string(),
        evidence(other, "s", &[first], at(0), at(9)).to_string(),
        evidence(TENANT, "t", &[first], at(0), at(9)).to_string(),
        evidence(TENANT, "s", &[second], at(0), at(9)).to_string(),
        evidence(TENANT, "s", &[first], at(1), at(9)).to_string(),
        evidence(TENANT, "s", &[first], at(0), at(8)).to_string(),
    ]);
    let (here, there) = (CandidateId::of(hash("1")), CandidateId::of(hash("2")));
    all_differ(vec![
        evidence_graph(TENANT, here, &[first]).to_string(),
        evidence_graph(other, here, &[first]).to_string(),
        evidence_graph(TENANT, there, &[first]).to_string(),
        evidence_graph(TENANT, here, &[second]).to_string(),
    ]);
}

#[test]
fn every_part_of_a_candidate_makes_a_difference() {
    let rule = |text: &str| text.parse::<Versioned>().unwrap();
    let fields = |text: &str| vec![text.to_string(), "windowTruncated=x".to_string()];
    let (first, second) = (DetectionId::of(hash("1")), DetectionId::of(hash("2")));
    let other = TenantId::from_bits(2);
    let key = correlation_key(TENANT, &rule("a@1.0.0"), &[first], &fields("service=s"));
    all_differ(vec![
        key.to_string(),
        correlation_key(other, &rule("a@1.0.0"), &[first], &fields("service=s")).to_string(),
        correlation_key(TENANT, &rule("b@1.0.0"), &[first], &fields("service=s")).to_string(),
        correlation_key(TENANT, &rule("a@2.0.0"), &[first], &fields("service=s")).to_string(),
        correlation_key(TENANT, &rule("a@1.0.0"), &[second], &fields("service=s")).to_string(),
        correlation_key(TENANT, &rule("a@1.0.0"), &[first], &fields("service=t")).to_string(),
        candidate(TENANT, key).to_string(),
        candidate(other, key).to_string(),
    ]);
    let mut turned = fields("service=s");
    turned.reverse();
    assert_eq!(correlation_key(TENANT, &rule("a@1.0.0"), &[first], &turned), key);
}

#[test]
fn every_part_of_a_decision_makes_a_difference_but_who_asked() {
    let policy = |text: &str| text.parse::<Versioned>().unwrap();
    let (here, there) = (CandidateId::of(hash("1")), CandidateId::of(hash("2")));
    let other = TenantId::from_bits(2);
    all_differ(vec![
        request_context(TENANT, here, &policy("a@1.0.0"), 1).to_string(),
        request_context(other, here, &policy("a@1.0.0"), 1).to_string(),
        request_context(TENANT, there, &policy("a@1.0.0"), 1).to_string(),
        request_context(TENANT, here, &policy("b@1.0.0"), 1).to_string(),
        request_context(TENANT, here, &policy("a@1.0.1"), 1).to_string(),
        request_context(TENANT, here, &policy("a@1.0.0"), 2).to_string(),
    ]);
    let context = hash("context");
    all_differ(vec![
        decision(TENANT, here, &policy("a@1.0.0"), context).to_string(),
        decision(other, here, &policy("a@1.0.0"), context).to_string(),
        decision(TENANT, there, &policy("a@1.0.0"), context).to_string(),
        decision(TENANT, here, &policy("b@1.0.0"), context).to_string(),
        decision(TENANT, here, &policy("a@1.0.1"), context).to_string(),
        decision(TENANT, here, &policy("a@1.0.0"), hash("other")).to_string(),
    ]);
    let answer =
        |verdict, reason: &str| decision_hash(TENANT, verdict, reason, &policy("a@1.0.0"), here).to_string();
    all_differ(vec![
        answer(Verdict::Promote, "x"),
        answer(Verdict::Reject, "x"),
        answer(Verdict::Promote, "y"),
        decision_hash(other, Verdict::Promote, "x", &policy("a@1.0.0"), here).to_string(),
        decision_hash(TENANT, Verdict::Promote, "x", &policy("b@1.0.0"), here).to_string(),
        decision_hash(TENANT, Verdict::Promote, "x", &policy("a@1.0.1"), here).to_string(),
        decision_hash(TENANT, Verdict::Promote, "x", &policy("a@1.0.0"), there).to_string(),
    ]);
}

#[test]
fn incidents_of_two_tenants_or_two_causes_differ() {
    let (one, two) = (EvidenceId::of(hash("1")), EvidenceId::of(hash("2")));
    let other = TenantId::from_bits(2);
    all_differ(vec![
        promoted_incident(TENANT, "s", one).to_string(),
        promoted_incident(other, "s", one).to_string(),
        promoted_incident(TENANT, "t", one).to_string(),
        promoted_incident(TENANT, "s", two).to_string(),
        manual_incident(TENANT, "k").to_string(),
        manual_incident(other, "k").to_string(),
        manual_incident(TENANT, "l").to_string(),
    ]);
}
