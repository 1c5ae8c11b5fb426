//! One test of a playbook, played: from its alerts to what came of them, in virtual time.
//!
//! Owns the order of what happens in a test. The order in which calls come back is drawn from a
//! number, so that a test that passes by luck is found and can be played again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use playbooks::duration::Span;
use playbooks::incident::Incident;
use playbooks::trial::{Trial, TrialFile, TrialMode};
use serde_json::Value;
use state::access::{Actor, Channel};
use state::event::{Event, Mode, Outcome, Recorded, SkipCause, Started, StartedBy};
use state::ids::RunId;

use super::coverage::Coverage;
use super::mocked::{Compute, Effect, MockedWorld};
use super::{Drill, Rehearsal, Stage, TURNS_MAX, crash_everywhere};
use crate::backoff::later;
use crate::run::StepReport;
use crate::start::{Match, StartRefusal, StartRequest, matches, start};
use crate::words;

/// Runs of one test that are played. A `replay` that starts more proves that its `once_per` is
/// wrong, and says so.
pub const RUNS_PLAYED_MAX: usize = 100;

/// What a test is played in.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The playbook and the operator's side; the playbook is turned on.
    pub stage: Stage<'a>,
    /// The incident, with its reference; none for playbooks that work without.
    pub incident: Option<&'a Incident>,
    /// The file of the test.
    pub file: &'a TrialFile,
    /// The test.
    pub trial: &'a Trial,
    /// How what only computes is computed.
    pub compute: Compute<'a>,
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene")
            .field("stage", &self.stage)
            .field("trial", &self.trial.name.value)
            .finish_non_exhaustive()
    }
}

/// What came of a test.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// Why no run was started, if none was.
    pub refusal: Option<String>,
    /// How the last run stands: a word of `playbooks::trial::STATUSES`.
    pub status: &'static str,
    /// Outputs of the last run.
    pub outputs: BTreeMap<String, Value>,
    /// Effects of all runs, in order.
    pub effects: Vec<Effect>,
    /// Steps of the last run.
    pub steps: Vec<StepReport>,
    /// From the start of the last run to its end.
    pub advanced: Span,
    /// Runs that were started.
    pub runs: u32,
    /// Alerts that joined a run.
    pub attached: u32,
    /// Reads without a mock that were reached.
    pub unmocked: Vec<String>,
    /// A `crash_after` whose step was not reached.
    pub crash_missed: bool,
    /// What was reached.
    pub coverage: Coverage,
    /// The events of the last run.
    pub events: Vec<Recorded>,
}

impl Played {
    /// After how long the effects of a step end by themselves, each length once.
    pub(super) fn ends_of(&self, step: &str) -> Vec<Span> {
        let mut ends: Vec<Span> = Vec::new();
        for recorded in &self.events {
            let Event::Intended(intended) = &recorded.event else {
                continue;
            };
            if *intended.path.step != *step || intended.path.undo || intended.attempt != 1 {
                continue;
            }
            let end = intended.until.map(|until| spent(recorded.at, until));
            ends.extend(end.filter(|end| !ends.contains(end)));
        }
        ends
    }

    /// Steps whose effects were taken back, each once, in file order.
    pub(super) fn undone(&self) -> Vec<&str> {
        let taken_back = |step: &StepReport| {
            self.events.iter().any(|recorded| match &recorded.event {
                Event::Finished {
                    path,
                    outcome: Outcome::Succeeded { .. },
                    ..
                } => path.undo && *path.step == *step.id,
                _ => false,
            })
        };
        let steps = self.steps.iter().filter(|step| taken_back(step));
        steps.map(|step| step.id.as_str()).collect()
    }

    /// Why a step, or items of it, were refused or skipped, in all detail that is recorded.
    pub(super) fn causes_of(&self, step: &str) -> Vec<String> {
        let causes = self.events.iter().filter_map(|recorded| match &recorded.event {
            Event::Refused { path, detail, .. } if *path.step == *step => Some(detail.clone()),
            Event::Skipped { path, cause } if *path.step == *step => Some(match cause {
                SkipCause::IfFalse { condition, because } => {
                    let short = format!("{condition} was false");
                    format!("if: {}", because.as_ref().unwrap_or(&short))
                }
                other => words::skip_cause(other),
            }),
            _ => None,
        });
        causes.collect()
    }
}

/// A small generator (SplitMix64): the same number gives the same order for ever.
#[derive(Debug)]
struct Schedule(u64);

impl Schedule {
    fn pick(&mut self, from: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let from = u64::try_from(from.max(1)).unwrap_or(1);
        usize::try_from(mixed % from).unwrap_or(0)
    }
}

/// Plays a test in one order of answers.
///
/// # Errors
/// What must always hold in a run and did not, in words.
pub fn play(scene: Scene<'_>, seed: u64) -> Result<Played, String> {
    let mut played = Played {
        status: "refused",
        ..Played::default()
    };
    let starts = match starts(scene, &mut played) {
        Ok(starts) => starts,
        Err(refusal) => {
            played.refusal = Some(refusal);
            return Ok(played);
        }
    };
    let mut schedule = Schedule(seed);
    for (at, started) in starts {
        one_run(scene, at, started, &mut schedule, &mut played)?;
    }
    played.unmocked.sort();
    played.unmocked.dedup();
    Ok(played)
}

/// Plays a test once for every place at which the host can die. See
/// [`crash_everywhere`](super::crash_everywhere).
///
/// # Errors
/// What did not hold, and where.
pub fn crash(scene: Scene<'_>) -> Result<Drill, String> {
    let mut drill = Drill::default();
    let Ok(starts) = starts(scene, &mut Played::default()) else {
        return Ok(drill);
    };
    for (at, started) in starts {
        let world = || world(scene, &started);
        let one = crash_everywhere(scene.stage, &started, at, world)?;
        drill.runs += one.runs;
        drill.crashes += one.crashes;
        drill.unknown += one.unknown;
    }
    Ok(drill)
}

fn world<'a>(scene: Scene<'a>, started: &Started) -> MockedWorld<'a> {
    let mocks = scene.file.mocks(scene.trial);
    let approvals = scene.file.approvals(scene.trial);
    MockedWorld::new(
        scene.stage.catalog,
        mocks,
        approvals,
        scene.compute,
        started.clone(),
    )
}

/// The runs of a test with their times, or why there is none.
type Starts = Result<Vec<(Timestamp, Started)>, String>;

/// Which runs start, and when.
fn starts(scene: Scene<'_>, played: &mut Played) -> Starts {
    let clock = scene.file.clock(scene.trial);
    let Some(replay) = &scene.trial.replay else {
        return one_start(scene, scene.incident, clock, 0)
            .inspect(|_| played.runs = 1)
            .map(|started| vec![(clock, started)])
            .map_err(|refusal| refusal.to_string());
    };
    let Some(incident) = scene.incident else {
        return Err("`replay` needs an incident".to_owned());
    };
    let mut begun: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut starts = Vec::new();
    let step = replay.over.as_milliseconds() / i64::from(replay.times);
    for number in 0..replay.times {
        let at = later(clock, Span::milliseconds(step.saturating_mul(i64::from(number))));
        let mut incident = incident.clone();
        incident.received_at = at;
        let stage = scene.stage;
        let once = match matches(stage.plan, &incident, stage.entity, &stage.operator.organisation) {
            Match::Yes { once } => once,
            Match::No { why } => return Err(why),
        };
        if let Some(once) = once {
            let counts = |first: &Timestamp| at < later(*first, once.within);
            if begun.get(&once.key).is_some_and(counts) {
                played.attached += 1;
                continue;
            }
            begun.insert(once.key, at);
        }
        played.runs += 1;
        if starts.len() < RUNS_PLAYED_MAX {
            match one_start(scene, Some(&incident), at, number) {
                Ok(started) => starts.push((at, started)),
                Err(refusal) => return Err(refusal.to_string()),
            }
        }
    }
    Ok(starts)
}

fn one_start(
    scene: Scene<'_>,
    incident: Option<&Incident>,
    at: Timestamp,
    number: u32,
) -> Result<Started, StartRefusal> {
    let precondition = |why: String| StartRefusal::Precondition(why);
    let incident = match incident {
        Some(incident) => Some((
            incident
                .reference
                .parse()
                .map_err(|why: state::ids::BadId| precondition(format!("the incident's ref: {why}")))?,
            incident,
        )),
        None => None,
    };
    let by_hand = scene.file.started_by(scene.trial);
    let request = StartRequest {
        run: RunId::from_parts(
            u64::try_from(at.as_millisecond()).unwrap_or(0),
            u128::from(number) + 1,
        ),
        incident,
        inputs: scene.file.inputs(scene.trial),
        by: by_hand.map_or(StartedBy::Trigger, |_| StartedBy::Hand),
        actor: by_hand.map_or_else(Actor::engine, |name| Actor {
            name: format!("person:{name}"),
            channel: Channel::Terminal,
        }),
        mode: match scene.file.mode(scene.trial) {
            TrialMode::Auto | TrialMode::Suggest => Mode::Auto,
            TrialMode::Shadow => Mode::Simulate,
        },
    };
    start(scene.stage.plan, request, &scene.stage.at(at))
}

/// Plays one run to its end and adds what came of it.
fn one_run(
    scene: Scene<'_>,
    at: Timestamp,
    started: Started,
    schedule: &mut Schedule,
    played: &mut Played,
) -> Result<(), String> {
    let world = world(scene, &started);
    let mut rehearsal = Rehearsal::begin(scene.stage, started, at, world)?;
    if let Some(step) = &scene.trial.crash_after {
        played.crash_missed = !crash_after(&mut rehearsal, &step.value, schedule)?;
    }
    let mut turns = 0;
    while rehearsal.turn(|due| schedule.pick(due))?.is_none() {
        turns += 1;
        if turns > TURNS_MAX {
            return Err(format!("the run did not end within {TURNS_MAX} commands"));
        }
    }
    played.status = rehearsal.run().status().word();
    played.steps = rehearsal.run().steps(scene.stage.plan);
    played.advanced = spent(at, rehearsal.now());
    played.effects.extend(rehearsal.world.effects().cloned());
    played.effects.extend(simulated(rehearsal.events()));
    played.unmocked.extend_from_slice(rehearsal.world.unmocked());
    played.coverage.add(&scene.stage, &rehearsal);
    played.events = rehearsal.events().to_vec();
    played.outputs = rehearsal
        .events()
        .last()
        .and_then(|last| match &last.event {
            Event::Closed { outputs, .. } => Some(outputs.clone()),
            _ => None,
        })
        .unwrap_or_default();
    Ok(())
}

/// Lets the host die once, when a step was done and its outcome is not stored. Everything else that
/// is due goes first. Says whether the step was reached.
fn crash_after(
    rehearsal: &mut Rehearsal<'_, MockedWorld<'_>>,
    step: &str,
    schedule: &mut Schedule,
) -> Result<bool, String> {
    for _ in 0..TURNS_MAX {
        let work = rehearsal.work();
        let others: Vec<usize> = (0..work.len())
            .filter(|index| {
                work.get(*index)
                    .is_some_and(|work| *work.intended().path.step != *step)
            })
            .collect();
        if others.is_empty() && !work.is_empty() {
            rehearsal.crash(|intended| *intended.path.step == *step)?;
            return Ok(true);
        }
        let chosen = others.get(schedule.pick(others.len())).copied().unwrap_or(0);
        if rehearsal.turn(|_| chosen)?.is_some() {
            return Ok(false);
        }
    }
    Err(format!("the run did not end within {TURNS_MAX} commands"))
}

fn spent(from: Timestamp, to: Timestamp) -> Span {
    let spent = SignedDuration::as_millis(&to.duration_since(from));
    Span::milliseconds(i64::try_from(spent).unwrap_or(i64::MAX))
}

/// The effects that a shadow run would have had.
pub(super) fn simulated(events: &[Recorded]) -> Vec<Effect> {
    let intended = |wanted: &state::ids::Path| {
        events.iter().rev().find_map(|recorded| match &recorded.event {
            Event::Intended(intended) if intended.path == *wanted => Some(intended),
            _ => None,
        })
    };
    events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Finished {
                path,
                outcome: Outcome::Simulated { .. },
                ..
            } => intended(path),
            _ => None,
        })
        .map(|intended| Effect {
            path: intended.path.to_string(),
            action: intended.action.clone(),
            undo: false,
            arguments: intended.arguments.clone(),
            times: 1,
        })
        .collect()
}
