//! Which id does a thing of the pipeline have?
//!
//! Each function takes the parts of the formula of the same name in [`super::formulas`], with the tenant in front, in
//! the canonical form of [`Canonical`]: no two lists of parts have one form, and no two tenants share an id. Lists are
//! sorted, so that their order makes no difference.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use model::digest::{Canonical, Digest};
use model::id::{
    CandidateId, CorrelationKey, DetectionId, EvidenceGraphId, EvidenceId, IncidentId, NormalizedSignalId,
    PromotionDecisionId, SignalId, TenantId,
};
use model::promotion::Verdict;
use model::severity::Severity;
use model::signal::{IdentityWindow, SignalSource, SignalType};
use model::time::Timestamp;
use model::versioned::Versioned;

fn form(kind: &str, tenant: TenantId) -> Canonical {
    Canonical::new(kind).shown("tenant", tenant)
}

fn sorted<T: Ord + ToString>(ids: &[T]) -> Vec<String> {
    let mut ids: Vec<_> = ids.iter().collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(ToString::to_string).collect()
}

/// What tells one signal from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalIdentity<'a> {
    /// Whose it is.
    pub tenant: TenantId,
    /// Who noticed it.
    pub source: SignalSource,
    /// What kind of thing it is.
    pub signal_type: SignalType,
    /// Which service it is about.
    pub service: &'a str,
    /// How bad it is.
    pub severity: Severity,
    /// What the producer calls it; stands where the formula has its metadata.
    pub dedupe_key: &'a str,
    /// The minute.
    pub identity_window: IdentityWindow,
}

/// [`super::formulas::signal`], with the producer's key instead of free text: `signal/1`.
pub fn signal(identity: &SignalIdentity<'_>) -> SignalId {
    let form = form("signal/1", identity.tenant)
        .text("source", identity.source.as_str())
        .text("type", identity.signal_type.as_str())
        .text("service", identity.service)
        .text("severity", identity.severity.as_str())
        .text("key", identity.dedupe_key)
        .shown("window", identity.identity_window);
    SignalId::of(form.digest())
}

/// [`super::formulas::normalized_signal`]: `normalized-signal/1`.
pub fn normalized_signal(
    tenant: TenantId,
    signal: SignalId,
    signal_type: SignalType,
    timestamp: Timestamp,
) -> NormalizedSignalId {
    let form = form("normalized-signal/1", tenant)
        .shown("signal", signal)
        .text("type", &signal_type.canonical())
        .shown("timestamp", timestamp);
    NormalizedSignalId::of(form.digest())
}

/// [`super::formulas::detection_of_signals`]: `detection/1`.
pub fn detection(tenant: TenantId, rule: &Versioned, signals: &[SignalId]) -> DetectionId {
    let form = form("detection/1", tenant)
        .shown("rule", &rule.id)
        .shown("version", rule.version)
        .list("signals", &sorted(signals));
    DetectionId::of(form.digest())
}

/// [`super::formulas::evidence`], with the service: `evidence/1`.
pub fn evidence(
    tenant: TenantId,
    service: &str,
    detections: &[DetectionId],
    window_start: Timestamp,
    window_end: Timestamp,
) -> EvidenceId {
    let form = form("evidence/1", tenant)
        .text("service", service)
        .list("detections", &sorted(detections))
        .shown("start", window_start)
        .shown("end", window_end);
    EvidenceId::of(form.digest())
}

/// [`super::formulas::evidence_graph`]: `evidence-graph/1`.
pub fn evidence_graph(
    tenant: TenantId,
    candidate: CandidateId,
    detections: &[DetectionId],
) -> EvidenceGraphId {
    let form = form("evidence-graph/1", tenant)
        .shown("candidate", candidate)
        .list("detections", &sorted(detections));
    EvidenceGraphId::of(form.digest())
}

/// [`super::formulas::correlation_key`]: `correlation/1`. The fields are `name=value`.
pub fn correlation_key(
    tenant: TenantId,
    rule: &Versioned,
    detections: &[DetectionId],
    key_fields: &[String],
) -> CorrelationKey {
    let form = form("correlation/1", tenant)
        .shown("rule", &rule.id)
        .shown("version", rule.version)
        .list("detections", &sorted(detections))
        .list("fields", &sorted(key_fields));
    CorrelationKey::of(form.digest())
}

/// [`super::formulas::candidate`]: `candidate/1`. Rule and version are in the key.
pub fn candidate(tenant: TenantId, correlation_key: CorrelationKey) -> CandidateId {
    let form = form("candidate/1", tenant)
        .shown("key", correlation_key)
        .text("candidate_version", "v1");
    CandidateId::of(form.digest())
}

/// [`super::formulas::request_context`]: `promotion-request/1`. `attempt` counts the times that a promotion was asked
/// for, from 1, so that a person who asks again after a DEFER gets an answer of their own.
pub fn request_context(tenant: TenantId, candidate: CandidateId, policy: &Versioned, attempt: u32) -> Digest {
    form("promotion-request/1", tenant)
        .shown("candidate", candidate)
        .shown("policy", &policy.id)
        .shown("version", policy.version)
        .shown("attempt", attempt)
        .digest()
}

/// [`super::formulas::decision`]: `promotion/1`.
pub fn decision(
    tenant: TenantId,
    candidate: CandidateId,
    policy: &Versioned,
    request_context: Digest,
) -> PromotionDecisionId {
    let form = form("promotion/1", tenant)
        .shown("candidate", candidate)
        .shown("policy", &policy.id)
        .shown("version", policy.version)
        .shown("context", request_context);
    PromotionDecisionId::of(form.digest())
}

/// [`super::formulas::decision_hash`], with the policy: `promotion-answer/1`.
pub fn decision_hash(
    tenant: TenantId,
    verdict: Verdict,
    reason: &str,
    policy: &Versioned,
    candidate: CandidateId,
) -> Digest {
    form("promotion-answer/1", tenant)
        .text("decision", verdict.as_str())
        .text("reason", reason)
        .shown("policy", &policy.id)
        .shown("version", policy.version)
        .shown("candidate", candidate)
        .digest()
}

/// [`super::formulas::incident_of_evidence`], of an Incident that a promotion makes: `promoted-incident/1`.
pub fn promoted_incident(tenant: TenantId, service: &str, evidence: EvidenceId) -> IncidentId {
    let form = form("promoted-incident/1", tenant)
        .text("service", service)
        .shown("evidence", evidence);
    IncidentId::of(form.digest())
}

/// The id of an Incident that a person or a program creates under this idempotency key: `manual-incident/1`.
pub fn manual_incident(tenant: TenantId, idempotency_key: &str) -> IncidentId {
    let form = form("manual-incident/1", tenant).text("key", idempotency_key);
    IncidentId::of(form.digest())
}

#[cfg(test)]
mod tests;
