//! How are the cost anomalies shown that an Incident is about?

use model::anomaly::{Anomaly, DerivedCause, Finding};
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What was spent in a day that is not usual, or not allowed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentAnomalyView {
    /// Its id.
    #[schema(example = "ca_01JD0000000000000000000000")]
    pub anomaly_id: String,
    /// `ABSOLUTE_SPIKE`, `SUSTAINED_DRIFT`, `BUDGET_WARNING` or `BUDGET_EXCEEDED`.
    pub anomaly_type: &'static str,
    /// HIGH, MEDIUM or LOW.
    pub severity: &'static str,
    /// TENANT, USER, FEATURE or LIMIT.
    pub entity_type: &'static str,
    /// Which user, feature or Limit; null of the tenant itself.
    pub entity_id: Option<String>,
    /// What was spent.
    pub current_nano_usd: String,
    /// What would have been usual; of a budget, what it allows.
    pub expected_nano_usd: String,
    /// How far above that, in percent; of a budget, how much of it is used.
    pub deviation_pct: i64,
    /// From how many percent of what is expected on it is one.
    pub threshold_pct: i64,
    /// How many days in a row.
    pub days: i64,
    /// `RETRY_LOOP`, `PROMPT_GROWTH`, `FEATURE_SURGE` or `TRAFFIC_GROWTH`; null if none of them holds.
    pub derived_cause: Option<&'static str>,
    /// When it was found first.
    #[schema(value_type = String, format = DateTime)]
    pub detected_at: Timestamp,
    /// When it was found last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<Anomaly> for IncidentAnomalyView {
    fn from(of: Anomaly) -> Self {
        let Anomaly {
            id,
            tenant: _,
            day: _,
            finding,
            limit: _,
            incident: _,
            detected_at,
            updated_at,
        } = of;
        let Finding {
            anomaly_type,
            severity,
            entity,
            entity_id,
            current,
            expected,
            deviation_pct,
            threshold_pct,
            days,
            derived_cause,
        } = finding;
        Self {
            anomaly_id: id.to_string(),
            anomaly_type: anomaly_type.as_str(),
            severity: severity.as_str(),
            entity_type: entity.as_str(),
            entity_id: Some(entity_id).filter(|id| !id.is_empty()),
            current_nano_usd: current.0.to_string(),
            expected_nano_usd: expected.0.to_string(),
            deviation_pct,
            threshold_pct,
            days,
            derived_cause: derived_cause.map(DerivedCause::as_str),
            detected_at,
            updated_at,
        }
    }
}

/// The cost anomalies that an Incident is about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentAnomaliesView {
    /// The latest first, at most 200.
    pub items: Vec<IncidentAnomalyView>,
}
