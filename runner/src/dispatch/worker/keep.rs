//! Making decisions of a worker durable.
//!
//! Owns the order decide, commit, fold. Performs nothing.

use std::collections::VecDeque;
use std::time::Duration;

use engine::{BlockCounts, Command, Refusal};
use jiff::Timestamp;
use state::event::{Event, Recorded};
use state::store::{Commit, IncidentUpdate, MeasureChange, StoreError};

use super::{Loaded, Trouble, Worker};
use crate::dispatch::batch;
use crate::dispatch::budget::Turn;

/// Waits between two tries to commit while the disk is full.
const FULL_DISK_PAUSE: Duration = Duration::from_secs(2);

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

impl Worker {
    /// One decision and its commit. Gives the engine's refusal of a command that does not apply.
    pub(super) async fn step(
        &mut self,
        loaded: &mut Loaded,
        command: Command,
        updates: Vec<IncidentUpdate>,
        measures: Vec<MeasureChange>,
    ) -> Result<Option<Refusal>, Trouble> {
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
        let (mut command, mut updates, mut measures) = (command, updates, measures);
        loop {
            let blocks = turn.as_ref().map_or_else(BlockCounts::default, Turn::counts);
            let decided = {
                let surroundings = dispatcher.surroundings(&loaded.operator, &loaded.entity, now, blocks);
                engine::decide(&loaded.compiled.plan, &loaded.run, command, &surroundings)
            };
            let mut events = match decided {
                Ok(events) => events,
                Err(Refusal::Corrupt(corrupt)) => return Err(Trouble::Run(corrupt.to_string())),
                Err(refusal) => {
                    tracing::debug!(run = %self.run, %refusal, "A command did not apply to the run.");
                    return Ok(Some(refusal));
                }
            };
            let cut = dispatcher.is_draining() && batch::without_new_work(&mut events);
            if events.is_empty() && updates.is_empty() && measures.is_empty() {
                return Ok(None);
            }
            let decision = Decision {
                events,
                whole: !cut,
                updates: std::mem::take(&mut updates),
                measures: std::mem::take(&mut measures),
            };
            let kept = self.keep(loaded, decision, now).await?;
            if let Some(turn) = &mut turn {
                turn.count(now, &kept.events);
            }
            dispatcher.inner.feed.changed(&self.run);
            if kept.whole {
                return Ok(None);
            }
            // Something was recorded otherwise than decided; what follows is decided again.
            command = Command::Advance;
        }
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
            for (seq, event) in (from..).zip(&part) {
                let recorded = Recorded {
                    seq,
                    at: now,
                    event: event.clone(),
                };
                run.apply(plan, &recorded)
                    .map_err(|corrupt| Trouble::Run(corrupt.to_string()))?;
            }
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
