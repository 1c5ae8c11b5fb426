//! Functions over times and durations.
//!
//! Owns time zones: names of the IANA database, UTC when none is given. Never reads a clock.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::lists::time_of;
use super::{Function, Given, TimePart, Trouble};
use crate::duration::Span;

pub(super) fn apply(function: Function, given: &[Given<'_>]) -> Result<Value, Trouble> {
    match (function, given) {
        (Function::Days, [count]) => span(*count, Span::days(1)),
        (Function::Hours, [count]) => span(*count, Span::hours(1)),
        (Function::Minutes, [count]) => span(*count, Span::minutes(1)),
        (Function::Duration, [text]) => {
            let written = text.text()?;
            let parsed = parse_duration(written)
                .ok_or_else(|| Trouble::failed("a duration is written like '90s', '1h30m' or '7d'"))?;
            Ok(Value::String(parsed.to_string()))
        }
        (Function::Timestamp, [text]) => {
            let time = time_of(text.value).map_err(Trouble::Failed)?;
            Ok(Value::String(time.to_string()))
        }
        (Function::TimePart(part), [time, zone @ ..]) => {
            let zone = zone
                .first()
                .map_or(Ok(TimeZone::UTC), |zone| zone_named(zone.text()?))?;
            let zoned = time_of(time.value)
                .map_err(Trouble::Failed)?
                .to_zoned_datetime(zone);
            Ok(Value::from(part_of(part, &zoned)))
        }
        (Function::LocalTime, [time, zone]) => {
            let time = time_of(time.value).map_err(Trouble::Failed)?;
            local_time(time, zone.text()?)
                .map(Value::String)
                .map_err(Trouble::Failed)
        }
        (function, _) => Err(Trouble::Failed(format!("write {}", function.usage()))),
    }
}

fn span(count: Given<'_>, unit: Span) -> Result<Value, Trouble> {
    let length = count
        .int()?
        .checked_mul(unit.as_milliseconds())
        .ok_or_else(|| Trouble::failed("the duration is too long"))?;
    Ok(Value::String(Span::milliseconds(length).to_string()))
}

/// `1h30m`, `90s`, `7d`.
pub(in crate::expression) fn parse_duration(text: &str) -> Option<Span> {
    const PARTS_MAX: usize = 5;
    let mut rest = text;
    let mut total = 0_i64;
    for _ in 0..PARTS_MAX {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest
            .get(digits..)?
            .bytes()
            .take_while(u8::is_ascii_alphabetic)
            .count();
        let part = crate::values::parse_span(rest.get(..digits + letters)?)?;
        total = total.checked_add(part.as_milliseconds())?;
        rest = rest.get(digits + letters..)?;
        if rest.is_empty() {
            return Some(Span::milliseconds(total));
        }
    }
    None
}

fn zone_named(name: &str) -> Result<TimeZone, Trouble> {
    TimeZone::get(name).map_err(|_| {
        Trouble::Failed(format!(
            "there is no time zone `{}`",
            name.chars().take(40).collect::<String>()
        ))
    })
}

/// A time for people, `2026-03-02 04:10 CET`.
pub(crate) fn local_time(time: jiff::Timestamp, zone: &str) -> Result<String, String> {
    let zone = match zone_named(zone) {
        Ok(zone) => zone,
        Err(Trouble::Failed(why)) => return Err(why),
        Err(Trouble::Empty) => return Err("a time zone is needed".to_owned()),
    };
    Ok(time
        .to_zoned_datetime(zone)
        .strftime("%Y-%m-%d %H:%M %Z")
        .to_string())
}

fn part_of(part: TimePart, time: &jiff::ZonedDateTime) -> i64 {
    match part {
        TimePart::FullYear => i64::from(time.year()),
        TimePart::Month => i64::from(time.month()) - 1,
        TimePart::Date => i64::from(time.day()),
        TimePart::DayOfMonth => i64::from(time.day()) - 1,
        TimePart::DayOfWeek => i64::from(time.weekday().to_sunday_zero_offset()),
        TimePart::DayOfYear => i64::from(time.day_of_year()) - 1,
        TimePart::Hours => i64::from(time.hour()),
        TimePart::Minutes => i64::from(time.minute()),
        TimePart::Seconds => i64::from(time.second()),
        TimePart::Milliseconds => i64::from(time.millisecond()),
    }
}
