//! What is said about a path that names nothing, or nothing sure.
//!
//! Owns the words, the evidence and the nearest remedy.

use super::{Form, Origin, Paths, WrittenPath};
use crate::diagnostic::{Diagnostic, Place};
use crate::suggestion::nearest;
use crate::types::Type;

impl Paths<'_> {
    pub(super) fn unknown_name(self, path: &WrittenPath) -> Diagnostic {
        let (name, place) = &path.root;
        if name == "secrets" {
            return self
                .snippet
                .error("PB402", &path.place(), "a playbook cannot name a secret")
                .label("there is no `secrets` here")
                .help("the connection adds its own key; name it with `using:`");
        }
        if name == "null" {
            return self
                .snippet
                .error("PB214", place, "there is no null")
                .help("ask with `has(x)`, or give a value with `default(x, ...)`");
        }
        let mut wrong = self
            .snippet
            .error("PB206", place, format!("there is no `{name}` here"));
        if self.env.steps().contains_key(name) {
            return wrong.help(format!("a step is read as `steps.{name}`"));
        }
        if let Some(Type::Record(inputs)) = self.env.names().get("inputs").map(|inputs| &inputs.ty)
            && inputs.contains_key(name)
        {
            return wrong.help(format!("an input is read as `inputs.{name}`"));
        }
        let known = self
            .locals
            .iter()
            .map(|local| local.name.as_str())
            .chain(self.env.names().keys().map(String::as_str))
            .chain(self.env.enums().keys().map(String::as_str))
            .chain(["severity", "tlp", "pap", "omit", "steps"]);
        for known in nearest(name, known) {
            wrong = wrong.help(format!("did you mean `{known}`?"));
        }
        wrong
    }

    pub(super) fn unknown_field(
        self,
        fields: &indexmap::IndexMap<String, Type>,
        field: &str,
        place: &Place,
        origin: &Origin,
        path: &WrittenPath,
    ) -> Diagnostic {
        let names = || fields.keys().map(String::as_str);
        let all = names().collect::<Vec<_>>().join(", ");
        let mut wrong = match origin {
            Origin::Incident => self
                .snippet
                .error("PB207", place, format!("an incident has no `{field}` here"))
                .label("unknown field"),
            Origin::Step { action, uses } => {
                let wrong = self
                    .snippet
                    .error("PB204", place, format!("`{action}` has no output `{field}`"))
                    .label("unknown output");
                match uses {
                    Some(uses) => {
                        wrong.evidence(self.snippet.source(), uses.clone(), format!("outputs: {all}"))
                    }
                    None => wrong.note(format!("outputs: {all}")),
                }
            }
            Origin::Other => {
                let code = if path.segments.len() == 1 && self.env.names().contains_key(&path.root.0) {
                    "PB206"
                } else {
                    "PB204"
                };
                let before = path
                    .segments
                    .iter()
                    .take_while(|(_, found)| found != place)
                    .fold(path.root.0.clone(), |text, (name, _)| format!("{text}.{name}"));
                self.snippet
                    .error(code, place, format!("`{before}` has no `{field}`"))
                    .note(format!("it has: {all}"))
            }
        };
        let prefix = path
            .segments
            .iter()
            .take_while(|(_, found)| found != place)
            .fold(path.root.0.clone(), |text, (name, _)| format!("{text}.{name}"));
        for known in nearest(field, names()) {
            wrong = wrong.help(format!("write `{prefix}.{known}`"));
        }
        if matches!(origin, Origin::Step { .. }) {
            wrong = wrong.note("other tools would read this as \"nothing found\" and go on");
        }
        wrong
    }

    pub(super) fn unproven(self, path: &WrittenPath, absent: &str) -> Diagnostic {
        let dotted = path.dotted();
        let wrong = self
            .snippet
            .error("PB213", &path.place(), format!("`{absent}` may be absent"));
        match self.form {
            Form::Expression => wrong
                .label("read without `has` or `default`")
                .help(format!("give a value for that case:  default({dotted}, ...)"))
                .help(format!("or ask first:  has({absent}) && ...")),
            Form::Template => wrong
                .label("written without `default` or `{{#if}}`")
                .help(format!(
                    "give a text for that case:  {{{{default {dotted} \"nothing\"}}}}"
                )),
        }
    }
}
