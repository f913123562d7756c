//! In which window does an instant count, and when does that window end?
//!
//! Calendar windows are half-open `[start, end)` days, weeks or months of an IANA zone, so
//! a day may last 23, 24 or 25 hours. Rolling windows move in [`STEPS`] steps: amounts are counted per
//! step, and every step that overlaps the last `seconds` counts in full. No interval of that length can
//! therefore hold more than the maximum, and an amount leaves at most one step later than it could.

mod weekday;

use alloc::string::String;

use crate::time::Timestamp;
use crate::wire::wire_enum;
use crate::zone::Zone;

pub use self::weekday::Weekday;

/// In how many steps a rolling window moves.
pub const STEPS: i64 = 60;

wire_enum! {
    /// How often the counter of a budget starts again.
    ResetPeriod {
        /// At midnight.
        Daily,
        /// At midnight before the day on which the week begins.
        Weekly,
        /// At midnight before the first day of the month.
        Monthly,
        /// Never.
        None,
    }
}

/// Over which time a limit counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowSpec {
    /// From one reset to the next, in the calendar of a zone.
    Calendar {
        /// How often it resets.
        period: ResetPeriod,
        /// Whose midnight.
        zone: Zone,
        /// On which day a week begins; Monday where the period is no week.
        week_start: Weekday,
    },
    /// The last so many seconds, always.
    Rolling {
        /// Length in seconds, at least 1.
        seconds: u32,
    },
    /// Nothing is counted: every single run is held against the maximum.
    PerRun,
}

/// One counter's span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// First instant.
    pub start: Timestamp,
    /// First instant that is no longer part of it; none if it never ends.
    pub end: Option<Timestamp>,
}

impl Window {
    /// The window of a limit that never resets.
    pub const FOREVER: Self = Self {
        start: Timestamp::from_micros(0),
        end: None,
    };

    /// Whether the instant falls into the window.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && self.end.is_none_or(|end| at < end)
    }
}

impl WindowSpec {
    /// The window (for rolling ones: the step) in which an amount taken at `at` is counted.
    pub fn window_at(&self, at: Timestamp) -> Window {
        match self {
            Self::Calendar {
                period,
                zone,
                week_start,
            } => calendar_window(*period, zone, *week_start, at),
            Self::Rolling { seconds } => {
                let step = step_micros(*seconds);
                let start = at.as_micros().div_euclid(step) * step;
                Window {
                    start: Timestamp::from_micros(start),
                    end: Some(Timestamp::from_micros(start.saturating_add(step))),
                }
            }
            Self::PerRun => Window::FOREVER,
        }
    }

    /// The start of the oldest counter that still counts at `at`.
    pub fn counted_since(&self, at: Timestamp) -> Timestamp {
        match self {
            Self::Rolling { seconds } => self.window_at(at.plus_seconds(-i64::from(*seconds))).start,
            Self::Calendar { .. } | Self::PerRun => self.window_at(at).start,
        }
    }

    /// The instant at which what the counter that started at `start` holds no longer counts.
    pub fn leaves_at(&self, start: Timestamp) -> Option<Timestamp> {
        let end = self.window_at(start).end?;
        match self {
            Self::Rolling { seconds } => Some(end.plus_seconds(i64::from(*seconds))),
            Self::Calendar { .. } | Self::PerRun => Some(end),
        }
    }

    /// The length of the window in seconds where it has one; months count as 30 days.
    pub fn nominal_seconds(&self) -> Option<i64> {
        match self {
            Self::Calendar {
                period: ResetPeriod::Daily,
                ..
            } => Some(86_400),
            Self::Calendar {
                period: ResetPeriod::Weekly,
                ..
            } => Some(7 * 86_400),
            Self::Calendar {
                period: ResetPeriod::Monthly,
                ..
            } => Some(30 * 86_400),
            Self::Calendar {
                period: ResetPeriod::None,
                ..
            }
            | Self::PerRun => None,
            Self::Rolling { seconds } => Some(i64::from(*seconds)),
        }
    }

    /// The IANA name of the zone of a calendar window.
    pub fn zone_name(&self) -> Option<String> {
        match self {
            Self::Calendar { zone, .. } => Some(String::from(zone.name())),
            Self::Rolling { .. } | Self::PerRun => None,
        }
    }
}

fn step_micros(seconds: u32) -> i64 {
    (i64::from(seconds.max(1)) * Timestamp::MICROS_PER_SECOND) / STEPS
}

fn calendar_window(period: ResetPeriod, zone: &Zone, week_start: Weekday, at: Timestamp) -> Window {
    let rules = zone.rules();
    let today = rules.to_datetime(at.to_jiff()).date();
    let bounds = match period {
        ResetPeriod::None => return Window::FOREVER,
        ResetPeriod::Daily => today.tomorrow().map(|next| (today, next)),
        ResetPeriod::Weekly => {
            let since_start = i64::from(today.weekday().since(week_start.to_jiff()));
            today
                .checked_sub(jiff::Span::new().days(since_start))
                .and_then(|first| {
                    first
                        .checked_add(jiff::Span::new().days(7))
                        .map(|next| (first, next))
                })
        }
        ResetPeriod::Monthly => {
            let first = today.first_of_month();
            first
                .checked_add(jiff::Span::new().months(1))
                .map(|next| (first, next))
        }
    };
    let midnight = |date: jiff::civil::Date| {
        date.to_zoned(rules.clone())
            .map(|zoned| Timestamp::from_jiff(zoned.timestamp()))
    };
    // Only dates at the very end of the calendar (year 9999) have no successor.
    match bounds.and_then(|(first, next)| Ok((midnight(first)?, midnight(next)?))) {
        Ok((start, end)) => Window {
            start,
            end: Some(end),
        },
        Err(_) => Window::FOREVER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn calendar(period: ResetPeriod, zone: &str) -> WindowSpec {
        WindowSpec::Calendar {
            period,
            zone: zone.parse().unwrap(),
            week_start: Weekday::Monday,
        }
    }

    fn check(spec: &WindowSpec, now: &str, start: &str, end: &str) {
        let window = spec.window_at(at(now));
        assert_eq!(
            (window.start, window.end),
            (at(start), Some(at(end))),
            "{spec:?} at {now}"
        );
    }

    #[test]
    fn a_week_begins_at_midnight_of_its_first_day() {
        let week = |week_start| WindowSpec::Calendar {
            period: ResetPeriod::Weekly,
            zone: "America/New_York".parse().unwrap(),
            week_start,
        };
        // 2026-03-08, the Sunday on which summer time begins there.
        let sunday = week(Weekday::Sunday);
        check(
            &sunday,
            "2026-03-08T05:00:00Z",
            "2026-03-08T05:00:00Z",
            "2026-03-15T04:00:00Z",
        );
        check(
            &sunday,
            "2026-03-08T04:59:59Z",
            "2026-03-01T05:00:00Z",
            "2026-03-08T05:00:00Z",
        );
        let saturday = week(Weekday::Saturday);
        check(
            &saturday,
            "2026-03-08T05:00:00Z",
            "2026-03-07T05:00:00Z",
            "2026-03-14T04:00:00Z",
        );
        let monday = week(Weekday::Monday);
        check(
            &monday,
            "2026-03-08T05:00:00Z",
            "2026-03-02T05:00:00Z",
            "2026-03-09T04:00:00Z",
        );
    }

    #[test]
    fn days_weeks_and_months_are_half_open() {
        let day = calendar(ResetPeriod::Daily, "UTC");
        check(
            &day,
            "2024-02-29T00:00:00Z",
            "2024-02-29T00:00:00Z",
            "2024-03-01T00:00:00Z",
        );
        check(
            &day,
            "2024-12-31T23:59:59.999999Z",
            "2024-12-31T00:00:00Z",
            "2025-01-01T00:00:00Z",
        );
        let week = calendar(ResetPeriod::Weekly, "UTC");
        check(
            &week,
            "2026-11-22T12:00:00Z",
            "2026-11-16T00:00:00Z",
            "2026-11-23T00:00:00Z",
        );
        check(
            &week,
            "2026-11-23T00:00:00Z",
            "2026-11-23T00:00:00Z",
            "2026-11-30T00:00:00Z",
        );
        let month = calendar(ResetPeriod::Monthly, "UTC");
        check(
            &month,
            "2026-12-31T23:59:59Z",
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        );
    }

    #[test]
    fn a_day_follows_the_clocks_of_its_zone() {
        let berlin = calendar(ResetPeriod::Daily, "Europe/Berlin");
        // 23 hours in spring, 25 in autumn.
        check(
            &berlin,
            "2026-03-29T12:00:00Z",
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        );
        check(
            &berlin,
            "2026-10-25T12:00:00Z",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        );
        let shanghai = calendar(ResetPeriod::Daily, "Asia/Shanghai");
        check(
            &shanghai,
            "2026-11-21T15:59:59Z",
            "2026-11-20T16:00:00Z",
            "2026-11-21T16:00:00Z",
        );
    }

    #[test]
    fn a_midnight_that_does_not_exist_starts_the_day_when_the_clocks_do() {
        // Cairo skips 00:00 to 01:00 on 2024-04-26.
        let cairo = calendar(ResetPeriod::Daily, "Africa/Cairo");
        check(
            &cairo,
            "2024-04-26T10:00:00Z",
            "2024-04-25T22:00:00Z",
            "2024-04-26T21:00:00Z",
        );
    }

    #[test]
    fn consecutive_windows_neither_overlap_nor_leave_a_gap() {
        for zone in [
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Africa/Cairo",
            "Pacific/Apia",
            "Asia/Kolkata",
        ] {
            for period in [ResetPeriod::Daily, ResetPeriod::Weekly, ResetPeriod::Monthly] {
                let spec = calendar(period, zone);
                let mut window = spec.window_at(at("2011-11-01T00:00:00Z"));
                for _ in 0..800 {
                    let end = window.end.unwrap();
                    assert!(
                        window.contains(Timestamp::from_micros(end.as_micros() - 1)) && !window.contains(end)
                    );
                    let next = spec.window_at(end);
                    assert_eq!(next.start, end, "{zone} {period:?}");
                    window = next;
                }
            }
        }
    }

    #[test]
    fn a_rolling_window_counts_every_step_that_overlaps_it() {
        let minute = WindowSpec::Rolling { seconds: 60 };
        let now = at("2026-11-21T10:00:30.5Z");
        assert_eq!(minute.window_at(now).start, at("2026-11-21T10:00:30Z"));
        assert_eq!(minute.counted_since(now), at("2026-11-21T09:59:30Z"));
        let oldest = minute.counted_since(now);
        assert_eq!(minute.leaves_at(oldest), Some(at("2026-11-21T10:00:31Z")));
        assert!(minute.counted_since(at("2026-11-21T10:00:31Z")) > oldest);
    }

    #[test]
    fn what_never_resets_has_one_window() {
        let spec = calendar(ResetPeriod::None, "UTC");
        assert_eq!(spec.window_at(at("2026-11-21T10:00:00Z")), Window::FOREVER);
        assert_eq!(spec.leaves_at(Window::FOREVER.start), None);
        assert_eq!(spec.zone_name().unwrap(), "UTC");
    }
}
