//! Does what was noticed become an Incident?
//!
//! The engines are asked in their order: signal, detections, what belongs together, evidence and candidate, the gate. One
//! fact at a time is looked at here; what they said is kept with the decision.

use std::sync::LazyLock;

use domain::pipeline::candidates::{Built, build};
use domain::pipeline::correlate::{CorrelationRules, correlate};
use domain::pipeline::detect::{DetectionRules, detect};
use domain::pipeline::gate::{Automation, GateInput, Known, Naming, evaluate};
use domain::pipeline::policy::{LoadedPolicy, Policies};
use domain::pipeline::shipped;
use domain::pipeline::signals::{SignalDraft, ingest, normalize};
use model::authority::AuthorityContext;
use model::id::{IncidentId, TenantId};
use model::incident::Promotion;
use model::promotion::{Promoter, PromotionDecision, Verdict};
use model::signal::Signal;
use model::time::Timestamp;
use store::StoreResult;
use store::incidents::OfService;

use super::IncidentError;

/// The rules and policies that come with the product. Their tests load every one of them; were one broken all the same,
/// nothing would be promoted.
static SHIPPED: LazyLock<Option<Shipped>> = LazyLock::new(|| {
    Some(Shipped {
        detection: shipped::detection_rules().ok()?,
        correlation: shipped::correlation_rules().ok()?,
        policies: shipped::policies().ok()?,
    })
});

struct Shipped {
    detection: DetectionRules,
    correlation: CorrelationRules,
    policies: Policies,
}

/// Who asks, and about which Incident.
pub(super) struct Asked {
    pub(super) tenant: TenantId,
    pub(super) incident: IncidentId,
    /// An Incident about the same that is going on already, other than that one.
    pub(super) active: Option<IncidentId>,
    pub(super) authority: AuthorityContext,
    pub(super) request_id: String,
}

/// What the engines said.
#[derive(Debug, serde::Serialize)]
pub(super) struct Promoted {
    signal: Signal,
    candidate: Built,
    decision: PromotionDecision,
}

impl Promoted {
    /// What the Incident keeps of it.
    pub(super) fn promotion(&self) -> Promotion {
        let Self {
            candidate, decision, ..
        } = self;
        let score = decision.confidence_score;
        Promotion {
            verdict: decision.decision,
            reason: decision.reason.clone(),
            decision_id: decision.id.to_string(),
            policy_id: decision.policy.id.to_string(),
            policy_version: decision.policy.version.to_string(),
            candidate_id: Some(decision.candidate_id.to_string()),
            evidence_id: Some(decision.evidence_id.to_string()),
            confidence_micro: score.map(|score| i64::from(score.millionths())),
            detection_count: i64::try_from(candidate.candidate.detection_ids.len()).ok(),
        }
    }
}

/// Asks the engines about one thing that was noticed. Rules are asked in their order: the first candidate that is
/// promoted counts, else the first. What is known of the service is looked up if a policy asks for it.
///
/// # Errors
/// [`IncidentError::NotNoticed`] if the signal is not one, or no rule makes a candidate of it.
pub(super) fn decide(
    draft: &SignalDraft,
    asked: &Asked,
    mut look_up: impl FnMut(&str) -> StoreResult<OfService>,
    now: Timestamp,
) -> Result<Promoted, IncidentError> {
    let rules = SHIPPED.as_ref().ok_or(IncidentError::NotNoticed)?;
    let signal = ingest(asked.tenant, draft, now).map_err(|problems| {
        tracing::error!(?problems, "a signal of the product's own is not one");
        IncidentError::NotNoticed
    })?;
    let detected = detect(&rules.detection, &normalize(&signal, now), now);
    let trigger = detected.detections.last().ok_or(IncidentError::NotNoticed)?;
    let promoter = Promoter {
        authority_type: asked.authority.authority_type,
        authority_id: asked.authority.authority_id.clone(),
        session_id: asked.authority.session_id.clone(),
        justification: asked.authority.justification.clone(),
    };
    let mut first = None;
    for correlation in correlate(&rules.correlation, trigger, &detected.detections).correlations {
        let rule = rules.correlation.get(&correlation.rule);
        let Some(candidate) = rule.and_then(|rule| build(rule, &correlation, now).ok()) else {
            continue;
        };
        let policy = rules.policies.get(&candidate.candidate.policy);
        let known = match policy.filter(|policy| asks_for_the_service(policy)) {
            Some(_) => Some(look_up(&candidate.candidate.suggested_service)?),
            None => None,
        };
        let decision = evaluate(&GateInput {
            request_id: &asked.request_id,
            attempt: 1,
            candidate: &candidate.candidate,
            evidence: Known::Known(Some(&candidate.evidence)),
            policy,
            promoter: &promoter,
            naming: Naming::Given(asked.incident),
            active_incident: Known::Known(asked.active),
            promoted_before: Known::Known(None),
            service_incident: known.map_or(Known::Unknown, |known| Known::Known(known.active)),
            last_promotion_at: known.map_or(Known::Unknown, |known| Known::Known(known.opened_at)),
            automation: Known::Known(Automation::Running),
            now,
        });
        let is_promoted = decision.decision == Verdict::Promote;
        let decided = Promoted {
            signal: signal.clone(),
            candidate,
            decision,
        };
        if is_promoted {
            return Ok(decided);
        }
        first.get_or_insert(decided);
    }
    first.ok_or(IncidentError::NotNoticed)
}

fn asks_for_the_service(policy: &LoadedPolicy) -> bool {
    let asked = &policy.policy().deferral_conditions;
    asked.pending_incident_for_service || asked.cooldown_minutes > 0
}
