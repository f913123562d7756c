//! Is every rejection code and every reason to wait reached, also by what is shipped?

use alloc::string::String;

use model::candidate::{BlastScope, CandidateConfidence};
use model::digest::Digest;
use model::promotion::DefinitiveEvidence;
use model::signal::{SignalSource, SignalType};

use super::*;

/// A case on what the product noticed itself, by the policy that the rule names.
fn own(
    rule: &str,
    source: SignalSource,
    signal_type: SignalType,
    severity: Severity,
    seconds: &[i64],
) -> Case {
    let text = || model::json::Json::from("x");
    let detections: Vec<_> = seconds
        .iter()
        .flat_map(|second| {
            found(|it| {
                it.source = source;
                it.signal_type = signal_type;
                it.severity = severity;
                it.observed_at = at(*second);
                it.attributes = model::json::Json::map([
                    ("runId", text()),
                    ("code", text()),
                    ("limitId", text()),
                    ("reportedBy", text()),
                    ("status", model::json::Json::from("FAILED")),
                ]);
            })
        })
        .collect();
    let built = candidate(rule, &detections);
    let policies = shipped::policies().unwrap();
    Case {
        policy: policies.get(&built.candidate.policy).unwrap().policy().clone(),
        built,
        promoter: promoter(AuthorityType::AutoEngine),
    }
}

fn failed_run(severity: Severity) -> Case {
    own(
        "failed-run",
        SignalSource::LlmRun,
        SignalType::RunFailed,
        severity,
        &[0],
    )
}

fn threshold(seconds: &[i64]) -> Case {
    own(
        "threshold-violations",
        SignalSource::Limit,
        SignalType::ThresholdViolated,
        Severity::Sev3,
        seconds,
    )
}

#[test]
fn all_six_codes_of_the_evidence_gate_are_reached() {
    let mut reached: Vec<RejectionCode> = Vec::new();
    let mut reach = |said: (Verdict, Option<RejectionCode>)| reached.extend(said.1);
    let case = Case::new();
    reach(says(&case, |it| it.evidence = Known::Known(None)));
    let mut single = Case::new();
    single.built = candidate("service-cascade", &[alarm(|it| it.severity = Severity::Sev3)]);
    reach(single.said());
    reach(threshold(&[0]).said());
    let active = Known::Known(Some(IncidentId::from_bits(5)));
    reach(says(&case, |it| it.active_incident = active));
    assert_eq!(
        case.decide(|it| it.active_incident = active).incident_id,
        Some(IncidentId::from_bits(5))
    );
    let mut elsewhere = Case::new();
    elsewhere.policy.eligibility.allowed_services = Some(vec!["payment-service".into()]);
    reach(elsewhere.said());
    reach(says(&case, |it| it.active_incident = Known::Unknown));
    assert_eq!(reached, RejectionCode::EVIDENCE_GATE);
    elsewhere.policy.eligibility.allowed_services = Some(vec!["search".into()]);
    assert_eq!(elsewhere.said(), PROMOTED);
}

#[test]
fn what_the_product_noticed_itself_passes_by_a_policy_of_its_own() {
    for severity in Severity::iter() {
        assert_eq!(failed_run(severity).said(), PROMOTED, "{severity:?}");
    }
    let budget = |severity| {
        own(
            "budget-breach",
            SignalSource::Limit,
            SignalType::BudgetBreached,
            severity,
            &[0],
        )
    };
    assert_eq!(budget(Severity::Sev2).said(), PROMOTED);
    assert_eq!(
        budget(Severity::Sev1).said(),
        rejected(RejectionCode::SeverityNotAllowed)
    );
    let integrity = |severity| {
        own(
            "integrity-violation",
            SignalSource::Integrity,
            SignalType::IntegrityViolated,
            severity,
            &[0],
        )
    };
    assert_eq!(integrity(Severity::Sev1).said(), PROMOTED);
    assert_eq!(threshold(&[0, 60]).said(), PROMOTED);
    assert_eq!(
        threshold(&[0]).said(),
        rejected(RejectionCode::InsufficientDetections)
    );
}

#[test]
fn the_trust_in_definitive_evidence_is_for_the_named_rules_and_for_what_is_definitive() {
    let mut case = failed_run(Severity::Sev2);
    case.policy.definitive_evidence = None;
    assert_eq!(
        case.said(),
        rejected(RejectionCode::ConfidenceTooLow),
        "one detection is not enough by itself"
    );
    case.policy.definitive_evidence = Some(DefinitiveEvidence {
        rule_ids: vec!["another-rule".parse().unwrap()],
        min_detections: 1,
        auto_engine_severities: vec![Severity::Sev2],
    });
    assert_eq!(case.said(), rejected(RejectionCode::ConfidenceTooLow));
    let mut doubtful = failed_run(Severity::Sev2);
    doubtful.built.evidence.detections[0].certainty = model::signal::Certainty::High;
    assert_eq!(doubtful.said(), rejected(RejectionCode::ConfidenceTooLow));
    let mut capped = failed_run(Severity::Sev2);
    capped
        .policy
        .definitive_evidence
        .as_mut()
        .unwrap()
        .auto_engine_severities
        .clear();
    assert_eq!(capped.said(), rejected(RejectionCode::AuthorityNotAllowed));
    // The other way round: the gate's own cap stands for people.
    assert_eq!(
        failed_run(Severity::Sev1).by(AuthorityType::HumanOperator).said(),
        rejected(RejectionCode::AuthorityNotAllowed)
    );
}

#[test]
fn a_report_is_promoted_by_its_author_up_to_what_they_may() {
    let report = |severity| {
        own(
            "manual-report",
            SignalSource::Manual,
            SignalType::ManualReport,
            severity,
            &[0],
        )
    };
    let not_allowed = rejected(RejectionCode::AuthorityNotAllowed);
    assert_eq!(
        report(Severity::Sev3).said(),
        not_allowed,
        "AUTO_ENGINE reports nothing"
    );
    for (kind, sev1) in [
        (AuthorityType::HumanOperator, not_allowed),
        (AuthorityType::OnCallSre, PROMOTED),
        (AuthorityType::EmergencyOverride, PROMOTED),
    ] {
        assert_eq!(report(Severity::Sev1).by(kind).said(), sev1);
        assert_eq!(report(Severity::Sev2).by(kind).said(), PROMOTED);
    }
}

#[test]
fn duplicates_and_old_candidates_are_rejected_unless_the_policy_says_otherwise() {
    let mut case = Case::new();
    let before = Known::Known(Some(PromotionDecisionId::of(Digest::ZERO)));
    assert_eq!(
        says(&case, |it| it.promoted_before = before),
        rejected(RejectionCode::DuplicateCandidate)
    );
    let created = case.built.candidate.created_at;
    let stale = rejected(RejectionCode::StaleCandidate);
    assert_eq!(says(&case, |it| it.now = created.plus_seconds(300)), PROMOTED);
    assert_eq!(
        says(&case, |it| it.now = created.plus_seconds(3600)),
        PROMOTED,
        "an hour is not more than an hour"
    );
    assert_eq!(says(&case, |it| it.now = created.plus_millis(3_600_001)), stale);
    assert_eq!(says(&case, |it| it.now = created.plus_seconds(5400)), stale);
    case.policy.rejection_conditions.stale_candidate = false;
    assert_eq!(says(&case, |it| it.now = created.plus_seconds(5400)), PROMOTED);
    case.policy.rejection_conditions.duplicate_candidate = false;
    assert_eq!(says(&case, |it| it.promoted_before = before), PROMOTED);
}

#[test]
fn what_is_not_eligible_is_rejected_with_all_reasons() {
    let code = |change: &dyn Fn(&mut PromotionPolicy)| {
        let mut case = Case::new();
        change(&mut case.policy);
        case.decide(|_| ()).rejection_code
    };
    assert_eq!(
        code(&|it| it.eligibility.allowed_severities = vec![Severity::Sev1]),
        Some(RejectionCode::SeverityNotAllowed)
    );
    assert_eq!(
        code(&|it| it.eligibility.min_detections = 9),
        Some(RejectionCode::InsufficientDetections)
    );
    let scope = vec![BlastScope::Infrastructure];
    assert_eq!(
        code(&|it| it.eligibility.required_blast_radius_scope = Some(scope.clone())),
        Some(RejectionCode::BlastRadiusNotAllowed)
    );
    let mut case = failed_run(Severity::Sev3);
    case.policy.eligibility.min_confidence = CandidateConfidence::High;
    case.policy.eligibility.allowed_severities = vec![Severity::Sev1, Severity::Sev2];
    let decision = case.decide(|_| ());
    assert_eq!(
        decision.rejection_code,
        Some(RejectionCode::ConfidenceTooLow),
        "the first of them"
    );
    assert_eq!(
        decision.reason,
        "confidence MEDIUM is below HIGH; severity SEV3 is not allowed"
    );
}

#[test]
fn a_candidate_waits_while_the_service_has_an_incident_and_just_after_one() {
    let mut case = Case::new();
    let other = Known::Known(GoingOn::Incident(IncidentId::from_bits(5)));
    assert_eq!(says(&case, |it| it.service_incident = other), DEFERRED);
    let unreadable = Known::Known(GoingOn::Unreadable);
    assert_eq!(says(&case, |it| it.service_incident = unreadable), DEFERRED);
    let own = Known::Known(GoingOn::Incident(case.decide(|_| ()).incident_id.unwrap()));
    assert_eq!(
        says(&case, |it| it.service_incident = own),
        PROMOTED,
        "its own Incident is not another"
    );
    let last = |millis: i64| Known::Known(Some(at(120).plus_millis(-millis)));
    assert_eq!(says(&case, |it| it.last_promotion_at = last(299_999)), DEFERRED);
    assert_eq!(says(&case, |it| it.last_promotion_at = last(300_000)), PROMOTED);
    case.policy.deferral_conditions.cooldown_minutes = 0;
    assert_eq!(says(&case, |it| it.last_promotion_at = last(0)), PROMOTED);
    assert_eq!(
        says(&case, |it| it.last_promotion_at = Known::Unknown),
        PROMOTED,
        "nobody asks"
    );
    case.policy.deferral_conditions.pending_incident_for_service = false;
    assert_eq!(says(&case, |it| it.service_incident = other), PROMOTED);
}

#[test]
fn a_person_who_asks_again_does_not_wait_again() {
    let case = Case::new().by(AuthorityType::HumanOperator);
    let other = Known::Known(GoingOn::Incident(IncidentId::from_bits(5)));
    assert_eq!(says(&case, |it| it.service_incident = other), DEFERRED);
    let again = |it: &mut GateInput<'_>| {
        it.service_incident = other;
        it.attempt = 2;
    };
    assert_eq!(says(&case, again), PROMOTED);
    assert_eq!(says(&Case::new(), again), DEFERRED, "AUTO_ENGINE is no person");
}

#[test]
fn the_kill_switch_stops_the_product_and_nobody_else() {
    let paused = |it: &mut GateInput<'_>| it.automation = Known::Known(Automation::Paused);
    assert_eq!(says(&Case::new(), paused), DEFERRED);
    for kind in AuthorityType::iter().filter(|kind| kind.is_human()) {
        assert_eq!(says(&Case::new().by(kind), paused), PROMOTED);
        assert_eq!(
            says(&Case::new().by(kind), |it| it.automation = Known::Unknown),
            PROMOTED
        );
    }
}

#[test]
fn a_policy_names_who_may_and_for_which_severities() {
    let not_allowed = rejected(RejectionCode::AuthorityNotAllowed);
    let mut case = Case::new().by(AuthorityType::HumanOperator);
    assert_eq!(case.said(), PROMOTED);
    case.policy
        .authority_restrictions
        .severity_overrides
        .insert(Severity::Sev3, vec![AuthorityType::OnCallSre]);
    assert_eq!(case.said(), not_allowed);
    case.policy.authority_restrictions.severity_overrides.clear();
    case.policy.authority_restrictions.allowed_authorities = vec![AuthorityType::OnCallSre];
    assert_eq!(case.said(), not_allowed);
    assert_eq!(case.by(AuthorityType::OnCallSre).said(), PROMOTED);
    // As shipped: SEV2 is for people.
    assert_eq!(Case::of(Severity::Sev2).said(), not_allowed);
    assert_eq!(
        Case::of(Severity::Sev2).by(AuthorityType::HumanOperator).said(),
        PROMOTED
    );
    assert_eq!(
        Case::of(Severity::Sev1).by(AuthorityType::HumanOperator).said(),
        not_allowed
    );
}

#[test]
fn whoever_breaks_the_glass_says_why_and_needs_no_policy() {
    let justified = |text: Option<String>| {
        let mut case = Case::new().by(AuthorityType::EmergencyOverride);
        case.promoter.justification = text;
        case.said()
    };
    let required = rejected(RejectionCode::JustificationRequired);
    assert_eq!(justified(None), required);
    assert_eq!(justified(Some("x".repeat(19))), required);
    assert_eq!(justified(Some(alloc::format!("{:<40}", "short"))), required);
    assert_eq!(justified(Some("é".repeat(20))), PROMOTED);
    assert_eq!(justified(Some("x".repeat(2048))), PROMOTED);
    assert_eq!(justified(Some("x".repeat(2049))), required);
    let mut case = Case::new().by(AuthorityType::EmergencyOverride);
    case.policy.eligibility.allowed_severities = vec![Severity::Sev1];
    case.policy.eligibility.allowed_services = Some(vec!["other".into()]);
    case.policy.authority_restrictions.allowed_authorities = vec![AuthorityType::OnCallSre];
    case.policy.authority_restrictions.severity_overrides.clear();
    let everything = |it: &mut GateInput<'_>| {
        it.now = at(999_999);
        it.service_incident = Known::Known(GoingOn::Incident(IncidentId::from_bits(5)));
    };
    assert_eq!(says(&case, everything), PROMOTED);
    // What has been promoted, or rests on nothing, is no matter of policy.
    let before = Known::Known(Some(PromotionDecisionId::of(Digest::ZERO)));
    assert_eq!(
        says(&case, |it| it.promoted_before = before),
        rejected(RejectionCode::DuplicateCandidate)
    );
    assert_eq!(
        says(&case, |it| it.evidence = Known::Known(None)),
        rejected(RejectionCode::EvidenceNotFound)
    );
    let mut long = Case::new().by(AuthorityType::OnCallSre);
    long.promoter.justification = Some("x".repeat(2049));
    assert_eq!(long.said(), required);
}

#[test]
fn thin_evidence_passes_by_the_policy_for_emergencies_only() {
    let mut case = Case::new();
    case.built = candidate("service-cascade", &[alarm(|it| it.severity = Severity::Sev2)]);
    let emergency = shipped::policies()
        .unwrap()
        .get(&"emergency@1.0.0".parse().unwrap())
        .unwrap()
        .policy()
        .clone();
    let mut case = case.by(AuthorityType::OnCallSre);
    assert_eq!(case.said(), rejected(RejectionCode::ConfidenceTooLow));
    case.policy = emergency;
    let decision = case.decide(|it| it.now = at(99_999));
    assert_eq!(
        (decision.decision, decision.rejection_code),
        PROMOTED,
        "neither thin nor old is a reason"
    );
    let skipped = decision
        .steps
        .iter()
        .filter(|step| step.result == CheckResult::Skip)
        .count();
    assert_eq!(
        skipped, 6,
        "confidence, detections, service, freshness, automation, deferral"
    );
    assert_eq!(
        case.by(AuthorityType::HumanOperator).said(),
        rejected(RejectionCode::AuthorityNotAllowed)
    );
}
