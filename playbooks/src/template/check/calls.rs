//! Calls of the inline functions.
//!
//! Owns which names may be called and whether the arguments fit.

use std::collections::HashMap;

use handlebars::template::{Parameter, Subexpression};

use super::{Argument, Checker};
use crate::diagnostic::Place;
use crate::expression::paths::Presence;
use crate::suggestion::nearest;
use crate::template::functions::{INLINE, Inline};
use crate::template::scan::word_in;
use crate::types::Type;

/// Names other Handlebars installations know, and why they are not here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("log", "a text has no log"),
    ("lookup", "fields are named, never computed"),
    ("raw", "raw blocks do not exist"),
    (
        "t",
        "the catalogue of phrases is not built yet; write the phrase here",
    ),
];

impl Checker<'_> {
    pub(super) fn call(&mut self, name: &str, parameters: &[Parameter], tag: &Place) -> Argument {
        let wrong = Argument {
            parameter: Parameter::Name(name.to_owned()),
            ty: Type::Never,
            path: None,
        };
        let Some(function) = Inline::named(name) else {
            self.unknown_function(name, tag);
            return wrong;
        };
        let mut arguments = Vec::with_capacity(parameters.len());
        for (index, parameter) in parameters.iter().enumerate() {
            let is_guarded = function == Inline::Default && index == 0;
            let argument = if is_guarded {
                self.tolerating(|checker| checker.argument(parameter, tag))
            } else {
                self.argument(parameter, tag)
            };
            arguments.push(self.prepared(function, argument));
        }
        if function == Inline::Date {
            self.needs_zone = true;
        }
        let types: Vec<Type> = arguments.iter().map(|argument| argument.ty.clone()).collect();
        if types.contains(&Type::Never) {
            return wrong;
        }
        let Some(ty) = function.result(&types) else {
            let given: Vec<String> = types.iter().map(ToString::to_string).collect();
            let message = format!("`{name}` does not take ({})", given.join(", "));
            let diagnostic = self
                .snippet
                .error("PB215", tag, message)
                .help(format!("write {}", function.usage()));
            self.found.push(diagnostic);
            return wrong;
        };
        if matches!(function, Inline::Eq | Inline::Ne) {
            self.never_equal(&types, tag);
        }
        Argument {
            parameter: Parameter::Subexpression(Subexpression::new(
                Parameter::Name(name.to_owned()),
                arguments.into_iter().map(|argument| argument.parameter).collect(),
                HashMap::new(),
            )),
            ty,
            path: None,
        }
    }

    /// Durations and times reach most functions as text for people.
    fn prepared(&mut self, function: Inline, argument: Argument) -> Argument {
        if function.takes_spans_and_times() || !matches!(argument.ty, Type::Duration | Type::Time) {
            return argument;
        }
        Argument {
            parameter: self.for_people(argument.parameter, &argument.ty),
            ty: Type::String,
            path: argument.path,
        }
    }

    /// Walks the part whose absence is handled right there.
    pub(super) fn tolerating<T>(&mut self, walk: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.presence;
        self.presence = Presence::Tolerated;
        let result = walk(self);
        self.presence = before;
        result
    }

    fn never_equal(&mut self, types: &[Type], tag: &Place) {
        let [Type::OneOf(one), Type::OneOf(two)] = types else {
            return;
        };
        if one.iter().any(|word| two.contains(word)) {
            return;
        }
        let (words, wrong) = if two.len() == 1 { (one, two) } else { (two, one) };
        let culprit = wrong.first().map_or("", String::as_str);
        let place = word_in(self.text(), tag, culprit);
        let mut diagnostic = self.snippet.error("PB212", &place, "this can never be the same");
        for like in nearest(culprit, words.iter().map(String::as_str)) {
            diagnostic = diagnostic.help(format!("did you mean \"{like}\"?"));
        }
        self.found
            .push(diagnostic.note(format!("the other is one of '{}'", words.join("', '"))));
    }

    pub(super) fn unknown_function(&mut self, name: &str, tag: &Place) {
        let place = word_in(self.text(), tag, name);
        if let Some((_, why)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
            let diagnostic = self
                .snippet
                .error("PB116", &place, format!("`{name}` does not exist here"))
                .help(*why);
            self.found.push(diagnostic);
            return;
        }
        let mut diagnostic = self
            .snippet
            .error("PB215", &place, format!("there is no function `{name}`"));
        for like in nearest(name, INLINE.iter().map(|(known, ..)| *known)) {
            if let Some(function) = Inline::named(like) {
                diagnostic = diagnostic.help(format!("did you mean {}?", function.usage()));
            }
        }
        self.found.push(diagnostic);
    }
}
