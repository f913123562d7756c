//! What was found when a measured limit was passed?

use crate::time::Timestamp;

/// The share of failures that has passed an `ERROR_RATE_PCT` limit, for as long as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overrun {
    /// What was measured when it was passed, in percent, rounded up.
    pub value: i64,
    /// Of how many LLM Runs that had ended.
    pub runs: i64,
    /// When it was passed.
    pub since: Timestamp,
}
