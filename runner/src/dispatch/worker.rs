//! The one task that works on one run.
//!
//! Owns the loop: message -> decide -> commit -> perform. Ends when the run is over or only waits
//! for a time or a person; the next message makes a new one.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use engine::{BlockCounts, Command, Run, Work};
use jiff::Timestamp;
use playbooks::compile::Bundle;
use playbooks::marking::EffectClass;
use playbooks::operator::{Entity, Operator};
use state::event::{Event, Recorded, Started};
use state::ids::{Path, RunId};
use state::store::{Commit, IncidentUpdate, MeasureChange, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::budget::Turn;
use super::perform::{Answer, Finding, call};
use super::{Dispatcher, Message};
use crate::library::{Compiled, compile_kept};

/// Waits between two tries to commit while the disk is full.
const FULL_DISK_PAUSE: Duration = Duration::from_secs(2);
/// Times a worker that may stay loaded before it lets go of a run that only waits.
const NEAR: Duration = Duration::from_secs(2);

/// Works on one run.
pub(super) struct Worker {
    dispatcher: Dispatcher,
    run: RunId,
    messages: mpsc::Receiver<Message>,
}

/// A run in memory, with what it needs.
struct Loaded {
    started: Started,
    compiled: Arc<Compiled>,
    run: Run,
    operator: Arc<Operator>,
    entity: Arc<Entity>,
    facts: Arc<serde_json::Value>,
    may_block: bool,
}

/// Why a worker gives up.
enum Trouble {
    /// The store.
    Store(StoreError),
    /// The run cannot be worked on: a person must look.
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
        let Ok(_slot) = dispatcher.inner.slots.acquire().await else {
            return;
        };
        if self.dispatcher.is_draining() {
            return;
        }
        match self.work(first).await {
            Ok(()) => {}
            Err(Trouble::Store(error @ StoreError::Stopped { .. })) => self.dispatcher.break_down(&error),
            Err(Trouble::Store(error)) => {
                tracing::error!(run = %self.run, %error, "A run was put down; it is taken up again at the next start.");
            }
            Err(Trouble::Run(reason)) => {
                tracing::error!(run = %self.run, reason, "A run cannot be worked on; it stays open until the cause is repaired and the process started again.");
            }
        }
        self.dispatcher
            .inner
            .workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.run);
    }

    async fn work(&mut self, first: Message) -> Result<(), Trouble> {
        let mut loaded = self.load().await?;
        let mut answers: JoinSet<Answer> = JoinSet::new();
        let mut under_way: BTreeSet<(Path, bool)> = BTreeSet::new();
        let mut next = Some(first);
        loop {
            if let Some(message) = next.take() {
                let command = match message {
                    Message::Go => Command::Advance,
                    Message::Recover => Command::Recover,
                    Message::Wake => Command::Wake,
                    Message::Cancel { actor, reason } => Command::Cancel { actor, reason },
                };
                self.step(&mut loaded, command, Vec::new(), Vec::new()).await?;
            }
            if loaded.run.status().is_over() {
                return Ok(());
            }
            self.begin(&loaded, &mut answers, &mut under_way);
            let wake_at = engine::wake_at(&loaded.compiled.plan, &loaded.run);
            if under_way.is_empty() && self.let_go(wake_at) {
                return Ok(());
            }
            let sleep = wake_at.map_or(Duration::from_hours(1), |at| {
                crate::clock::until(self.dispatcher.now(), at).max(Duration::from_millis(1))
            });
            tokio::select! {
                biased;
                Some(answer) = answers.join_next(), if !answers.is_empty() => {
                    let answer = answer.map_err(|error| Trouble::Run(format!("a task was lost: {error}")))?;
                    self.take(&mut loaded, answer, &mut under_way).await?;
                }
                message = self.messages.recv() => next = message,
                () = tokio::time::sleep(sleep) => next = Some(Message::Wake),
            }
        }
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
        workers.remove(&self.run);
        drop(workers);
        if let Some(at) = wake_at {
            self.dispatcher.inner.timers.set(at, self.run.clone());
        }
        true
    }

    /// Sends what is intended and not yet under way.
    fn begin(&self, loaded: &Loaded, answers: &mut JoinSet<Answer>, under_way: &mut BTreeSet<(Path, bool)>) {
        if self.dispatcher.is_draining() {
            return;
        }
        let now = self.dispatcher.now();
        for work in engine::effects(&loaded.run, now) {
            let (intended, probe) = match work {
                Work::Perform(intended) => (intended, false),
                Work::Probe(intended) => (intended, true),
            };
            if under_way.insert((intended.path.clone(), probe)) {
                let call = call(
                    &loaded.started,
                    &intended,
                    now,
                    &loaded.entity,
                    &loaded.operator,
                    &loaded.facts,
                );
                let dispatcher = self.dispatcher.clone();
                answers.spawn(async move { dispatcher.carry_out(call, intended, probe).await });
            }
        }
    }

    /// Takes an answer: decides on it and commits it with what it changes.
    async fn take(
        &mut self,
        loaded: &mut Loaded,
        answer: Answer,
        under_way: &mut BTreeSet<(Path, bool)>,
    ) -> Result<(), Trouble> {
        let Answer {
            intended,
            finding,
            duration_ms,
        } = answer;
        let (path, attempt) = (intended.path.clone(), intended.attempt);
        let probe = matches!(finding, Finding::Probed { .. });
        let (command, changes) = match finding {
            Finding::Finished { outcome, changes } => (
                Command::Finished {
                    path: path.clone(),
                    attempt,
                    outcome,
                    duration_ms,
                },
                changes,
            ),
            Finding::Probed { answer, changes } => (
                Command::Probed {
                    path: path.clone(),
                    attempt,
                    answer,
                },
                changes,
            ),
        };
        let now = self.dispatcher.now();
        let (updates, measures) = self
            .dispatcher
            .house_changes(&loaded.started, &intended, changes, now)
            .await?;
        self.step(loaded, command, updates, measures).await?;
        under_way.remove(&(path, probe));
        Ok(())
    }

    /// One decision and its commit.
    async fn step(
        &mut self,
        loaded: &mut Loaded,
        command: Command,
        updates: Vec<IncidentUpdate>,
        measures: Vec<MeasureChange>,
    ) -> Result<(), Trouble> {
        let dispatcher = self.dispatcher.clone();
        let now = dispatcher.now();
        let mut turn = if loaded.may_block {
            Some(
                dispatcher
                    .inner
                    .budget
                    .turn(&*dispatcher.inner.store, &loaded.started.entity, now)
                    .await?,
            )
        } else {
            None
        };
        let blocks = turn.as_ref().map_or_else(BlockCounts::default, Turn::counts);
        let decided = {
            let surroundings = dispatcher.surroundings(&loaded.operator, &loaded.entity, now, blocks);
            engine::decide(&loaded.compiled.plan, &loaded.run, command, &surroundings)
        };
        let events = match decided {
            Ok(events) => events,
            Err(refusal) => {
                tracing::debug!(run = %self.run, %refusal, "A command did not apply to the run.");
                return Ok(());
            }
        };
        if events.is_empty() && updates.is_empty() && measures.is_empty() {
            return Ok(());
        }
        let from = loaded.run.next_seq();
        // Folded before it is durable, which is safe: nothing acts on the fold before the commit
        // returns, and a commit that fails ends this worker with its fold.
        for (seq, event) in (from..).zip(&events) {
            let recorded = Recorded {
                seq,
                at: now,
                event: event.clone(),
            };
            loaded
                .run
                .apply(&loaded.compiled.plan, &recorded)
                .map_err(|corrupt| Trouble::Run(corrupt.to_string()))?;
        }
        let commit = Commit {
            run: self.run.clone(),
            expect: from,
            events: events.iter().map(|event| (now, event.clone())).collect(),
            row: engine::row(&loaded.compiled.plan, &loaded.run),
            updates,
            measures,
        };
        self.commit(commit).await?;
        if let Some(turn) = &mut turn {
            turn.count(now, &events);
        }
        drop(turn);
        dispatcher.inner.feed.changed(&self.run);
        Ok(())
    }

    /// Commits, and waits as long as the disk is full: an outcome that is known must not be lost.
    async fn commit(&self, commit: Commit) -> Result<(), Trouble> {
        loop {
            match self.dispatcher.inner.store.commit(commit.clone()).await {
                Ok(_) => return Ok(()),
                Err(error @ StoreError::Full { .. }) => {
                    tracing::error!(run = %self.run, %error, "The disk is full; the outcome of a run waits in memory.");
                    tokio::time::sleep(FULL_DISK_PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn load(&self) -> Result<Loaded, Trouble> {
        let inner = &self.dispatcher.inner;
        let events = inner.store.load(&self.run).await?;
        let Some(Recorded {
            event: Event::Started(started),
            ..
        }) = events.first()
        else {
            return Err(Trouble::Run("it has no first event".to_owned()));
        };
        let started = started.clone();
        let compiled = self.plan(&started).await?;
        let run = Run::fold(&compiled.plan, &events).map_err(|corrupt| Trouble::Run(corrupt.to_string()))?;
        let operator = self.dispatcher.operator();
        let entity = operator
            .entities
            .get(started.entity.as_str())
            .cloned()
            .ok_or_else(|| {
                Trouble::Run(format!(
                    "entity `{}` is not configured any more; add its file again",
                    started.entity
                ))
            })?;
        let may_block = compiled
            .plan
            .steps
            .values()
            .any(|step| step.action.effect >= EffectClass::Contain);
        let facts = Arc::new(started.facts.clone());
        Ok(Loaded {
            started,
            compiled,
            run,
            operator,
            entity: Arc::new(entity),
            facts,
            may_block,
        })
    }

    /// The revision the run pinned: from memory, else from the store.
    async fn plan(&self, started: &Started) -> Result<Arc<Compiled>, Trouble> {
        let inner = &self.dispatcher.inner;
        let revision = &started.playbook.revision;
        if let Some(compiled) = inner.library.revision(revision) {
            return Ok(compiled);
        }
        let missing = |why: &str| {
            Trouble::Run(format!(
                "playbook {} revision {revision} {why}",
                started.playbook.id
            ))
        };
        let text = inner
            .store
            .plan(revision)
            .await?
            .ok_or_else(|| missing("is not kept in the store"))?;
        let bundle: Bundle = serde_json::from_str(&text).map_err(|error| missing(&error.to_string()))?;
        let compiled = compile_kept(bundle, &*inner.registry).map_err(|found| {
            let first = found
                .first()
                .map_or_else(String::new, |found| format!(": {} {}", found.code, found.message));
            missing(&format!("does not compile with this version of Sortie{first}"))
        })?;
        if compiled.plan.revision != *revision {
            return Err(missing("has another content hash with this version of Sortie"));
        }
        Ok(inner.library.pin(compiled))
    }
}
