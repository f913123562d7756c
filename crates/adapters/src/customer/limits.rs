//! How is a Limit shown?

mod handling;

use model::id::TenantId;
use model::limit::{Limit, LimitScope, LimitStatus};
use model::time::Timestamp;
use model::window::{ResetPeriod, WindowSpec};
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::{Amount, percent_of};
use crate::problem::FieldProblem;

pub use self::handling::{ExceededView, HandlingView};

/// Which requests of its scope a Limit is about; all of them where nothing is said.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QualifiersView {
    /// Only requests made with this key.
    pub api_key_id: Option<String>,
    /// Only requests for this model.
    pub model: Option<String>,
    /// Only requests for this feature of the product.
    pub feature: Option<String>,
    /// Only requests for this user of the customer's.
    pub end_user: Option<String>,
}

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
    /// Which requests of the scope it is about.
    #[serde(flatten)]
    pub only: QualifiersView,
    /// Limit Value: USD for money, otherwise a whole number.
    #[schema(value_type = f64, example = 50)]
    pub max_value: Amount,
    /// The exact Limit Value in nano-USD, for money.
    pub max_value_nano_usd: Option<String>,
    /// DAILY, WEEKLY, MONTHLY or NONE (BUDGET).
    pub reset_period: Option<&'static str>,
    /// The IANA zone whose midnight resets it (BUDGET).
    pub time_zone: Option<String>,
    /// The day on which a week begins (WEEKLY).
    pub week_start: Option<&'static str>,
    /// The length of the rolling window (RATE).
    pub window_seconds: Option<u32>,
    /// BLOCK, WARN, REJECT, QUEUE, DEGRADE or ALERT.
    pub enforcement: &'static str,
    /// How that is done.
    #[serde(flatten)]
    pub handling: HandlingView,
    /// ACTIVE or DISABLED.
    pub status: &'static str,
    /// Whether LLM Runs are judged by it: it is ACTIVE.
    pub in_force: bool,
    /// What was measured when it was passed, for as long as it is (`ERROR_RATE_PCT`).
    pub exceeded: Option<ExceededView>,
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
            feature,
            end_user,
            max,
            window,
            enforcement,
            handling,
            status,
            raise: _,
            overrun,
            created_at,
            updated_at,
        } = limit;
        let max_value = Amount::of(limit_type, max);
        let (reset_period, week_start, window_seconds) = match &window {
            WindowSpec::Calendar {
                period, week_start, ..
            } => {
                let week_start = (*period == ResetPeriod::Weekly).then(|| week_start.as_str());
                (Some(period.into()), week_start, None)
            }
            WindowSpec::Rolling { seconds } => (None, None, Some(*seconds)),
            WindowSpec::PerRun => (None, None, None),
        };
        Self {
            limit_id: id.to_string(),
            name,
            description,
            limit_category: category.as_str(),
            limit_type: limit_type.as_str(),
            scope: scope.as_str(),
            scope_id,
            only: QualifiersView {
                api_key_id: api_key_id.map(|id| id.to_string()),
                model,
                feature,
                end_user,
            },
            max_value,
            max_value_nano_usd: max_value.nano_usd(),
            reset_period,
            time_zone: window.zone_name(),
            week_start,
            window_seconds,
            enforcement: enforcement.as_str(),
            handling: handling.into(),
            status: status.as_str(),
            in_force: status == LimitStatus::Active,
            exceeded: overrun.map(Into::into),
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
    /// A page; there are more if there is a cursor for what follows.
    pub fn of(limits: Vec<Limit>, next_cursor: Option<String>) -> Self {
        Self {
            items: limits.into_iter().map(Into::into).collect(),
            has_more: next_cursor.is_some(),
            next_cursor,
        }
    }
}

/// A Limit that was made or changed just now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WrittenLimitView {
    /// The Limit.
    #[serde(flatten)]
    pub limit: LimitView,
    /// Whether more is used and held than the Limit Value: open holds stay valid, and nothing new passes until it is
    /// less.
    pub already_exceeded: bool,
    /// What may be a mistake, such as a provider that is not configured.
    pub warnings: Vec<FieldProblem>,
}

impl WrittenLimitView {
    /// The view of a limit that was written; `unknown_scope` if nobody knows what it is for.
    pub fn of(limit: Limit, already_exceeded: bool, unknown_scope: bool) -> Self {
        let detail = match limit.scope {
            LimitScope::Project => "no project is called so (POST /api/v1/projects)",
            LimitScope::Agent => "no agent is called so (POST /api/v1/agents)",
            LimitScope::Provider => "no configured provider is called so; checks may name it all the same",
            LimitScope::Global | LimitScope::Tenant => "nothing is called so",
        };
        let warning = FieldProblem {
            pointer: "/scope_id".to_owned(),
            detail: detail.to_owned(),
            ..FieldProblem::default()
        };
        Self {
            limit: limit.into(),
            already_exceeded,
            warnings: unknown_scope.then_some(warning).into_iter().collect(),
        }
    }
}

/// What is used of a limit, in its unit.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// The most now.
    pub max: i64,
    /// Used for good.
    pub settled: i64,
    /// Set aside by open holds.
    pub held: i64,
    /// When the counter starts again (calendar windows).
    pub resets_at: Option<Timestamp>,
}

/// What is used of a Limit now. A GLOBAL Limit of the installation is used by all tenants together: tenants see what
/// it is and when it resets, and null for its Limit Value, its description and what is used of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitUsageView {
    /// Its id.
    pub limit_id: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// BUDGET, RATE or THRESHOLD.
    pub limit_category: &'static str,
    /// What it counts.
    pub limit_type: &'static str,
    /// GLOBAL, TENANT, PROJECT, AGENT or PROVIDER.
    pub scope: &'static str,
    /// Which project, agent or provider.
    pub scope_id: Option<String>,
    /// Which requests of the scope it is about.
    #[serde(flatten)]
    pub only: QualifiersView,
    /// Limit Value: USD for money, otherwise a whole number.
    #[schema(value_type = Option<f64>)]
    pub max_value: Option<Amount>,
    /// The exact Limit Value in nano-USD, for money.
    pub max_value_nano_usd: Option<String>,
    /// The most now: more than the Limit Value while an override has raised it.
    #[schema(value_type = Option<f64>)]
    pub effective_max_value: Option<Amount>,
    /// DAILY, WEEKLY, MONTHLY or NONE (BUDGET).
    pub reset_period: Option<&'static str>,
    /// The IANA zone whose midnight resets it (BUDGET).
    pub time_zone: Option<String>,
    /// The day on which a week begins (WEEKLY).
    pub week_start: Option<&'static str>,
    /// The length of the rolling window (RATE).
    pub window_seconds: Option<u32>,
    /// BLOCK, WARN, REJECT, QUEUE, DEGRADE or ALERT.
    pub enforcement: &'static str,
    /// How that is done.
    #[serde(flatten)]
    pub handling: HandlingView,
    /// ACTIVE or DISABLED.
    pub status: &'static str,
    /// Whether LLM Runs are judged by it: it is ACTIVE.
    pub in_force: bool,
    /// What was measured when it was passed, for as long as it is (`ERROR_RATE_PCT`).
    pub exceeded: Option<ExceededView>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Used for good.
    #[schema(value_type = Option<f64>)]
    pub spent: Option<Amount>,
    /// Set aside by open holds.
    #[schema(value_type = Option<f64>)]
    pub held: Option<Amount>,
    /// What is left.
    #[schema(value_type = Option<f64>)]
    pub remaining: Option<Amount>,
    /// The exact amounts in nano-USD, for money.
    pub spent_nano_usd: Option<String>,
    /// The exact amounts in nano-USD, for money.
    pub held_nano_usd: Option<String>,
    /// `spent` and `held` together in whole percent of the Limit Value, rounded down.
    pub utilization_pct: Option<i64>,
    /// When the counter starts again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resets_at: Option<Timestamp>,
}

impl LimitUsageView {
    /// What a tenant sees: everything of its own limits, and of the platform's what does not tell of other tenants.
    pub fn for_tenant(limit: Limit, used: Used) -> Self {
        let own = limit.tenant != TenantId::PLATFORM;
        let all = Self::for_operator(limit, used);
        if own {
            return all;
        }
        Self {
            description: None,
            max_value: None,
            max_value_nano_usd: None,
            effective_max_value: None,
            spent: None,
            held: None,
            remaining: None,
            spent_nano_usd: None,
            held_nano_usd: None,
            utilization_pct: None,
            ..all
        }
    }

    /// Everything.
    pub fn for_operator(limit: Limit, used: Used) -> Self {
        let Used {
            max,
            settled,
            held,
            resets_at,
        } = used;
        let amount = |value| Amount::of(limit.limit_type, value);
        let used = settled.saturating_add(held);
        let (spent, held, effective_max) = (amount(settled), amount(held), amount(max));
        let remaining = amount(max.saturating_sub(used).max(0));
        let utilization_pct = percent_of(used, max);
        let LimitView {
            limit_id,
            name,
            description,
            limit_category,
            limit_type,
            scope,
            scope_id,
            only,
            max_value,
            max_value_nano_usd,
            reset_period,
            time_zone,
            week_start,
            window_seconds,
            enforcement,
            handling,
            status,
            in_force,
            exceeded,
            created_at,
            updated_at,
        } = limit.into();
        Self {
            limit_id,
            name,
            description,
            limit_category,
            limit_type,
            scope,
            scope_id,
            only,
            max_value: Some(max_value),
            max_value_nano_usd,
            effective_max_value: Some(effective_max),
            reset_period,
            time_zone,
            week_start,
            window_seconds,
            enforcement,
            handling,
            status,
            in_force,
            exceeded,
            created_at,
            updated_at,
            spent: Some(spent),
            held: Some(held),
            remaining: Some(remaining),
            spent_nano_usd: spent.nano_usd(),
            held_nano_usd: held.nano_usd(),
            utilization_pct: Some(utilization_pct),
            resets_at,
        }
    }
}

/// What is used of all Limits now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitUsageListView {
    /// GLOBAL ones first, then the tenant's own, oldest first.
    pub items: Vec<LimitUsageView>,
}
