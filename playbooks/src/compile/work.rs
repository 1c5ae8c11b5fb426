//! What the passes share: the document, the names in reach, the findings, and a record of every
//! text that reads something.

use std::collections::BTreeMap;

use crate::action_spec::ActionSpec;
use crate::arguments::Argument;
use crate::diagnostic::{Diagnostic, Place, Source};
use crate::document::{Cel, Document, Step};
use crate::expression::{Expected, Expression, TypeEnv};
use crate::names::Read;
use crate::plan::{Limits, Node, Section};
use crate::snippet::Snippet;
use crate::types::Enums;
use crate::yaml;

use super::{Bundle, Environment, scan};

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Reader {
    /// A step or a let.
    Node(Node),
    /// `outputs.<name>`.
    Output(String),
    /// `trigger`.
    Trigger,
    /// What a step watches while the run goes on; nothing waits for it.
    Watch(String),
}

/// A compiled text and what it reads.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) reader: Reader,
    /// The key or parameter it stands under.
    pub(super) key: String,
    /// The scalar.
    pub(super) node: yaml::Node,
    pub(super) reads: Vec<Read>,
}

impl Reading {
    /// Where the text mentions a path of which these are the first segments.
    pub(super) fn place_of(&self, source: &Source, path: &[&str]) -> Place {
        let Some(text) = self.node.text() else {
            return self.node.place.clone();
        };
        let mut mentions = scan::template(text);
        mentions.extend(scan::expression(text));
        mentions
            .iter()
            .find(|mention| mention.path.starts_with(path))
            .map_or_else(
                || self.node.place.clone(),
                |mention| self.node.place_of(source, mention.bytes.clone()),
            )
    }
}

/// The state of one compilation.
pub(super) struct Work<'a> {
    pub(super) source: &'a Source,
    pub(super) document: &'a Document,
    pub(super) bundle: &'a Bundle,
    pub(super) environment: Environment<'a>,
    pub(super) findings: Vec<Diagnostic>,
    pub(super) limits: Limits,
    pub(super) enums: Enums,
    /// What expressions of steps and lets may name; grows as types become known.
    pub(super) env: TypeEnv,
    pub(super) lets: BTreeMap<String, Expression>,
    /// The list expression of each `for_each`.
    pub(super) lists: BTreeMap<String, Expression>,
    /// The condition of each step with `if`.
    pub(super) conditions: BTreeMap<String, Expression>,
    pub(super) readings: Vec<Reading>,
    /// An earlier version accepted the playbook: see `LATER_RULES`.
    pub(super) kept: bool,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        source: &'a Source,
        document: &'a Document,
        bundle: &'a Bundle,
        environment: Environment<'a>,
    ) -> Self {
        let written = &document.limits;
        let defaults = Limits::default();
        let limits = Limits {
            tlp: written.tlp.as_ref().map_or(defaults.tlp, |placed| placed.value),
            pap: written.pap.as_ref().map_or(defaults.pap, |placed| placed.value),
            time: written.time.as_ref().map_or(defaults.time, |placed| placed.value),
            effects: written
                .effects
                .as_ref()
                .map_or(defaults.effects, |placed| placed.value),
        };
        let enums: Enums = document
            .enums
            .iter()
            .map(|entry| {
                let words = entry.words.iter().map(|word| word.value.clone()).collect();
                (entry.name.value.clone(), words)
            })
            .collect();
        Self {
            source,
            document,
            bundle,
            environment,
            findings: Vec::new(),
            limits,
            env: TypeEnv::new(enums.clone()),
            enums,
            lets: BTreeMap::new(),
            lists: BTreeMap::new(),
            conditions: BTreeMap::new(),
            readings: Vec::new(),
            kept: false,
        }
    }

    pub(super) fn error(&self, code: &'static str, place: &Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.source, place.clone(), message)
    }

    pub(super) fn warning(
        &self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::warning(code, self.source, place.clone(), message)
    }

    pub(super) fn report(&mut self, finding: Diagnostic) {
        if self.kept && super::LATER_RULES.contains(&finding.code) {
            return;
        }
        self.findings.push(finding);
    }

    /// The action a step uses, when it exists.
    pub(super) fn action(&self, step: &Step) -> Option<&'a ActionSpec> {
        self.environment.catalog.action(&step.uses.value)
    }

    pub(super) fn step(&self, id: &str) -> Option<&'a Step> {
        self.document.steps.iter().find(|step| step.id.value == id)
    }

    pub(super) fn section(&self, id: &str) -> Option<Section> {
        self.step(id).map(|step| step.section)
    }

    /// Compiles an expression and remembers what it reads. Its errors are reported.
    pub(super) fn expression(
        &mut self,
        cel: &Cel,
        env: &TypeEnv,
        expected: &Expected,
        reader: Reader,
        key: &str,
    ) -> Option<Expression> {
        if self.names_secret(&cel.node) {
            return None;
        }
        let text = self.scalar_text(&cel.node);
        let whole = Snippet::new(self.source, cel.node.place.clone(), &text);
        let snippet = whole.part(cel.offset..text.len());
        match Expression::compile(&snippet, env, expected) {
            Ok(expression) => {
                self.findings.extend(expression.warnings().iter().cloned());
                self.readings.push(Reading {
                    reader,
                    key: key.to_owned(),
                    node: cel.node.clone(),
                    reads: expression.reads().to_vec(),
                });
                Some(expression)
            }
            Err(findings) => {
                self.findings.extend(findings);
                None
            }
        }
    }

    /// The decoded text of a scalar; of numbers and booleans what is written.
    pub(super) fn scalar_text(&self, node: &yaml::Node) -> String {
        match node.text() {
            Some(text) => text.to_owned(),
            None => self.source.text.get(node.place.clone()).unwrap_or("").to_owned(),
        }
    }

    /// Remembers what an argument reads.
    pub(super) fn remember(&mut self, reader: Reader, key: &str, node: &yaml::Node, argument: &Argument) {
        let reads = argument.reads();
        if !reads.is_empty() {
            self.readings.push(Reading {
                reader,
                key: key.to_owned(),
                node: node.clone(),
                reads,
            });
        }
    }

    /// Whether a text asks for a secret; reported.
    pub(super) fn names_secret(&mut self, node: &yaml::Node) -> bool {
        let Some(text) = node.text() else { return false };
        let bare = !text.contains("{{");
        let mentions = if bare {
            scan::expression(text)
        } else {
            scan::template(text)
        };
        let Some(found) = mentions.iter().find(|mention| {
            matches!(mention.path.first(), Some(&"secrets" | &"secret")) && mention.path.len() > 1
        }) else {
            return false;
        };
        let place = node.place_of(self.source, found.bytes.clone());
        let finding = self
            .error("PB402", &place, "a playbook cannot name a secret")
            .label("there is no `secrets` here")
            .help("connections hold secrets; name the connection with `using:` and it adds its own");
        self.report(finding);
        true
    }

    /// The parts of a step's `if` that must all hold.
    pub(super) fn conditions_of(&self, step: &str) -> Vec<String> {
        self.step(step)
            .and_then(|step| step.condition.as_ref())
            .map(|cel| scan::conjuncts(&cel.text))
            .unwrap_or_default()
    }

    /// What each node reads, its texts together.
    pub(super) fn readings_of<'s>(&'s self, node: &'s Node) -> impl Iterator<Item = &'s Reading> {
        self.readings
            .iter()
            .filter(move |reading| matches!(&reading.reader, Reader::Node(reader) if reader == node))
    }
}
