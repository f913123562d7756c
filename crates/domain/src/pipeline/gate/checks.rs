//! What does each check of the gate ask?

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use model::authority::AuthorityType;
use model::candidate::EvidenceBundle;
use model::incident::GoingOn;
use model::promotion::{
    Check, DefinitiveEvidence, JUSTIFICATION_MAX, JUSTIFICATION_MIN, PromotionPolicy, RejectionCode,
};
use model::signal::Certainty;
use model::text::visible_length;

use super::super::confidence::assess;
use super::super::evidence::derived;
use super::super::ids;
use super::{Automation, Facts, Known, MIN_BAND, MIN_DETECTIONS, MIN_SCORE, Outcome};

const NOT_REQUIRED: &str = "EMERGENCY_OVERRIDE needs no policy";
const OFF: &str = "the policy does not ask";

/// The outcome of one check; the checks before it have passed.
pub(super) fn run(check: Check, facts: &mut Facts<'_>) -> Outcome {
    // Where there is no policy, nothing passes the first check.
    let Some(policy) = facts.input.policy else {
        return Outcome::reject(RejectionCode::GateInternalError, "the policy is not there");
    };
    let policy = policy.policy();
    match check {
        Check::Integrity => integrity(facts, policy),
        Check::Evidence => evidence(facts),
        Check::Confidence => confidence(facts, policy),
        Check::Detections => detections(facts, policy),
        Check::Service => service(facts, policy),
        Check::ActiveIncident => active_incident(facts),
        Check::DuplicatePromotion => duplicate(facts, policy),
        Check::CandidateFreshness => freshness(facts, policy),
        Check::Eligibility => eligibility(facts, policy),
        Check::AuthorityPermission => authority(facts, policy),
        Check::Automation => automation(facts),
        Check::DeferralConditions => deferral(facts, policy),
    }
}

/// What the policy trusts without a score, if this evidence is such.
pub(super) fn definitive<'a>(
    facts: &Facts<'_>,
    policy: &'a PromotionPolicy,
) -> Option<&'a DefinitiveEvidence> {
    let bundle: &EvidenceBundle = facts.evidence?;
    let trusted = policy.definitive_evidence.as_ref()?;
    let is = bundle
        .detections
        .iter()
        .all(|it| it.certainty == Certainty::Definitive && trusted.rule_ids.contains(&it.rule.id));
    is.then_some(trusted)
}

fn breaks_glass(facts: &Facts<'_>) -> bool {
    facts.input.promoter.authority_type == AuthorityType::EmergencyOverride
}

fn integrity(facts: &Facts<'_>, policy: &PromotionPolicy) -> Outcome {
    let candidate = facts.input.candidate;
    let promoter = facts.input.promoter;
    let broken = |why: &str| Outcome::reject(RejectionCode::GateInternalError, why);
    if promoter.authority_type == AuthorityType::AutoEngine && policy.reference() != candidate.policy {
        return broken("the policy is not the one that the candidate names");
    }
    if ids::candidate(candidate.tenant, candidate.correlation_key) != candidate.id {
        return broken("the id of the candidate is not that of its correlation");
    }
    if candidate.detection_ids.is_empty() || facts.input.attempt == 0 {
        return broken("the candidate has no detection, or nobody asked");
    }
    if promoter.authority_id.trim().is_empty() {
        return broken("nobody says who asks");
    }
    Outcome::PASS
}

fn evidence(facts: &mut Facts<'_>) -> Outcome {
    let candidate = facts.input.candidate;
    let found = match facts.input.evidence {
        Known::Unknown => return Outcome::unknown("the evidence"),
        Known::Known(found) => found,
    };
    let named = found.filter(|it| it.id == candidate.evidence_id && it.tenant == candidate.tenant);
    let Some(bundle) = named else {
        return Outcome::reject(
            RejectionCode::EvidenceNotFound,
            "there is no evidence for the candidate",
        );
    };
    let detections: Vec<_> = bundle.detections.iter().map(|it| it.detection_id).collect();
    let fits = derived(bundle).0 == bundle.id
        && detections == candidate.detection_ids
        && bundle.correlation_key == candidate.correlation_key
        && bundle.service == candidate.suggested_service;
    let assessed = assess(bundle);
    // The gate takes no score on trust: it works out what the candidate says of itself.
    let severity = bundle.detections.iter().map(|it| it.severity.severity()).min();
    match assessed {
        Ok(assessment)
            if fits
                && severity == Some(candidate.suggested_severity)
                && assessment == candidate.assessment =>
        {
            facts.evidence = Some(bundle);
            facts.assessment = Some(assessment);
            Outcome::PASS
        }
        Ok(_) => Outcome::reject(
            RejectionCode::GateInternalError,
            "the evidence is not what the candidate says of it",
        ),
        Err(problem) => Outcome::reject(RejectionCode::GateInternalError, format!("{problem}")),
    }
}

fn confidence(facts: &Facts<'_>, policy: &PromotionPolicy) -> Outcome {
    let Some(assessment) = &facts.assessment else {
        return Outcome::unknown("the assessment");
    };
    if definitive(facts, policy).is_some() {
        return Outcome::skip("the evidence is definitive");
    }
    if !policy.rejection_conditions.insufficient_evidence {
        return Outcome::skip(OFF);
    }
    let (score, band) = (assessment.confidence_score, assessment.confidence_band);
    if band < MIN_BAND || score < MIN_SCORE {
        let why = format!(
            "the score {score} ({}) is below {MIN_SCORE} ({})",
            band.as_str(),
            MIN_BAND.as_str()
        );
        return Outcome::reject(RejectionCode::ConfidenceTooLow, why);
    }
    Outcome::PASS
}

fn detections(facts: &Facts<'_>, policy: &PromotionPolicy) -> Outcome {
    let least = match definitive(facts, policy) {
        Some(trusted) => trusted.min_detections,
        None if !policy.rejection_conditions.insufficient_evidence => return Outcome::skip(OFF),
        None => MIN_DETECTIONS,
    };
    let count = count(facts);
    if count < least {
        let why = format!("{count} of at least {least} detections");
        return Outcome::reject(RejectionCode::InsufficientDetections, why);
    }
    Outcome::PASS
}

fn count(facts: &Facts<'_>) -> u32 {
    u32::try_from(facts.input.candidate.detection_ids.len()).unwrap_or(u32::MAX)
}

fn service(facts: &Facts<'_>, policy: &PromotionPolicy) -> Outcome {
    if breaks_glass(facts) {
        return Outcome::skip(NOT_REQUIRED);
    }
    let service = &facts.input.candidate.suggested_service;
    match &policy.eligibility.allowed_services {
        None => Outcome::skip(OFF),
        Some(allowed) if allowed.contains(service) => Outcome::PASS,
        Some(_) => Outcome::reject(
            RejectionCode::ServiceNotAllowed,
            "the policy does not speak for the service",
        ),
    }
}

fn active_incident(facts: &Facts<'_>) -> Outcome {
    match facts.input.active_incident {
        Known::Unknown => Outcome::unknown("whether an Incident is going on"),
        Known::Known(None) => Outcome::PASS,
        Known::Known(Some(incident)) => Outcome::reject(
            RejectionCode::ActiveIncidentExists,
            format!("the Incident {incident} is going on"),
        ),
    }
}

fn duplicate(facts: &Facts<'_>, policy: &PromotionPolicy) -> Outcome {
    match facts.input.promoted_before {
        Known::Unknown => Outcome::unknown("whether the candidate was promoted before"),
        Known::Known(Some(_)) if policy.rejection_conditions.duplicate_candidate => {
            Outcome::reject(RejectionCode::DuplicateCandidate, "Candidate already promoted")
        }
        Known::Known(Some(_)) => Outcome::skip(OFF),
        Known::Known(None) => Outcome::PASS,
    }
}

fn freshness(facts: &Facts<'_>, policy: &PromotionPolicy) -> Outcome {
    if breaks_glass(facts) {
        return Outcome::skip(NOT_REQUIRED);
    }
    if !policy.rejection_conditions.stale_candidate {
        return Outcome::skip(OFF);
    }
    if facts.input.now.millis_since(facts.input.candidate.created_at)
        > minutes(policy.eligibility.max_age_minutes)
    {
        return Outcome::reject(RejectionCode::StaleCandidate, "Candidate is stale");
    }
    Outcome::PASS
}

/// In milliseconds.
fn minutes(minutes: u32) -> i64 {
    i64::from(minutes).saturating_mul(60_000)
}

fn eligibility(facts: &Facts<'_>, policy: &PromotionPolicy) -> Outcome {
    if breaks_glass(facts) {
        return Outcome::skip(NOT_REQUIRED);
    }
    let candidate = facts.input.candidate;
    let asked = &policy.eligibility;
    let mut failures: Vec<(RejectionCode, String)> = Vec::new();
    if candidate.confidence < asked.min_confidence {
        let (is, least) = (candidate.confidence.as_str(), asked.min_confidence.as_str());
        failures.push((
            RejectionCode::ConfidenceTooLow,
            format!("confidence {is} is below {least}"),
        ));
    }
    if !asked.allowed_severities.contains(&candidate.suggested_severity) {
        let severity = candidate.suggested_severity.as_str();
        failures.push((
            RejectionCode::SeverityNotAllowed,
            format!("severity {severity} is not allowed"),
        ));
    }
    let (count, least) = (count(facts), asked.min_detections);
    if count < least {
        let why = format!("{count} of at least {least} detections");
        failures.push((RejectionCode::InsufficientDetections, why));
    }
    let scope = candidate.blast_radius.scope;
    if asked
        .required_blast_radius_scope
        .as_ref()
        .is_some_and(|scopes| !scopes.contains(&scope))
    {
        let why = format!("blast radius {} is not allowed", scope.as_str());
        failures.push((RejectionCode::BlastRadiusNotAllowed, why));
    }
    match failures.first() {
        None => Outcome::PASS,
        Some((code, _)) => {
            let all: Vec<_> = failures.iter().map(|(_, why)| why.as_str()).collect();
            Outcome::reject(*code, all.join("; "))
        }
    }
}

fn authority(facts: &Facts<'_>, policy: &PromotionPolicy) -> Outcome {
    let promoter = facts.input.promoter;
    let kind = promoter.authority_type;
    let said = promoter.justification.as_deref();
    let (least, most) = (JUSTIFICATION_MIN, JUSTIFICATION_MAX);
    if kind.needs_justification() && said.is_none_or(|text| visible_length(text) < least)
        || said.is_some_and(|text| text.trim().chars().count() > most)
    {
        let why = format!(
            "{} needs a justification of {least} to {most} characters",
            kind.as_str()
        );
        return Outcome::reject(RejectionCode::JustificationRequired, why);
    }
    let severity = facts.input.candidate.suggested_severity;
    let refused = |why: &str| {
        let why = format!("{} may not promote {} {why}", kind.as_str(), severity.as_str());
        Outcome::reject(RejectionCode::AuthorityNotAllowed, why)
    };
    let restrictions = &policy.authority_restrictions;
    if !breaks_glass(facts) {
        let overridden = restrictions.severity_overrides.get(&severity);
        let allowed = overridden.unwrap_or(&restrictions.allowed_authorities);
        if !allowed.contains(&kind) {
            return refused("by this policy");
        }
    }
    // The worst severity stands first.
    let within = severity >= kind.promotes_up_to();
    let trusted = || {
        kind == AuthorityType::AutoEngine
            && definitive(facts, policy).is_some_and(|it| it.auto_engine_severities.contains(&severity))
    };
    if within || trusted() {
        Outcome::PASS
    } else {
        refused("at all")
    }
}

fn automation(facts: &Facts<'_>) -> Outcome {
    if facts.input.promoter.authority_type.is_human() {
        return Outcome::skip("a person asks");
    }
    match facts.input.automation {
        Known::Unknown => Outcome::unknown("whether automatic promotion is switched on"),
        Known::Known(Automation::Running) => Outcome::PASS,
        Known::Known(Automation::Paused) => Outcome::Defer("automatic promotion is paused".to_owned()),
    }
}

fn deferral(facts: &Facts<'_>, policy: &PromotionPolicy) -> Outcome {
    if breaks_glass(facts) {
        return Outcome::skip(NOT_REQUIRED);
    }
    if facts.input.promoter.authority_type.is_human() && facts.input.attempt > 1 {
        // A DEFER asks for a person, and this is the person.
        return Outcome::skip("a person asks again");
    }
    let asked = &policy.deferral_conditions;
    if !asked.pending_incident_for_service && asked.cooldown_minutes == 0 {
        return Outcome::skip(OFF);
    }
    if asked.pending_incident_for_service {
        match facts.input.service_incident {
            Known::Unknown => return Outcome::unknown("whether an Incident of the service is going on"),
            Known::Known(GoingOn::Incident(incident)) if incident != facts.incident => {
                return Outcome::Defer(format!("the Incident {incident} of the service is going on"));
            }
            Known::Known(GoingOn::Unreadable) => {
                return Outcome::Defer(
                    "an Incident of the service is going on that cannot be read".to_owned(),
                );
            }
            Known::Known(GoingOn::Incident(_) | GoingOn::Nothing) => {}
        }
    }
    if asked.cooldown_minutes > 0 {
        match facts.input.last_promotion_at {
            Known::Unknown => return Outcome::unknown("when a candidate of the service was last promoted"),
            Known::Known(Some(last))
                if facts.input.now.millis_since(last) < minutes(asked.cooldown_minutes) =>
            {
                let why = format!(
                    "less than {} minutes since the last promotion",
                    asked.cooldown_minutes
                );
                return Outcome::Defer(why);
            }
            Known::Known(_) => {}
        }
    }
    Outcome::PASS
}
