//! In which order are limits asked, and which of those that refuse is told?
//!
//! All limits are asked, whatever the others say. Of those that refuse the first one in this order decides what is
//! answered: the most general question first.

use core::cmp::Reverse;

use model::id::LimitId;
use model::limit::{Enforcement, Limit, LimitCategory, LimitScope, LimitType};
use model::time::Timestamp;
use model::window::{ResetPeriod, WindowSpec};

use super::{CheckOutput, LimitReport};

/// Where a limit stands in the order, first to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Too fast: every RATE.
    Rate,
    /// The quotas of everyone or of the whole tenant: LLM Runs, LLM Runs at one time, tokens.
    Quota,
    /// Money, whosever it is.
    Cost,
    /// Everything else that a customer limits.
    Policy,
    /// What a single agent may do: LLM Runs in a day, tokens of an LLM Run.
    Worker,
}

/// The place of a limit among all: its stage, its rank in the stage, the most severe one first, the installation's
/// before the tenant's, the older one first.
pub fn order(limit: &Limit) -> (Stage, u8, Reverse<Enforcement>, bool, LimitId) {
    let asked_in = stage(limit);
    let own = limit.scope != LimitScope::Global;
    let severe = Reverse(limit.enforcement);
    (asked_in, rank(limit, asked_in), severe, own, limit.id)
}

/// The stage in which a limit is asked.
pub fn stage(limit: &Limit) -> Stage {
    let is_general = matches!(limit.scope, LimitScope::Global | LimitScope::Tenant)
        && limit.api_key_id.is_none()
        && limit.model.is_none()
        && limit.feature.is_none()
        && limit.end_user.is_none();
    match (limit.category, limit.limit_type) {
        (LimitCategory::Rate, _) => Stage::Rate,
        (LimitCategory::Budget, LimitType::CostUsd) => Stage::Cost,
        _ if is_worker(limit) => Stage::Worker,
        (LimitCategory::Budget, _) if is_general => Stage::Quota,
        _ => Stage::Policy,
    }
}

/// Whether it bounds what a single agent does.
pub(super) fn is_worker(limit: &Limit) -> bool {
    let daily = period(limit) == Some(ResetPeriod::Daily);
    limit.scope == LimitScope::Agent
        && match limit.limit_type {
            LimitType::RequestsTotal => daily,
            LimitType::TokensPerRun => true,
            _ => false,
        }
}

/// How often the counter of a BUDGET starts again.
pub(super) fn period(limit: &Limit) -> Option<ResetPeriod> {
    match &limit.window {
        WindowSpec::Calendar { period, .. } => Some(*period),
        WindowSpec::Rolling { .. } | WindowSpec::PerRun => None,
    }
}

fn rank(limit: &Limit, asked_in: Stage) -> u8 {
    match asked_in {
        Stage::Quota | Stage::Worker => match limit.limit_type {
            LimitType::RequestsTotal => 0,
            LimitType::ConcurrentRuns => 1,
            _ => 2,
        },
        Stage::Cost => match period(limit) {
            Some(ResetPeriod::Daily) => 0,
            Some(ResetPeriod::Weekly) => 1,
            Some(ResetPeriod::Monthly) => 2,
            Some(ResetPeriod::None) | None => 3,
        },
        Stage::Rate | Stage::Policy => 0,
    }
}

/// Whether the same request may be sent again, and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retry {
    /// Whether it can help to try again soon: only what is full at the moment refuses.
    pub helps: bool,
    /// When the last of the limits that refuse it has room; none if nobody knows, or if that will never be.
    pub at: Option<Timestamp>,
}

impl CheckOutput {
    /// The limit that decides what is answered to a request that is refused: the first one in [`order`]. What has no room
    /// comes before what has no price.
    pub fn deciding(&self) -> Option<&LimitReport> {
        self.refusing().next()
    }

    /// Whether a request that is refused may be sent again. A REJECT says never, and so does what can never fit.
    pub fn retry(&self) -> Retry {
        let given_back = |report: &LimitReport| report.limit_type.is_given_back();
        let never = |report: &LimitReport| {
            let has_room_once = report.resets_at.is_some() || given_back(report);
            report.enforcement == Enforcement::Reject || report.requested > report.max || !has_room_once
        };
        if !self.unpriced.is_empty() || self.blocking.iter().any(never) {
            return Retry::default();
        }
        let soon = |report: &LimitReport| report.category == LimitCategory::Rate || given_back(report);
        Retry {
            helps: !self.blocking.is_empty() && self.blocking.iter().all(soon),
            at: self.blocking.iter().filter_map(|report| report.resets_at).max(),
        }
    }
}
