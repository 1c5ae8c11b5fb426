//! Identifiers. Whole-value comparison only; nothing here is ever matched by prefix except where
//! a person types a short run id, which [`RunId::matches_prefix`] owns.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {what}")]
pub struct BadId {
    /// The text, cut to 64 characters.
    pub found: String,
    /// The form that was expected, for people.
    pub what: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.into())) } else {
                    Err(BadId { found: text.chars().take(64).collect(), what: $what })
                }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> { serializer.serialize_str(&self.0) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fn slug(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
}

text_id! {
    /// An entity, `[a-z0-9][a-z0-9-]{0,62}`. The first part of every key in the store.
    EntityId, "an entity id: lower-case letters, digits and `-`, at most 63", slug
}

text_id! {
    /// An incident: its speakable reference, `PH-2026-00417`.
    IncidentId, "an incident reference such as PH-2026-00417", |text| {
        let mut parts = text.split('-');
        let (Some(letters), Some(year), Some(number), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        letters.len() == 2 && letters.bytes().all(|b| b.is_ascii_uppercase())
            && year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit())
            && (5..=12).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
    }
}

text_id! {
    /// A run: 26 characters of lower-case Crockford base32 over 128 bits (48 bits of milliseconds,
    /// 80 bits of randomness), so ids sort by start.
    RunId, "a run id: 26 characters of 0-9 and a-z without i, l, o, u", |text| {
        text.len() == 26 && text.bytes().all(|byte| CROCKFORD.contains(&byte))
    }
}

text_id! {
    /// The key of an effect: lower-case hexadecimal SHA-256 over entity, run, step path, item,
    /// generation, action and canonical arguments. No attempt number, so all retries share it.
    EffectKey, "an effect key: 64 hexadecimal digits", |text| {
        text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    }
}

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RunId {
    /// The id for these bits. `milliseconds` since 1970; both are parameters so that the engine
    /// and its tests stay deterministic.
    pub fn from_parts(milliseconds: u64, random: u128) -> Self {
        let bits = (u128::from(milliseconds & 0xffff_ffff_ffff) << 80) | (random & ((1 << 80) - 1));
        let text: String = (0..26)
            .rev()
            .map(|place| {
                let index = usize::try_from((bits >> (place * 5)) & 31).unwrap_or(0);
                char::from(CROCKFORD.get(index).copied().unwrap_or(b'0'))
            })
            .collect();
        Self(text.into())
    }

    /// Whether a person may mean this run by these characters.
    pub fn matches_prefix(&self, prefix: &str) -> bool {
        !prefix.is_empty() && self.0.starts_with(&prefix.to_ascii_lowercase())
    }

    /// The first ten characters: unique unless two runs start in the same millisecond.
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

impl EffectKey {
    /// The visible marker written into far systems: `sortie-` and the first 16 characters.
    pub fn marker(&self) -> String {
        format!("sortie-{}", self.0.get(..16).unwrap_or(&self.0))
    }
}

/// Something that people were asked: its speakable id, `A-93`. Counted from 1 without gaps, over all
/// entities of one installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InquiryId(u64);

impl InquiryId {
    /// The id with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for InquiryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "A-{}", self.0)
    }
}

impl FromStr for InquiryId {
    type Err = BadId;
    /// Reads `A-93`, also in lower case.
    fn from_str(text: &str) -> Result<Self, BadId> {
        let digits = text.strip_prefix("A-").or_else(|| text.strip_prefix("a-"));
        let number = digits
            .filter(|digits| !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok());
        number.map(Self).ok_or_else(|| BadId {
            found: text.chars().take(64).collect(),
            what: "the id of an approval such as A-93",
        })
    }
}

impl Serialize for InquiryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InquiryId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One place of work in a run: a step, one item of a `for_each` step, or the taking back of what one
/// of these did.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// The step.
    pub step: std::sync::Arc<str>,
    /// The item's place in the list, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Whether it is the taking back of what was done there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
}

/// What stands before the place that is taken back.
const UNDO_MARK: &str = "undo:";

impl Path {
    /// A step without items.
    pub fn step(step: &str) -> Self {
        Self {
            step: step.into(),
            item: None,
            undo: false,
        }
    }
    /// One item of a step.
    pub fn item(step: &str, item: u32) -> Self {
        Self {
            step: step.into(),
            item: Some(item),
            undo: false,
        }
    }
    /// The taking back of what was done here.
    #[must_use]
    pub fn undoing(&self) -> Self {
        Self {
            undo: true,
            ..self.clone()
        }
    }
    /// Where what is taken back was done; the place itself when nothing is.
    #[must_use]
    pub fn effect(&self) -> Self {
        Self {
            undo: false,
            ..self.clone()
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.undo { UNDO_MARK } else { "" };
        match self.item {
            Some(item) => write!(f, "{mark}{}[{item}]", self.step),
            None => write!(f, "{mark}{}", self.step),
        }
    }
}

impl FromStr for Path {
    type Err = BadId;

    /// Reads what [`fmt::Display`] writes: `block`, `block[2]`, `undo:block`.
    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId {
            found: text.chars().take(64).collect(),
            what: "a place of a run, such as `block` or `block[2]`",
        };
        let is_step = |step: &str| {
            (1..=40).contains(&step.len())
                && step
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let (text, undo) = text
            .strip_prefix(UNDO_MARK)
            .map_or((text, false), |text| (text, true));
        let (step, item) = match text.strip_suffix(']').map(|rest| rest.split_once('[')) {
            None => (text, None),
            Some(Some((step, item))) => (step, Some(item.parse().map_err(|_| bad())?)),
            Some(None) => return Err(bad()),
        };
        if !is_step(step) {
            return Err(bad());
        }
        Ok(Self {
            step: step.into(),
            item,
            undo,
        })
    }
}
