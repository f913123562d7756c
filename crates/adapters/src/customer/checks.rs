//! How is a decision about Limits shown?

use domain::limits::{COST_UNKNOWN, CheckOutput, Headroom, LimitReport};
use model::decision::Outcome;
use model::hold::{Hold, HoldStatus};
use model::id::TenantId;
use model::limit::{LimitCategory, Unit};
use model::money::NanoUsd;
use model::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::number::{Amount, Usd, percent_of};

/// How a request relates to one Limit. A GLOBAL Limit of the installation is used by all tenants together: its Limit
/// Value and what is used of it are null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitReportView {
    /// Which Limit.
    pub limit_id: String,
    /// What people call it.
    pub name: String,
    /// What it counts.
    pub limit_type: &'static str,
    /// Whose requests it applies to.
    pub scope: &'static str,
    /// What it does.
    pub enforcement: &'static str,
    /// One of the message codes of the contract.
    pub message_code: &'static str,
    /// Limit Value; null for GLOBAL.
    #[schema(value_type = Option<f64>)]
    pub limit: Option<Amount>,
    /// Used for good, before this request; null for GLOBAL.
    #[schema(value_type = Option<f64>)]
    pub spent: Option<Amount>,
    /// Set aside by open holds, before this request; null for GLOBAL.
    #[schema(value_type = Option<f64>)]
    pub held: Option<Amount>,
    /// What this request asks for.
    #[schema(value_type = f64)]
    pub requested: Amount,
    /// What was left before this request; null for GLOBAL.
    #[schema(value_type = Option<f64>)]
    pub remaining: Option<Amount>,
    /// The exact Limit Value in nano-USD, for money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_nano_usd: Option<String>,
    /// The exact amount in nano-USD, for money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent_nano_usd: Option<String>,
    /// The exact amount in nano-USD, for money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_nano_usd: Option<String>,
    /// The exact amount in nano-USD, for money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_nano_usd: Option<String>,
    /// What is used with this request, in whole percent of the Limit Value; null for GLOBAL.
    pub current_percent: Option<i64>,
    /// When there will be more room; null if waiting does not help.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resets_at: Option<Timestamp>,
}

impl From<&LimitReport> for LimitReportView {
    fn from(report: &LimitReport) -> Self {
        let LimitReport {
            limit,
            owner: _,
            name,
            category: _,
            limit_type,
            scope,
            enforcement,
            max,
            settled,
            held,
            requested,
            resets_at,
            window_seconds: _,
            message_code,
        } = report;
        let amount = |value| Amount::of(*limit_type, value);
        // None of the tenants may see what all of them together spend.
        let own = !report.is_platform();
        let used = settled.saturating_add(*held);
        let percent = percent_of(used.saturating_add(*requested), *max);
        let own_amount = |value| own.then_some(amount(value));
        let (limit_value, spent, held_now) = (own_amount(*max), own_amount(*settled), own_amount(*held));
        Self {
            limit_id: limit.to_string(),
            name: name.clone(),
            limit_type: limit_type.as_str(),
            scope: scope.as_str(),
            enforcement: enforcement.as_str(),
            message_code,
            limit: limit_value,
            spent,
            held: held_now,
            requested: amount(*requested),
            remaining: own_amount(max.saturating_sub(used).max(0)),
            limit_nano_usd: limit_value.and_then(Amount::nano_usd),
            spent_nano_usd: spent.and_then(Amount::nano_usd),
            held_nano_usd: held_now.and_then(Amount::nano_usd),
            requested_nano_usd: amount(*requested).nano_usd(),
            current_percent: own.then_some(percent),
            resets_at: *resets_at,
        }
    }
}

/// What is left after this request, over all strict Limits of the tenant's own; null where nothing limits. GLOBAL
/// Limits of the installation may leave less.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HeadroomView {
    /// USD.
    #[schema(value_type = Option<f64>)]
    pub cost_remaining_usd: Option<Usd>,
    /// Whole cents, rounded half up.
    pub cost_remaining_cents: Option<i64>,
    /// Exact nano-USD.
    pub cost_remaining_nano_usd: Option<String>,
    /// Tokens.
    pub tokens_remaining: Option<i64>,
    /// Requests, or LLM Runs at one time where fewer of these are left.
    pub runs_remaining: Option<i64>,
}

impl From<Headroom> for HeadroomView {
    fn from(headroom: Headroom) -> Self {
        let Headroom {
            cost,
            tokens,
            requests,
        } = headroom;
        let cost = cost.map(NanoUsd);
        Self {
            cost_remaining_usd: cost.map(Usd),
            cost_remaining_cents: cost.map(NanoUsd::to_cents_half_up),
            cost_remaining_nano_usd: cost.map(|cost| cost.0.to_string()),
            tokens_remaining: tokens,
            runs_remaining: requests,
        }
    }
}

/// A decision about a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CheckView {
    /// ALLOW, WARN or BLOCK.
    #[schema(example = "BLOCK")]
    pub decision: &'static str,
    /// Whether it may run: everything but BLOCK.
    pub allowed: bool,
    /// In one sentence.
    #[schema(example = "Budget exceeded: `daily budget` has $5 of $50 left, $10 was requested.")]
    pub message: String,
    /// The message code of the Limit that decides: of those that refuse the first one in the order in which Limits are
    /// asked, else of the first warning; null if there is nothing to say.
    #[schema(example = "DAILY_COST_BUDGET_EXCEEDED")]
    pub message_code: Option<&'static str>,
    /// The Limit that decides about a refusal.
    pub blocking_limit_id: Option<String>,
    /// What it counts.
    pub blocking_limit_type: Option<&'static str>,
    /// How many Limits apply, those of the installation included.
    pub checks_performed: usize,
    /// The id under which the decision is kept; null for a simulation.
    pub decision_id: Option<String>,
    /// What to settle or release; null if nothing is held.
    pub hold_id: Option<String>,
    /// When the hold ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// The Limits that refuse, in the order in which Limits are asked.
    pub blocking_limits: Vec<LimitReportView>,
    /// The Limits of the tenant's own that are passed without refusing, or nearly used up, or that limit money and let pass
    /// what nobody knows the cost of.
    pub warnings: Vec<LimitReportView>,
    /// What is left.
    pub headroom: HeadroomView,
    /// The overrides without which a Limit of the tenant's own would have been passed.
    pub overrides_applied: Vec<String>,
}

impl CheckView {
    /// The view of a decision; with the decision's id and the hold unless it is a simulation.
    pub fn of(output: &CheckOutput, decision_id: Option<String>, hold: Option<&Hold>) -> Self {
        let blocking = if output.blocking.is_empty() {
            &output.unpriced
        } else {
            &output.blocking
        };
        let warnings: Vec<LimitReportView> = output
            .warnings
            .iter()
            .filter(|report| !report.is_platform())
            .map(Into::into)
            .collect();
        let deciding = output.deciding();
        // That a limit of the platform is nearly used up is a warning to whoever runs the platform.
        let outcome = match output.outcome {
            Outcome::Warn if warnings.is_empty() => Outcome::Allow,
            outcome => outcome,
        };
        Self {
            decision: outcome.as_str(),
            allowed: outcome != Outcome::Block,
            message: message_of(output, outcome),
            message_code: deciding
                .map(|report| report.message_code)
                .or_else(|| warnings.first().map(|warning| warning.message_code)),
            blocking_limit_id: deciding.map(|report| report.limit.to_string()),
            blocking_limit_type: deciding.map(|report| report.limit_type.as_str()),
            checks_performed: output.checks,
            decision_id,
            hold_id: hold.map(|hold| hold.id.to_string()),
            expires_at: hold.map(|hold| hold.expires_at),
            blocking_limits: blocking.iter().map(Into::into).collect(),
            warnings,
            headroom: output.headroom.into(),
            overrides_applied: output
                .overrides
                .iter()
                .filter(|(owner, _)| *owner != TenantId::PLATFORM)
                .map(|(_, id)| id.to_string())
                .collect(),
        }
    }
}

/// The decision in one sentence: which limit, how much is left, when it resets.
pub fn message(output: &CheckOutput) -> String {
    message_of(output, output.outcome)
}

fn message_of(output: &CheckOutput, outcome: Outcome) -> String {
    if let Some(report) = output.blocking.first() {
        return refusal(report);
    }
    if let Some(report) = output.unpriced.first() {
        return format!(
            "No price is known for this model, and `{}` limits money: an unknown price is never taken for zero.",
            report.name
        );
    }
    let uncounted = |report: &&LimitReport| report.message_code == COST_UNKNOWN && !report.is_platform();
    match (outcome, output.warnings.iter().find(uncounted)) {
        (Outcome::Warn, Some(report)) => format!(
            "Allowed; nobody knows what it costs, and `{}`, which limits money and refuses nothing, cannot count it.",
            report.name
        ),
        (Outcome::Warn, None) => "Allowed; a limit is passed or nearly used up.".to_owned(),
        (Outcome::Allow | Outcome::Block, _) => "Allowed.".to_owned(),
    }
}

fn refusal(report: &LimitReport) -> String {
    let words = match report.category {
        _ if report.limit_type.is_given_back() => "Too many LLM Runs at one time",
        LimitCategory::Budget => "Budget exceeded",
        LimitCategory::Rate => "Rate limit exceeded",
        LimitCategory::Threshold => "Threshold exceeded",
    };
    let (unit, many) = match report.limit_type.unit() {
        Unit::NanoUsd => ("", ""),
        Unit::Tokens => (" token", "s"),
        Unit::Requests => (" request", "s"),
        Unit::Places => (" place", "s"),
        Unit::Milliseconds => (" ms", ""),
        Unit::Percent => (" %", ""),
    };
    let one = report.requested == 1;
    let was = if many.is_empty() || one { "was" } else { "were" };
    let written = |value: i64| match report.limit_type.unit() {
        Unit::NanoUsd => NanoUsd(value).to_string(),
        Unit::Tokens | Unit::Requests | Unit::Places | Unit::Milliseconds | Unit::Percent => {
            value.to_string()
        }
    };
    let when = report
        .resets_at
        .map_or(String::new(), |at| format!(" It resets at {at}."));
    let requested = written(report.requested);
    if report.is_platform() {
        let plural = if one { "" } else { many };
        return format!(
            "{words}: `{}`, a limit of the whole installation, has no room for the {requested}{unit}{plural} that \
             {was} requested.{when}",
            report.name
        );
    }
    let left = report
        .max
        .saturating_sub(report.settled)
        .saturating_sub(report.held)
        .max(0);
    let plural = if report.max == 1 { "" } else { many };
    format!(
        "{words}: `{}` has {} of {}{unit}{plural} left, {requested} {was} requested.{when}",
        report.name,
        written(left),
        written(report.max),
    )
}

/// A hold.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HoldView {
    /// Its id.
    pub hold_id: String,
    /// PENDING, SETTLED, RELEASED or EXPIRED.
    pub status: &'static str,
    /// The decision that allowed it.
    pub decision_id: String,
    /// What was held, in USD.
    #[schema(value_type = f64)]
    pub held_usd: Usd,
    /// What was held, in exact nano-USD.
    pub held_nano_usd: String,
    /// What was used, in USD, once settled.
    #[schema(value_type = Option<f64>)]
    pub settled_usd: Option<Usd>,
    /// What was used, in exact nano-USD, once settled.
    pub settled_nano_usd: Option<String>,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends, or would have ended, by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

impl From<&Hold> for HoldView {
    fn from(hold: &Hold) -> Self {
        let Hold {
            id,
            tenant: _,
            status,
            decision,
            run: _,
            subject: _,
            requested,
            settled,
            items: _,
            created_at,
            expires_at,
            ended_at,
        } = hold;
        let settled = settled
            .filter(|_| *status == HoldStatus::Settled)
            .map(|settled| settled.cost);
        Self {
            hold_id: id.to_string(),
            status: status.as_str(),
            decision_id: decision.to_string(),
            held_usd: Usd(requested.cost),
            held_nano_usd: requested.cost.0.to_string(),
            settled_usd: settled.map(Usd),
            settled_nano_usd: settled.map(|cost| cost.0.to_string()),
            created_at: *created_at,
            expires_at: *expires_at,
            ended_at: *ended_at,
        }
    }
}
