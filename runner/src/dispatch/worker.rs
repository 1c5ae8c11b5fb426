//! The one task that works on one run.
//!
//! Owns the loop: message -> decide -> commit -> perform. Ends when the run is over or only waits
//! for a time or a person; the next message makes a new one. A worker that fails puts the run down
//! and sets its alarm clock, so that the run is taken up again by itself.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use engine::{Command, Run, Work};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use playbooks::operator::{Entity, Operator};
use state::event::Started;
use state::ids::{Path, RunId};
use state::store::StoreError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::perform::{Answer, Finding, call};
use super::{Dispatcher, Message, register};
use crate::library::Compiled;

mod keep;
mod letters;
mod load;
mod lost;
mod people;
mod turn;

use keep::Order;

/// Times a worker that may stay loaded before it lets go of a run that only waits.
const NEAR: Duration = Duration::from_secs(2);
/// The shortest a worker sleeps before a time that has come.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);
/// The longest a worker sleeps with effects under way before it looks again.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// Works on one run.
pub(super) struct Worker {
    dispatcher: Dispatcher,
    run: RunId,
    messages: mpsc::Receiver<Message>,
}

/// A run in memory, with what it needs.
pub(super) struct Loaded {
    pub(super) started: Started,
    pub(super) compiled: Arc<Compiled>,
    pub(super) run: Run,
    pub(super) operator: Arc<Operator>,
    pub(super) entity: Arc<Entity>,
    facts: Arc<serde_json::Value>,
    may_block: bool,
}

impl Loaded {
    /// The time from which a far end is searched for what a path did.
    fn begun_at(&self, path: &Path) -> Option<Timestamp> {
        self.run.begun_at(&self.compiled.plan, path)
    }
}

/// Why a worker gives up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The store.
    #[error(transparent)]
    Store(StoreError),
    /// The run cannot be worked on as things are.
    #[error("{0}")]
    Run(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Worker {
    pub(super) fn new(dispatcher: Dispatcher, run: RunId, messages: mpsc::Receiver<Message>) -> Self {
        Self {
            dispatcher,
            run,
            messages,
        }
    }

    pub(super) async fn run(mut self, first: Message) {
        let dispatcher = self.dispatcher.clone();
        let worked = AssertUnwindSafe(self.in_turn(first)).catch_unwind().await;
        let worked = worked.unwrap_or_else(|_| {
            Err(Trouble::Run(
                "working on it panicked; please report this with the log".to_owned(),
            ))
        });
        match worked {
            Ok(()) => dispatcher.inner.setbacks.forget(&self.run),
            Err(Trouble::Store(error @ StoreError::Stopped { .. })) => {
                self.leave();
                dispatcher.break_down(&error);
            }
            Err(trouble) => {
                self.leave();
                dispatcher.put_down(&self.run, &trouble);
            }
        }
    }

    /// Takes this worker off the list. Every worker does it exactly once, before it ends: a second
    /// time could strike out the worker that came after it.
    fn leave(&self) {
        self.dispatcher
            .inner
            .workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.run);
    }

    /// Waits for a place among the active runs, of its entity and of all, and works.
    async fn in_turn(&mut self, first: Message) -> Result<(), Trouble> {
        let inner = Arc::clone(&self.dispatcher.inner);
        let entity = inner.store.entity_of(&self.run).await?;
        let entity = entity.ok_or_else(|| Trouble::Run("it is not in the store".to_owned()))?;
        // A run that waits holds no memory, and one that waits for a place of its entity nothing
        // that others wait for. The places are never closed.
        let _place = inner.places.of(&entity).acquire_owned().await;
        let _slot = inner.slots.of(entity.as_str()).await;
        if self.dispatcher.is_draining() {
            self.leave();
            return Ok(());
        }
        let loaded = self.load().await?;
        self.work(loaded, first).await
    }

    async fn work(&mut self, mut loaded: Loaded, first: Message) -> Result<(), Trouble> {
        let mut answers: JoinSet<Answer> = JoinSet::new();
        let mut under_way: BTreeSet<(Path, bool)> = BTreeSet::new();
        let mut letters = letters::UnderWay::default();
        // Nobody is at work on what this worker did not begin: what is intended was lost, by a
        // process that ended or by a worker that failed, and must not be begun as if it were new.
        // It also decides everything that follows, so a run that shall go on has gone on.
        let recovery = self.recovery(&loaded).await;
        self.step(&mut loaded, recovery).await?;
        self.keep_turn(&loaded);
        let mut next = (!matches!(first, Message::Go)).then_some(first);
        let mut woken_for = None;
        loop {
            if let Some(message) = next.take() {
                self.heed(&mut loaded, message).await?;
            }
            self.take_turn(&mut loaded).await?;
            if loaded.run.status().is_over() {
                letters.let_fly();
                self.leave();
                self.dispatcher.pass_turn(&loaded.started);
                return Ok(());
            }
            self.begin(&loaded, &mut answers, &mut under_way);
            self.begin_letters(&loaded, &mut letters);
            let wake_at = engine::wake_at(&loaded.compiled.plan, &loaded.run);
            if under_way.is_empty() && letters.is_empty() && self.let_go(wake_at) {
                return Ok(());
            }
            let sleep = match wake_at {
                // A worker that comes to rest only waits for what it has sent.
                Some(at) if !self.dispatcher.is_draining() => {
                    let now = self.dispatcher.now();
                    // A time that has come and was decided on stays until its answer is there.
                    let shortest = if at <= now && woken_for == Some(at) {
                        NEAR
                    } else {
                        SHORTEST_SLEEP
                    };
                    woken_for = (at <= now).then_some(at);
                    crate::clock::until(now, at).max(shortest)
                }
                _ => LONGEST_SLEEP,
            };
            tokio::select! {
                biased;
                Some(answer) = answers.join_next(), if !answers.is_empty() => {
                    let mut arrived = vec![answer];
                    while let Some(answer) = answers.try_join_next() {
                        arrived.push(answer);
                    }
                    let arrived: Result<Vec<_>, _> = arrived.into_iter().collect();
                    let arrived = arrived.map_err(|error| Trouble::Run(format!("a task was lost: {error}")))?;
                    self.take(&mut loaded, arrived, &mut under_way).await?;
                }
                Some(told) = letters.next(), if !letters.is_empty() => {
                    self.step(&mut loaded, told).await?;
                }
                Some(message) = self.messages.recv() => next = Some(message),
                () = tokio::time::sleep(sleep) => next = Some(Message::Wake),
            }
        }
    }

    /// Does what a message asks for.
    async fn heed(&mut self, loaded: &mut Loaded, message: Message) -> Result<(), Trouble> {
        let command = match message {
            Message::Go => Command::Advance,
            Message::Wake => Command::Wake,
            Message::Decide { decision, heard } => {
                let answer = self.decided(loaded, decision).await?;
                // Whoever asked may have gone; the decision is recorded all the same.
                let _ = heard.send(answer);
                return Ok(());
            }
        };
        self.step(loaded, command).await?;
        Ok(())
    }

    /// Lets the run go if nothing is to be done for it now. Under the lock of the workers, so that
    /// no message is lost between the last look and leaving.
    fn let_go(&mut self, wake_at: Option<Timestamp>) -> bool {
        let now = self.dispatcher.now();
        let near = wake_at.is_some_and(|at| crate::clock::until(now, at) < NEAR);
        if near && !self.dispatcher.is_draining() {
            return false;
        }
        let mut workers = self
            .dispatcher
            .inner
            .workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !self.messages.is_empty() {
            return false;
        }
        // This is the worker's `leave`, under the same lock as its last look.
        workers.remove(&self.run);
        drop(workers);
        if let Some(at) = wake_at {
            self.dispatcher.inner.timers.set(at, self.run.clone());
        }
        true
    }

    /// Sends what is intended and not yet under way.
    fn begin(&self, loaded: &Loaded, answers: &mut JoinSet<Answer>, under_way: &mut BTreeSet<(Path, bool)>) {
        // What was intended before the process began to come to rest is still sent: recorded and
        // not sent, it would look like a lost effect. A broken store could not take the outcome.
        if self.dispatcher.inner.broken.is_cancelled() {
            return;
        }
        let now = self.dispatcher.now();
        for work in engine::effects(&loaded.run, now) {
            let (intended, probe, at) = match work {
                Work::Perform(intended) => (intended, false, now),
                // Asking may also wait for the next start.
                Work::Probe(_) if self.dispatcher.is_draining() => continue,
                Work::Probe(intended) => {
                    let at = loaded.begun_at(&intended.path).unwrap_or(now);
                    (intended, true, at)
                }
            };
            if under_way.insert((intended.path.clone(), probe)) {
                let call = call(
                    &loaded.started,
                    &intended,
                    at,
                    &loaded.entity,
                    &loaded.operator,
                    &loaded.facts,
                );
                let dispatcher = self.dispatcher.clone();
                let undone = loaded.run.undone_by(&loaded.compiled.plan, &intended.path);
                let started = Arc::clone(loaded.run.started());
                answers.spawn(async move {
                    match undone {
                        Some(key) => {
                            dispatcher
                                .take_back_here(&started, call, intended, &key, probe)
                                .await
                        }
                        None => dispatcher.carry_out(call, intended, probe).await,
                    }
                });
            }
        }
    }

    /// Takes the answers that have arrived: decides on them and commits them with what they change.
    async fn take(
        &mut self,
        loaded: &mut Loaded,
        answers: Vec<Answer>,
        under_way: &mut BTreeSet<(Path, bool)>,
    ) -> Result<(), Trouble> {
        let now = self.dispatcher.now();
        let mut orders = Vec::with_capacity(answers.len());
        let mut done = Vec::with_capacity(answers.len());
        for answer in answers {
            let Answer {
                intended,
                finding,
                duration_ms,
            } = answer;
            let (path, attempt) = (intended.path.clone(), intended.attempt);
            done.push((path.clone(), matches!(finding, Finding::Probed { .. })));
            let (command, changes, left) = match finding {
                Finding::Finished { outcome, changes } => {
                    let left = register::as_done(&intended, &outcome);
                    let finished = Command::Finished {
                        path,
                        attempt,
                        outcome,
                        duration_ms,
                    };
                    (finished, changes, left)
                }
                Finding::Probed { answer, changes } => {
                    let left = register::as_found(&intended, &answer);
                    let probed = Command::Probed {
                        path,
                        attempt,
                        answer,
                    };
                    (probed, changes, left)
                }
            };
            let undone = loaded.run.undone_by(&loaded.compiled.plan, &intended.path);
            let (updates, mut measures) = self
                .dispatcher
                .house_changes(&loaded.started, &intended, undone.as_ref(), changes, now)
                .await;
            self.dispatcher
                .also_register(loaded, &intended, left, &mut measures)
                .await;
            orders.push(Order {
                command,
                updates,
                measures,
            });
        }
        self.steps(loaded, orders).await?;
        for one in done {
            under_way.remove(&one);
        }
        Ok(())
    }
}
