//! What happened in a test, event by event.

use jiff::Timestamp;
use state::event::{Event, Outcome as Happened};

use crate::cli::Session;
use crate::cli::exit_code::Exit;
use crate::cli::terminal::safe;
use crate::trials::{Outcome, Report};

/// Characters of one value in a line.
const VALUE_CHARS_MAX: usize = 160;

pub(super) fn print(session: &Session, report: &Report, test: &Outcome) -> Result<(), Exit> {
    let Some(first) = test.trace.first() else {
        return Ok(());
    };
    let terminal = &session.terminal;
    terminal.line("")?;
    terminal.line(format!(" {}: {}", safe(&report.playbook), safe(&test.name)))?;
    for recorded in &test.trace {
        let after = after(first.at, recorded.at);
        terminal.line(format!("   {after:>8}  {}", safe(&line(&recorded.event))))?;
    }
    Ok(())
}

fn after(from: Timestamp, to: Timestamp) -> String {
    let spent = i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX);
    format!("+{}", playbooks::duration::Span::milliseconds(spent))
}

fn line(event: &Event) -> String {
    match event {
        Event::Started(started) => format!("started {} v{}", started.playbook.id, started.playbook.version),
        Event::LetSettled { name, value, absent } => match (value, absent) {
            (Some(value), _) => format!("let {name} = {}", cut(&value.to_string())),
            (None, absent) => format!("let {name} is absent: {}", absent.as_deref().unwrap_or("")),
        },
        Event::Expanded { step, items } => format!("{step} has {} items", items.len()),
        Event::Skipped { path, cause } => {
            format!("{path} skipped: {}", cut(&web::timeline::skip_note(cause)))
        }
        Event::Refused { path, detail, .. } => format!("{path} refused: {detail}"),
        Event::Intended(intended) => format!(
            "{} {} {}",
            intended.path,
            intended.action,
            cut(&intended.arguments.to_string())
        ),
        Event::Finished { path, outcome, .. } => match outcome {
            Happened::Succeeded { output, .. } | Happened::Simulated { output } => {
                format!("{path} gave {}", cut(&output.to_string()))
            }
            Happened::Failed { kind, detail, .. } => format!("{path} failed ({}): {detail}", kind.word()),
        },
        Event::Failing { step, error } => {
            format!("the run is failing: {} {error}", step.as_deref().unwrap_or(""))
        }
        Event::Closed { status, summary, .. } => format!("closed {}: {summary}", status.word()),
        other => cut(&serde_json::to_string(other).unwrap_or_default()),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(VALUE_CHARS_MAX - 1).chain(['…']).collect()
}
