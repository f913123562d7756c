//! Which time zone does a calendar window live in?

use core::fmt;
use core::str::FromStr;

use crate::time::Timestamp;

/// An IANA time zone with its rules, such as `Europe/Berlin`.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(jiff::tz::TimeZone);

/// The name is not in the IANA time zone database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an IANA time zone name such as Europe/Berlin or UTC")]
pub struct ZoneError;

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(jiff::tz::TimeZone::UTC);

    /// The IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The hour (0 to 23) and the day of the week (1 is Monday, 7 is Sunday) of an instant in this zone.
    pub fn hour_and_weekday(&self, at: Timestamp) -> (i64, i64) {
        let local = at.to_jiff().to_zoned(self.rules());
        let weekday = local.weekday().to_monday_one_offset();
        (i64::from(local.hour()), i64::from(weekday))
    }

    pub(crate) fn rules(&self) -> jiff::tz::TimeZone {
        self.0.clone()
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, ZoneError> {
        if name == "UTC" {
            return Ok(Self::UTC);
        }
        jiff::tz::TimeZone::get(name)
            .ok()
            .filter(|zone| zone.iana_name().is_some())
            .map(Self)
            .ok_or(ZoneError)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.name(), f)
    }
}

impl serde::Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_and_the_day_are_those_of_the_zone() {
        // Friday, 2026-11-20T23:30Z.
        let at = Timestamp::from_micros(1_795_217_400_000_000);
        assert_eq!(Zone::UTC.hour_and_weekday(at), (23, 5));
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        assert_eq!(berlin.hour_and_weekday(at), (0, 6));
        let honolulu: Zone = "Pacific/Honolulu".parse().unwrap();
        assert_eq!(honolulu.hour_and_weekday(at), (13, 5));
    }
}
