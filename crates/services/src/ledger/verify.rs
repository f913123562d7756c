//! Do the counters say what the ledger says?

use std::collections::BTreeMap;

use model::hold::HoldStatus;
use store::StoreResult;
use store::counters::{Counter, CounterKey, ROLLING_LOCK};

use super::Ledger;

/// Holds that are read at a time.
const STRETCH: i64 = 2_000;

/// A counter that is not the sum of its holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// What the counter says.
    pub counter: Counter,
    /// What the holds add up to: settled.
    pub settled: i64,
    /// What the holds add up to: held.
    pub held: i64,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Holds that were added up.
    pub holds: u64,
    /// Counters that were compared.
    pub counters: u64,
    /// Counters that are not the sum of their holds.
    pub mismatches: Vec<Mismatch>,
}

impl Ledger {
    /// Adds up every hold and compares with every counter, in one transaction.
    ///
    /// # Errors
    /// What the database says.
    pub async fn verify(&self) -> StoreResult<Verification> {
        self.db.read(verify).await
    }
}

fn verify(tx: &mut store::ReadTx<'_>) -> StoreResult<Verification> {
    let mut sums: BTreeMap<CounterKey, (i64, i64)> = BTreeMap::new();
    let moves: BTreeMap<CounterKey, i64> = store::counters::moves(tx)?.into_iter().collect();
    let mut found = Verification::default();
    let mut after = None;
    loop {
        let stretch = store::holds::stretch(tx, after, STRETCH)?;
        let Some(last) = stretch.last() else { break };
        after = Some((last.tenant, last.id));
        for hold in &stretch {
            found.holds += 1;
            for item in &hold.items {
                let key = CounterKey::from(item);
                if hold.status == HoldStatus::Pending {
                    let window_start = item.counts_in(hold.created_at, moves.get(&key).copied());
                    sums.entry(CounterKey { window_start, ..key }).or_default().1 += item.amount;
                } else {
                    sums.entry(key).or_default().0 += item.settled;
                }
            }
        }
    }
    for counter in store::counters::all(tx)? {
        if counter.key.window_start == ROLLING_LOCK {
            continue;
        }
        found.counters += 1;
        let (settled, held) = sums.remove(&counter.key).unwrap_or_default();
        if (counter.settled, counter.held) != (settled, held) {
            found.mismatches.push(Mismatch {
                counter,
                settled,
                held,
            });
        }
    }
    for (key, (settled, held)) in sums {
        let counter = Counter {
            key,
            settled: 0,
            held: 0,
        };
        if (settled, held) != (0, 0) {
            found.mismatches.push(Mismatch {
                counter,
                settled,
                held,
            });
        }
    }
    Ok(found)
}
