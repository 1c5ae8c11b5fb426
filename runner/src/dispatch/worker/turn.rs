//! Waiting for one's turn among the runs of a key.

use engine::Command;

use super::{Loaded, Trouble, Worker};

impl Worker {
    /// A run that is at work when it is taken up keeps its place, whoever else is.
    pub(super) fn keep_turn(&self, loaded: &Loaded) {
        let goes_on = !loaded.run.is_queued() && !loaded.run.status().is_over();
        if let Some(turns) = loaded.started.turns().filter(|_| goes_on) {
            self.dispatcher.inner.turns.work(&turns, &self.run);
        }
    }

    /// Begins a run that waits for its turn, when it is.
    pub(super) async fn take_turn(&mut self, loaded: &mut Loaded) -> Result<(), Trouble> {
        let turns = &self.dispatcher.inner.turns;
        let its_turn = match (loaded.started.turns(), &loaded.started.turn) {
            (Some(name), Some(turn)) => {
                loaded.run.is_queued()
                    && !self.dispatcher.is_draining()
                    && turns.may_begin(&name, &self.run, turn.limit)
            }
            _ => false,
        };
        if its_turn {
            self.step(loaded, Command::Admit).await?;
        }
        Ok(())
    }
}
