//! When is it, and how is an instant written?
//!
//! Instants are whole microseconds since 1970-01-01T00:00:00Z in an `i64`, in memory and in both
//! databases. Order between events never comes from here: that is what sequences are for.

use core::fmt;
use core::str::FromStr;

/// The source of "now". The only implementation outside of tests is `infra::clock::SystemClock`.
pub trait Clock: Send + Sync {
    /// The current instant; never earlier than one it gave before.
    fn now(&self) -> Timestamp;
}

/// An instant in microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 time with a zone, such as 2026-11-21T09:30:00Z")]
pub struct TimestampError;

impl Timestamp {
    /// Microseconds in one second.
    pub const MICROS_PER_SECOND: i64 = 1_000_000;
    const MICROS_PER_DAY: i64 = 86_400 * Self::MICROS_PER_SECOND;

    /// The instant this many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The same without the microseconds, which are lost where a time is written down and read again.
    #[must_use]
    pub const fn whole_millis(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(1000)))
    }

    /// The instant this many milliseconds later (earlier if negative); saturates.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis.saturating_mul(1000)))
    }

    /// The instant this many seconds later (earlier if negative); saturates.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(
            self.0
                .saturating_add(seconds.saturating_mul(Self::MICROS_PER_SECOND)),
        )
    }

    /// Whole milliseconds from `earlier` to this instant, negative if it is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0) / 1000
    }

    /// Seconds from now until this instant, rounded up and never negative, as `Retry-After` wants them.
    pub const fn seconds_until_from(self, now: Self) -> i64 {
        let micros = self.0.saturating_sub(now.0);
        if micros <= 0 {
            0
        } else {
            (micros - 1) / Self::MICROS_PER_SECOND + 1
        }
    }

    /// Its day: the number of days since 1970-01-01 (UTC).
    pub const fn day(self) -> i64 {
        self.0.div_euclid(Self::MICROS_PER_DAY)
    }

    /// The first instant of a day (UTC); saturates.
    pub const fn start_of_day(day: i64) -> Self {
        Self(day.saturating_mul(Self::MICROS_PER_DAY))
    }

    pub(crate) fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    pub(crate) fn from_jiff(at: jiff::Timestamp) -> Self {
        Self(at.as_microsecond())
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds: `2026-11-21T09:30:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_jiff())
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        // jiff takes a leap second for the one before it, and has a year 0 and years before it: nobody means those.
        if text.contains(":60") || text.starts_with("0000") || text.starts_with(['-', '+']) {
            return Err(TimestampError);
        }
        text.parse::<jiff::Timestamp>()
            .map(Self::from_jiff)
            .ok()
            .ok_or(TimestampError)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
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
    fn an_instant_is_written_in_utc_with_milliseconds() {
        let at = Timestamp::from_micros(1_763_717_400_123_456);
        assert_eq!(at.to_string(), "2025-11-21T09:30:00.123Z");
        assert_eq!("2025-11-21T10:30:00.123456+01:00".parse(), Ok(at));
    }

    #[test]
    fn a_time_without_a_zone_or_outside_the_calendar_is_refused() {
        for bad in [
            "2026-02-30T00:00:00Z",
            "2026-01-01T25:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01",
            "2016-12-31T23:59:60Z",
            "0000-01-01T00:00:00Z",
            "-000001-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "soon",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(TimestampError), "{bad}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_utc_also_before_1970() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        assert_eq!(
            at("2026-11-22T00:00:00Z").day(),
            at("2026-11-22T23:59:59.999Z").day()
        );
        assert_eq!(
            at("2026-11-21T23:59:59.999Z").day(),
            at("2026-11-22T00:00:00Z").day() - 1
        );
        assert_eq!(
            Timestamp::start_of_day(at("2026-11-22T09:30:00Z").day()),
            at("2026-11-22T00:00:00Z")
        );
        assert_eq!(
            (Timestamp::from_micros(-1).day(), Timestamp::from_micros(0).day()),
            (-1, 0)
        );
    }

    #[test]
    fn the_wait_is_rounded_up_to_whole_seconds() {
        let now = Timestamp::from_micros(10);
        assert_eq!(Timestamp::from_micros(10).seconds_until_from(now), 0);
        assert_eq!(Timestamp::from_micros(11).seconds_until_from(now), 1);
        assert_eq!(Timestamp::from_micros(1_000_010).seconds_until_from(now), 1);
        assert_eq!(Timestamp::from_micros(1_000_011).seconds_until_from(now), 2);
        assert_eq!(Timestamp::from_micros(0).seconds_until_from(now), 0);
    }
}
