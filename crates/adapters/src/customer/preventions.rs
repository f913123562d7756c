//! How is it shown that a Policy Rule has kept an LLM Run from failing again?

use model::policy::Prevention;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::Thousandths;

/// An LLM Run that a Policy Rule born of a failure has met.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PreventionView {
    /// Its id.
    #[schema(example = "prev_01KB0000000000000000000000")]
    pub prevention_id: String,
    /// The Policy Rule.
    pub rule_id: String,
    /// In which version.
    pub rule_version: u32,
    /// The Incident that the Policy Rule came from; none if the failure had opened none.
    pub original_incident_id: Option<String>,
    /// The failure that was prevented.
    pub signature_id: String,
    /// The LLM Run that was refused.
    pub blocked_run_id: String,
    /// prevented (it did not run), mitigated (its answer was withheld) or failed (it ran and failed all the same).
    pub outcome: &'static str,
    /// How sure it is that it would have failed: 0.600 to 1.000.
    #[schema(value_type = f64, example = 0.7)]
    pub confidence_score: Thousandths,
    /// What failing would have cost, in whole cents, rounded half up.
    pub estimated_cost_saved_cents: i64,
    /// The same in exact nano-USD.
    pub estimated_cost_saved_nano_usd: String,
    /// Whether a person has called it a false positive.
    pub false_positive: bool,
    /// Who said so.
    pub marked_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub marked_at: Option<Timestamp>,
    /// Why.
    pub marked_reason: Option<String>,
    /// When the LLM Run was met.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Who has called a prevention a false positive.
#[derive(Debug, Clone)]
pub struct Marked {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
}

impl PreventionView {
    /// A prevention, and who has called it a false positive.
    pub fn of(of: &Prevention, marked: Option<Marked>) -> Self {
        let Prevention {
            id,
            tenant: _,
            rule,
            rule_version,
            signature,
            original_incident,
            blocked_run,
            outcome,
            confidence,
            estimated_saving,
            at,
        } = *of;
        Self {
            prevention_id: id.to_string(),
            rule_id: rule.to_string(),
            rule_version,
            original_incident_id: original_incident.map(|id| id.to_string()),
            signature_id: signature.to_string(),
            blocked_run_id: blocked_run.to_string(),
            outcome: outcome.as_str(),
            confidence_score: Thousandths(confidence),
            estimated_cost_saved_cents: estimated_saving.to_cents_half_up(),
            estimated_cost_saved_nano_usd: estimated_saving.0.to_string(),
            false_positive: marked.is_some(),
            marked_by: marked.as_ref().map(|marked| marked.by.clone()),
            marked_at: marked.as_ref().map(|marked| marked.at),
            marked_reason: marked.and_then(|marked| marked.reason),
            created_at: at,
        }
    }
}

/// Some preventions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PreventionPageView {
    /// Newest first.
    pub items: Vec<PreventionView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next page.
    pub next_cursor: Option<String>,
}
