//! Ordered words of the trade: TLP, PAP, severity, and the verdict.
//!
//! Owns their order and spelling, nothing about who enforces them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is not one of a closed set. The message lists the set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {what}; one of {expected}")]
pub struct UnknownWord {
    /// What the word was meant to be, for example `TLP marking`.
    pub what: &'static str,
    /// The word as found.
    pub found: String,
    /// The words of the set, joined for a person to read.
    pub expected: String,
}

macro_rules! ordered_words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every word, lowest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The spelling in files and in CEL.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
            /// The place in the order, lowest is 0. Inside CEL an ordered word is this number.
            pub const fn rank(self) -> i64 { self as i64 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.word()) }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.word() == text).ok_or_else(|| UnknownWord {
                    what: $what,
                    found: text.chars().take(64).collect(),
                    expected: Self::ALL.iter().map(|word| word.word()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

ordered_words! {
    /// Traffic Light Protocol 2.0 (FIRST), ordered by restriction.
    Tlp, "TLP marking" {
        /// No limit on disclosure. The old name WHITE reads as this.
        Clear = "clear",
        /// The community only.
        Green = "green",
        /// The entity and its clients, on a need-to-know basis.
        Amber = "amber",
        /// The entity only.
        AmberStrict = "amber_strict",
        /// Named persons only. Never leaves the house.
        Red = "red",
    }
}

ordered_words! {
    /// Permissible Actions Protocol (MISP taxonomy), ordered by restriction.
    Pap, "PAP marking" {
        /// No limit on what may be done.
        Clear = "clear",
        /// Active work allowed: block, resolve, visit.
        Green = "green",
        /// Passive checks at third parties only.
        Amber = "amber",
        /// Passive work on our own data only.
        Red = "red",
    }
}

ordered_words! {
    /// How bad an incident is. One scale; intake maps every source's own scale to it.
    Severity, "severity" {
        /// Routine.
        Low = "low",
        /// Worth a look today.
        Medium = "medium",
        /// Worth a look now.
        High = "high",
        /// Wake somebody.
        Critical = "critical",
    }
}

ordered_words! {
    /// What an action may do to the world, ordered by harm.
    EffectClass, "effect class" {
        /// Nothing changes.
        Read = "read",
        /// Our own incident, ticket or note changes.
        Record = "record",
        /// A message reaches people.
        Notify = "notify",
        /// A reversible change at a customer.
        Contain = "contain",
        /// A change that cannot be taken back.
        Destroy = "destroy",
    }
}

ordered_words! {
    /// Who may notice an action; decides the highest PAP under which it may run.
    Exposure, "exposure" {
        /// House systems or the entity's own tenant only. Up to PAP:RED.
        None = "none",
        /// A third party learns the observable. Up to PAP:AMBER.
        Lookup = "lookup",
        /// The adversary may notice. Up to PAP:GREEN.
        Active = "active",
        /// Strangers learn the case. Up to PAP:GREEN.
        Public = "public",
    }
}

impl Exposure {
    /// The strictest PAP marking under which an action of this exposure may run.
    pub const fn highest_pap(self) -> Pap {
        match self {
            Self::None => Pap::Red,
            Self::Lookup => Pap::Amber,
            Self::Active | Self::Public => Pap::Green,
        }
    }
}

impl Tlp {
    /// The form people read: `TLP:AMBER+STRICT`.
    pub fn label(self) -> String {
        format!("TLP:{}", self.word().to_ascii_uppercase().replace('_', "+"))
    }
}

impl Pap {
    /// The form people read: `PAP:GREEN`.
    pub fn label(self) -> String {
        format!("PAP:{}", self.word().to_ascii_uppercase())
    }
}

/// What somebody concluded about an incident or an observable. Not ordered: `unknown` is not
/// "between" anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Known bad.
    Malicious,
    /// Probably bad.
    Suspicious,
    /// Nobody knows. What a failed look-up yields.
    Unknown,
    /// Looked at by every permitted source and found harmless.
    Clean,
    /// Real but harmless.
    Benign,
    /// Not worth a person's time.
    Noise,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: &'static [Self] = &[
        Self::Malicious,
        Self::Suspicious,
        Self::Unknown,
        Self::Clean,
        Self::Benign,
        Self::Noise,
    ];

    /// The spelling in files and in CEL.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malicious => "malicious",
            Self::Suspicious => "suspicious",
            Self::Unknown => "unknown",
            Self::Clean => "clean",
            Self::Benign => "benign",
            Self::Noise => "noise",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Verdict {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .iter()
            .copied()
            .find(|word| word.word() == text)
            .ok_or_else(|| UnknownWord {
                what: "verdict",
                found: text.chars().take(64).collect(),
                expected: Self::ALL
                    .iter()
                    .map(|word| word.word())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}
