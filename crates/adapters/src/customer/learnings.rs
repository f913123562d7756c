//! How is it shown what can be learned from an Incident?

use model::incident::Incident;
use model::pattern::Similarity;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::Thousandths;

/// What can be learned from an Incident and from those that are like it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LearningsView {
    /// Which Incident.
    pub incident_id: String,
    /// How it ended, as far as it has.
    pub resolution_summary: ResolutionSummaryView,
    /// The five that are most like it, the newest of those that are equally alike first.
    pub similar_incidents: Vec<SimilarIncidentView>,
    /// What can be learned, from what is shown here only.
    pub insights: Vec<InsightView>,
    /// The days in which those that are like it were looked for.
    pub window_days: i64,
    /// Whether all Incidents of these days were looked at.
    pub complete: bool,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub generated_at: Timestamp,
}

/// How an Incident ended, as far as it has.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ResolutionSummaryView {
    /// ACTIVE, ACKED or RESOLVED.
    pub lifecycle_state: Option<&'static str>,
    /// `auto`, `manual` or `rollback`.
    pub resolution_method: Option<&'static str>,
    /// FIXED, `FALSE_POSITIVE`, DUPLICATE or `WONT_FIX`.
    pub resolution_type: Option<&'static str>,
    /// What was done.
    pub resolution_notes: Option<String>,
    /// Where what was learned is written: a URL or an id.
    pub post_mortem_reference: Option<String>,
    /// What was learned.
    pub post_mortem_summary: Option<String>,
    /// From when it came to be until it was over.
    pub time_to_resolution_ms: Option<i64>,
    /// How many detections it rests on; null if it was reported.
    pub evidence_count: Option<i64>,
    /// Whether an LLM Run tried again what had failed.
    pub recovery_attempted: bool,
}

impl ResolutionSummaryView {
    /// How an Incident ended.
    pub fn of(incident: &Incident, recovery_attempted: bool) -> Self {
        let resolution = incident.resolution.as_ref();
        let post_mortem = incident.post_mortem.as_ref();
        Self {
            lifecycle_state: incident
                .lifecycle()
                .map(model::incident::IncidentLifecycle::as_str),
            resolution_method: resolution.map(|resolution| resolution.method.as_str()),
            resolution_type: resolution.map(|resolution| resolution.resolution_type.as_str()),
            resolution_notes: resolution.map(|resolution| resolution.summary.clone()),
            post_mortem_reference: post_mortem.and_then(|post_mortem| post_mortem.reference.clone()),
            post_mortem_summary: post_mortem.and_then(|post_mortem| post_mortem.summary.clone()),
            time_to_resolution_ms: taken_ms(incident),
            evidence_count: incident
                .promotion
                .as_ref()
                .and_then(|promotion| promotion.detection_count),
            recovery_attempted,
        }
    }
}

fn taken_ms(of: &Incident) -> Option<i64> {
    Some(of.over_at()?.millis_since(of.created_at))
}

/// An Incident that is like another.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SimilarIncidentView {
    /// Which.
    pub incident_id: String,
    /// What both have in common: FAILURE, FAMILY (the same failure of another input) or CATEGORY.
    pub similarity: &'static str,
    /// What happened.
    pub title: String,
    /// `critical`, `high`, `medium` or `low`.
    pub severity: &'static str,
    /// ACTIVE, ACKED or RESOLVED.
    pub lifecycle_state: Option<&'static str>,
    /// `auto`, `manual` or `rollback`.
    pub resolution_method: Option<&'static str>,
    /// From when it came to be until it was over.
    pub time_to_resolution_ms: Option<i64>,
    /// Whether an LLM Run tried again what had failed.
    pub recovery_attempted: bool,
    /// When it came to be.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl SimilarIncidentView {
    /// An Incident that is so much like another.
    pub fn of(similarity: Similarity, incident: Incident, recovery_attempted: bool) -> Self {
        let resolution = incident.resolution.as_ref();
        Self {
            similarity: similarity.as_str(),
            severity: incident.creation.severity.word(),
            lifecycle_state: incident
                .lifecycle()
                .map(model::incident::IncidentLifecycle::as_str),
            resolution_method: resolution.map(|resolution| resolution.method.as_str()),
            time_to_resolution_ms: taken_ms(&incident),
            recovery_attempted,
            created_at: incident.created_at,
            incident_id: incident.id.to_string(),
            title: incident.creation.title,
        }
    }
}

/// Something learned.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InsightView {
    /// `prevention`, `detection` or `response`.
    pub insight_type: &'static str,
    /// In words.
    pub description: String,
    /// How sure it is: the share of the similar Incidents that say so.
    #[schema(value_type = f64, example = 0.75)]
    pub confidence: Thousandths,
    /// Which Incidents say so.
    pub supporting_incident_ids: Vec<String>,
}
