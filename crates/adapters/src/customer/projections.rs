//! What do the tables of the console show? Frozen: no field is added, left out or renamed.

use model::integrity::{Integrity, IntegrityStatus};
use model::limit::Limit;
use model::permille::Permille;
use model::time::Timestamp;
use model::window::WindowSpec;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::{Amount, Score};

/// A Limit in the table of Limits.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitRowView {
    /// Its id.
    #[schema(example = "LIM-01KB0000000000000000000000")]
    pub limit_id: String,
    /// What people call it.
    pub name: String,
    /// BUDGET, RATE or THRESHOLD.
    pub limit_category: &'static str,
    /// What it counts.
    pub limit_type: &'static str,
    /// GLOBAL, TENANT, PROJECT, AGENT or PROVIDER.
    pub scope: &'static str,
    /// BLOCK, WARN, REJECT, QUEUE, DEGRADE or ALERT.
    pub enforcement: &'static str,
    /// ACTIVE or DISABLED.
    pub status: &'static str,
    /// Limit Value: USD for money, otherwise a whole number.
    #[schema(value_type = f64, example = 50)]
    pub max_value: Amount,
    /// The length of the rolling window (RATE).
    pub window_seconds: Option<u32>,
    /// DAILY, WEEKLY, MONTHLY or NONE (BUDGET).
    pub reset_period: Option<&'static str>,
    /// VERIFIED, DEGRADED or FAILED: whether it is what was decided.
    pub integrity_status: &'static str,
    /// 0.0000 to 1.0000.
    #[schema(value_type = f64, example = 1.0)]
    pub integrity_score: Score,
    /// How often it was breached in the last 30 days.
    pub breach_count_30d: i64,
    /// When the last time, within them.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_breached_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl LimitRowView {
    /// The row of a limit; `recent` is how often it was breached in the window, and when the last time. A limit of
    /// which nothing is known has not been verified.
    pub fn of(limit: Limit, integrity: Option<Integrity>, recent: Option<(i64, Timestamp)>) -> Self {
        let (status, score) = integrity.map_or((IntegrityStatus::Failed, Permille::ZERO), |found| {
            (found.status, found.score)
        });
        let (reset_period, window_seconds) = match &limit.window {
            WindowSpec::Calendar { period, .. } => (Some(period.into()), None),
            WindowSpec::Rolling { seconds } => (None, Some(*seconds)),
            WindowSpec::PerRun => (None, None),
        };
        Self {
            limit_id: limit.id.to_string(),
            name: limit.name,
            limit_category: limit.category.as_str(),
            limit_type: limit.limit_type.as_str(),
            scope: limit.scope.as_str(),
            enforcement: limit.enforcement.as_str(),
            status: limit.status.as_str(),
            max_value: Amount::of(limit.limit_type, limit.max),
            window_seconds,
            reset_period,
            integrity_status: status.as_str(),
            integrity_score: Score(score),
            breach_count_30d: recent.map_or(0, |(count, _)| count),
            last_breached_at: recent.map(|(_, last)| last),
            created_at: limit.created_at,
        }
    }
}

/// A piece of the table of Limits.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitRowsView {
    /// Those that were breached last first, then the newest.
    pub items: Vec<LimitRowView>,
    /// How many rows fit in all.
    pub total: usize,
    /// Whether there are more behind these.
    pub has_more: bool,
}
