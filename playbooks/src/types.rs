//! The types of the language.
//!
//! Owns what kinds of value exist and how a type is written. Checking values and expressions
//! against types happens elsewhere.

use std::fmt;

use indexmap::IndexMap;

mod known;
mod parse;
mod relate;

pub use self::known::STEP_FIELDS;
pub use self::parse::NotAType;

/// A playbook's own `enums`: name to words, lowest first.
pub type Enums = IndexMap<String, Vec<String>>;

/// A checked form of text. At run time the value is a JSON string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TextForm {
    /// An IPv4 or IPv6 address.
    Ip,
    /// An address prefix such as `192.0.2.0/24`.
    Cidr,
    /// A domain name.
    Domain,
    /// An absolute http or https URL.
    Url,
    /// A mail address.
    Email,
    /// A phone number in E.164 form.
    Phone,
    /// MD5, SHA-1 or SHA-256 in hexadecimal.
    Hash,
    /// Any of ip, domain, url, email, hash.
    Observable,
    /// One of the verdict words.
    Verdict,
    /// Multi-line text in which template blocks are allowed.
    Document,
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// true or false.
    Bool,
    /// A 64-bit integer.
    Int,
    /// A 64-bit float.
    Double,
    /// Text without a checked form.
    String,
    /// Text with a checked form.
    Text(TextForm),
    /// One of these literal texts.
    OneOf(Vec<String>),
    /// A span of time; JSON text such as `7d`.
    Duration,
    /// A point in time; RFC 3339 text in JSON.
    Time,
    /// An ordered set of words, lowest first: severity, tlp, pap, or a playbook's own `enums`.
    /// Its rank inside CEL, its word everywhere else.
    Ordered {
        /// `severity`, `tlp`, `pap` or the name under `enums`.
        name: String,
        /// The words, lowest first.
        words: Vec<String>,
    },
    /// A file held by Sortie: `{name, sha256, size, media_type?}`.
    File,
    /// A mail: `{message_id, subject, from, to, received_at, file?}`.
    Mail,
    /// Items of one type.
    List(Box<Type>),
    /// A record with known fields; a field's type may be [`Type::Optional`].
    Record(IndexMap<String, Type>),
    /// A record with unknown fields (`raw`, `json`): every field below it is optional and of
    /// unknown type.
    Open,
    /// A value that may be absent.
    Optional(Box<Type>),
    /// The type of `omit`, and of a value about which an error has been reported already.
    Never,
}

impl Type {
    /// A list of this type.
    #[must_use]
    pub fn list(self) -> Self {
        Self::List(Box::new(self))
    }
    /// This type, possibly absent. Optional of optional is optional.
    #[must_use]
    pub fn optional(self) -> Self {
        if matches!(self, Self::Optional(_)) {
            self
        } else {
            Self::Optional(Box::new(self))
        }
    }
    /// A record with these fields, in this order.
    pub fn record<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Record(
            fields
                .into_iter()
                .map(|(name, ty)| (name.to_owned(), ty))
                .collect(),
        )
    }
    /// The type inside an optional one, or the type itself.
    pub fn required(&self) -> &Self {
        match self {
            Self::Optional(inner) => inner,
            other => other,
        }
    }
    /// The type of `incident.severity`.
    pub fn severity() -> Self {
        Self::ordered(
            "severity",
            crate::marking::Severity::ALL.iter().map(|word| word.word()),
        )
    }
    /// The type of `incident.tlp`.
    pub fn tlp() -> Self {
        Self::ordered("tlp", crate::marking::Tlp::ALL.iter().map(|word| word.word()))
    }
    /// The type of `incident.pap`.
    pub fn pap() -> Self {
        Self::ordered("pap", crate::marking::Pap::ALL.iter().map(|word| word.word()))
    }
    /// An ordered set of words, lowest first.
    pub fn ordered<'a>(name: &str, words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Ordered {
            name: name.to_owned(),
            words: words.into_iter().map(str::to_owned).collect(),
        }
    }
}

impl TextForm {
    /// The name in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Cidr => "cidr",
            Self::Domain => "domain",
            Self::Url => "url",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Hash => "hash",
            Self::Observable => "observable",
            Self::Verdict => "verdict",
            Self::Document => "document",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Text(form) => f.write_str(form.word()),
            Self::OneOf(words) => write!(f, "one of '{}'", words.join("', '")),
            Self::Duration => f.write_str("duration"),
            Self::Time => f.write_str("time"),
            Self::Ordered { name, .. } => f.write_str(name),
            Self::File => f.write_str("file"),
            Self::Mail => f.write_str("mail"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::Record(fields) => {
                f.write_str("{")?;
                for (index, (name, ty)) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    match ty {
                        Self::Optional(inner) => write!(f, "{comma}{name}?: {inner}")?,
                        other => write!(f, "{comma}{name}: {other}")?,
                    }
                }
                f.write_str("}")
            }
            Self::Open => f.write_str("record"),
            Self::Optional(inner) => write!(f, "{inner}?"),
            Self::Never => f.write_str("nothing"),
        }
    }
}

#[cfg(test)]
mod tests;
