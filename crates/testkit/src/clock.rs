//! What time is it in a test?
//!
//! The time that the test says. It stands still until the test moves it, and moves forward only,
//! as the contract of [`Clock`] asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::time::{Clock, Timestamp};

/// Where the clock of a test starts: 2026-11-21T09:30:00Z, a Saturday in the middle of a month.
pub const START: Timestamp = Timestamp::from_micros(1_795_253_400_000_000);

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock at [`START`].
    pub fn start() -> Arc<Self> {
        Self::at(START)
    }

    /// A clock at this instant.
    pub fn at(instant: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(instant.as_micros())))
    }

    /// Moves the clock to a later instant; panics if it is an earlier one.
    pub fn set(&self, instant: Timestamp) {
        let before = self.0.fetch_max(instant.as_micros(), Ordering::SeqCst);
        assert!(
            before <= instant.as_micros(),
            "a clock never goes back: it stood at {}, later than {instant}",
            Timestamp::from_micros(before),
        );
    }

    /// Moves the clock on by whole seconds.
    pub fn advance_seconds(&self, seconds: u32) {
        self.advance_micros(i64::from(seconds) * Timestamp::MICROS_PER_SECOND);
    }

    /// Moves the clock on by whole milliseconds.
    pub fn advance_millis(&self, millis: u32) {
        self.advance_micros(i64::from(millis) * 1000);
    }

    fn advance_micros(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_only_when_it_is_told_to() {
        let clock = FixedClock::start();
        assert_eq!(clock.now().to_string(), "2026-11-21T09:30:00.000Z");
        assert_eq!(clock.now(), START);
        clock.advance_seconds(90);
        clock.advance_millis(5);
        assert_eq!(clock.now(), START.plus_millis(90_005));
        let later = START.plus_seconds(3600);
        clock.set(later);
        assert_eq!(clock.now(), later);
    }

    #[test]
    fn the_clock_refuses_to_go_back() {
        let back = std::panic::catch_unwind(|| FixedClock::start().set(Timestamp::from_micros(0)));
        assert!(back.is_err());
    }

    #[test]
    fn all_holders_of_the_clock_see_the_same_time() {
        let clock = FixedClock::start();
        let shared: Arc<dyn Clock> = Arc::<FixedClock>::clone(&clock);
        clock.advance_seconds(1);
        assert_eq!(shared.now(), START.plus_seconds(1));
    }
}
