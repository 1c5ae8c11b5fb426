//! Trials: the tests of a playbook, as `<id>.test.yaml` holds them. (`test` is a word of Rust.)
//!
//! Owns what a test file says, and whether it can be meant: every name in it must exist in the
//! playbook. Plays nothing and reads no other file; who does looks up the incidents and entities
//! that are named here.

mod check;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::action_spec::ErrorKind;
use crate::diagnostic::{Diagnostic, Place, Source};
pub use crate::document::Placed;
use crate::duration::Span;

pub use self::check::{check, unreached};

/// Tests of one file.
pub const TRIALS_MAX: usize = 500;
/// Alerts of one `replay`.
pub const REPLAY_TIMES_MAX: u32 = 100_000;
/// Answers in the list of one mock.
pub const ANSWERS_MAX: usize = 1_000;
/// When tests take place that do not say.
pub const CLOCK_DEFAULT: &str = "2026-01-05T09:00:00Z";

/// A file of tests.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialFile {
    /// `playbook`.
    pub playbook: Placed<String>,
    /// `given`: what all tests share.
    pub given: Part,
    /// `tests`.
    pub trials: Vec<Trial>,
}

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// `name`.
    pub name: Placed<String>,
    /// What it adds to `given` or says otherwise.
    pub own: Part,
    /// `replay`.
    pub replay: Option<Replay>,
    /// `crash_after`: the step after whose call the host dies, before the outcome is stored.
    pub crash_after: Option<Placed<String>>,
    /// `expect`.
    pub expect: Expect,
}

/// What both `given` and a test may say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Part {
    /// `entity`: an id, a file, or a map laid over the one below.
    pub entity: Option<Layer>,
    /// `incident`: a file, or a map laid over the one below.
    pub incident: Option<Layer>,
    /// `clock`.
    pub clock: Option<Timestamp>,
    /// `inputs`.
    pub inputs: Vec<Named>,
    /// `mocks`.
    pub mocks: Vec<Mock>,
    /// `approvals`: what people say, by step.
    pub approvals: Vec<Approvals>,
    /// `mode`.
    pub mode: Option<TrialMode>,
    /// `started_by`: the person who starts it by hand.
    pub started_by: Option<Placed<String>>,
}

/// One layer of an entity or incident.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// An id, or the path of a file relative to the test file.
    Named(Placed<String>),
    /// Fields laid over what is below; `null` takes a field away.
    Over(Placed<Value>),
}

/// A value with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The name.
    pub name: Placed<String>,
    /// The value.
    pub value: Value,
    /// Where the value stands.
    pub place: Place,
}

/// Whether effects happen in a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrialMode {
    /// As written.
    #[default]
    Auto,
    /// Reads happen, effects are only recorded.
    Shadow,
    /// Every effect above `record` waits for a person.
    Suggest,
}

/// What the world answers to one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Mock {
    /// The step.
    pub step: Placed<String>,
    /// The answers.
    pub answers: Answers,
}

/// See [`Mock`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// This one to every call.
    Always(Answer),
    /// By item of a `for_each` step, by call of another; the last one repeats.
    InTurn(Vec<Answer>),
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// These outputs; what is missing comes from the example of the action, or is absent when it
    /// is optional.
    Outputs(Vec<Named>),
    /// The call fails.
    Error(ErrorKind),
}

/// What people say when they are asked for approval of a step, or what a step asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Approvals {
    /// The step.
    pub step: Placed<String>,
    /// What they say.
    pub answer: ApprovalAnswer,
    /// Where that stands.
    pub place: Place,
}

/// See [`Approvals`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalAnswer {
    /// As many people as are needed approve.
    Approve,
    /// Somebody refuses.
    Refuse,
    /// Nobody says anything, and the time passes.
    Silence,
    /// Somebody gives this answer to `ask.human`.
    Choose(String),
    /// These people say this, in order; whether they may is checked.
    By(Vec<PersonSays>),
}

/// One person's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonSays {
    /// Their name.
    pub name: String,
    /// Whether they approve; otherwise they refuse.
    pub approves: bool,
}

/// `replay`: equal alerts, spread evenly over a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// `incident`, when it is not the given one.
    pub incident: Option<Layer>,
    /// `times`.
    pub times: u32,
    /// `over`.
    pub over: Span,
}

/// What must come of it. Left out is not looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// `status`, one of [`STATUSES`].
    pub status: Option<Placed<String>>,
    /// `outputs`; records match partly.
    pub outputs: Vec<Named>,
    /// `effects`: everything above `read`, in any order.
    pub effects: Option<Placed<Vec<WantedEffect>>>,
    /// `effects_include`.
    pub effects_include: Vec<WantedEffect>,
    /// `effects_count`, by action.
    pub effects_count: Vec<(Placed<String>, u32)>,
    /// `never`: actions.
    pub never: Vec<Placed<String>>,
    /// `ran`: every step that was attempted, in any order.
    pub ran: Option<Placed<Vec<Placed<String>>>>,
    /// `ran_includes`.
    pub ran_includes: Vec<Placed<String>>,
    /// `skipped`: steps, and words of the reason.
    pub skipped: Vec<(Placed<String>, Option<String>)>,
    /// `refused`: steps, and words of the reason.
    pub refused: Vec<(Placed<String>, Option<String>)>,
    /// `waiting_on`: steps that wait, and words of what for.
    pub waiting_on: Vec<(Placed<String>, Option<String>)>,
    /// `attempts` by step, those of all its items together.
    pub attempts: Vec<(Placed<String>, u32)>,
    /// `undo`: steps whose effects end by themselves after this time.
    pub undo: Vec<(Placed<String>, Span)>,
    /// `undone`: every step whose effects the run took back, in any order.
    pub undone: Option<Placed<Vec<Placed<String>>>>,
    /// `clock_advanced`, from the start of the run to its end.
    pub clock_advanced: Option<Placed<Span>>,
    /// `runs` that were started.
    pub runs: Option<Placed<u32>>,
    /// `attached`: alerts that joined a run.
    pub attached: Option<Placed<u32>>,
}

/// How a run may end or come to rest.
pub const STATUSES: &[&str] = &["succeeded", "failed", "refused", "cancelled", "waiting", "stuck"];

/// An effect with those of its parameters that are looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct WantedEffect {
    /// The action.
    pub action: Placed<String>,
    /// Its parameters; nested records match partly as well.
    pub parameters: Vec<Named>,
}

impl TrialFile {
    /// Reads a test file. Findings come in order of place; the file is there when it is complete
    /// enough to be checked.
    pub fn read(source: &Source) -> (Option<Self>, Vec<Diagnostic>) {
        match crate::yaml::read(source) {
            Ok(root) => crate::document::read_trials(source, &root),
            Err(findings) => (None, findings),
        }
    }

    /// The layers of the entity of a test, lowest first.
    pub fn entity<'a>(&'a self, trial: &'a Trial) -> Vec<&'a Layer> {
        let layers = [&self.given.entity, &trial.own.entity];
        layers.into_iter().flatten().collect()
    }

    /// The layers of the incident of a test, lowest first.
    pub fn incident<'a>(&'a self, trial: &'a Trial) -> Vec<&'a Layer> {
        let replayed = trial.replay.as_ref().and_then(|replay| replay.incident.as_ref());
        let layers = [
            self.given.incident.as_ref(),
            trial.own.incident.as_ref(),
            replayed,
        ];
        layers.into_iter().flatten().collect()
    }

    /// When a test begins.
    pub fn clock(&self, trial: &Trial) -> Timestamp {
        let said = trial.own.clock.or(self.given.clock);
        said.unwrap_or_else(|| CLOCK_DEFAULT.parse().unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// The inputs of a test.
    pub fn inputs(&self, trial: &Trial) -> BTreeMap<String, Value> {
        let all = self.given.inputs.iter().chain(&trial.own.inputs);
        all.map(|input| (input.name.value.clone(), input.value.clone()))
            .collect()
    }

    /// The mode of a test.
    pub fn mode(&self, trial: &Trial) -> TrialMode {
        trial.own.mode.or(self.given.mode).unwrap_or_default()
    }

    /// Who starts it by hand, if somebody does.
    pub fn started_by<'a>(&'a self, trial: &'a Trial) -> Option<&'a str> {
        let said = trial.own.started_by.as_ref().or(self.given.started_by.as_ref());
        said.map(|name| name.value.as_str())
    }

    /// What people say in a test, by step.
    pub fn approvals(&self, trial: &Trial) -> BTreeMap<String, ApprovalAnswer> {
        let all = self.given.approvals.iter().chain(&trial.own.approvals);
        all.map(|one| (one.step.value.clone(), one.answer.clone()))
            .collect()
    }

    /// The mocks of a test by step. Outputs lie over those that are given; an error or a list
    /// stands for itself.
    pub fn mocks(&self, trial: &Trial) -> BTreeMap<String, Answers> {
        let mut mocks: BTreeMap<String, Answers> = BTreeMap::new();
        for mock in self.given.mocks.iter().chain(&trial.own.mocks) {
            let step = mock.step.value.clone();
            let below = mocks.remove(&step);
            let answers = match (below, &mock.answers) {
                (
                    Some(Answers::Always(Answer::Outputs(mut below))),
                    Answers::Always(Answer::Outputs(above)),
                ) => {
                    below.retain(|old| above.iter().all(|new| new.name.value != old.name.value));
                    below.extend(above.iter().cloned());
                    Answers::Always(Answer::Outputs(below))
                }
                (_, answers) => answers.clone(),
            };
            mocks.insert(step, answers);
        }
        mocks
    }
}

/// Lays fields over a value: records are merged, `null` takes a field away, everything else
/// replaces what was there.
pub fn lay_over(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                if value.is_null() {
                    below.remove(name);
                } else if value.is_object() {
                    let field = below
                        .entry(name.clone())
                        .or_insert_with(|| Value::Object(Map::new()));
                    lay_over(field, value);
                } else {
                    below.insert(name.clone(), value.clone());
                }
            }
        }
        (below, above) => *below = above.clone(),
    }
}

#[cfg(test)]
mod tests;
