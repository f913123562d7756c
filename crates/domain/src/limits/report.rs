//! What is said about a limit: when is there room again, and in which words?

use core::cmp::Ordering;

use model::limit::{Limit, LimitCategory, LimitType};
use model::time::Timestamp;
use model::window::{ResetPeriod, Window, WindowSpec};

use super::order::{is_worker, period};
use super::{LimitReport, LimitState};

/// The message code of a limit that is nearly used up.
pub(super) const APPROACHING: &str = "LIMIT_APPROACHING";

/// The message code of a money limit that lets pass what nobody knows the cost of. It is none of the contract, which has no
/// word for it.
pub const COST_UNKNOWN: &str = "COST_UNKNOWN";

/// The message code of a limit that is passed, as in the contract.
pub(super) fn message_code(limit: &Limit) -> &'static str {
    let worker = is_worker(limit);
    match (limit.category, limit.limit_type, period(limit)) {
        (LimitCategory::Rate, _, _) => "RATE_LIMIT_EXCEEDED",
        (_, LimitType::ConcurrentRuns, _) => "CONCURRENT_RUN_LIMIT_EXCEEDED",
        (_, LimitType::TokensPerRun, _) if worker => "WORKER_TOKEN_LIMIT_EXCEEDED",
        (_, LimitType::RequestsTotal, _) if worker => "WORKER_DAILY_LIMIT_EXCEEDED",
        (LimitCategory::Threshold, _, _) => "THRESHOLD_LIMIT_EXCEEDED",
        // Whose budget it is says more than how often it resets.
        (_, LimitType::CostUsd, _) if limit.feature.is_some() => "FEATURE_COST_BUDGET_EXCEEDED",
        (_, LimitType::CostUsd, _) if limit.end_user.is_some() => "USER_COST_BUDGET_EXCEEDED",
        (_, LimitType::CostUsd, Some(ResetPeriod::Daily)) => "DAILY_COST_BUDGET_EXCEEDED",
        (_, LimitType::CostUsd, Some(ResetPeriod::Monthly)) => "MONTHLY_COST_BUDGET_EXCEEDED",
        (_, LimitType::TokensTotal, Some(ResetPeriod::Monthly)) => "MONTHLY_TOKEN_LIMIT_EXCEEDED",
        (_, LimitType::RequestsTotal, Some(ResetPeriod::Daily)) => "DAILY_RUN_LIMIT_EXCEEDED",
        _ => "POLICY_LIMIT_BREACHED",
    }
}

/// The first instant at which the request would fit if nothing else happened (rolling windows), or at which the
/// counter starts again (calendar windows); none if no waiting helps.
pub(super) fn resets_at(
    now: Timestamp,
    window: Window,
    state: &LimitState<'_>,
    requested: i64,
) -> Option<Timestamp> {
    let spec = &state.limit.window;
    match spec {
        WindowSpec::PerRun => None,
        WindowSpec::Calendar { .. } => window.end,
        WindowSpec::Rolling { .. } => {
            let max = state.limit.max_at(now);
            if requested > max {
                return None;
            }
            let used = |counted: &super::Counted| counted.settled.saturating_add(counted.held);
            let mut total = super::sum(state.counted.iter().map(used)).saturating_add(requested);
            let mut at = now;
            for counted in &state.counted {
                if total <= max {
                    break;
                }
                total = total.saturating_sub(used(counted));
                at = spec.leaves_at(Timestamp::from_micros(counted.window_start))?;
            }
            if at == now { window.end } else { Some(at) }
        }
    }
}

/// Orders by the share of the maximum that is left, least first; then by id, so that the order is total.
pub(super) fn by_least_room(a: &LimitReport, b: &LimitReport) -> Ordering {
    let left = |report: &LimitReport| {
        let used = report
            .settled
            .saturating_add(report.held)
            .saturating_add(report.requested);
        i128::from(report.max.saturating_sub(used))
    };
    // left(a) / max(a) < left(b) / max(b), without dividing.
    let (ours, theirs) = (
        left(a).saturating_mul(i128::from(b.max)),
        left(b).saturating_mul(i128::from(a.max)),
    );
    ours.cmp(&theirs).then_with(|| a.limit.cmp(&b.limit))
}
