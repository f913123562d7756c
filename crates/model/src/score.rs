//! How sure is it, to the millionth?

use core::fmt;

/// A number from 0 to 1 in millionths, written as a whole number: scores that are hashed have no digits to argue about.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Score(u32);

impl Score {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// All.
    pub const ONE: Self = Self(1_000_000);

    /// So many millionths, at most a million.
    pub const fn new(millionths: u32) -> Self {
        Self(if millionths > 1_000_000 {
            1_000_000
        } else {
            millionths
        })
    }

    /// Its millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// `part` of `whole`, rounded down and at most 1; nothing of nothing is 0.
    pub fn of(part: u64, whole: u64) -> Self {
        let share = u128::from(part).saturating_mul(1_000_000);
        let share = share.checked_div(u128::from(whole)).unwrap_or(0);
        Self(u32::try_from(share.min(1_000_000)).unwrap_or(1_000_000))
    }

    /// This share of that one, rounded down.
    #[must_use]
    pub fn times(self, weight: Self) -> Self {
        Self::of(
            u64::from(self.0).saturating_mul(u64::from(weight.0)),
            1_000_000_000_000,
        )
    }

    /// Both together, at most 1.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::new(self.0.saturating_add(other.0))
    }

    /// What is missing to 1.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(1_000_000_u32.saturating_sub(self.0))
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Debug for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> serde::Deserialize<'de> for Score {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let millionths = u32::deserialize(deserializer)?;
        if millionths > 1_000_000 {
            return Err(serde::de::Error::custom("expected 0 to 1000000 millionths"));
        }
        Ok(Self(millionths))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn millionths_are_exact_and_never_rounded_up() {
        assert_eq!(Score::of(1, 3).millionths(), 333_333);
        assert_eq!(Score::of(2, 3).millionths(), 666_666);
        assert_eq!(Score::of(5, 0), Score::ZERO);
        assert_eq!(Score::of(u64::MAX, 1), Score::ONE);
        assert_eq!(
            Score::new(850_000).times(Score::new(250_000)),
            Score::new(212_500)
        );
        assert_eq!(Score::new(333_333).times(Score::new(1)), Score::ZERO);
        assert_eq!(Score::ONE.times(Score::ONE), Score::ONE);
        assert_eq!(Score::ONE.plus(Score::new(1)), Score::ONE);
        assert_eq!(Score::new(400_000).rest(), Score::new(600_000));
        assert_eq!(Score::new(7_000_000), Score::ONE);
    }

    #[test]
    fn a_score_is_written_as_a_whole_number() {
        let written = serde_json::to_string(&Score::new(622_500)).unwrap();
        assert_eq!(written, "622500");
        assert_eq!(
            serde_json::from_str::<Score>(&written).unwrap(),
            Score::new(622_500)
        );
        for bad in ["1000001", "-1", "0.5", "\"1\""] {
            assert!(serde_json::from_str::<Score>(bad).is_err(), "{bad}");
        }
        assert_eq!(Score::new(622_500).to_string(), "0.622500");
    }
}
