//! How much money is it, exactly?
//!
//! Money is a whole number of nano-USD (1e-9 USD) in an `i64`: ±9.2 billion USD. Prices of single
//! tokens are whole or half nano-USD, so sums are exact. There are no floats here; the edge that
//! receives one from a price table rounds it once.

use alloc::string::{String, ToString as _};
use core::fmt;
use core::str::FromStr;

/// An amount of money in nano-USD.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

/// Why a text is not an amount of USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain decimal number such as `12.50`.
    #[error("expected a decimal number of USD such as 12.50")]
    Syntax,
    /// More than nine digits after the point: finer than a nano-USD.
    #[error("an amount of USD has at most 9 digits after the point")]
    Precision,
    /// Does not fit: the largest amount is 9,223,372,036 USD.
    #[error("the amount is too large")]
    Range,
}

impl NanoUsd {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount there is.
    pub const MAX: Self = Self(i64::MAX);
    /// Nano-USD in one USD.
    pub const PER_USD: i64 = 1_000_000_000;
    /// Nano-USD in one US cent.
    pub const PER_CENT: i64 = 10_000_000;

    /// The amount of whole USD, if it fits.
    pub const fn from_usd(usd: i64) -> Option<Self> {
        match usd.checked_mul(Self::PER_USD) {
            Some(nano) => Some(Self(nano)),
            None => None,
        }
    }

    /// The sum, if it fits.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nano) => Some(Self(nano)),
            None => None,
        }
    }

    /// The difference, if it fits.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(nano) => Some(Self(nano)),
            None => None,
        }
    }

    /// Whole cents, half a cent rounded away from zero, as the `*_cents` fields of the contract show them.
    pub const fn to_cents_half_up(self) -> i64 {
        let half = Self::PER_CENT / 2;
        let whole = self.0 / Self::PER_CENT;
        let rest = self.0 % Self::PER_CENT;
        if rest >= half {
            whole + 1
        } else if rest <= -half {
            whole - 1
        } else {
            whole
        }
    }

    /// The amount as a decimal text in USD without trailing zeros: `0.00045`, `50`.
    pub fn to_usd_string(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let whole = magnitude / Self::PER_USD.unsigned_abs();
        let fraction = magnitude % Self::PER_USD.unsigned_abs();
        if fraction == 0 {
            return alloc::format!("{sign}{whole}");
        }
        let digits = alloc::format!("{fraction:09}");
        alloc::format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Display for NanoUsd {
    /// The amount in USD with its sign: `$12.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_usd_string();
        match text.strip_prefix('-') {
            Some(rest) => write!(f, "-${rest}"),
            None => write!(f, "${text}"),
        }
    }
}

impl FromStr for NanoUsd {
    type Err = MoneyError;

    /// Reads a plain decimal number of USD (`12`, `12.50`, `-0.000000001`), exactly.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return Err(MoneyError::Syntax);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 9 {
            return Err(MoneyError::Precision);
        }
        let mut padded = fraction.to_string();
        while padded.len() < 9 {
            padded.push('0');
        }
        let whole: i64 = whole.parse().ok().ok_or(MoneyError::Range)?;
        let nano: i64 = padded.parse().ok().ok_or(MoneyError::Range)?;
        let total = whole
            .checked_mul(Self::PER_USD)
            .and_then(|w| w.checked_add(nano))
            .ok_or(MoneyError::Range)?;
        Ok(Self(if negative { -total } else { total }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usd_text_is_exact_in_both_directions() {
        for (text, nano) in [
            ("50", 50_000_000_000),
            ("0.00045", 450_000),
            ("-1.5", -1_500_000_000),
            ("0", 0),
        ] {
            assert_eq!(text.parse(), Ok(NanoUsd(nano)));
            assert_eq!(NanoUsd(nano).to_usd_string(), text);
        }
        assert_eq!("12.500000000000".parse(), Ok(NanoUsd(12_500_000_000)));
    }

    #[test]
    fn what_is_not_an_amount_says_why() {
        for bad in ["", "1,000", "1e3", "NaN", "+1", ".5", "1.", "--1", "1.2.3"] {
            assert_eq!(bad.parse::<NanoUsd>(), Err(MoneyError::Syntax), "{bad}");
        }
        assert_eq!("0.0000000001".parse::<NanoUsd>(), Err(MoneyError::Precision));
        assert_eq!("9223372037".parse::<NanoUsd>(), Err(MoneyError::Range));
        assert_eq!("99999999999999999999".parse::<NanoUsd>(), Err(MoneyError::Range));
    }

    #[test]
    fn cents_round_half_away_from_zero() {
        let cases = [
            (4_999_999, 0),
            (5_000_000, 1),
            (14_999_999, 1),
            (15_000_000, 2),
            (-5_000_000, -1),
        ];
        for (nano, cents) in cases {
            assert_eq!(NanoUsd(nano).to_cents_half_up(), cents, "{nano}");
        }
    }

    #[test]
    fn sums_that_do_not_fit_are_none() {
        assert_eq!(NanoUsd::MAX.checked_add(NanoUsd(1)), None);
        assert_eq!(NanoUsd(i64::MIN).checked_sub(NanoUsd(1)), None);
        assert_eq!(NanoUsd::from_usd(9_223_372_037), None);
    }
}
