//! What does the sender of a signal see of what has become of it?

use serde::Serialize;
use utoipa::ToSchema;

/// A signal that was taken.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignalTakenView {
    /// Its id, which follows from what it says: 64 hex digits.
    pub signal_id: String,
    /// Whether nobody has told of it within the same minute; nothing follows from what was told before.
    pub is_new: bool,
    /// What the gate said of everything that it belongs to; null if no rule asks the gate.
    pub decision: Option<SignalDecisionView>,
    /// The Incident that there is now, or was before.
    pub incident_id: Option<String>,
}

/// What the gate said.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignalDecisionView {
    /// PROMOTE, DEFER or REJECT.
    pub verdict: &'static str,
    /// Why not, if it is REJECT.
    pub rejection_code: Option<&'static str>,
    /// In words.
    pub reason: String,
}
