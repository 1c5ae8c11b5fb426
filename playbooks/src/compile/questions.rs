//! `ask.human`: what people are asked and may answer.
//!
//! Owns that the choices are the type of the answer, so that a comparison with a word that nobody
//! can say is an error, and that those who are asked exist.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::action_spec::{ActionSpec, NO_ANSWER};
use crate::document::{Placed, Step};
use crate::plan::{CHOICE_CHARACTERS_MAX, CHOICES_MAX, CHOICES_MIN};
use crate::types::Type;
use crate::yaml::{Data, Field, Node};

use super::approvals;
use super::work::Work;

/// The outputs of a step. Of a question the answer is one of its choices, or [`NO_ANSWER`] where
/// silence has no default.
pub(super) fn outputs_of(step: &Step, action: &ActionSpec) -> IndexMap<String, Type> {
    let mut outputs = action.outputs.clone();
    if action.asks_people()
        && let Some(mut words) = choices(step)
    {
        if parameter(step, "default").is_none() {
            words.push(NO_ANSWER.to_owned());
        }
        outputs.insert("answer".to_owned(), Type::OneOf(words));
    }
    outputs
}

/// The type of a parameter of a question, where the step says more than the contract.
pub(super) fn parameter_type(step: &Step, action: &ActionSpec, name: &str) -> Option<Type> {
    (action.asks_people() && name == "default")
        .then(|| choices(step))
        .flatten()
        .map(|words| Type::OneOf(words).optional())
}

/// The words to choose from, when they are written out.
fn choices(step: &Step) -> Option<Vec<String>> {
    let Data::List(items) = &parameter(step, "choices")?.value.data else {
        return None;
    };
    let word = |item: &Node| item.text().filter(|text| !text.contains("{{")).map(str::to_owned);
    items.iter().map(word).collect()
}

fn parameter<'s>(step: &'s Step, name: &str) -> Option<&'s Field> {
    step.with.iter().find(|field| field.key == name)
}

/// Checks a question.
pub(super) fn check(work: &mut Work<'_>, step: &Step, action: &ActionSpec) {
    if !action.asks_people() {
        return;
    }
    if let Some(each) = &step.for_each {
        let finding = work
            .error(
                "PB112",
                &each.variable.place,
                format!("`{}` asks once, not for each item", action.name),
            )
            .help("remove `for_each`, and put the list under `show`");
        work.report(finding);
    }
    if let Some(field) = parameter(step, "choices") {
        written_out(work, field, "they are the type of `answer`");
        words(work, field);
    }
    if let Some(field) = parameter(step, "who")
        && written_out(work, field, "who is asked is not decided by data")
    {
        asked(work, field);
    }
}

/// Whether a list is written out; reported when it is not.
fn written_out(work: &mut Work<'_>, field: &Field, why: &str) -> bool {
    let templated = |node: &Node| node.text().is_some_and(|text| text.contains("{{"));
    let made = match &field.value.data {
        Data::List(items) => items.iter().any(templated),
        Data::Text(..) => templated(&field.value),
        _ => false,
    };
    if made {
        let finding = work
            .error(
                "PB112",
                &field.value.place,
                format!("`{}` cannot be made from data", field.key),
            )
            .help(format!("write the words out; {why}"));
        work.report(finding);
    }
    !made
}

/// The bounds of choices: few, different, short, and none that means silence.
fn words(work: &mut Work<'_>, field: &Field) {
    let Data::List(items) = &field.value.data else {
        return;
    };
    if !(CHOICES_MIN..=CHOICES_MAX).contains(&items.len()) {
        let finding = work.error(
            "PB114",
            &field.value.place,
            format!(
                "{} choices; there may be {CHOICES_MIN} to {CHOICES_MAX}",
                items.len()
            ),
        );
        work.report(finding);
    }
    let mut seen = BTreeSet::new();
    for item in items {
        let Some(word) = item.text() else { continue };
        let shown: String = word.chars().take(60).collect();
        let finding = if word == NO_ANSWER {
            work.error(
                "PB112",
                &item.place,
                format!("`{NO_ANSWER}` means that nobody answered"),
            )
            .help("use another word")
        } else if !seen.insert(word) {
            work.error("PB112", &item.place, format!("`{shown}` stands there twice"))
        } else if word.trim() != word
            || word.is_empty()
            || word.chars().count() > CHOICE_CHARACTERS_MAX
            || word.chars().any(char::is_control)
        {
            work.error("PB114", &item.place, format!("`{shown}` is no choice"))
                .help(format!(
                    "one line of 1 to {CHOICE_CHARACTERS_MAX} characters, without spaces around it"
                ))
        } else {
            continue;
        };
        work.report(finding);
    }
}

fn asked(work: &mut Work<'_>, field: &Field) {
    let Data::List(items) = &field.value.data else {
        return;
    };
    if items.is_empty() {
        let finding = work
            .error("PB112", &field.value.place, "nobody is asked")
            .help("name a role, for example `who: [duty-officer]`");
        work.report(finding);
    }
    let roles: Vec<Placed<String>> = items
        .iter()
        .filter_map(|item| {
            Some(Placed {
                value: item.text()?.to_owned(),
                place: item.place.clone(),
            })
        })
        .collect();
    approvals::roles(work, &roles);
}
