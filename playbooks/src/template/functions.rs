//! The inline functions of templates: which there are, what they take, what they write.
//!
//! Owns that none of them writes to the output itself: each gives back a value, and the one door
//! [`Write`] turns it into text that the sink's escape then sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson,
};
use serde_json::Value;

use crate::expression::budget::weight;
use crate::expression::functions::{defang, local_time};
use crate::types::{TextForm, Type};
use crate::values::{canonical_text, describe, parse_span};

/// A function an author may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inline {
    Default,
    Upper,
    Lower,
    Trim,
    Join,
    Len,
    Json,
    Date,
    Duration,
    Percent,
    Defang,
    Link,
    Ip,
    Domain,
    Hash,
    Eq,
    Ne,
    Lt,
    Gt,
    And,
    Or,
    Not,
}

/// Every function: its name and how it is called.
pub(super) const INLINE: &[(&str, Inline, &str)] = &[
    ("default", Inline::Default, "{{default x \"nothing\"}}"),
    ("upper", Inline::Upper, "{{upper text}}"),
    ("lower", Inline::Lower, "{{lower text}}"),
    ("trim", Inline::Trim, "{{trim text}}"),
    ("join", Inline::Join, "{{join list \", \"}}"),
    ("len", Inline::Len, "{{len list}}"),
    ("json", Inline::Json, "{{json value}}"),
    ("date", Inline::Date, "{{date time}}"),
    ("duration", Inline::Duration, "{{duration span}}"),
    ("percent", Inline::Percent, "{{percent 0.93}}"),
    ("defang", Inline::Defang, "{{defang url}}"),
    ("link", Inline::Link, "{{link url}}"),
    ("ip", Inline::Ip, "{{ip address}}"),
    ("domain", Inline::Domain, "{{domain name}}"),
    ("hash", Inline::Hash, "{{hash sha256}}"),
    ("eq", Inline::Eq, "(eq a b)"),
    ("ne", Inline::Ne, "(ne a b)"),
    ("lt", Inline::Lt, "(lt a b)"),
    ("gt", Inline::Gt, "(gt a b)"),
    ("and", Inline::And, "(and a b)"),
    ("or", Inline::Or, "(or a b)"),
    ("not", Inline::Not, "(not a)"),
];

/// The name of the door to the output. Authors cannot call it: it is not in [`INLINE`].
pub(super) const WRITE: &str = "sortie-write";

impl Inline {
    pub(super) fn named(name: &str) -> Option<Self> {
        INLINE
            .iter()
            .find(|(known, ..)| *known == name)
            .map(|(_, function, _)| *function)
    }
    pub(super) fn usage(self) -> &'static str {
        INLINE
            .iter()
            .find(|(_, function, _)| *function == self)
            .map_or("", |(.., usage)| usage)
    }
    /// Whether durations and times reach it as they are instead of as text for people.
    pub(super) const fn takes_spans_and_times(self) -> bool {
        matches!(self, Self::Date | Self::Duration | Self::Json | Self::Len)
    }
    /// The type of what it gives for arguments of these types; `None` when they do not fit.
    pub(super) fn result(self, given: &[Type]) -> Option<Type> {
        let open = |ty: &Type| matches!(ty, Type::Open | Type::Never);
        let text = |ty: &Type| ty.is_text() || open(ty) || matches!(ty, Type::Ordered { .. });
        let number = |ty: &Type| matches!(ty, Type::Int | Type::Double) || open(ty);
        let truth = |ty: &Type| *ty == Type::Bool || open(ty);
        let list = |ty: &Type| matches!(ty, Type::List(_)) || open(ty);
        let scalar =
            |ty: &Type| text(ty) || number(ty) || truth(ty) || matches!(ty, Type::Time | Type::Duration);
        let item_is_scalar = |ty: &Type| match ty {
            Type::List(item) => scalar(item),
            other => open(other),
        };
        Some(match (self, given) {
            (Self::Default, [value, fallback]) => value.join(fallback).unwrap_or(Type::String),
            (
                Self::Upper
                | Self::Lower
                | Self::Trim
                | Self::Defang
                | Self::Link
                | Self::Ip
                | Self::Domain
                | Self::Hash,
                [it],
            ) if text(it) => Type::String,
            (Self::Join, [it]) if item_is_scalar(it) => Type::String,
            (Self::Join, [it, by]) if item_is_scalar(it) && text(by) => Type::String,
            (Self::Len, [it]) if list(it) || text(it) => Type::Int,
            (Self::Json, [_]) => Type::String,
            (Self::Date, [it]) if *it == Type::Time || open(it) => Type::String,
            (Self::Duration, [it]) if *it == Type::Duration || open(it) => Type::String,
            (Self::Percent, [it]) if number(it) => Type::String,
            (Self::Eq | Self::Ne, [one, two])
                if (text(one) && text(two)) || (number(one) && number(two)) || (truth(one) && truth(two)) =>
            {
                Type::Bool
            }
            (Self::Lt | Self::Gt, [one, two]) if number(one) && number(two) => Type::Bool,
            (Self::And | Self::Or, [_, _, ..]) if given.iter().all(truth) => Type::Bool,
            (Self::Not, [it]) if truth(it) => Type::Bool,
            _ => return None,
        })
    }
}

impl HelperDef for Inline {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let values = Arguments(helper);
        // These two pass absence on to `default`.
        if matches!(self, Self::Duration) && values.is_missing(0) {
            return Ok(ScopedJson::Missing);
        }
        let value = match self {
            Self::Default => values.first_present()?,
            Self::Upper => Value::String(values.text(0)?.to_uppercase()),
            Self::Lower => Value::String(values.text(0)?.to_lowercase()),
            Self::Trim => Value::String(values.text(0)?.trim().to_owned()),
            Self::Defang => Value::String(defang(values.text(0)?)),
            Self::Link => Value::String(values.form(TextForm::Url)?),
            Self::Ip => Value::String(values.form(TextForm::Ip)?),
            Self::Domain => Value::String(values.form(TextForm::Domain)?),
            Self::Hash => Value::String(values.form(TextForm::Hash)?),
            Self::Join => values.join()?,
            Self::Len => Value::from(length(values.value(0)?)?),
            Self::Json => Value::String(values.value(0)?.to_string()),
            // The renderer puts a `date` that knows the zone before this one.
            Self::Date => return Err(failed("a time zone is needed")),
            Self::Duration => Value::String(duration_in_words(values.value(0)?)?),
            Self::Percent => Value::String(percent(values.value(0)?)?),
            Self::Eq => Value::Bool(values.value(0)? == values.value(1)?),
            Self::Ne => Value::Bool(values.value(0)? != values.value(1)?),
            Self::Lt => Value::Bool(values.number(0)? < values.number(1)?),
            Self::Gt => Value::Bool(values.number(0)? > values.number(1)?),
            Self::And => Value::Bool(values.truths()?.iter().all(|truth| *truth)),
            Self::Or => Value::Bool(values.truths()?.iter().any(|truth| *truth)),
            Self::Not => Value::Bool(!values.truths()?.first().copied().unwrap_or(false)),
        };
        Ok(ScopedJson::Derived(value))
    }
}

/// A function that pays for the arguments it works on. Loops and long templates call functions
/// often; this keeps the work of one rendering within a sum.
pub(super) struct Metered {
    pub(super) function: Inline,
    /// Bytes left for this rendering, shared by all its functions.
    pub(super) left: Arc<AtomicUsize>,
}

impl HelperDef for Metered {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let cost = helper.params().iter().map(|given| weight(given.value())).sum();
        let left = self.left.load(Ordering::Relaxed);
        let Some(rest) = left.checked_sub(cost) else {
            return Err(failed(format!(
                "the functions of one text work on at most {} bytes",
                super::render::FUNCTION_BYTES_MAX
            )));
        };
        self.left.store(rest, Ordering::Relaxed);
        self.function.call_inner(helper, registry, context, state)
    }
}

/// The one door to the output: text, numbers and truth values, never lists or records.
pub(super) struct Write;

impl HelperDef for Write {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = Arguments(helper).value(0)?;
        match value {
            Value::String(_) | Value::Bool(_) | Value::Number(_) => Ok(ScopedJson::Derived(value.clone())),
            other => Err(failed(format!(
                "a text is needed, found {}; write it with `json`, `join` or `each`",
                describe(other)
            ))),
        }
    }
}

/// `date`, for the zone of the entity.
pub(super) struct DateIn {
    pub(super) zone: String,
}

impl HelperDef for DateIn {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let values = Arguments(helper);
        if values.is_missing(0) {
            return Ok(ScopedJson::Missing);
        }
        let value = values.value(0)?;
        let time: jiff::Timestamp = value
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| failed(format!("a time is needed, found {}", describe(value))))?;
        local_time(time, &self.zone)
            .map(|text| ScopedJson::Derived(Value::String(text)))
            .map_err(failed)
    }
}

/// The arguments of one call.
struct Arguments<'h, 'rc>(&'h Helper<'rc>);

impl<'h> Arguments<'h, '_> {
    fn is_missing(&self, index: usize) -> bool {
        self.0
            .param(index)
            .is_none_or(|given| given.is_value_missing() || given.value().is_null())
    }
    fn value(&self, index: usize) -> Result<&'h Value, RenderError> {
        match self.0.param(index) {
            Some(given) if !self.is_missing(index) => Ok(given.value()),
            Some(given) => Err(RenderErrorReason::MissingVariable(given.relative_path().cloned()).into()),
            None => Err(failed("an argument is missing")),
        }
    }
    fn first_present(&self) -> Result<Value, RenderError> {
        if self.is_missing(0) {
            return self.value(1).cloned();
        }
        self.value(0).cloned()
    }
    fn text(&self, index: usize) -> Result<&'h str, RenderError> {
        let value = self.value(index)?;
        value
            .as_str()
            .ok_or_else(|| failed(format!("a text is needed, found {}", describe(value))))
    }
    fn form(&self, form: TextForm) -> Result<String, RenderError> {
        let text = self.text(0)?;
        canonical_text(text, form).map_err(|expected| {
            failed(format!(
                "{expected} is needed, found {}",
                describe(&Value::from(text))
            ))
        })
    }
    fn number(&self, index: usize) -> Result<f64, RenderError> {
        let value = self.value(index)?;
        value
            .as_f64()
            .ok_or_else(|| failed(format!("a number is needed, found {}", describe(value))))
    }
    fn truths(&self) -> Result<Vec<bool>, RenderError> {
        (0..self.0.params().len())
            .map(|index| {
                let value = self.value(index)?;
                value
                    .as_bool()
                    .ok_or_else(|| failed(format!("true or false is needed, found {}", describe(value))))
            })
            .collect()
    }
    fn join(&self) -> Result<Value, RenderError> {
        let list = self.value(0)?;
        let by = if self.0.params().len() > 1 {
            self.text(1)?
        } else {
            ", "
        };
        let items = list
            .as_array()
            .ok_or_else(|| failed(format!("a list is needed, found {}", describe(list))))?;
        let mut joined = String::new();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                joined.push_str(by);
            }
            match item {
                Value::String(text) => joined.push_str(text),
                Value::Bool(_) | Value::Number(_) => joined.push_str(&item.to_string()),
                other => return Err(failed(format!("a text is needed, found {}", describe(other)))),
            }
            if joined.len() > super::render::OUTPUT_BYTES_MAX {
                return Err(super::render::too_long());
            }
        }
        Ok(Value::String(joined))
    }
}

pub(super) fn failed(why: impl Into<String>) -> RenderError {
    RenderErrorReason::Other(why.into()).into()
}

fn length(value: &Value) -> Result<usize, RenderError> {
    match value {
        Value::Array(items) => Ok(items.len()),
        Value::String(text) => Ok(text.chars().count()),
        other => Err(failed(format!("{} has no length", describe(other)))),
    }
}

fn percent(value: &Value) -> Result<String, RenderError> {
    let share = value
        .as_f64()
        .ok_or_else(|| failed(format!("a number is needed, found {}", describe(value))))?;
    Ok(format!("{:.0} %", share * 100.0))
}

/// `7 days`, `1 hour 30 minutes`; at most two units.
fn duration_in_words(value: &Value) -> Result<String, RenderError> {
    const UNITS: &[(i64, &str)] = &[
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1_000, "second"),
        (1, "millisecond"),
    ];
    let span = value
        .as_str()
        .and_then(parse_span)
        .ok_or_else(|| failed(format!("a duration is needed, found {}", describe(value))))?;
    let mut left = span.as_milliseconds().unsigned_abs();
    let mut words: Vec<String> = Vec::new();
    for (size, unit) in UNITS {
        let size = size.unsigned_abs();
        let count = left / size;
        left %= size;
        if count > 0 && words.len() < 2 {
            let plural = if count == 1 { "" } else { "s" };
            words.push(format!("{count} {unit}{plural}"));
        }
    }
    if words.is_empty() {
        words.push("0 seconds".to_owned());
    }
    let minus = if span.as_milliseconds() < 0 { "minus " } else { "" };
    Ok(format!("{minus}{}", words.join(" ")))
}
