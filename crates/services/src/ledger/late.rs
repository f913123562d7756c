//! What is to be said of money that was spent after its hold had expired, or beyond what was held?
//!
//! Its room may have been given to others. It is counted all the same, and where that passes a maximum, it is said.

use domain::limits::told_since;
use domain::settle::End;
use model::hold::{Hold, HoldItem, HoldStatus};
use model::limit::Enforcement;
use model::time::Timestamp;
use model::window::WindowSpec;
use store::counters::CounterKey;

use super::memory::Known;

/// Whether the hold can only end by being settled late, or beyond what was held, which needs its limits and their
/// counters.
pub(super) fn may_pass(hold: &Hold, end: End) -> bool {
    let End::Settle(used) = end else { return false };
    let beyond = |item: &HoldItem| {
        item.counts
            .amount_of(&used)
            .is_some_and(|used| used > item.amount)
    };
    hold.status == HoldStatus::Expired || hold.items.iter().any(beyond)
}

/// A maximum that a counter has come to be above.
pub(super) struct Above {
    pub(super) value: i64,
    pub(super) max: i64,
    pub(super) enforcement: Enforcement,
    /// Since when it is told at most once.
    pub(super) told_since: Option<Timestamp>,
    /// The last instant of the window that it counts for, or now, if that is earlier.
    pub(super) noted_at: Timestamp,
}

/// What the counter has come to, if it is above its maximum. Of rolling windows nothing is said: by now others count.
pub(super) fn passed(known: &Known, key: &CounterKey, taken_at: Timestamp, now: Timestamp) -> Option<Above> {
    let (_, limits) = known.limits.get(&key.owner)?;
    let limit = limits.iter().find(|limit| limit.id == key.limit)?;
    // A counter of a window that the limit had once says nothing about the maximum that it has now.
    let calendar = matches!(limit.window, WindowSpec::Calendar { .. });
    let window = limit.window.window_at(taken_at);
    let current = window.start.as_micros() == key.window_start;
    let value = known.counters.total(key);
    let max = limit.max_at(now);
    let last = |end: Timestamp| Timestamp::from_micros(end.as_micros().saturating_sub(1));
    let noted_at = window.end.map_or(now, |end| now.min(last(end)));
    (calendar && current && value > max).then(|| Above {
        value,
        max,
        enforcement: limit.enforcement,
        told_since: told_since(limit, window, now).map(|since| since.min(noted_at)),
        noted_at,
    })
}
