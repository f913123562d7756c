//! Does a candidate become an Incident?
//!
//! First the evidence: is it there, is it sure enough, is there enough of it, is it about a service that the policy speaks
//! for, and has it not led to an Incident already? Then policy and authority. The first check that fails decides, and every
//! check is written down. Whatever is unknown, missing or contradicts itself is a rejection.

mod asked;
mod checks;

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use model::candidate::{Assessment, Candidate, ConfidenceBand, EvidenceBundle};
use model::id::{IncidentId, PromotionDecisionId};
use model::incident::GoingOn;
use model::promotion::{
    Check, CheckImpact, CheckResult, EvidenceWindow, GateStep, Promoter, PromotionDecision, RejectionCode,
    Verdict,
};
use model::score::Score;
use model::time::Timestamp;
use model::versioned::Versioned;

use super::ids;
use super::policy::LoadedPolicy;

/// The version of the gate.
pub const GATE_VERSION: &str = "v1.0.0";
/// The least score that the gate lets pass, unless the evidence is definitive.
pub const MIN_SCORE: Score = Score::new(600_000);
/// The least band.
pub const MIN_BAND: ConfidenceBand = ConfidenceBand::High;
/// The least number of detections.
pub const MIN_DETECTIONS: u32 = 2;
/// What is said when everything holds.
pub const ALL_SATISFIED: &str = "All policy conditions satisfied";

/// What was looked up. A look-up that failed is not the same as one that found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<T> {
    /// This was found.
    Known(T),
    /// Nobody can say.
    Unknown,
}

/// Whether the product may promote by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Automation {
    /// It may.
    Running,
    /// Somebody has switched it off: people still may.
    Paused,
}

/// Which id the Incident has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The one that follows from the service and the evidence.
    ByEvidence,
    /// One that it has already: of a report, or of a failed LLM Run.
    Given(IncidentId),
}

/// Everything the decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct GateInput<'a> {
    /// The request that is answered.
    pub request_id: &'a str,
    /// How often a promotion of this candidate by this policy was asked for, from 1. A repetition has the same number and
    /// gets the same answer; a person who asks again after a DEFER has the next one.
    pub attempt: u32,
    /// The candidate.
    pub candidate: &'a Candidate,
    /// The evidence that the candidate names.
    pub evidence: Known<Option<&'a EvidenceBundle>>,
    /// The policy that is applied; none if it is not there. `AUTO_ENGINE` applies the candidate's own.
    pub policy: Option<&'a LoadedPolicy>,
    /// Who asks.
    pub promoter: &'a Promoter,
    /// Which id the Incident has.
    pub naming: Naming,
    /// An Incident (PENDING, OPEN or MITIGATING) with that id, other than the one that is being created.
    pub active_incident: Known<Option<IncidentId>>,
    /// The decision that promoted this candidate before.
    pub promoted_before: Known<Option<PromotionDecisionId>>,
    /// Another Incident (PENDING, OPEN or MITIGATING) of the same service.
    pub service_incident: Known<GoingOn>,
    /// When a candidate of the same service was last promoted.
    pub last_promotion_at: Known<Option<Timestamp>>,
    /// Whether the product may promote by itself.
    pub automation: Known<Automation>,
    /// When it is decided.
    pub now: Timestamp,
}

/// What one check came to.
enum Outcome {
    /// It holds, or was not asked.
    Continue(CheckResult, Option<String>),
    /// The candidate waits for a person.
    Defer(String),
    /// The candidate is rejected.
    Reject(RejectionCode, String),
}

impl Outcome {
    const PASS: Self = Self::Continue(CheckResult::Pass, None);

    fn skip(why: &str) -> Self {
        Self::Continue(CheckResult::Skip, Some(why.to_owned()))
    }

    fn reject(code: RejectionCode, why: impl Into<String>) -> Self {
        Self::Reject(code, why.into())
    }

    /// Something that the decision depends on is unknown.
    fn unknown(what: &str) -> Self {
        Self::Reject(
            RejectionCode::GateInternalError,
            alloc::format!("{what} is unknown"),
        )
    }
}

/// What the checks work on, as far as it is known.
struct Facts<'a> {
    input: GateInput<'a>,
    incident: IncidentId,
    evidence: Option<&'a EvidenceBundle>,
    assessment: Option<Assessment>,
}

/// In which order the gate checks.
const ORDER: [Check; 12] = [
    Check::Integrity,
    Check::Evidence,
    Check::Confidence,
    Check::Detections,
    Check::Service,
    Check::ActiveIncident,
    Check::DuplicatePromotion,
    Check::CandidateFreshness,
    Check::Eligibility,
    Check::AuthorityPermission,
    Check::Automation,
    Check::DeferralConditions,
];

/// Decides.
pub fn evaluate(input: &GateInput<'_>) -> PromotionDecision {
    let candidate = input.candidate;
    let mut facts = Facts {
        input: *input,
        incident: match input.naming {
            Naming::Given(incident) => incident,
            Naming::ByEvidence => ids::promoted_incident(
                candidate.tenant,
                &candidate.suggested_service,
                candidate.evidence_id,
            ),
        },
        evidence: None,
        assessment: None,
    };
    let mut steps = Vec::new();
    let mut decided = (Verdict::Promote, None, ALL_SATISFIED.to_owned());
    for (step, check) in (1_u32..).zip(ORDER) {
        let outcome = checks::run(check, &mut facts);
        let (result, impact, details) = match &outcome {
            Outcome::Continue(result, details) => (*result, CheckImpact::Continue, details.clone()),
            Outcome::Defer(why) => (CheckResult::Fail, CheckImpact::Defer, Some(why.clone())),
            Outcome::Reject(_, why) => (CheckResult::Fail, CheckImpact::Reject, Some(why.clone())),
        };
        steps.push(GateStep {
            step,
            check,
            input: asked::with(check, &facts),
            result,
            impact,
            details,
        });
        match outcome {
            Outcome::Continue(..) => {}
            Outcome::Defer(why) => {
                decided = (Verdict::Defer, None, why);
                break;
            }
            Outcome::Reject(code, why) => {
                decided = (Verdict::Reject, Some(code), why);
                break;
            }
        }
    }
    decision(&facts, decided, steps)
}

fn decision(
    facts: &Facts<'_>,
    (verdict, code, reason): (Verdict, Option<RejectionCode>, String),
    steps: Vec<GateStep>,
) -> PromotionDecision {
    let input = &facts.input;
    let candidate = input.candidate;
    let policy = policy_name(facts);
    let context = ids::request_context(candidate.tenant, candidate.id, &policy, input.attempt);
    let incident_id = match (verdict, code, input.active_incident) {
        (Verdict::Promote, ..) => Some(facts.incident),
        (_, Some(RejectionCode::ActiveIncidentExists), Known::Known(active)) => active,
        _ => None,
    };
    PromotionDecision {
        id: ids::decision(candidate.tenant, candidate.id, &policy, context),
        tenant: candidate.tenant,
        request_id: input.request_id.to_owned(),
        candidate_id: candidate.id,
        evidence_id: candidate.evidence_id,
        decision: verdict,
        decision_hash: ids::decision_hash(candidate.tenant, verdict, &reason, &policy, candidate.id),
        reason,
        rejection_code: code,
        incident_id,
        severity: candidate.suggested_severity,
        policy,
        authority: input.promoter.clone(),
        confidence_score: facts.assessment.as_ref().map(|it| it.confidence_score),
        confidence_band: facts.assessment.as_ref().map(|it| it.confidence_band),
        evidence_window: facts.evidence.map(|bundle| EvidenceWindow {
            start: bundle.window_start,
            end: bundle.window_end,
        }),
        request_context_hash: context,
        steps,
        gate_version: GATE_VERSION.to_owned(),
        // Without evidence there is no time but that of the candidate, which a repetition has as well.
        evaluated_at: facts
            .evidence
            .map_or(candidate.created_at, |bundle| bundle.bundled_at),
        decided_at: input.now,
    }
}

/// The policy that is applied, or the one that should have been.
fn policy_name(facts: &Facts<'_>) -> Versioned {
    let applied = facts.input.policy.map(|policy| policy.policy().reference());
    applied.unwrap_or_else(|| facts.input.candidate.policy.clone())
}

#[cfg(test)]
mod tests;
