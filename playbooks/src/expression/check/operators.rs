//! Operators: which operands fit, and comparisons that can never be true.
//!
//! Owns PB212 and PB214.

use cel::common::ast::IdedExpr;
use serde_json::Value;

use super::Checker;
use crate::diagnostic::Place;
use crate::expression::functions::{is_ordered, items};
use crate::expression::tree::{Arithmetic, Comparison, Kind, Node, Root};
use crate::marking::Verdict;
use crate::suggestion::nearest;
use crate::types::{TextForm, Type};
use crate::values::canonical_text;

impl Checker<'_> {
    pub(super) fn condition(&mut self, expr: &IdedExpr, sign: &str) -> Node {
        let node = self.present(expr);
        if matches!(node.ty, Type::Bool | Type::Open | Type::Never) {
            return node;
        }
        let message = format!("`{sign}` joins conditions, this is {}", with_article(&node.ty));
        let mut wrong = self.snippet.error("PB214", &node.place, message);
        if let Type::OneOf(words) = &node.ty
            && let Some(word) = words.first()
        {
            wrong = wrong.help(format!("compare it:  {} == '{word}'", self.written(&node.place)));
        }
        self.wrong(wrong, node.place)
    }

    pub(super) fn not(&mut self, expr: &IdedExpr, place: Place) -> Node {
        let inner = self.condition(expr, "!");
        finished([&inner], Type::Bool, place, || Kind::Not(Box::new(inner.clone())))
    }

    pub(super) fn negate(&mut self, expr: &IdedExpr, place: Place) -> Node {
        let inner = self.present(expr);
        let ty = match inner.ty {
            Type::Int | Type::Double | Type::Duration | Type::Never => inner.ty.clone(),
            Type::Open => Type::Int,
            ref other => {
                let wrong = self.snippet.error(
                    "PB214",
                    &inner.place,
                    format!("{} has no negative", with_article(other)),
                );
                return self.wrong(wrong, place);
            }
        };
        finished([&inner], ty, place, || Kind::Negate(Box::new(inner.clone())))
    }

    pub(super) fn logical(&mut self, is_and: bool, one: &IdedExpr, two: &IdedExpr, place: Place) -> Node {
        let sign = if is_and { "&&" } else { "||" };
        let left = self.condition(one, sign);
        let right = self.knowing(left.proves(is_and), |checker| checker.condition(two, sign));
        finished([&left, &right], Type::Bool, place, || {
            let (left, right) = (Box::new(left.clone()), Box::new(right.clone()));
            if is_and {
                Kind::And(left, right)
            } else {
                Kind::Or(left, right)
            }
        })
    }

    pub(super) fn conditional(&mut self, [if_, then, else_]: [&IdedExpr; 3], place: Place) -> Node {
        let question = self.condition(if_, "?");
        let one = self.knowing(question.proves(true), |checker| checker.node(then));
        let two = self.knowing(question.proves(false), |checker| checker.node(else_));
        if question.is_wrong() || one.is_wrong() || two.is_wrong() {
            return Node::wrong(place);
        }
        let Some(ty) = one.ty.join(&two.ty) else {
            let message = format!(
                "both sides of `? :` are of one kind: {} and {} are not",
                one.ty, two.ty
            );
            let wrong = self.snippet.error("PB214", &two.place, message);
            return self.wrong(wrong, place);
        };
        Node {
            kind: Kind::Conditional(Box::new(question), Box::new(one), Box::new(two)),
            ty,
            place,
        }
    }

    pub(super) fn compare(&mut self, how: Comparison, one: &IdedExpr, two: &IdedExpr, place: Place) -> Node {
        let mut left = self.present(one);
        let mut right = self.present(two);
        if left.is_wrong() || right.is_wrong() {
            return Node::wrong(place);
        }
        if !comparable(&left.ty, &right.ty) || !(how.is_equality() || ordered_pair(&left.ty, &right.ty)) {
            let wrong = self.misfit(how.sign(), &left, &right, &place);
            return self.wrong(wrong, place);
        }
        if how.is_equality() {
            canonicalise(&mut left, &right.ty);
            canonicalise(&mut right, &left.ty);
            if let Some(culprit) = self.never_equal(&left, &right) {
                if how == Comparison::Equal {
                    self.report(culprit);
                } else {
                    let warning = self
                        .snippet
                        .warning("PB217", &place, "this is always true")
                        .help("compare it with a word it can be");
                    self.report(warning);
                }
            }
        }
        Node {
            kind: Kind::Compare(how, Box::new(left), Box::new(right)),
            ty: Type::Bool,
            place,
        }
    }

    pub(super) fn contained(&mut self, one: &IdedExpr, two: &IdedExpr, place: Place) -> Node {
        let mut item = self.present(one);
        let mut list = self.present(two);
        if item.is_wrong() || list.is_wrong() {
            return Node::wrong(place);
        }
        let Some(of) = items(&list.ty).cloned() else {
            let message = format!("`in` looks into a list, this is {}", with_article(&list.ty));
            let mut wrong = self.snippet.error("PB214", &list.place, message);
            if list.ty.is_text() {
                wrong = wrong.help(format!(
                    "for a part of a text:  {}.contains({})",
                    self.written(&list.place),
                    self.written(&item.place)
                ));
            }
            return self.wrong(wrong, place);
        };
        if !comparable(&item.ty, &of) {
            let wrong = self.misfit("in", &item, &list, &place);
            return self.wrong(wrong, place);
        }
        canonicalise(&mut item, &of);
        if let Kind::List(members) = &mut list.kind {
            for member in members.iter_mut() {
                canonicalise(member, &item.ty);
            }
            for member in members.iter() {
                if let Some(culprit) = self.never_equal(&item, member) {
                    self.report(culprit);
                }
            }
        }
        Node {
            kind: Kind::In(Box::new(item), Box::new(list)),
            ty: Type::Bool,
            place,
        }
    }

    pub(super) fn arithmetic(
        &mut self,
        how: Arithmetic,
        one: &IdedExpr,
        two: &IdedExpr,
        place: Place,
    ) -> Node {
        let left = self.present(one);
        let right = self.present(two);
        if left.is_wrong() || right.is_wrong() {
            return Node::wrong(place);
        }
        let Some(ty) = arithmetic_type(how, &left.ty, &right.ty) else {
            let wrong = self.misfit(how.sign(), &left, &right, &place);
            return self.wrong(wrong, place);
        };
        Node {
            kind: Kind::Arithmetic(how, Box::new(left), Box::new(right)),
            ty,
            place,
        }
    }

    fn misfit(&self, sign: &str, left: &Node, right: &Node, place: &Place) -> crate::diagnostic::Diagnostic {
        let (one, two) = (with_article(&left.ty), with_article(&right.ty));
        let wrong = self
            .snippet
            .error("PB214", place, format!("`{sign}` does not fit {one} and {two}"));
        let number = |node: &Node| matches!(node.kind, Kind::Literal(Value::Number(_)));
        match (&left.ty, &right.ty) {
            (Type::Ordered { name, words }, Type::OneOf(given))
            | (Type::OneOf(given), Type::Ordered { name, words }) => match given.first() {
                Some(word) if words.contains(word) => wrong.help(format!("write `{name}.{word}`")),
                _ => wrong.help(format!(
                    "write one of {name}.{}",
                    words.join(&format!(", {name}."))
                )),
            },
            (Type::Ordered { name, .. }, Type::Int) | (Type::Int, Type::Ordered { name, .. }) => {
                wrong.help(format!("compare with a word:  {name}.<word>"))
            }
            (Type::Double, Type::Int) if number(right) => {
                wrong.help(format!("write `{}.0`", self.written(&right.place)))
            }
            (Type::Int, Type::Double) if number(left) => {
                wrong.help(format!("write `{}.0`", self.written(&left.place)))
            }
            (Type::Double, Type::Int) | (Type::Int, Type::Double) => {
                wrong.help("turn one into the other with `double(...)` or `int(...)`")
            }
            (Type::Duration, Type::Int) | (Type::Int, Type::Duration) => {
                wrong.help("write a span of time:  days(7), hours(2), minutes(5)")
            }
            (Type::Time, _) | (_, Type::Time) => wrong.help("turn a text into a time with `timestamp(...)`"),
            (Type::String | Type::OneOf(_) | Type::Text(_), _) if sign == "+" => wrong.help(format!(
                "turn it into a text:  string({})",
                self.written(&right.place)
            )),
            _ => wrong,
        }
    }

    /// The diagnostic if two texts can never be equal.
    fn never_equal(&self, left: &Node, right: &Node) -> Option<crate::diagnostic::Diagnostic> {
        let (of, literal, word) = match (literal_text(left), literal_text(right)) {
            (None, Some(word)) => (left, right, word),
            (Some(word), None) => (right, left, word),
            _ => {
                let (one, two) = (words_of(&left.ty)?, words_of(&right.ty)?);
                if one.iter().any(|word| two.contains(word)) {
                    return None;
                }
                return Some(
                    self.snippet
                        .error("PB212", &right.place, "this can never be true")
                        .label(format!("never the same as `{}`", self.written(&left.place))),
                );
            }
        };
        let known = match &of.ty {
            Type::Text(TextForm::Verdict) | Type::OneOf(_) => words_of(&of.ty)?,
            Type::Text(form) if canonical_text(word, *form).is_err() => Vec::new(),
            _ => return None,
        };
        if known.iter().any(|known| known == word) {
            return None;
        }
        let written = self.written(&of.place);
        let mut wrong = self
            .snippet
            .error("PB212", &literal.place, "this can never be true")
            .label(format!("`{written}` is never this"));
        for like in nearest(word, known.iter().map(String::as_str)) {
            wrong = wrong.help(format!("did you mean '{like}'?"));
        }
        let says = match &of.ty {
            Type::Text(form) if known.is_empty() => {
                let what = canonical_text(word, *form).err().unwrap_or_default();
                return Some(wrong.note(format!("`{written}` is {what}")));
            }
            ty => ty.to_string(),
        };
        Some(match self.declared(of) {
            Some(place) => wrong.evidence(self.snippet.source(), place, says),
            None if known.is_empty() => wrong,
            None => wrong.note(format!("`{written}` is one of '{}'", known.join("', '"))),
        })
    }

    /// Where the let or loop variable that a node reads is declared.
    fn declared(&self, node: &Node) -> Option<Place> {
        match &node.kind {
            Kind::Path(Root::Name(name), segments) if segments.is_empty() => {
                self.env.names().get(name)?.declared.clone()
            }
            _ => None,
        }
    }
}

fn finished<const N: usize>(parts: [&Node; N], ty: Type, place: Place, kind: impl FnOnce() -> Kind) -> Node {
    if parts.iter().any(|part| part.is_wrong()) {
        return Node::wrong(place);
    }
    let kind = kind();
    Node { kind, ty, place }
}

fn with_article(ty: &Type) -> String {
    match ty {
        Type::OneOf(_) | Type::String => "a text".to_owned(),
        Type::Int => "a whole number (int)".to_owned(),
        Type::Double => "a number with a point (double)".to_owned(),
        Type::Bool => "yes or no".to_owned(),
        Type::Record(_) => "a record".to_owned(),
        Type::Ordered { name, .. } => format!("the ordered words of `{name}`"),
        other => other.to_string(),
    }
}

fn literal_text(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Literal(Value::String(text)) if !matches!(node.ty, Type::Ordered { .. }) => Some(text),
        _ => None,
    }
}

/// The words a text is one of, if they are known.
fn words_of(ty: &Type) -> Option<Vec<String>> {
    match ty {
        Type::OneOf(words) => Some(words.clone()),
        Type::Text(TextForm::Verdict) => {
            Some(Verdict::ALL.iter().map(|word| word.word().to_owned()).collect())
        }
        _ => None,
    }
}

/// Gives a literal the spelling that values of the other side have.
fn canonicalise(node: &mut Node, other: &Type) {
    if let (Kind::Literal(Value::String(text)), Type::Text(form)) = (&mut node.kind, other)
        && let Ok(canonical) = canonical_text(text, *form)
    {
        *text = canonical;
    }
}

/// Whether two types can be asked for equality.
fn comparable(one: &Type, two: &Type) -> bool {
    match (one, two) {
        (Type::Open | Type::Never, _) | (_, Type::Open | Type::Never) => true,
        (Type::Ordered { name: one, .. }, Type::Ordered { name: two, .. }) => one == two,
        (one, two) if one.is_text() && two.is_text() => true,
        (Type::List(one), Type::List(two)) => comparable(one, two),
        (one, two) => one == two || (one.fields().is_some() && two.fields().is_some()),
    }
}

/// Whether two types can be asked for order.
fn ordered_pair(one: &Type, two: &Type) -> bool {
    is_ordered(one) && is_ordered(two)
}

fn arithmetic_type(how: Arithmetic, one: &Type, two: &Type) -> Option<Type> {
    use Arithmetic as A;
    Some(match (how, one, two) {
        (_, Type::Open, Type::Open) => Type::Open,
        (A::Add, Type::List(_), Type::List(_)) => one.join(two)?,
        (A::Add, Type::List(_), Type::Open) => one.clone(),
        (A::Add, Type::Open, Type::List(_)) => two.clone(),
        (A::Add, Type::Time, Type::Duration | Type::Open)
        | (A::Add, Type::Duration | Type::Open, Type::Time)
        | (A::Subtract, Type::Time, Type::Duration) => Type::Time,
        (A::Subtract, Type::Time, Type::Time | Type::Open)
        | (A::Add | A::Subtract, Type::Duration, Type::Duration | Type::Open)
        | (A::Add, Type::Open, Type::Duration) => Type::Duration,
        (A::Remainder, Type::Double, _) | (A::Remainder, _, Type::Double) => return None,
        (_, Type::Int, Type::Int | Type::Open) | (_, Type::Open, Type::Int) => Type::Int,
        (_, Type::Double, Type::Double | Type::Open) | (_, Type::Open, Type::Double) => Type::Double,
        (A::Add, one, two) if text_like(one) && text_like(two) => Type::String,
        _ => return None,
    })
}

fn text_like(ty: &Type) -> bool {
    ty.is_text() || matches!(ty, Type::Open)
}
