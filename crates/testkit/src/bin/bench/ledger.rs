//! Is what was answered what is in the books?
//!
//! Counted again from the rows, without any code of the ledger.

use std::collections::BTreeMap;

use model::hold::HoldStatus;
use model::id::{LimitId, TenantId};
use store::counters::ROLLING_LOCK;
use store::{Db, ReadTx, Settings, StoreError, StoreResult};

use crate::Outcome;

/// Holds that are read at a time.
const STRETCH: i64 = 5_000;

type Sums = BTreeMap<(TenantId, LimitId, i64), (i64, i64)>;

/// What the ledger holds, as far as a bench wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Books {
    /// Holds in all.
    pub(crate) holds: u64,
    /// Holds that nobody has ended.
    pub(crate) open: u64,
}

/// Adds up every hold and compares with every counter.
pub(crate) async fn verify(url: &str) -> Outcome<Books> {
    let db = Db::open(&Settings::for_url(url)?)?;
    let (books, sums, counters) = db.read(add_up).await?;
    for (key, stored) in &counters {
        let expected = sums.get(key).copied().unwrap_or_default();
        if *stored != expected {
            let (tenant, limit, window) = key;
            return Err(format!(
                "the counter of {limit} of {tenant} from {window} says {stored:?}, its holds say {expected:?}"
            )
            .into());
        }
    }
    if let Some((key, sum)) = sums
        .iter()
        .find(|(key, sum)| **sum != (0, 0) && !counters.contains_key(key))
    {
        return Err(format!("there is no counter {key:?} for {sum:?}").into());
    }
    Ok(books)
}

fn add_up(tx: &mut ReadTx<'_>) -> StoreResult<(Books, Sums, Sums)> {
    let (mut books, mut sums, mut after) = (Books::default(), Sums::new(), None);
    loop {
        let stretch = store::holds::stretch(tx, after, STRETCH)?;
        let Some(last) = stretch.last() else { break };
        after = Some((last.tenant, last.id));
        for hold in &stretch {
            let open = hold.status == HoldStatus::Pending;
            books.holds += 1;
            books.open += u64::from(open);
            for item in &hold.items {
                let sum = sums
                    .entry((item.owner, item.limit, item.window_start))
                    .or_default();
                sum.0 += item.settled;
                sum.1 += if open { item.amount } else { 0 };
            }
        }
    }
    let counters = store::counters::all(tx)?
        .into_iter()
        .filter(|counter| counter.key.window_start != ROLLING_LOCK)
        .map(|counter| {
            let key = (counter.key.owner, counter.key.limit, counter.key.window_start);
            (key, (counter.settled, counter.held))
        })
        .collect();
    Ok::<_, StoreError>((books, sums, counters))
}
