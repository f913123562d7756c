//! What is still known from the batch before, so that the database need not be asked again?
//!
//! On SQLite one writer makes all changes. What a batch knew at its end is true at the next one if nothing has been
//! changed in between, by nobody ([`Mark`]), and if the batch was committed: then its witness, the hold it wrote last,
//! is in the database as the batch left it. In every other case everything is forgotten and read anew.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::hold::{Hold, HoldStatus};
use model::id::{HoldId, LimitId, TenantId};
use store::counters::{Counter, CounterKey, Mark};
use store::{LockTx, StoreResult};

use super::load::{Counters, Limits};

/// Counters that are kept; beyond that memory starts anew.
const COUNTERS_MAX: usize = 400_000;

#[derive(Default)]
pub(super) struct Memory {
    kept: Mutex<Option<Kept>>,
}

/// What a batch knows.
#[derive(Default)]
pub(super) struct Known {
    /// The ACTIVE limits of owners.
    pub(super) limits: Limits,
    /// Counters, those that are zero included.
    pub(super) counters: Counters,
    /// Rolling limits, and since when all their counters are known.
    rolling: BTreeMap<(TenantId, LimitId), i64>,
    /// What was written last by those that changed counters.
    witness: Option<Witness>,
}

impl Known {
    /// Whether the counter is known; also if it is zero and therefore not in the database.
    pub(super) fn knows(&self, key: &CounterKey) -> bool {
        self.counters.knows(key) || self.knows_since(key)
    }

    /// Whether all counters of the limit are known that start with this one or later.
    pub(super) fn knows_since(&self, key: &CounterKey) -> bool {
        let since = self.rolling.get(&(key.owner, key.limit));
        since.is_some_and(|since| *since <= key.window_start)
    }

    /// Learns all counters of limits that start with these or later.
    pub(super) fn learn_since(&mut self, ranges: &[CounterKey], found: Vec<Counter>) {
        self.counters.learn(found);
        let ranges = ranges
            .iter()
            .map(|key| ((key.owner, key.limit), key.window_start));
        self.rolling.extend(ranges);
    }

    /// Adds to a counter if it is known. One that is not would seem to hold only what was added.
    pub(super) fn count(&mut self, key: CounterKey, settled: i64, held: i64) {
        if self.knows(&key) {
            self.counters.add(key, settled, held);
        }
    }
}

struct Kept {
    known: Known,
    mark: Mark,
}

/// A hold that exists like this only if the batch that wrote it was committed.
pub(super) struct Witness {
    tenant: TenantId,
    id: HoldId,
    status: HoldStatus,
}

impl From<&Hold> for Witness {
    fn from(hold: &Hold) -> Self {
        Self {
            tenant: hold.tenant,
            id: hold.id,
            status: hold.status,
        }
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known and still true. It is taken out: a batch that fails leaves nothing behind.
    pub(super) fn recall(&self, tx: &mut LockTx<'_>) -> StoreResult<Known> {
        let Some(kept) = self.lock().take() else {
            return Ok(Known::default());
        };
        if store::counters::mark(tx)? != Some(kept.mark) {
            return Ok(Known::default());
        }
        if let Some(Witness { tenant, id, status }) = &kept.known.witness
            && store::holds::status(tx, *tenant, *id)? != Some(*status)
        {
            return Ok(Known::default());
        }
        Ok(kept.known)
    }

    /// Keeps what is known after everything is written; `witness` is what was written last, if counters changed. If
    /// none did, the witness before it still has to testify: both batches may share a transaction.
    pub(super) fn keep(
        &self,
        tx: &mut LockTx<'_>,
        mut known: Known,
        witness: Option<Witness>,
    ) -> StoreResult<()> {
        if known.counters.len() > COUNTERS_MAX {
            return Ok(());
        }
        if let Some(mark) = store::counters::mark(tx)? {
            known.witness = witness.or(known.witness);
            *self.lock() = Some(Kept { known, mark });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
