//! What if a limit has got another window since a hold was taken, or since its limits were read?
//!
//! Whoever changes the window of a limit locks its counters and writes into each that is left where its open holds
//! count from then on (`limits::window`). It locks no hold: those that are being ended just then are locked already by
//! a batch that waits for the counters. So a hold that ends looks here where it counts, and one that was decided on
//! limits that were read too early is decided again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::hold::{Hold, HoldStatus};
use store::counters::CounterKey;

use super::memory::Known;

/// Moves that are kept; beyond that they start anew.
const MOVES_MAX: usize = 1_000;

/// Where counters were found to be moved. Only a guess what to lock, so that counters that are moved to and from are
/// locked in one order: what is true is in the database.
#[derive(Default)]
pub(super) struct Moves(Mutex<BTreeMap<CounterKey, i64>>);

impl Moves {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<CounterKey, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counter to which this one was moved, if it was.
    pub(super) fn of(&self, key: CounterKey) -> Option<CounterKey> {
        let window_start = self.lock().get(&key).copied()?;
        Some(CounterKey { window_start, ..key })
    }

    pub(super) fn remember(&self, found: &BTreeMap<CounterKey, i64>) {
        let mut moves = self.lock();
        if moves.len() >= MOVES_MAX {
            moves.clear();
        }
        moves.extend(found);
    }
}

/// Moves the items of holds that are to end to the windows in which they count, and says which of their counters are
/// not known yet.
pub(super) fn follow<'a>(holds: impl Iterator<Item = &'a mut Hold>, known: &Known) -> BTreeSet<CounterKey> {
    let mut unknown = BTreeSet::new();
    let unsettled = |hold: &&mut Hold| matches!(hold.status, HoldStatus::Pending | HoldStatus::Expired);
    for hold in holds.filter(unsettled) {
        for item in &mut hold.items {
            let moved_to = known.counters.moves().get(&CounterKey::from(&*item));
            item.window_start = item.counts_in(hold.created_at, moved_to.copied());
            let key = CounterKey::from(&*item);
            if moved_to.is_some() && !known.knows(&key) {
                unknown.insert(key);
            }
        }
    }
    unknown
}
