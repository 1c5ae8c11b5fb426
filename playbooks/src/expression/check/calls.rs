//! Calls: operators by CEL's names for them, `has`, `default`, loops over lists, functions.
//!
//! Owns PB215, PB216, PB222 and the depth of comprehensions (PB221).

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use regex::RegexBuilder;

use super::{COMPREHENSION_DEPTH_MAX, Checker};
use crate::diagnostic::Place;
use crate::expression::functions::{Function, is_ordered, items, parse_duration};
use crate::expression::paths::Local;
use crate::expression::tree::{Arithmetic, Comparison, Comprehension, Kind, Loop, Node};
use crate::suggestion::nearest;
use crate::types::Type;

/// Largest compiled regular expression in bytes.
pub const REGEX_BYTES_MAX: usize = 64 * 1024;

impl Checker<'_> {
    pub(super) fn call(&mut self, expr: &IdedExpr, call: &CallExpr, place: Place) -> Node {
        if let Some(node) = self.operator(call, &place) {
            return node;
        }
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            ("has", None, [path]) => self.has(path, place),
            ("default", None, [value, fallback]) => self.default(value, fallback, place),
            ("matches", Some(text), [pattern]) | ("matches", None, [text, pattern]) => {
                self.matches(text, pattern, place)
            }
            ("all" | "exists" | "exists_one" | "map" | "filter" | "sortBy", Some(list), arguments) => {
                self.comprehension(name, list, arguments, place)
            }
            ("duration", None, [text]) if literal(text).is_some_and(bad_duration) => {
                let wrong = self
                    .snippet
                    .error("PB215", &self.place(text), "this is not a duration")
                    .help("write '90s' or '1h30m', or use days(7)");
                self.wrong(wrong, place)
            }
            (name, target, arguments) => {
                let Some(function) = Function::named(name) else {
                    return self.unknown_function(expr, name, place);
                };
                let arguments: Vec<Node> = target
                    .into_iter()
                    .chain(arguments)
                    .map(|argument| self.present(argument))
                    .collect();
                self.function(function, arguments, place)
            }
        }
    }

    fn operator(&mut self, call: &CallExpr, place: &Place) -> Option<Node> {
        let place = place.clone();
        let comparison = |name: &str| {
            Some(match name {
                operators::EQUALS => Comparison::Equal,
                operators::NOT_EQUALS => Comparison::NotEqual,
                operators::LESS => Comparison::Less,
                operators::LESS_EQUALS => Comparison::LessOrEqual,
                operators::GREATER => Comparison::Greater,
                operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
                _ => return None,
            })
        };
        let arithmetic = |name: &str| {
            Some(match name {
                operators::ADD => Arithmetic::Add,
                operators::SUBSTRACT => Arithmetic::Subtract,
                operators::MULTIPLY => Arithmetic::Multiply,
                operators::DIVIDE => Arithmetic::Divide,
                operators::MODULO => Arithmetic::Remainder,
                _ => return None,
            })
        };
        Some(match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, [inner]) => self.not(inner, place),
            (operators::NEGATE, [inner]) => self.negate(inner, place),
            (operators::LOGICAL_AND, [one, two]) => self.logical(true, one, two, place),
            (operators::LOGICAL_OR, [one, two]) => self.logical(false, one, two, place),
            (operators::CONDITIONAL, [question, one, two]) => self.conditional([question, one, two], place),
            (operators::IN, [item, list]) => self.contained(item, list, place),
            (operators::INDEX, [list, index]) => self.index(list, index, place),
            (name, [one, two]) if comparison(name).is_some() => {
                self.compare(comparison(name)?, one, two, place)
            }
            (name, [one, two]) if arithmetic(name).is_some() => {
                self.arithmetic(arithmetic(name)?, one, two, place)
            }
            _ => return None,
        })
    }

    fn index(&mut self, list: &IdedExpr, index: &IdedExpr, place: Place) -> Node {
        if let Some(field) = literal(index) {
            let field_place = self.place(index);
            return self.select(list, field, &field_place, place);
        }
        let of = self.present(list);
        let at = self.present(index);
        if of.is_wrong() || at.is_wrong() {
            return Node::wrong(place);
        }
        let Some(item) = items(&of.ty)
            .cloned()
            .filter(|_| matches!(at.ty, Type::Int | Type::Open))
        else {
            let message = "an item of a list is read with a whole number: list[0]";
            let wrong = self.snippet.error("PB214", &place, message);
            return self.wrong(wrong, place);
        };
        Node {
            kind: Kind::Index(Box::new(of), Box::new(at)),
            ty: item,
            place,
        }
    }

    fn has(&mut self, path: &IdedExpr, place: Place) -> Node {
        let inner = self.guarding(|checker| checker.node(path));
        if inner.is_wrong() {
            return Node::wrong(place);
        }
        if !matches!(inner.kind, Kind::Path(..) | Kind::Select(..) | Kind::Index(..)) {
            let wrong = self
                .snippet
                .error(
                    "PB215",
                    &inner.place,
                    "`has` asks whether something named is there",
                )
                .help("write `has(a.b.c)`");
            return self.wrong(wrong, place);
        }
        Node {
            kind: Kind::Has(Box::new(inner)),
            ty: Type::Bool,
            place,
        }
    }

    fn default(&mut self, value: &IdedExpr, fallback: &IdedExpr, place: Place) -> Node {
        let inner = self.guarding(|checker| checker.present(value));
        let other = self.node(fallback);
        if inner.is_wrong() || other.is_wrong() {
            return Node::wrong(place);
        }
        let Some(ty) = inner.ty.join(&other.ty) else {
            let message = format!(
                "the fallback is of the same kind: {} and {} are not",
                inner.ty, other.ty
            );
            let mut wrong = self.snippet.error("PB214", &other.place, message);
            if matches!((&inner.ty, &other.ty), (Type::Double, Type::Int)) {
                wrong = wrong.help(format!("write `{}.0`", self.written(&other.place)));
            }
            return self.wrong(wrong, place);
        };
        Node {
            kind: Kind::Default(Box::new(inner), Box::new(other)),
            ty,
            place,
        }
    }

    fn matches(&mut self, text: &IdedExpr, pattern: &IdedExpr, place: Place) -> Node {
        let of = self.present(text);
        let pattern_place = self.place(pattern);
        if of.is_wrong() {
            return Node::wrong(place);
        }
        if !of.ty.is_text() && of.ty != Type::Open {
            let wrong = self
                .snippet
                .error("PB215", &of.place, "`matches` looks at a text")
                .help("write text.matches('^a+$')");
            return self.wrong(wrong, place);
        }
        let Some(written) = literal(pattern) else {
            let wrong = self
                .snippet
                .error("PB216", &pattern_place, "a regular expression is a literal text")
                .help("write it in quotes; data never becomes a pattern");
            return self.wrong(wrong, place);
        };
        match RegexBuilder::new(written)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .build()
        {
            Ok(regex) => Node {
                kind: Kind::Matches(Box::new(of), Box::new(regex)),
                ty: Type::Bool,
                place,
            },
            Err(regex::Error::CompiledTooBig(_)) => {
                let message = format!("this regular expression needs more than {REGEX_BYTES_MAX} bytes");
                let wrong = self.snippet.error("PB216", &pattern_place, message);
                self.wrong(wrong, place)
            }
            Err(error) => {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or("").trim_start_matches("error: ");
                let wrong = self
                    .snippet
                    .error("PB216", &pattern_place, "this is not a regular expression")
                    .label(why.chars().take(100).collect::<String>());
                self.wrong(wrong, place)
            }
        }
    }

    fn comprehension(&mut self, name: &str, list: &IdedExpr, arguments: &[IdedExpr], place: Place) -> Node {
        let kind = match name {
            "all" => Loop::All,
            "exists" => Loop::Exists,
            "exists_one" => Loop::ExistsOne,
            "filter" => Loop::Filter,
            "sortBy" => Loop::SortBy,
            _ => Loop::Map,
        };
        let (variable, condition, body) = match arguments {
            [variable, body] => (variable, None, body),
            [variable, condition, body] if kind == Loop::Map => (variable, Some(condition), body),
            _ => return self.bad_call(&format!("list.{name}(x, ...)"), &place),
        };
        let Expr::Ident(variable_name) = &variable.expr else {
            return self.bad_call(&format!("list.{name}(x, ...)"), &place);
        };
        let over = self.present(list);
        if over.is_wrong() {
            return Node::wrong(place);
        }
        let Some(item) = items(&over.ty).cloned() else {
            let message = format!("`{name}` goes over a list, this is a {}", over.ty);
            let wrong = self.snippet.error("PB215", &over.place, message);
            return self.wrong(wrong, place);
        };
        if self.locals.len() >= COMPREHENSION_DEPTH_MAX {
            let message = format!("loops over lists nest at most {COMPREHENSION_DEPTH_MAX} deep");
            let wrong = self
                .snippet
                .error("PB221", &place, message)
                .help("give the inner one a name under `let`");
            return self.wrong(wrong, place);
        }
        if self.is_taken(variable_name) {
            let message = format!("`{variable_name}` is taken");
            let wrong = self
                .snippet
                .error("PB222", &self.place(variable), message)
                .help("use another name for the loop variable");
            return self.wrong(wrong, place);
        }
        let origin = self.origin(&over);
        self.locals.push(Local {
            name: variable_name.clone(),
            ty: item.clone(),
            origin,
        });
        let condition = condition.map(|condition| self.condition(condition, "map"));
        let facts = condition
            .as_ref()
            .map_or_else(BTreeSet::new, |condition| condition.proves(true));
        let body = self.knowing(facts, |checker| match kind {
            Loop::Map | Loop::SortBy => checker.present(body),
            Loop::All | Loop::Exists | Loop::ExistsOne | Loop::Filter => checker.condition(body, name),
        });
        self.locals.pop();
        if body.is_wrong() || condition.as_ref().is_some_and(Node::is_wrong) {
            return Node::wrong(place);
        }
        let ty = match kind {
            Loop::All | Loop::Exists | Loop::ExistsOne => Type::Bool,
            Loop::Filter => item.list(),
            Loop::Map => body.ty.clone().list(),
            Loop::SortBy if is_ordered(&body.ty) || body.ty == Type::Open => item.list(),
            Loop::SortBy => {
                return self.bad_call("list.sortBy(x, x.field), where the field has an order", &place);
            }
        };
        Node {
            kind: Kind::Comprehension(Box::new(Comprehension {
                kind,
                list: over,
                condition,
                body,
            })),
            ty,
            place,
        }
    }

    fn is_taken(&self, name: &str) -> bool {
        self.locals.iter().any(|local| local.name == name)
            || self.env.names().contains_key(name)
            || self.env.enums().contains_key(name)
            || matches!(name, "steps" | "severity" | "tlp" | "pap" | "omit")
    }

    fn function(&mut self, function: Function, arguments: Vec<Node>, place: Place) -> Node {
        if arguments.iter().any(Node::is_wrong) {
            return Node::wrong(place);
        }
        let types: Vec<Type> = arguments.iter().map(|argument| argument.ty.clone()).collect();
        let Some(ty) = function.result(&types) else {
            let given: Vec<String> = types.iter().map(ToString::to_string).collect();
            let message = format!("`{}` does not take ({})", function.name(), given.join(", "));
            let wrong = self
                .snippet
                .error("PB215", &place, message)
                .help(format!("write {}", function.usage()));
            return self.wrong(wrong, place);
        };
        Node {
            kind: Kind::Call(function, arguments),
            ty,
            place,
        }
    }

    fn bad_call(&mut self, usage: &str, place: &Place) -> Node {
        let wrong = self
            .snippet
            .error("PB215", place, "the arguments do not fit")
            .help(format!("write {usage}"));
        self.wrong(wrong, place.clone())
    }

    fn unknown_function(&mut self, expr: &IdedExpr, name: &str, place: Place) -> Node {
        let name_place = self.syntax.function(self.text(), expr, name);
        let mut wrong = self
            .snippet
            .error("PB215", &name_place, format!("there is no function `{name}`"));
        for known in nearest(name, Function::names()) {
            wrong = wrong.help(match Function::named(known) {
                Some(function) => format!("did you mean {}?", function.usage()),
                None => format!("did you mean `{known}`?"),
            });
        }
        self.wrong(wrong, place)
    }
}

fn literal(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn bad_duration(text: &str) -> bool {
    parse_duration(text).is_none()
}
