//! Paths of templates: resolved like those of expressions, then replaced by slots.
//!
//! Owns what a bare name means inside `each` and `with`: a field of the item, else a root name.

use handlebars::Path;
use handlebars::template::Parameter;

use super::{Argument, Checker, ReadPath};
use crate::diagnostic::Place;
use crate::expression::paths::{Form, Paths, Presence, WrittenPath, is_shown_here};
use crate::expression::tree::Root;
use crate::names::Read;
use crate::template::Slot;
use crate::template::scan::word_in;
use crate::types::Type;

/// The name of the thing a block is about, when the author gave it none.
pub(super) const THIS: &str = "this";

impl Checker<'_> {
    pub(super) fn path(&mut self, path: &Path, written: &Parameter, tag: &Place) -> Argument {
        match path {
            Path::Local((level, name, raw)) => self.loop_variable(*level, name, raw, written, tag),
            Path::Relative((segments, raw)) => {
                let names: Vec<String> = segments
                    .iter()
                    .filter_map(|segment| match segment {
                        handlebars::PathSeg::Named(name) => Some(name.clone()),
                        _ => None,
                    })
                    .collect();
                let place = word_in(self.text(), tag, raw);
                if raw.split(['/', '.']).any(str::is_empty) && raw.contains("..") {
                    self.no_way_up(&place);
                    return Argument::wrong(written);
                }
                match self.meaning(raw, &names, &place) {
                    Some(path) => self.resolved(&path, written),
                    None => Argument::wrong(written),
                }
            }
        }
    }

    fn no_way_up(&mut self, place: &Place) {
        let diagnostic = self
            .snippet
            .error("PB116", place, "`../` does not exist")
            .help("name the item:  {{#each list as |item|}} ... {{item.field}} ... {{/each}}")
            .help("names such as `incident` are in reach everywhere");
        self.found.push(diagnostic);
    }

    fn loop_variable(
        &mut self,
        level: usize,
        name: &str,
        raw: &str,
        written: &Parameter,
        tag: &Place,
    ) -> Argument {
        let ty = match name {
            "index" => Type::Int,
            "first" | "last" => Type::Bool,
            _ => Type::Never,
        };
        if ty == Type::Never || level > 0 || self.loops.last() != Some(&true) {
            let place = word_in(self.text(), tag, raw);
            let diagnostic = self
                .snippet
                .error("PB206", &place, format!("there is no `{raw}` here"))
                .help("inside `each` there are `@index`, `@first` and `@last`");
            self.found.push(diagnostic);
            return Argument::wrong(written);
        }
        Argument {
            parameter: written.clone(),
            ty,
            path: None,
        }
    }

    /// What a path means, with the places of its parts.
    fn meaning(&mut self, raw: &str, names: &[String], place: &Place) -> Option<WrittenPath> {
        let from_root = raw.starts_with("@root");
        let from_this =
            raw == THIS || raw.starts_with("this.") || raw.starts_with("this/") || raw.starts_with("./");
        let placed = self.placed(names, place);
        let first = names.first();
        let is_named_item = first.is_some_and(|first| {
            self.locals
                .iter()
                .any(|local| local.name == *first && first != THIS)
        });
        let about = self.locals.last();
        let is_field = about.is_some_and(|local| match (first, &local.ty) {
            (None, _) => true,
            (Some(first), Type::Open) => !self.env.names().contains_key(first) && first != "steps",
            (Some(first), ty) => ty.fields().is_some_and(|fields| fields.contains_key(first)),
        });
        if !from_root && !is_named_item && (from_this || is_field) {
            let Some(about) = about else {
                self.report("PB206", place, "there is no `this` outside of `each` and `with`");
                return None;
            };
            return Some(WrittenPath {
                root: (about.name.clone(), place.start..place.start),
                segments: placed,
            });
        }
        let mut placed = placed.into_iter();
        let Some(root) = placed.next() else {
            self.report("PB206", place, "a name goes here");
            return None;
        };
        Some(WrittenPath {
            root,
            segments: placed.collect(),
        })
    }

    fn placed(&self, names: &[String], place: &Place) -> Vec<(String, Place)> {
        let mut from = place.start;
        names
            .iter()
            .map(|name| {
                let rest = self.text().get(from..place.end).unwrap_or("");
                let start = rest.find(name.as_str()).map_or(from, |at| from + at);
                let end = (start + name.len()).min(place.end);
                from = end.max(from);
                (name.clone(), start..end)
            })
            .collect()
    }

    fn resolved(&mut self, path: &WrittenPath, written: &Parameter) -> Argument {
        let paths = Paths {
            form: Form::Template,
            snippet: self.snippet,
            env: self.env,
            locals: &self.locals,
            proven: &self.proven,
        };
        let found = match paths.resolve(path, self.presence) {
            Ok(found) => found,
            Err(diagnostic) => {
                self.found.push(*diagnostic);
                return Argument::wrong(written);
            }
        };
        if let Some(word) = found.constant {
            return Argument {
                parameter: Parameter::Literal(word),
                ty: found.ty,
                path: None,
            };
        }
        let dotted = found.root.dotted(&found.segments);
        let stands_for = match &found.root {
            Root::Name(root) => {
                let shown_here = is_shown_here(self.env, &self.proven, &found.root, &found.segments);
                let mut full = vec![root.clone()];
                full.extend(found.segments.iter().cloned());
                self.reads.push(Read {
                    path: full.clone(),
                    guarded: self.presence == Presence::Tolerated || shown_here,
                });
                format!("@root.{}", self.slot(full))
            }
            Root::Local(depth, name) => {
                let is_innermost = depth + 1 == self.locals.len();
                let mut raw = if is_innermost {
                    THIS.to_owned()
                } else {
                    name.clone()
                };
                for segment in &found.segments {
                    raw.push_str(".[");
                    raw.push_str(segment);
                    raw.push(']');
                }
                raw
            }
        };
        let Ok(parameter) = Parameter::parse(&stands_for) else {
            self.report("PB116", &path.place(), "this name cannot be written here");
            return Argument::wrong(written);
        };
        self.written.insert(stands_for, dotted);
        Argument {
            parameter,
            ty: found.ty,
            path: Some(ReadPath {
                root: found.root,
                segments: found.segments,
            }),
        }
    }

    /// The name of the slot that holds the value of a path.
    fn slot(&mut self, path: Vec<String>) -> String {
        if let Some(slot) = self.slots.iter().find(|slot| slot.path == path) {
            return slot.name.clone();
        }
        let name = format!("slot{}", self.slots.len());
        self.slots.push(Slot {
            name: name.clone(),
            path,
        });
        name
    }
}
