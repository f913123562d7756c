//! How large is a share or a confidence, exactly?

use core::fmt;
use core::str::FromStr;

/// A number from 0.000 to 1.000 in thousandths: a score, a share, a confidence.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permille(u16);

/// The text is not a number from 0.000 to 1.000 with at most three digits after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a number from 0.000 to 1.000")]
pub struct PermilleError;

impl Permille {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// All.
    pub const ONE: Self = Self(1000);

    /// So many thousandths, at most a thousand.
    pub const fn new(thousandths: u16) -> Self {
        Self(if thousandths > 1000 { 1000 } else { thousandths })
    }

    /// Its thousandths.
    pub const fn thousandths(self) -> u16 {
        self.0
    }

    /// `part` of `whole`, rounded down, so that only all of it is 1.000; nothing of nothing is 0.
    pub fn of(part: u64, whole: u64) -> Self {
        let share = u128::from(part)
            .saturating_mul(1000)
            .checked_div(u128::from(whole))
            .unwrap_or(0);
        Self(u16::try_from(share.min(1000)).unwrap_or(1000))
    }
}

impl fmt::Display for Permille {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

impl fmt::Debug for Permille {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Permille {
    type Err = PermilleError;

    fn from_str(text: &str) -> Result<Self, PermilleError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() != 1 || part.len() > 3 || !digits(whole) || !digits(part) {
            return Err(PermilleError);
        }
        let value = |text: &str| text.parse::<u16>().ok();
        let scale = match part.len() {
            1 => 100,
            2 => 10,
            _ => 1,
        };
        match (value(whole), value(part)) {
            (Some(0), Some(part)) => Ok(Self(part * scale)),
            (Some(1), Some(0)) => Ok(Self::ONE),
            _ => Err(PermilleError),
        }
    }
}

impl serde::Serialize for Permille {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Permille {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn thousandths_are_written_as_a_decimal_and_read_back() {
        for (thousandths, text) in [(0, "0.000"), (7, "0.007"), (600, "0.600"), (1000, "1.000")] {
            assert_eq!(Permille::new(thousandths).to_string(), text);
            assert_eq!(text.parse(), Ok(Permille::new(thousandths)));
        }
        assert_eq!("0.5".parse(), Ok(Permille::new(500)));
        assert_eq!("1".parse(), Ok(Permille::ONE));
        for bad in ["", ".", "1.001", "2", "-0.1", "0.", "0.1234", "+1", "0.x", "00.1"] {
            assert_eq!(bad.parse::<Permille>(), Err(PermilleError), "{bad}");
        }
    }

    #[test]
    fn only_all_of_it_is_one() {
        assert_eq!(Permille::of(9_999, 10_000), Permille::new(999));
        assert_eq!(Permille::of(3, 3), Permille::ONE);
        assert_eq!(Permille::of(0, 0), Permille::ZERO);
        assert_eq!(Permille::of(u64::MAX, 1), Permille::ONE);
    }
}
