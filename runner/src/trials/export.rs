//! A run of the past as a test: what the world answered becomes its mocks, what it did becomes what
//! is expected, and personal data is masked.
//!
//! Owns what can be made a test of. Expectations are not copied from the record but taken from the
//! test itself, played with the masked data, and only when it does the same as the run did.

mod masking;

use std::collections::BTreeMap;

use engine::rehearsal::Played;
use playbooks::action_spec::Catalog;
use playbooks::diagnostic::Source;
use playbooks::marking::EffectClass;
use playbooks::plan::Plan;
use playbooks::trial::{TrialFile, check};
use playbooks::writer::to_yaml;
use serde_json::{Map, Value, json};
use state::event::{Event, Intended, Mode, Outcome, ProbeAnswer, Recorded, Started, StartedBy};
use state::ids::Path;

use self::masking::Mask;
use super::bench::{self, Ask};
use super::incident::Folder;

/// Characters of a parameter that is worth expecting; longer ones are texts that change often.
const EXPECTED_CHARS_MAX: usize = 120;

/// Why a run cannot become a test.
#[derive(Debug, thiserror::Error)]
pub enum NotExportable {
    /// Something happened in it that a test cannot say.
    #[error("run {run} cannot become a test: {why}")]
    Run {
        /// The run.
        run: String,
        /// What.
        why: String,
    },
    /// With masked data it does something else.
    #[error("with masked data the playbook does not do what run {run} did: {why}")]
    Otherwise {
        /// The run.
        run: String,
        /// What differs.
        why: String,
    },
}

/// What a run did, as far as a test must do the same.
struct Done {
    status: &'static str,
    /// Path and action of every effect, in order of path.
    effects: Vec<(String, String)>,
}

/// The text of a file with one test, which passes.
///
/// # Errors
/// [`NotExportable`], with the reason.
pub fn export(
    events: &[Recorded],
    plan: &Plan,
    folder: &Folder<'_>,
    ask: Ask<'_>,
) -> Result<String, NotExportable> {
    let Some(Recorded {
        event: Event::Started(started),
        at,
        ..
    }) = events.first()
    else {
        return Err(NotExportable::Run {
            run: String::new(),
            why: "it has no beginning".to_owned(),
        });
    };
    let run = started.run.short().to_owned();
    let refuse = |why: &str| NotExportable::Run {
        run: run.clone(),
        why: why.to_owned(),
    };
    if let Some(why) = inexpressible(started, events) {
        return Err(refuse(why));
    }
    let done = done(events).ok_or_else(|| refuse("it is not over"))?;
    let mut file = file(started, *at, &done, events);
    let played = play(&file, plan, folder, ask).map_err(|why| refuse(&why))?;
    compare(&done, &played).map_err(|why| NotExportable::Otherwise {
        run: run.clone(),
        why,
    })?;
    if let Some(expect) = file.pointer_mut("/tests/0/expect") {
        *expect = expectations(&played);
    }
    let text = to_yaml(&file).map_err(|error| refuse(&error.to_string()))?;
    Ok(format!(
        "# Made from run {run} by `sortie runs export-test`. Mail addresses, names and free text are\n\
         # masked; addresses of machines, domains and hashes are not. Read it before you share it.\n{text}"
    ))
}

/// What a test has no words for.
fn inexpressible(started: &Started, events: &[Recorded]) -> Option<&'static str> {
    if started.by == StartedBy::Expiry {
        return Some("it is the agreed end of an effect, not a run of its playbook");
    }
    events.iter().find_map(|recorded| match &recorded.event {
        Event::Started(_)
        | Event::LetSettled { .. }
        | Event::Expanded { .. }
        | Event::Skipped { .. }
        | Event::Refused { .. }
        | Event::Intended(_)
        | Event::Finished { .. }
        | Event::Lost { .. }
        | Event::Probed { .. }
        | Event::RetryScheduled { .. }
        | Event::Waits { .. }
        | Event::Failing { .. }
        | Event::Acknowledged { .. }
        | Event::Rerun { .. }
        | Event::Closed { .. } => None,
        Event::RoundScheduled { .. } | Event::RoundsEnded { .. } => {
            Some("one of its steps was repeated, and a test of that is written by hand")
        }
        Event::UndoRequested { goes_on: true, .. } => {
            Some("one of its effects was taken back, and a test of that is written by hand")
        }
        Event::OutcomeUnknown { .. } => Some("the outcome of one of its effects is unknown"),
        _ => Some("people took part in it, and a test cannot say what they did yet"),
    })
}

fn done(events: &[Recorded]) -> Option<Done> {
    let status = events.iter().rev().find_map(|recorded| match &recorded.event {
        Event::Closed { status, .. } => Some(status.word()),
        _ => None,
    })?;
    let intended = intents(events);
    let mut effects: Vec<(String, String)> = answers(events)
        .into_iter()
        .filter(|(_, answer)| !matches!(answer, Outcome::Failed { .. }))
        .filter_map(|(path, _)| intended.get(path))
        .filter(|intended| intended.effect > EffectClass::Read)
        .map(|intended| (intended.path.to_string(), intended.action.clone()))
        .collect();
    effects.sort();
    Some(Done { status, effects })
}

/// The last intent of every place.
fn intents(events: &[Recorded]) -> BTreeMap<&Path, &Intended> {
    events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Intended(intended) => Some((&intended.path, intended)),
            _ => None,
        })
        .collect()
}

/// What was answered, place by place, in order.
fn answers(events: &[Recorded]) -> Vec<(&Path, Outcome)> {
    events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Finished { path, outcome, .. } => Some((path, outcome.clone())),
            Event::Probed {
                path,
                answer: ProbeAnswer::Done { output },
                ..
            } => Some((
                path,
                Outcome::Succeeded {
                    output: output.clone(),
                    reference: None,
                },
            )),
            _ => None,
        })
        .collect()
}

/// The file without its expectations.
fn file(started: &Started, at: jiff::Timestamp, done: &Done, events: &[Recorded]) -> Value {
    let mut mask = Mask::default();
    let mut given = Map::new();
    given.insert("entity".to_owned(), json!(started.entity.as_str()));
    given.insert("clock".to_owned(), json!(at.to_string()));
    if started.incident.is_some() {
        let mut facts = started.facts.clone();
        if let Some(facts) = facts.as_object_mut() {
            facts.remove("ref");
        }
        given.insert("incident".to_owned(), mask.value(facts));
    }
    if !started.inputs.is_empty() {
        given.insert("inputs".to_owned(), mask.value(json!(started.inputs)));
    }
    if started.mode == Mode::Simulate {
        given.insert("mode".to_owned(), json!("shadow"));
    }
    if started.by == StartedBy::Hand {
        given.insert("started_by".to_owned(), json!("somebody"));
    }
    given.insert("mocks".to_owned(), mask.value(mocks(events)));
    json!({
        "playbook": started.playbook.id,
        "given": given,
        "tests": [{
            "name": format!("it does what run {} did: {}", started.run.short(), done.status),
            "expect": {"status": done.status},
        }],
    })
}

/// The answers by step: one, or a list by item or call.
fn mocks(events: &[Recorded]) -> Value {
    let mut calls: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut items: BTreeMap<&str, BTreeMap<u32, Value>> = BTreeMap::new();
    for (path, outcome) in answers(events) {
        let answer = match outcome {
            Outcome::Succeeded { output, .. } => output,
            Outcome::Failed { kind, .. } => json!({"error": kind.word()}),
            Outcome::Simulated { .. } => continue,
        };
        match path.item {
            None => calls.entry(&path.step).or_default().push(answer),
            Some(item) => {
                items.entry(&path.step).or_default().insert(item, answer);
            }
        }
    }
    let by_item = items.into_iter().map(|(step, answers)| {
        let most = answers.keys().max().copied().unwrap_or(0);
        let list = (0..=most).map(|item| answers.get(&item).cloned().unwrap_or_else(|| json!({})));
        (step, list.collect::<Vec<Value>>())
    });
    let mut mocks = Map::new();
    for (step, mut answers) in calls.into_iter().chain(by_item) {
        let alike = answers.windows(2).all(|pair| pair.first() == pair.last());
        let answer = match answers.pop() {
            Some(only) if alike => only,
            Some(last) => {
                answers.push(last);
                Value::Array(answers)
            }
            None => continue,
        };
        mocks.insert(step.to_owned(), answer);
    }
    Value::Object(mocks)
}

/// Plays the one test of a file.
fn play(file: &Value, plan: &Plan, folder: &Folder<'_>, ask: Ask<'_>) -> Result<Played, String> {
    let text = to_yaml(file).map_err(|error| error.to_string())?;
    let source = Source::new("the test", text);
    let (trials, mut findings) = TrialFile::read(&source);
    let mut trials = trials.ok_or("it does not read back")?;
    let catalog: &dyn Catalog = ask.registry;
    findings.extend(check(&source, &mut trials, Some(plan), catalog));
    if let Some(first) = findings.first() {
        return Err(format!("{} ({})", first.message, first.code));
    }
    let trial = trials.trials.first().ok_or("it has no test")?;
    let folder = Folder {
        path: folder.path,
        source: &source,
    };
    bench::once(plan, &trials, trial, &folder, ask)
}

/// Whether the test did what the run did.
fn compare(done: &Done, played: &Played) -> Result<(), String> {
    if let Some(path) = played.unmocked.first() {
        return Err(format!("`{path}` was asked, and the run has no answer for it"));
    }
    if played.status != done.status {
        let why = played.refusal.clone().unwrap_or_default();
        return Err(format!(
            "it ends {}, the run ended {} {why}",
            played.status, done.status
        ));
    }
    let mut effects: Vec<(String, String)> = played
        .effects
        .iter()
        .map(|effect| (effect.path.clone(), effect.action.clone()))
        .collect();
    effects.sort();
    if effects == done.effects {
        return Ok(());
    }
    let words = |list: &[(String, String)]| {
        list.iter()
            .map(|(path, action)| format!("{action} at {path}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    Err(format!(
        "it does {}; the run did {}",
        words(&effects),
        words(&done.effects)
    ))
}

/// What the test did, as what is expected of it. Long texts are left out.
fn expectations(played: &Played) -> Value {
    let short = |value: &Value| value.to_string().chars().count() <= EXPECTED_CHARS_MAX;
    let effects: Vec<Value> = played
        .effects
        .iter()
        .map(|effect| {
            let parameters: Map<String, Value> = effect
                .arguments
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(name, value)| *name != "rendered" && short(value))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if parameters.is_empty() {
                json!(effect.action)
            } else {
                json!({ effect.action.clone(): parameters })
            }
        })
        .collect();
    json!({"status": played.status, "outputs": played.outputs, "effects": effects})
}
