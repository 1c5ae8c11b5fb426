//! What a test expected beside what came of it.
//!
//! Owns the comparison and its words. Records match partly, everything else as a whole.

use playbooks::diagnostic::Place;
use playbooks::document::Placed;
use playbooks::trial::{Expect, Named, WantedEffect};
use serde_json::Value;

use super::mocked::Effect;
use super::trial::Played;
use crate::run::StepStatus;

mod effects;
mod words;

pub use self::effects::same_effects;

/// One expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key of `expect`.
    pub key: &'static str,
    /// Where it stands in the file of tests.
    pub place: Place,
    /// What was expected, a line each. May hold anything an incident held.
    pub expected: Vec<String>,
    /// What came of it, a line each. May hold anything an incident held.
    pub got: Vec<String>,
}

impl Difference {
    fn new(key: &'static str, place: &Place, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self {
            key,
            place: place.clone(),
            expected: vec![expected.into()],
            got: vec![got.into()],
        }
    }
}

/// Every expectation that was not met, in the order of the language page.
pub fn differences(expect: &Expect, played: &Played) -> Vec<Difference> {
    let mut found = Vec::new();
    status(expect, played, &mut found);
    outputs(&expect.outputs, played, &mut found);
    effects::compare(expect, played, &mut found);
    ran(expect, played, &mut found);
    reasons(
        "skipped",
        &expect.skipped,
        StepStatus::Skipped,
        played,
        &mut found,
    );
    reasons(
        "refused",
        &expect.refused,
        StepStatus::Refused,
        played,
        &mut found,
    );
    reasons(
        "waiting_on",
        &expect.waiting_on,
        StepStatus::Waiting,
        played,
        &mut found,
    );
    for (step, wanted) in &expect.attempts {
        let got = played
            .steps
            .iter()
            .find(|report| report.id == step.value)
            .map_or(0, |report| report.attempts);
        if got != *wanted {
            let expected = format!("{} {wanted} times", step.value);
            found.push(Difference::new(
                "attempts",
                &step.place,
                expected,
                got.to_string(),
            ));
        }
    }
    undo(expect, played, &mut found);
    if let Some(wanted) = &expect.clock_advanced
        && wanted.value != played.advanced
    {
        found.push(Difference::new(
            "clock_advanced",
            &wanted.place,
            wanted.value.to_string(),
            played.advanced.to_string(),
        ));
    }
    count("runs", expect.runs.as_ref(), played.runs, &mut found);
    count("attached", expect.attached.as_ref(), played.attached, &mut found);
    found
}

fn undo(expect: &Expect, played: &Played, found: &mut Vec<Difference>) {
    for (step, wanted) in &expect.undo {
        let ends = played.ends_of(&step.value);
        if ends != [*wanted] {
            let words: Vec<String> = ends.iter().map(ToString::to_string).collect();
            let got = if words.is_empty() {
                format!("{}: no end", step.value)
            } else {
                format!("{}: {}", step.value, words.join(", "))
            };
            let expected = format!("{}: {wanted}", step.value);
            found.push(Difference::new("undo", &step.place, expected, got));
        }
    }
    if let Some(wanted) = &expect.undone {
        exactly("undone", wanted, &played.undone(), found);
    }
}

/// These steps and no others.
fn exactly(
    key: &'static str,
    wanted: &Placed<Vec<Placed<String>>>,
    got: &[&str],
    found: &mut Vec<Difference>,
) {
    let missing = wanted
        .value
        .iter()
        .filter(|step| !got.contains(&step.value.as_str()));
    let extra = got
        .iter()
        .filter(|step| wanted.value.iter().all(|one| one.value != **step));
    let missing: Vec<&str> = missing.map(|step| step.value.as_str()).collect();
    let extra: Vec<&str> = extra.copied().collect();
    if missing.is_empty() && extra.is_empty() {
        return;
    }
    let list = |steps: &[&str], none: &str| match steps {
        [] => none.to_owned(),
        steps => steps.join(", "),
    };
    found.push(Difference::new(
        key,
        &wanted.place,
        list(&missing, "nothing else"),
        list(&extra, "not"),
    ));
}

fn count(key: &'static str, wanted: Option<&Placed<u32>>, got: u32, found: &mut Vec<Difference>) {
    if let Some(wanted) = wanted
        && wanted.value != got
    {
        found.push(Difference::new(
            key,
            &wanted.place,
            wanted.value.to_string(),
            got.to_string(),
        ));
    }
}

fn status(expect: &Expect, played: &Played, found: &mut Vec<Difference>) {
    if let Some(wanted) = &expect.status {
        if wanted.value != played.status {
            let mut difference = Difference::new("status", &wanted.place, &wanted.value, played.status);
            difference.got.extend(why_it_ended(played));
            found.push(difference);
        }
        return;
    }
    // Without a run nothing else is worth comparing, and silence would let `never` pass.
    if let Some(refusal) = &played.refusal {
        found.push(Difference::new(
            "status",
            &(0..0),
            "a run",
            format!("none: {refusal}"),
        ));
    }
}

/// The steps that explain how the run ended.
fn why_it_ended(played: &Played) -> Vec<String> {
    if let Some(refusal) = &played.refusal {
        return vec![refusal.clone()];
    }
    played
        .steps
        .iter()
        .filter(|step| {
            matches!(
                step.status,
                StepStatus::Failed | StepStatus::Refused | StepStatus::Unknown
            )
        })
        .map(|step| {
            let reason = step.reason.as_deref().unwrap_or("no reason is recorded");
            format!("{} {}: {reason}", step.id, step.status.word())
        })
        .collect()
}

fn outputs(wanted: &[Named], played: &Played, found: &mut Vec<Difference>) {
    for output in wanted {
        let name = &output.name.value;
        let got = played.outputs.get(name);
        let same = match got {
            Some(got) => fits(&output.value, got),
            None => output.value.is_null(),
        };
        if !same {
            let (expected, got) = words::contrast(&output.value, got);
            found.push(Difference::new(
                "outputs",
                &output.name.place,
                format!("{name}: {expected}"),
                format!("{name}: {got}"),
            ));
        }
    }
}

fn ran(expect: &Expect, played: &Played, found: &mut Vec<Difference>) {
    let ran: Vec<&str> = played
        .steps
        .iter()
        .filter(|step| step.attempts > 0)
        .map(|step| step.id.as_str())
        .collect();
    if let Some(wanted) = &expect.ran {
        exactly("ran", wanted, &ran, found);
    }
    for step in &expect.ran_includes {
        if !ran.contains(&step.value.as_str()) {
            let got = how_it_stands(played, &step.value);
            found.push(Difference::new("ran_includes", &step.place, &step.value, got));
        }
    }
}

fn reasons(
    key: &'static str,
    wanted: &[(Placed<String>, Option<String>)],
    status: StepStatus,
    played: &Played,
    found: &mut Vec<Difference>,
) {
    for (step, words) in wanted {
        let report = played.steps.iter().find(|report| report.id == step.value);
        let items = report.and_then(|report| report.items.as_ref());
        let among_items = items.is_some_and(|items| match status {
            StepStatus::Refused => items.refused > 0,
            StepStatus::Skipped => items.skipped > 0,
            _ => false,
        });
        let standing = report.is_some_and(|report| report.status == status) || among_items;
        let reason_fits = words.as_ref().is_none_or(|words| {
            let own = report.and_then(|report| report.reason.as_deref());
            own.into_iter()
                .map(str::to_owned)
                .chain(played.causes_of(&step.value))
                .any(|reason| reason.contains(words.as_str()))
        });
        if !standing || !reason_fits {
            let expected = match words {
                Some(words) => format!("{} {}: {words}", step.value, status.word()),
                None => format!("{} {}", step.value, status.word()),
            };
            let got = how_it_stands(played, &step.value);
            found.push(Difference::new(key, &step.place, expected, got));
        }
    }
}

fn how_it_stands(played: &Played, step: &str) -> String {
    match played.steps.iter().find(|report| report.id == step) {
        Some(report) => match played.causes_of(step).first().or(report.reason.as_ref()) {
            Some(reason) => format!("{step} {}: {reason}", report.status.word()),
            None => format!("{step} {}", report.status.word()),
        },
        None => format!("{step} was not reached"),
    }
}

/// Whether a value is what is wanted; records may hold more fields.
pub(super) fn fits(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => {
            wanted.iter().all(|(name, wanted)| match got.get(name) {
                Some(got) => fits(wanted, got),
                None => wanted.is_null(),
            })
        }
        (Value::Array(wanted), Value::Array(got)) => {
            wanted.len() == got.len() && wanted.iter().zip(got).all(|(wanted, got)| fits(wanted, got))
        }
        (Value::Number(wanted), Value::Number(got)) => wanted == got || wanted.as_f64() == got.as_f64(),
        (wanted, got) => wanted == got,
    }
}

/// Whether an effect is the wanted one.
fn is_wanted(wanted: &WantedEffect, effect: &Effect) -> bool {
    wanted.action.value == effect.action
        && wanted
            .parameters
            .iter()
            .all(|parameter| match effect.arguments.get(&parameter.name.value) {
                Some(got) => fits(&parameter.value, got),
                None => parameter.value.is_null(),
            })
}
