//! The last question about an expression: is its value of the kind that is wanted?
//!
//! Owns PB210, PB211, PB217 and PB218.

use serde_json::Value;

use super::Checker;
use crate::diagnostic::Diagnostic;
use crate::expression::evaluate::evaluate;
use crate::expression::paths::kind_of;
use crate::expression::scope::Expected;
use crate::expression::tree::{Kind, Node, Root};
use crate::names::NoNames;
use crate::types::Type;

impl Checker<'_> {
    /// The type of the whole, after reporting what does not fit.
    pub(super) fn outcome(&mut self, root: &Node, expected: &Expected) -> Type {
        if root.is_wrong() {
            return Type::Never;
        }
        let ty = &root.ty;
        match expected {
            Expected::Condition(key) => {
                if !matches!(ty, Type::Bool | Type::Open) {
                    let wrong = self.not_a_condition(root, key);
                    self.report(wrong);
                } else if self.reads.is_empty() && self.found.is_empty() {
                    self.always(root, key);
                }
            }
            Expected::List => {
                if !matches!(ty, Type::List(_) | Type::Open) {
                    let message = format!("`for_each` goes over a list, this is a {}", kind_of(ty));
                    let wrong = self.snippet.error("PB218", &root.place, message);
                    self.report(wrong);
                }
            }
            Expected::Parameter(name, wanted) => {
                if !wanted.accepts(ty) {
                    let wrong = self.another_type(root, name, wanted);
                    self.report(wrong);
                }
            }
            Expected::Any | Expected::Output => {}
        }
        if self.may_be_absent && !matches!(ty, Type::Optional(_)) {
            ty.clone().optional()
        } else {
            ty.clone()
        }
    }

    fn always(&mut self, root: &Node, key: &str) {
        if let Ok(Some(Value::Bool(value))) = evaluate(root, self.text(), &NoNames) {
            let warning = self
                .snippet
                .warning("PB217", &root.place, format!("this `{key}` is always {value}"))
                .help("leave it out, or compare something that can change");
            self.report(warning);
        }
    }

    fn not_a_condition(&self, root: &Node, key: &str) -> Diagnostic {
        let is = match &root.ty {
            Type::OneOf(words) if words.len() == 1 => "a text".to_owned(),
            Type::OneOf(_) | Type::Never => root.ty.to_string(),
            Type::Optional(_) => "something that may be absent".to_owned(),
            ty => format!("a {}", kind_of(ty)),
        };
        let wrong = self.snippet.error(
            "PB211",
            &root.place,
            format!("`{key}` wants yes or no, this is {is}"),
        );
        let written = self.written(&root.place);
        match &root.ty {
            Type::OneOf(words) => match words.first() {
                Some(word) if words.len() > 1 => {
                    wrong.help(format!("compare it:   {key}: {written} == '{word}'"))
                }
                _ => wrong,
            },
            Type::Ordered { name, words } => {
                let word = words.last().map_or("", String::as_str);
                wrong.help(format!("compare it:   {key}: {written} >= {name}.{word}"))
            }
            Type::List(_) => wrong.help(format!("ask for its size:   {key}: size({written}) > 0")),
            Type::Int => wrong.help(format!("compare it:   {key}: {written} > 0")),
            _ => wrong,
        }
    }

    fn another_type(&self, root: &Node, name: &str, wanted: &Type) -> Diagnostic {
        let is = match &root.ty {
            Type::OneOf(words) if words.len() == 1 => "a text".to_owned(),
            Type::Optional(_) if root.ty.required() == &Type::Never => "left out".to_owned(),
            ty => ty.to_string(),
        };
        let mut wrong = self.snippet.error(
            "PB210",
            &root.place,
            format!("`{name}` takes {wanted}, this is {is}"),
        );
        wrong = match (wanted.required(), &root.ty) {
            (_, Type::Optional(_)) if !matches!(wanted, Type::Optional(_)) => {
                wrong.help(format!("`{name}` must be given; write a value instead of `omit`"))
            }
            (Type::Time, Type::String) => wrong.help("turn a text into a time with `timestamp(...)`"),
            (Type::Duration, Type::Int) => wrong.help("write `days(n)`, `hours(n)` or `minutes(n)`"),
            (Type::Ordered { name, words }, Type::OneOf(_)) => wrong.help(format!(
                "write one of {name}.{}",
                words.join(&format!(", {name}."))
            )),
            (Type::String, Type::Int | Type::Double | Type::Bool) => {
                wrong.help(format!("write `string({})`", self.written(&root.place)))
            }
            _ => wrong,
        };
        if let Kind::Path(Root::Name(root), segments) = &root.kind
            && segments.is_empty()
            && let Some(declared) = self.env.names().get(root).and_then(|name| name.declared.clone())
        {
            wrong = wrong.evidence(self.snippet.source(), declared, is);
        }
        wrong
    }
}
