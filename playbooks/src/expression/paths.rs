//! Dotted paths: what they name, of which type, and whether they are sure to be there.
//!
//! Owns unknown names (PB204 to PB207, PB219) and optional reads without proof (PB213), for
//! expressions and templates alike.

use std::collections::BTreeSet;

use serde_json::Value;

use super::scope::{StepType, TypeEnv};
use super::tree::Root;
use crate::diagnostic::{Diagnostic, Place};
use crate::snippet::Snippet;
use crate::suggestion::nearest;
use crate::types::Type;

mod messages;

/// A path as written, with the places of its parts.
#[derive(Debug, Clone)]
pub(crate) struct WrittenPath {
    pub(crate) root: (String, Place),
    pub(crate) segments: Vec<(String, Place)>,
}

impl WrittenPath {
    pub(crate) fn place(&self) -> Place {
        let end = self
            .segments
            .last()
            .map_or(self.root.1.end, |(_, place)| place.end);
        self.root.1.start..end
    }
    pub(crate) fn dotted(&self) -> String {
        let mut path = self.root.0.clone();
        for (segment, _) in &self.segments {
            path.push('.');
            path.push_str(segment);
        }
        path
    }
}

/// A variable of a comprehension or of a template's `each`.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) origin: Origin,
}

/// Where a record comes from, for messages about its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Incident,
    Step { action: String, uses: Option<Place> },
    Other,
}

/// What happens when the value is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Somebody needs it: an optional part must be proven.
    Required,
    /// It is inside `has`, `default` or `{{#if}}`, or absence leaves an output out.
    Tolerated,
}

/// A path that names something.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) root: Root,
    pub(crate) segments: Vec<String>,
    /// The type of the value when it is there.
    pub(crate) ty: Type,
    /// Whether some part of it may be absent and is not proven.
    pub(crate) may_be_absent: bool,
    /// The word, when the path is a constant such as `severity.high`.
    pub(crate) constant: Option<Value>,
}

/// Where the path stands, for remedies in the right syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Expression,
    Template,
}

/// Where the records at a path come from.
pub(crate) fn origin_of(env: &TypeEnv, locals: &[Local], root: &Root, segments: &[String]) -> Origin {
    match root {
        Root::Local(depth, _) => locals
            .get(*depth)
            .map_or(Origin::Other, |local| local.origin.clone()),
        Root::Name(root) if root == "steps" => {
            segments
                .first()
                .and_then(|id| env.steps().get(id))
                .map_or(Origin::Other, |step| Origin::Step {
                    action: step.action.clone(),
                    uses: step.uses.clone(),
                })
        }
        Root::Name(root) if root == "incident" => Origin::Incident,
        Root::Name(_) => Origin::Other,
    }
}

/// Whether the same text has shown, before it comes to a path, that something the path goes
/// through is there: `has(incident.reporter) && incident.reporter.email == ...`. Absence is then
/// handled by that text. What a step's `if` has shown does not count, and neither does a step
/// alone, which is there even when it has no outputs.
pub(crate) fn is_shown_here(
    env: &TypeEnv,
    proven: &BTreeSet<String>,
    root: &Root,
    segments: &[String],
) -> bool {
    let shortest = match root {
        Root::Name(name) if name == "steps" => 2,
        Root::Name(_) | Root::Local(..) => 0,
    };
    (shortest..=segments.len()).any(|length| {
        let prefix = root.dotted(segments.get(..length).unwrap_or(segments));
        proven.contains(&prefix) && !env.proven().contains(&prefix)
    })
}

/// What paths are resolved against.
#[derive(Clone, Copy)]
pub(crate) struct Paths<'a> {
    pub(crate) form: Form,
    pub(crate) snippet: &'a Snippet<'a>,
    pub(crate) env: &'a TypeEnv,
    pub(crate) locals: &'a [Local],
    pub(crate) proven: &'a BTreeSet<String>,
}

impl Paths<'_> {
    /// Resolves a path.
    pub(crate) fn resolve(self, path: &WrittenPath, presence: Presence) -> Result<Found, Box<Diagnostic>> {
        let root = path.root.0.as_str();
        if let Some(depth) = self.locals.iter().rposition(|local| local.name == root)
            && let Some(local) = self.locals.get(depth)
        {
            let start = Root::Local(depth, root.to_owned());
            return self.walk(path, start, &local.ty, 0, &local.origin, presence);
        }
        if root == "steps" {
            return self.step(path, presence);
        }
        if let Some(found) = self.constant(path)? {
            return Ok(found);
        }
        let Some(name) = self.env.names().get(root) else {
            return Err(Box::new(self.unknown_name(path)));
        };
        let origin = if root == "incident" {
            Origin::Incident
        } else {
            Origin::Other
        };
        self.walk(path, Root::Name(root.to_owned()), &name.ty, 0, &origin, presence)
    }

    fn step(self, path: &WrittenPath, presence: Presence) -> Result<Found, Box<Diagnostic>> {
        let Some((id, place)) = path.segments.first() else {
            return Err(Box::new(
                self.snippet
                    .error("PB206", &path.root.1, "`steps` alone is not a value")
                    .help("name a step and an output: `steps.<id>.<output>`"),
            ));
        };
        let Some(step) = self.env.steps().get(id) else {
            let mut wrong =
                self.snippet
                    .error("PB205", place, format!("there is no step `{id}` to read here"));
            for known in nearest(id, self.env.steps().keys().map(String::as_str)) {
                wrong = wrong.help(format!("did you mean `steps.{known}`?"));
            }
            return Err(Box::new(wrong));
        };
        self.misses_items(path, step)?;
        let origin = Origin::Step {
            action: step.action.clone(),
            uses: step.uses.clone(),
        };
        self.walk(
            path,
            Root::Name("steps".to_owned()),
            &step.ty,
            1,
            &origin,
            presence,
        )
    }

    /// PB219: an output of a `for_each` step that is below `items`.
    fn misses_items(self, path: &WrittenPath, step: &StepType) -> Result<(), Box<Diagnostic>> {
        let (Some((id, _)), Some((field, place))) = (path.segments.first(), path.segments.get(1)) else {
            return Ok(());
        };
        let fields = step.ty.fields().unwrap_or_default();
        let item_has_it = match fields.get("items") {
            Some(Type::List(item)) => item.fields().is_some_and(|fields| fields.contains_key(field)),
            _ => false,
        };
        if step.for_each && !fields.contains_key(field) && item_has_it {
            return Err(Box::new(
                self.snippet
                    .error(
                        "PB219",
                        place,
                        format!("`{id}` runs for each item, so it has many `{field}`"),
                    )
                    .help(format!("all of them:  steps.{id}.items.map(i, i.{field})")),
            ));
        }
        Ok(())
    }

    /// `severity.high`, `tlp.red`, `<enum>.<word>`.
    fn constant(self, path: &WrittenPath) -> Result<Option<Found>, Box<Diagnostic>> {
        let name = path.root.0.as_str();
        let ty = match name {
            "severity" => Type::severity(),
            "tlp" => Type::tlp(),
            "pap" => Type::pap(),
            _ => match self.env.enums().get(name) {
                Some(words) => Type::ordered(name, words.iter().map(String::as_str)),
                None => return Ok(None),
            },
        };
        let Type::Ordered { words, .. } = &ty else {
            return Ok(None);
        };
        let [(word, place)] = path.segments.as_slice() else {
            return Err(Box::new(
                self.snippet
                    .error("PB206", &path.place(), format!("`{name}` is a set of words"))
                    .help(format!(
                        "write one of them: `{name}.{}`",
                        words.join(&format!("`, `{name}."))
                    )),
            ));
        };
        if !words.contains(word) {
            let mut wrong = self
                .snippet
                .error("PB206", place, format!("`{name}` has no word `{word}`"));
            for known in nearest(word, words.iter().map(String::as_str)) {
                wrong = wrong.help(format!("did you mean `{name}.{known}`?"));
            }
            return Err(Box::new(wrong.note(format!("its words: {}", words.join(", ")))));
        }
        Ok(Some(Found {
            root: Root::Name(name.to_owned()),
            segments: vec![word.clone()],
            constant: Some(Value::String(word.clone())),
            may_be_absent: false,
            ty,
        }))
    }

    /// Walks the segments from `from` on.
    fn walk(
        self,
        path: &WrittenPath,
        root: Root,
        ty: &Type,
        from: usize,
        origin: &Origin,
        presence: Presence,
    ) -> Result<Found, Box<Diagnostic>> {
        let names: Vec<String> = path.segments.iter().map(|(name, _)| name.clone()).collect();
        let mut ty = ty.clone();
        let mut unproven = None;
        for index in from..=names.len() {
            let so_far = root.dotted(names.get(..index).unwrap_or(&names));
            if let Type::Optional(inner) = ty {
                if !self.proven.contains(&so_far) {
                    unproven.get_or_insert(so_far);
                }
                ty = *inner;
            }
            let Some((field, place)) = path.segments.get(index) else {
                break;
            };
            ty = self.field(&ty, field, place, origin, path)?;
        }
        if let (Some(absent), Presence::Required) = (&unproven, presence) {
            return Err(Box::new(self.unproven(path, absent)));
        }
        Ok(Found {
            root,
            segments: names,
            ty,
            may_be_absent: unproven.is_some(),
            constant: None,
        })
    }

    /// The type of a field of a record of unknown origin.
    pub(crate) fn field(
        self,
        ty: &Type,
        field: &str,
        place: &Place,
        origin: &Origin,
        path: &WrittenPath,
    ) -> Result<Type, Box<Diagnostic>> {
        if matches!(ty, Type::Open) {
            return Ok(Type::Open.optional());
        }
        if matches!(ty, Type::Never) {
            return Ok(Type::Never);
        }
        let Some(fields) = ty.fields() else {
            let mut wrong = self
                .snippet
                .error("PB214", place, format!("a {} has no fields", kind_of(ty)));
            if let Type::List(item) = ty
                && item.fields().is_some_and(|fields| fields.contains_key(field))
            {
                wrong = wrong.help(format!("of each of them:  .map(i, i.{field})"));
            }
            return Err(Box::new(wrong));
        };
        match fields.get(field) {
            Some(ty) => Ok(ty.clone()),
            None => Err(Box::new(self.unknown_field(&fields, field, place, origin, path))),
        }
    }
}

/// A kind of value in one word, for messages.
pub(crate) fn kind_of(ty: &Type) -> String {
    match ty.required() {
        Type::String | Type::OneOf(_) | Type::Text(_) => "text".to_owned(),
        Type::List(_) => "list".to_owned(),
        Type::Record(_) | Type::Open | Type::File | Type::Mail => "record".to_owned(),
        other => other.to_string(),
    }
}
