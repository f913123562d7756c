//! With what did the gate check, as it is written down?

use alloc::string::ToString;

use model::id::IncidentId;
use model::incident::GoingOn;
use model::json::Json;
use model::promotion::Check;

use super::super::policy::LoadedPolicy;
use super::{Automation, Facts, Known, policy_name};

/// What a check looked at.
pub(super) fn with(check: Check, facts: &Facts<'_>) -> Json {
    let input = &facts.input;
    let candidate = input.candidate;
    let policy = input.policy.map(LoadedPolicy::policy);
    let text = |value: &str| Json::from(value);
    let assessment = facts.assessment.as_ref();
    match check {
        Check::Integrity => Json::map([
            ("candidateId", shown(&candidate.id)),
            ("policy", shown(&policy_name(facts))),
            ("candidatePolicy", shown(&candidate.policy)),
            ("attempt", Json::Int(i64::from(input.attempt))),
        ]),
        Check::Evidence => Json::map([("evidenceId", shown(&candidate.evidence_id))]),
        Check::Confidence => Json::map([
            (
                "score",
                assessment
                    .map(|it| i64::from(it.confidence_score.millionths()))
                    .into(),
            ),
            ("band", assessment.map(|it| it.confidence_band.as_str()).into()),
        ]),
        Check::Detections => Json::map([("detections", number(candidate.detection_ids.len()))]),
        Check::Service => Json::map([("service", text(&candidate.suggested_service))]),
        Check::ActiveIncident => Json::map([
            ("incidentId", shown(&facts.incident)),
            ("active", looked_up(input.active_incident)),
        ]),
        Check::DuplicatePromotion => Json::map([("promotedBefore", looked_up(input.promoted_before))]),
        Check::CandidateFreshness => Json::map([
            ("createdAt", shown(&candidate.created_at)),
            ("now", shown(&input.now)),
            (
                "maxAgeMinutes",
                policy.map(|it| i64::from(it.eligibility.max_age_minutes)).into(),
            ),
        ]),
        Check::Eligibility => Json::map([
            ("confidence", text(candidate.confidence.as_str())),
            ("severity", text(candidate.suggested_severity.as_str())),
            ("detections", number(candidate.detection_ids.len())),
            ("scope", text(candidate.blast_radius.scope.as_str())),
        ]),
        Check::AuthorityPermission => Json::map([
            ("authorityType", text(input.promoter.authority_type.as_str())),
            ("severity", text(candidate.suggested_severity.as_str())),
        ]),
        Check::Automation => Json::map([(
            "automation",
            text(match input.automation {
                Known::Known(Automation::Running) => "RUNNING",
                Known::Known(Automation::Paused) => "PAUSED",
                Known::Unknown => "UNKNOWN",
            }),
        )]),
        Check::DeferralConditions => Json::map([
            ("serviceIncident", going_on(input.service_incident)),
            ("lastPromotionAt", looked_up(input.last_promotion_at)),
            ("now", shown(&input.now)),
        ]),
    }
}

fn shown(value: &impl ToString) -> Json {
    Json::from(value.to_string())
}

fn number(count: usize) -> Json {
    Json::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The id, `null` for none, and the word `UNREADABLE` for what is no id.
fn going_on(found: Known<GoingOn>) -> Json {
    match found {
        Known::Known(GoingOn::Nothing) => looked_up(Known::Known(None::<IncidentId>)),
        Known::Known(GoingOn::Incident(id)) => looked_up(Known::Known(Some(id))),
        Known::Known(GoingOn::Unreadable) => Json::from("UNREADABLE"),
        Known::Unknown => looked_up(Known::Unknown::<Option<IncidentId>>),
    }
}

/// The value, `null` for none, and the word `UNKNOWN` for what nobody can say.
fn looked_up<T: ToString>(found: Known<Option<T>>) -> Json {
    match found {
        Known::Known(value) => Json::from(value.map(|value| value.to_string())),
        Known::Unknown => Json::from("UNKNOWN"),
    }
}
