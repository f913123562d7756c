//! Which counters does a decision need, and what do they hold?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::limits::{Counted, LimitState};
use model::hold::Subject;
use model::id::{LimitId, TenantId};
use model::limit::Limit;
use model::time::Timestamp;
use model::window::WindowSpec;
use store::counters::{Counter, CounterKey, Locked, ROLLING_LOCK};

/// The limits of some owners, each with the version of what governs them.
pub(super) type Limits = BTreeMap<TenantId, (i64, Arc<Vec<Limit>>)>;

/// What the counters hold: settled and held. And where those were moved that were.
#[derive(Default)]
pub(super) struct Counters(BTreeMap<CounterKey, (i64, i64)>, BTreeMap<CounterKey, i64>);

impl Counters {
    pub(super) fn learn(&mut self, counters: Vec<Counter>) {
        for counter in counters {
            self.0.insert(counter.key, (counter.settled, counter.held));
        }
    }

    pub(super) fn learn_locked(&mut self, counters: &[Locked]) {
        self.learn(counters.iter().map(|locked| locked.counter).collect());
        for locked in counters {
            self.1.extend(locked.moved_to.map(|to| (locked.counter.key, to)));
        }
    }

    /// Where counters were moved, of those that were.
    pub(super) fn moves(&self) -> &BTreeMap<CounterKey, i64> {
        &self.1
    }

    /// Learns that the counter is zero, if nothing else is known about it.
    pub(super) fn learn_absence(&mut self, key: CounterKey) {
        self.0.entry(key).or_default();
    }

    pub(super) fn knows(&self, key: &CounterKey) -> bool {
        self.0.contains_key(key)
    }

    /// What it has settled and holds together; nothing if it is not known.
    pub(super) fn total(&self, key: &CounterKey) -> i64 {
        let counter = self.0.get(key);
        counter.map_or(0, |(settled, held)| settled.saturating_add(*held))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, key: CounterKey, settled: i64, held: i64) {
        let entry = self.0.entry(key).or_default();
        entry.0 = entry.0.saturating_add(settled);
        entry.1 = entry.1.saturating_add(held);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Counter> + '_ {
        self.0.iter().map(|(key, (settled, held))| Counter {
            key: *key,
            settled: *settled,
            held: *held,
        })
    }

    /// The limit with every counter that counts now, oldest first.
    pub(super) fn state<'a>(&self, limit: &'a Limit, windows: &mut Windows) -> LimitState<'a> {
        let key = |start: i64| CounterKey {
            owner: limit.tenant,
            limit: limit.id,
            window_start: start,
        };
        let (from, to) = windows.of(limit);
        // What others have taken while this batch waited for its locks, or by a clock that is ahead, counts too.
        let to = match limit.window {
            WindowSpec::Rolling { .. } => i64::MAX,
            WindowSpec::Calendar { .. } | WindowSpec::PerRun => to,
        };
        let (from, to) = (key(from), key(to));
        let counted = self
            .0
            .range(from..=to)
            .map(|(key, (settled, held))| Counted {
                window_start: key.window_start,
                settled: *settled,
                held: *held,
            })
            .collect();
        LimitState { limit, counted }
    }
}

/// The limits that apply to a request: the tenant's own and the platform's.
pub(super) fn applying<'a>(limits: &'a Limits, tenant: TenantId, subject: &Subject) -> Vec<&'a Limit> {
    [TenantId::PLATFORM, tenant]
        .iter()
        .filter_map(|owner| limits.get(owner))
        .flat_map(|(_, list)| list.iter())
        .filter(|limit| domain::limits::applies(limit, subject))
        .collect()
}

/// Which windows count at the time of a batch. The calendar is asked once for each limit, not for each command.
pub(super) struct Windows {
    now: Timestamp,
    known: BTreeMap<(TenantId, LimitId), (i64, i64)>,
}

impl Windows {
    pub(super) fn at(now: Timestamp) -> Self {
        Self {
            now,
            known: BTreeMap::new(),
        }
    }

    /// The start of the counter that is added to.
    pub(super) fn current(&mut self, limit: &Limit) -> i64 {
        self.of(limit).1
    }

    /// The starts of the oldest counter that counts and of the one that is added to.
    fn of(&mut self, limit: &Limit) -> (i64, i64) {
        let now = self.now;
        let starts = || {
            let to = limit.window.window_at(now).start.as_micros();
            match limit.window {
                WindowSpec::Rolling { .. } => (limit.window.counted_since(now).as_micros(), to),
                WindowSpec::Calendar { .. } | WindowSpec::PerRun => (to, to),
            }
        };
        *self.known.entry((limit.tenant, limit.id)).or_insert_with(starts)
    }
}

/// The rows that are locked and the ranges that are read for some limits.
#[derive(Default)]
pub(super) struct Needs {
    pub(super) locks: BTreeSet<CounterKey>,
    pub(super) ranges: BTreeSet<CounterKey>,
}

impl Needs {
    pub(super) fn add(&mut self, limit: &Limit, windows: &mut Windows) {
        let key = |window_start| CounterKey {
            owner: limit.tenant,
            limit: limit.id,
            window_start,
        };
        match &limit.window {
            WindowSpec::PerRun => {}
            WindowSpec::Calendar { .. } => {
                self.locks.insert(key(windows.of(limit).1));
            }
            WindowSpec::Rolling { .. } => {
                self.locks.insert(key(ROLLING_LOCK));
                self.ranges.insert(key(windows.of(limit).0));
            }
        }
    }
}
