//! What does a request use up?

use crate::money::NanoUsd;

/// What one request asks for (when it is held) or has used (when it is settled).
///
/// Counts are never negative; the edges refuse negative numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Amounts {
    /// Money, in nano-USD.
    pub cost: NanoUsd,
    /// Tokens sent to the model, cached ones included.
    pub input_tokens: i64,
    /// Tokens the model made, reasoning included.
    pub output_tokens: i64,
    /// Calls; 1 for a single request.
    pub requests: i64,
}

impl Amounts {
    /// Nothing at all.
    pub const ZERO: Self = Self {
        cost: NanoUsd::ZERO,
        input_tokens: 0,
        output_tokens: 0,
        requests: 0,
    };

    /// Input and output together; saturates.
    pub const fn total_tokens(&self) -> i64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}
