//! How is a Limit shown?

use model::limit::Limit;
use model::time::Timestamp;
use model::window::WindowSpec;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::Amount;

/// A Limit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitView {
    /// Its id.
    #[schema(example = "LIM-01KB0000000000000000000000")]
    pub limit_id: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// BUDGET, RATE or THRESHOLD.
    pub limit_category: &'static str,
    /// What it counts.
    #[schema(example = "COST_USD")]
    pub limit_type: &'static str,
    /// GLOBAL, TENANT, PROJECT, AGENT or PROVIDER.
    pub scope: &'static str,
    /// Which project, agent or provider.
    pub scope_id: Option<String>,
    /// Only requests made with this key.
    pub api_key_id: Option<String>,
    /// Only requests for this model.
    pub model: Option<String>,
    /// Limit Value: USD for money, otherwise a whole number.
    #[schema(value_type = f64, example = 50)]
    pub max_value: Amount,
    /// The exact Limit Value in nano-USD, for money.
    pub max_value_nano_usd: Option<String>,
    /// DAILY, WEEKLY, MONTHLY or NONE (BUDGET).
    pub reset_period: Option<&'static str>,
    /// The IANA zone whose midnight resets it (BUDGET).
    pub time_zone: Option<String>,
    /// The length of the rolling window (RATE).
    pub window_seconds: Option<u32>,
    /// BLOCK, WARN, REJECT, QUEUE, DEGRADE or ALERT.
    pub enforcement: &'static str,
    /// ACTIVE or DISABLED.
    pub status: &'static str,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<Limit> for LimitView {
    fn from(limit: Limit) -> Self {
        let Limit {
            id,
            tenant: _,
            name,
            description,
            category,
            limit_type,
            scope,
            scope_id,
            api_key_id,
            model,
            max,
            window,
            enforcement,
            status,
            created_at,
            updated_at,
        } = limit;
        let max_value = Amount::of(limit_type, max);
        let (reset_period, window_seconds) = match &window {
            WindowSpec::Calendar { period, .. } => (Some(period.into()), None),
            WindowSpec::Rolling { seconds } => (None, Some(*seconds)),
            WindowSpec::PerRun => (None, None),
        };
        Self {
            limit_id: id.to_string(),
            name,
            description,
            limit_category: category.as_str(),
            limit_type: limit_type.as_str(),
            scope: scope.as_str(),
            scope_id,
            api_key_id: api_key_id.map(|id| id.to_string()),
            model,
            max_value,
            max_value_nano_usd: max_value.nano_usd(),
            reset_period,
            time_zone: window.zone_name(),
            window_seconds,
            enforcement: enforcement.as_str(),
            status: status.as_str(),
            created_at,
            updated_at,
        }
    }
}

/// A piece of the list of Limits.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitPageView {
    /// Newest first.
    pub items: Vec<LimitView>,
    /// Whether there are more.
    pub has_more: bool,
    /// What to send as `cursor` for the next piece.
    pub next_cursor: Option<String>,
}

impl LimitPageView {
    /// A page; the cursor is the id of its last item.
    pub fn of(limits: Vec<Limit>, has_more: bool) -> Self {
        let items: Vec<LimitView> = limits.into_iter().map(Into::into).collect();
        let next_cursor = items
            .last()
            .filter(|_| has_more)
            .map(|last| last.limit_id.clone());
        Self {
            items,
            has_more,
            next_cursor,
        }
    }
}

/// What is used of a Limit now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitUsageView {
    /// The Limit.
    #[serde(flatten)]
    pub limit: LimitView,
    /// Used for good.
    #[schema(value_type = f64)]
    pub spent: Amount,
    /// Set aside by open holds.
    #[schema(value_type = f64)]
    pub held: Amount,
    /// What is left.
    #[schema(value_type = f64)]
    pub remaining: Amount,
    /// The exact amounts in nano-USD, for money.
    pub spent_nano_usd: Option<String>,
    /// The exact amounts in nano-USD, for money.
    pub held_nano_usd: Option<String>,
    /// `spent` and `held` together in whole percent of the Limit Value, rounded down.
    pub utilization_pct: i64,
    /// When the counter starts again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resets_at: Option<Timestamp>,
}

impl LimitUsageView {
    /// The usage of a limit: `settled` and `held` in its unit.
    pub fn of(limit: Limit, settled: i64, held: i64, resets_at: Option<Timestamp>) -> Self {
        let amount = |value| Amount::of(limit.limit_type, value);
        let used = settled.saturating_add(held);
        let (spent, held) = (amount(settled), amount(held));
        Self {
            spent,
            held,
            remaining: amount(limit.max.saturating_sub(used).max(0)),
            spent_nano_usd: spent.nano_usd(),
            held_nano_usd: held.nano_usd(),
            utilization_pct: used.saturating_mul(100).checked_div(limit.max).unwrap_or(0),
            resets_at,
            limit: limit.into(),
        }
    }
}

/// What is used of all Limits now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitUsageListView {
    /// GLOBAL ones first, then the tenant's own, oldest first.
    pub items: Vec<LimitUsageView>,
}
