//! Making decisions of a worker durable.
//!
//! Owns the order decide, commit, fold. Performs nothing.

use std::collections::VecDeque;
use std::time::Duration;

use engine::{BlockCounts, Command, Refusal, Run};
use jiff::Timestamp;
use playbooks::plan::Plan;
use state::event::{Event, Mode, Recorded};
use state::ids::EffectKey;
use state::store::{Commit, IncidentUpdate, MeasureChange, StoreError};

use super::{Loaded, Trouble, Worker};
use crate::dispatch::batch;
use crate::dispatch::budget::Turn;

/// Waits between two tries to commit while the disk is full.
const FULL_DISK_PAUSE: Duration = Duration::from_secs(2);

/// What follows from a command.
struct Decided {
    events: Vec<Event>,
    /// New work was left out of it because the process comes to rest.
    cut: bool,
    /// Blocks in it that count from now on.
    counted: Vec<EffectKey>,
}

/// What was decided and is to be made durable.
struct Decision {
    events: Vec<Event>,
    /// Whether nothing was left out of it.
    whole: bool,
    updates: Vec<IncidentUpdate>,
    measures: Vec<MeasureChange>,
}

/// What is durable of a decision.
struct Kept {
    events: Vec<Event>,
    /// Whether it is what was decided.
    whole: bool,
}

/// A command with what its commit also stores.
pub(super) struct Order {
    pub(super) command: Command,
    pub(super) updates: Vec<IncidentUpdate>,
    pub(super) measures: Vec<MeasureChange>,
}

impl From<Command> for Order {
    fn from(command: Command) -> Self {
        Self {
            command,
            updates: Vec::new(),
            measures: Vec::new(),
        }
    }
}

impl Worker {
    /// One decision and its commit. Gives the engine's refusal of a command that does not apply.
    pub(super) async fn step(
        &mut self,
        loaded: &mut Loaded,
        order: impl Into<Order>,
    ) -> Result<Option<Refusal>, Trouble> {
        let now = self.dispatcher.now();
        let Order {
            mut command,
            updates,
            measures,
        } = order.into();
        let mut also = (updates, measures);
        loop {
            let Decided { events, cut, counted } = match self.decide(loaded, &loaded.run, command, now)? {
                Ok(decided) => decided,
                Err(refusal) => return Ok(Some(refusal)),
            };
            let (updates, measures) = std::mem::take(&mut also);
            if events.is_empty() && updates.is_empty() && measures.is_empty() {
                return Ok(None);
            }
            let decision = Decision {
                events,
                whole: !cut,
                updates,
                measures,
            };
            let kept = self.keep(loaded, decision, now).await;
            let whole = kept.as_ref().is_ok_and(|kept| kept.whole);
            if !whole {
                // What is stored of it is learnt again.
                self.dispatcher.inner.budget.take_back(&counted);
            }
            kept?;
            self.dispatcher.inner.feed.changed(&self.run);
            if whole {
                return Ok(None);
            }
            if loaded.may_block {
                self.learn(&loaded.started.entity, &loaded.run).await?;
            }
            // Something was recorded otherwise than decided; what follows is decided again.
            command = Command::Advance;
        }
    }

    /// Several decisions, one after the other, in one commit. When the store does not take them
    /// together, each has its own.
    pub(super) async fn steps(&mut self, loaded: &mut Loaded, orders: Vec<Order>) -> Result<(), Trouble> {
        if orders.len() > 1 && self.together(loaded, &orders).await? {
            return Ok(());
        }
        for order in orders {
            self.step(loaded, order).await?;
        }
        Ok(())
    }

    /// Whether all of it went into one commit. If not, nothing is changed.
    async fn together(&self, loaded: &mut Loaded, orders: &[Order]) -> Result<bool, Trouble> {
        let now = self.dispatcher.now();
        let mut run = loaded.run.clone();
        let mut all = Decision {
            events: Vec::new(),
            whole: true,
            updates: Vec::new(),
            measures: Vec::new(),
        };
        let mut counted = Vec::new();
        for order in orders {
            let Ok(decided) = self.decide(loaded, &run, order.command.clone(), now)? else {
                continue;
            };
            fold(&loaded.compiled.plan, &mut run, &decided.events, now)?;
            all.events.extend(decided.events);
            all.whole &= !decided.cut;
            counted.extend(decided.counted);
            all.updates.extend(order.updates.iter().cloned());
            all.measures.extend(order.measures.iter().cloned());
        }
        if all.events.is_empty() && all.updates.is_empty() && all.measures.is_empty() {
            return Ok(true);
        }
        let row = engine::row(&loaded.compiled.plan, &run);
        let commit = Commit {
            run: self.run.clone(),
            expect: loaded.run.next_seq(),
            events: all.events.into_iter().map(|event| (now, event)).collect(),
            row: if all.whole {
                row
            } else {
                batch::unfinished(row, now)
            },
            updates: all.updates,
            measures: all.measures,
        };
        let committed = self.commit(commit).await;
        if committed.is_err() {
            self.dispatcher.inner.budget.take_back(&counted);
        }
        match committed {
            Ok(()) => {
                loaded.run = run;
                self.dispatcher.inner.feed.changed(&self.run);
                Ok(true)
            }
            Err(Trouble::Store(StoreError::TooLarge { .. })) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    /// What follows from a command. Blocks count from here on, before they are durable: two runs that decide at
    /// the same moment cannot both take the last one, and neither waits for the other's commit.
    fn decide(
        &self,
        loaded: &Loaded,
        run: &Run,
        command: Command,
        now: Timestamp,
    ) -> Result<Result<Decided, Refusal>, Trouble> {
        let dispatcher = &self.dispatcher;
        let mut turn = loaded
            .may_block
            .then(|| dispatcher.inner.budget.turn(&loaded.started.entity, now));
        let blocks = turn.as_ref().map_or_else(BlockCounts::default, Turn::counts);
        let surroundings = dispatcher.surroundings(&loaded.operator, &loaded.entity, now, blocks);
        let mut events = match engine::decide(&loaded.compiled.plan, run, command, &surroundings) {
            Ok(events) => events,
            Err(Refusal::Corrupt(corrupt)) => return Err(Trouble::Run(corrupt.to_string())),
            Err(refusal) => {
                tracing::debug!(run = %self.run, %refusal, "A command did not apply to the run.");
                return Ok(Err(refusal));
            }
        };
        let cut = dispatcher.is_draining() && batch::without_new_work(&mut events);
        let counted = match &mut turn {
            Some(turn) if loaded.started.mode != Mode::Simulate => turn.count(&events),
            _ => Vec::new(),
        };
        Ok(Ok(Decided { events, cut, counted }))
    }

    /// Makes a decision durable, in as many commits as the store wants, and folds what is durable.
    async fn keep(&self, loaded: &mut Loaded, decision: Decision, now: Timestamp) -> Result<Kept, Trouble> {
        let Decision {
            events,
            whole,
            mut updates,
            mut measures,
        } = decision;
        let mut kept = Vec::with_capacity(events.len());
        let mut parts = VecDeque::from([events]);
        while let Some(mut part) = parts.pop_front() {
            let from = loaded.run.next_seq();
            let plan = &loaded.compiled.plan;
            // Folded on a copy: nothing acts on events that are not durable.
            let mut run = loaded.run.clone();
            fold(plan, &mut run, &part, now)?;
            let row = engine::row(plan, &run);
            let commit = Commit {
                run: self.run.clone(),
                expect: from,
                events: part.iter().map(|event| (now, event.clone())).collect(),
                row: if whole && parts.is_empty() {
                    row
                } else {
                    batch::unfinished(row, now)
                },
                updates: updates.clone(),
                measures: measures.clone(),
            };
            match self.commit(commit).await {
                Ok(()) => {
                    loaded.run = run;
                    updates.clear();
                    measures.clear();
                    kept.append(&mut part);
                }
                Err(Trouble::Store(StoreError::TooLarge { .. })) if part.len() > 1 => {
                    let rest = part.split_off(part.len() / 2);
                    parts.push_front(rest);
                    parts.push_front(part);
                }
                Err(Trouble::Store(error @ StoreError::TooLarge { .. })) => {
                    let instead = part
                        .pop()
                        .and_then(|event| batch::in_place_of(event, &error.to_string()))
                        .ok_or(Trouble::Store(error))?;
                    // The events after it were decided on what is not recorded now.
                    let instead = Decision {
                        events: vec![instead],
                        whole: false,
                        updates,
                        measures,
                    };
                    kept.append(&mut Box::pin(self.keep(loaded, instead, now)).await?.events);
                    return Ok(Kept {
                        events: kept,
                        whole: false,
                    });
                }
                Err(trouble) => return Err(trouble),
            }
        }
        // A decision that was cut on purpose is as whole as it will be in this process.
        Ok(Kept {
            events: kept,
            whole: true,
        })
    }

    /// Commits, and waits as long as the disk is full: an outcome that is known must not be lost.
    async fn commit(&self, commit: Commit) -> Result<(), Trouble> {
        let mut waited = false;
        loop {
            match self.dispatcher.inner.store.commit(commit.clone()).await {
                Ok(_) => {
                    if waited {
                        tracing::info!(run = %self.run, "There is room on the disk again; the run goes on.");
                    }
                    return Ok(());
                }
                Err(error @ StoreError::Full { .. }) => {
                    if !waited {
                        tracing::error!(run = %self.run, %error, "The disk is full; the outcome of a run waits in memory.");
                    }
                    waited = true;
                    tokio::time::sleep(FULL_DISK_PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Takes events that are not durable yet into a copy of a run.
fn fold(plan: &Plan, run: &mut Run, events: &[Event], now: Timestamp) -> Result<(), Trouble> {
    for event in events {
        let recorded = Recorded {
            seq: run.next_seq(),
            at: now,
            event: event.clone(),
        };
        run.apply(plan, &recorded)
            .map_err(|corrupt| Trouble::Run(corrupt.to_string()))?;
    }
    Ok(())
}
