//! What does a model cost that has no price?
//!
//! Nothing is assumed: either the tenant has stated a floor, or the configuration has one for everybody, or such a
//! model has no cost and is refused under a money limit.

use model::money::NanoUsd;

use super::PriceBook;

const TOKENS_PER_MTOK: i128 = 1_000_000;

/// What the configuration says that a model without a price costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloorPrice {
    /// One million tokens sent.
    pub input_per_mtok: NanoUsd,
    /// One million tokens made.
    pub output_per_mtok: NanoUsd,
}

/// The floor that holds for the calls of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// Nano-USD per million tokens. A tenant states its floor per token, so a million of them can pass 64 bits.
    input: i128,
    output: i128,
    version: String,
}

impl PriceBook {
    /// The same book with a floor for everybody who has not stated one.
    #[must_use]
    pub fn with_floor(self, floor: Option<FloorPrice>) -> Self {
        Self { floor, ..self }
    }

    /// What a model without a price costs: as the tenant has stated per token, else as the configuration says.
    pub fn floor(&self, tenant: Option<NanoUsd>) -> Option<Floor> {
        if let Some(per_token) = tenant {
            let rate = i128::from(per_token.0) * TOKENS_PER_MTOK;
            return Some(Floor {
                input: rate,
                output: rate,
                version: format!("floor/tenant:{}", per_token.0),
            });
        }
        let FloorPrice {
            input_per_mtok,
            output_per_mtok,
        } = self.floor?;
        let (input, output) = (input_per_mtok.to_usd_string(), output_per_mtok.to_usd_string());
        Some(Floor {
            input: input_per_mtok.0.into(),
            output: output_per_mtok.0.into(),
            version: format!("floor/configured:{input}/{output}"),
        })
    }
}

impl Floor {
    /// What these tokens cost, half a nano-USD rounded up. More tokens never cost less, so that the cost of the
    /// most tokens is the most; what is beyond all sums is the largest one.
    pub fn cost(&self, input_tokens: i64, output_tokens: i64) -> NanoUsd {
        let of = |rate: i128, tokens: i64| rate.saturating_mul(tokens.max(0).into());
        let sum = of(self.input, input_tokens).saturating_add(of(self.output, output_tokens));
        let nano = sum
            .saturating_add(TOKENS_PER_MTOK / 2)
            .div_euclid(TOKENS_PER_MTOK);
        NanoUsd(i64::try_from(nano).unwrap_or(i64::MAX))
    }

    /// What a cost record names as its source: whose floor it is, and what it was.
    pub fn version(&self) -> &str {
        &self.version
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::book;
    use super::*;

    const CONFIGURED: FloorPrice = FloorPrice {
        input_per_mtok: NanoUsd(5 * NanoUsd::PER_USD),
        output_per_mtok: NanoUsd(15 * NanoUsd::PER_USD),
    };

    #[test]
    fn the_tenants_floor_wins_over_the_configured_one_and_without_any_there_is_none() {
        let plain = book();
        assert_eq!(plain.floor(None), None);
        let stated = plain.floor(Some(NanoUsd(500))).unwrap();
        assert_eq!(stated.version(), "floor/tenant:500");
        assert_eq!(stated.cost(3, 4), NanoUsd(3_500));

        let book = book().with_floor(Some(CONFIGURED));
        assert_eq!(book.floor(Some(NanoUsd(500))), Some(stated));
        let configured = book.floor(None).unwrap();
        assert_eq!(configured.version(), "floor/configured:5/15");
        assert_eq!(configured.cost(3, 4), NanoUsd(75_000));
    }

    #[test]
    fn a_floor_of_zero_is_a_price_and_an_absurd_one_saturates() {
        assert_eq!(book().floor(Some(NanoUsd(0))).unwrap().cost(9, 9), NanoUsd(0));
        let absurd = book().floor(Some(NanoUsd::MAX)).unwrap();
        assert_eq!(absurd.cost(i64::MAX, i64::MAX), NanoUsd::MAX);
        assert_eq!(absurd.cost(-1, 0), NanoUsd(0));
    }
}
