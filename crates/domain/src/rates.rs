//! May somebody go on, or was that too often?
//!
//! A bucket fills by itself and every request takes one out of it. It starts with what a minute brings, and holds that
//! and a burst at the most. Everything is counted in parts of a token, so that nothing is lost by rounding.

use model::authority::AuthorityType;
use model::time::Timestamp;

/// One token, in the units in which a microsecond brings as many as a minute brings tokens.
const TOKEN: i64 = 60 * Timestamp::MICROS_PER_SECOND;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In a minute, on average; never 0.
    pub per_minute: u32,
    /// How many more after a pause.
    pub burst: u32,
}

impl Rate {
    fn most(self) -> i64 {
        tokens(self.per_minute).saturating_add(tokens(self.burst))
    }
}

/// How often somebody may do what, by the authority by which it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorityRates {
    /// Changes in a minute.
    pub mutations: u32,
    /// Reads in a minute.
    pub reads: u32,
    /// How many more of either after a pause.
    pub burst: u32,
}

impl AuthorityRates {
    /// What holds when nobody says otherwise.
    pub const fn usual(authority: AuthorityType) -> Self {
        let (mutations, reads, burst) = match authority {
            AuthorityType::AutoEngine => (100, 1_000, 10),
            AuthorityType::HumanOperator => (60, 300, 5),
            AuthorityType::OnCallSre => (120, 500, 10),
            AuthorityType::EmergencyOverride => (30, 100, 3),
        };
        Self {
            mutations,
            reads,
            burst,
        }
    }

    /// The rate of changes, or of reads.
    pub const fn of(self, mutation: bool) -> Rate {
        Rate {
            per_minute: if mutation { self.mutations } else { self.reads },
            burst: self.burst,
        }
    }
}

/// What is left for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    units: i64,
    at: Timestamp,
}

impl Bucket {
    /// The bucket of somebody who has taken nothing yet.
    pub fn new(rate: Rate, now: Timestamp) -> Self {
        Self {
            units: tokens(rate.per_minute),
            at: now,
        }
    }

    /// What is in it now. A clock that was set back brings nothing and takes nothing.
    #[must_use]
    pub fn filled(self, rate: Rate, now: Timestamp) -> Self {
        let passed = now.as_micros().saturating_sub(self.at.as_micros()).max(0);
        let brought = passed.saturating_mul(i64::from(rate.per_minute));
        Self {
            units: self.units.saturating_add(brought).min(rate.most()),
            at: now,
        }
    }

    /// Takes one; or in how many seconds there will be one.
    ///
    /// # Errors
    /// The seconds to wait, at least 1.
    pub fn take(self, rate: Rate, now: Timestamp) -> (Self, Result<(), i64>) {
        let filled = self.filled(rate, now);
        let left = filled.units.saturating_sub(TOKEN);
        if left >= 0 {
            return (
                Self {
                    units: left,
                    ..filled
                },
                Ok(()),
            );
        }
        let a_second = i64::from(rate.per_minute.max(1)).saturating_mul(Timestamp::MICROS_PER_SECOND);
        let missing = left.saturating_neg();
        let seconds = missing
            .saturating_add(a_second.saturating_sub(1))
            .checked_div(a_second)
            .unwrap_or(1);
        (filled, Err(seconds.max(1)))
    }
}

fn tokens(number: u32) -> i64 {
    i64::from(number).saturating_mul(TOKEN)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;
    use strum::IntoEnumIterator as _;

    use super::*;

    const RATE: Rate = Rate {
        per_minute: 60,
        burst: 5,
    };

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    /// How many can be taken at once.
    fn drained(mut bucket: Bucket, rate: Rate, now: Timestamp) -> (Bucket, u32) {
        let mut taken = 0;
        loop {
            let (next, verdict) = bucket.take(rate, now);
            bucket = next;
            if verdict.is_err() {
                return (bucket, taken);
            }
            taken += 1;
        }
    }

    #[test]
    fn the_usual_rates_are_those_of_the_contract() {
        let table: Vec<_> = AuthorityType::iter()
            .map(|authority| {
                let rates = AuthorityRates::usual(authority);
                (
                    authority.as_str(),
                    rates.of(true).per_minute,
                    rates.of(false).per_minute,
                    rates.burst,
                )
            })
            .collect();
        assert_eq!(
            table,
            [
                ("AUTO_ENGINE", 100, 1_000, 10),
                ("HUMAN_OPERATOR", 60, 300, 5),
                ("ON_CALL_SRE", 120, 500, 10),
                ("EMERGENCY_OVERRIDE", 30, 100, 3),
            ]
        );
    }

    #[test]
    fn it_starts_with_a_minute_and_holds_a_burst_more_after_a_pause() {
        let (empty, taken) = drained(Bucket::new(RATE, at(0)), RATE, at(0));
        assert_eq!(taken, 60);
        let hour = at(3_600 * Timestamp::MICROS_PER_SECOND);
        assert_eq!(drained(empty, RATE, hour).1, 65);
    }

    #[test]
    fn it_says_when_there_will_be_one_and_then_there_is() {
        for (per_minute, wait) in [(60, 1), (30, 2), (7, 9), (1, 60), (1_000, 1)] {
            let rate = Rate { per_minute, burst: 0 };
            let (empty, taken) = drained(Bucket::new(rate, at(0)), rate, at(0));
            assert_eq!((taken, empty.take(rate, at(0)).1), (per_minute, Err(wait)));
            let then = at(wait * Timestamp::MICROS_PER_SECOND);
            assert_eq!(empty.take(rate, then).1, Ok(()), "{per_minute}");
        }
        let slow = Rate {
            per_minute: 1,
            burst: 0,
        };
        let (empty, _) = drained(Bucket::new(slow, at(0)), slow, at(0));
        assert_eq!(empty.take(slow, at(59_999_999)).1, Err(1));
    }

    #[test]
    fn a_clock_that_was_set_back_brings_nothing() {
        let (empty, _) = drained(Bucket::new(RATE, at(0)), RATE, at(0));
        let (back, verdict) = empty.take(RATE, at(-1_000_000_000));
        assert!(verdict.is_err());
        assert_eq!(drained(back, RATE, at(-1_000_000_000)).1, 0);
    }

    proptest! {
        #[test]
        fn nobody_ever_takes_more_than_the_rate_and_the_burst(
            steps in prop::collection::vec(0i64..5_000_000, 1..200), per_minute in 1u32..2_000, burst in 0u32..50,
        ) {
            let rate = Rate { per_minute, burst };
            let (mut bucket, mut now, mut taken) = (Bucket::new(rate, at(0)), 0, 0u32);
            for step in steps {
                now += step;
                let (next, some) = drained(bucket, rate, at(now));
                bucket = next;
                taken += some;
            }
            let brought = i128::from(per_minute) * i128::from(now) / 60_000_000;
            prop_assert!(i128::from(taken) <= i128::from(per_minute) + i128::from(burst) + brought);
        }
    }
}
