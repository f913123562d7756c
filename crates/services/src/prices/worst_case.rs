//! What does a call cost at most?
//!
//! Within one call the price is a sum: tokens of each class times the rate of that class. With the total of a
//! direction fixed, no mixture of classes costs more than all of it in the dearest class. Rates that depend
//! on the size of the prompt grow with it (a test holds the whole table to that), so that the largest prompt
//! is the dearest. So it is enough to price a few calls in which everything is of one class.

#[cfg(test)]
mod tests;

use genai_prices::{Usage, UsageKey};
use model::money::NanoUsd;
use model::time::Timestamp;

use super::{Call, PriceBook, PriceError, rounding};

/// What is known about a call before it is made. Where it is not known whether something will happen, say
/// that it will.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorstCaseFacts<'a> {
    /// Whether tokens may be written to the provider's cache: the request has cache marks, or the provider
    /// writes by itself.
    pub cache_write: bool,
    /// Whether audio is sent or asked for.
    pub audio: bool,
    /// How many web searches the provider may make (and charge) on its own.
    pub searches: i64,
    /// The tier that was asked for. `auto` counts as the dearest there is; none is the standard one. A dearer one
    /// that the table has no price for is unpriced.
    pub tier: Option<&'a str>,
}

/// The tiers that the table knows besides the standard one.
const TIERS: [&str; 3] = ["flex", "priority", "fast"];

/// Tiers that cost as much as the standard one, or less. In any other a call may cost more.
const NOT_DEARER: [&str; 8] = [
    "auto",
    "batch",
    "default",
    "flex",
    "on_demand",
    "scale",
    "standard",
    "standard_only",
];

/// The classes of a direction: the keys that are set to the total.
type Class = &'static [UsageKey];

const INPUT: [Class; 2] = [&[], &[UsageKey::CACHE_READ_TOKENS]];
const INPUT_CACHE_WRITE: [Class; 3] = [
    &[UsageKey::CACHE_WRITE_TOKENS],
    &[UsageKey::CACHE_WRITE_TOKENS, UsageKey::CACHE_WRITE_5M_TOKENS],
    &[UsageKey::CACHE_WRITE_TOKENS, UsageKey::CACHE_WRITE_1H_TOKENS],
];
const INPUT_AUDIO: [Class; 1] = [&[UsageKey::INPUT_AUDIO_TOKENS]];
const OUTPUT: [Class; 3] = [
    &[],
    &[UsageKey::OUTPUT_REASONING_TOKENS],
    &[UsageKey::OUTPUT_CITATION_TOKENS],
];
const OUTPUT_AUDIO: [Class; 1] = [&[UsageKey::OUTPUT_AUDIO_TOKENS]];

impl PriceBook {
    /// The most that a call can cost at `at` that uses at most these tokens: [`PriceBook::price`] of what it
    /// uses then is never more, as long as the facts hold and it is priced at the same instant.
    pub fn worst_case(
        &self,
        provider: &str,
        model: &str,
        input_tokens: i64,
        output_tokens: i64,
        facts: &WorstCaseFacts<'_>,
        at: Timestamp,
    ) -> Result<NanoUsd, PriceError> {
        if let Some(rates) = self.overrides.find(provider, model, at) {
            return rates.worst_case(input_tokens, output_tokens, facts);
        }
        let standard = Call {
            provider,
            model,
            tier: None,
            at,
        };
        self.must_be_priced(&standard, input_tokens, output_tokens)?;
        let mut dearest = self.dearest(&standard, input_tokens, output_tokens, facts)?;
        // A call may be served in a cheaper or a dearer tier than it asked for; the standard one is always possible.
        let asked: &[&str] = match &facts.tier {
            Some("auto") => &TIERS,
            Some(tier) => std::slice::from_ref(tier),
            None => &[],
        };
        for tier in asked {
            let call = Call {
                tier: Some(tier),
                ..standard
            };
            if facts.tier != Some("auto") {
                self.tier_must_be_priced(&call)?;
            }
            dearest = dearest.max(self.dearest(&call, input_tokens, output_tokens, facts)?);
        }
        rounding::up(dearest).ok_or(PriceError::Range)
    }

    /// A tier that the table does not know is priced as the standard one there, which may be too little.
    pub(super) fn tier_must_be_priced(&self, call: &Call<'_>) -> Result<(), PriceError> {
        let Some(tier) = call.tier.filter(|tier| !NOT_DEARER.contains(tier)) else {
            return Ok(());
        };
        let standard = Call { tier: None, ..*call };
        let differs = [UsageKey::INPUT_TOKENS, UsageKey::OUTPUT_TOKENS]
            .into_iter()
            .any(|key| {
                let usage = Usage::from([(key, 1_000_000.0)]);
                let price =
                    |call: &Call<'_>| self.calculate(call, &usage).ok().map(|price| price.total_price);
                price(call) != price(&standard)
            });
        if differs {
            return Ok(());
        }
        tracing::debug!(tier, model = call.model, "no price is known for this tier");
        Err(call.unpriced())
    }

    /// The dearest class of each direction, in dollars.
    fn dearest(
        &self,
        call: &Call<'_>,
        input: i64,
        output: i64,
        facts: &WorstCaseFacts<'_>,
    ) -> Result<f64, PriceError> {
        let cache_write = INPUT_CACHE_WRITE.iter().filter(|_| facts.cache_write);
        let audio = INPUT_AUDIO.iter().filter(|_| facts.audio);
        let mut inputs = INPUT.iter().chain(cache_write).chain(audio);
        let mut outputs = OUTPUT.iter().chain(OUTPUT_AUDIO.iter().filter(|_| facts.audio));

        let (mut most_input, mut most_output, mut most_other) = (0.0_f64, 0.0_f64, 0.0_f64);
        loop {
            // One calculation prices one class of each direction.
            let (of_input, of_output) = (inputs.next(), outputs.next());
            if of_input.is_none() && of_output.is_none() {
                return Ok(most_input + most_output + most_other);
            }
            let mut usage = Usage::new();
            fill(&mut usage, UsageKey::INPUT_TOKENS, of_input, input);
            fill(&mut usage, UsageKey::OUTPUT_TOKENS, of_output, output);
            usage.insert(UsageKey::WEB_SEARCHES, rounding::float(facts.searches));
            let price = self.calculate(call, &usage)?;
            most_input = most_input.max(price.input_price);
            most_output = most_output.max(price.output_price);
            most_other = most_other.max(price.total_price - price.input_price - price.output_price);
        }
    }
}

fn fill(usage: &mut Usage, total: UsageKey, class: Option<&Class>, count: i64) {
    let count = rounding::float(count);
    usage.insert(total, count);
    for key in class.copied().unwrap_or_default() {
        usage.insert(key.clone(), count);
    }
}
