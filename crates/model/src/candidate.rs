//! What might be an Incident, on what evidence, and how sure is that?

mod correlation;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::id::{
    CandidateId, CorrelationKey, DetectionId, EvidenceGraphId, EvidenceId, IncidentId, NormalizedSignalId,
    SignalId, TenantId,
};
use crate::incident::IncidentCategory;
use crate::score::Score;
use crate::severity::Severity;
use crate::signal::{Certainty, Grade, ResourceRef};
use crate::time::Timestamp;
use crate::versioned::Versioned;
use crate::wire::wire_enum;

pub use self::correlation::{
    Alignment, CorrelationRule, DetectionFilter, GroupKey, PrimarySelection, Template, Threshold, Truncation,
    Window,
};

/// The most detections of one candidate.
pub const DETECTIONS_MAX: usize = 100;
/// The most services that a blast radius names.
pub const AFFECTED_SERVICES_MAX: usize = 50;
/// The most resources that a blast radius names.
pub const AFFECTED_RESOURCES_MAX: usize = 20;
/// The longest title, in characters.
pub const TITLE_MAX: usize = 200;

wire_enum! {
    /// How sure an assessment is, least first.
    ConfidenceBand {
        /// Below 0.4.
        Low,
        /// From 0.4.
        Medium,
        /// From 0.6.
        High,
        /// From 0.8.
        Critical,
    }
}

impl ConfidenceBand {
    /// The least score of it.
    pub const fn min_score(self) -> Score {
        Score::new(match self {
            Self::Low => 0,
            Self::Medium => 400_000,
            Self::High => 600_000,
            Self::Critical => 800_000,
        })
    }

    /// The band of this score.
    pub fn of(score: Score) -> Self {
        let bands = [Self::Critical, Self::High, Self::Medium];
        let reached = bands.into_iter().find(|band| score >= band.min_score());
        reached.unwrap_or(Self::Low)
    }
}

wire_enum! {
    /// How sure a candidate is, least first: its assessment in three words.
    CandidateConfidence {
        /// LOW.
        Low,
        /// MEDIUM.
        Medium,
        /// HIGH or CRITICAL.
        High,
    }
}

impl From<ConfidenceBand> for CandidateConfidence {
    fn from(band: ConfidenceBand) -> Self {
        match band {
            ConfidenceBand::Low => Self::Low,
            ConfidenceBand::Medium => Self::Medium,
            ConfidenceBand::High | ConfidenceBand::Critical => Self::High,
        }
    }
}

wire_enum! {
    /// How far it reaches.
    BlastScope {
        /// One service.
        SingleService,
        /// Several.
        MultiService,
        /// What services run on.
        Infrastructure,
    }
}

wire_enum! {
    /// How much is at stake, least first.
    Impact {
        /// Nobody notices.
        Low,
        /// Somebody does.
        Medium,
        /// Many do.
        High,
        /// Everybody does.
        Critical,
    }
}

/// How far a candidate reaches.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlastRadius {
    /// In one word.
    pub scope: BlastScope,
    /// Which services, sorted; the first [`AFFECTED_SERVICES_MAX`].
    pub affected_services: Vec<String>,
    /// Which resources, sorted; the first [`AFFECTED_RESOURCES_MAX`].
    pub affected_resources: Vec<String>,
    /// What is at stake.
    pub estimated_impact: Impact,
}

/// A detection as evidence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DetectionSummary {
    /// Which.
    pub detection_id: DetectionId,
    /// Which rule found it.
    pub rule: Versioned,
    /// Which service it is about.
    pub service: String,
    /// How bad it is.
    pub severity: Grade,
    /// How sure the rule is.
    pub certainty: Certainty,
    /// How sure the number of signals makes it.
    pub confidence: Score,
    /// When its earliest signal was noticed: what the rule's own clock says is no evidence.
    pub detected_at: Timestamp,
    /// In which signals.
    pub signal_ids: Vec<SignalId>,
}

/// What the detections of a bundle have in common, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignalSummary {
    /// How many signals: the sum over detections.
    pub signal_count: u64,
    /// How many detections of each severity.
    pub severity_distribution: BTreeMap<Grade, u64>,
    /// From the first detection to the last, in milliseconds.
    pub time_spread_ms: u64,
    /// How many rules, whatever their versions.
    pub unique_rules: u64,
}

/// What a candidate rests on: never changed, never deleted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceBundle {
    /// Its id: see `domain::pipeline::ids::evidence`.
    pub id: EvidenceId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which service it is about.
    pub service: String,
    /// From when.
    pub window_start: Timestamp,
    /// Until when, inclusive.
    pub window_end: Timestamp,
    /// The detections, sorted by id.
    pub detections: Vec<DetectionSummary>,
    /// Their numbers.
    pub signal_summary: SignalSummary,
    /// Which correlation brought them together.
    pub correlation_key: CorrelationKey,
    /// The version of this record: `v1`.
    pub bundle_version: String,
    /// When it was put together. No part of its identity.
    pub bundled_at: Timestamp,
}

wire_enum! {
    /// What a node of an evidence graph is.
    NodeType {
        /// What was sent.
        Signal,
        /// The same in the words of the rules.
        NormalizedSignal,
        /// What a rule found.
        Detection,
        /// What may be an Incident.
        Candidate,
        /// What became one.
        Incident,
    }
}

/// One thing of the evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GraphNode {
    /// What it is.
    pub node_type: NodeType,
    /// Its id.
    pub entity_id: String,
}

/// Where one thing came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GraphEdge {
    /// The id of what came first.
    pub from: String,
    /// The id of what was made of it.
    pub to: String,
}

/// How signals became detections and those a candidate, for people to follow. One per candidate.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceGraph {
    /// Its id: see `domain::pipeline::ids::evidence_graph`.
    pub id: EvidenceGraphId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which candidate.
    pub candidate_id: CandidateId,
    /// The detections, sorted.
    pub detection_ids: Vec<DetectionId>,
    /// The signals, sorted, each once.
    pub signal_ids: Vec<SignalId>,
    /// The normalised signals, sorted, each once.
    pub normalized_signal_ids: Vec<NormalizedSignalId>,
    /// Everything, sorted.
    pub nodes: Vec<GraphNode>,
    /// What came from what, sorted; no circle.
    pub edges: Vec<GraphEdge>,
    /// The Incident, if the candidate became one.
    pub incident: Option<IncidentId>,
}

wire_enum! {
    "snake_case";
    /// What makes an assessment surer.
    Factor {
        /// How many detections there are.
        DetectionCount,
        /// How bad they are.
        SeverityScore,
        /// How many rules found them.
        RuleDiversity,
        /// How close together they are.
        TemporalDensity,
        /// How many signals there are.
        SignalVolume,
    }
}

/// How much one factor adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FactorValue {
    /// Which.
    pub factor: Factor,
    /// Its value.
    pub value: Score,
    /// How much it counts.
    pub weight: Score,
    /// Value times weight, rounded down.
    pub contribution: Score,
}

/// How sure a bundle of evidence is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assessment {
    /// Of which evidence.
    pub evidence_id: EvidenceId,
    /// The sum of the contributions.
    pub confidence_score: Score,
    /// The band of that score.
    pub confidence_band: ConfidenceBand,
    /// What speaks for it, in facts; one or more.
    pub reasons: Vec<String>,
    /// The five factors, in the order of their weights.
    pub factors: Vec<FactorValue>,
    /// When: when the evidence was put together.
    pub assessed_at: Timestamp,
    /// The version of the weights and steps: `v1.0.0`.
    pub model_version: String,
}

/// One step of how a candidate was made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenerationStep {
    /// Its place, from 1.
    pub step: u32,
    /// What was done.
    pub action: String,
    /// With what.
    pub input: String,
    /// What came out.
    pub output: String,
}

/// What may be an Incident: never changed, never deleted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Candidate {
    /// Its id: see `domain::pipeline::ids::candidate`.
    pub id: CandidateId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The version of this record: `v1`.
    pub candidate_version: String,
    /// Which detections belong together, and by which rule.
    pub correlation_key: CorrelationKey,
    /// The rule that brought them together.
    pub correlation_rule: Versioned,
    /// The policy that its promotion is judged by.
    pub policy: Versioned,
    /// What it rests on.
    pub evidence_id: EvidenceId,
    /// Where that came from.
    pub evidence_graph_id: EvidenceGraphId,
    /// The detections, sorted; 1 to [`DETECTIONS_MAX`].
    pub detection_ids: Vec<DetectionId>,
    /// The one that gives it its name.
    pub primary_detection_id: DetectionId,
    /// How bad it is: as bad as the worst detection.
    pub suggested_severity: Severity,
    /// Which service it is about: that of the primary detection.
    pub suggested_service: String,
    /// What people read.
    pub suggested_title: String,
    /// What people read below that, if the rule says.
    pub suggested_description: Option<String>,
    /// Under which words people find it, sorted.
    pub tags: Vec<String>,
    /// Of which kind the Incident is: that of the primary detection.
    pub category: IncidentCategory,
    /// How sure it is: the assessment in one word.
    pub confidence: CandidateConfidence,
    /// The assessment.
    pub assessment: Assessment,
    /// How far it reaches.
    pub blast_radius: BlastRadius,
    /// What the detections name, sorted, each once; the first [`AFFECTED_RESOURCES_MAX`].
    pub resource_refs: Vec<ResourceRef>,
    /// How it was made.
    pub generation_trace: Vec<GenerationStep>,
    /// When the first of its detections was noticed.
    pub window_start: Timestamp,
    /// When the last was.
    pub window_end: Timestamp,
    /// When it was made. No part of its identity.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests;
