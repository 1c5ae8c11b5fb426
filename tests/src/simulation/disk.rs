//! What outlives a process of a simulation: the writes that were synced, in order.
//!
//! Owns what a crash leaves of the rest. What readers see is the plain store in memory, made again
//! from these writes at every start.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;
use state::event::{PlaybookRef, Seq};
use state::ids::{IncidentId, RunId};
use state::memory::MemoryStore;
use state::store::{
    Accepted, Commit, IncidentUpdate, MatchDecision, MatchRow, MatchVerdict, MeasureChange, NewIncident,
    NewRun, Note, Store, StoreError,
};

use super::random::Random;
use super::witness::Witness;

/// One write.
#[derive(Debug, Clone)]
pub enum Op {
    /// An incident.
    Accept(Box<NewIncident>),
    /// The match ledger of an incident.
    Decide(IncidentId, Vec<MatchDecision>, Timestamp),
    /// A run.
    Start(Box<NewRun>, Timestamp),
    /// Events of a run.
    Commit(Box<Commit>),
    /// A change of an incident.
    Update(Box<IncidentUpdate>, Timestamp),
    /// A change of the register.
    Measure(Box<MeasureChange>, Timestamp),
    /// A record outside any run.
    Note(Box<Note>, Timestamp),
    /// A revision.
    Plan(PlaybookRef, String),
    /// A file.
    File(Vec<u8>),
}

/// What came of a write.
#[derive(Debug, Clone)]
pub enum Done {
    /// Of an incident.
    Accepted(Accepted),
    /// Of a ledger.
    Decided(Vec<MatchRow>),
    /// Of a start.
    Run(RunId),
    /// Of events: the next number.
    Head(Seq),
    /// Of a file: its hash.
    File(String),
    /// Of the others.
    Done,
}

/// What a crash leaves of what was written and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// All of it.
    Everything,
    /// Nothing of it.
    Synced,
    /// Its beginning.
    Torn,
}

/// The disk.
#[derive(Debug)]
pub struct Disk {
    state: Mutex<Held>,
    witness: Arc<Witness>,
}

#[derive(Debug)]
struct Held {
    durable: Vec<Op>,
    /// Written, and perhaps not yet synced.
    writing: Vec<Op>,
    /// Writes whose success somebody heard of.
    acknowledged: usize,
    memory: Arc<MemoryStore>,
    run_ids: Random,
}

/// The result of something that waits for nothing.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

impl Disk {
    /// An empty one. The witness sees whatever becomes durable.
    pub fn new(seed: u64, witness: Arc<Witness>) -> Self {
        Self {
            state: Mutex::new(Held {
                durable: Vec::new(),
                writing: Vec::new(),
                acknowledged: 0,
                memory: MemoryStore::open(),
                run_ids: Random::of(seed, "run ids"),
            }),
            witness,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What readers see now.
    pub fn memory(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.held().memory)
    }

    /// Writes that are durable.
    pub fn writes(&self) -> usize {
        self.held().durable.len()
    }

    /// The product draws run ids from the machine's randomness; here they come from the seed.
    pub(super) fn name_runs(&self, op: &mut Op) {
        let mut held = self.held();
        let mut name = |new: &mut NewRun, at: Timestamp| {
            let bits = (u128::from(held.run_ids.number()) << 64) | u128::from(held.run_ids.number());
            new.started.run = RunId::from_parts(u64::try_from(at.as_millisecond()).unwrap_or(0), bits);
        };
        match op {
            Op::Decide(_, decisions, at) => {
                for decision in decisions {
                    if let MatchVerdict::Start(new) = &mut decision.verdict {
                        name(new, *at);
                    }
                }
            }
            Op::Start(new, at) => name(new, *at),
            _ => {}
        }
    }

    /// Writes a group, without syncing it.
    pub(super) fn write(&self, ops: Vec<Op>) {
        self.held().writing = ops;
    }

    /// The group is synced: what came of each.
    pub(super) fn synced(&self) -> Vec<Result<Done, StoreError>> {
        let mut held = self.held();
        let group = std::mem::take(&mut held.writing);
        group.into_iter().map(|op| self.settle(&mut held, op)).collect()
    }

    fn settle(&self, held: &mut Held, op: Op) -> Result<Done, StoreError> {
        let done = apply(&held.memory, &op)?;
        self.witness.durable(&op, &done);
        held.durable.push(op);
        Ok(done)
    }

    /// The known-bad store: readers see a write that was never synced.
    pub(super) fn pretend(&self, op: Op) -> Result<Done, StoreError> {
        let mut held = self.held();
        let done = apply(&held.memory, &op)?;
        held.writing.push(op);
        Ok(done)
    }

    /// Somebody hears of the success of so many writes.
    pub(super) fn acknowledge(&self, writes: usize) {
        self.held().acknowledged += writes;
    }

    /// The process is gone: what is left is all there is. Gives how many writes a crash took.
    ///
    /// # Errors
    /// What was acknowledged is not there, or reads differently.
    pub fn crash(&self, left: Left, random: &mut Random) -> Result<usize, String> {
        let mut held = self.held();
        let written = std::mem::take(&mut held.writing);
        let survive = match left {
            Left::Everything => written.len(),
            Left::Synced => 0,
            Left::Torn => random.place(written.len() + 1),
        };
        let lost = written.len() - survive;
        held.memory = MemoryStore::open();
        for op in &held.durable {
            apply(&held.memory, op)
                .map_err(|error| format!("I6: a synced write reads differently: {error}"))?;
        }
        for op in written.into_iter().take(survive) {
            // What the store would have refused was never part of the journal.
            let _refused = self.settle(&mut held, op);
        }
        if held.acknowledged > held.durable.len() {
            return Err(format!(
                "I1: {} writes were acknowledged, {} are there after the crash",
                held.acknowledged,
                held.durable.len()
            ));
        }
        held.acknowledged = held.durable.len();
        Ok(lost)
    }
}

fn apply(memory: &MemoryStore, op: &Op) -> Result<Done, StoreError> {
    let done = at_once(async {
        Ok(match op.clone() {
            Op::Accept(new) => Done::Accepted(memory.accept(*new).await?),
            Op::Decide(incident, decisions, at) => {
                Done::Decided(memory.decide_matches(&incident, decisions, at).await?)
            }
            Op::Start(new, at) => Done::Run(memory.start(*new, at).await?),
            Op::Commit(commit) => Done::Head(memory.commit(*commit).await?),
            Op::Update(update, at) => {
                memory.update_incident(*update, at).await?;
                Done::Done
            }
            Op::Measure(change, at) => {
                memory.change_measure(*change, at).await?;
                Done::Done
            }
            Op::Note(note, at) => {
                memory.note(*note, at).await?;
                Done::Done
            }
            Op::Plan(playbook, bundle) => {
                memory.keep_plan(&playbook, &bundle).await?;
                Done::Done
            }
            Op::File(bytes) => Done::File(memory.put_file(bytes).await?),
        })
    });
    done.unwrap_or_else(|| {
        Err(StoreError::Ambiguous {
            reason: "the store in memory waited".to_owned(),
        })
    })
}
