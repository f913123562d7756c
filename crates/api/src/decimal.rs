//! How is an amount of money read from JSON?

use model::money::{MoneyError, NanoUsd};
use serde::Deserialize;
use serde::de::Error as _;

/// Exponents beyond this are out of range whatever stands before them.
const EXPONENT_MAX: i32 = 40;

/// A decimal number of USD, written as a JSON number or as text, without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal(pub(crate) NanoUsd);

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        // A zero with a sign is a rounding error of whoever sends it.
        if text.starts_with('-') && read(text) == Ok(NanoUsd::ZERO) {
            return Err(D::Error::custom("expected an amount without a sign"));
        }
        // Only what begins like this is repeated to the client (see `body`).
        read(text).map(Self).map_err(|error| match error {
            MoneyError::Syntax => D::Error::custom("expected a decimal number of USD such as 12.50"),
            MoneyError::Precision => D::Error::custom("expected at most 9 digits after the point"),
            MoneyError::Range => D::Error::custom("expected a smaller amount"),
        })
    }
}

/// Reads `12.5` and, as many languages write small numbers, `1.25e-05`.
fn read(text: &str) -> Result<NanoUsd, MoneyError> {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return text.parse();
    };
    let exponent: i32 = exponent.parse().ok().ok_or(MoneyError::Syntax)?;
    if exponent.abs() > EXPONENT_MAX {
        return Err(MoneyError::Range);
    }
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || digits.ends_with('.') {
        return Err(MoneyError::Syntax);
    }
    let point = i32::try_from(whole.len())
        .unwrap_or(i32::MAX)
        .saturating_add(exponent);
    let all = format!("{whole}{fraction}");
    let plain = match usize::try_from(point) {
        // The point is behind all digits, or among them.
        Ok(point) if point >= all.len() => format!("{all:0<point$}"),
        Ok(point) if point > 0 => {
            let (whole, fraction) = all.split_at_checked(point).ok_or(MoneyError::Syntax)?;
            format!("{whole}.{fraction}")
        }
        _ => {
            let zeros = usize::try_from(point.unsigned_abs()).unwrap_or(usize::MAX);
            format!("0.{}{all}", "0".repeat(zeros))
        }
    };
    format!("{sign}{plain}").parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_without_loss_however_they_are_written() {
        for (text, nano) in [
            ("50", 50_000_000_000),
            ("5e1", 50_000_000_000),
            ("5E+1", 50_000_000_000),
            ("1.25e-05", 12_500),
            ("0.0125e1", 125_000_000),
            ("12.5e0", 12_500_000_000),
            ("1e-9", 1),
            ("-1.5e1", -15_000_000_000),
            ("0e5", 0),
        ] {
            assert_eq!(read(text), Ok(NanoUsd(nano)), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "1e400", "1e30", "1e-10", "1e", "e5", ".5e1", "5.e1", "1e5.5", "--1e1", "1,000", "NaN", "",
            "1e+", "é.e1", "1.é5e1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        for json in ["-0", "-0.0", "-0e3", "true", "null", "[1]", "\"\""] {
            assert!(serde_json::from_str::<Decimal>(json).is_err(), "{json}");
        }
    }
}
