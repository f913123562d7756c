//! How is an exact amount written as a JSON number?

use model::limit::{LimitType, Unit};
use model::money::NanoUsd;
use model::permille::Permille;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// USD as a JSON number with all its digits: `50`, `0.00045`. It never passes through a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usd(pub NanoUsd);

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.to_usd_string()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// An amount in the unit of its limit: USD for money, whole numbers for everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// The unit.
    pub unit: Unit,
    /// How much: nano-USD for money.
    pub value: i64,
}

impl Amount {
    /// An amount of what the type counts.
    pub const fn of(limit_type: LimitType, value: i64) -> Self {
        Self {
            unit: limit_type.unit(),
            value,
        }
    }

    /// The exact nano-USD as text, for money.
    pub fn nano_usd(self) -> Option<String> {
        (self.unit == Unit::NanoUsd).then(|| self.value.to_string())
    }
}

/// A share as a JSON number with four digits after the point: `1.0000`. It never passes through a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score(pub Permille);

impl Serialize for Score {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(format!("{}0", self.0)).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// A number of thousandths as a JSON number with three digits after the point: `1.250`. It never passes through a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milli(pub i64);

impl Serialize for Milli {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (whole, part) = (self.0.div_euclid(1_000), self.0.rem_euclid(1_000));
        let raw = RawValue::from_string(format!("{whole}.{part:03}")).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// A share as a JSON number with three digits after the point: `0.600`. It never passes through a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thousandths(pub Permille);

impl Serialize for Thousandths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// `part` of `whole` in whole percent, rounded down; 0 of nothing.
pub(crate) fn percent_of(part: i64, whole: i64) -> i64 {
    let percent = i128::from(part)
        .saturating_mul(100)
        .checked_div(i128::from(whole))
        .unwrap_or(0);
    i64::try_from(percent).unwrap_or(i64::MAX)
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.unit {
            Unit::NanoUsd => Usd(NanoUsd(self.value)).serialize(serializer),
            Unit::Tokens | Unit::Requests | Unit::Places | Unit::Milliseconds | Unit::Percent => {
                serializer.serialize_i64(self.value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_of_large_amounts_are_exact() {
        let usd = 1_000_000_000;
        assert_eq!(percent_of(400_000_000 * usd, 500_000_000 * usd), 80);
        assert_eq!((percent_of(1, 3), percent_of(1, 0)), (33, 0));
        assert_eq!(percent_of(i64::MAX, 1), i64::MAX);
    }

    #[test]
    fn money_is_written_with_all_its_digits_and_counts_are_whole() {
        let json = |limit_type, value| serde_json::to_string(&Amount::of(limit_type, value)).unwrap();
        assert_eq!(json(LimitType::CostUsd, 50_000_000_000), "50");
        assert_eq!(
            json(LimitType::CostUsd, 9_007_199_254_740_993),
            "9007199.254740993"
        );
        assert_eq!(json(LimitType::TokensTotal, 12), "12");
    }
}
