//! How is an exact amount written as a JSON number?

use model::limit::{LimitType, Unit};
use model::money::NanoUsd;
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

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.unit {
            Unit::NanoUsd => Usd(NanoUsd(self.value)).serialize(serializer),
            Unit::Tokens | Unit::Requests | Unit::Milliseconds | Unit::Percent => {
                serializer.serialize_i64(self.value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
