//! Static checking of a parsed template, and its rewriting into the form that is rendered.
//!
//! Owns which elements, functions and names are allowed. After it no name of an author is left
//! in the tree: paths are slots, and everything that is written goes through one function.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use handlebars::template::{HelperTemplate, Parameter, Subexpression, TemplateElement};
use serde_json::Value;

use super::functions::WRITE;
use super::{Blocks, Slot, scan};
use crate::diagnostic::{Diagnostic, Place};
use crate::expression::TypeEnv;
use crate::expression::paths::{Local, Presence};
use crate::expression::syntax::offset_of;
use crate::names::Read;
use crate::snippet::Snippet;
use crate::types::Type;

mod blocks;
mod calls;
mod paths;

/// What checking made.
pub(super) struct Checked {
    pub(super) compiled: handlebars::Template,
    pub(super) reads: Vec<Read>,
    pub(super) slots: Vec<Slot>,
    pub(super) written: BTreeMap<String, String>,
    pub(super) needs_zone: bool,
}

/// Parses, checks and rewrites a template that is inside the fence.
pub(super) fn check(
    snippet: &Snippet<'_>,
    env: &TypeEnv,
    blocks: Blocks,
) -> Result<Checked, Vec<Diagnostic>> {
    let mut compiled = handlebars::Template::compile(snippet.text()).map_err(|error| {
        let text = snippet.text();
        let at = error
            .pos()
            .map_or(0, |(line, column)| offset_of(text, line, column));
        let tag = scan::tag_at(text, at.min(text.len()));
        vec![
            snippet
                .error("PB116", &tag, "this is not a template")
                .label(reason(&error)),
        ]
    })?;
    let mut checker = Checker {
        snippet,
        env,
        blocks,
        found: Vec::new(),
        reads: Vec::new(),
        slots: Vec::new(),
        written: BTreeMap::new(),
        needs_zone: false,
        locals: Vec::new(),
        loops: Vec::new(),
        proven: env.proven().clone(),
        presence: Presence::Required,
    };
    checker.template(&mut compiled, &(0..snippet.text().len()));
    let mut found = checker.found;
    if !found.is_empty() {
        found.sort_by_key(|diagnostic| (diagnostic.primary.place.start, diagnostic.code));
        return Err(found);
    }
    let mut reads = checker.reads;
    if checker.needs_zone {
        reads.push(Read {
            path: vec!["entity".to_owned(), "timezone".to_owned()],
            guarded: true,
        });
    }
    let mut seen = BTreeSet::new();
    reads.retain(|read| seen.insert(read.clone()));
    Ok(Checked {
        compiled,
        reads,
        slots: checker.slots,
        written: checker.written,
        needs_zone: checker.needs_zone,
    })
}

/// What the parser says, in a few words.
fn reason(error: &handlebars::TemplateError) -> String {
    use handlebars::TemplateErrorReason as Reason;
    match error.reason() {
        Reason::MismatchingClosedHelper(opened, closed) => {
            format!("`{opened}` was opened, `{closed}` is closed")
        }
        Reason::InvalidParam(param) => {
            format!("`{}` is no argument", param.chars().take(40).collect::<String>())
        }
        _ => "braces, quotes or blocks do not fit together".to_owned(),
    }
}

struct Checker<'a> {
    snippet: &'a Snippet<'a>,
    env: &'a TypeEnv,
    blocks: Blocks,
    found: Vec<Diagnostic>,
    reads: Vec<Read>,
    slots: Vec<Slot>,
    written: BTreeMap<String, String>,
    needs_zone: bool,
    /// The things that `each` and `with` are about, outermost first.
    locals: Vec<Local>,
    /// For each of them, whether it is an item of a list.
    loops: Vec<bool>,
    proven: BTreeSet<String>,
    presence: Presence,
}

/// An argument or value after checking.
struct Argument {
    /// What stands for it in the rewritten tree.
    parameter: Parameter,
    ty: Type,
    /// The path, if it is one.
    path: Option<ReadPath>,
}

/// A path that was read, for what it proves and where its records come from.
struct ReadPath {
    root: crate::expression::tree::Root,
    segments: Vec<String>,
}

impl Argument {
    fn wrong(parameter: &Parameter) -> Self {
        Self {
            parameter: parameter.clone(),
            ty: Type::Never,
            path: None,
        }
    }
}

impl Checker<'_> {
    fn text(&self) -> &str {
        self.snippet.text()
    }

    fn report(&mut self, code: &'static str, place: &Place, message: impl Into<String>) {
        let diagnostic = self.snippet.error(code, place, message);
        self.found.push(diagnostic);
    }

    fn template(&mut self, template: &mut handlebars::Template, around: &Place) {
        for (index, element) in template.elements.iter_mut().enumerate() {
            let tag = match template.mapping.get(index) {
                Some(mapping) => scan::tag_at(self.text(), offset_of(self.text(), mapping.0, mapping.1)),
                None => around.clone(),
            };
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(expression) => self.expression(expression, &tag),
                TemplateElement::HelperBlock(block) => self.block(block, &tag),
                _ => self.report("PB116", &tag, "this form does not exist here"),
            }
        }
    }

    /// `{{x}}` and `{{f x}}`: something that is written.
    fn expression(&mut self, expression: &mut HelperTemplate, tag: &Place) {
        let value = self.value_of(expression, tag);
        if matches!(value.ty, Type::List(_)) || value.ty.fields().is_some() {
            self.not_a_text(&value.ty, tag);
            return;
        }
        let parameter = self.for_people(value.parameter, &value.ty);
        expression.name = Parameter::Name(WRITE.to_owned());
        expression.params = vec![parameter];
        expression.hash = HashMap::new();
    }

    fn not_a_text(&mut self, ty: &Type, tag: &Place) {
        let inner = self
            .text()
            .get(tag.clone())
            .unwrap_or("")
            .trim_matches(['{', '}', '~', ' '])
            .to_owned();
        let wrong = match ty {
            Type::List(_) => self
                .snippet
                .error("PB220", tag, "a list is not a text")
                .help(format!("write its items:  {{{{join {inner} \", \"}}}}"))
                .help(format!("or how many there are:  {{{{len {inner}}}}}")),
            _ => self
                .snippet
                .error("PB220", tag, "a record is not a text")
                .help(format!("write one of its fields:  {{{{{inner}.<field>}}}}"))
                .help(format!("or all of it as JSON:  {{{{json {inner}}}}}")),
        };
        self.found.push(wrong);
    }

    /// Durations and times become words on their way out.
    fn for_people(&mut self, parameter: Parameter, ty: &Type) -> Parameter {
        let function = match ty {
            Type::Duration => "duration",
            Type::Time => {
                self.needs_zone = true;
                "date"
            }
            _ => return parameter,
        };
        Parameter::Subexpression(Subexpression::new(
            Parameter::Name(function.to_owned()),
            vec![parameter],
            HashMap::new(),
        ))
    }

    /// The value of `{{...}}` or `(...)`: a path or a call.
    fn value_of(&mut self, expression: &HelperTemplate, tag: &Place) -> Argument {
        if !expression.hash.is_empty() {
            self.report("PB116", tag, "named arguments do not exist");
            return Argument::wrong(&expression.name);
        }
        if expression.params.is_empty() {
            return self.argument(&expression.name, tag);
        }
        let name = expression.name.as_name().unwrap_or("").to_owned();
        self.call(&name, &expression.params, tag)
    }

    /// One argument: a literal, a path or a call in brackets.
    fn argument(&mut self, parameter: &Parameter, tag: &Place) -> Argument {
        match parameter {
            Parameter::Literal(value) => self.literal(parameter, value, tag),
            Parameter::Path(path) => self.path(path, parameter, tag),
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(call) if call.params.is_empty() && call.hash.is_empty() => {
                    // `(x)` would be a call without arguments.
                    let name = call.name.as_name().unwrap_or("").to_owned();
                    self.call(&name, &[], tag)
                }
                TemplateElement::Expression(call) => self.value_of(call, tag),
                _ => {
                    self.report("PB116", tag, "this form does not exist here");
                    Argument::wrong(parameter)
                }
            },
            Parameter::Name(name) => {
                if let Ok(path) = handlebars::Path::parse(name) {
                    return self.path(&path, parameter, tag);
                }
                self.report("PB116", tag, "a name goes here");
                Argument::wrong(parameter)
            }
            _ => {
                self.report("PB116", tag, "this form does not exist here");
                Argument::wrong(parameter)
            }
        }
    }

    fn literal(&mut self, parameter: &Parameter, value: &Value, tag: &Place) -> Argument {
        let ty = match value {
            Value::String(text) => Type::OneOf(vec![text.clone()]),
            Value::Bool(_) => Type::Bool,
            Value::Number(number) if number.is_i64() => Type::Int,
            Value::Number(_) => Type::Double,
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.report("PB116", tag, "a literal is a text, a number, true or false");
                Type::Never
            }
        };
        Argument {
            parameter: parameter.clone(),
            ty,
            path: None,
        }
    }
}
