//! When does the gate promote, defer and reject, and why?

mod paths;

use alloc::vec;

use model::authority::AuthorityType;
use model::id::TenantId;
use model::promotion::PromotionPolicy;
use model::severity::Severity;
use proptest::prelude::*;
use strum::IntoEnumIterator as _;

use super::super::candidates::Built;
use super::super::fixtures::{alarm, at, candidate, found, promoter};
use super::super::shipped;
use super::*;

/// What a test works on: a SEV3 candidate on three alarms and the policy `default`, asked for by `AUTO_ENGINE`.
struct Case {
    built: Built,
    policy: PromotionPolicy,
    promoter: Promoter,
}

impl Case {
    fn new() -> Self {
        Self::of(Severity::Sev3)
    }

    fn of(severity: Severity) -> Self {
        let mut detections = Vec::new();
        for second in 0..4 {
            let key = alloc::format!("alarm-{second}");
            detections.extend(found(|it| {
                it.severity = severity;
                it.dedupe_key = key;
                it.observed_at = at(second);
                it.source = model::signal::SignalSource::CustomApi;
            }));
            detections.extend(found(|it| {
                it.severity = severity;
                it.signal_type = model::signal::SignalType::CustomEvent;
                it.observed_at = at(second);
            }));
        }
        let built = candidate("service-cascade", &detections);
        let policies = shipped::policies().unwrap();
        Self {
            policy: policies.get(&built.candidate.policy).unwrap().policy().clone(),
            built,
            promoter: promoter(AuthorityType::AutoEngine),
        }
    }

    fn decide(&self, change: impl FnOnce(&mut GateInput<'_>)) -> PromotionDecision {
        let policy = LoadedPolicy::load(self.policy.clone()).unwrap();
        let mut input = GateInput {
            request_id: "req-1",
            attempt: 1,
            candidate: &self.built.candidate,
            evidence: Known::Known(Some(&self.built.evidence)),
            policy: Some(&policy),
            promoter: &self.promoter,
            naming: Naming::ByEvidence,
            active_incident: Known::Known(None),
            promoted_before: Known::Known(None),
            service_incident: Known::Known(GoingOn::Nothing),
            last_promotion_at: Known::Known(None),
            automation: Known::Known(Automation::Running),
            now: at(120),
        };
        change(&mut input);
        evaluate(&input)
    }

    fn said(&self) -> (Verdict, Option<RejectionCode>) {
        let decision = self.decide(|_| ());
        (decision.decision, decision.rejection_code)
    }

    fn by(mut self, authority_type: AuthorityType) -> Self {
        self.promoter = promoter(authority_type);
        self
    }
}

const PROMOTED: (Verdict, Option<RejectionCode>) = (Verdict::Promote, None);
const DEFERRED: (Verdict, Option<RejectionCode>) = (Verdict::Defer, None);

const fn rejected(code: RejectionCode) -> (Verdict, Option<RejectionCode>) {
    (Verdict::Reject, Some(code))
}

fn says(case: &Case, change: impl FnOnce(&mut GateInput<'_>)) -> (Verdict, Option<RejectionCode>) {
    let decision = case.decide(change);
    let last = decision.steps.last().unwrap();
    let impact = match decision.decision {
        Verdict::Promote => CheckImpact::Continue,
        Verdict::Defer => CheckImpact::Defer,
        Verdict::Reject => CheckImpact::Reject,
    };
    assert_eq!(last.impact, impact, "the last step decides");
    assert!(decision.decision == Verdict::Promote || last.details.as_ref() == Some(&decision.reason));
    (decision.decision, decision.rejection_code)
}

#[test]
fn what_holds_everywhere_is_promoted_and_every_check_is_written_down() {
    let case = Case::new();
    let decision = case.decide(|_| ());
    assert_eq!(decision.decision, Verdict::Promote, "{decision:#?}");
    assert_eq!(decision.reason, ALL_SATISFIED);
    let checks: Vec<_> = decision.steps.iter().map(|step| step.check).collect();
    assert_eq!(checks, Check::iter().collect::<Vec<_>>());
    let numbers: Vec<_> = decision.steps.iter().map(|step| step.step).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    let candidate = &case.built.candidate;
    let expected = ids::promoted_incident(candidate.tenant, "search", candidate.evidence_id);
    assert_eq!(decision.incident_id, Some(expected));
    assert_eq!(decision.evaluated_at, case.built.evidence.bundled_at);
    assert_eq!(decision.decided_at, at(120));
    assert_eq!(decision.gate_version, "v1.0.0");
    let window = decision.evidence_window.unwrap();
    assert_eq!((window.start, window.end), (at(0), at(3600)));
    assert_eq!(
        decision.confidence_score,
        Some(candidate.assessment.confidence_score)
    );
}

#[test]
fn a_severity_is_promoted_by_those_who_may_and_by_nobody_below() {
    // `true` where the candidate becomes an Incident by a policy that asks nothing of authorities.
    for (kind, expected) in [
        (AuthorityType::AutoEngine, [false, false, true, true]),
        (AuthorityType::HumanOperator, [false, true, true, true]),
        (AuthorityType::OnCallSre, [true; 4]),
        (AuthorityType::EmergencyOverride, [true; 4]),
    ] {
        for (severity, promotes) in Severity::iter().zip(expected) {
            let mut case = Case::of(severity).by(kind);
            case.policy.authority_restrictions.severity_overrides.clear();
            let said = if promotes {
                PROMOTED
            } else {
                rejected(RejectionCode::AuthorityNotAllowed)
            };
            // SEV4 is not sure enough for the gate: its own test says so.
            if severity == Severity::Sev4 {
                case.policy.rejection_conditions.insufficient_evidence = false;
                case.policy.eligibility.min_confidence = model::candidate::CandidateConfidence::Low;
                let people = vec![AuthorityType::OnCallSre, AuthorityType::EmergencyOverride];
                if !people.contains(&kind) {
                    continue;
                }
                case.policy.authority_restrictions.allowed_authorities = people;
            }
            assert_eq!(case.said(), said, "{} {}", kind.as_str(), severity.as_str());
        }
    }
}

#[test]
fn unknown_facts_are_rejections() {
    let case = Case::new();
    let internal = rejected(RejectionCode::GateInternalError);
    assert_eq!(says(&case, |it| it.evidence = Known::Unknown), internal);
    assert_eq!(says(&case, |it| it.active_incident = Known::Unknown), internal);
    assert_eq!(says(&case, |it| it.promoted_before = Known::Unknown), internal);
    assert_eq!(says(&case, |it| it.service_incident = Known::Unknown), internal);
    assert_eq!(says(&case, |it| it.last_promotion_at = Known::Unknown), internal);
    assert_eq!(says(&case, |it| it.automation = Known::Unknown), internal);
    assert_eq!(says(&case, |it| it.policy = None), internal);
    assert_eq!(says(&case, |it| it.attempt = 0), internal);
    let mut nobody = Case::new();
    nobody.promoter.authority_id = " ".to_owned();
    assert_eq!(nobody.said(), internal);
}

#[test]
fn evidence_that_is_not_there_or_not_what_was_said_is_a_rejection() {
    let case = Case::new();
    let missing = rejected(RejectionCode::EvidenceNotFound);
    let decision = case.decide(|it| it.evidence = Known::Known(None));
    assert_eq!((decision.decision, decision.rejection_code), missing);
    // A repetition has the same time, although there is no bundle to take it from.
    assert_eq!(decision.evaluated_at, case.built.candidate.created_at);
    assert_eq!(
        (decision.confidence_score, decision.evidence_window),
        (None, None)
    );
    let mut other = Case::new();
    other.built.evidence = candidate("service-cascade", &[alarm(|_| ())]).evidence;
    assert_eq!(other.said(), missing);
    let mut foreign = Case::new();
    foreign.built.evidence.tenant = TenantId::from_bits(2);
    assert_eq!(foreign.said(), missing);
}

#[test]
fn what_contradicts_itself_is_a_rejection() {
    let internal = rejected(RejectionCode::GateInternalError);
    let forged = |change: &dyn Fn(&mut Built)| {
        let mut case = Case::new();
        change(&mut case.built);
        assert_eq!(case.said(), internal);
    };
    forged(&|it| it.candidate.assessment.confidence_score = Score::ONE);
    forged(&|it| it.candidate.suggested_severity = Severity::Sev4);
    forged(&|it| it.candidate.suggested_service = "other".to_owned());
    forged(&|it| it.candidate.detection_ids.clear());
    forged(&|it| {
        it.candidate.detection_ids.pop();
    });
    forged(&|it| it.candidate.id = model::id::CandidateId::of(model::digest::Digest::ZERO));
    forged(&|it| it.evidence.window_end = at(9999));
    forged(&|it| it.evidence.signal_summary.signal_count = 99);
    forged(&|it| it.evidence.correlation_key = model::id::CorrelationKey::of(model::digest::Digest::ZERO));
    forged(&|it| it.candidate.policy.version = "9.9.9".parse().unwrap());
    // A person may apply another policy than the candidate's own.
    let mut case = Case::new().by(AuthorityType::OnCallSre);
    case.policy.version = "9.9.9".parse().unwrap();
    assert_eq!(case.said(), PROMOTED);
}

#[test]
fn the_same_question_has_the_same_answer_whoever_asks() {
    let case = Case::new();
    let written = |decision: &PromotionDecision| serde_json::to_string(decision).unwrap();
    let first = case.decide(|_| ());
    assert_eq!(written(&case.decide(|_| ())), written(&first));
    let human = Case::new().by(AuthorityType::OnCallSre).decide(|_| ());
    assert_eq!((human.id, human.decision_hash), (first.id, first.decision_hash));
    assert_ne!(human.authority, first.authority);
    let again = case.decide(|it| it.attempt = 2);
    assert_ne!(again.id, first.id);
    assert_eq!(
        serde_json::from_str::<PromotionDecision>(&written(&first)).unwrap(),
        first
    );
}

#[test]
fn an_incident_that_has_an_id_keeps_it() {
    let given = IncidentId::from_bits(9);
    let decision = Case::new().decide(|it| it.naming = Naming::Given(given));
    assert_eq!(
        (decision.decision, decision.incident_id),
        (Verdict::Promote, Some(given))
    );
}

proptest! {
    #[test]
    fn no_combination_of_facts_makes_it_panic_or_promote_what_is_unknown(
        known in prop::collection::vec(0_u8..3, 5), kind in 0_usize..4, attempt in 0_u32..3, now in any::<i64>(),
    ) {
        let case = Case::new().by(AuthorityType::iter().nth(kind).unwrap());
        let incident = |choice: u8| match choice {
            0 => Known::Unknown,
            1 => Known::Known(None),
            _ => Known::Known(Some(IncidentId::from_bits(1))),
        };
        let decision = case.decide(|it| {
            it.attempt = attempt;
            it.now = Timestamp::from_micros(now);
            it.active_incident = incident(known[0]);
            it.service_incident = match known[1] {
                0 => Known::Unknown,
                1 => Known::Known(GoingOn::Nothing),
                _ => Known::Known(GoingOn::Incident(IncidentId::from_bits(1))),
            };
            it.promoted_before = match known[2] {
                0 => Known::Unknown,
                1 => Known::Known(None),
                _ => Known::Known(Some(PromotionDecisionId::of(model::digest::Digest::ZERO))),
            };
            it.last_promotion_at = match known[3] {
                0 => Known::Unknown,
                1 => Known::Known(None),
                _ => Known::Known(Some(at(0))),
            };
            it.automation = match known[4] {
                0 => Known::Unknown,
                1 => Known::Known(Automation::Running),
                _ => Known::Known(Automation::Paused),
            };
        });
        prop_assert_eq!(decision.rejection_code.is_some(), decision.decision == Verdict::Reject);
        if decision.decision == Verdict::Promote {
            prop_assert!(known[0] == 1 && known[2] == 1 && attempt > 0 && decision.incident_id.is_some());
            prop_assert!(kind != 0 || known[4] == 1);
        }
    }
}
