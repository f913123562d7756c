//! How is it shown what Incidents have in common, and what comes back?

use model::id::IncidentId;
use model::incident::Incident;
use model::money::NanoUsd;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::{Milli, Thousandths};

/// Incidents that are named for each pattern; the rest is counted.
const NAMED_MAX: usize = 10;

/// What the Incidents of the last hours have in common.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PatternsView {
    /// The hours that are looked back over.
    pub window_hours: i64,
    /// What several Incidents have in common, the surest first.
    pub patterns: Vec<PatternView>,
    /// The failures that they are, the most frequent first.
    pub failures: Vec<FailuresView>,
    /// How many Incidents were looked at, newest first.
    pub incidents_examined: usize,
    /// Whether these were all of the window.
    pub complete: bool,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub generated_at: Timestamp,
}

/// Something that several Incidents have in common.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PatternView {
    /// `category_cluster`: three or more of one category. `severity_spike`: three or more critical, or high, within an
    /// hour. `cascade_failure`: two or more of one LLM Run.
    pub pattern_type: &'static str,
    /// The category that they are of.
    pub category: Option<&'static str>,
    /// The severity that they have.
    pub severity: Option<&'static str>,
    /// The LLM Run that they come from.
    pub llm_run_id: Option<String>,
    /// How many they are.
    pub count: usize,
    /// How sure it is that they belong together: it grows with their number.
    #[schema(value_type = f64, example = 0.6)]
    pub confidence: Thousandths,
    /// When the first came to be.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: Timestamp,
    /// When the last did.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// What they cost together, in whole cents, rounded half up.
    pub cost_cents: i64,
    /// The same in exact nano-USD.
    pub cost_nano_usd: String,
    /// The newest ten.
    pub incident_ids: Vec<String>,
}

/// A failure, and the Incidents of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FailuresView {
    /// Which failure: the same for everything that fails alike, the input included.
    pub signature_id: String,
    /// The stable word for it.
    pub error_code: Option<String>,
    /// The provider that was asked.
    pub provider: Option<String>,
    /// The model that was asked.
    pub model: Option<String>,
    /// The agent or the product feature that the newest happened to.
    pub service: String,
    /// How many Incidents it has.
    pub count: usize,
    /// How many of them are not over.
    pub open_count: usize,
    /// When the first came to be.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: Timestamp,
    /// When the last did.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// What they cost together, in whole cents, rounded half up.
    pub cost_cents: i64,
    /// The same in exact nano-USD.
    pub cost_nano_usd: String,
    /// The newest.
    pub latest_incident_id: String,
    /// The ACTIVE Policy Rule that was made for it; null if none answers it.
    pub answered_by_rule_id: Option<String>,
}

/// What is known of the Incidents of a failure.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Which failure.
    pub signature_id: String,
    /// How many Incidents it has, and how many of them are not over.
    pub counts: (usize, usize),
    /// When the first and the last came to be.
    pub seen: (Timestamp, Timestamp),
    /// What they cost.
    pub cost: NanoUsd,
    /// The Policy Rule that answers it.
    pub rule_id: Option<String>,
}

impl FailuresView {
    /// A failure whose newest Incident is this.
    pub fn of(counted: Counted, latest: &Incident) -> Self {
        let Counted {
            signature_id,
            counts: (count, open_count),
            seen: (first_seen_at, last_seen_at),
            cost,
            rule_id,
        } = counted;
        let made = &latest.creation;
        let asked = made.signature.as_ref().map(|signature| &signature.request);
        Self {
            signature_id,
            error_code: made.error_code.clone(),
            provider: asked.and_then(|asked| asked.provider.clone()),
            model: asked.and_then(|asked| asked.model.clone()),
            service: made.service.clone(),
            count,
            open_count,
            first_seen_at,
            last_seen_at,
            cost_cents: cost.to_cents_half_up(),
            cost_nano_usd: cost.0.to_string(),
            latest_incident_id: latest.id.to_string(),
            answered_by_rule_id: rule_id,
        }
    }
}

/// The ids of the first of them.
pub fn named(incidents: &[IncidentId]) -> Vec<String> {
    incidents
        .iter()
        .take(NAMED_MAX)
        .map(ToString::to_string)
        .collect()
}

/// What does not stay over.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecurringView {
    /// The days that are looked back over.
    pub baseline_days: i64,
    /// How often it has to have happened.
    pub recurrence_threshold: usize,
    /// By category and by how the Incidents were resolved, the most frequent first.
    pub items: Vec<RecurringGroupView>,
    /// By failure, the most frequent first.
    pub failures: Vec<RecurringFailureView>,
    /// How many Incidents were looked at, newest first.
    pub incidents_examined: usize,
    /// Whether these were all of the window.
    pub complete: bool,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub generated_at: Timestamp,
}

/// Incidents of one category that were resolved in one way.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecurringGroupView {
    /// The category.
    pub category: &'static str,
    /// `auto`, `manual` or `rollback`; null for those that are not resolved.
    pub resolution_method: Option<&'static str>,
    /// How many there are.
    pub total: usize,
    /// On how many days (UTC) they came to be.
    pub distinct_days: usize,
    /// How many there are for each day that is looked back over.
    #[schema(value_type = f64, example = 0.1)]
    pub occurrences_per_day: Milli,
    /// When the first came to be.
    #[schema(value_type = String, format = DateTime)]
    pub first_occurrence: Timestamp,
    /// When the last did.
    #[schema(value_type = String, format = DateTime)]
    pub last_occurrence: Timestamp,
    /// The newest five.
    pub recent_incident_ids: Vec<String>,
}

/// A failure that has led to several Incidents.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecurringFailureView {
    /// Which failure.
    pub signature_id: String,
    /// How many Incidents it has led to.
    pub total: usize,
    /// How many of them are over.
    pub times_resolved: usize,
    /// How many of them came to be when an earlier one was over.
    pub times_come_back: usize,
    /// When the first came to be.
    #[schema(value_type = String, format = DateTime)]
    pub first_occurrence: Timestamp,
    /// When the last did.
    #[schema(value_type = String, format = DateTime)]
    pub last_occurrence: Timestamp,
    /// What they cost together, in whole cents, rounded half up.
    pub cost_cents: i64,
    /// The same in exact nano-USD.
    pub cost_nano_usd: String,
    /// The ACTIVE Policy Rule that was made for it; null if none answers it.
    pub answered_by_rule_id: Option<String>,
    /// The newest five.
    pub recent_incident_ids: Vec<String>,
}

/// So many in so many days, for each of the days.
pub fn per_day(total: usize, days: i64) -> Milli {
    let total = i64::try_from(total).unwrap_or(i64::MAX);
    Milli(total.saturating_mul(1_000).checked_div(days).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_a_day_is_a_number_with_all_its_digits() {
        let shown = |total, days| serde_json::to_string(&per_day(total, days)).unwrap();
        assert_eq!(
            [shown(3, 30), shown(45, 30), shown(0, 30)],
            ["0.100", "1.500", "0.000"]
        );
    }
}
