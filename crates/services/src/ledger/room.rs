//! Who waits for room under which QUEUE limit, and whose turn is it?
//!
//! Whoever comes gets a place, and places ascend. Under each limit the lowest place is first; a request that waits for
//! several limits is tried when it is first under all of them. The lowest place of all is first wherever it stands, so
//! that somebody's turn it always is. The lines are those of this process: other processes are noticed by asking again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::hold::Hold;
use model::id::{LimitId, TenantId};
use model::limit::Limit;
use tokio::sync::Notify;

use crate::measure;

/// How many may wait, and how often they look by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomSettings {
    /// The most requests that wait for one limit.
    pub per_limit: usize,
    /// The most requests that wait in this process.
    pub total: usize,
    /// How long the first in line waits before it asks again without having been told of room.
    pub poll: Duration,
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self {
            per_limit: 100,
            total: 1_000,
            poll: Duration::from_millis(500),
        }
    }
}

type Name = (TenantId, LimitId);

/// A place in the order of arrival.
pub(crate) type Place = u64;

/// Where requests wait.
#[derive(Debug)]
pub(crate) struct Room {
    settings: RoomSettings,
    next: AtomicU64,
    /// How many wait: read without the lock by every request that has nothing to do with waiting.
    count: AtomicUsize,
    closed: AtomicBool,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    of_limit: BTreeMap<Name, BTreeSet<Place>>,
    waiting: BTreeMap<Place, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    limits: BTreeSet<Name>,
    wake: Arc<Notify>,
}

fn name(limit: &Limit) -> Name {
    (limit.tenant, limit.id)
}

impl Room {
    pub(crate) fn new(settings: RoomSettings) -> Self {
        Self {
            settings,
            next: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            lines: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> RoomSettings {
        self.settings
    }

    /// The place behind everybody who has come so far.
    pub(crate) fn place(&self) -> Place {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Under which of these limits somebody waits who came before; whoever has no place came last.
    pub(super) fn crowded(&self, limits: &[&Limit], place: Option<Place>) -> Vec<LimitId> {
        if self.count() == 0 {
            return Vec::new();
        }
        let lines = self.lock();
        let ahead = |limit: &&&Limit| {
            let first = lines.of_limit.get(&name(limit)).and_then(BTreeSet::first);
            first.is_some_and(|first| place.is_none_or(|place| *first < place))
        };
        limits.iter().filter(ahead).map(|limit| limit.id).collect()
    }

    /// Stands in line for these limits and for no others; false if there is no space to stand, or nobody waits here any
    /// more.
    pub(super) fn line_up(&self, place: Place, limits: &[Limit]) -> bool {
        if self.is_closed() {
            return false;
        }
        let wanted: BTreeSet<Name> = limits.iter().map(name).collect();
        let mut lines = self.lock();
        let stands = lines.waiting.get(&place).map(|waiting| waiting.limits.clone());
        let is_new = stands.is_none();
        let stands = stands.unwrap_or_default();
        let full = |name: &Name| {
            let line = lines.of_limit.get(name);
            line.is_some_and(|line| line.len() >= self.settings.per_limit)
        };
        if is_new && lines.waiting.len() >= self.settings.total || wanted.difference(&stands).any(full) {
            return false;
        }
        for name in wanted.difference(&stands) {
            lines.of_limit.entry(*name).or_default().insert(place);
        }
        for name in stands.difference(&wanted) {
            lines.quit(*name, place);
        }
        if is_new {
            let wake = Arc::new(Notify::new());
            lines.waiting.insert(place, Waiting { limits: wanted, wake });
            self.count.fetch_add(1, Ordering::AcqRel);
            measure::waits();
        } else if let Some(waiting) = lines.waiting.get_mut(&place) {
            waiting.limits = wanted;
        }
        true
    }

    /// What wakes whoever has this place.
    pub(crate) fn wake(&self, place: Place) -> Option<Arc<Notify>> {
        let lines = self.lock();
        lines.waiting.get(&place).map(|waiting| Arc::clone(&waiting.wake))
    }

    /// Whether it is the turn of this place: nobody stands before it.
    pub(crate) fn is_first(&self, place: Place) -> bool {
        let lines = self.lock();
        let first = |name: &Name| lines.of_limit.get(name).and_then(BTreeSet::first) == Some(&place);
        let waiting = lines.waiting.get(&place);
        waiting.is_none_or(|waiting| waiting.limits.iter().all(first))
    }

    /// Leaves every line; those who are first now are woken.
    pub(crate) fn leave(&self, place: Place) {
        if self.count() == 0 {
            return;
        }
        let mut lines = self.lock();
        let Some(waiting) = lines.waiting.remove(&place) else {
            return;
        };
        self.count.fetch_sub(1, Ordering::AcqRel);
        measure::waits_no_more();
        for name in waiting.limits {
            lines.quit(name, place);
        }
    }

    /// What the hold held may be free now.
    pub(super) fn freed(&self, hold: &Hold) {
        if self.count() == 0 {
            return;
        }
        let lines = self.lock();
        for item in &hold.items {
            lines.wake_first((item.owner, item.limit));
        }
    }

    /// Nobody waits any longer: whoever does is decided upon at once.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for waiting in self.lock().waiting.values() {
            waiting.wake.notify_one();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Lines {
    fn quit(&mut self, name: Name, place: Place) {
        if let Some(line) = self.of_limit.get_mut(&name) {
            line.remove(&place);
            if line.is_empty() {
                self.of_limit.remove(&name);
            }
        }
        self.wake_first(name);
    }

    fn wake_first(&self, name: Name) {
        let first = self.of_limit.get(&name).and_then(BTreeSet::first);
        if let Some(waiting) = first.and_then(|first| self.waiting.get(first)) {
            waiting.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
