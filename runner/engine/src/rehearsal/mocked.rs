//! A world in which a test says what is answered.
//!
//! Owns the answers and the witness of what really happened. What only computes is computed, by
//! whoever knows how; a read without an answer is noted and fails.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use playbooks::action_spec::{ActionSpec, Catalog, ErrorKind};
use playbooks::marking::EffectClass;
use playbooks::trial::{Answer, Answers, ApprovalAnswer};
use playbooks::types::Type;
use serde_json::{Map, Value};
use state::access::{Actor, Channel, Person};
use state::event::{Intended, Outcome, ProbeAnswer, ReplyWord, Started, Subject};
use state::ids::EffectKey;

use super::World;
use super::world::{Applied, Ledger};
use crate::decide::Command;
use crate::run::{Asked, Run, digest_of};

/// How a step that only computes (`extract.*`) comes to its outputs.
pub type Compute<'a> = &'a dyn Fn(&Started, &Intended) -> Outcome;

/// An effect that happened in a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The step or item.
    pub path: String,
    /// The capability.
    pub action: String,
    /// It took back what the step had done.
    pub undo: bool,
    /// With what.
    pub arguments: Value,
    /// How often. What may be repeated under its key counts once however often it was sent, because
    /// the end is the same.
    pub times: u32,
}

/// See the module.
pub struct MockedWorld<'a> {
    catalog: &'a dyn Catalog,
    mocks: BTreeMap<String, Answers>,
    compute: Compute<'a>,
    started: Started,
    /// Answers given so far, by path.
    answered: BTreeMap<String, usize>,
    approvals: BTreeMap<String, ApprovalAnswer>,
    /// Replies given so far, by the number of the inquiry.
    replied: BTreeMap<u32, usize>,
    ledger: Ledger,
    effects: IndexMap<EffectKey, Effect>,
    unmocked: Vec<String>,
}

impl std::fmt::Debug for MockedWorld<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MockedWorld")
            .field("mocks", &self.mocks)
            .field("effects", &self.effects)
            .finish_non_exhaustive()
    }
}

impl<'a> MockedWorld<'a> {
    /// A world with these answers and these people, by step, for one run.
    pub fn new(
        catalog: &'a dyn Catalog,
        mocks: BTreeMap<String, Answers>,
        approvals: BTreeMap<String, ApprovalAnswer>,
        compute: Compute<'a>,
        started: Started,
    ) -> Self {
        Self {
            catalog,
            mocks,
            compute,
            started,
            answered: BTreeMap::new(),
            approvals,
            replied: BTreeMap::new(),
            ledger: Ledger::default(),
            effects: IndexMap::new(),
            unmocked: Vec::new(),
        }
    }

    /// What steps did, in order; not what took it back.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.effects.values().filter(|effect| !effect.undo)
    }

    /// Reads that had no answer, each path once.
    pub fn unmocked(&self) -> &[String] {
        &self.unmocked
    }

    /// By item of a `for_each` step, by call of another; the last one repeats.
    fn next_answer(&mut self, intended: &Intended) -> Option<Answer> {
        // A mock answers what the step does, not what takes it back.
        let mocks = (!intended.path.undo).then_some(&self.mocks)?;
        let answers = match mocks.get(&*intended.path.step)? {
            Answers::Always(answer) => return Some(answer.clone()),
            Answers::InTurn(answers) => answers,
        };
        let turn = match intended.path.item {
            Some(item) => usize::try_from(item).unwrap_or(usize::MAX),
            None => {
                let calls = self.answered.entry(intended.path.to_string()).or_default();
                *calls += 1;
                *calls - 1
            }
        };
        answers.get(turn).or_else(|| answers.last()).cloned()
    }

    fn applied(&mut self, intended: &Intended) {
        if intended.effect <= EffectClass::Read {
            return;
        }
        let effect = self
            .effects
            .entry(intended.key.clone())
            .or_insert_with(|| Effect {
                path: intended.path.to_string(),
                action: intended.action.clone(),
                undo: intended.path.undo,
                arguments: intended.arguments.clone(),
                times: 0,
            });
        if effect.times == 0 || !intended.recovery.repeatable() {
            effect.times += 1;
        }
        let applied = self.ledger.applied.entry(intended.key.clone());
        applied
            .or_insert_with(|| Applied {
                path: intended.path.to_string(),
                action: intended.action.clone(),
                recovery: intended.recovery,
                times: 0,
            })
            .times += 1;
    }

    fn answer(&mut self, intended: &Intended) -> Outcome {
        let Some(spec) = self.catalog.action(&intended.action) else {
            return failed(
                ErrorKind::Internal,
                format!("there is no action {}", intended.action),
            );
        };
        match self.next_answer(intended) {
            Some(Answer::Error(kind)) => failed(kind, format!("the test lets it fail ({})", kind.word())),
            Some(Answer::Outputs(outputs)) => {
                let given = outputs
                    .into_iter()
                    .map(|output| (output.name.value, output.value));
                self.applied(intended);
                done(completed(spec, given.collect(), &intended.arguments))
            }
            None if intended.effect > EffectClass::Read => {
                self.applied(intended);
                done(example(spec, &intended.arguments))
            }
            None if !spec.needs_connection => (self.compute)(&self.started, intended),
            None => {
                let path = intended.path.to_string();
                if !self.unmocked.contains(&path) {
                    self.unmocked.push(path);
                }
                failed(ErrorKind::Rejected, "the test has no mock for it".to_owned())
            }
        }
    }
}

/// What the test says about an inquiry: about the first of its steps that it names. A mock of a
/// question is its answer.
fn script(
    approvals: &BTreeMap<String, ApprovalAnswer>,
    mocks: &BTreeMap<String, Answers>,
    asked: &Asked,
) -> Option<ApprovalAnswer> {
    let mut steps = asked.inquiry.steps.iter();
    if let Some(answer) = steps.clone().find_map(|step| approvals.get(step)) {
        return Some(answer.clone());
    }
    let Subject::Choice { choices, .. } = &asked.inquiry.subject else {
        return None;
    };
    let answer = match steps.find_map(|step| mocks.get(step))? {
        Answers::Always(answer) => Some(answer),
        Answers::InTurn(answers) => answers.first(),
    };
    let Some(Answer::Outputs(outputs)) = answer else {
        return None;
    };
    let mut outputs = outputs.iter();
    let said = outputs
        .find(|output| output.name.value == "answer")?
        .value
        .as_str()?;
    Some(if choices.iter().any(|choice| choice == said) {
        ApprovalAnswer::Choose(said.to_owned())
    } else {
        ApprovalAnswer::Silence
    })
}

/// Who says what next.
fn says(answer: &ApprovalAnswer, asked: &Asked, given: usize) -> Option<(String, ReplyWord)> {
    let needed = usize::try_from(asked.inquiry.count).unwrap_or(usize::MAX);
    let word = |word: &str| match asked.inquiry.subject {
        Subject::Choice { .. } => ReplyWord::Choose(word.to_owned()),
        Subject::Approval { .. } if word == "approve" => ReplyWord::Approve,
        Subject::Approval { .. } => ReplyWord::Refuse,
    };
    match answer {
        ApprovalAnswer::Approve => {
            (given < needed).then(|| (format!("person-{}", given + 1), word("approve")))
        }
        ApprovalAnswer::Refuse => (given == 0).then(|| ("person-1".to_owned(), word("refuse"))),
        ApprovalAnswer::Choose(choice) => (given == 0).then(|| ("person-1".to_owned(), word(choice))),
        ApprovalAnswer::Silence => None,
        ApprovalAnswer::By(people) => people.get(given).map(|one| {
            let said = if one.approves { "approve" } else { "refuse" };
            (one.name.clone(), word(said))
        }),
    }
}

/// A reply by somebody who has the roles that are asked.
fn reply(asked: &Asked, name: &str, word: ReplyWord) -> Command {
    let person = Person {
        name: name.to_owned(),
        roles: asked.who.iter().cloned().collect(),
    };
    Command::Reply {
        number: asked.inquiry.number,
        actor: Actor {
            name: person.actor_name(),
            channel: Channel::Terminal,
        },
        person,
        word,
        comment: None,
        digest: digest_of(&asked.inquiry).map(str::to_owned),
    }
}

/// Outputs over the example of the action: required ones are filled in, optional ones are absent
/// unless they are given.
fn completed(spec: &ActionSpec, mut given: Map<String, Value>, arguments: &Value) -> Value {
    given.retain(|_, value| !value.is_null());
    let example = example(spec, arguments);
    for (name, ty) in &spec.outputs {
        if matches!(ty, Type::Optional(_)) || given.contains_key(name) {
            continue;
        }
        if let Some(value) = example.get(name) {
            given.insert(name.clone(), value.clone());
        }
    }
    Value::Object(given)
}

/// The outputs of the example. What it repeats of its own arguments is repeated of these.
fn example(spec: &ActionSpec, arguments: &Value) -> Value {
    let (inputs, mut outputs) = spec.example.clone();
    for (name, value) in outputs.as_object_mut().into_iter().flatten() {
        if inputs.get(name) == Some(value)
            && let Some(given) = arguments.get(name)
        {
            *value = given.clone();
        }
    }
    outputs
}

fn done(output: Value) -> Outcome {
    Outcome::Succeeded {
        output,
        reference: None,
    }
}

/// A failure. Whether something may have happened outside follows from its kind.
fn failed(kind: ErrorKind, detail: String) -> Outcome {
    let doubtful = matches!(
        kind,
        ErrorKind::Timeout | ErrorKind::ServerError | ErrorKind::BadAnswer | ErrorKind::Internal
    );
    Outcome::Failed {
        kind,
        detail,
        not_sent: !doubtful,
        retry_after: None,
    }
}

impl World for MockedWorld<'_> {
    fn perform(&mut self, intended: &Intended) -> Outcome {
        self.ledger.calls.push((
            intended.path.to_string(),
            intended.action.clone(),
            intended.arguments.clone(),
        ));
        self.answer(intended)
    }

    fn probe(&mut self, intended: &Intended) -> ProbeAnswer {
        if !self.effects.contains_key(&intended.key) {
            return ProbeAnswer::NotDone;
        }
        let spec = self.catalog.action(&intended.action);
        let mocks = (!intended.path.undo).then_some(&self.mocks);
        let given = match mocks.and_then(|mocks| mocks.get(&*intended.path.step)) {
            Some(Answers::Always(Answer::Outputs(outputs))) => outputs
                .iter()
                .map(|output| (output.name.value.clone(), output.value.clone()))
                .collect(),
            _ => Map::new(),
        };
        ProbeAnswer::Done {
            output: spec
                .map(|spec| completed(spec, given, &intended.arguments))
                .unwrap_or_default(),
        }
    }

    fn reply(&mut self, run: &Run) -> Option<Command> {
        run.inquiries().filter(|asked| asked.is_open()).find_map(|asked| {
            let answer = script(&self.approvals, &self.mocks, asked)?;
            let given = self.replied.entry(asked.inquiry.number).or_default();
            let (name, word) = says(&answer, asked, *given)?;
            *given += 1;
            Some(reply(asked, &name, word))
        })
    }

    fn unanswered(&self, run: &Run) -> Option<Timestamp> {
        run.inquiries()
            .filter(|asked| asked.is_open())
            .filter(|asked| script(&self.approvals, &self.mocks, asked) != Some(ApprovalAnswer::Silence))
            .map(|asked| asked.until)
            .min()
    }

    fn answer_lost(&mut self, intended: &Intended) {
        if let Some(calls) = self.answered.get_mut(&intended.path.to_string()) {
            *calls = calls.saturating_sub(1);
        }
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}
