//! Does a candidate become an Incident, who says so, and by which policy?

mod policy;

use alloc::string::String;
use alloc::vec::Vec;

use crate::authority::AuthorityType;
use crate::candidate::ConfidenceBand;
use crate::digest::Digest;
use crate::id::{CandidateId, EvidenceId, IncidentId, PromotionDecisionId, TenantId};
use crate::json::Json;
use crate::score::Score;
use crate::severity::Severity;
use crate::time::Timestamp;
use crate::versioned::Versioned;
use crate::wire::wire_enum;

pub use crate::verdict::Verdict;

pub use self::policy::{
    AuthorityRestrictions, DeferralConditions, DefinitiveEvidence, Eligibility, PromotionPolicy,
    RejectionConditions,
};

/// The shortest reason of somebody who breaks the glass, in characters.
pub const JUSTIFICATION_MIN: usize = 20;
/// The longest, in characters.
pub const JUSTIFICATION_MAX: usize = 2048;

wire_enum! {
    /// Why a candidate is rejected. The first six are those of the evidence gate; the others are a policy's.
    RejectionCode {
        /// There is no evidence, or it is not what the candidate names.
        EvidenceNotFound,
        /// The assessment is below what the policy or the gate asks for.
        ConfidenceTooLow,
        /// There are fewer detections than the policy or the gate asks for.
        InsufficientDetections,
        /// The same evidence has led to an Incident that is still going on.
        ActiveIncidentExists,
        /// The policy does not speak for this service.
        ServiceNotAllowed,
        /// Something that the decision depends on is unknown or contradicts itself.
        GateInternalError,
        /// It was promoted before.
        DuplicateCandidate,
        /// It is older than the policy allows.
        StaleCandidate,
        /// The policy does not speak for this severity.
        SeverityNotAllowed,
        /// The policy does not speak for so wide or so narrow a blast radius.
        BlastRadiusNotAllowed,
        /// Whoever asks may not promote this.
        AuthorityNotAllowed,
        /// Whoever breaks the glass has to say why.
        JustificationRequired,
    }
}

impl RejectionCode {
    /// Those of the evidence gate.
    pub const EVIDENCE_GATE: [Self; 6] = [
        Self::EvidenceNotFound,
        Self::ConfidenceTooLow,
        Self::InsufficientDetections,
        Self::ActiveIncidentExists,
        Self::ServiceNotAllowed,
        Self::GateInternalError,
    ];
}

wire_enum! {
    "snake_case";
    /// What the gate checks, in this order.
    Check {
        /// Whether candidate, policy, evidence and what is known of both fit together.
        Integrity,
        /// Whether there is evidence.
        Evidence,
        /// Whether it is sure enough.
        Confidence,
        /// Whether there is enough of it.
        Detections,
        /// Whether the policy speaks for the service.
        Service,
        /// Whether the same evidence has led to an Incident that is still going on.
        ActiveIncident,
        /// Whether the candidate was promoted before.
        DuplicatePromotion,
        /// Whether it is young enough.
        CandidateFreshness,
        /// Whether the policy speaks for such candidates.
        Eligibility,
        /// Whether whoever asks may promote it.
        AuthorityPermission,
        /// Whether promotion by the product itself is switched on.
        Automation,
        /// Whether there is a reason to wait.
        DeferralConditions,
    }
}

wire_enum! {
    /// How a check went.
    CheckResult {
        /// It holds.
        Pass,
        /// It does not.
        Fail,
        /// It was not asked.
        Skip,
    }
}

wire_enum! {
    /// What comes of a check.
    CheckImpact {
        /// The next one is asked.
        Continue,
        /// The candidate is rejected.
        Reject,
        /// The candidate waits for a person.
        Defer,
    }
}

/// One step of the gate.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GateStep {
    /// Its place, from 1.
    pub step: u32,
    /// What was checked.
    pub check: Check,
    /// What it was checked with.
    pub input: Json,
    /// How it went.
    pub result: CheckResult,
    /// What comes of it.
    pub impact: CheckImpact,
    /// In words, unless it holds.
    pub details: Option<String>,
}

/// Who asks for a promotion, as the credential says: never as the request says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Promoter {
    /// By which authority.
    pub authority_type: AuthorityType,
    /// Who.
    pub authority_id: String,
    /// In which session.
    pub session_id: Option<String>,
    /// Why; whoever breaks the glass has to say it.
    pub justification: Option<String>,
}

/// When the evidence was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceWindow {
    /// From when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
}

/// What the gate decided: never changed, never deleted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromotionDecision {
    /// Its id: see `domain::pipeline::ids::decision`. Who asked is no part of it.
    pub id: PromotionDecisionId,
    /// Whose candidate it was.
    pub tenant: TenantId,
    /// The request that it answers.
    pub request_id: String,
    /// Which candidate.
    pub candidate_id: CandidateId,
    /// On what evidence.
    pub evidence_id: EvidenceId,
    /// What was decided.
    pub decision: Verdict,
    /// In words.
    pub reason: String,
    /// Why not, if it is REJECT.
    pub rejection_code: Option<RejectionCode>,
    /// The Incident that it becomes, if it is PROMOTE; the one that there is, if it is `ACTIVE_INCIDENT_EXISTS`.
    pub incident_id: Option<IncidentId>,
    /// How bad that Incident is.
    pub severity: Severity,
    /// By which policy.
    pub policy: Versioned,
    /// Who asked.
    pub authority: Promoter,
    /// How sure the evidence is; none without evidence.
    pub confidence_score: Option<Score>,
    /// The band of that.
    pub confidence_band: Option<ConfidenceBand>,
    /// When the evidence was noticed.
    pub evidence_window: Option<EvidenceWindow>,
    /// The hash of what was asked: candidate, policy, version, and which attempt it was.
    pub request_context_hash: Digest,
    /// The hash of what was answered.
    pub decision_hash: Digest,
    /// Every check, in order, up to the one that decided.
    pub steps: Vec<GateStep>,
    /// The version of the gate: `v1.0.0`.
    pub gate_version: String,
    /// When the evidence was put together: the time that a repetition has as well.
    pub evaluated_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn the_words_of_the_gate_do_not_change() {
        let words = |list: &mut dyn Iterator<Item = &'static str>| list.collect::<Vec<_>>().join(" ");
        assert_eq!(
            words(&mut Verdict::iter().map(Verdict::as_str)),
            "PROMOTE DEFER REJECT"
        );
        assert_eq!(
            words(
                &mut RejectionCode::EVIDENCE_GATE
                    .into_iter()
                    .map(RejectionCode::as_str)
            ),
            "EVIDENCE_NOT_FOUND CONFIDENCE_TOO_LOW INSUFFICIENT_DETECTIONS ACTIVE_INCIDENT_EXISTS SERVICE_NOT_ALLOWED \
             GATE_INTERNAL_ERROR"
        );
        assert_eq!(
            words(&mut RejectionCode::iter().skip(6).map(RejectionCode::as_str)),
            "DUPLICATE_CANDIDATE STALE_CANDIDATE SEVERITY_NOT_ALLOWED BLAST_RADIUS_NOT_ALLOWED AUTHORITY_NOT_ALLOWED \
             JUSTIFICATION_REQUIRED"
        );
        assert_eq!(
            words(&mut Check::iter().map(Check::as_str)),
            "integrity evidence confidence detections service active_incident duplicate_promotion candidate_freshness \
             eligibility authority_permission automation deferral_conditions"
        );
        assert_eq!(
            words(&mut CheckResult::iter().map(CheckResult::as_str)),
            "PASS FAIL SKIP"
        );
        assert_eq!(
            words(&mut CheckImpact::iter().map(CheckImpact::as_str)),
            "CONTINUE REJECT DEFER"
        );
    }
}
