//! `sortie simulate`: what a playbook would have done about incidents of the past, and what
//! another edition of it would do differently.

use std::collections::BTreeMap;
use std::path::Path;

use web::operations::Myself;
use web::view::Versioned;
use web::view::simulation::{AskSimulation, Edition, EffectLine, Foresight, SimulatedIncident, Simulation};

use super::arguments::{Output, Simulate};
use super::exit_code::Exit;
use super::terminal::{column, counted, fit, safe};
use super::{Session, id, print};
use crate::library;

/// Longest text of what an effect is done with, in characters.
const ARGUMENTS_CHARACTERS_MAX: usize = 160;
/// Columns of references of incidents.
const REFERENCE_COLUMNS: usize = 16;
/// Reads without an answer that are named for one incident.
const READS_SHOWN_MAX: usize = 3;

/// `sortie simulate`.
pub(crate) async fn simulate(session: &Session, arguments: &Simulate) -> Result<Exit, Exit> {
    let ask = ask(session, arguments)?;
    let connected = session.connect().await?;
    let told = connected
        .operations()
        .simulate(&Myself, &arguments.playbook, ask)
        .await;
    connected.rest().await;
    let told = told.map_err(|error| session.failed(&error))?;
    if session.output != Output::Table {
        print::one(&session.terminal, session.output, &Versioned::new(told))?;
        return Ok(Exit::Yes);
    }
    for line in lines(&told) {
        session.terminal.line(line)?;
    }
    if told.left_out > 0 {
        session.terminal.say(format!(
            "{} older incidents are left out; narrow it with --entity or --last",
            told.left_out
        ));
    }
    Ok(Exit::Yes)
}

fn ask(session: &Session, arguments: &Simulate) -> Result<AskSimulation, Exit> {
    let complain = |why: String| {
        session.terminal.complain(why);
        Exit::Usage
    };
    let editions = match &arguments.diff {
        None => Vec::new(),
        Some(text) => {
            let (before, after) = halves(text).ok_or_else(|| {
                complain(format!(
                    "--diff `{}` is not BEFORE..AFTER, as in 3..4 or current..playbooks/draft.yaml",
                    safe(text)
                ))
            })?;
            vec![
                edition(before).map_err(complain)?,
                edition(after).map_err(complain)?,
            ]
        }
    };
    let since = arguments.since.as_deref().map(str::parse).transpose();
    Ok(AskSimulation {
        incident: arguments
            .incident
            .as_deref()
            .map(|text| id(session, text))
            .transpose()?,
        last: arguments.last,
        since: since.map_err(|_| complain("--since wants a span, such as 7d or 12h".to_owned()))?,
        entity: arguments
            .entity
            .as_deref()
            .map(|text| id(session, text))
            .transpose()?,
        editions,
    })
}

/// Both sides of `BEFORE..AFTER`; a path may begin with `../`.
fn halves(text: &str) -> Option<(&str, &str)> {
    let splits = text.match_indices("..").filter_map(|(at, dots)| {
        let (before, after) = (text.get(..at)?, text.get(at + dots.len()..)?);
        let inside = before.is_empty() || before.ends_with('/');
        (!inside && !after.is_empty()).then_some((before, after))
    });
    splits.into_iter().next()
}

/// An edition by its name, or a draft when it looks like a file.
fn edition(text: &str) -> Result<Edition, String> {
    let path = Path::new(text);
    if !(text.contains('/') || path.extension().is_some_and(|end| end == "yaml")) {
        return Ok(Edition::Named(text.to_owned()));
    }
    let bundle = library::bundle(path).map_err(|error| error.to_string())?;
    Ok(Edition::Draft {
        name: bundle.name,
        playbook: bundle.playbook,
        templates: bundle.templates.into_iter().collect(),
    })
}

fn lines(told: &Simulation) -> Vec<String> {
    let name = safe(&told.playbook);
    let editions: Vec<String> = told
        .editions
        .iter()
        .map(|edition| {
            let revision = edition.revision.get(..8).unwrap_or(&edition.revision);
            format!("v{} ({revision}…)", edition.version)
        })
        .collect();
    let compared = editions.len() > 1;
    let mut lines = vec![
        format!(
            " {name} {}, {}",
            editions.join(" -> "),
            counted(told.incidents.len(), "incident", "incidents")
        ),
        String::new(),
    ];
    for one in &told.incidents {
        lines.extend(if compared { differing(one) } else { alone(one) });
    }
    if !told.incidents.is_empty() {
        lines.push(String::new());
    }
    lines.extend(totals(told, compared));
    lines
}

fn head(one: &SimulatedIncident) -> String {
    format!(
        " {} {}",
        column(one.incident.as_str(), REFERENCE_COLUMNS),
        fit(&safe(&one.title), 60)
    )
}

/// What one edition would have done.
fn alone(one: &SimulatedIncident) -> Vec<String> {
    let mut lines = vec![head(one)];
    if let Some(foresight) = one.foreseen.first() {
        lines.extend(told_of(foresight));
    }
    lines
}

fn told_of(foresight: &Foresight) -> Vec<String> {
    match foresight {
        Foresight::NotStarted { why } => vec![format!("   - not started: {}", fit(&safe(why), 200))],
        Foresight::Attached { to } => vec![format!("   - joins the run of {to}")],
        Foresight::Broken { why } => vec![format!("   ! could not be played: {}", fit(&safe(why), 200))],
        Foresight::Undecided { reads } => {
            let mut lines: Vec<String> = reads
                .iter()
                .take(READS_SHOWN_MAX)
                .map(|read| format!("   ? undecided: nobody has asked {}", effect(read)))
                .collect();
            if reads.len() > READS_SHOWN_MAX {
                lines.push(format!("   ? and {} reads more", reads.len() - READS_SHOWN_MAX));
            }
            lines
        }
        Foresight::Runs {
            status,
            effects,
            refused,
        } => {
            let mut lines: Vec<String> = effects
                .iter()
                .map(|one| format!("   ~ {}", effect(one)))
                .collect();
            lines.extend(
                refused
                    .iter()
                    .map(|one| format!("   x {} refused: {}", safe(&one.place), fit(&safe(&one.why), 200))),
            );
            if lines.is_empty() {
                lines.push("   - no effects".to_owned());
            }
            if status != "succeeded" {
                lines.push(format!("   ! it would have {status}"));
            }
            lines
        }
    }
}

/// What another edition would do differently; nothing for an incident about which both agree.
fn differing(one: &SimulatedIncident) -> Vec<String> {
    let [before, after] = one.foreseen.as_slice() else {
        return Vec::new();
    };
    let mut below = Vec::new();
    below.extend(one.gained.iter().map(|line| format!("   + {}", effect(line))));
    below.extend(one.lost.iter().map(|line| format!("   - {}", effect(line))));
    for (side, foresight) in [("before", before), ("after", after)] {
        if matches!(foresight, Foresight::Undecided { .. } | Foresight::Broken { .. }) {
            below.extend(
                told_of(foresight)
                    .into_iter()
                    .map(|line| format!("{line} ({side})")),
            );
        }
    }
    if below.is_empty() {
        return below;
    }
    below.insert(0, head(one));
    below
}

/// An effect on one line: what, where, with what.
fn effect(line: &EffectLine) -> String {
    let arguments: Vec<String> = line
        .arguments
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={}", fit(&text, 60))
        })
        .collect();
    format!(
        "{}  {}",
        line.action,
        fit(&safe(&arguments.join(" ")), ARGUMENTS_CHARACTERS_MAX)
    )
}

fn totals(told: &Simulation, compared: bool) -> Vec<String> {
    let untold = |one: &&SimulatedIncident| {
        let untold =
            |told: &Foresight| matches!(told, Foresight::Undecided { .. } | Foresight::Broken { .. });
        one.foreseen.iter().any(untold)
    };
    let undecided = told.incidents.iter().filter(untold).count();
    let mut sums: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut differ = 0;
    let mut started = 0;
    for one in &told.incidents {
        differ += usize::from(!(one.gained.is_empty() && one.lost.is_empty()));
        let signed: Vec<(&str, &[EffectLine])> = match one.foreseen.as_slice() {
            _ if compared => vec![("+", &one.gained), ("-", &one.lost)],
            [Foresight::Runs { effects, .. }] => {
                started += 1;
                vec![("~", effects)]
            }
            _ => Vec::new(),
        };
        for (sign, lines) in signed {
            for line in lines {
                *sums.entry((line.action.as_str(), sign)).or_default() += 1;
            }
        }
    }
    let rest = told.incidents.len().saturating_sub(undecided);
    let mut lines = vec![if compared {
        format!(
            " {differ} differ, {} the same, {undecided} undecided",
            rest.saturating_sub(differ)
        )
    } else {
        format!(
            " {started} would run, {} would not, {undecided} undecided",
            rest.saturating_sub(started)
        )
    }];
    let sums = sums
        .iter()
        .map(|((action, sign), number)| format!(" {sign} {number} {action}"));
    lines.extend(sums);
    lines
}

#[cfg(test)]
mod tests {
    use super::halves;

    #[test]
    fn both_sides_are_found_around_paths_with_dots() {
        for (text, expected) in [
            ("3..4", Some(("3", "4"))),
            ("current..a/b.yaml", Some(("current", "a/b.yaml"))),
            ("current../srv/b.yaml", Some(("current", "/srv/b.yaml"))),
            ("current....//b.yaml", Some(("current", "..//b.yaml"))),
            ("../a.yaml..current", Some(("../a.yaml", "current"))),
            ("a/../b.yaml..3", Some(("a/../b.yaml", "3"))),
            ("3..", None),
            ("..3", None),
            ("3", None),
        ] {
            assert_eq!(halves(text), expected, "{text}");
        }
    }
}
