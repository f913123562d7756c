//! How are costs shown?

use model::money::NanoUsd;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::Usd;

/// The sum of one group.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostGroupView {
    /// The group: a date of UTC, a model, a key, an agent or a feature; null where none was given.
    pub key: Option<String>,
    /// USD.
    #[schema(value_type = f64)]
    pub cost_usd: Usd,
    /// Exact nano-USD.
    pub cost_nano_usd: String,
    /// Whole cents, rounded half up.
    pub cost_cents: i64,
    /// Tokens sent.
    pub input_tokens: i64,
    /// Tokens made.
    pub output_tokens: i64,
    /// Cost records.
    pub requests: i64,
}

impl CostGroupView {
    /// The view of a sum.
    pub fn of(
        key: Option<String>,
        cost: NanoUsd,
        input_tokens: i64,
        output_tokens: i64,
        requests: i64,
    ) -> Self {
        Self {
            key,
            cost_usd: Usd(cost),
            cost_nano_usd: cost.0.to_string(),
            cost_cents: cost.to_cents_half_up(),
            input_tokens,
            output_tokens,
            requests,
        }
    }
}

/// What was spent in a range of time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostsView {
    /// First instant.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// First instant that is no longer part of it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// `none`, `day`, `model`, `api_key`, `agent` or `feature`.
    pub group_by: &'static str,
    /// USD over all groups.
    #[schema(value_type = f64, example = 55)]
    pub total_cost_usd: Usd,
    /// Exact nano-USD over all groups.
    pub total_cost_nano_usd: String,
    /// Whole cents over all groups, rounded half up.
    pub total_cost_cents: i64,
    /// Cost records over all groups.
    pub total_requests: i64,
    /// Days in order; other groups by cost, the dearest first.
    pub groups: Vec<CostGroupView>,
}

impl CostsView {
    /// Adds the groups up.
    pub fn of(from: Timestamp, to: Timestamp, group_by: &'static str, groups: Vec<CostGroupView>) -> Self {
        let nano = groups
            .iter()
            .map(|group| group.cost_usd.0.0)
            .fold(0, i64::saturating_add);
        let total = NanoUsd(nano);
        Self {
            from,
            to,
            group_by,
            total_cost_usd: Usd(total),
            total_cost_nano_usd: nano.to_string(),
            total_cost_cents: total.to_cents_half_up(),
            total_requests: groups
                .iter()
                .map(|group| group.requests)
                .fold(0, i64::saturating_add),
            groups,
        }
    }
}
