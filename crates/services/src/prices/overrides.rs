//! Which prices does the operator state, and since when?
//!
//! They are whole numbers, and so is the arithmetic: no float takes part.

use std::fmt::Write as _;

use model::cost::TokenUsage;
use model::money::NanoUsd;
use model::time::Timestamp;
use sha2::{Digest as _, Sha256};
use workers::upstream::ModelGlob;

use super::{PriceError, WorstCaseFacts};

const TOKENS_PER_MTOK: i128 = 1_000_000;

/// A price that takes the place of the table's. All rates are nano-USD per million tokens: 2.50 USD per
/// million tokens are 2,500,000,000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceOverride {
    /// Whose model; the provider's name in price tables.
    pub provider: String,
    /// A pattern for the model's name, with `*` for any text.
    pub model_glob: String,
    /// Since when.
    pub effective_from: Timestamp,
    /// Tokens sent.
    pub input_nano_usd_per_mtok: i64,
    /// Tokens made.
    pub output_nano_usd_per_mtok: i64,
    /// Tokens read from the provider's cache; as `input` if not stated.
    pub cached_input_nano_usd_per_mtok: Option<i64>,
    /// Tokens written to the provider's cache; as `input` if not stated.
    pub cache_write_nano_usd_per_mtok: Option<i64>,
}

/// Why an override cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// A rate below zero.
    #[error("the price override for `{model_glob}` of `{provider}` has a negative rate")]
    Negative {
        /// The provider.
        provider: String,
        /// The pattern.
        model_glob: String,
    },
    /// No provider, or no pattern.
    #[error("a price override needs a provider and a model")]
    Empty,
}

/// All overrides.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    provider: String,
    glob: ModelGlob,
    since: Timestamp,
    rates: Rates,
}

/// Nano-USD per million tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    input: i64,
    output: i64,
    cache_read: i64,
    cache_write: i64,
}

impl Overrides {
    pub(super) fn new(overrides: Vec<PriceOverride>) -> Result<Self, OverrideError> {
        let mut entries = overrides
            .into_iter()
            .map(Entry::new)
            .collect::<Result<Vec<_>, _>>()?;
        // The order of the configuration decides between two that say the same of the same day.
        entries.sort_by_key(Entry::rank);
        Ok(Self { entries })
    }

    /// The rates that hold at `at`: the pattern that says most wins, then the latest date.
    pub(super) fn find(&self, provider: &str, model: &str, at: Timestamp) -> Option<Rates> {
        let provider = provider.to_ascii_lowercase();
        let mut holding = self.entries.iter().rev();
        let found = holding.find(|e| e.provider == provider && e.since <= at && e.glob.matches(model))?;
        Some(found.rates)
    }

    /// Names without a star.
    pub(super) fn plain_names(&self, provider: &str) -> impl Iterator<Item = String> + use<'_> {
        let provider = provider.to_ascii_lowercase();
        let ours = self.entries.iter().filter(move |e| e.provider == provider);
        ours.filter_map(|e| e.glob.plain_name().map(str::to_owned))
    }

    /// Eight hex digits that stand for all of them; none if there is none.
    pub(super) fn digest(&self) -> Option<String> {
        if self.entries.is_empty() {
            return None;
        }
        let mut hash = Sha256::new();
        for entry in &self.entries {
            hash.update(entry.line());
        }
        let mut text = String::new();
        for byte in hash.finalize().iter().take(4) {
            // Writing to a `String` cannot fail.
            write!(text, "{byte:02x}").ok();
        }
        Some(text)
    }
}

impl Entry {
    fn new(stated: PriceOverride) -> Result<Self, OverrideError> {
        let input = stated.input_nano_usd_per_mtok;
        let rates = Rates {
            input,
            output: stated.output_nano_usd_per_mtok,
            cache_read: stated.cached_input_nano_usd_per_mtok.unwrap_or(input),
            cache_write: stated.cache_write_nano_usd_per_mtok.unwrap_or(input),
        };
        if stated.provider.trim().is_empty() || stated.model_glob.trim().is_empty() {
            return Err(OverrideError::Empty);
        }
        let least = input
            .min(rates.output)
            .min(rates.cache_read)
            .min(rates.cache_write);
        if least < 0 {
            return Err(OverrideError::Negative {
                provider: stated.provider,
                model_glob: stated.model_glob,
            });
        }
        Ok(Self {
            provider: stated.provider.trim().to_ascii_lowercase(),
            glob: ModelGlob::new(&stated.model_glob),
            since: stated.effective_from,
            rates,
        })
    }

    /// What the hash is made of.
    fn line(&self) -> String {
        let Rates {
            input,
            output,
            cache_read,
            cache_write,
        } = self.rates;
        let (provider, glob, since) = (&self.provider, self.glob.as_str(), self.since.as_micros());
        format!("{provider} {glob} {since} {input} {output} {cache_read} {cache_write}\n")
    }

    fn rank(&self) -> ((bool, usize), Timestamp) {
        (self.glob.weight(), self.since)
    }
}

impl Rates {
    /// What these tokens cost, half a nano-USD rounded up.
    pub(super) fn price(self, tokens: &TokenUsage) -> Result<NanoUsd, PriceError> {
        let plain = i128::from(tokens.input) - i128::from(tokens.cache_read) - i128::from(tokens.cache_write);
        if plain < 0 {
            return Err(PriceError::Usage {
                reason: "more cached tokens than tokens".to_owned(),
            });
        }
        let sum = plain * i128::from(self.input)
            + i128::from(tokens.cache_read) * i128::from(self.cache_read)
            + i128::from(tokens.cache_write) * i128::from(self.cache_write)
            + i128::from(tokens.output) * i128::from(self.output);
        per_token(sum)
    }

    /// What at most these tokens cost at most.
    pub(super) fn worst_case(
        self,
        input_tokens: i64,
        output_tokens: i64,
        facts: &WorstCaseFacts<'_>,
    ) -> Result<NanoUsd, PriceError> {
        let mut input = self.input.max(self.cache_read);
        if facts.cache_write {
            input = input.max(self.cache_write);
        }
        let sum = i128::from(input_tokens.max(0)) * i128::from(input)
            + i128::from(output_tokens.max(0)) * i128::from(self.output);
        per_token(sum)
    }
}

fn per_token(sum: i128) -> Result<NanoUsd, PriceError> {
    let nano = (sum + TOKENS_PER_MTOK / 2).div_euclid(TOKENS_PER_MTOK);
    i64::try_from(nano).map(NanoUsd).ok().ok_or(PriceError::Range)
}
