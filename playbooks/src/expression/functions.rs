//! The functions of the language: every name there is, and how each may be called.
//!
//! Owns names and types. What they compute is in the modules below. Nothing else can be called.

use crate::types::{TextForm, Type};

mod lists;
mod network;
mod texts;
mod times;

pub(super) use self::lists::{compare_values, double_of, equal_values, number, sort_by, span_of, time_of};
pub(crate) use self::network::defang;
pub(crate) use self::times::local_time;
pub(super) use self::times::parse_duration;

/// A function of the language. Each may be written `f(x, ...)` or `x.f(...)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Size,
    Int,
    Double,
    Text,
    Duration,
    Timestamp,
    Contains,
    StartsWith,
    EndsWith,
    TimePart(TimePart),
    Distinct,
    Sort,
    Reverse,
    Flatten,
    Slice,
    Join,
    Split,
    LowerAscii,
    UpperAscii,
    Trim,
    Replace,
    Substring,
    IndexOf,
    Days,
    Hours,
    Minutes,
    First,
    Sum,
    Min,
    Max,
    Similarity,
    MostSimilar,
    InCidr,
    IsPrivate,
    RegistrableDomain,
    HostOf,
    Defang,
    Refang,
    LocalTime,
    ParseJson,
}

/// A part of a time, as CEL names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimePart {
    FullYear,
    /// From 0.
    Month,
    /// From 1.
    Date,
    /// From 0.
    DayOfMonth,
    /// From 0, which is Sunday.
    DayOfWeek,
    /// From 0.
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// Every function: its name and how it is called.
const FUNCTIONS: &[(&str, Function, &str)] = &[
    ("size", Function::Size, "size(list or text)"),
    ("int", Function::Int, "int(text or number)"),
    ("double", Function::Double, "double(text or number)"),
    ("string", Function::Text, "string(value)"),
    ("duration", Function::Duration, "duration('1h30m')"),
    ("timestamp", Function::Timestamp, "timestamp(text)"),
    ("contains", Function::Contains, "text.contains(text)"),
    ("startsWith", Function::StartsWith, "text.startsWith(text)"),
    ("endsWith", Function::EndsWith, "text.endsWith(text)"),
    (
        "getFullYear",
        Function::TimePart(TimePart::FullYear),
        "time.getFullYear('Europe/Paris')",
    ),
    (
        "getMonth",
        Function::TimePart(TimePart::Month),
        "time.getMonth('Europe/Paris')",
    ),
    (
        "getDate",
        Function::TimePart(TimePart::Date),
        "time.getDate('Europe/Paris')",
    ),
    (
        "getDayOfMonth",
        Function::TimePart(TimePart::DayOfMonth),
        "time.getDayOfMonth('Europe/Paris')",
    ),
    (
        "getDayOfWeek",
        Function::TimePart(TimePart::DayOfWeek),
        "time.getDayOfWeek('Europe/Paris')",
    ),
    (
        "getDayOfYear",
        Function::TimePart(TimePart::DayOfYear),
        "time.getDayOfYear('Europe/Paris')",
    ),
    (
        "getHours",
        Function::TimePart(TimePart::Hours),
        "time.getHours('Europe/Paris')",
    ),
    (
        "getMinutes",
        Function::TimePart(TimePart::Minutes),
        "time.getMinutes('Europe/Paris')",
    ),
    (
        "getSeconds",
        Function::TimePart(TimePart::Seconds),
        "time.getSeconds('Europe/Paris')",
    ),
    (
        "getMilliseconds",
        Function::TimePart(TimePart::Milliseconds),
        "time.getMilliseconds('Europe/Paris')",
    ),
    ("distinct", Function::Distinct, "list.distinct()"),
    ("sort", Function::Sort, "list.sort()"),
    ("reverse", Function::Reverse, "list.reverse()"),
    ("flatten", Function::Flatten, "list_of_lists.flatten()"),
    ("slice", Function::Slice, "list.slice(from, to)"),
    ("join", Function::Join, "list.join(', ')"),
    ("split", Function::Split, "text.split(',')"),
    ("lowerAscii", Function::LowerAscii, "text.lowerAscii()"),
    ("upperAscii", Function::UpperAscii, "text.upperAscii()"),
    ("trim", Function::Trim, "text.trim()"),
    ("replace", Function::Replace, "text.replace('old', 'new')"),
    ("substring", Function::Substring, "text.substring(from, to)"),
    ("indexOf", Function::IndexOf, "text.indexOf('part')"),
    ("days", Function::Days, "days(7)"),
    ("hours", Function::Hours, "hours(2)"),
    ("minutes", Function::Minutes, "minutes(5)"),
    ("first", Function::First, "first(list)"),
    ("sum", Function::Sum, "sum(list of numbers or durations)"),
    ("min", Function::Min, "min(list)"),
    ("max", Function::Max, "max(list)"),
    ("similarity", Function::Similarity, "similarity(text, text)"),
    (
        "mostSimilar",
        Function::MostSimilar,
        "mostSimilar(text, list of texts)",
    ),
    ("inCidr", Function::InCidr, "inCidr(ip, cidr or list of them)"),
    ("isPrivate", Function::IsPrivate, "isPrivate(ip)"),
    (
        "registrableDomain",
        Function::RegistrableDomain,
        "registrableDomain(domain, url or email)",
    ),
    ("hostOf", Function::HostOf, "hostOf(url)"),
    ("defang", Function::Defang, "defang(text)"),
    ("refang", Function::Refang, "refang(text)"),
    (
        "localTime",
        Function::LocalTime,
        "localTime(time, 'Europe/Paris')",
    ),
    ("parseJson", Function::ParseJson, "parseJson(text)"),
];

/// Names that look like functions but take a variable or guard what they read; the checker knows
/// them itself.
const FORMS: &[&str] = &[
    "has",
    "default",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
    "sortBy",
    "matches",
];

impl Function {
    /// The function of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        FUNCTIONS
            .iter()
            .find(|(known, ..)| *known == name)
            .map(|(_, function, _)| *function)
    }

    /// Every name that can be called, for suggestions.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS
            .iter()
            .map(|(name, ..)| *name)
            .chain(FORMS.iter().copied())
    }

    fn row(self) -> Option<&'static (&'static str, Self, &'static str)> {
        FUNCTIONS.iter().find(|(_, function, _)| *function == self)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        self.row().map_or("", |(name, ..)| name)
    }

    /// How it is called, for messages.
    pub(super) fn usage(self) -> &'static str {
        self.row().map_or("", |(.., usage)| usage)
    }

    /// The type of its value for arguments of these types; `None` when they do not fit.
    pub(super) fn result(self, arguments: &[Type]) -> Option<Type> {
        use Function as F;
        Some(match (self, arguments) {
            (F::Size, [it]) if is_text(it) || is_list(it) || it.fields().is_some() => Type::Int,
            (F::Int, [it]) if is_text(it) || is_number(it) => Type::Int,
            (F::Double, [it]) if is_text(it) || is_number(it) => Type::Double,
            (F::Text, [it]) if is_scalar(it) => Type::String,
            (F::Duration, [it]) if is_text(it) => Type::Duration,
            (F::Timestamp, [it]) if is_text(it) || fits(it, &Type::Time) => Type::Time,
            (F::Contains | F::StartsWith | F::EndsWith, [it, part]) if is_text(it) && is_text(part) => {
                Type::Bool
            }
            (F::TimePart(_), [it]) if fits(it, &Type::Time) => Type::Int,
            (F::TimePart(_), [it, zone]) if fits(it, &Type::Time) && is_text(zone) => Type::Int,
            (F::Sort, [it]) if items(it).is_some_and(is_ordered) => it.clone(),
            (F::Distinct | F::Reverse, [it]) if is_list(it) => it.clone(),
            (F::Flatten, [it]) if items(it).is_some_and(is_list) => items(it)?.clone(),
            (F::Slice, [it, from, to]) if is_list(it) && is_int(from) && is_int(to) => it.clone(),
            (F::Join, [it]) if items(it).is_some_and(is_scalar) => Type::String,
            (F::Join, [it, by]) if items(it).is_some_and(is_scalar) && is_text(by) => Type::String,
            (F::Split, [it, by]) if is_text(it) && is_text(by) => Type::String.list(),
            (F::LowerAscii | F::UpperAscii | F::Trim | F::Defang | F::Refang, [it]) if is_text(it) => {
                Type::String
            }
            (F::Replace, [it, old, new]) if is_text(it) && is_text(old) && is_text(new) => Type::String,
            (F::Substring, [it, from]) if is_text(it) && is_int(from) => Type::String,
            (F::Substring, [it, from, to]) if is_text(it) && is_int(from) && is_int(to) => Type::String,
            (F::IndexOf | F::Similarity, [it, other]) if is_text(it) && is_text(other) => {
                if self == F::IndexOf {
                    Type::Int
                } else {
                    Type::Double
                }
            }
            (F::Days | F::Hours | F::Minutes, [it]) if is_int(it) => Type::Duration,
            (F::First, [it]) => items(it)?.clone(),
            (F::Sum, [it]) if items(it).is_some_and(|it| is_number(it) || fits(it, &Type::Duration)) => {
                items(it)?.clone()
            }
            (F::Min | F::Max, [it]) if items(it).is_some_and(is_ordered) => items(it)?.clone(),
            (F::MostSimilar, [it, list]) if is_text(it) && items(list).is_some_and(is_text) => {
                Type::record([("value", items(list)?.clone()), ("score", Type::Double)])
            }
            (F::InCidr, [it, nets]) if is_text(it) && (is_text(nets) || items(nets).is_some_and(is_text)) => {
                Type::Bool
            }
            (F::IsPrivate, [it]) if is_text(it) => Type::Bool,
            (F::RegistrableDomain, [it]) if is_text(it) => Type::Text(TextForm::Domain),
            (F::HostOf, [it]) if is_text(it) => Type::String,
            (F::LocalTime, [it, zone]) if fits(it, &Type::Time) && is_text(zone) => Type::String,
            (F::ParseJson, [it]) if is_text(it) => Type::Open,
            _ => return None,
        })
    }
}

/// Of the given type, or not known to be of another one.
fn fits(ty: &Type, wanted: &Type) -> bool {
    ty == wanted || matches!(ty, Type::Open | Type::Never)
}
fn is_text(ty: &Type) -> bool {
    ty.is_text() || matches!(ty, Type::Open | Type::Never)
}
fn is_int(ty: &Type) -> bool {
    fits(ty, &Type::Int)
}
fn is_number(ty: &Type) -> bool {
    is_int(ty) || *ty == Type::Double
}
fn is_list(ty: &Type) -> bool {
    matches!(ty, Type::List(_) | Type::Open | Type::Never)
}
fn is_scalar(ty: &Type) -> bool {
    is_text(ty) || is_ordered(ty) || *ty == Type::Bool
}
/// Whether values of the type have an order.
pub(super) fn is_ordered(ty: &Type) -> bool {
    is_text(ty) || is_number(ty) || matches!(ty, Type::Time | Type::Duration | Type::Ordered { .. })
}
/// The type of the items of a list.
pub(super) fn items(ty: &Type) -> Option<&Type> {
    match ty {
        Type::List(item) => Some(item),
        Type::Open | Type::Never => Some(ty),
        _ => None,
    }
}

/// Why a function gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There was nothing to take: the first of an empty list.
    Empty,
    /// The arguments were there and did not fit.
    Failed(String),
}

impl Trouble {
    fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

/// One argument with its static type.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) value: &'a serde_json::Value,
    pub(super) ty: &'a Type,
}

impl<'a> Given<'a> {
    fn text(self) -> Result<&'a str, Trouble> {
        self.value.as_str().ok_or_else(|| {
            Trouble::Failed(format!(
                "a text is needed, found {}",
                crate::values::describe(self.value)
            ))
        })
    }
    fn int(self) -> Result<i64, Trouble> {
        self.value.as_i64().ok_or_else(|| {
            Trouble::Failed(format!(
                "a whole number is needed, found {}",
                crate::values::describe(self.value)
            ))
        })
    }
    fn list(self) -> Result<&'a [serde_json::Value], Trouble> {
        self.value.as_array().map(Vec::as_slice).ok_or_else(|| {
            Trouble::Failed(format!(
                "a list is needed, found {}",
                crate::values::describe(self.value)
            ))
        })
    }
    /// The type of the items, when the value is a list.
    fn item_type(self) -> &'a Type {
        items(self.ty).unwrap_or(&Type::Open)
    }
}

/// Applies a function. The checker has seen that the number of arguments fits.
pub(super) fn apply(
    function: Function,
    given: &[Given<'_>],
    budget: &mut super::budget::Budget,
) -> Result<serde_json::Value, Trouble> {
    use Function as F;
    match (function, given) {
        (
            F::Days | F::Hours | F::Minutes | F::Duration | F::Timestamp | F::TimePart(_) | F::LocalTime,
            given,
        ) => times::apply(function, given),
        (F::InCidr | F::IsPrivate | F::RegistrableDomain | F::HostOf | F::Defang | F::Refang, given) => {
            network::apply(function, given, budget)
        }
        (
            F::Distinct
            | F::Sort
            | F::Reverse
            | F::Flatten
            | F::Slice
            | F::First
            | F::Sum
            | F::Min
            | F::Max
            | F::Join,
            [list, rest @ ..],
        ) => lists::apply(function, *list, rest, budget),
        (function, given) => texts::apply(function, given, budget),
    }
}
