//! Does what was noticed become an Incident?
//!
//! The engines are asked in their order: signal, detections, what belongs together, evidence and candidate, the gate. What
//! each of them said is written down in the transaction that acts on it, also where that is a refusal.

use std::sync::LazyLock;

use domain::pipeline::candidates::{Built, build};
use domain::pipeline::correlate::{Correlation, CorrelationRules, belongs, correlate, wanted};
use domain::pipeline::detect::{DetectionRules, detect};
use domain::pipeline::gate::{self, GateInput, Known, evaluate};
use domain::pipeline::policy::{LoadedPolicy, Policies};
use domain::pipeline::shipped;
use domain::pipeline::signals::{SignalDraft, ingest, normalize};
use model::authority::AuthorityContext;
use model::candidate::Candidate;
use model::detection::Detection;
use model::id::{CandidateId, IncidentId, TenantId};
use model::incident::Promotion;
use model::promotion::{Promoter, PromotionDecision, RejectionCode, Verdict};
use model::signal::Signal;
use model::time::Timestamp;
use store::pipeline::Wanted;
use store::{StoreResult, Tx, Writes};

use super::{IncidentError, again};
use crate::measure::Counted;

/// The most detections of one source that one is brought together with by one rule, the latest: more than any rule takes.
const KNOWN_MOST: i64 = 500;

/// The policy for what a person lets through.
const BY_HAND: &str = "promotions-by-hand";

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

/// Which Incident it becomes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Naming {
    /// One that is known before anybody is asked.
    Given {
        /// Which.
        incident: IncidentId,
        /// One about the same that is going on already, other than that one.
        active: Option<IncidentId>,
    },
    /// The one that follows from the candidate.
    OfCandidate,
}

/// Who asks, and about which Incident.
pub(super) struct Asked {
    pub(super) tenant: TenantId,
    pub(super) naming: Naming,
    pub(super) authority: AuthorityContext,
    pub(super) request_id: String,
}

/// A signal, and what rules have found in it.
pub(super) struct Noticed {
    pub(super) signal: Signal,
    /// Whether nobody has told of it before.
    pub(super) is_new: bool,
    detections: Vec<Detection>,
}

impl Noticed {
    /// What there is of it if nothing follows.
    pub(super) fn counted(&self) -> Counted {
        Counted {
            signals: u64::from(self.is_new),
            detections: u64::try_from(self.detections.len()).unwrap_or(u64::MAX),
            ..Counted::default()
        }
    }
}

/// What the engines said.
#[derive(Debug, serde::Serialize)]
pub(super) struct Promoted {
    signal: Signal,
    candidate: Built,
    decision: PromotionDecision,
    /// What its detections have in common.
    #[serde(skip)]
    group_key: String,
    /// What there was of it, to be counted when it is committed.
    #[serde(skip)]
    pub(super) counted: Counted,
}

impl Promoted {
    pub(super) const fn candidate(&self) -> &Candidate {
        &self.candidate.candidate
    }

    pub(super) const fn decision(&self) -> &PromotionDecision {
        &self.decision
    }

    /// What makes others the same Incident.
    pub(super) fn fingerprint(&self) -> String {
        fingerprint(self.candidate(), &self.group_key)
    }

    /// What the Incident keeps of it.
    pub(super) fn promotion(&self) -> Promotion {
        let detections = &self.candidate.candidate.detection_ids;
        Promotion {
            detection_count: i64::try_from(detections.len()).ok(),
            ..said(&self.decision)
        }
    }
}

/// What an Incident keeps of what the gate said.
pub(super) fn said(decision: &PromotionDecision) -> Promotion {
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
        detection_count: None,
        promoted_by: None,
    }
}

/// Writes down what was noticed and what rules find in it. Told again within a minute, it is the same.
///
/// # Errors
/// [`IncidentError::NotNoticed`] if it is no signal.
pub(super) fn notice(
    tx: &mut impl Writes,
    tenant: TenantId,
    draft: &SignalDraft,
    now: Timestamp,
) -> Result<Noticed, IncidentError> {
    let signal = ingest(tenant, draft, now).map_err(|problems| {
        tracing::error!(?problems, "a signal of the product's own is not one");
        IncidentError::NotNoticed
    })?;
    keep(tx, signal, now)
}

/// Writes down a signal and what rules find in it.
pub(super) fn keep(tx: &mut impl Writes, signal: Signal, now: Timestamp) -> Result<Noticed, IncidentError> {
    let rules = SHIPPED.as_ref().ok_or(IncidentError::NotNoticed)?;
    let is_new = store::pipeline::add_signal(tx, &signal)?;
    let detections = detect(&rules.detection, &normalize(&signal, now), now).detections;
    store::pipeline::add_detections(tx, signal.id, &detections)?;
    Ok(Noticed {
        signal,
        is_new,
        detections,
    })
}

/// Asks the gate about everything that what was noticed belongs to; what else a rule finds has had its turn. Rules are asked
/// in their order: the first candidate that is promoted counts, else the first whose Incident is going on, else the first.
/// What is known of the service is looked up if a policy asks for it.
///
/// # Errors
/// [`IncidentError::NotNoticed`] if no rule makes a candidate of it.
pub(super) fn decide(
    tx: &mut impl Writes,
    noticed: &Noticed,
    asked: &Asked,
    now: Timestamp,
) -> Result<Promoted, IncidentError> {
    let rules = SHIPPED.as_ref().ok_or(IncidentError::NotNoticed)?;
    let mut counted = noticed.counted();
    let mut first: Option<Promoted> = None;
    for trigger in &noticed.detections {
        let known = known(tx, &rules.correlation, trigger)?;
        for correlation in correlate(&rules.correlation, trigger, &known).correlations {
            let rule = rules.correlation.get(&correlation.rule);
            if !rule.is_some_and(|rule| belongs(rule, &correlation, trigger)) {
                continue;
            }
            let Some((candidate, decision)) = judge(tx, rules, &correlation, asked, now)? else {
                continue;
            };
            counted.decided(decision.decision);
            let is_promoted = decision.decision == Verdict::Promote;
            let decided = Promoted {
                signal: noticed.signal.clone(),
                candidate,
                decision,
                group_key: correlation.group_key.clone(),
                counted,
            };
            if is_promoted {
                return Ok(decided);
            }
            let goes_on =
                |of: &Promoted| of.decision.rejection_code == Some(RejectionCode::ActiveIncidentExists);
            if first
                .as_ref()
                .is_none_or(|first| goes_on(&decided) && !goes_on(first))
            {
                first = Some(decided);
            }
        }
    }
    let first = first.ok_or(IncidentError::NotNoticed)?;
    Ok(Promoted { counted, ..first })
}

/// The detections that rules bring together with this one: for each rule those that it can use, so that nothing else
/// takes their place.
fn known(tx: &mut impl Tx, rules: &CorrelationRules, trigger: &Detection) -> StoreResult<Vec<Detection>> {
    let mut known = Vec::new();
    for wanted in rules.iter().filter_map(|rule| wanted(rule, trigger)) {
        let of = Wanted {
            rules: wanted.rules.iter().map(ToString::to_string).collect(),
            sources: wanted.sources,
            signal_types: wanted.signal_types,
            services: wanted.services,
            severities: wanted.severities,
            dedupe_key: wanted.dedupe_key,
        };
        let window = (wanted.from, wanted.until);
        known.extend(store::pipeline::detections(
            tx,
            trigger.tenant,
            &of,
            window,
            KNOWN_MOST,
        )?);
    }
    Ok(known)
}

/// The candidate of what belongs together and what the gate says of it, both written down; none if there is no candidate.
fn judge(
    tx: &mut impl Writes,
    rules: &Shipped,
    correlation: &Correlation,
    asked: &Asked,
    now: Timestamp,
) -> StoreResult<Option<(Built, PromotionDecision)>> {
    let rule = rules.correlation.get(&correlation.rule);
    let Some(built) = rule.and_then(|rule| build(rule, correlation, now).ok()) else {
        return Ok(None);
    };
    let candidate = &built.candidate;
    store::pipeline::add_candidate(tx, candidate, (&built.evidence, &built.graph))?;
    let policy = rules.policies.get(&candidate.policy);
    let service = match policy.filter(|policy| asks_for_the_service(policy)) {
        Some(_) => Some(store::incidents::of_service(
            tx,
            asked.tenant,
            &candidate.suggested_service,
        )?),
        None => None,
    };
    let (incident, active) = named(tx, asked, (candidate, &correlation.group_key))?;
    let before = store::pipeline::asked(tx, asked.tenant, candidate.id)?;
    let automation = crate::automation::known(tx, asked.tenant)?;
    let decision = evaluate(&GateInput {
        request_id: &asked.request_id,
        attempt: before.times.saturating_add(1),
        candidate,
        evidence: Known::Known(Some(&built.evidence)),
        policy,
        promoter: &promoter(&asked.authority),
        naming: gate::Naming::Given(incident),
        active_incident: Known::Known(active),
        promoted_before: Known::Known(before.promoted),
        service_incident: service.map_or(Known::Unknown, |known| Known::Known(known.active)),
        last_promotion_at: service.map_or(Known::Unknown, |known| Known::Known(known.opened_at)),
        automation: Known::Known(automation),
        now,
    });
    store::pipeline::add_decision(tx, &decision)?;
    Ok(Some((built, decision)))
}

/// Asks the gate once more about a candidate whose Incident waits, by the policy for what a person lets through, and writes
/// down what it says.
///
/// # Errors
/// [`IncidentError::NotNoticed`] if nothing is on record of the candidate.
pub(super) fn by_hand(
    tx: &mut impl Writes,
    candidate: CandidateId,
    asked: &Asked,
    now: Timestamp,
) -> Result<PromotionDecision, IncidentError> {
    let rules = SHIPPED.as_ref().ok_or(IncidentError::NotNoticed)?;
    let stored = store::pipeline::candidate(tx, asked.tenant, candidate)?;
    let (candidate, evidence) = stored.ok_or(IncidentError::NotNoticed)?;
    let is_for_hands = |policy: &&LoadedPolicy| policy.policy().id.as_str() == BY_HAND;
    let before = store::pipeline::asked(tx, asked.tenant, candidate.id)?;
    let (incident, active) = named(tx, asked, (&candidate, ""))?;
    let decision = evaluate(&GateInput {
        request_id: &asked.request_id,
        attempt: before.times.saturating_add(1),
        candidate: &candidate,
        evidence: Known::Known(Some(&evidence)),
        policy: rules.policies.iter().filter(is_for_hands).last(),
        promoter: &promoter(&asked.authority),
        naming: gate::Naming::Given(incident),
        active_incident: Known::Known(active),
        promoted_before: Known::Known(before.promoted),
        service_incident: Known::Unknown,
        last_promotion_at: Known::Unknown,
        automation: Known::Unknown,
        now,
    });
    store::pipeline::add_decision(tx, &decision)?;
    Ok(decision)
}

/// Which Incident a candidate becomes, and which other one about the same is going on.
fn named(
    tx: &mut impl Tx,
    asked: &Asked,
    (candidate, group_key): (&Candidate, &str),
) -> StoreResult<(IncidentId, Option<IncidentId>)> {
    match asked.naming {
        Naming::Given { incident, active } => Ok((incident, active)),
        Naming::OfCandidate => {
            let fingerprint = fingerprint(candidate, group_key);
            let same = store::incidents::same(tx, asked.tenant, &fingerprint)?;
            let incident = same.as_ref().map_or_else(
                || IncidentId::derive(asked.tenant, &identity(candidate)),
                |same| same.incident.id,
            );
            Ok((incident, again::let_through(same.as_ref())))
        }
    }
}

/// What the id of the Incident of a candidate follows from.
pub(super) fn identity(of: &Candidate) -> String {
    format!("candidate {}", of.id)
}

fn fingerprint(of: &Candidate, group_key: &str) -> String {
    format!("candidate {} {group_key}", of.correlation_rule.id)
}

fn promoter(authority: &AuthorityContext) -> Promoter {
    Promoter {
        authority_type: authority.authority_type,
        authority_id: authority.authority_id.clone(),
        session_id: authority.session_id.clone(),
        justification: authority.justification.clone(),
    }
}

fn asks_for_the_service(policy: &LoadedPolicy) -> bool {
    let asked = &policy.policy().deferral_conditions;
    asked.pending_incident_for_service || asked.cooldown_minutes > 0
}
