//! How types relate: what may stand where, and what two branches have in common.
//!
//! Owns these two relations and nothing about values.

use super::{TextForm, Type};
use crate::marking::Verdict;

impl TextForm {
    /// Every form.
    pub const ALL: &'static [Self] = &[
        Self::Ip,
        Self::Cidr,
        Self::Domain,
        Self::Url,
        Self::Email,
        Self::Phone,
        Self::Hash,
        Self::Observable,
        Self::Verdict,
        Self::Document,
    ];

    /// Whether a text of the other form is one of this form by its form alone.
    const fn includes(self, other: Self) -> bool {
        match self {
            Self::Observable => matches!(
                other,
                Self::Ip | Self::Domain | Self::Url | Self::Email | Self::Hash | Self::Observable
            ),
            Self::Document => true,
            _ => self as u8 == other as u8,
        }
    }
}

impl Type {
    /// Whether a value of the other type may be given where this type is asked for. Texts of no
    /// checked form and open records are let through, because [`crate::values::check`] decides
    /// about them when the value is there.
    pub fn accepts(&self, given: &Self) -> bool {
        match (self, given) {
            (_, Self::Never)
            | (Self::Open, Self::Record(_) | Self::File | Self::Mail)
            | (Self::Double, Self::Int)
            | (Self::String | Self::Text(TextForm::Document), Self::Text(_) | Self::OneOf(_))
            | (Self::Text(_) | Self::OneOf(_), Self::String)
            | (Self::OneOf(_), Self::Text(_)) => true,
            (Self::Optional(wanted), given) => wanted.accepts(given.required()),
            (_, Self::Optional(_)) => false,
            (_, Self::Open) => true,
            (Self::Text(TextForm::Verdict), Self::OneOf(words)) => all_verdicts(words),
            (Self::Text(form), Self::OneOf(words)) => words
                .iter()
                .all(|word| crate::values::canonical_text(word, *form).is_ok()),
            (Self::Text(wanted), Self::Text(given)) => {
                wanted.includes(*given) || *given == TextForm::Observable || *given == TextForm::Document
            }
            (Self::OneOf(wanted), Self::OneOf(given)) => given.iter().all(|word| wanted.contains(word)),
            (Self::Ordered { name: wanted, .. }, Self::Ordered { name: given, .. }) => wanted == given,
            (Self::List(wanted), Self::List(given)) => wanted.accepts(given),
            (Self::Record(wanted), given) => given.fields().is_some_and(|given| {
                wanted.iter().all(|(name, wanted)| match given.get(name) {
                    Some(given) => wanted.accepts(given),
                    None => matches!(wanted, Self::Optional(_)),
                })
            }),
            (wanted, given) => wanted == given,
        }
    }

    /// The narrowest type that both fit, for the branches of `? :` and the items of a list.
    /// `None` when they have nothing in common.
    pub fn join(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Never, ty) | (ty, Self::Never) => ty.clone(),
            (Self::Optional(one), two) | (two, Self::Optional(one)) => one.join(two.required())?.optional(),
            (one, two) if one == two => one.clone(),
            (Self::OneOf(one), Self::OneOf(two)) => {
                let mut words = one.clone();
                words.extend(two.iter().filter(|word| !one.contains(word)).cloned());
                Self::OneOf(words)
            }
            (Self::Text(TextForm::Verdict), Self::OneOf(words))
            | (Self::OneOf(words), Self::Text(TextForm::Verdict))
                if all_verdicts(words) =>
            {
                Self::Text(TextForm::Verdict)
            }
            (one, two) if one.is_text() && two.is_text() => Self::String,
            (Self::List(one), Self::List(two)) => one.join(two)?.list(),
            (Self::Open, _) | (_, Self::Open) => Self::Open,
            (one, two) => {
                let (one, two) = (one.fields()?, two.fields()?);
                let mut fields = indexmap::IndexMap::new();
                for (name, ty) in &one {
                    let joined = match two.get(name) {
                        Some(other) => ty.join(other)?,
                        None => ty.clone().optional(),
                    };
                    fields.insert(name.clone(), joined);
                }
                for (name, ty) in two {
                    fields.entry(name).or_insert_with(|| ty.optional());
                }
                Self::Record(fields)
            }
        })
    }

    /// Whether its values are texts an author compares with quoted words.
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::String | Self::Text(_) | Self::OneOf(_))
    }
}

fn all_verdicts(words: &[String]) -> bool {
    words.iter().all(|word| word.parse::<Verdict>().is_ok())
}
