//! Which ids does a test see?
//!
//! The same ones in every run: the time part is a fixed instant, and the low bits count 1, 2, 3, ….

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::id::IdGenerator;
use model::time::Timestamp;

use crate::clock::START;

/// How many bits of a ULID stand below its milliseconds.
const RANDOM_BITS: u32 = 80;

/// Ids that count up from 1.
#[derive(Debug)]
pub struct CountingIds {
    base: u128,
    given: AtomicU64,
}

impl CountingIds {
    /// Ids whose time part is [`START`].
    pub fn start() -> Arc<Self> {
        Self::at(START)
    }

    /// Ids whose time part is this instant.
    pub fn at(instant: Timestamp) -> Arc<Self> {
        let millis = u128::try_from(instant.as_micros() / 1000).unwrap_or(0);
        Arc::new(Self {
            base: millis << RANDOM_BITS,
            given: AtomicU64::new(0),
        })
    }

    /// How many ids were drawn so far.
    pub fn given(&self) -> u64 {
        self.given.load(Ordering::SeqCst)
    }

    /// The bits of the `n`th id, counted from 1, whether it was drawn yet or not.
    pub fn nth(&self, n: u64) -> u128 {
        self.base | u128::from(n)
    }
}

impl IdGenerator for CountingIds {
    fn next(&self) -> u128 {
        self.nth(self.given.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

#[cfg(test)]
mod tests {
    use model::id::RunId;

    use super::*;

    #[test]
    fn ids_count_up_and_are_the_same_in_every_run() {
        let ids = CountingIds::start();
        assert_eq!(
            RunId::generate(&*ids).to_string(),
            "run_01M7YQ1WE00000000000000001"
        );
        assert_eq!(
            RunId::generate(&*ids).to_string(),
            "run_01M7YQ1WE00000000000000002"
        );
        assert_eq!(ids.given(), 2);
        assert_eq!(ids.next(), ids.nth(3));
    }
}
