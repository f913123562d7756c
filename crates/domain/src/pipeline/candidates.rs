//! What may be an Incident, in words that people read?
//!
//! Detections that belong together become one candidate, with the evidence that it rests on and the graph that shows
//! where that came from. The id depends on which detections by which rule, and on nothing else.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use model::candidate::{
    AFFECTED_RESOURCES_MAX, AFFECTED_SERVICES_MAX, BlastRadius, BlastScope, Candidate, CorrelationRule,
    EvidenceBundle, EvidenceGraph, GenerationStep, Impact, TITLE_MAX,
};
use model::detection::Detection;
use model::severity::Severity;
use model::signal::SignalType;
use model::time::Timestamp;

use super::confidence::{AssessError, assess};
use super::correlate::{Correlation, key_value, worst_first};
use super::evidence::{BundleInput, EvidenceError, bundle, graph};
use super::ids;

/// The version of candidates.
pub const CANDIDATE_VERSION: &str = "v1";

/// A candidate with what it rests on. All three are stored together.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Built {
    /// The candidate.
    pub candidate: Candidate,
    /// Its evidence.
    pub evidence: EvidenceBundle,
    /// Where that came from.
    pub graph: EvidenceGraph,
}

/// Why there is no candidate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CandidateError {
    /// The detections were brought together by another rule.
    #[error("the correlation is another rule's")]
    AnotherRule,
    /// There are fewer or more detections than the rule allows.
    #[error("the rule does not allow so many detections")]
    Threshold,
    /// There is no evidence.
    #[error("there is no evidence")]
    Evidence(#[source] EvidenceError),
    /// The evidence cannot be assessed.
    #[error("the evidence cannot be assessed")]
    Assessment(#[source] AssessError),
}

/// The candidate of these detections.
///
/// # Errors
/// See [`CandidateError`]: without evidence or assessment there is no candidate.
pub fn build(
    rule: &CorrelationRule,
    correlation: &Correlation,
    now: Timestamp,
) -> Result<Built, CandidateError> {
    let tenant = correlation.tenant;
    check(rule, correlation)?;
    let mut detections = correlation.detections.clone();
    detections.sort_unstable_by_key(|detection| detection.id);
    let none = CandidateError::Evidence(EvidenceError::NoDetections);
    let primary = detections
        .iter()
        .min_by(|one, other| worst_first(one, other))
        .ok_or(none)?;
    let detection_ids: Vec<_> = detections.iter().map(|detection| detection.id).collect();
    let key_fields = key_fields(rule, correlation, primary);
    let correlation_key = ids::correlation_key(tenant, &correlation.rule, &detection_ids, &key_fields);
    let evidence = bundle(&BundleInput {
        tenant,
        service: &primary.service,
        window_start: correlation.window_start,
        window_end: correlation.window_end,
        detections: &detections,
        correlation_key,
        now,
    })
    .map_err(CandidateError::Evidence)?;
    let assessment = assess(&evidence).map_err(CandidateError::Assessment)?;
    let id = ids::candidate(tenant, correlation_key);
    let graph = graph(tenant, id, &detections, None);
    let words = Words::new(&detections, primary, correlation);
    let mut candidate = Candidate {
        id,
        tenant,
        candidate_version: CANDIDATE_VERSION.to_owned(),
        correlation_key,
        correlation_rule: correlation.rule.clone(),
        policy: rule.policy.clone(),
        evidence_id: evidence.id,
        evidence_graph_id: graph.id,
        detection_ids,
        primary_detection_id: primary.id,
        suggested_severity: primary.severity.severity(),
        suggested_service: primary.service.clone(),
        suggested_title: words.title(rule),
        suggested_description: rule
            .candidate_template
            .as_ref()
            .map(|it| words.filled(&it.description)),
        tags: tags(rule),
        category: primary.category,
        confidence: assessment.confidence_band.into(),
        assessment,
        blast_radius: blast_radius(&detections),
        resource_refs: resources(&detections),
        generation_trace: Vec::new(),
        window_start: words.first,
        window_end: words.last,
        created_at: now,
    };
    candidate.generation_trace = trace(&candidate, correlation, &key_fields);
    Ok(Built {
        candidate,
        evidence,
        graph,
    })
}

/// Whether the rule allows what was brought together.
fn check(rule: &CorrelationRule, correlation: &Correlation) -> Result<(), CandidateError> {
    if rule.reference() != correlation.rule {
        return Err(CandidateError::AnotherRule);
    }
    let count = u32::try_from(correlation.detections.len()).unwrap_or(u32::MAX);
    if count < rule.threshold.min_detections || count > rule.threshold.max_detections {
        return Err(CandidateError::Threshold);
    }
    Ok(())
}

/// `name=value`, with the start of the window always among them.
fn key_fields(rule: &CorrelationRule, correlation: &Correlation, primary: &Detection) -> Vec<String> {
    let window = format!("windowTruncated={}", correlation.window_truncated);
    let fields = rule
        .key_fields
        .iter()
        .map(|key| format!("{}={}", key.as_str(), key_value(primary, *key)));
    let fields: BTreeSet<String> = fields.chain([window]).collect();
    fields.into_iter().collect()
}

/// What a template may ask for.
struct Words<'a> {
    primary: &'a Detection,
    detections: usize,
    signals: usize,
    first: Timestamp,
    last: Timestamp,
    window: (Timestamp, Timestamp),
}

impl<'a> Words<'a> {
    fn new(detections: &[Detection], primary: &'a Detection, correlation: &Correlation) -> Self {
        let times = || detections.iter().map(|detection| detection.signal_timestamp);
        let signals: BTreeSet<_> = detections
            .iter()
            .flat_map(|detection| &detection.signal_ids)
            .collect();
        Self {
            primary,
            detections: detections.len(),
            signals: signals.len(),
            first: times().min().unwrap_or(primary.signal_timestamp),
            last: times().max().unwrap_or(primary.signal_timestamp),
            window: (correlation.window_start, correlation.window_end),
        }
    }

    /// The rule's own title, or one made of severity, rule and number; at most [`TITLE_MAX`] characters.
    fn title(&self, rule: &CorrelationRule) -> String {
        let title = if let Some(template) = &rule.candidate_template {
            self.filled(&template.title)
        } else {
            let (severity, rule) = (self.primary.severity.severity().as_str(), &self.primary.rule.id);
            match self.detections.saturating_sub(1) {
                0 => format!("[{severity}] {rule} detected"),
                more => format!("[{severity}] {rule} detected (+{more} related)"),
            }
        };
        title.chars().take(TITLE_MAX).collect()
    }

    /// A text with what it asks for. What stands in a value is not asked again.
    fn filled(&self, text: &str) -> String {
        let mut parts = text.split("{{");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once("}}").unwrap_or((part, ""));
            filled.push_str(&self.value(name));
            filled.push_str(rest);
        }
        filled
    }

    /// Names that are none do not get here: rules that ask for them are not loaded.
    fn value(&self, name: &str) -> String {
        match name {
            "title" => self.primary.title.clone(),
            "service" => self.primary.service.clone(),
            "severity" => self.primary.severity.severity().as_str().to_owned(),
            "ruleId" => self.primary.rule.id.to_string(),
            "signalCount" => self.signals.to_string(),
            "detectionCount" => self.detections.to_string(),
            "windowStart" => self.window.0.to_string(),
            "windowEnd" => self.window.1.to_string(),
            "timeWindow" => format!("{}/{}", self.window.0, self.window.1),
            "firstObservedAt" => self.first.to_string(),
            "lastObservedAt" => self.last.to_string(),
            _ => String::new(),
        }
    }
}

fn tags(rule: &CorrelationRule) -> Vec<String> {
    let tags = rule
        .candidate_template
        .iter()
        .flat_map(|template| template.tags.iter().cloned());
    tags.collect::<BTreeSet<_>>().into_iter().collect()
}

fn resources(detections: &[Detection]) -> Vec<model::signal::ResourceRef> {
    let all: BTreeSet<_> = detections
        .iter()
        .flat_map(|detection| detection.resource_refs.iter().cloned())
        .collect();
    all.into_iter().take(AFFECTED_RESOURCES_MAX).collect()
}

/// How far these detections reach.
pub fn blast_radius(detections: &[Detection]) -> BlastRadius {
    let services: BTreeSet<_> = detections
        .iter()
        .map(|detection| detection.service.clone())
        .collect();
    let resources: BTreeSet<_> = detections
        .iter()
        .flat_map(|it| it.resource_refs.iter().map(|found| found.ref_value.clone()))
        .collect();
    let beneath = detections
        .iter()
        .any(|detection| detection.signal_type == SignalType::InfrastructureEvent);
    let scope = match services.len() {
        2.. => BlastScope::MultiService,
        _ if beneath => BlastScope::Infrastructure,
        _ => BlastScope::SingleService,
    };
    let worst = detections
        .iter()
        .map(|detection| detection.severity.severity())
        .min();
    let estimated_impact = match worst {
        Some(Severity::Sev1) => Impact::Critical,
        Some(Severity::Sev2) => Impact::High,
        _ if services.len() > 1 => Impact::Medium,
        _ => Impact::Low,
    };
    BlastRadius {
        scope,
        affected_services: services.into_iter().take(AFFECTED_SERVICES_MAX).collect(),
        affected_resources: resources.into_iter().take(AFFECTED_RESOURCES_MAX).collect(),
        estimated_impact,
    }
}

fn trace(candidate: &Candidate, correlation: &Correlation, key_fields: &[String]) -> Vec<GenerationStep> {
    let count = correlation.detections.len();
    let assessment = &candidate.assessment;
    let radius = &candidate.blast_radius;
    let steps = [
        (
            "validate_inputs",
            correlation.rule.to_string(),
            format!("{count} detections"),
        ),
        (
            "truncate_window",
            correlation.window_start.to_string(),
            correlation.window_truncated.to_string(),
        ),
        (
            "select_primary_detection",
            format!("{count} detections"),
            candidate.primary_detection_id.to_string(),
        ),
        (
            "resolve_key_fields",
            correlation.group_key.clone(),
            key_fields.join("&"),
        ),
        (
            "compute_correlation_key",
            key_fields.join("&"),
            candidate.correlation_key.to_string(),
        ),
        (
            "compute_confidence",
            candidate.evidence_id.to_string(),
            format!(
                "{} {}",
                assessment.confidence_score,
                assessment.confidence_band.as_str()
            ),
        ),
        (
            "estimate_blast_radius",
            format!("{} services", radius.affected_services.len()),
            format!("{} {}", radius.scope.as_str(), radius.estimated_impact.as_str()),
        ),
        (
            "generate_title",
            candidate.suggested_severity.as_str().to_owned(),
            candidate.suggested_title.clone(),
        ),
        (
            "compute_candidate_id",
            candidate.correlation_key.to_string(),
            candidate.id.to_string(),
        ),
    ];
    let numbered = (1_u32..).zip(steps);
    numbered
        .map(|(step, (action, input, output))| GenerationStep {
            step,
            action: action.to_owned(),
            input,
            output,
        })
        .collect()
}

#[cfg(test)]
mod tests;
