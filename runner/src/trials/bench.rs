//! The order of a test run: read, check, set up, play in several orders, compare.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use actions::clock::Clock;
use actions::registry::{Registry, Route};
use engine::rehearsal::{
    Compute, Coverage, Difference, Played, Scene, Stage, crash, differences, play, same_effects,
};
use playbooks::action_spec::Catalog;
use playbooks::diagnostic::{Diagnostic, Level, Source};
use playbooks::operator::{Entity, Operator};
use playbooks::plan::Plan;
use playbooks::trial::{Trial, TrialFile, check, unreached};
use serde_json::Value;
use state::event::{Intended, Outcome as Happened, Started};

use super::incident::{self, Files, Folder};
use super::{Covered, Failure, ORDERS, Outcome, Report, TestFile, scenery};
use crate::library::{self, Compiled, LibraryError};

/// What is asked of a test run.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The project's operator, when there is a project.
    pub operator: Option<&'a Operator>,
    /// The actions that are built.
    pub registry: &'a Registry,
    /// The clock that measures how long it took; tests have their own.
    pub clock: &'a dyn Clock,
    /// Only tests whose name holds this.
    pub pattern: Option<&'a str>,
    /// The number from which the orders of answers are drawn.
    pub seed: u64,
    /// Whether the host also dies after every event of every test.
    pub crash: bool,
    /// Whether events are kept.
    pub trace: bool,
}

/// Plays files of tests, one report a file. Must be called within a runtime of several threads: what
/// only computes is asked there.
///
/// # Errors
/// A file that cannot be read.
pub fn play_all(files: &[TestFile], ask: Ask<'_>) -> Result<Vec<Report>, LibraryError> {
    let played: Result<Vec<Report>, LibraryError> = files.iter().map(|file| play_file(file, ask)).collect();
    let mut reports = played?;
    put_together(&mut reports);
    Ok(reports)
}

/// What several files reach of one playbook is told with the first of them; effects that no test
/// reaches are found there.
fn put_together(reports: &mut [Report]) {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for index in 0..reports.len() {
        let Some(covered) = reports.get_mut(index).and_then(|report| report.coverage.take()) else {
            continue;
        };
        let at = *first.entry(covered.source.name.to_string()).or_insert(index);
        if let Some(report) = reports.get_mut(at) {
            match &mut report.coverage {
                Some(known) => known.coverage.merge(&covered.coverage),
                none => *none = Some(covered),
            }
        }
    }
    for report in reports {
        if let Some(covered) = &report.coverage {
            let reached = |step: &str| covered.coverage.reached(step);
            let found = unreached(&covered.source, &covered.document, &covered.plan, reached);
            report.findings.extend(found);
        }
    }
}

/// What is wrong with the tests beside a playbook, as far as it shows without playing them. A file
/// that cannot be read is a finding as well.
pub fn check_beside(compiled: &Compiled, catalog: &dyn Catalog) -> Vec<Diagnostic> {
    let Some(file) = TestFile::beside(Path::new(&compiled.bundle.name)) else {
        return Vec::new();
    };
    let name = file.tests.display().to_string();
    let source = match library::read_text(&file.tests) {
        Ok(text) => Source::new(name, text),
        Err(error) => {
            let source = Source::new(name, "");
            return vec![Diagnostic::error("PB101", &source, 0..0, error.to_string())];
        }
    };
    match TrialFile::read(&source) {
        (Some(mut trials), findings) if findings.is_empty() => {
            let plan = Some(&compiled.plan).filter(|plan| plan.id == trials.playbook.value);
            check(&source, &mut trials, plan, catalog)
        }
        (_, findings) => findings,
    }
}

fn play_file(file: &TestFile, ask: Ask<'_>) -> Result<Report, LibraryError> {
    let begun = ask.clock.elapsed();
    let source = Source::new(file.tests.display().to_string(), library::read_text(&file.tests)?);
    let (trials, findings) = TrialFile::read(&source);
    let mut report = Report {
        playbook: trials
            .as_ref()
            .map(|trials| trials.playbook.value.clone())
            .unwrap_or_default(),
        source,
        findings,
        tests: Vec::new(),
        coverage: None,
        milliseconds: 0,
    };
    if let (Some(trials), true) = (trials, report.findings.is_empty()) {
        play_trials(file, trials, ask, &mut report)?;
    }
    report.milliseconds = since(ask.clock, begun);
    Ok(report)
}

fn play_trials(
    file: &TestFile,
    mut trials: TrialFile,
    ask: Ask<'_>,
    report: &mut Report,
) -> Result<(), LibraryError> {
    let mut plan = None;
    let playbook = file.playbook_of(&trials.playbook.value);
    if playbook.is_file() {
        let loaded = library::load(std::slice::from_ref(&playbook), ask.registry, ask.operator)?;
        let mut compiled = loaded.compiled;
        plan = compiled.pop();
        if plan.is_none() {
            let errors = loaded.diagnostics.into_iter();
            report
                .findings
                .extend(errors.filter(|found| found.level == Level::Error));
            return Ok(());
        }
    }
    let compiled = plan.filter(|compiled| compiled.plan.id == trials.playbook.value);
    let plan = compiled.as_ref().map(|compiled| &compiled.plan);
    report.findings = check(&report.source, &mut trials, plan, ask.registry);
    let Some(compiled) = compiled.filter(|_| report.findings.is_empty()) else {
        return Ok(());
    };
    let folder = Folder {
        path: file.tests.parent().unwrap_or(Path::new(".")),
        source: &report.source,
    };
    let mut coverage = Coverage::default();
    let mut all = true;
    for trial in &trials.trials {
        if ask
            .pattern
            .is_some_and(|wanted| !trial.name.value.contains(wanted))
        {
            all = false;
            continue;
        }
        let (outcome, reached) = play_one(&compiled.plan, &trials, trial, &folder, ask);
        coverage.merge(&reached);
        report.tests.push(outcome);
    }
    if all {
        let source = compiled.bundle.source();
        let document = playbooks::yaml::read(&source)
            .ok()
            .and_then(|root| playbooks::document::read(&source, &root).0);
        report.coverage = document.map(|document| Covered {
            coverage,
            plan: compiled.plan,
            document,
            source,
        });
    }
    Ok(())
}

fn play_one(
    plan: &Plan,
    file: &TrialFile,
    trial: &Trial,
    folder: &Folder<'_>,
    ask: Ask<'_>,
) -> (Outcome, Coverage) {
    let begun = ask.clock.elapsed();
    let mut outcome = Outcome {
        name: trial.name.value.clone(),
        line: folder.source.line_column(trial.name.place.start).0,
        failures: Vec::new(),
        crashes: 0,
        trace: Vec::new(),
        milliseconds: 0,
    };
    let mut coverage = Coverage::default();
    match set_up(plan, file, trial, folder, ask) {
        Err(finding) => outcome.failures.push(Failure::Unusable(finding)),
        Ok(set) => {
            let compute =
                |started: &Started, intended: &Intended| set.compute(ask.registry, started, intended);
            let scene = Scene {
                stage: Stage {
                    plan,
                    operator: &set.operator,
                    entity: &set.entity,
                    catalog: ask.registry,
                },
                incident: set.incident.as_ref(),
                file,
                trial,
                compute: &compute,
            };
            played(scene, ask, &mut outcome, &mut coverage);
        }
    }
    outcome.milliseconds = since(ask.clock, begun);
    (outcome, coverage)
}

/// Plays a test in several orders, and with crashes when they are asked for.
fn played(scene: Scene<'_>, ask: Ask<'_>, outcome: &mut Outcome, coverage: &mut Coverage) {
    let mut orders: Vec<Played> = Vec::new();
    for order in 0..ORDERS {
        match play(scene, number(ask.seed, &scene.trial.name.value, order)) {
            Ok(played) => orders.push(played),
            Err(why) => {
                outcome.failures.push(Failure::Broken(why));
                return;
            }
        }
    }
    let Some(first) = orders.first() else {
        return;
    };
    if !first.unmocked.is_empty() {
        outcome.failures.push(Failure::Unmocked(first.unmocked.clone()));
    }
    if first.crash_missed
        && let Some(step) = &scene.trial.crash_after
    {
        outcome.failures.push(Failure::NotReached(step.value.clone()));
    }
    outcome.failures.extend(judged(scene.trial, &orders));
    if ask.crash {
        match crash(scene) {
            Ok(drill) => outcome.crashes = drill.crashes,
            Err(why) => outcome.failures.push(Failure::Broken(why)),
        }
    }
    for played in &orders {
        coverage.merge(&played.coverage);
    }
    if ask.trace
        && let Some(first) = orders.into_iter().next()
    {
        outcome.trace = first.events;
    }
}

/// What is not as expected, in the first order in which something is not.
fn judged(trial: &Trial, orders: &[Played]) -> Vec<Failure> {
    let differing = orders
        .iter()
        .map(|played| differences(&trial.expect, played))
        .find(|found| !found.is_empty());
    if let Some(found) = differing {
        return found.into_iter().map(Failure::Difference).collect();
    }
    let between: Option<Difference> = match orders {
        [first, rest @ ..] => rest.iter().find_map(|other| same_effects(first, other)),
        [] => None,
    };
    between.into_iter().map(Failure::Difference).collect()
}

/// The number of one order of one test: the same whichever tests are played with it.
fn number(seed: u64, name: &str, order: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed;
    let bytes = name.bytes().chain(order.to_le_bytes());
    bytes.fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn since(clock: &dyn Clock, begun: std::time::Duration) -> u64 {
    let spent = clock.elapsed().saturating_sub(begun);
    u64::try_from(spent.as_millis()).unwrap_or(u64::MAX)
}

/// What stands around one test.
struct Set {
    operator: Operator,
    entity: Entity,
    shared_entity: Arc<Entity>,
    shared_operator: Arc<Operator>,
    incident: Option<playbooks::incident::Incident>,
    files: Files,
}

fn set_up(
    plan: &Plan,
    file: &TrialFile,
    trial: &Trial,
    folder: &Folder<'_>,
    ask: Ask<'_>,
) -> Result<Set, Box<Diagnostic>> {
    let layers = file.entity(trial);
    let mode = file.mode(trial);
    let (operator, entity) = scenery::set(ask.operator, plan, &layers, mode, ask.registry, folder)?;
    let now = file.clock(trial);
    let (incident, files) = incident::of(&file.incident(trial), plan, &entity, now, folder)?;
    Ok(Set {
        shared_entity: Arc::new(entity.clone()),
        shared_operator: Arc::new(operator.clone()),
        operator,
        entity,
        incident,
        files,
    })
}

/// Plays one test once.
pub(super) fn once(
    plan: &Plan,
    file: &TrialFile,
    trial: &Trial,
    folder: &Folder<'_>,
    ask: Ask<'_>,
) -> Result<Played, String> {
    let set = set_up(plan, file, trial, folder, ask).map_err(|finding| finding.message)?;
    let compute = |started: &Started, intended: &Intended| set.compute(ask.registry, started, intended);
    let scene = set.scene(plan, file, trial, ask.registry, &compute);
    play(scene, number(ask.seed, &trial.name.value, 0))
}

impl Set {
    fn scene<'a>(
        &'a self,
        plan: &'a Plan,
        file: &'a TrialFile,
        trial: &'a Trial,
        catalog: &'a dyn Catalog,
        compute: Compute<'a>,
    ) -> Scene<'a> {
        Scene {
            stage: Stage {
                plan,
                operator: &self.operator,
                entity: &self.entity,
                catalog,
            },
            incident: self.incident.as_ref(),
            file,
            trial,
            compute,
        }
    }

    /// Does what only computes, here and now: the engine asks for it in the middle of a decision.
    fn compute(&self, registry: &Registry, started: &Started, intended: &Intended) -> Happened {
        let facts: Arc<Value> = Arc::new(started.facts.clone());
        let call = crate::dispatch::perform::call(
            started,
            intended,
            self.incident
                .as_ref()
                .map_or(jiff::Timestamp::UNIX_EPOCH, |incident| incident.received_at),
            &self.shared_entity,
            &self.shared_operator,
            &facts,
        );
        let route = Route::in_the_house();
        let asked = registry.perform(&call, &route, &self.files);
        let runtime = tokio::runtime::Handle::current();
        match tokio::task::block_in_place(|| runtime.block_on(asked)) {
            Ok(done) => Happened::Succeeded {
                output: done.output,
                reference: done.reference,
            },
            Err(error) => Happened::Failed {
                kind: error.kind,
                detail: error.detail,
                not_sent: error.not_sent,
                retry_after: error.retry_after,
            },
        }
    }
}
