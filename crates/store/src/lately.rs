//! How is what happened lately counted without reading the history?
//!
//! It is added up per day (UTC) in the transaction that records it: whole days come from their sums, and what is counted
//! row by row is at most the one day in which the window begins.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;

use model::time::Timestamp;

use crate::error::StoreResult;
use crate::rows::{Table, at};

/// Microseconds of a day (UTC).
const DAY: i64 = 86_400 * Timestamp::MICROS_PER_SECOND;

/// How often something happened in a window, and when the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    /// How often.
    pub times: i64,
    /// When the last time.
    pub last_at: Timestamp,
}

/// The day (UTC) of an instant.
pub(crate) const fn day_of(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(DAY)
}

/// Everything from an instant on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Its first microsecond.
    since: i64,
    /// Its first whole day.
    pub(crate) first_day: i64,
}

impl Window {
    pub(crate) fn since(since: Timestamp) -> Self {
        let since = since.as_micros();
        Self {
            since,
            first_day: since.div_euclid(DAY) + i64::from(since.rem_euclid(DAY) > 0),
        }
    }

    /// The microseconds before its first whole day.
    pub(crate) const fn edge(self) -> Range<i64> {
        self.since..self.first_day.saturating_mul(DAY)
    }
}

/// Adds rows up by what they are about: its name, how often, when the last time.
pub(crate) fn sums<T: FromStr + Ord>(
    table: Table,
    column: &'static str,
    rows: impl Iterator<Item = (String, i64, i64)>,
) -> StoreResult<BTreeMap<T, Recent>> {
    let mut sums: BTreeMap<T, Recent> = BTreeMap::new();
    for (name, times, last_at) in rows {
        let found = sums.entry(table.parse(column, &name)?).or_insert(Recent {
            times: 0,
            last_at: at(last_at),
        });
        found.times = found.times.saturating_add(times);
        found.last_at = found.last_at.max(at(last_at));
    }
    Ok(sums)
}
