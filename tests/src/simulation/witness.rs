//! The oracle: sees every durable write and every call, and says what must never be.
//!
//! Owns the invariants that hold after every step. It knows the stored formats and the text of the
//! playbooks, and shares nothing else with what it watches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actions::action::Call;
use jiff::Timestamp;
use playbooks::action_spec::ActionSpec;
use state::event::{Event, InquiryEnd};
use state::ids::{EffectKey, IncidentId, Path, RunId};
use state::store::{Accepted, MatchResult, MatchVerdict, Measure, MeasureChange};

use super::disk::{Done, Op};
use super::sheet::Sheet;

mod inquiries;
mod places;
mod run;

pub use inquiries::AskedSeen;
pub use places::{PlaceSeen, Stand};
pub use run::RunSeen;

/// What the oracle knows beforehand.
#[derive(Debug, Default)]
pub struct Known {
    /// The playbooks by revision, as their texts say.
    pub sheets: BTreeMap<String, Arc<Sheet>>,
    /// The contracts by capability.
    pub contracts: BTreeMap<String, Arc<ActionSpec>>,
    /// Effects that one run may have.
    pub effects_per_run: u32,
    /// Whether everything that is seen is written down.
    pub trace: bool,
}

#[derive(Debug, Default)]
struct Seen {
    runs: BTreeMap<RunId, RunSeen>,
    incidents: BTreeSet<IncidentId>,
    decided: BTreeSet<IncidentId>,
    measures: BTreeMap<EffectKey, (Measure, bool)>,
    transitions: BTreeMap<&'static str, u64>,
    broken: Vec<String>,
    trace: Vec<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Witness {
    known: Known,
    seen: Mutex<Seen>,
}

impl Witness {
    /// A witness who has seen nothing.
    pub fn new(known: Known) -> Self {
        Self {
            known,
            seen: Mutex::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something that must not be.
    pub fn broken(&self, what: String) {
        self.seen().broken.push(what);
    }

    /// Writes a line down, when it is asked for.
    pub fn say(&self, line: impl FnOnce() -> String) {
        if self.known.trace {
            self.seen().trace.push(line());
        }
    }

    /// Everything that was written down.
    pub fn trace(&self) -> Vec<String> {
        self.seen().trace.clone()
    }

    /// What must not be, so far.
    pub fn violations(&self) -> Vec<String> {
        self.seen().broken.clone()
    }

    /// Events seen, by kind.
    pub fn transitions(&self) -> BTreeMap<&'static str, u64> {
        self.seen().transitions.clone()
    }

    /// A write that became durable, and what came of it.
    pub fn durable(&self, op: &Op, done: &Done) {
        self.say(|| told(op));
        let mut seen = self.seen();
        let seen = &mut *seen;
        match (op, done) {
            (_, Done::Accepted(Accepted::New(id))) if !seen.incidents.insert(id.clone()) => {
                seen.broken.push(format!("I1: {id} was given twice"));
            }
            (Op::Decide(incident, decisions, at), Done::Decided(rows)) => {
                seen.decided.insert(incident.clone());
                for (decision, row) in decisions.iter().zip(rows) {
                    if let (MatchVerdict::Start(new), MatchResult::Started { run }) =
                        (&decision.verdict, &row.result)
                        && !seen.runs.contains_key(run)
                    {
                        let run_seen = RunSeen::new(&new.started, *at, &self.known);
                        seen.runs.insert(run.clone(), run_seen);
                    }
                }
            }
            (Op::Start(new, at), Done::Run(run)) => {
                seen.runs
                    .entry(run.clone())
                    .or_insert_with(|| RunSeen::new(&new.started, *at, &self.known));
            }
            (Op::Commit(commit), _) => {
                for change in &commit.measures {
                    measure(seen, change);
                }
                let Some(run) = seen.runs.get_mut(&commit.run) else {
                    seen.broken.push(format!(
                        "I3: events of a run that was never started: {}",
                        commit.run
                    ));
                    return;
                };
                for (at, event) in &commit.events {
                    *seen.transitions.entry(word(event)).or_default() += 1;
                    if let Err(why) = run.take(*at, event, &self.known) {
                        seen.broken.push(format!("{why} (run {})", commit.run.short()));
                    }
                }
                if run.is_over() != commit.row.status.is_over() {
                    seen.broken.push(format!(
                        "I5: the row of {} says {:?}, its events another thing",
                        commit.run, commit.row.status
                    ));
                }
            }
            (Op::Measure(change, _), _) => measure(seen, change),
            _ => {}
        }
    }

    /// The host calls a far end. Gives what is wrong with that.
    pub fn called(&self, call: &Call) -> Option<String> {
        self.say(|| {
            format!(
                "{} calls {} attempt {} key {} of {}",
                call.now,
                call.action,
                call.attempt,
                call.key.get(..12).unwrap_or_default(),
                call.run
            )
        });
        let seen = self.seen();
        let run = seen
            .runs
            .iter()
            .find(|(id, _)| id.as_str() == call.run)
            .map(|(_, run)| run);
        let why = match run {
            None => Some("of a run that is not durable".to_owned()),
            Some(run) => run.may_call(&call.key, call.attempt, &call.action, &call.arguments),
        };
        why.map(|why| format!("I3: {} is called {why} (run {})", call.action, call.run))
    }

    /// Every run, as it stands.
    pub fn runs(&self) -> BTreeMap<RunId, RunSeen> {
        self.seen().runs.clone()
    }

    /// Looks at every run, without copying them.
    pub fn each_run<T>(&self, look: impl FnMut((&RunId, &RunSeen)) -> Option<T>) -> Vec<T> {
        self.seen().runs.iter().filter_map(look).collect()
    }

    /// Whether an incident is there and decided.
    pub fn is_decided(&self, incident: &IncidentId) -> bool {
        self.seen().decided.contains(incident)
    }

    /// Whether every incident is decided.
    pub fn all_decided(&self) -> bool {
        let seen = self.seen();
        seen.incidents == seen.decided
    }

    /// Whether an incident is there.
    pub fn has(&self, incident: &IncidentId) -> bool {
        self.seen().incidents.contains(incident)
    }

    /// Incidents that are there.
    pub fn incidents(&self) -> usize {
        self.seen().incidents.len()
    }

    /// The register, and whether each measure was lifted.
    pub fn measures(&self) -> Vec<(Measure, bool)> {
        self.seen().measures.values().cloned().collect()
    }

    /// Open inquiries: run, number, what was asked.
    pub fn open_inquiries(&self) -> Vec<(RunId, u32, AskedSeen)> {
        let open = self.each_run(|(id, run)| {
            let asked = run.inquiries.iter().filter(|(_, asked)| asked.end.is_none());
            let asked: Vec<_> = asked
                .map(|(number, asked)| (id.clone(), *number, asked.clone()))
                .collect();
            Some(asked)
        });
        open.into_iter().flatten().collect()
    }

    /// Places that wait for a person to say what became of them, and since when.
    pub fn unknown(&self) -> Vec<(RunId, Path, String, Timestamp)> {
        let found = self.each_run(|(id, run)| {
            let unknown = run.places.values().filter_map(|place| match place.stand {
                Stand::Unknown { since } => {
                    let intended = place.intended.as_ref()?;
                    Some((
                        id.clone(),
                        intended.path.clone(),
                        intended.key.as_str().to_owned(),
                        since,
                    ))
                }
                _ => None,
            });
            Some(unknown.collect::<Vec<_>>())
        });
        found.into_iter().flatten().collect()
    }
}

/// A write, in lines.
fn told(op: &Op) -> String {
    match op {
        Op::Commit(commit) => {
            let events = commit.events.iter().map(|(at, event)| {
                let text = serde_json::to_string(event).unwrap_or_default();
                let text: String = text.chars().take(400).collect();
                format!("{at} {} {text}", commit.run)
            });
            events.collect::<Vec<_>>().join("\n")
        }
        other => format!("{other:?}").chars().take(120).collect(),
    }
}

/// I12: every measure has an end, and ends once.
fn measure(seen: &mut Seen, change: &MeasureChange) {
    match change {
        MeasureChange::Put(measure) => {
            // It may become known after its end, and is then taken back at once; but it has the end
            // that was intended.
            let intended = seen
                .runs
                .get(&measure.run)
                .and_then(|run| run.end_of(&measure.key));
            if intended.is_some_and(|until| until != Some(measure.until)) {
                seen.broken.push(format!(
                    "I12: the block of {} ends at {}, which was not intended",
                    measure.target, measure.until
                ));
            }
            seen.measures
                .entry(measure.key.clone())
                .or_insert_with(|| (Measure::clone(measure), false));
        }
        MeasureChange::Lifted { key, .. } => match seen.measures.get_mut(key) {
            Some((_, lifted)) => *lifted = true,
            None => seen.broken.push(format!(
                "I12: a measure is lifted that was never put: {}",
                key.as_str()
            )),
        },
    }
}

/// The name of an event, for coverage.
fn word(event: &Event) -> &'static str {
    match event {
        Event::LetSettled { .. } => "let settled",
        Event::Expanded { .. } => "expanded",
        Event::Skipped { .. } => "skipped",
        Event::Refused { .. } => "refused",
        Event::Intended(_) => "intended",
        Event::Finished { .. } => "finished",
        Event::Lost { .. } => "lost",
        Event::Probed { .. } => "probed",
        Event::OutcomeUnknown { .. } => "outcome unknown",
        Event::RetryScheduled { .. } => "retry scheduled",
        Event::Asked(_) => "asked",
        Event::Replied(_) => "replied",
        Event::Escalated { .. } => "escalated",
        Event::InquiryClosed { end, .. } => match end {
            InquiryEnd::Approved => "approved",
            InquiryEnd::Refused => "approval refused",
            InquiryEnd::Expired => "approval expired",
            InquiryEnd::Voided => "approval voided",
            InquiryEnd::Withdrawn => "approval withdrawn",
            InquiryEnd::Chosen => "chosen",
        },
        Event::Failing { .. } => "failing",
        Event::CancelRequested { .. } => "cancel requested",
        Event::Settled { .. } => "settled by a person",
        Event::Acknowledged { .. } => "acknowledged",
        Event::Retried { .. } => "retried",
        Event::UndoRequested { .. } => "undo requested",
        Event::Closed { .. } => "closed",
        // The rest is not looked for by name; a new event need not be told here.
        _ => "another event",
    }
}
