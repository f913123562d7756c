//! What do the counters of a limit say at any instant of a history?

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use model::hold::Hold;
use model::run::Run;
use model::time::Timestamp;
use model::window::WindowSpec;

use super::super::{Counted, sum};
use crate::settle::{Authority, End, end};

/// The counters that count, and the holds that have not ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    counters: BTreeMap<i64, Counted>,
    /// By when they end, then in the order in which they were taken.
    open: BTreeMap<(Timestamp, u64), (Hold, End)>,
    taken: u64,
}

impl Book {
    /// Lets time pass: what has ended by `now` is settled, and what no longer counts is forgotten. Time does not go back.
    pub(super) fn advance(&mut self, window: &WindowSpec, now: Timestamp) {
        while let Some(entry) = self.open.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                break;
            }
            let (hold, how) = entry.remove();
            // An open hold that is not expired before its time can always be ended by the gateway.
            let changes =
                end(&hold, how, Authority::Gateway, at).map_or_else(|_| Vec::new(), |it| it.changes);
            for change in changes {
                self.count(change.window_start, change.settled, change.held);
            }
        }
        self.counters = self.counters.split_off(&window.counted_since(now).as_micros());
    }

    /// Takes the hold of a run, which ends when the run did.
    pub(super) fn take(&mut self, hold: Hold, run: &Run) {
        for item in &hold.items {
            self.count(item.window_start, 0, item.amount);
        }
        if let (false, Some(used), Some(at)) = (hold.items.is_empty(), run.used(), run.completed_at) {
            self.taken = self.taken.saturating_add(1);
            let key = (at.max(run.started_at), self.taken);
            self.open.insert(key, (hold, End::Settle(used)));
        }
    }

    /// The counters that count, oldest first.
    pub(super) fn counted(&self) -> Vec<Counted> {
        self.counters.values().copied().collect()
    }

    /// What they hold together.
    pub(super) fn total(&self) -> i64 {
        let used = |counted: &Counted| counted.settled.saturating_add(counted.held);
        sum(self.counters.values().map(used))
    }

    /// Counts; what has been forgotten comes back and is forgotten again before anybody looks.
    fn count(&mut self, window_start: i64, settled: i64, held: i64) {
        let counter = self.counters.entry(window_start).or_insert(Counted {
            window_start,
            settled: 0,
            held: 0,
        });
        counter.settled = counter.settled.saturating_add(settled);
        counter.held = counter.held.saturating_add(held);
    }
}
