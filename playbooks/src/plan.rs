//! The compiled playbook: everything decided that can be decided before a run.
//!
//! Owns the data the engine interprets. Built by the compiler only; a plan that exists cannot
//! fail for a reason readable in its text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use petgraph::graph::DiGraph;
use serde_json::Value;

use crate::action_spec::{ActionSpec, ErrorKind};
use crate::arguments::Argument;
use crate::duration::Span;
use crate::expression::Expression;
use crate::incident::IncidentType;
use crate::marking::{EffectClass, Pap, Tlp};
use crate::schedule::Schedule;
use crate::template::Template;
use crate::types::Type;

/// Steps of one playbook, all sections together.
pub const STEPS_MAX: usize = 150;
/// Attempts of one step, the first included.
pub const ATTEMPTS_MAX: u32 = 8;
/// Longest wait between two attempts.
pub const BACKOFF_MAX: Span = Span::hours(1);
/// Items of one `for_each` over reads and records.
pub const ITEMS_MAX: usize = 10_000;
/// Items of one `for_each` over effects above `record`.
pub const EFFECT_ITEMS_MAX: usize = 1_000;
/// Items in work at once unless `max_parallel` says otherwise.
pub const PARALLEL_DEFAULT: usize = 5;

/// Rounds of one `repeat`, whatever the playbook says.
pub const ROUNDS_MAX: u32 = 1_000;
/// Shortest time between two rounds.
pub const EVERY_MIN: Span = Span::seconds(1);

/// The argument under which the engine records how long an effect lasts, so that whoever approves
/// it, and whoever reads the record, sees it among the parameters. No action has an input of
/// this name.
pub const END_ARGUMENT: &str = "for";

/// How long people have to reply when the author does not say.
pub const APPROVAL_WITHIN_DEFAULT: Span = Span::minutes(30);

/// Fewest and most answers that a question offers.
pub const CHOICES_MIN: usize = 2;
/// See [`CHOICES_MIN`].
pub const CHOICES_MAX: usize = 10;
/// Longest answer that a question offers, in characters.
pub const CHOICE_CHARACTERS_MAX: usize = 40;

/// A compiled playbook. Identity is [`Plan::revision`]; a run pins it for ever.
#[derive(Debug)]
pub struct Plan {
    /// The file stem.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// For humans; identity is the revision.
    pub version: i64,
    /// For 3 a.m.
    pub description: String,
    /// The role that reviews changes of `may` and `limits`.
    pub owner: String,
    /// Free tags.
    pub tags: Vec<String>,
    /// SHA-256 over the canonical JSON of the parsed playbook, lower-case hexadecimal.
    pub revision: String,
    /// The text it was compiled from.
    pub source: Arc<str>,
    /// When it starts.
    pub trigger: Trigger,
    /// How many of its runs there are at once.
    pub concurrency: Option<Concurrency>,
    /// Ceilings of a whole run.
    pub limits: Limits,
    /// Effect classes beyond `record` that may occur.
    pub may: BTreeSet<EffectClass>,
    /// Typed inputs of a start.
    pub inputs: IndexMap<String, Input>,
    /// Named values in an order in which each comes after what it reads.
    pub lets: IndexMap<String, Let>,
    /// All steps: `steps`, then `on_failure`, then `finally`, each in file order.
    pub steps: IndexMap<String, Step>,
    /// Who waits for whom among `steps` and lets. Acyclic. Node weights name them.
    pub graph: DiGraph<Node, Edge>,
    /// Typed result.
    pub outputs: IndexMap<String, Expression>,
    /// Mail templates its steps name, by `mail/<name>.<language>`; part of the revision.
    pub templates: IndexMap<String, MailTemplate>,
}

/// A mail template file: `templates/mail/<name>.<lang>.hbs`.
#[derive(Debug)]
pub struct MailTemplate {
    /// Its parameters and their types; passed under `params:` of the step.
    pub params: IndexMap<String, Type>,
    /// At most 90 characters when rendered, without controls.
    pub subject: Template,
    /// The text. Reads `incident entity org run` and its parameters by bare name, never `steps`.
    pub text: Template,
    /// The marking of the text; the stricter of it and the incident's goes out.
    pub tlp: Option<Tlp>,
}

/// A node of the order graph.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// A step by id.
    Step(String),
    /// A let by name.
    Let(String),
}

/// Why one waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edge {
    /// Reads its value; absence skips the reader.
    Needs,
    /// Reads its value inside `has` or `default`, or only its status or counts; waits until it is
    /// settled in any way.
    Guarded,
    /// Pure order from `after:`.
    After,
}

/// When runs start.
#[derive(Debug)]
pub struct Trigger {
    /// Types of incident; empty means none start it by themselves.
    pub incident: Vec<IncidentType>,
    /// Precondition, over `incident`, `entity`, `org`. Also of a manual start.
    pub when: Option<Expression>,
    /// Later equal incidents attach to the run instead of starting another.
    pub once_per: Option<OncePer>,
    /// When it starts by the clock, once for each entity that has it turned on.
    pub schedule: Option<Schedule>,
    /// Whether people may start it.
    pub manual: bool,
}

/// `concurrency`: how many runs of one key there are at once, in one entity.
#[derive(Debug)]
pub struct Concurrency {
    /// What must not be worked on by too many at once.
    pub key: Argument,
    /// How many.
    pub limit: u32,
    /// What becomes of one more.
    pub when_busy: WhenBusy,
}

/// The largest `concurrency.limit`. More at once is what the limits of the whole process are for.
pub const RUNS_AT_ONCE_MAX: u32 = 100;

/// What becomes of a start when as many runs of its key are open as there may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum WhenBusy {
    /// It is a run that waits for its turn.
    #[default]
    Queue,
    /// The incident joins the oldest open run of the key.
    Attach,
    /// There is no run; the match ledger says why.
    Drop,
}

impl WhenBusy {
    /// Every word.
    pub const ALL: [Self; 3] = [Self::Queue, Self::Attach, Self::Drop];

    /// The spelling in playbooks.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Attach => "attach",
            Self::Drop => "drop",
        }
    }
}

impl std::str::FromStr for WhenBusy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|word| word.word() == text)
            .ok_or_else(|| "it may be queue, attach or drop".to_owned())
    }
}

/// `trigger.once_per`.
#[derive(Debug)]
pub struct OncePer {
    /// What "equal" means.
    pub key: Argument,
    /// For how long.
    pub within: Span,
}

/// Ceilings of a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The strictest TLP accepted.
    pub tlp: Tlp,
    /// The strictest PAP accepted.
    pub pap: Pap,
    /// How long a run may take.
    pub time: Span,
    /// How many effects above `record` it may have.
    pub effects: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tlp: Tlp::Amber,
            pap: Pap::Amber,
            time: Span::hours(24),
            effects: 200,
        }
    }
}

/// One input.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its type.
    pub ty: Type,
    /// Value when none is given; without one it must be given.
    pub default: Option<Value>,
    /// Smallest value (int, double, duration).
    pub min: Option<Value>,
    /// Largest value.
    pub max: Option<Value>,
    /// The only values.
    pub choices: Vec<Value>,
    /// For people.
    pub description: Option<String>,
    /// Label in a start form.
    pub ask: Option<String>,
}

/// A named, typed, pure value.
#[derive(Debug)]
pub struct Let {
    /// Its expression.
    pub expression: Expression,
}

/// Where a step stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// `steps`.
    Steps,
    /// `on_failure`: when the run is failing.
    OnFailure,
    /// `finally`: always.
    Finally,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Its id.
    pub id: String,
    /// What timeline and report say.
    pub name: Template,
    /// Where it stands.
    pub section: Section,
    /// The contract of the action it uses.
    pub action: Arc<ActionSpec>,
    /// The connection it names.
    pub using: Option<String>,
    /// Parameters by name.
    pub with: IndexMap<String, Argument>,
    /// Whether it runs.
    pub condition: Option<Expression>,
    /// One node, many items.
    pub for_each: Option<ForEach>,
    /// Steps and lets it waits for, and why; the incoming edges of its node. For `on_failure` and
    /// `finally` steps only those of the same section, since the earlier section is over by then.
    pub waits_for: BTreeMap<Node, Edge>,
    /// Of one attempt.
    pub timeout: Span,
    /// Trying again.
    pub retry: Retry,
    /// What a failure of it means for the run.
    pub on_failure: OnFailure,
    /// Whether a refusal by guardrail or marking lets the run go on (effects only; a refused read
    /// counts as failed).
    pub if_refused_continue: bool,
    /// What the author wants asked before the effect. Class and policy may ask without it.
    pub approval: Option<Approval>,
    /// Doing it again and again.
    pub repeat: Option<Repeat>,
    /// How what it did ends, and what takes it back.
    pub undo: Undo,
}

/// `repeat` of a step. Each round is a call; of an effect with a key of its own.
#[derive(Debug)]
pub struct Repeat {
    /// From the beginning of one round to the next, a duration.
    pub every: Argument,
    /// It is done when this holds; `result` is what the last round gave. Watched: nothing waits for
    /// what it reads.
    pub until: Option<Expression>,
    /// Rounds, an int.
    pub times: Option<Argument>,
    /// From the beginning of the step, a duration.
    pub at_most: Option<Argument>,
    /// The first round comes after one `every`.
    pub wait_first: bool,
}

/// `undo` of a step.
#[derive(Debug, Default)]
pub struct Undo {
    /// It ends by itself after this, a duration.
    pub after: Option<Argument>,
    /// It is taken back when this holds while the run goes on. Watched: nothing waits for it.
    pub when: Option<Expression>,
    /// What takes it back.
    pub inverse: Inverse,
}

/// What takes an effect back.
#[derive(Debug, Default)]
pub enum Inverse {
    /// The action that its action declares.
    #[default]
    Declared,
    /// Another action. Its parameters are resolved when it is needed, so they may read what the
    /// step itself gave.
    Named {
        /// The action.
        action: Arc<ActionSpec>,
        /// Its parameters by name.
        with: IndexMap<String, Argument>,
    },
    /// Nothing, for the reason that the author gives.
    RuledOut(String),
}

/// `for_each`.
#[derive(Debug)]
pub struct ForEach {
    /// Loop variable.
    pub variable: String,
    /// The list.
    pub list: Expression,
    /// Items in work at once.
    pub max_parallel: usize,
}

/// `approval` of a step.
#[derive(Debug)]
pub enum Approval {
    /// Decided together with this step, which asks.
    SameAs(String),
    /// A question of its own.
    Ask(Box<Ask>),
}

/// What people are asked before an effect.
#[derive(Debug)]
pub struct Ask {
    /// Roles of the organisation, `entity.<name>` or `<entity>/<role>`; empty means the defaults.
    pub who: Vec<String>,
    /// Distinct persons that are needed, an int; the class decides when it is left out.
    pub count: Option<Argument>,
    /// The question, one sentence; made from the action when it is left out.
    pub ask: Option<Argument>,
    /// What is shown beside the parameters, by label.
    pub show: IndexMap<String, Argument>,
    /// How long people have.
    pub within: Span,
    /// A word of [`OnTimeout::WORDS`]; `escalate` when it is left out or another word.
    pub on_timeout: Option<Argument>,
}

/// What silence means. It never approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnTimeout {
    /// The step is skipped.
    Skip,
    /// The step fails.
    Fail,
    /// More people are asked.
    Escalate,
}

impl OnTimeout {
    /// The words of files.
    pub const WORDS: &'static [&'static str] = &["skip", "fail", "escalate"];

    /// The meaning of a word; what is not known never means less than asking more people.
    pub fn of(word: &str) -> Self {
        match word {
            "skip" => Self::Skip,
            "fail" => Self::Fail,
            _ => Self::Escalate,
        }
    }
}

/// `retry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// Shortest and longest wait.
    pub backoff: (Span, Span),
    /// Which failures are tried again.
    pub errors: BTreeSet<ErrorKind>,
}

/// `on_failure` of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// The run is failing; nothing new starts but `on_failure` and `finally`.
    Stop,
    /// The run goes on; the failure is counted as handled.
    Continue,
    /// Like `Stop`, and the effects that the run had are taken back, newest first.
    Undo,
}
