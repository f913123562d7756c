//! Was an LLM Run over a threshold that only its end can tell?
//!
//! Milliseconds to the first byte and to the last one, and attempts beyond the first. Equality passes.

use alloc::string::String;
use alloc::vec::Vec;

use model::breach::BreachType;
use model::id::{LimitId, TenantId};
use model::limit::{Consequence, Enforcement, Limit, LimitCategory, LimitScope, LimitType};
use model::time::Timestamp;

use super::{BreachFact, LimitReport};

/// The message code of a threshold that is passed, as in the contract.
pub const MESSAGE_CODE: &str = "THRESHOLD_LIMIT_EXCEEDED";

/// A threshold that an LLM Run began under: what the limit said then holds until the run has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunBound {
    /// Who owns the limit.
    pub owner: TenantId,
    /// Which limit.
    pub limit: LimitId,
    /// What people call it.
    pub name: String,
    /// What it bounds.
    pub limit_type: LimitType,
    /// Whose requests it applies to.
    pub scope: LimitScope,
    /// The most, in milliseconds or attempts.
    pub max: i64,
    /// What the limit does; ALERT raises an alert with every run that passes it.
    pub enforcement: Enforcement,
    /// What follows when it is passed.
    pub consequence: Consequence,
    /// Whether the run is cut off where it passes it: the limit is strict, or says so.
    pub cuts: bool,
}

/// What an LLM Run has turned out to be, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOutcome {
    /// Milliseconds to the first byte of the answer; without one, to the end.
    pub first_byte_ms: i64,
    /// Milliseconds to the end.
    pub duration_ms: i64,
    /// Attempts beyond the first.
    pub retries: i64,
}

impl RunOutcome {
    /// What is known when an answer begins: how often it was tried.
    pub fn begun(retries: u32) -> Self {
        Self {
            first_byte_ms: 0,
            duration_ms: 0,
            retries: retries.into(),
        }
    }
}

/// A threshold that was passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What is to be recorded.
    pub breach: BreachFact,
    /// What people call the limit.
    pub name: String,
    /// What it bounds.
    pub limit_type: LimitType,
    /// What follows.
    pub consequence: Consequence,
}

impl RunBound {
    /// The threshold of this limit at this time; none if it bounds something else.
    pub fn of(limit: &Limit, now: Timestamp) -> Option<Self> {
        let ends = matches!(
            limit.limit_type,
            LimitType::LatencyMs | LimitType::DurationMs | LimitType::RetryCount
        );
        let consequence = limit.handling.consequence.unwrap_or(Consequence::Alert);
        ends.then(|| Self {
            owner: limit.tenant,
            limit: limit.id,
            name: limit.name.clone(),
            limit_type: limit.limit_type,
            scope: limit.scope,
            max: limit.max_at(now),
            enforcement: limit.enforcement,
            consequence,
            cuts: limit.enforcement.is_strict() || consequence == Consequence::Abort,
        })
    }
}

impl RunBound {
    /// What the run has come to, if that is over the threshold.
    fn passed_with(&self, outcome: RunOutcome) -> Option<i64> {
        let value = match self.limit_type {
            LimitType::LatencyMs => outcome.first_byte_ms,
            LimitType::DurationMs => outcome.duration_ms,
            LimitType::RetryCount => outcome.retries,
            _ => return None,
        };
        (value > self.max).then_some(value)
    }
}

/// The bound of this type that cuts a run off first.
pub fn cutting(bounds: &[RunBound], limit_type: LimitType) -> Option<&RunBound> {
    let cuts = bounds
        .iter()
        .filter(|bound| bound.cuts && bound.limit_type == limit_type);
    cuts.min_by_key(|bound| (bound.max, bound.limit))
}

/// What is said of the thresholds that the run has passed, in the order of the bounds.
pub fn reports(bounds: &[RunBound], outcome: RunOutcome) -> impl Iterator<Item = LimitReport> {
    let passed = bounds
        .iter()
        .filter_map(move |bound| bound.passed_with(outcome).map(|value| (bound, value)));
    passed.map(|(bound, value)| LimitReport {
        limit: bound.limit,
        owner: bound.owner,
        name: bound.name.clone(),
        category: LimitCategory::Threshold,
        limit_type: bound.limit_type,
        scope: bound.scope,
        enforcement: bound.enforcement,
        max: bound.max,
        settled: 0,
        held: 0,
        requested: value,
        resets_at: None,
        window_seconds: None,
        message_code: MESSAGE_CODE,
    })
}

/// The thresholds that the run has passed, in the order of the bounds.
pub fn violations(bounds: &[RunBound], outcome: RunOutcome) -> Vec<Violation> {
    let passed = bounds.iter().filter_map(|bound| {
        let value = bound.passed_with(outcome)?;
        Some(Violation {
            breach: BreachFact {
                owner: bound.owner,
                limit: bound.limit,
                breach_type: BreachType::Violated,
                value,
                max: bound.max,
                alert: bound.enforcement == Enforcement::Alert,
                once_since: None,
            },
            name: bound.name.clone(),
            limit_type: bound.limit_type,
            consequence: bound.consequence,
        })
    });
    passed.collect()
}
