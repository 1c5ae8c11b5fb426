//! The mails of one run that are on their way.
//!
//! Owns that each is begun once. What came of it is a command like any outcome.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::Command;
use tokio::task::JoinSet;

use super::{Loaded, Worker};
use crate::dispatch::letters::Letter;

/// See the module.
#[derive(Default)]
pub(super) struct UnderWay {
    begun: BTreeSet<(u32, String)>,
    tasks: JoinSet<Command>,
}

impl UnderWay {
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The next mail of which something is known.
    pub(super) async fn next(&mut self) -> Option<Command> {
        match self.tasks.join_next().await? {
            Ok(told) => Some(told),
            // A panic was logged; the next worker records that nobody can tell.
            Err(error) => {
                tracing::error!(%error, "A mail to a person was lost.");
                Some(Command::Advance)
            }
        }
    }

    /// The run is over: what is on its way may arrive, and nobody records it.
    pub(super) fn let_fly(&mut self) {
        self.tasks.detach_all();
    }
}

impl Worker {
    /// Begins the mails that were decided and are not under way.
    pub(super) fn begin_letters(&self, loaded: &Loaded, under_way: &mut UnderWay) {
        // A broken store could not take the outcome.
        if self.dispatcher.inner.broken.is_cancelled() {
            return;
        }
        for (number, person) in loaded.run.letters() {
            let Some(asked) = loaded.run.inquiry(number) else {
                continue;
            };
            if !under_way.begun.insert((number, person.to_owned())) {
                continue;
            }
            let letter = Letter {
                started: Arc::clone(loaded.run.started()),
                operator: Arc::clone(&loaded.operator),
                entity: Arc::clone(&loaded.entity),
                facts: Arc::clone(&loaded.facts),
                tlp: loaded.run.marking_of(asked),
                asked: asked.clone(),
                person: person.to_owned(),
            };
            let dispatcher = self.dispatcher.clone();
            under_way.tasks.spawn(async move {
                Command::Told {
                    number,
                    outcome: dispatcher.write_to(&letter).await,
                    person: letter.person,
                }
            });
        }
    }
}
