//! Reading a tree of values key by key, with a finding for everything that does not fit.
//!
//! Owns the shape of those findings, alike for `sortie.toml` and entity files. Knows no key.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use indexmap::IndexMap;
use playbooks::diagnostic::{Diagnostic, Level, Place, Source};
use playbooks::yaml::{Data, Field, Node};

/// Differences between a typed key and a known one, above which no suggestion is made.
const SUGGESTION_DISTANCE_MAX: usize = 3;

/// The codes one kind of file uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codes {
    pub(crate) unknown_key: &'static str,
    pub(crate) not_built: &'static str,
    pub(crate) missing_key: &'static str,
    pub(crate) wrong_kind: &'static str,
    pub(crate) wrong_value: &'static str,
}

/// One file while it is read: its text, what was found wrong, and where each value came from.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) source: Source,
    pub(crate) codes: Codes,
    pub(crate) found: Vec<Diagnostic>,
    /// Dotted key to the place of its value, for `config show --origin`.
    pub(crate) given: BTreeMap<String, (Place, String)>,
    /// Places whose text must never be shown.
    pub(crate) hidden: Vec<Place>,
}

impl Sheet {
    pub(crate) fn new(source: Source, codes: Codes) -> Self {
        Self {
            source,
            codes,
            found: Vec::new(),
            given: BTreeMap::new(),
            hidden: Vec::new(),
        }
    }

    /// Notes a value for `config show`; of a map that is taken as it is, every value in it.
    pub(crate) fn note(&mut self, name: String, node: &Node) {
        if let Data::Map(fields) = &node.data {
            for field in fields {
                self.note(format!("{name}.{}", field.key), &field.value);
            }
            return;
        }
        let shown = self.source.text.get(node.place.clone()).unwrap_or_default();
        self.given
            .insert(name, (node.place.clone(), shown.trim().to_owned()));
    }

    /// Records an error and hands it back to be completed.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Diagnostic::error(code, &self.source, place.clone(), message))
    }

    /// Records a warning and hands it back to be completed.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Diagnostic::warning(code, &self.source, place.clone(), message))
    }

    /// Records that a value is not allowed.
    pub(crate) fn wrong(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        let code = self.codes.wrong_value;
        self.error(code, place, message).help.push(help.into());
    }

    fn push(&mut self, finding: Diagnostic) -> &mut Diagnostic {
        self.found.push(finding);
        let last = self.found.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "an item was pushed in the line above")]
        &mut self.found[last]
    }

    fn kind(&mut self, node: &Node, wanted: &str) {
        let code = self.codes.wrong_kind;
        self.error(
            code,
            &node.place,
            format!("{wanted} is expected here, not {}", node.kind()),
        );
    }

    /// A text.
    pub(crate) fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let text = node.text();
        if text.is_none() {
            self.kind(node, "a text");
        }
        text
    }

    /// A text that is not empty and at most `max` characters long.
    pub(crate) fn line(&mut self, node: &Node, max: usize) -> Option<String> {
        let text = self.text(node)?;
        let length = text.chars().count();
        if (1..=max).contains(&length) && !text.chars().any(char::is_control) {
            return Some(text.to_owned());
        }
        self.wrong(
            &node.place,
            format!("a text of {length} characters"),
            format!("write one line of 1 to {max} characters"),
        );
        None
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, node: &Node) -> Option<bool> {
        if let Data::Bool(value) = node.data {
            return Some(value);
        }
        self.kind(node, "true or false");
        None
    }

    /// A whole number within bounds.
    pub(crate) fn whole(&mut self, node: &Node, bounds: RangeInclusive<u32>) -> Option<u32> {
        let Data::Int(number) = node.data else {
            self.kind(node, "a whole number");
            return None;
        };
        let fits = u32::try_from(number)
            .ok()
            .filter(|number| bounds.contains(number));
        if fits.is_none() {
            let help = format!("write {} to {}", bounds.start(), bounds.end());
            self.wrong(&node.place, format!("{number} is out of bounds"), help);
        }
        fits
    }

    /// Anything that reads itself from a text and says what it wants when it cannot.
    pub(crate) fn parsed<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        node: &Node,
        help: &str,
    ) -> Option<T> {
        let text = self.text(node)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(&node.place, error.to_string(), help);
                None
            }
        }
    }

    /// The items of a list.
    pub(crate) fn items<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        if let Data::List(items) = &node.data {
            return items;
        }
        self.kind(node, "a list");
        &[]
    }

    /// The texts of a list.
    pub(crate) fn texts<'n>(&mut self, node: &'n Node) -> Vec<(&'n Node, &'n str)> {
        let items = self.items(node);
        items
            .iter()
            .filter_map(|item| self.text(item).map(|text| (item, text)))
            .collect()
    }

    /// Opens a map. `path` is its dotted name, empty at the top.
    pub(crate) fn table<'n>(&mut self, path: &str, node: &'n Node) -> Option<Table<'n>> {
        let Data::Map(fields) = &node.data else {
            self.kind(node, "a table of keys");
            return None;
        };
        Some(Table {
            path: path.to_owned(),
            place: node.place.clone(),
            left: fields.iter().map(|field| (field.key.as_str(), field)).collect(),
            known: Vec::new(),
        })
    }

    /// Whether anything stops the file from being used.
    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|finding| finding.level == Level::Error)
    }

    /// The findings, with hidden places overwritten in every text that would be shown.
    pub(crate) fn into_findings(self) -> Vec<Diagnostic> {
        if self.hidden.is_empty() {
            return self.found;
        }
        let mut text = self.source.text.to_string();
        for place in &self.hidden {
            let length = text.get(place.clone()).map_or(0, str::len);
            if length == place.len() {
                text.replace_range(place.clone(), &"*".repeat(length));
            }
        }
        let masked = Source::new(self.source.name.clone(), text);
        let mut found = self.found;
        for finding in &mut found {
            finding.primary.source = masked.clone();
            for label in &mut finding.secondary {
                if label.source == self.source {
                    label.source = masked.clone();
                }
            }
        }
        found
    }
}

/// A map being read: which keys are left, and which were asked for.
#[derive(Debug)]
pub(crate) struct Table<'n> {
    path: String,
    place: Place,
    left: IndexMap<&'n str, &'n Field>,
    known: Vec<&'static str>,
}

impl<'n> Table<'n> {
    /// Where the map stands.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The dotted name of a key of this map.
    pub(crate) fn name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The value of a key, if it is there.
    pub(crate) fn get(&mut self, sheet: &mut Sheet, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        let field = self.left.shift_remove(key)?;
        if !matches!(field.value.data, Data::Map(_)) {
            sheet.note(self.name(key), &field.value);
        }
        Some(&field.value)
    }

    /// The value of a key that must be there.
    pub(crate) fn need(&mut self, sheet: &mut Sheet, key: &'static str) -> Option<&'n Node> {
        let value = self.get(sheet, key);
        if value.is_none() {
            let code = sheet.codes.missing_key;
            let whole = if self.path.is_empty() {
                "the file"
            } else {
                self.path.as_str()
            };
            let message = format!("{whole} has no `{key}`");
            sheet
                .error(code, &self.place, message)
                .help
                .push(format!("add `{key}`"));
        }
        value
    }

    /// Every key that is left, for maps whose keys are names.
    pub(crate) fn rest(&mut self) -> Vec<&'n Field> {
        std::mem::take(&mut self.left).into_values().collect()
    }

    /// Refuses a key of something that is not built, if it is there.
    pub(crate) fn refuse(&mut self, sheet: &mut Sheet, key: &str, instead: &str) {
        if let Some(field) = self.left.shift_remove(key) {
            let code = sheet.codes.not_built;
            let (line, _) = sheet.source.line_column(field.key_place.start);
            let message = format!("`{}` is not built yet", self.name(key));
            let help = format!("remove `{key}` (line {line}); {instead}");
            sheet.error(code, &field.key_place, message).help.push(help);
        }
    }

    /// Reports every key nobody asked for.
    pub(crate) fn close(self, sheet: &mut Sheet) {
        for (key, field) in &self.left {
            let code = sheet.codes.unknown_key;
            let message = format!("there is no key `{}`", self.name(key));
            let nearest = nearest(key, self.known.iter().copied());
            let finding = sheet.error(code, &field.key_place, message);
            match nearest {
                Some(near) => {
                    finding.help.push(format!("did you mean `{near}`?"));
                    finding.fix = Some(playbooks::diagnostic::Fix {
                        place: field.key_place.clone(),
                        replacement: near.to_owned(),
                    });
                }
                None => finding
                    .help
                    .push(format!("remove it, or use one of: {}", self.known.join(", "))),
            }
        }
    }
}

/// The known word closest to what was written, when it is close.
pub(crate) fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(written, word), word))
        .filter(|(distance, word)| *distance <= SUGGESTION_DISTANCE_MAX && *distance < word.len())
        .min()
        .map(|(_, word)| word)
}
