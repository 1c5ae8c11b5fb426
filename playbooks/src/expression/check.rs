//! Static checking: from CEL's tree to our checked one, with every mistake placed.
//!
//! Owns names, selections, literals, presence and the final type. Operators and calls are in the
//! modules below.

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use serde_json::Value;

use super::paths::{Form, Local, Origin, Paths, Presence, WrittenPath, is_shown_here, origin_of};
use super::scope::{Expected, TypeEnv};
use super::syntax::Syntax;
use super::tree::{Kind, Node, Root};
use crate::diagnostic::{Diagnostic, Level, Place};
use crate::names::Read;
use crate::snippet::Snippet;
use crate::types::Type;

mod calls;
pub use self::calls::REGEX_BYTES_MAX;
mod operators;
mod outcome;

/// How deep comprehensions may nest.
pub const COMPREHENSION_DEPTH_MAX: usize = 2;

/// What checking made.
pub(super) struct Checked {
    pub(super) root: Node,
    pub(super) ty: Type,
    pub(super) reads: Vec<Read>,
    pub(super) warnings: Vec<Diagnostic>,
}

/// Checks a parsed expression.
pub(super) fn check(
    snippet: &Snippet<'_>,
    syntax: &Syntax,
    env: &TypeEnv,
    expected: &Expected,
) -> Result<Checked, Vec<Diagnostic>> {
    let mut checker = Checker {
        snippet,
        syntax,
        env,
        found: Vec::new(),
        reads: Vec::new(),
        locals: Vec::new(),
        proven: env.proven().clone(),
        presence: match expected {
            Expected::Output => Presence::Tolerated,
            _ => Presence::Required,
        },
        guarded: false,
        may_be_absent: false,
    };
    let root = checker.node(&syntax.root);
    let ty = checker.outcome(&root, expected);
    let Checker {
        mut found, mut reads, ..
    } = checker;
    found.sort_by_key(|diagnostic| (diagnostic.primary.place.start, diagnostic.code));
    if found.iter().any(|diagnostic| diagnostic.level == Level::Error) {
        return Err(found);
    }
    let mut seen = BTreeSet::new();
    reads.retain(|read| seen.insert(read.clone()));
    Ok(Checked {
        root,
        ty,
        reads,
        warnings: found,
    })
}

struct Checker<'a> {
    snippet: &'a Snippet<'a>,
    syntax: &'a Syntax,
    env: &'a TypeEnv,
    found: Vec<Diagnostic>,
    reads: Vec<Read>,
    locals: Vec<Local>,
    /// Dotted paths known to be there at this point of the walk.
    proven: BTreeSet<String>,
    presence: Presence,
    /// Inside the first argument of `has` or `default`.
    guarded: bool,
    /// Whether an unproven optional part was read where that is tolerated without a guard.
    may_be_absent: bool,
}

impl Checker<'_> {
    fn text(&self) -> &str {
        self.snippet.text()
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    fn wrong(&mut self, diagnostic: Diagnostic, place: Place) -> Node {
        self.report(diagnostic);
        Node::wrong(place)
    }

    fn place(&self, expr: &IdedExpr) -> Place {
        self.syntax.place(self.text(), expr)
    }

    /// What an author wrote at a place.
    fn written(&self, place: &Place) -> String {
        self.text().get(place.clone()).unwrap_or("").to_owned()
    }

    fn node(&mut self, expr: &IdedExpr) -> Node {
        if let Some(path) = self.path_of(expr) {
            return self.path(&path);
        }
        let place = self.place(expr);
        match &expr.expr {
            Expr::Literal(literal) => self.literal(literal, place),
            Expr::List(list) => self.list(&list.elements, place),
            Expr::Map(map) => {
                let entries: Vec<_> = map.entries.iter().map(|entry| &entry.expr).collect();
                self.record(&entries, place)
            }
            Expr::Select(select) => {
                let field_place = self.syntax.field(self.text(), expr, &select.field);
                self.select(&select.operand, &select.field, &field_place, place)
            }
            Expr::Call(call) => self.call(expr, call, place),
            Expr::Unspecified | Expr::Ident(_) | Expr::Comprehension(_) | Expr::Struct(_) => {
                let wrong = self
                    .snippet
                    .error("PB215", &place, "this form does not exist here");
                self.wrong(wrong, place)
            }
        }
    }

    /// The dotted path an expression spells, `a.b['c']` included.
    fn path_of(&self, expr: &IdedExpr) -> Option<WrittenPath> {
        match &expr.expr {
            Expr::Ident(name) => Some(WrittenPath {
                root: (name.clone(), self.place(expr)),
                segments: Vec::new(),
            }),
            Expr::Select(select) if !select.test => {
                let mut path = self.path_of(&select.operand)?;
                let place = self.syntax.field(self.text(), expr, &select.field);
                path.segments.push((select.field.clone(), place));
                Some(path)
            }
            Expr::Call(call) if call.func_name == cel::common::ast::operators::INDEX => {
                let [target, index] = call.args.as_slice() else {
                    return None;
                };
                let Expr::Literal(LiteralValue::String(field)) = &index.expr else {
                    return None;
                };
                let mut path = self.path_of(target)?;
                path.segments.push((field.inner().to_owned(), self.place(index)));
                Some(path)
            }
            _ => None,
        }
    }

    fn path(&mut self, path: &WrittenPath) -> Node {
        let place = path.place();
        if path.root.0 == "omit" && path.segments.is_empty() {
            return Node {
                kind: Kind::Omit,
                ty: Type::Never.optional(),
                place,
            };
        }
        let paths = Paths {
            form: Form::Expression,
            snippet: self.snippet,
            env: self.env,
            locals: &self.locals,
            proven: &self.proven,
        };
        let found = match paths.resolve(path, self.presence) {
            Ok(found) => found,
            Err(wrong) => return self.wrong(*wrong, place),
        };
        if let Some(word) = found.constant {
            return Node {
                kind: Kind::Literal(word),
                ty: found.ty,
                place,
            };
        }
        self.may_be_absent |= found.may_be_absent && !self.guarded;
        if let Root::Name(root) = &found.root {
            let shown_here = is_shown_here(self.env, &self.proven, &found.root, &found.segments);
            let mut read = vec![root.clone()];
            read.extend(found.segments.iter().cloned());
            self.reads.push(Read {
                path: read,
                guarded: self.guarded || shown_here,
            });
        }
        Node {
            kind: Kind::Path(found.root, found.segments),
            ty: found.ty,
            place,
        }
    }

    fn select(&mut self, operand: &IdedExpr, field: &str, field_place: &Place, place: Place) -> Node {
        let record = self.node(operand);
        if record.is_wrong() {
            return Node::wrong(place);
        }
        let shown = WrittenPath {
            root: (self.written(&record.place), record.place.clone()),
            segments: vec![(field.to_owned(), field_place.clone())],
        };
        let origin = self.origin(&record);
        let paths = Paths {
            form: Form::Expression,
            snippet: self.snippet,
            env: self.env,
            locals: &self.locals,
            proven: &self.proven,
        };
        let ty = match paths.field(record.ty.required(), field, field_place, &origin, &shown) {
            Ok(ty) => ty,
            Err(wrong) => return self.wrong(*wrong, place),
        };
        if matches!(ty, Type::Optional(_)) {
            if self.presence == Presence::Required {
                let wrong = self
                    .snippet
                    .error("PB213", &place, format!("`{field}` may be absent"))
                    .help(format!(
                        "give a value for that case:  default({}, ...)",
                        self.written(&place)
                    ));
                self.report(wrong);
            } else {
                self.may_be_absent |= !self.guarded;
            }
        }
        Node {
            ty: ty.required().clone(),
            kind: Kind::Select(Box::new(record), field.to_owned()),
            place,
        }
    }

    fn literal(&mut self, literal: &LiteralValue, place: Place) -> Node {
        let (value, ty) = match literal {
            LiteralValue::Boolean(yes) => (Value::Bool(*yes.inner()), Type::Bool),
            LiteralValue::Int(number) => (Value::from(*number.inner()), Type::Int),
            LiteralValue::Double(number) => (Value::from(*number.inner()), Type::Double),
            LiteralValue::String(text) => (
                Value::String(text.inner().to_owned()),
                Type::OneOf(vec![text.inner().to_owned()]),
            ),
            LiteralValue::Null => {
                let wrong = self
                    .snippet
                    .error("PB214", &place, "there is no null")
                    .help("ask with `has(x)`, or give a value with `default(x, ...)`");
                return self.wrong(wrong, place);
            }
            LiteralValue::UInt(_) | LiteralValue::Bytes(_) => {
                let wrong =
                    self.snippet
                        .error("PB214", &place, "unsigned numbers and bytes do not exist here");
                return self.wrong(wrong, place);
            }
        };
        Node {
            kind: Kind::Literal(value),
            ty,
            place,
        }
    }

    fn list(&mut self, elements: &[IdedExpr], place: Place) -> Node {
        let mut items = Vec::with_capacity(elements.len());
        let mut item = Type::Never;
        for element in elements {
            let node = self.present(element);
            if node.is_wrong() {
                return Node::wrong(place);
            }
            let Some(joined) = item.join(&node.ty) else {
                let message = format!(
                    "the items of a list are of one kind: {item} and {} are not",
                    node.ty
                );
                let wrong = self.snippet.error("PB214", &node.place, message);
                return self.wrong(wrong, place);
            };
            item = joined;
            items.push(node);
        }
        Node {
            kind: Kind::List(items),
            ty: item.list(),
            place,
        }
    }

    fn record(&mut self, entries: &[&EntryExpr], place: Place) -> Node {
        let mut fields = Vec::new();
        let mut types = indexmap::IndexMap::new();
        for entry in entries {
            let EntryExpr::MapEntry(entry) = entry else {
                continue;
            };
            let key_place = self.place(&entry.key);
            let Expr::Literal(LiteralValue::String(name)) = &entry.key.expr else {
                let wrong = self
                    .snippet
                    .error("PB214", &key_place, "the name of a field is a quoted text");
                return self.wrong(wrong, place);
            };
            let node = self.present(&entry.value);
            let name = name.inner().to_owned();
            if types.insert(name.clone(), node.ty.clone()).is_some() {
                let wrong = self
                    .snippet
                    .error("PB214", &key_place, format!("`{name}` is there twice"));
                return self.wrong(wrong, place);
            }
            fields.push((name, node));
        }
        Node {
            kind: Kind::Record(fields),
            ty: Type::Record(types),
            place,
        }
    }

    /// A value that must not be `omit`.
    fn present(&mut self, expr: &IdedExpr) -> Node {
        let node = self.node(expr);
        if matches!(node.ty, Type::Optional(_)) {
            let wrong = self
                .snippet
                .error(
                    "PB213",
                    &node.place,
                    "`omit` leaves a whole parameter out and is no value here",
                )
                .help("give a value instead of `omit`");
            return self.wrong(wrong, node.place);
        }
        node
    }

    /// Walks a part in which more is known to be there.
    fn knowing<T>(&mut self, facts: BTreeSet<String>, walk: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.proven.clone();
        self.proven.extend(facts);
        let result = walk(self);
        self.proven = before;
        result
    }

    /// Walks the part that `has` or `default` guards.
    fn guarding<T>(&mut self, walk: impl FnOnce(&mut Self) -> T) -> T {
        let before = (self.presence, self.guarded);
        self.presence = Presence::Tolerated;
        self.guarded = true;
        let result = walk(self);
        (self.presence, self.guarded) = before;
        result
    }

    /// Where the records in a value come from.
    fn origin(&self, node: &Node) -> Origin {
        match &node.kind {
            Kind::Path(root, segments) => origin_of(self.env, &self.locals, root, segments),
            Kind::Default(inner, _) | Kind::Index(inner, _) | Kind::Select(inner, _) => self.origin(inner),
            Kind::Call(_, arguments) => arguments
                .first()
                .map_or(Origin::Other, |first| self.origin(first)),
            Kind::Comprehension(comprehension) if comprehension.keeps_items() => {
                self.origin(&comprehension.list)
            }
            _ => Origin::Other,
        }
    }
}
