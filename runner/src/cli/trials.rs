//! `sortie test`: tests of playbooks, for people and for machines. No server, store or network.

use std::path::PathBuf;

use engine::rehearsal::{Coverage, Difference, Uncovered};
use playbooks::diagnostic::Level;
use serde_json::{Value, json};

use super::arguments::{Output, Test};
use super::exit_code::Exit;
use super::terminal::{counted, safe};
use super::{Session, diagnostics, junit, print};
use crate::clock::SystemClock;
use crate::trials::{Ask, Covered, Failure, Outcome, Report, find, play_all};

mod export;
mod trace;

pub(super) use self::export::export;

/// Columns of the name of a playbook, and of what is told of it.
const NAME_COLUMNS: usize = 20;
/// Columns of the key of an expectation.
const KEY_COLUMNS: usize = 17;

/// `sortie test`.
pub(crate) fn test(session: &Session, arguments: &Test) -> Result<Exit, Exit> {
    let terminal = &session.terminal;
    let registry = session.catalogue()?;
    let settings = session.settings_if_present()?;
    let playbooks = session.project.join("playbooks");
    let paths = match arguments.paths.as_slice() {
        [] if playbooks.is_dir() => vec![playbooks.clone()],
        [] => vec![session.project.clone()],
        paths => paths.to_vec(),
    };
    let unreadable = |error: crate::library::LibraryError| {
        terminal.complain(safe(&error.to_string()));
        terminal.remedy("name a file of tests, a playbook with tests beside it, or a folder");
        Exit::Usage
    };
    let files = find(&paths, &playbooks).map_err(unreadable)?;
    if files.is_empty() {
        terminal.complain("there are no tests here");
        terminal
            .remedy("write them beside a playbook: `phishing-report.yaml` and `phishing-report.test.yaml`");
        return Err(Exit::Usage);
    }
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u16>()));
    let clock = SystemClock::new();
    let ask = Ask {
        operator: settings.as_ref().map(|settings| &settings.operator),
        registry: &registry,
        clock: &clock,
        pattern: arguments.pattern.as_deref(),
        seed,
        crash: arguments.crash,
        trace: arguments.trace,
    };
    let mut reports = play_all(&files, ask).map_err(unreadable)?;
    for report in &mut reports {
        diagnostics::sort(&mut report.findings);
    }
    let played: usize = reports.iter().map(|report| report.tests.len()).sum();
    if let Some(file) = &arguments.junit {
        write(session, file, &junit::document(&reports))?;
    }
    match session.output {
        Output::Table => people(session, arguments, &reports, seed)?,
        Output::Jsonl => reports
            .iter()
            .try_for_each(|report| print::one(terminal, Output::Jsonl, &as_json(report)))?,
        output => {
            let rows: Vec<Value> = reports.iter().map(as_json).collect();
            let whole = json!({"format": "sortie.test/1", "seed": seed, "playbooks": rows});
            print::one(terminal, output, &whole)?;
        }
    }
    if played == 0
        && reports.iter().all(Report::holds)
        && let Some(pattern) = &arguments.pattern
    {
        terminal.complain(format!("no test has `{}` in its name", safe(pattern)));
        return Err(Exit::Usage);
    }
    Ok(if reports.iter().all(Report::holds) {
        Exit::Yes
    } else {
        Exit::No
    })
}

fn write(session: &Session, file: &PathBuf, text: &str) -> Result<(), Exit> {
    std::fs::write(file, text).map_err(|error| {
        session
            .terminal
            .complain(format!("cannot write {}: {error}", file.display()));
        Exit::Usage
    })
}

fn people(session: &Session, arguments: &Test, reports: &[Report], seed: u64) -> Result<(), Exit> {
    let terminal = &session.terminal;
    for report in reports {
        for found in &report.findings {
            terminal.say(diagnostics::human(found, terminal.colour, terminal.width));
            terminal.say("");
        }
    }
    for report in reports {
        terminal.line(one_line(report))?;
    }
    for report in reports {
        for test in &report.tests {
            if !test.failures.is_empty() {
                failed(session, report, test, seed)?;
            }
            if arguments.trace {
                trace::print(session, report, test)?;
            }
        }
    }
    if arguments.coverage {
        for report in reports {
            for line in report.coverage.iter().flat_map(not_covered) {
                terminal.line(line)?;
            }
        }
    }
    let tests: usize = reports.iter().map(|report| report.tests.len()).sum();
    let failed = reports
        .iter()
        .flat_map(|report| &report.tests)
        .filter(|test| !test.failures.is_empty())
        .count();
    let crashes: usize = reports
        .iter()
        .flat_map(|report| &report.tests)
        .map(|test| test.crashes)
        .sum();
    let crashed = if arguments.crash {
        format!(", {crashes} crashes")
    } else {
        String::new()
    };
    let failed = if failed == 0 {
        String::new()
    } else {
        format!(", {failed} FAILED")
    };
    let tests = counted(tests, "test", "tests");
    terminal.say(format!("{tests}{failed}{crashed}, seed {seed}"));
    Ok(())
}

/// ` phishing-report      7 ok          steps 12/12  if-sides 13/14  let-branches 6/6     41 ms`
fn one_line(report: &Report) -> String {
    let failed = report
        .tests
        .iter()
        .filter(|test| !test.failures.is_empty())
        .count();
    let ok = report.tests.len() - failed;
    let unusable = report.findings.iter().any(|found| found.level == Level::Error);
    let counts = match (unusable, failed) {
        (true, _) => "not played".to_owned(),
        (false, 0) => format!("{ok} ok"),
        (false, failed) => format!("{ok} ok  {failed} FAILED"),
    };
    let covered = report.coverage.as_ref().map(shares).unwrap_or_default();
    let name = safe(&report.playbook);
    format!(
        " {name:NAME_COLUMNS$} {counts:22} {covered:52} {:>5} ms",
        report.milliseconds
    )
}

fn shares(covered: &Covered) -> String {
    let (coverage, plan) = (&covered.coverage, &covered.plan);
    let parts = [
        ("steps", coverage.steps(plan)),
        ("if-sides", coverage.sides(plan)),
        ("let-branches", coverage.branches(plan)),
    ];
    parts
        .iter()
        .filter(|(_, (_, all))| *all > 0)
        .map(|(name, (some, all))| format!("{name} {some}/{all}"))
        .collect::<Vec<_>>()
        .join("  ")
}

fn failed(session: &Session, report: &Report, test: &Outcome, seed: u64) -> Result<(), Exit> {
    let terminal = &session.terminal;
    terminal.line("")?;
    terminal.line(format!(
        " FAILED {}: {}        {}:{}",
        safe(&report.playbook),
        safe(&test.name),
        safe(&report.source.name),
        test.line
    ))?;
    for failure in &test.failures {
        for line in words(failure, report) {
            terminal.line(format!("   {}", safe(&line)))?;
        }
    }
    let pattern = safe(&test.name).replace('\'', "'\\''");
    terminal.line(format!(
        "   replay with  sortie test {} -k '{pattern}' --seed {seed} --trace",
        safe(&report.source.name)
    ))
}

/// A failure in lines for people, not yet made safe for a terminal.
pub(super) fn words(failure: &Failure, report: &Report) -> Vec<String> {
    match failure {
        Failure::Difference(difference) => beside(difference),
        Failure::Unmocked(paths) => paths
            .iter()
            .map(|path| {
                format!(
                    "{:KEY_COLUMNS$}`{path}` reads the world and has no mock (PB503); write one under `mocks:`",
                    "mocks"
                )
            })
            .collect(),
        Failure::Unusable(finding) => {
            let (line, column) = report.source.line_column(finding.primary.place.start);
            let mut lines = vec![format!(
                "{:KEY_COLUMNS$}{} at line {line}, column {column} ({})",
                "given", finding.message, finding.code
            )];
            lines.extend(
                finding
                    .help
                    .iter()
                    .map(|help| format!("{:KEY_COLUMNS$}{help}", "")),
            );
            lines
        }
        Failure::NotReached(step) => {
            vec![format!("{:KEY_COLUMNS$}`{step}` was not reached", "crash_after")]
        }
        Failure::Broken(why) => vec![format!("{:KEY_COLUMNS$}{why}", "always")],
    }
}

/// What was expected above what came of it.
fn beside(difference: &Difference) -> Vec<String> {
    let side = |head: &str, key: &str, lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .enumerate()
            .map(|(index, line)| {
                let (key, head) = if index == 0 { (key, head) } else { ("", "") };
                format!("{key:KEY_COLUMNS$}{head:9}{line}")
            })
            .collect()
    };
    let (one, other) = match difference.key {
        // Nothing was expected here: two orders of answers did not come to the same.
        "order" => ("once", "then"),
        _ => ("expected", "got"),
    };
    let mut lines = side(one, difference.key, &difference.expected);
    lines.extend(side(other, "", &difference.got));
    lines
}

/// What no test reached, with its place in the playbook.
fn not_covered(covered: &Covered) -> Vec<String> {
    let place_of = |uncovered: &Uncovered| {
        let step = |id: &str| covered.document.steps.iter().find(|step| step.id.value == id);
        let place = match uncovered {
            Uncovered::Step(id) => step(id).map(|step| step.id.place.clone()),
            Uncovered::Side(id, _) => {
                step(id).and_then(|step| step.condition.as_ref().map(playbooks::document::Cel::place))
            }
            Uncovered::Branch(name, part) => covered
                .document
                .lets
                .iter()
                .find(|named| named.name.value == *name)
                .map(|named| named.cel.place_of(&covered.source, part.clone())),
        };
        place.unwrap_or(0..0)
    };
    covered
        .coverage
        .uncovered(&covered.plan)
        .iter()
        .map(|uncovered| {
            let place = place_of(uncovered);
            let (line, column) = covered.source.line_column(place.start);
            let what = match uncovered {
                Uncovered::Step(id) => format!("step `{id}` never ran"),
                Uncovered::Side(id, side) => format!("`if` of `{id}` was never {side}"),
                Uncovered::Branch(name, part) => format!(
                    "branch of `{name}` never taken: {}",
                    covered
                        .plan
                        .lets
                        .get(name)
                        .and_then(|definition| definition.expression.source().get(part.clone()))
                        .unwrap_or_default()
                ),
            };
            format!(
                " not covered  {}:{line}:{column}  {}",
                safe(&covered.source.name),
                safe(&what)
            )
        })
        .collect()
}

fn as_json(report: &Report) -> Value {
    let tests: Vec<Value> = report
        .tests
        .iter()
        .map(|test| {
            let failures: Vec<Value> = test
                .failures
                .iter()
                .map(|failure| match failure {
                    Failure::Difference(one) => {
                        json!({"key": one.key, "expected": one.expected, "got": one.got})
                    }
                    other => json!({"key": kind(other), "got": words(other, report)}),
                })
                .collect();
            json!({
                "name": test.name, "line": test.line, "ok": test.failures.is_empty(),
                "failures": failures, "crashes": test.crashes, "milliseconds": test.milliseconds,
                "events": test.trace,
            })
        })
        .collect();
    let coverage = report.coverage.as_ref().map(|covered| {
        let (coverage, plan): (&Coverage, _) = (&covered.coverage, &covered.plan);
        let share = |(some, all): (usize, usize)| json!({"reached": some, "all": all});
        json!({
            "steps": share(coverage.steps(plan)), "if_sides": share(coverage.sides(plan)),
            "let_branches": share(coverage.branches(plan)),
            "not_covered": not_covered(covered).iter().map(|line| line.trim()).collect::<Vec<_>>(),
        })
    });
    json!({
        "playbook": report.playbook, "file": &*report.source.name, "ok": report.holds(),
        "findings": diagnostics::as_json(&report.findings), "tests": tests, "coverage": coverage,
        "milliseconds": report.milliseconds,
    })
}

/// The word of a failure that is no difference.
pub(super) fn kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Difference(difference) => difference.key,
        Failure::Unmocked(_) => "mocks",
        Failure::Unusable(_) => "given",
        Failure::NotReached(_) => "crash_after",
        Failure::Broken(_) => "always",
    }
}
