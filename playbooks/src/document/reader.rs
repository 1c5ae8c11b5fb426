//! Reading single values: the kind that is wanted, or a finding that says which.

use std::fmt::Display;
use std::str::FromStr;

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Place, Source};
use crate::suggestion::did_you_mean;
use crate::yaml::{Data, Field, Node, Style, quoting};

use super::keys::Keys;
use super::{Cel, Placed, words};

/// Reads nodes and collects findings.
pub(super) struct Reader<'a> {
    source: &'a Source,
    findings: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            findings: Vec::new(),
        }
    }

    pub(super) fn into_findings(self) -> Vec<Diagnostic> {
        self.findings
    }

    pub(super) fn source(&self) -> &'a Source {
        self.source
    }

    pub(super) fn error(&self, code: &'static str, place: &Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.source, place.clone(), message)
    }

    pub(super) fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// Reports a value of the wrong kind.
    pub(super) fn wrong_kind(&mut self, node: &Node, what: &str, wanted: &str, example: &str) {
        let finding = self
            .error(
                "PB112",
                &shown(node),
                format!("`{what}` wants {wanted}, this is {}", node.kind()),
            )
            .help(format!("write for example `{example}`"));
        self.report(finding);
    }

    /// Reports a count or length over its limit.
    pub(super) fn over_limit(&mut self, place: &Place, what: &str, count: usize, limit: usize) {
        let finding = self.error(
            "PB114",
            place,
            format!("{count} {what}; at most {limit} are allowed"),
        );
        self.report(finding);
    }

    /// The fields of a map whose keys are fixed. Unknown keys are reported; `None` when it is not
    /// a map.
    pub(super) fn map<'n>(&mut self, node: &'n Node, keys: &Keys) -> Option<IndexMap<&'n str, &'n Field>> {
        let Data::Map(fields) = &node.data else {
            let finding = self.error(
                "PB112",
                &shown(node),
                format!("{} is a map, this is {}", keys.what, node.kind()),
            );
            let finding = finding.help(format!("its keys: {}", keys.known.join(", ")));
            self.report(finding);
            return None;
        };
        for field in fields {
            if !keys.known.contains(&field.key.as_str()) {
                self.unknown_key(field, keys);
            }
        }
        Some(
            fields
                .iter()
                .filter(|field| keys.known.contains(&field.key.as_str()))
                .map(|field| (field.key.as_str(), field))
                .collect(),
        )
    }

    fn unknown_key(&mut self, field: &Field, keys: &Keys) {
        let key = field.key.as_str();
        if let Some((_, instead)) = keys.unbuilt.iter().find(|(name, _)| *name == key) {
            let finding = self
                .error(
                    "PB199",
                    &field.key_place,
                    format!("the key `{key}` is not built yet"),
                )
                .label("nothing would happen here")
                .help(*instead);
            return self.report(finding);
        }
        let shown: String = key.chars().take(60).collect();
        let finding = self.error(
            "PB109",
            &field.key_place,
            format!("{} has no key `{shown}`", keys.what),
        );
        let foreign = keys.foreign.iter().find(|(name, _)| *name == key);
        let help = match foreign {
            Some((_, ours)) => format!("here it is called `{ours}`"),
            None => did_you_mean(key, keys.known.iter().copied())
                .unwrap_or_else(|| format!("its keys: {}", keys.known.join(", "))),
        };
        self.report(finding.help(help));
    }

    /// Reports a missing key.
    pub(super) fn missing(&mut self, place: &Place, what: &str, key: &str, example: &str) {
        let finding = self
            .error("PB110", place, format!("{what} needs `{key}`"))
            .help(format!("write for example `{key}: {example}`"));
        self.report(finding);
    }

    /// One line or several of text, within a limit of characters.
    pub(super) fn text(&mut self, node: &Node, what: &str, limit: usize) -> Option<Placed<String>> {
        let Some(text) = node.text() else {
            self.wrong_kind(node, what, "a text", &format!("{what}: \"...\""));
            return None;
        };
        if text.trim().is_empty() {
            let finding = self.error("PB112", &node.place, format!("`{what}` is empty"));
            self.report(finding);
            return None;
        }
        let count = text.chars().count();
        if count > limit {
            self.over_limit(&node.place, &format!("characters in `{what}`"), count, limit);
            return None;
        }
        Some(Placed {
            value: text.to_owned(),
            place: node.place.clone(),
        })
    }

    /// A word that some type parses; its error message is the finding.
    pub(super) fn word<T>(&mut self, node: &Node, what: &str, example: &str) -> Option<Placed<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(text) = node.text() else {
            self.wrong_kind(node, what, "a word", example);
            return None;
        };
        match text.parse() {
            Ok(value) => Some(Placed {
                value,
                place: node.place.clone(),
            }),
            Err(error) => {
                let finding = self.error("PB112", &node.place, error.to_string());
                self.report(finding);
                None
            }
        }
    }

    /// A whole number within bounds, both included.
    pub(super) fn integer(&mut self, node: &Node, what: &str, bounds: (i64, i64)) -> Option<i64> {
        let Data::Int(value) = node.data else {
            self.wrong_kind(node, what, "a whole number", &format!("{what}: {}", bounds.0));
            return None;
        };
        if value < bounds.0 || value > bounds.1 {
            let finding = self.error(
                "PB114",
                &node.place,
                format!("`{what}` is {value}; it may be {} to {}", bounds.0, bounds.1),
            );
            self.report(finding);
            return None;
        }
        Some(value)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Data::Bool(value) = node.data {
            return Some(value);
        }
        self.wrong_kind(node, what, "true or false", &format!("{what}: true"));
        None
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str, example: &str) -> &'n [Node] {
        if let Data::List(items) = &node.data {
            return items;
        }
        self.wrong_kind(node, what, "a list", &format!("{what}: [{example}]"));
        &[]
    }

    /// The entries of a map whose keys are names given by the author; names are checked.
    pub(super) fn named<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        limit: usize,
    ) -> Vec<(Placed<String>, &'n Node)> {
        let Data::Map(fields) = &node.data else {
            self.wrong_kind(node, what, "a map of names", &format!("{what}: {{name: ...}}"));
            return Vec::new();
        };
        if fields.len() > limit {
            self.over_limit(&shown(node), &format!("entries in `{what}`"), fields.len(), limit);
            return Vec::new();
        }
        let mut named = Vec::with_capacity(fields.len());
        for field in fields {
            let name = Placed {
                value: field.key.clone(),
                place: field.key_place.clone(),
            };
            if self.name(&name, false) {
                named.push((name, &field.value));
            }
        }
        named
    }

    /// Whether a name is allowed; reported when not.
    pub(super) fn name(&mut self, name: &Placed<String>, dashes: bool) -> bool {
        match words::problem(&name.value, dashes) {
            None => true,
            Some(problem) => {
                let finding = self.error("PB113", &name.place, problem);
                self.report(finding);
                false
            }
        }
    }

    /// A bare CEL expression. Numbers and booleans are expressions as well.
    pub(super) fn cel(&mut self, node: &Node, what: &str) -> Option<Cel> {
        let text = match &node.data {
            Data::Text(text, _) => text.clone(),
            Data::Bool(_) | Data::Int(_) | Data::Float(_) => {
                self.source.text.get(node.place.clone()).unwrap_or("").to_owned()
            }
            Data::Null | Data::List(_) | Data::Map(_) => {
                self.wrong_kind(node, what, "an expression", &format!("{what}: inputs.x > 1"));
                return None;
            }
        };
        if text.contains("{{") {
            self.braces(node, what, &text);
            return None;
        }
        if self.cut_by_comment(node, &text) {
            return None;
        }
        Some(Cel {
            text,
            node: node.clone(),
            offset: 0,
        })
    }

    fn braces(&mut self, node: &Node, what: &str, text: &str) {
        let bare = quoting::without_braces(text);
        let at = text.find("{{").unwrap_or(0);
        let at = if text.get(..at).is_some_and(|before| before.ends_with('$')) {
            at - 1
        } else {
            at
        };
        let end = text
            .get(at..)
            .and_then(|rest| rest.find("}}"))
            .map_or(text.len(), |length| at + length + 2);
        let finding = self
            .error(
                "PB103",
                &node.place_of(self.source, at..end),
                "no `{{ }}` in an expression",
            )
            .label("this would be a text, and a text is neither true nor false")
            .help(format!(
                "write: {what}: {}",
                bare.split_whitespace().collect::<Vec<_>>().join(" ")
            ));
        let finding = match self.opened(node, &bare) {
            Some(replacement) => finding.fix(node.place.clone(), replacement),
            None => finding,
        };
        self.report(finding);
    }

    /// What stands at a node when the braces of its expression are gone.
    fn opened(&self, node: &Node, bare: &str) -> Option<String> {
        let written = self.source.text.get(node.place.clone())?;
        if let Data::Text(_, Style::Block) = node.data {
            return Some(quoting::without_braces(written));
        }
        let before = self.source.text.get(..node.place.start)?;
        let line = before.rsplit('\n').next().unwrap_or(before);
        if line.contains(['{', '[']) {
            // In a list or map in one line, a comma or bracket would end a value without quotes.
            return quoting::quoted(bare);
        }
        quoting::as_value(bare)
    }

    /// Whether ` #` ended a plain expression in the middle; reported.
    pub(super) fn cut_by_comment(&mut self, node: &Node, text: &str) -> bool {
        let Data::Text(_, Style::Plain) = node.data else {
            return false;
        };
        let rest = self.source.text.get(node.place.end..).unwrap_or("");
        let line = rest.split('\n').next().unwrap_or("");
        if !line.trim_start().starts_with('#') || line.starts_with('#') || quoting::is_closed(text) {
            return false;
        }
        let hash = node.place.end + line.find('#').unwrap_or(0);
        let (start, end) = (node.place.start, node.place.end + line.trim_end().len());
        let mut finding = self
            .error(
                "PB106",
                &(hash..end),
                "` #` inside an expression: YAML takes the rest for a comment",
            )
            .label("not part of the expression")
            .evidence(self.source, node.place.clone(), "only this is left");
        let whole = self.source.text.get(start..end);
        let whole = whole.and_then(|whole| whole.get(..quoting::end_of_value(whole)?));
        match whole.and_then(|whole| Some((whole, quoting::quoted(whole)?))) {
            Some((whole, quoted)) => {
                finding = finding
                    .help(format!("quote it: {quoted}"))
                    .fix(start..start + whole.len(), quoted);
            }
            None => finding = finding.help("put the whole value into quotes"),
        }
        self.report(finding);
        true
    }
}

/// The place of a node for a message: of a collection only its first line.
fn shown(node: &Node) -> Place {
    node.place.clone()
}
