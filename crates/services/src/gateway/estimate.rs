//! What can a request use and cost at most?

use domain::estimate::{Bound, RequestFacts, bound};
use model::money::NanoUsd;
use model::run::Operation;
use model::time::Timestamp;
use workers::upstream::Upstream;

use super::GatewayError;
use super::facts::Parsed;
use crate::context::Context;
use crate::prices::{Floor, PriceError, WorstCaseFacts};

/// A million USD. Whoever lets one request cost more has mistyped a cap, and no counter is to hold such sums.
const COST_MAX: NanoUsd = NanoUsd(1_000_000 * NanoUsd::PER_USD);

/// The most that a request can cost.
pub(super) struct Estimate {
    pub(super) cost: NanoUsd,
    /// By which prices.
    pub(super) version: String,
}

/// The most tokens that the request can use.
pub(super) fn most(cx: &Context, parsed: &Parsed, upstream: &Upstream, at: Timestamp) -> Bound {
    let settings = &cx.gateway.settings;
    let (provider, model) = (upstream.provider(), parsed.model.as_str());
    let stated = settings.output_caps.find(provider, model);
    bound(&RequestFacts {
        // Nothing is longer than all that a model can have in view.
        model_output: stated.or_else(|| cx.prices.context_window(provider, model, at)),
        ..parsed.facts(settings.default_output_tokens)
    })
}

/// The most the request can cost; none if nobody knows.
pub(super) fn estimate(
    cx: &Context,
    parsed: &Parsed,
    bound: &Bound,
    upstream: &Upstream,
    floor: Option<&Floor>,
    at: Timestamp,
) -> Result<Option<Estimate>, GatewayError> {
    let by_table = |cost| Estimate {
        cost,
        version: cx.prices.version().to_owned(),
    };
    if parsed.operation == Operation::CountTokens {
        return Ok(Some(by_table(NanoUsd::ZERO)));
    }
    let facts = WorstCaseFacts {
        cache_write: parsed.cache_write,
        audio: parsed.audio,
        searches: parsed.searches,
        tier: parsed.tier.as_deref(),
    };
    let (input, output) = (bound.input_tokens, bound.output_tokens);
    let most = cx
        .prices
        .worst_case(upstream.provider(), &parsed.model, input, output, &facts, at);
    let estimate = match most {
        Ok(cost) => Some(by_table(cost)),
        Err(PriceError::Range) => Some(by_table(NanoUsd::MAX)),
        Err(PriceError::Unpriced { .. } | PriceError::Usage { .. }) => floor.map(|floor| {
            // If it is the tier that has no price, the call may still be served in the standard one.
            let facts = WorstCaseFacts { tier: None, ..facts };
            let prices = &cx.prices;
            let standard = prices.worst_case(upstream.provider(), &parsed.model, input, output, &facts, at);
            Estimate {
                cost: floor.cost(input, output).max(standard.unwrap_or_default()),
                version: floor.version().to_owned(),
            }
        }),
    };
    if estimate.as_ref().is_some_and(|estimate| estimate.cost > COST_MAX) {
        return Err(parsed.too_dear());
    }
    Ok(estimate)
}
