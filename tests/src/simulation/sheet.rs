//! A playbook as its text says, read without the compiler: which steps there are, what each reads
//! or waits for, how often it may be tried, whether somebody is asked.
//!
//! Owns a second opinion. It is deliberately simple, and it shares nothing with the product.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// `steps:`
    Steps,
    /// `on_failure:`
    OnFailure,
    /// `finally:`
    Finally,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Line {
    /// Where it stands.
    pub section: Section,
    /// The capability.
    pub uses: String,
    /// Steps that must be settled before it is intended.
    pub needs: BTreeSet<String>,
    /// `retry.attempts`, when it is written.
    pub attempts: Option<u32>,
    /// Whether somebody must approve it.
    pub asks: bool,
}

/// The steps by name.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    /// See [`Line`].
    pub steps: BTreeMap<String, Line>,
}

impl Sheet {
    /// Reads the text of a playbook.
    ///
    /// # Errors
    /// It is not YAML.
    pub fn read(text: &str) -> Result<Self, String> {
        let root: Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        let lets: BTreeMap<String, String> = root
            .get("let")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        let mut sheet = Self::default();
        for (key, section) in [
            ("steps", Section::Steps),
            ("on_failure", Section::OnFailure),
            ("finally", Section::Finally),
        ] {
            for (name, step) in root.get(key).and_then(Value::as_object).into_iter().flatten() {
                let line = Line {
                    section,
                    uses: step
                        .get("uses")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned(),
                    needs: needs(step, &lets),
                    attempts: step
                        .pointer("/retry/attempts")
                        .and_then(Value::as_u64)
                        .and_then(|attempts| u32::try_from(attempts).ok()),
                    asks: step.get("approval").is_some(),
                };
                sheet.steps.insert(name.clone(), line);
            }
        }
        Ok(sheet)
    }
}

/// `after:`, every `steps.<name>` of the step, and those of the lets that its condition or list
/// names, however deep.
fn needs(step: &Value, lets: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = step
        .get("after")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    found.extend(mentioned(&step.to_string()));
    let mut texts: Vec<String> = ["if", "for_each"]
        .iter()
        .filter_map(|key| step.get(*key).map(Value::to_string))
        .collect();
    let mut seen = BTreeSet::new();
    while let Some(text) = texts.pop() {
        found.extend(mentioned(&text));
        for (name, value) in lets {
            if words(&text).any(|word| word == name) && seen.insert(name.clone()) {
                texts.push(value.clone());
            }
        }
    }
    found
}

fn mentioned(text: &str) -> impl Iterator<Item = String> + '_ {
    text.match_indices("steps.").filter_map(|(at, found)| {
        let rest = text.get(at + found.len()..)?;
        let name: String = rest
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_')
            .collect();
        (!name.is_empty()).then_some(name)
    })
}

/// Names that stand by themselves: not a field of something, not inside quotes.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split('\'')
        .step_by(2)
        .flat_map(|part| part.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')))
        .filter_map(|word| word.split('.').next())
}
