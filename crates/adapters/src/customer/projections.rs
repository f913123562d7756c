//! What do the tables of the console show? Frozen: no field is added, left out or renamed.

use model::incident::{Incident, IncidentLifecycle};
use model::integrity::{Integrity, IntegrityStatus};
use model::limit::Limit;
use model::permille::Permille;
use model::policy::Rule;
use model::time::Timestamp;
use model::window::WindowSpec;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::{Amount, Score, Thousandths};

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

/// What is not known has not been verified.
fn verdict(integrity: Option<Integrity>) -> (IntegrityStatus, Permille) {
    integrity.map_or((IntegrityStatus::Failed, Permille::ZERO), |found| {
        (found.status, found.score)
    })
}

impl LimitRowView {
    /// The row of a limit; `recent` is how often it was breached in the window, and when the last time.
    pub fn of(limit: Limit, integrity: Option<Integrity>, recent: Option<(i64, Timestamp)>) -> Self {
        let (status, score) = verdict(integrity);
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

/// A Policy Rule in the table of Policy Rules.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleRowView {
    /// Its id.
    #[schema(example = "PR-01KB0000000000000000000000")]
    pub rule_id: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// CONDITION, `PII_FILTER`, `SAFETY_BASIC`, `CONTENT_ACCURACY` or `PROMPT_INJECTION`: what it judges by.
    pub rule_type: &'static str,
    /// GLOBAL, TENANT, PROJECT or AGENT.
    pub scope: &'static str,
    /// BLOCK, WARN, LOG or `DRY_RUN`.
    pub enforcement_mode: &'static str,
    /// ACTIVE or RETIRED.
    pub status: &'static str,
    /// VERIFIED, DEGRADED or FAILED: whether it is what was decided.
    pub integrity_status: &'static str,
    /// 0.000 to 1.000.
    #[schema(value_type = f64, example = 1.0)]
    pub integrity_score: Thousandths,
    /// How often it was triggered in the last 30 days.
    pub trigger_count_30d: i64,
    /// When the last time, within them.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_triggered_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl RuleRowView {
    /// The row of a rule; `recent` is how often it was triggered in the window, and when the last time.
    pub fn of(rule: Rule, integrity: Option<Integrity>, recent: Option<(i64, Timestamp)>) -> Self {
        let (status, score) = verdict(integrity);
        let said = rule.definition;
        Self {
            rule_id: rule.id.to_string(),
            name: said.name,
            description: said.description,
            rule_type: said.rule_type.as_str(),
            scope: said.scope.as_str(),
            enforcement_mode: said.mode.as_str(),
            status: rule.status.as_str(),
            integrity_status: status.as_str(),
            integrity_score: Thousandths(score),
            trigger_count_30d: recent.map_or(0, |(count, _)| count),
            last_triggered_at: recent.map(|(_, last)| last),
            created_at: rule.created_at,
        }
    }
}

/// A piece of the table of Policy Rules.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleRowsView {
    /// Those that were triggered last first, then the newest.
    pub items: Vec<RuleRowView>,
    /// How many rows fit in all.
    pub total: usize,
    /// Whether there are more behind these.
    pub has_more: bool,
}

/// An Incident in the table of Incidents.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentRowView {
    /// Its id.
    #[schema(example = "inc_0123456789abcdef0123456789abcdef")]
    pub incident_id: String,
    /// ACTIVE, ACKED or RESOLVED.
    pub lifecycle_state: &'static str,
    /// critical, high, medium or low.
    pub severity: &'static str,
    /// What kind of failure it is, such as `EXECUTION_FAILURE`.
    pub category: &'static str,
    /// What people read.
    pub title: String,
    /// The LLM Run that failed, if one did.
    pub llm_run_id: Option<String>,
    /// `LLM_RUN`, SYSTEM or HUMAN.
    pub cause_type: &'static str,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was resolved.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
}

impl From<Incident> for IncidentRowView {
    fn from(of: Incident) -> Self {
        Self {
            incident_id: of.id.to_string(),
            // Nobody lists what nobody has approved.
            lifecycle_state: of.lifecycle().unwrap_or(IncidentLifecycle::Active).as_str(),
            severity: of.creation.severity.word(),
            category: of.creation.category.as_str(),
            llm_run_id: of.creation.run.map(|run| run.to_string()),
            cause_type: of.creation.cause_type.as_str(),
            created_at: of.created_at,
            resolved_at: of.over_at(),
            title: of.creation.title,
        }
    }
}

/// A piece of the table of Incidents.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentRowsView {
    /// Newest first.
    pub items: Vec<IncidentRowView>,
    /// How many rows fit in all.
    pub total: usize,
    /// Whether there are more behind these.
    pub has_more: bool,
}
