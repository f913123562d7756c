//! What does a call cost: at most, before it is made, and exactly, after it was made?
//!
//! Prices come from the `genai-prices` table that is built in, and from dated overrides in the configuration.
//! A price that is not known is an error, never zero. The clock is never asked: a call is priced at the
//! instant it was authorised, before and after, so that a price that changes in between changes nothing.
//!
//! There is no cache: finding a model in the table and pricing it takes 1 to 6 microseconds.

mod floor;
mod meter;
mod overrides;
mod rounding;
#[cfg(test)]
mod tests;
mod worst_case;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use genai_prices::{Calculator, ErrorKind, PriceCalculation, PriceRequest, Usage, UsageKey};
use model::money::NanoUsd;
use model::time::Timestamp;

use self::overrides::Overrides;

pub use self::floor::{Floor, FloorPrice};
pub use self::meter::{MeterError, Metered};
pub use self::overrides::{OverrideError, PriceOverride};
pub use self::worst_case::WorstCaseFacts;

/// The release of the built-in table; a test holds it to `Cargo.lock`.
const TABLE: &str = "genai-prices/0.2.1";

/// All prices there are.
#[derive(Debug)]
pub struct PriceBook {
    table: &'static Calculator,
    overrides: Overrides,
    floor: Option<FloorPrice>,
    version: String,
}

/// Why there is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Nobody knows what this model costs.
    #[error("no price is known for the model `{model}` of `{provider}`")]
    Unpriced {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
    },
    /// The counts contradict each other: more cached tokens than tokens, say. [`PriceBook::worst_case`] of
    /// the totals is an upper bound even then.
    #[error("the usage cannot be priced: {reason}")]
    Usage {
        /// What contradicts what.
        reason: String,
    },
    /// More than 9.2 billion USD.
    #[error("the price is too large")]
    Range,
}

impl PriceError {
    /// A stable word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unpriced { .. } => "unpriced_model",
            Self::Usage { .. } => "invalid_usage",
            Self::Range => "price_range",
        }
    }
}

impl PriceBook {
    /// Reads the built-in table (about 20 ms, once per process) and checks the overrides.
    pub fn new(overrides: Vec<PriceOverride>) -> Result<Self, OverrideError> {
        let overrides = Overrides::new(overrides)?;
        let version = match overrides.digest() {
            Some(digest) => format!("{TABLE}+overrides:{digest}"),
            None => TABLE.to_owned(),
        };
        Ok(Self {
            table: Calculator::bundled(),
            overrides,
            floor: None,
            version,
        })
    }

    /// What a cost record names as its source: the release of the table, and a hash of the overrides. What was
    /// priced at a floor names [`Floor::version`] instead.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What this usage costs at `at`, in `tier` if the provider said one.
    ///
    /// [`PriceError::Unpriced`] if the model is not in the table, or if the table has no price for tokens of
    /// a direction that was used, or for a tier that may be dearer than the standard one.
    pub fn price(
        &self,
        provider: &str,
        model: &str,
        metered: &Metered,
        tier: Option<&str>,
        at: Timestamp,
    ) -> Result<NanoUsd, PriceError> {
        if let Some(rates) = self.overrides.find(provider, model, at) {
            return rates.price(&metered.tokens);
        }
        let call = Call {
            provider,
            model,
            tier,
            at,
        };
        let price = self.calculate(&call, &metered.usage)?;
        self.tier_must_be_priced(&call)?;
        self.must_be_priced(&call, metered.tokens.input, metered.tokens.output)?;
        rounding::nearest(price.total_price).ok_or(PriceError::Range)
    }

    /// The models that have a price, by name: those of the table, and those that overrides name in full.
    pub fn models(&self, provider: &str) -> Vec<String> {
        let found = self.table.find_provider(Some(provider), None).ok().flatten();
        let table = found
            .into_iter()
            .flat_map(|p| p.models().map(|m| m.id().to_owned()));
        let mut models: Vec<String> = table.chain(self.overrides.plain_names(provider)).collect();
        models.sort_unstable();
        models.dedup();
        models
    }

    /// How many tokens the model can have in view, its answer among them; none if the table does not say.
    pub fn context_window(&self, provider: &str, model: &str, at: Timestamp) -> Option<i64> {
        let call = Call {
            provider,
            model,
            tier: None,
            at,
        };
        let found = self.table.calculate(&call.request(&Usage::new())).ok()?;
        let provider = self
            .table
            .find_provider(Some(&found.provider_id), None)
            .ok()
            .flatten()?;
        let model = provider.models().find(|model| model.id() == found.model_id)?;
        model
            .context_window()
            .and_then(|tokens| i64::try_from(tokens).ok())
            .filter(|tokens| *tokens > 0)
    }

    fn calculate(&self, call: &Call<'_>, usage: &Usage) -> Result<PriceCalculation, PriceError> {
        self.table
            .calculate(&call.request(usage))
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidUsage => PriceError::Usage {
                    reason: error.to_string(),
                },
                // What cannot be found, or not be read, has no price.
                _ => call.unpriced(),
            })
    }

    /// The table counts what it has no price for as free. Whether it has one shows when the total is kept
    /// from it and only a part is stated: it asks for the total of whatever it prices.
    ///
    /// It writes "free" and "unknown" alike, as nothing. Only where the provider says so in the model's name
    /// is it taken for free; elsewhere the operator may state a price of zero.
    fn must_be_priced(&self, call: &Call<'_>, input: i64, output: i64) -> Result<(), PriceError> {
        if call.model.ends_with(":free") {
            return Ok(());
        }
        for (count, part) in [
            (input, UsageKey::CACHE_READ_TOKENS),
            (output, UsageKey::OUTPUT_REASONING_TOKENS),
        ] {
            let part = Usage::from([(part, rounding::float(1))]);
            if count > 0 && self.table.calculate(&call.request(&part)).is_ok() {
                return Err(call.unpriced());
            }
        }
        Ok(())
    }
}

/// What a price depends on besides the usage.
#[derive(Debug, Clone, Copy)]
struct Call<'a> {
    provider: &'a str,
    model: &'a str,
    tier: Option<&'a str>,
    at: Timestamp,
}

impl<'a> Call<'a> {
    fn request(&self, usage: &'a Usage) -> PriceRequest<'a> {
        let request = PriceRequest::new(self.model, usage)
            .with_provider_id(self.provider)
            .with_timestamp(system_time(self.at));
        match self.tier {
            Some(tier) => request.with_price_context("service_tier", tier),
            None => request,
        }
    }

    fn unpriced(&self) -> PriceError {
        PriceError::Unpriced {
            provider: self.provider.to_owned(),
            model: self.model.to_owned(),
        }
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    let distance = Duration::from_micros(at.as_micros().unsigned_abs());
    let time = if at.as_micros() < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}
