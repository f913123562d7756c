//! What is to be said of money that was spent after its hold had expired, or beyond what was held?
//!
//! Its room may have been given to others. It is counted all the same, and where that passes a maximum, it is said.

use domain::settle::End;
use model::hold::{Hold, HoldItem, HoldStatus};
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

/// What the counter has come to and its maximum, if it is above that. Of rolling windows nothing is said: by now others
/// count.
pub(super) fn passed(
    known: &Known,
    key: &CounterKey,
    taken_at: Timestamp,
    now: Timestamp,
) -> Option<(i64, i64)> {
    let (_, limits) = known.limits.get(&key.owner)?;
    let limit = limits.iter().find(|limit| limit.id == key.limit)?;
    // A counter of a window that the limit had once says nothing about the maximum that it has now.
    let calendar = matches!(limit.window, WindowSpec::Calendar { .. });
    let current = limit.window.window_at(taken_at).start.as_micros() == key.window_start;
    let value = known.counters.total(key);
    let max = limit.max_at(now);
    (calendar && current && value > max).then_some((value, max))
}
