//! How much can a request use at most?
//!
//! Tokens are bounded by bytes: every token of a byte-pair vocabulary stands for at least one byte of text, and
//! the JSON of a request is longer than the text that a provider builds from it. What is not in the JSON
//! (pictures behind a URL, stored files, hidden instructions for tools) gets a fixed allowance each. It is ample
//! for a picture, and no bound for a long file or conversation: what goes beyond is recorded as a breach.

use model::amounts::Amounts;
use model::money::NanoUsd;

/// The engine's name in decision snapshots.
pub const NAME: &str = "estimate";
/// The engine's version; raised with every change of what it decides.
pub const VERSION: &str = "1";

/// Tokens for what a provider adds to a request by itself, such as instructions for the use of tools.
pub const HIDDEN_TOKENS: i64 = 1_024;

/// Tokens for one part of a request that is not text or not in the request itself: the most that the dearest
/// reading of a picture takes (48,169 with `gpt-4o-mini`).
pub const REFERENCE_TOKENS: i64 = 50_000;

/// What is known about a request before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestFacts {
    /// Length of its JSON.
    pub body_bytes: i64,
    /// Parts that only refer to their content (URLs, file ids, earlier responses).
    pub references: i64,
    /// The most tokens of output that the client asked for, per choice.
    pub requested_output: Option<i64>,
    /// How many choices.
    pub choices: i64,
    /// Whether the operation makes tokens at all (embeddings do not).
    pub makes_output: bool,
    /// The cap when the client asked for none.
    pub default_output: i64,
    /// The most the model can make, if it is known.
    pub model_output: Option<i64>,
}

/// The most it can use; the cost is not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Input tokens.
    pub input_tokens: i64,
    /// Output tokens over all choices.
    pub output_tokens: i64,
    /// The cap per choice under which `output_tokens` is true; none where no output is made.
    pub output_cap: Option<i64>,
}

impl Bound {
    /// The amounts to hold, given what the bound costs.
    pub const fn amounts(&self, cost: NanoUsd) -> Amounts {
        Amounts {
            cost,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            requests: 1,
        }
    }
}

/// The bound of a request.
pub fn bound(facts: &RequestFacts) -> Bound {
    let input_tokens = facts
        .body_bytes
        .saturating_add(HIDDEN_TOKENS)
        .saturating_add(facts.references.saturating_mul(REFERENCE_TOKENS));
    if !facts.makes_output {
        return Bound {
            input_tokens,
            output_tokens: 0,
            output_cap: None,
        };
    }
    let wanted = facts.requested_output.unwrap_or(facts.default_output).max(0);
    let cap = facts.model_output.map_or(wanted, |most| wanted.min(most));
    Bound {
        input_tokens,
        output_tokens: cap.saturating_mul(facts.choices.max(1)),
        output_cap: Some(cap),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: RequestFacts = RequestFacts {
        body_bytes: 200,
        references: 0,
        requested_output: None,
        choices: 1,
        makes_output: true,
        default_output: 4_096,
        model_output: None,
    };

    #[test]
    fn a_request_without_a_cap_gets_the_default() {
        let bound = bound(&FACTS);
        assert_eq!(
            (bound.input_tokens, bound.output_tokens, bound.output_cap),
            (1_224, 4_096, Some(4_096))
        );
    }

    #[test]
    fn the_requested_cap_is_clamped_to_the_models_and_counts_per_choice() {
        let facts = RequestFacts {
            requested_output: Some(1_000_000_000_000),
            model_output: Some(100),
            choices: 3,
            ..FACTS
        };
        let bound = bound(&facts);
        assert_eq!((bound.output_tokens, bound.output_cap), (300, Some(100)));
    }

    #[test]
    fn references_are_allowed_for_and_embeddings_make_nothing() {
        let facts = RequestFacts {
            references: 2,
            makes_output: false,
            ..FACTS
        };
        let bound = bound(&facts);
        assert_eq!(
            (bound.input_tokens, bound.output_tokens, bound.output_cap),
            (101_224, 0, None)
        );
    }

    #[test]
    fn absurd_numbers_saturate() {
        let facts = RequestFacts {
            requested_output: Some(i64::MAX),
            choices: i64::MAX,
            ..FACTS
        };
        assert_eq!(bound(&facts).output_tokens, i64::MAX);
    }
}
