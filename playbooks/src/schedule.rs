//! `trigger.schedule`: at which moments a playbook starts by the clock.
//!
//! Owns the arithmetic of times. Reads no clock: whether a moment has come and what was started is
//! the host's knowledge.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::duration::Span;

/// Times of day of one schedule, at most.
pub const TIMES_OF_DAY_MAX: usize = 24;
/// The shortest `every`. What must be looked at more often is an alert, not a schedule.
pub const EVERY_MIN: Span = Span::minutes(1);
/// The longest `every`.
pub const EVERY_MAX: Span = Span::days(31);

/// When a playbook starts by the clock, once for each entity that has it turned on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// At every multiple of this, counted from 1970-01-01T00:00Z.
    Every(Span),
    /// At these times of every day.
    At {
        /// The times, as a clock on the wall shows them.
        times: Vec<TimeOfDay>,
        /// The IANA time zone; the entity's when left out.
        zone: Option<String>,
    },
}

/// A time of day, `07:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    hour: i8,
    minute: i8,
}

/// Why a text is not a time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time of day; write it as \"07:30\", in quotes")]
pub struct NotATimeOfDay(String);

impl FromStr for TimeOfDay {
    type Err = NotATimeOfDay;

    fn from_str(text: &str) -> Result<Self, NotATimeOfDay> {
        let refuse = || NotATimeOfDay(text.chars().take(20).collect());
        let digits = |part: &str| {
            let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            if plain { part.parse::<i8>().ok() } else { None }
        };
        let (hour, minute) = text.split_once(':').ok_or_else(refuse)?;
        let (hour, minute) = digits(hour).zip(digits(minute)).ok_or_else(refuse)?;
        if hour > 23 || minute > 59 {
            return Err(refuse());
        }
        Ok(Self { hour, minute })
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl TimeOfDay {
    /// The moment on a day. A time that the clock jumps over comes as much later as it jumps; one
    /// that comes twice is the first of the two: every time comes once a day.
    fn on(self, day: Date, zone: &TimeZone) -> Option<Timestamp> {
        let time = Time::new(self.hour, self.minute, 0, 0).ok()?;
        let moment = zone
            .to_ambiguous_zoned_datetime(day.to_datetime(time))
            .compatible()
            .ok()?;
        Some(moment.timestamp())
    }
}

impl Schedule {
    /// The newest moment up to now.
    ///
    /// `entity_zone` is the zone of the entity, used where the schedule names none. `None` when there
    /// is no such zone.
    pub fn last_due(&self, now: Timestamp, entity_zone: &str) -> Option<Timestamp> {
        match self {
            Self::Every(span) => {
                let step = span.as_milliseconds().max(1);
                let since = now.as_millisecond().rem_euclid(step);
                Timestamp::from_millisecond(now.as_millisecond() - since).ok()
            }
            Self::At { times, zone } => {
                let zone = zone_of(zone.as_deref(), entity_zone)?;
                moments_around(times, now, &zone)
                    .filter(|moment| *moment <= now)
                    .max()
            }
        }
    }

    /// The first moment after now. See [`Self::last_due`].
    pub fn next_due(&self, now: Timestamp, entity_zone: &str) -> Option<Timestamp> {
        match self {
            Self::Every(span) => {
                let step = SignedDuration::from_millis(span.as_milliseconds());
                self.last_due(now, entity_zone)?.checked_add(step).ok()
            }
            Self::At { times, zone } => {
                let zone = zone_of(zone.as_deref(), entity_zone)?;
                moments_around(times, now, &zone)
                    .filter(|moment| *moment > now)
                    .min()
            }
        }
    }
}

fn zone_of(named: Option<&str>, entity_zone: &str) -> Option<TimeZone> {
    TimeZone::get(named.unwrap_or(entity_zone)).ok()
}

/// Every moment of yesterday, today and tomorrow, as the zone has them.
fn moments_around<'t>(
    times: &'t [TimeOfDay],
    now: Timestamp,
    zone: &'t TimeZone,
) -> impl Iterator<Item = Timestamp> + 't {
    let today = zone.to_datetime(now).date();
    let days = [-1_i64, 0, 1].map(|away| today.checked_add(away.days()).ok());
    days.into_iter()
        .flatten()
        .flat_map(move |day| times.iter().filter_map(move |time| time.on(day, zone)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn daily(times: &[&str]) -> Schedule {
        Schedule::At {
            times: times.iter().map(|time| time.parse().unwrap()).collect(),
            zone: None,
        }
    }

    const PARIS: &str = "Europe/Paris";

    #[test]
    fn every_is_counted_from_a_fixed_moment() {
        let schedule = Schedule::Every(Span::minutes(15));
        let now = at("2026-11-25T07:37:12Z");
        assert_eq!(schedule.last_due(now, PARIS), Some(at("2026-11-25T07:30:00Z")));
        assert_eq!(schedule.next_due(now, PARIS), Some(at("2026-11-25T07:45:00Z")));
        let sharp = at("2026-11-25T07:45:00Z");
        assert_eq!(schedule.last_due(sharp, PARIS), Some(sharp));
        assert_eq!(schedule.next_due(sharp, PARIS), Some(at("2026-11-25T08:00:00Z")));
    }

    #[test]
    fn times_of_day_are_those_of_the_zone() {
        let schedule = daily(&["07:30", "19:00"]);
        let now = at("2026-11-25T08:00:00Z");
        assert_eq!(schedule.last_due(now, PARIS), Some(at("2026-11-25T06:30:00Z")));
        assert_eq!(schedule.next_due(now, PARIS), Some(at("2026-11-25T18:00:00Z")));
        let early = at("2026-11-25T03:00:00Z");
        assert_eq!(
            schedule.last_due(early, PARIS),
            Some(at("2026-11-24T18:00:00Z")),
            "yesterday"
        );
        assert_eq!(schedule.last_due(now, "Nowhere/Here"), None);
    }

    #[test]
    fn a_time_that_is_jumped_over_or_comes_twice_comes_once_that_day() {
        let schedule = daily(&["02:30"]);
        let all_of = |from: &str, until: &str| {
            let (mut now, mut found) = (at(from), Vec::new());
            while let Some(next) = schedule.next_due(now, PARIS).filter(|next| *next < at(until)) {
                assert_eq!(schedule.last_due(next, PARIS), Some(next));
                found.push(next.to_string());
                now = next;
            }
            found
        };
        // The last Sundays of March and October 2026.
        let spring = all_of("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
        assert_eq!(spring, ["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]);
        let autumn = all_of("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
        assert_eq!(autumn, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn a_time_of_day_is_two_and_two_digits() {
        for good in ["00:00", "07:30", "23:59"] {
            assert_eq!(
                good.parse::<TimeOfDay>().map(|time| time.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in ["", "7:30", "24:00", "12:60", "12:3", "+1:30", "12:30:00", "12h30"] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
    }
}
