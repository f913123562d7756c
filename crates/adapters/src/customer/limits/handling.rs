//! What does a Limit do beyond refusing, and what has it found?

use model::limit::{Consequence, Handling, Overrun};
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What a Limit does beyond refusing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HandlingView {
    /// The longest that a request waits for room, in milliseconds (QUEUE).
    pub queue_timeout_ms: Option<i64>,
    /// The model that is served instead (DEGRADE).
    pub degrade_model: Option<String>,
    /// The cap of the output that is served instead, in tokens (DEGRADE).
    pub degrade_max_output_tokens: Option<i64>,
    /// ALERT, INCIDENT or ABORT (THRESHOLD).
    pub consequence: Option<&'static str>,
    /// Over how many of the last seconds failures are measured (`ERROR_RATE_PCT`).
    pub measurement_window_seconds: Option<u32>,
}

impl From<Handling> for HandlingView {
    fn from(handling: Handling) -> Self {
        let degrade = handling.degrade.unwrap_or_default();
        Self {
            queue_timeout_ms: handling.queue_ms,
            degrade_model: degrade.model,
            degrade_max_output_tokens: degrade.output_tokens,
            consequence: handling.consequence.map(Consequence::as_str),
            measurement_window_seconds: handling.measured_seconds,
        }
    }
}

/// The share of failures with which a Limit was passed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExceededView {
    /// The share of failed LLM Runs in percent, rounded up.
    pub error_rate_pct: i64,
    /// Of how many that had ended.
    pub llm_runs: i64,
    /// When it was passed.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

impl From<Overrun> for ExceededView {
    fn from(of: Overrun) -> Self {
        Self {
            error_rate_pct: of.value,
            llm_runs: of.runs,
            since: of.since,
        }
    }
}
