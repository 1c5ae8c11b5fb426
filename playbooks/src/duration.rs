//! Spans of time as the language writes them: `500ms`, `30s`, `5m`, `2h`, `7d`.
//!
//! Owns parsing and printing. A day is 24 hours here; calendar months do not exist.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest span the language accepts: the longest a run may live, 366 days.
pub const SPAN_DAYS_MAX: i64 = 366;

/// A span of time with millisecond resolution, written `30s`, `5m`, `2h`, `7d`.
/// May be negative as the difference of two times, never as written by an author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    milliseconds: i64,
}

/// Why a text is not a span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration; write a whole number and one of ms, s, m, h, d, for example 30s or 7d")]
pub struct NotASpan(String);

impl Span {
    /// A span of whole milliseconds.
    pub const fn milliseconds(milliseconds: i64) -> Self {
        Self { milliseconds }
    }
    /// A span of whole seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self {
            milliseconds: seconds.saturating_mul(1_000),
        }
    }
    /// A span of whole minutes.
    pub const fn minutes(minutes: i64) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }
    /// A span of whole hours.
    pub const fn hours(hours: i64) -> Self {
        Self::seconds(hours.saturating_mul(3_600))
    }
    /// A span of whole days of 24 hours.
    pub const fn days(days: i64) -> Self {
        Self::seconds(days.saturating_mul(86_400))
    }
    /// The length in milliseconds.
    pub const fn as_milliseconds(self) -> i64 {
        self.milliseconds
    }
    /// The length for a timer; a negative span is zero.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(if self.milliseconds < 0 {
            0
        } else {
            self.milliseconds.unsigned_abs()
        })
    }
}

const UNITS: &[(&str, i64)] = &[
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = UNITS
            .iter()
            .copied()
            .find(|(_, size)| self.milliseconds != 0 && self.milliseconds % size == 0)
            .unwrap_or(("s", 1_000));
        write!(f, "{}{unit}", self.milliseconds / size)
    }
}

impl FromStr for Span {
    type Err = NotASpan;
    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let refuse = || NotASpan(text.chars().take(40).collect());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: i64 = number.parse().map_err(|_| refuse())?;
        let size = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, size)| *size)
            .ok_or_else(refuse)?;
        let milliseconds = number.checked_mul(size).ok_or_else(refuse)?;
        if milliseconds > Self::days(SPAN_DAYS_MAX).milliseconds {
            return Err(refuse());
        }
        Ok(Self { milliseconds })
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_printed_in_their_largest_whole_unit() {
        for (text, printed) in [
            ("500ms", "500ms"),
            ("1500ms", "1500ms"),
            ("30s", "30s"),
            ("60s", "1m"),
            ("90m", "90m"),
            ("120m", "2h"),
            ("24h", "1d"),
            ("7d", "7d"),
            ("0s", "0s"),
        ] {
            assert_eq!(
                text.parse::<Span>().map(|span| span.to_string()).as_deref(),
                Ok(printed)
            );
        }
        for text in [
            "",
            "7",
            "d",
            "7 d",
            "7D",
            "-7d",
            "1.5h",
            "1h30m",
            "7days",
            "99999999999999999999s",
            "٣d",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_is_at_most_a_year_and_a_day() {
        assert!(format!("{}d", SPAN_DAYS_MAX - 1).parse::<Span>().is_ok());
        assert!(format!("{SPAN_DAYS_MAX}d").parse::<Span>().is_ok());
        assert!(format!("{}d", SPAN_DAYS_MAX + 1).parse::<Span>().is_err());
    }
}
