//! What is shown of every look at the recorded LLM Runs?

use domain::limits::history::Tally;
use model::id::RunId;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::Usd;

/// Which LLM Runs were looked at.
#[derive(Debug, Clone, Copy)]
pub struct Looked {
    /// How many days.
    pub days: i64,
    /// The first instant.
    pub from: Timestamp,
    /// The last instant.
    pub until: Timestamp,
    /// Where the latest ones begin, if there were too many.
    pub cut_at: Option<Timestamp>,
}

/// An LLM Run, and when it started.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MarkView {
    /// Which LLM Run.
    #[schema(example = "run_01KB0000000000000000000000")]
    pub run_id: String,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl MarkView {
    pub(super) fn of(run: RunId, at: Timestamp) -> Self {
        Self {
            run_id: run.to_string(),
            at,
        }
    }
}

/// What LLM Runs have used, all of them together.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TallyView {
    /// What they cost, in USD.
    #[schema(value_type = f64, example = 0.00045)]
    pub cost_usd: Usd,
    /// The same in exact nano-USD.
    pub cost_nano_usd: String,
    /// Their tokens.
    pub tokens: i64,
    /// Of these, input.
    pub input_tokens: i64,
    /// Of these, output.
    pub output_tokens: i64,
}

impl From<Tally> for TallyView {
    fn from(tally: Tally) -> Self {
        let Tally {
            runs: _,
            cost,
            input_tokens,
            output_tokens,
        } = tally;
        Self {
            cost_usd: Usd(cost),
            cost_nano_usd: cost.0.to_string(),
            tokens: input_tokens.saturating_add(output_tokens),
            input_tokens,
            output_tokens,
        }
    }
}

/// What is assumed, or cannot be told.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NoteView {
    /// A stable word.
    #[schema(example = "COUNTERS_BEGAN_EMPTY")]
    pub code: &'static str,
    /// The same for people.
    pub detail: &'static str,
}

impl NoteView {
    pub(super) const fn new(code: &'static str, detail: &'static str) -> Self {
        Self { code, detail }
    }

    /// There were more runs than are looked at.
    pub(super) const fn cut() -> Self {
        Self::new(
            "TRUNCATED",
            "There were more LLM Runs than are looked at: only the latest 100000 were, and days before looked_at_from are empty for that.",
        )
    }
}
