//! The blocks `if`, `unless`, `each`, `with`.
//!
//! Owns PB117, what a block is about, and what its condition proves to be there.

use std::collections::BTreeSet;

use handlebars::template::{BlockParam, HelperTemplate, Parameter};

use super::paths::THIS;
use super::{Argument, Checker, ReadPath};
use crate::diagnostic::Place;
use crate::expression::paths::{Local, Origin, origin_of};
use crate::template::Blocks;
use crate::types::Type;

impl Checker<'_> {
    pub(super) fn block(&mut self, block: &mut HelperTemplate, tag: &Place) {
        let name = block.name.as_name().unwrap_or("").to_owned();
        if self.blocks == Blocks::Refused {
            let diagnostic = self
                .snippet
                .error("PB117", tag, "a block goes only into a document")
                .help("make the choice in a `let` and write its name here");
            self.found.push(diagnostic);
            return;
        }
        if !matches!(name.as_str(), "if" | "unless" | "each" | "with") {
            let diagnostic = self
                .snippet
                .error("PB116", tag, format!("there is no block `{name}`"))
                .help("there are `if`, `unless`, `each` and `with`");
            self.found.push(diagnostic);
            return;
        }
        let [parameter] = block.params.as_slice() else {
            self.report("PB116", tag, format!("`{name}` is about one thing"));
            return;
        };
        if !block.hash.is_empty() {
            self.report("PB116", tag, "named arguments do not exist");
            return;
        }
        let parameter = parameter.clone();
        match name.as_str() {
            "if" | "unless" => self.choice(block, &parameter, name == "if", tag),
            _ => self.about(block, &parameter, name == "each", tag),
        }
    }

    fn choice(&mut self, block: &mut HelperTemplate, parameter: &Parameter, is_if: bool, tag: &Place) {
        if block.block_param.is_some() {
            self.report("PB116", tag, "a condition has no name");
        }
        let condition = if matches!(parameter, Parameter::Path(_)) {
            self.tolerating(|checker| checker.argument(parameter, tag))
        } else {
            self.argument(parameter, tag)
        };
        if matches!(condition.ty, Type::Int | Type::Double) {
            let diagnostic = self
                .snippet
                .error("PB211", tag, "a number is neither yes nor no")
                .help("compare it:  {{#if (gt x 0)}}");
            self.found.push(diagnostic);
        }
        let facts = condition
            .path
            .as_ref()
            .map(ReadPath::prefixes)
            .unwrap_or_default();
        let (then, otherwise) = if is_if {
            (facts, BTreeSet::new())
        } else {
            (BTreeSet::new(), facts)
        };
        block.params = vec![condition.parameter];
        if let Some(body) = &mut block.template {
            self.knowing(then, |checker| checker.template(body, tag));
        }
        if let Some(body) = &mut block.inverse {
            self.knowing(otherwise, |checker| checker.template(body, tag));
        }
    }

    fn about(&mut self, block: &mut HelperTemplate, parameter: &Parameter, is_loop: bool, tag: &Place) {
        let subject = self.argument(parameter, tag);
        let inner = match (&subject.ty, is_loop) {
            (Type::List(item), true) => (**item).clone(),
            (Type::Open | Type::Never, _) => subject.ty.clone(),
            (ty, false) if ty.fields().is_some() => ty.clone(),
            (ty, true) => {
                self.report("PB214", tag, format!("`each` goes over a list, this is a {ty}"));
                Type::Never
            }
            (ty, false) => {
                self.report("PB214", tag, format!("`with` is about a record, this is a {ty}"));
                Type::Never
            }
        };
        let name = match &block.block_param {
            None => THIS.to_owned(),
            Some(BlockParam::Single(name)) => name.as_name().unwrap_or(THIS).to_owned(),
            Some(_) => {
                let diagnostic = self
                    .snippet
                    .error("PB116", tag, "an item has one name")
                    .help("the number of the item is `@index`");
                self.found.push(diagnostic);
                return;
            }
        };
        let is_taken = name != THIS
            && (self.env.names().contains_key(&name)
                || self.env.enums().contains_key(&name)
                || self.locals.iter().any(|local| local.name == name)
                || matches!(name.as_str(), "steps" | "severity" | "tlp" | "pap" | "omit"));
        if is_taken {
            self.report("PB222", tag, format!("`{name}` is taken"));
            return;
        }
        let origin = self.origin(&subject);
        block.params = vec![subject.parameter];
        if let Some(body) = &mut block.template {
            let before = self.proven.clone();
            self.proven.retain(|fact| !is_about_this(fact));
            self.locals.push(Local {
                name,
                ty: inner,
                origin,
            });
            self.loops.push(is_loop);
            self.template(body, tag);
            self.loops.pop();
            self.locals.pop();
            self.proven = before;
        }
        if let Some(body) = &mut block.inverse {
            self.template(body, tag);
        }
    }

    fn origin(&self, subject: &Argument) -> Origin {
        match &subject.path {
            Some(path) => origin_of(self.env, &self.locals, &path.root, &path.segments),
            None => Origin::Other,
        }
    }

    fn knowing(&mut self, facts: BTreeSet<String>, walk: impl FnOnce(&mut Self)) {
        let before = self.proven.clone();
        self.proven.extend(facts);
        walk(self);
        self.proven = before;
    }
}

/// Facts about `this` end where another block is about something else.
fn is_about_this(fact: &str) -> bool {
    fact == THIS || fact.starts_with("this.")
}

impl ReadPath {
    /// The path and everything it goes through.
    fn prefixes(&self) -> BTreeSet<String> {
        (0..=self.segments.len())
            .map(|length| {
                self.root
                    .dotted(self.segments.get(..length).unwrap_or(&self.segments))
            })
            .collect()
    }
}
