//! Drills over a whole playbook: every crash, every step twice, every step failed.
//!
//! Owns what must be true afterwards. A drill says how much it did, so that one that did nothing
//! is not taken for a success.

use std::collections::BTreeSet;

use jiff::Timestamp;
use playbooks::action_spec::{ASK_HUMAN, ErrorKind};
use state::event::{Event, Intended, Outcome, ProbeAnswer, Recorded, Started};

use super::{End, Ledger, Rehearsal, Stage, World};

/// How much a drill did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drill {
    /// Runs that were rehearsed.
    pub runs: usize,
    /// Crashes among them.
    pub crashes: usize,
    /// Steps whose failure was tried.
    pub failures: usize,
    /// Runs that ended with an outcome that nobody can tell.
    pub unknown: usize,
}

/// Dies after every commit of a run, once before the work that was then due and once after it.
/// Afterwards nothing that must not be repeated was done twice, and unless an outcome is unknown
/// the run ends as if nothing had happened, with the same effects.
///
/// # Errors
/// What did not hold, and where.
pub fn crash_everywhere<W: World>(
    stage: Stage<'_>,
    started: &Started,
    at: Timestamp,
    world: impl Fn() -> W,
) -> Result<Drill, String> {
    let calm = undisturbed(stage, started, at, &world)?;
    let mut drill = Drill::default();
    for commit in 1..calm.commits() {
        for after_work in [false, true] {
            let place = format!("crash after commit {commit}, work done: {after_work}");
            let mut run = Rehearsal::begin(stage, started.clone(), at, world())?;
            while run.commits() < commit {
                run.turn(|_| 0)?;
            }
            run.crash(|_| after_work)
                .map_err(|why| format!("{place}: {why}"))?;
            drill.crashes += 1;
            compare(&mut drill, &calm, run, &place)?;
        }
    }
    Ok(drill)
}

/// Performs every step twice: the host dies when the step is done and its outcome is not stored.
/// The same must hold as for [`crash_everywhere`].
///
/// # Errors
/// What did not hold, and where.
pub fn every_step_twice<W: World>(
    stage: Stage<'_>,
    started: &Started,
    at: Timestamp,
    world: impl Fn() -> W,
) -> Result<Drill, String> {
    let calm = undisturbed(stage, started, at, &world)?;
    let mut drill = Drill::default();
    for step in steps_of(calm.events()) {
        let mut run = Rehearsal::begin(stage, started.clone(), at, world())?;
        // Everything else that is due goes first, so that the crash meets this step alone.
        loop {
            let work = run.work();
            let other = work.iter().position(|work| *work.intended().path.step != *step);
            match other {
                None if !work.is_empty() => break,
                other => {
                    if run.turn(|_| other.unwrap_or(0))?.is_some() {
                        return Err(format!("`{step}` was not reached a second time"));
                    }
                }
            }
        }
        let place = format!("crash after `{step}`");
        run.crash(|intended| *intended.path.step == *step)
            .map_err(|why| format!("{place}: {why}"))?;
        drill.crashes += 1;
        compare(&mut drill, &calm, run, &place)?;
    }
    Ok(drill)
}

/// Lets every step fail for good in turn. Afterwards the run is over, each of its steps is
/// settled, and `finally` was reached.
///
/// # Errors
/// What did not hold, and where.
pub fn every_step_failed<W: World>(
    stage: Stage<'_>,
    started: &Started,
    at: Timestamp,
    world: impl Fn() -> W,
) -> Result<Drill, String> {
    let calm = undisturbed(stage, started, at, &world)?;
    let mut drill = Drill::default();
    for step in steps_of(calm.events()) {
        let inner = world();
        let failing = FailingAt {
            step: step.clone(),
            inner,
        };
        let mut run = Rehearsal::begin(stage, started.clone(), at, failing)?;
        let end = run.to_end().map_err(|why| format!("`{step}` fails: {why}"))?;
        drill.runs += 1;
        drill.failures += 1;
        if !matches!(end, End::Over(_)) {
            return Err(format!("`{step}` fails: the run does not end"));
        }
    }
    Ok(drill)
}

fn undisturbed<'a, W: World>(
    stage: Stage<'a>,
    started: &Started,
    at: Timestamp,
    world: &impl Fn() -> W,
) -> Result<Rehearsal<'a, W>, String> {
    let mut run = Rehearsal::begin(stage, started.clone(), at, world())?;
    run.to_end()?;
    Ok(run)
}

/// Steps that were performed, in order.
fn steps_of(events: &[Recorded]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            // People answer a question; the world has nothing to do for it.
            Event::Intended(intended) if intended.action != ASK_HUMAN => Some(intended.path.step.to_string()),
            _ => None,
        })
        .filter(|step| seen.insert(step.clone()))
        .collect()
}

/// Plays a disturbed run to its end and compares it with the undisturbed one.
fn compare<W: World>(
    drill: &mut Drill,
    calm: &Rehearsal<'_, W>,
    mut run: Rehearsal<'_, W>,
    place: &str,
) -> Result<(), String> {
    let end = run.to_end().map_err(|why| format!("{place}: {why}"))?;
    drill.runs += 1;
    for applied in run.world.ledger().applied.values() {
        let repeatable = applied.recovery.repeatable();
        if applied.times > 1 && !repeatable {
            let times = applied.times;
            return Err(format!(
                "{place}: `{}` ({}) was done {times} times",
                applied.path, applied.action
            ));
        }
    }
    let unknown = run
        .events()
        .iter()
        .any(|recorded| matches!(recorded.event, Event::OutcomeUnknown { .. }));
    if unknown {
        drill.unknown += 1;
        return Ok(());
    }
    if end != End::Over(calm.run().status()) {
        return Err(format!(
            "{place}: it ended {end:?}, undisturbed {:?}",
            calm.run().status()
        ));
    }
    let (effects, expected) = (paths(run.world.ledger()), paths(calm.world.ledger()));
    if effects == expected {
        Ok(())
    } else {
        Err(format!("{place}: effects {effects:?}, undisturbed {expected:?}"))
    }
}

fn paths(ledger: &Ledger) -> BTreeSet<&str> {
    ledger
        .applied
        .values()
        .map(|applied| applied.path.as_str())
        .collect()
}

/// A world in which one step fails for good.
#[derive(Debug)]
struct FailingAt<W> {
    step: String,
    inner: W,
}

impl<W: World> World for FailingAt<W> {
    fn perform(&mut self, intended: &Intended) -> Outcome {
        if *intended.path.step != *self.step {
            return self.inner.perform(intended);
        }
        Outcome::Failed {
            kind: ErrorKind::Rejected,
            detail: "the drill lets it fail".to_owned(),
            not_sent: true,
            retry_after: None,
        }
    }
    fn probe(&mut self, intended: &Intended) -> ProbeAnswer {
        self.inner.probe(intended)
    }
    fn ledger(&self) -> &Ledger {
        self.inner.ledger()
    }
}
