//! A driver in memory for tests, ours and those of playbooks: a run from its first event to its end, in virtual time, over a
//! world that is scripted and counts what really happened to it.
//!
//! Owns no rules. It persists nothing, waits for nothing and checks after every commit what must
//! always hold: that the decision was complete, and that its history can be read again.

use jiff::Timestamp;
use playbooks::action_spec::Catalog;
use playbooks::operator::{Entity, Operator};
use playbooks::plan::Plan;
use state::event::{Event, Intended, Outcome, ProbeAnswer, Recorded, RunStatus, Started};

use crate::decide::{Command, Refusal, decide};
use crate::effects::{Work, effects, row, wake_at};
use crate::run::Run;
use crate::surroundings::{BlockCounts, Surroundings};

mod coverage;
mod drills;
mod foresight;
mod mocked;
mod trial;
mod verdict;
mod world;

pub use coverage::{Coverage, Uncovered};
pub use drills::{Drill, crash_everywhere, every_step_failed, every_step_twice};
pub use foresight::{Foreseen, Memory, Past, foresee};
pub use mocked::{Compute, Effect, MockedWorld};
pub use trial::{Played, RUNS_PLAYED_MAX, Scene, crash, play};
pub use verdict::{Difference, differences, same_effects};
pub use world::{Ledger, Reply, ScriptedWorld};

/// Commands of one rehearsal. More means that it does not end.
pub const TURNS_MAX: usize = 100_000;

/// What a run is rehearsed against.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// The playbook.
    pub plan: &'a Plan,
    /// The operator's side.
    pub operator: &'a Operator,
    /// Whose run.
    pub entity: &'a Entity,
    /// The actions.
    pub catalog: &'a dyn Catalog,
}

impl std::fmt::Debug for Stage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("playbook", &self.plan.id)
            .field("entity", &self.entity.id)
            .finish_non_exhaustive()
    }
}

impl<'a> Stage<'a> {
    /// The surroundings at a time. Blocks of other runs are not counted, and nobody sets the clock.
    pub fn at(&self, now: Timestamp) -> Surroundings<'a> {
        Surroundings {
            now,
            even_since: Timestamp::MIN,
            operator: self.operator,
            entity: self.entity,
            catalog: self.catalog,
            blocks_last_hour: BlockCounts::default(),
        }
    }
}

/// What is out there.
pub trait World {
    /// Performs an attempt; the answer is what the host would see.
    fn perform(&mut self, intended: &Intended) -> Outcome;
    /// Whether it happened.
    fn probe(&mut self, intended: &Intended) -> ProbeAnswer;
    /// What a person says now, when nothing else is to be done. Nobody says anything by itself.
    fn reply(&mut self, _run: &Run) -> Option<Command> {
        None
    }
    /// Until when somebody is asked whose silence the rehearsal does not play; it ends there.
    fn unanswered(&self, _run: &Run) -> Option<Timestamp> {
        None
    }
    /// The host died before it stored what [`Self::perform`] just answered. A world that answers in
    /// turn gives the same answer again.
    fn answer_lost(&mut self, _intended: &Intended) {}
    /// What really happened.
    fn ledger(&self) -> &Ledger;
}

/// What a rehearsal ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The run is closed.
    Over(RunStatus),
    /// The run waits for a person.
    WaitsForPerson,
}

/// One run under rehearsal.
#[derive(Debug)]
pub struct Rehearsal<'a, W> {
    stage: Stage<'a>,
    /// What is out there.
    pub world: W,
    events: Vec<Recorded>,
    run: Run,
    now: Timestamp,
    commits: usize,
}

impl<'a, W: World> Rehearsal<'a, W> {
    /// Takes up a run that was started at a time, and decides its first steps.
    ///
    /// # Errors
    /// What must always hold and did not, in words.
    pub fn begin(stage: Stage<'a>, started: Started, at: Timestamp, world: W) -> Result<Self, String> {
        let events = vec![Recorded {
            seq: 0,
            at,
            event: Event::Started(started),
        }];
        let run = Run::fold(stage.plan, &events).map_err(|corrupt| corrupt.to_string())?;
        let mut rehearsal = Self {
            stage,
            world,
            events,
            run,
            now: at,
            commits: 0,
        };
        rehearsal.give(Command::Advance)?;
        Ok(rehearsal)
    }

    /// The history so far.
    pub fn events(&self) -> &[Recorded] {
        &self.events
    }

    /// The state so far.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Commits so far: places where a crash may fall.
    pub fn commits(&self) -> usize {
        self.commits
    }

    /// The work that is due.
    pub fn work(&self) -> Vec<Work> {
        effects(&self.run, self.now)
    }

    /// Gives a command and commits what follows.
    ///
    /// # Errors
    /// What must always hold and did not, in words.
    pub fn give(&mut self, command: Command) -> Result<usize, String> {
        self.offer(command)?.map_err(|refusal| refusal.to_string())
    }

    /// The same for a command that may be refused, as those of people are.
    ///
    /// # Errors
    /// What must always hold and did not, in words.
    pub fn offer(&mut self, command: Command) -> Result<Result<usize, Refusal>, String> {
        let events = match decide(self.stage.plan, &self.run, command, &self.stage.at(self.now)) {
            Ok(events) => events,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let number = events.len();
        if number == 0 {
            return Ok(Ok(0));
        }
        for event in events {
            let recorded = Recorded {
                seq: self.run.next_seq(),
                at: self.now,
                event,
            };
            self.run
                .apply(self.stage.plan, &recorded)
                .map_err(|corrupt| corrupt.to_string())?;
            self.events.push(recorded);
        }
        self.commits += 1;
        self.holds()?;
        Ok(Ok(number))
    }

    /// Lets time pass.
    pub fn pass(&mut self, span: playbooks::duration::Span) {
        self.now = crate::backoff::later(self.now, span);
    }

    /// Puts another stage under the run: the operator changed something.
    pub fn restage(&mut self, stage: Stage<'a>) {
        self.stage = stage;
    }

    /// Does one piece of work, the one that `choose` picks from that many; without work, lets
    /// time pass until the run wants to wake. Says how it ended, if it did.
    ///
    /// # Errors
    /// What must always hold and did not, in words.
    pub fn turn(&mut self, choose: impl FnOnce(usize) -> usize) -> Result<Option<End>, String> {
        if self.run.status().is_over() {
            return Ok(Some(End::Over(self.run.status())));
        }
        let work = self.work();
        if let Some(chosen) = work.get(choose(work.len()).min(work.len().saturating_sub(1))) {
            let command = self.carry_out(chosen);
            self.give(command)?;
            return Ok(None);
        }
        if let Some(command) = self.world.reply(&self.run) {
            // A reply that is refused changes nothing: the question stays open.
            let _ = self.offer(command)?;
            return Ok(None);
        }
        let wake = wake_at(self.stage.plan, &self.run);
        if let Some(until) = self.world.unanswered(&self.run)
            && wake.is_none_or(|at| at >= until)
        {
            return Ok(Some(End::WaitsForPerson));
        }
        match wake {
            Some(at) => {
                self.now = self.now.max(at);
                let number = self.give(Command::Wake)?;
                if number == 0 && self.work().is_empty() {
                    return Err(format!("the run woke at {at} for nothing"));
                }
                Ok(None)
            }
            None if self.run.status() == RunStatus::Stuck || !self.run.unknown.is_empty() => {
                Ok(Some(End::WaitsForPerson))
            }
            None => Err("the run neither ends nor waits for anything".to_owned()),
        }
    }

    /// Goes on to the end, first things first.
    ///
    /// # Errors
    /// What must always hold and did not, in words.
    pub fn to_end(&mut self) -> Result<End, String> {
        for _ in 0..TURNS_MAX {
            if let Some(end) = self.turn(|_| 0)? {
                return Ok(end);
            }
        }
        Err(format!("the run did not end within {TURNS_MAX} commands"))
    }

    /// The host dies. Of the work that was due it had performed what `done` says, and lost the
    /// answers. The next host reads the history and recovers.
    ///
    /// # Errors
    /// What must always hold and did not, in words.
    pub fn crash(&mut self, done: impl Fn(&Intended) -> bool) -> Result<(), String> {
        for work in self.work() {
            if done(work.intended()) {
                self.carry_out(&work);
                self.world.answer_lost(work.intended());
            }
        }
        self.run = Run::fold(self.stage.plan, &self.events).map_err(|corrupt| corrupt.to_string())?;
        self.give(Command::Recover)?;
        Ok(())
    }

    fn carry_out(&mut self, work: &Work) -> Command {
        match work {
            Work::Perform(intended) => Command::Finished {
                path: intended.path.clone(),
                attempt: intended.attempt,
                outcome: self.world.perform(intended),
                duration_ms: 1,
            },
            Work::Probe(intended) => Command::Probed {
                path: intended.path.clone(),
                attempt: intended.attempt,
                answer: self.world.probe(intended),
            },
        }
    }

    /// What must hold after every commit.
    fn holds(&self) -> Result<(), String> {
        let plan = self.stage.plan;
        let again = decide(plan, &self.run, Command::Advance, &self.stage.at(self.now))
            .map_err(|refusal| refusal.to_string())?;
        if let Some(event) = again.first() {
            return Err(format!("the decision was not complete; {event:?} was left"));
        }
        if self.commits.is_power_of_two() {
            let folded = Run::fold(plan, &self.events).map_err(|corrupt| corrupt.to_string())?;
            if row(plan, &folded) != row(plan, &self.run) || folded.steps(plan) != self.run.steps(plan) {
                return Err("the history reads differently than it was written".to_owned());
            }
        }
        let mut live: Vec<_> = self
            .work()
            .into_iter()
            .map(|work| work.intended().path.clone())
            .collect();
        live.sort();
        let number = live.len();
        live.dedup();
        if live.len() == number {
            Ok(())
        } else {
            Err("two attempts of one place are live".to_owned())
        }
    }
}
