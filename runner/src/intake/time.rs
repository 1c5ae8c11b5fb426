//! One tolerant reader of the many spellings of a time.
//!
//! The raw text stays in the alert; incidents are ordered by when they were received, so a wrong
//! clock at a source harms nobody.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use serde_json::Value;

/// Characters of a time.
const TIME_CHARACTERS_MAX: usize = 100;
/// From this year on a time means "never" (`9999-12-31`).
const NEVER_YEAR: i16 = 9000;

/// Above these, a number counts milliseconds, microseconds, nanoseconds.
const MILLISECONDS_FROM: f64 = 1e11;
const MICROSECONDS_FROM: f64 = 1e14;
const NANOSECONDS_FROM: f64 = 1e17;

/// The time a value stands for: RFC 3339 and its relatives (no zone means UTC, `+0300`, 0 to 9
/// digits of fraction, a space for the `T`), RFC 5322 dates, day-month-year with a month's name,
/// and numbers or texts of digits that count seconds, milliseconds, microseconds or nanoseconds
/// since 1970. `None` when it is no time, or means "never".
pub fn parse(value: &Value) -> Option<Timestamp> {
    let time = match value {
        Value::Number(number) => number.as_i64().map_or_else(|| fraction(number.as_f64()?), whole),
        Value::String(text) => parse_text(text.trim()),
        _ => None,
    }?;
    let year = Offset::UTC.to_datetime(time).year();
    (1970..NEVER_YEAR).contains(&year).then_some(time)
}

fn parse_text(text: &str) -> Option<Timestamp> {
    if text.is_empty() || text.len() > TIME_CHARACTERS_MAX {
        return None;
    }
    if let Ok(number) = text.parse::<i64>() {
        return whole(number);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return fraction(text.parse().ok()?);
    }
    let text = without_zone_name(text);
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| civil(text))
        .or_else(|| {
            jiff::fmt::rfc2822::parse(text)
                .ok()
                .map(|zoned| zoned.timestamp())
        })
        .or_else(|| with_month_name(text))
}

/// Without ` (UTC)`, ` UTC` or ` GMT` at the end, which all mean what no zone means.
fn without_zone_name(text: &str) -> &str {
    ["(UTC)", "UTC", "GMT"]
        .iter()
        .find_map(|zone| text.strip_suffix(zone))
        .unwrap_or(text)
        .trim_end()
}

fn civil(text: &str) -> Option<Timestamp> {
    let slashed = text.replacen('/', "-", 2);
    let time = slashed
        .parse::<DateTime>()
        .or_else(|_| {
            slashed
                .parse::<Date>()
                .map(|date| date.to_datetime(jiff::civil::Time::midnight()))
        })
        .ok()?;
    Offset::UTC.to_timestamp(time).ok()
}

/// `17 Jun 2020 15:44:53.7372` and `Jun 17, 2020 15:44:53`.
fn with_month_name(text: &str) -> Option<Timestamp> {
    const FORMS: &[&str] = &[
        "%d %b %Y %H:%M:%S%.f",
        "%d %B %Y %H:%M:%S%.f",
        "%b %d, %Y %H:%M:%S%.f",
        "%a %b %d %H:%M:%S%.f %Y",
    ];
    FORMS.iter().find_map(|form| {
        let time = DateTime::strptime(form, text).ok()?;
        Offset::UTC.to_timestamp(time).ok()
    })
}

#[expect(clippy::cast_precision_loss, reason = "only the magnitude is looked at")]
fn whole(number: i64) -> Option<Timestamp> {
    let size = number as f64;
    if size >= NANOSECONDS_FROM {
        Timestamp::from_nanosecond(i128::from(number)).ok()
    } else if size >= MICROSECONDS_FROM {
        Timestamp::from_microsecond(number).ok()
    } else if size >= MILLISECONDS_FROM {
        Timestamp::from_millisecond(number).ok()
    } else {
        Timestamp::from_second(number).ok()
    }
}

/// Seconds or milliseconds with a fraction, kept to the millisecond.
#[expect(clippy::cast_possible_truncation, reason = "bounded in the line above")]
fn fraction(number: f64) -> Option<Timestamp> {
    let milliseconds = if number >= MILLISECONDS_FROM {
        number
    } else {
        number * 1_000.0
    };
    if !(0.0..MICROSECONDS_FROM * 10.0).contains(&milliseconds) {
        return None;
    }
    Timestamp::from_millisecond(milliseconds.round() as i64).ok()
}
