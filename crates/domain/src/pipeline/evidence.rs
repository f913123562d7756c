//! What does a candidate rest on, and where did that come from?

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use model::candidate::{
    DETECTIONS_MAX, DetectionSummary, EvidenceBundle, EvidenceGraph, GraphEdge, GraphNode, NodeType,
    SignalSummary,
};
use model::detection::Detection;
use model::id::{CandidateId, CorrelationKey, DetectionId, EvidenceId, IncidentId, TenantId};
use model::signal::SERVICE_MAX;
use model::time::Timestamp;

use super::ids;

/// The version of bundles.
pub const BUNDLE_VERSION: &str = "v1";

/// Everything that a bundle depends on.
#[derive(Debug, Clone, Copy)]
pub struct BundleInput<'a> {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which service it is about: that of at least one detection.
    pub service: &'a str,
    /// From when.
    pub window_start: Timestamp,
    /// Until when, inclusive.
    pub window_end: Timestamp,
    /// The detections, in any order; each once.
    pub detections: &'a [Detection],
    /// Which correlation brought them together.
    pub correlation_key: CorrelationKey,
    /// When it is put together.
    pub now: Timestamp,
}

/// Why there is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// There is no detection.
    #[error("there is no detection")]
    NoDetections,
    /// There are too many.
    #[error("there are more than {DETECTIONS_MAX} detections")]
    TooManyDetections,
    /// The service has no name, or too long a one.
    #[error("the service has no name of 1 to {SERVICE_MAX} characters")]
    Service,
    /// No detection is about the service.
    #[error("no detection is about the service")]
    ServiceNotEvidenced,
    /// It ends before it begins.
    #[error("the window ends before it begins")]
    InvertedWindow,
    /// A detection is another tenant's.
    #[error("the detection {0} is another tenant's")]
    ForeignTenant(DetectionId),
    /// A detection was noticed before or behind the window.
    #[error("the detection {0} is outside the window")]
    OutsideWindow(DetectionId),
    /// A detection is there twice.
    #[error("the detection {0} is there twice")]
    Twice(DetectionId),
    /// A detection has no signal.
    #[error("the detection {0} has no signal")]
    NoSignals(DetectionId),
}

/// The bundle of these detections.
///
/// # Errors
/// See [`EvidenceError`]; there is no bundle with a part of the evidence.
pub fn bundle(input: &BundleInput<'_>) -> Result<EvidenceBundle, EvidenceError> {
    let mut detections: Vec<_> = input.detections.iter().collect();
    detections.sort_unstable_by_key(|detection| detection.id);
    check(input, &detections)?;
    let summaries: Vec<_> = detections.iter().map(|detection| summary(detection)).collect();
    let ids: Vec<_> = detections.iter().map(|detection| detection.id).collect();
    Ok(EvidenceBundle {
        id: ids::evidence(
            input.tenant,
            input.service,
            &ids,
            input.window_start,
            input.window_end,
        ),
        tenant: input.tenant,
        service: input.service.to_owned(),
        window_start: input.window_start,
        window_end: input.window_end,
        signal_summary: numbers(&summaries),
        detections: summaries,
        correlation_key: input.correlation_key,
        bundle_version: BUNDLE_VERSION.to_owned(),
        bundled_at: input.now,
    })
}

/// The id that a bundle has by what it says, and its numbers: who loads one compares both with what is stored.
pub fn derived(bundle: &EvidenceBundle) -> (EvidenceId, SignalSummary) {
    let detections: Vec<_> = bundle
        .detections
        .iter()
        .map(|detection| detection.detection_id)
        .collect();
    let id = ids::evidence(
        bundle.tenant,
        &bundle.service,
        &detections,
        bundle.window_start,
        bundle.window_end,
    );
    (id, numbers(&bundle.detections))
}

/// The graph of a candidate: signal, normalised signal, detection, candidate, and the Incident if there is one.
pub fn graph(
    tenant: TenantId,
    candidate: CandidateId,
    detections: &[Detection],
    incident: Option<IncidentId>,
) -> EvidenceGraph {
    let mut nodes = Vec::new();
    let mut edges = Vec::new();
    let mut node = |node_type, entity_id: &str| {
        nodes.push(GraphNode {
            node_type,
            entity_id: entity_id.to_owned(),
        });
    };
    let mut edge = |from: &str, to: &str| {
        edges.push(GraphEdge {
            from: from.to_owned(),
            to: to.to_owned(),
        });
    };
    let candidate_name = candidate.to_string();
    node(NodeType::Candidate, &candidate_name);
    for detection in detections {
        let detection_name = detection.id.to_string();
        node(NodeType::Detection, &detection_name);
        edge(&detection_name, &candidate_name);
        for signal in &detection.normalized_signal_ids {
            node(NodeType::NormalizedSignal, &signal.to_string());
            edge(&signal.to_string(), &detection_name);
        }
        for signal in &detection.signal_ids {
            node(NodeType::Signal, &signal.to_string());
        }
        for (signal, normalized) in detection.signal_ids.iter().zip(&detection.normalized_signal_ids) {
            edge(&signal.to_string(), &normalized.to_string());
        }
    }
    if let Some(incident) = incident {
        node(NodeType::Incident, &incident.to_string());
        edge(&candidate_name, &incident.to_string());
    }
    let detection_ids = sorted(detections.iter().map(|detection| detection.id));
    EvidenceGraph {
        id: ids::evidence_graph(tenant, candidate, &detection_ids),
        tenant,
        candidate_id: candidate,
        detection_ids,
        signal_ids: sorted(detections.iter().flat_map(|it| it.signal_ids.iter().copied())),
        normalized_signal_ids: sorted(
            detections
                .iter()
                .flat_map(|it| it.normalized_signal_ids.iter().copied()),
        ),
        nodes: sorted(nodes),
        edges: sorted(edges),
        incident,
    }
}

fn sorted<T: Ord>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn check(input: &BundleInput<'_>, detections: &[&Detection]) -> Result<(), EvidenceError> {
    if detections.is_empty() {
        return Err(EvidenceError::NoDetections);
    }
    if detections.len() > DETECTIONS_MAX {
        return Err(EvidenceError::TooManyDetections);
    }
    if input.service.trim().is_empty() || input.service.chars().count() > SERVICE_MAX {
        return Err(EvidenceError::Service);
    }
    if input.window_end < input.window_start {
        return Err(EvidenceError::InvertedWindow);
    }
    for detection in detections {
        if detection.tenant != input.tenant {
            return Err(EvidenceError::ForeignTenant(detection.id));
        }
        let window = input.window_start..=input.window_end;
        if !window.contains(&detection.signal_timestamp) {
            return Err(EvidenceError::OutsideWindow(detection.id));
        }
        if detection.signal_ids.is_empty() {
            return Err(EvidenceError::NoSignals(detection.id));
        }
    }
    let twice = detections
        .iter()
        .zip(detections.iter().skip(1))
        .find(|(one, next)| one.id == next.id);
    if let Some((one, _)) = twice {
        return Err(EvidenceError::Twice(one.id));
    }
    if !detections
        .iter()
        .any(|detection| detection.service == input.service)
    {
        return Err(EvidenceError::ServiceNotEvidenced);
    }
    Ok(())
}

fn summary(detection: &Detection) -> DetectionSummary {
    DetectionSummary {
        detection_id: detection.id,
        rule: detection.rule.clone(),
        service: detection.service.clone(),
        severity: detection.severity,
        certainty: detection.certainty,
        confidence: detection.confidence,
        detected_at: detection.signal_timestamp,
        signal_ids: detection.signal_ids.clone(),
    }
}

fn numbers(detections: &[DetectionSummary]) -> SignalSummary {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut severity_distribution = BTreeMap::new();
    for detection in detections {
        let entry: &mut u64 = severity_distribution.entry(detection.severity).or_default();
        *entry = entry.saturating_add(1);
    }
    let times = || detections.iter().map(|detection| detection.detected_at);
    let spread = times()
        .max()
        .zip(times().min())
        .map_or(0, |(last, first)| last.millis_since(first));
    let rules = sorted(detections.iter().map(|detection| &detection.rule.id));
    let signals = detections
        .iter()
        .map(|detection| count(detection.signal_ids.len()));
    SignalSummary {
        signal_count: signals.fold(0, u64::saturating_add),
        severity_distribution,
        time_spread_ms: u64::try_from(spread).unwrap_or(0),
        unique_rules: count(rules.len()),
    }
}

#[cfg(test)]
mod tests;
