//! Taking in a command: what the world or a person told us, checked against what is awaited.
//!
//! Owns the refusal of late and repeated news.

use playbooks::duration::Span;
use playbooks::plan::Plan;
use state::event::{Event, Intended, ProbeAnswer};
use state::ids::Path;

use super::draft::Draft;
use super::{Command, Refusal};
use crate::backoff::later;
use crate::run::{Doubt, Place, Run, Spot};

impl Draft<'_> {
    pub(super) fn take(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Advance | Command::Wake => Ok(()),
            Command::Finished {
                path,
                attempt,
                outcome,
                duration_ms,
            } => {
                self.awaited(&path, attempt, |place| matches!(place, Place::Live(_)))?;
                self.record(Event::Finished {
                    path,
                    attempt,
                    outcome,
                    duration_ms,
                })?;
                Ok(())
            }
            Command::Recover => {
                let live: Vec<Spot> = self.run.live.iter().copied().collect();
                for spot in live {
                    let attempt = self.run.place(spot).map_or(0, Place::attempt);
                    if let Some(path) = self.path(spot) {
                        self.record(Event::Lost { path, attempt })?;
                    }
                }
                Ok(())
            }
            Command::Probed {
                path,
                attempt,
                answer,
            } => {
                self.awaited(&path, attempt, |place| matches!(place, Place::Doubtful(_)))?;
                let answer = self.believed(&path, answer);
                self.record(Event::Probed {
                    path,
                    attempt,
                    answer,
                })?;
                Ok(())
            }
            Command::Cancel { actor, reason } => {
                if let Some((by, _)) = &self.run.cancel {
                    return Err(Refusal::AlreadyCancelled { by: by.name.clone() });
                }
                self.record(Event::CancelRequested { actor, reason })?;
                Ok(())
            }
            Command::Settle {
                path,
                answer,
                probed,
                actor,
                reason,
            } => self.settle(path, answer, probed, actor, reason),
            Command::Acknowledge { actor, reason } => self.acknowledge(actor, reason),
            Command::Retry { from, actor, reason } => self.retry(from.as_deref(), actor, reason),
            Command::Undo { paths, actor, reason } => self.undo(&paths, actor, reason),
            Command::Rerun { run, actor, reason } => Ok(self.record(Event::Rerun { run, actor, reason })?),
        }
    }

    fn awaited(&self, path: &Path, attempt: u32, fits: fn(&Place) -> bool) -> Result<(), Refusal> {
        let place = place(self.plan, &self.run, path);
        match place {
            Some(place) if fits(place) && place.attempt() == attempt => Ok(()),
            _ => Err(Refusal::Stale {
                path: path.clone(),
                attempt,
                state: place.map_or("there is no such place", Place::words),
            }),
        }
    }

    /// "Not there" means nothing while the far end may still be working on it.
    fn believed(&self, path: &Path, answer: ProbeAnswer) -> ProbeAnswer {
        let Some(Place::Doubtful(Doubt { last, since, .. })) = place(self.plan, &self.run, path) else {
            return answer;
        };
        if answer != ProbeAnswer::NotDone {
            return answer;
        }
        let settle = self.settle_time(last);
        match settle {
            Some(settle) if self.around.now < later(*since, settle) => ProbeAnswer::CannotTell {
                detail: format!("it is not there, which means nothing for the first {settle}"),
            },
            _ => ProbeAnswer::NotDone,
        }
    }

    /// How long after an attempt "not there" still means nothing.
    pub(super) fn settle_time(&self, last: &Intended) -> Option<Span> {
        let provider = |name| {
            let connection = self.around.operator.connections.get(name)?;
            let providers = self.around.catalog.providers(&last.action);
            let spec = providers
                .into_iter()
                .find(|spec| spec.provider == connection.provider)?;
            Some(spec.settle)
        };
        last.connections.iter().filter_map(provider).max()
    }
}

pub(super) fn place<'r>(plan: &Plan, run: &'r Run, path: &Path) -> Option<&'r Place> {
    run.place(Spot::of(plan, path)?)
}
