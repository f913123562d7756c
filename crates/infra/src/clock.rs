//! Where do the real time and real ids come from?
//!
//! [`SystemClock`] is the only wall clock and [`RandomIds`] the only random source of ids. Both are
//! built once, by the binary, and handed to whoever needs them as `Clock` and `IdGenerator`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use model::id::IdGenerator;
use model::time::{Clock, Timestamp};
use rand::RngExt as _;

/// How many bits of a ULID stand below its milliseconds.
const RANDOM_BITS: u32 = 80;

/// The wall clock. Within the process it never goes back and never gives one instant twice, also
/// when the operating system sets its clock back.
#[derive(Debug, Default)]
pub struct SystemClock {
    last: AtomicI64,
}

impl SystemClock {
    /// The clock of this process.
    pub const fn new() -> Self {
        Self {
            last: AtomicI64::new(0),
        }
    }

    fn not_before(&self, wall: i64) -> i64 {
        let after = |last: i64| wall.max(last.saturating_add(1));
        after(self.last.update(Ordering::AcqRel, Ordering::Acquire, after))
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.not_before(wall_micros()))
    }
}

/// ULIDs of the current millisecond and 80 random bits. Within the process they only grow: within a
/// millisecond, or when the wall clock was set back, the next id is the last one plus one.
#[derive(Debug, Default)]
pub struct RandomIds {
    last: Mutex<u128>,
}

impl RandomIds {
    /// The ids of this process.
    pub const fn new() -> Self {
        Self { last: Mutex::new(0) }
    }

    fn after_last(&self, millis: u128, random: u128) -> u128 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = if millis > *last >> RANDOM_BITS {
            (millis << RANDOM_BITS) | (random >> (u128::BITS - RANDOM_BITS))
        } else {
            last.saturating_add(1)
        };
        *last = next;
        next
    }
}

impl IdGenerator for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "this is the one random source of ids")]
    fn next(&self) -> u128 {
        let millis = u128::from(wall_micros().unsigned_abs() / 1000);
        self.after_last(millis, rand::rng().random())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one wall clock")]
fn wall_micros() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::id::RunId;

    use super::*;

    #[test]
    fn the_clock_never_goes_back_and_never_gives_an_instant_twice() {
        let clock = SystemClock::new();
        let given = [5, 5, 3, 9].map(|wall| clock.not_before(wall));
        assert_eq!(given, [5, 6, 7, 9]);
        let (first, second) = (clock.now(), clock.now());
        assert!(first < second);
        assert!(first > Timestamp::from_micros(1_700_000_000_000_000), "{first}");
    }

    #[test]
    fn ids_grow_also_when_the_wall_clock_is_set_back() {
        let ids = RandomIds::new();
        let all_ones = u128::MAX;
        let first = ids.after_last(7, all_ones);
        assert_eq!(first >> RANDOM_BITS, 7);
        assert_eq!(ids.after_last(7, 0), first + 1);
        assert_eq!(ids.after_last(3, 0), first + 2);
        assert_eq!(ids.after_last(9, 0) >> RANDOM_BITS, 9);
    }

    #[test]
    fn no_two_threads_get_the_same_instant_or_id() {
        let (clock, ids) = (SystemClock::new(), RandomIds::new());
        let (mut instants, mut bits) = (BTreeSet::new(), BTreeSet::new());
        std::thread::scope(|threads| {
            let draw = || (0..1000).map(|_| (clock.now(), ids.next())).collect::<Vec<_>>();
            let running: Vec<_> = (0..4).map(|_| threads.spawn(draw)).collect();
            for thread in running {
                let drawn = thread.join().unwrap();
                assert!(drawn.is_sorted());
                for (instant, id) in drawn {
                    instants.insert(instant);
                    bits.insert(id);
                }
            }
        });
        assert_eq!((instants.len(), bits.len()), (4000, 4000));
    }

    #[test]
    fn an_id_of_this_source_reads_as_a_ulid_of_today() {
        let ids = RandomIds::new();
        let id = RunId::generate(&ids);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!((id.bits() >> RANDOM_BITS) > 1_700_000_000_000);
    }
}
