//! How does a float become money, and how does a count become a float?
//!
//! The table computes in `f64` dollars. This is the only place where they become nano-USD, once per price.
//!
//! Nearly all rates are whole or half nano-USD per token, the finest are 0.001; so a sum of whole tokens is
//! a tie or at least 0.001 away from one. The error of the `f64` arithmetic is a few units in the last
//! place: below 0.000001 nano-USD for a call of one dollar, and growing with the amount. Hence the tolerance:
//! what is that close below a tie is a tie, and ties go up.

use model::money::NanoUsd;

const NANO_PER_USD: f64 = 1e9;
/// The smallest tolerance in nano-USD; from one dollar on it is four units in the last place.
const TOLERANCE: f64 = 1e-6;
/// 2⁶², well below `i64::MAX`: 4.6 billion USD.
const LARGEST: f64 = 4_611_686_018_427_387_904.0;

/// The nearest nano-USD; ties go up.
pub(super) fn nearest(usd: f64) -> Option<NanoUsd> {
    let nano = usd * NANO_PER_USD;
    whole((nano + 0.5 + tolerance(nano)).floor()).map(NanoUsd)
}

/// The next nano-USD that is not less; never less than [`nearest`] of the same amount.
pub(super) fn up(usd: f64) -> Option<NanoUsd> {
    let nano = usd * NANO_PER_USD;
    whole((nano - tolerance(nano)).ceil()).map(NanoUsd)
}

/// The whole number that this float is, if it is one that is not negative.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "whole and in range, and there is no other conversion"
)]
pub(super) fn whole(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && (0.0..=LARGEST).contains(&number);
    fits.then_some(number as i64)
}

/// A count as a float; exact up to 2⁵³. What is negative counts as nothing.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "there is no other conversion; 2⁵³ tokens do not exist"
)]
pub(super) fn float(count: i64) -> f64 {
    count.max(0) as f64
}

fn tolerance(nano: f64) -> f64 {
    TOLERANCE.max(nano * 4.0 * f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_up_and_everything_else_to_the_nearest() {
        // Half nano-USD per token: every odd count is a tie, and `f64` gets near it from both sides.
        for rate in [0.5_f64, 37.5, 2500.5] {
            for count in (1_i64..2_000_001).step_by(1_999) {
                let exact = whole(rate * 2.0).unwrap() * count;
                let usd = (rate / 1000.0) * float(count) / 1e6;
                assert_eq!(nearest(usd), Some(NanoUsd((exact + 1) / 2)), "{rate} {count}");
                assert_eq!(up(usd), nearest(usd));
            }
        }
        // The finest rates of the table: 3.625 and 0.003 nano-USD per token.
        assert_eq!(nearest(0.003_625 * 3.0 / 1e6), Some(NanoUsd(11)));
        assert_eq!(nearest(0.000_003 * 166.0 / 1e6), Some(NanoUsd(0)));
        assert_eq!(up(0.000_003 * 166.0 / 1e6), Some(NanoUsd(1)));
        assert_eq!(nearest(0.000_003 * 167.0 / 1e6), Some(NanoUsd(1)));
    }

    #[test]
    fn what_is_not_an_amount_is_none() {
        for bad in [f64::NAN, f64::INFINITY, -1.0, 1e10] {
            assert_eq!((nearest(bad), up(bad)), (None, None), "{bad}");
        }
        assert_eq!((nearest(0.0), up(0.0)), (Some(NanoUsd(0)), Some(NanoUsd(0))));
        assert_eq!((whole(1.5), whole(-1.0), whole(7.0)), (None, None, Some(7)));
    }
}
