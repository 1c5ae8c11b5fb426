//! A world that does as it is told and remembers what was done to it.
//!
//! Owns the ledger: the only witness of how often an effect really happened.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use playbooks::action_spec::{Catalog, ErrorKind, Recovery};
use playbooks::marking::EffectClass;
use serde_json::Value;
use state::event::{Intended, Outcome, ProbeAnswer};
use state::ids::EffectKey;

use super::World;

/// How the world answers one call.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done, with these outputs; a record lies over the example of the action.
    Done(Value),
    /// Not done.
    Fails {
        /// Why.
        kind: ErrorKind,
        /// Whether the host can be certain that nothing happened.
        not_sent: bool,
    },
    /// Done, but the answer is lost.
    DoneAnswerLost,
}

/// What really happened.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Calls in order: step path, action, arguments.
    pub calls: Vec<(String, String, Value)>,
    /// How often each effect was applied; reads are not in it.
    pub applied: IndexMap<EffectKey, Applied>,
}

/// An effect that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The step or item.
    pub path: String,
    /// The capability.
    pub action: String,
    /// Whether the host may repeat it without asking.
    pub recovery: Recovery,
    /// How often.
    pub times: u32,
}

impl Ledger {
    /// Actions of all effects that happened, one for each effect.
    pub fn effects(&self) -> Vec<&str> {
        self.applied
            .values()
            .map(|applied| applied.action.as_str())
            .collect()
    }
    /// The most often that one effect was applied.
    pub fn most_often(&self) -> u32 {
        self.applied
            .values()
            .map(|applied| applied.times)
            .max()
            .unwrap_or(0)
    }
}

/// Answers by step, call after call; the last reply repeats. What has no script succeeds with the
/// example of its action.
pub struct ScriptedWorld<'a> {
    catalog: &'a dyn Catalog,
    scripts: BTreeMap<String, Vec<Reply>>,
    /// What really happened.
    pub ledger: Ledger,
}

impl std::fmt::Debug for ScriptedWorld<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptedWorld")
            .field("scripts", &self.scripts)
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

impl<'a> ScriptedWorld<'a> {
    /// A world in which everything succeeds.
    pub fn new(catalog: &'a dyn Catalog) -> Self {
        Self {
            catalog,
            scripts: BTreeMap::new(),
            ledger: Ledger::default(),
        }
    }

    /// How it answers at a path: a step (`links`), or an item of one (`links[2]`), which goes first.
    #[must_use]
    pub fn script(mut self, path: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies: Vec<_> = replies.into_iter().collect();
        replies.reverse();
        self.scripts.insert(path.to_owned(), replies);
        self
    }

    /// From now on everything succeeds.
    pub fn heal(&mut self) {
        self.scripts.clear();
    }

    fn next_reply(&mut self, intended: &Intended) -> Reply {
        let path = intended.path.to_string();
        let name = if self.scripts.contains_key(&path) {
            path
        } else {
            intended.path.step.to_string()
        };
        match self.scripts.get_mut(&name) {
            Some(replies) if replies.len() > 1 => replies.pop(),
            Some(replies) => replies.last().cloned(),
            None => None,
        }
        .unwrap_or(Reply::Done(Value::Object(serde_json::Map::new())))
    }

    fn output(&self, action: &str, over: Option<&Value>) -> Value {
        let mut output = self
            .catalog
            .action(action)
            .map(|spec| spec.example.1.clone())
            .unwrap_or_default();
        if let (Some(output), Some(over)) = (output.as_object_mut(), over.and_then(Value::as_object)) {
            output.extend(over.clone());
        }
        output
    }

    fn apply(&mut self, intended: &Intended) {
        if intended.effect > EffectClass::Read {
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
    }
}

impl World for ScriptedWorld<'_> {
    fn perform(&mut self, intended: &Intended) -> Outcome {
        self.ledger.calls.push((
            intended.path.to_string(),
            intended.action.clone(),
            intended.arguments.clone(),
        ));
        match self.next_reply(intended) {
            Reply::Done(over) => {
                self.apply(intended);
                Outcome::Succeeded {
                    output: self.output(&intended.action, Some(&over)),
                    reference: None,
                }
            }
            Reply::DoneAnswerLost => {
                self.apply(intended);
                Outcome::Failed {
                    kind: ErrorKind::Timeout,
                    detail: "no answer in time".to_owned(),
                    not_sent: false,
                    retry_after: None,
                }
            }
            Reply::Fails { kind, not_sent } => Outcome::Failed {
                kind,
                detail: format!("scripted failure ({})", kind.word()),
                not_sent,
                retry_after: None,
            },
        }
    }

    fn probe(&mut self, intended: &Intended) -> ProbeAnswer {
        if self.ledger.applied.contains_key(&intended.key) {
            ProbeAnswer::Done {
                output: self.output(&intended.action, None),
            }
        } else {
            ProbeAnswer::NotDone
        }
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}
