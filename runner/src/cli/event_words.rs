//! Events of a run in words, one line each, for the audit trail on the terminal.
//!
//! Owns phrasing only. `--json` has everything.

use serde_json::Value;
use state::event::{Event, Inquiry, Outcome, Recorded, Settlement, Started, StartedBy, Subject, Told};
use state::ids::Path;

use super::terminal::spent;

/// One event in words.
pub(super) fn sentence(recorded: &Recorded) -> String {
    match &recorded.event {
        Event::Started(started) => begun(started),
        Event::LetSettled {
            name,
            value: Some(value),
            ..
        } => format!("{name} = {}", short(value)),
        Event::LetSettled { name, absent, .. } => {
            format!(
                "{name} is absent: {}",
                absent.as_deref().unwrap_or("nothing to read")
            )
        }
        Event::Expanded { step, items } => format!("{step} has {} items", items.len()),
        Event::Skipped { path, cause } => format!("{path} skipped: {}", web::timeline::skip_note(cause)),
        Event::Refused { path, detail, .. } => format!("{path} REFUSED: {detail}"),
        Event::Intended(intended) => {
            let through = match intended.connections.as_slice() {
                [] => String::new(),
                connections => format!(" through {}", connections.join(", ")),
            };
            format!(
                "{} intends {}{through}, attempt {}, {} {} {}",
                intended.path,
                intended.action,
                intended.attempt,
                intended.tlp.label(),
                intended.pap.label(),
                short(&intended.arguments)
            )
        }
        Event::Finished {
            path,
            outcome,
            duration_ms,
            ..
        } => ending(path, outcome, *duration_ms),
        Event::Lost { path, attempt } => {
            format!("{path} attempt {attempt} was under way when the process ended")
        }
        Event::Probed { path, answer, .. } => format!("{path} probed: {}", short_debug(answer)),
        Event::OutcomeUnknown { path, detail, .. } => format!("{path} UNKNOWN: {detail}"),
        Event::RetryScheduled { path, attempt, at } => format!("{path} attempt {attempt} at {at}"),
        Event::Waits { path, until } => format!("{path} waits until {until}"),
        Event::RoundScheduled { path, round, at } => format!("{path} round {round} at {at}"),
        Event::RoundsEnded { path, rounds, done } => {
            let how = if *done { "done in" } else { "given up after" };
            format!("{path} {how} {rounds} rounds")
        }
        Event::Admitted { .. } => "its turn has come".to_owned(),
        Event::Asked(_)
        | Event::Telling { .. }
        | Event::Told { .. }
        | Event::Replied(_)
        | Event::Escalated { .. }
        | Event::InquiryClosed { .. } => of_people(&recorded.event),
        Event::Failing { step, error } => match step {
            Some(step) => format!("failing because of {step}: {error}"),
            None => format!("failing: {error}"),
        },
        Event::CancelRequested { .. }
        | Event::Settled { .. }
        | Event::Acknowledged { .. }
        | Event::Retried { .. }
        | Event::Rerun { .. }
        | Event::UndoRequested { .. } => decided(&recorded.event),
        Event::Closed {
            status,
            summary,
            records,
            ..
        } => {
            format!("closed as {} after {records} records: {summary}", status.word())
        }
    }
}

/// How a run began, in words.
fn begun(started: &Started) -> String {
    format!(
        "started by {}{} for {} on {}, until {} at the latest",
        if started.by == StartedBy::Schedule {
            "the clock"
        } else {
            &started.actor.name
        },
        started
            .rerun_of
            .as_ref()
            .map_or_else(String::new, |run| format!(" as a repetition of run {run}")),
        started.entity,
        started
            .incident
            .as_ref()
            .map_or_else(|| "no incident".to_owned(), ToString::to_string),
        started.deadline.strftime("%Y-%m-%d %H:%MZ")
    )
}

/// What a person decided, in words; nothing for other events.
fn decided(event: &Event) -> String {
    match event {
        Event::CancelRequested { actor, reason } => format!("{} wants it to stop: {reason}", actor.name),
        Event::Settled {
            path,
            answer,
            probed,
            actor,
            reason,
            ..
        } => settled(path, answer, *probed, &actor.name, reason),
        Event::Acknowledged { actor, reason } => format!("{} took note of the failure: {reason}", actor.name),
        Event::Retried {
            places,
            deadline,
            actor,
            reason,
        } => format!(
            "{} has it try {} again, until {} at the latest: {reason}",
            actor.name,
            places
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            deadline.strftime("%Y-%m-%d %H:%MZ")
        ),
        Event::Rerun { run, actor, reason } => {
            format!("{} started run {run} as a repetition: {reason}", actor.name)
        }
        Event::UndoRequested {
            inverses,
            actor,
            reason,
            goes_on,
        } => {
            let meanwhile = if *goes_on { ", and the run goes on" } else { "" };
            let paths: Vec<String> = inverses.iter().map(|inverse| inverse.path.to_string()).collect();
            format!(
                "{} has {} taken back{meanwhile}: {reason}",
                actor.name,
                paths.join(", ")
            )
        }
        _ => String::new(),
    }
}

/// What a person said of a place, in words.
fn settled(path: &Path, answer: &Settlement, probed: bool, who: &str, reason: &str) -> String {
    let what = match answer {
        Settlement::Done { output } => format!("it had happened: {}", short(output)),
        Settlement::NotDone => "it had not happened".to_owned(),
        Settlement::ByHand { output } => format!("it was done by hand: {}", short(output)),
    };
    let asked = if probed { "had the far end asked" } else { "says" };
    format!("{path} settled, {who} {asked}: {what} ({reason})")
}

/// How an attempt ended, in words.
fn ending(path: &Path, outcome: &Outcome, duration_ms: u64) -> String {
    let took = spent(i64::try_from(duration_ms).unwrap_or(i64::MAX));
    match outcome {
        Outcome::Succeeded { output, reference } => format!(
            "{path} succeeded in {took}: {}",
            reference.clone().unwrap_or_else(|| short(output))
        ),
        Outcome::Failed {
            kind,
            detail,
            not_sent,
            ..
        } => {
            let sent = if *not_sent {
                "nothing was sent"
            } else {
                "it had been sent"
            };
            format!("{path} failed after {took}: {} ({sent}): {detail}", kind.word())
        }
        Outcome::Simulated { .. } => format!("{path} would have been done"),
    }
}

fn short_debug(answer: &state::event::ProbeAnswer) -> String {
    match answer {
        state::event::ProbeAnswer::Done { output } => format!("it had been done: {}", short(output)),
        state::event::ProbeAnswer::NotDone => "it had not been done".to_owned(),
        state::event::ProbeAnswer::CannotTell { detail } => format!("cannot tell: {detail}"),
    }
}

/// A value in at most 160 characters; `--json` has all of it.
fn short(value: &Value) -> String {
    super::terminal::fit(&value.to_string(), 160)
}

/// What people were asked and said, in words.
fn of_people(event: &Event) -> String {
    match event {
        Event::Asked(inquiry) => asking(inquiry),
        Event::Telling { number, people } => {
            format!("{} will be told by mail of question {number}", people.join(", "))
        }
        Event::Told {
            number,
            person,
            outcome,
        } => match outcome {
            Told::Sent { message_id } => format!("{person} was told of question {number}: {message_id}"),
            Told::NotSent { detail } => format!("{person} was not told of question {number}: {detail}"),
            Told::Unknown { detail } => {
                format!("{person} may have been told of question {number}: {detail}")
            }
        },
        Event::Replied(reply) => {
            let comment = reply.comment.as_ref();
            let comment = comment.map_or_else(String::new, |text| format!(": {text}"));
            let said = reply.word.word();
            format!("{} ({}) said {said}{comment}", reply.person, reply.role)
        }
        Event::Escalated { number, who, until } => {
            let who = who.join(", ");
            format!("nobody replied to question {number}: also asked {who}, until {until}")
        }
        Event::InquiryClosed { end, detail, .. } => format!("question {}: {detail}", end.word()),
        _ => String::new(),
    }
}

/// What people are asked, in words.
fn asking(inquiry: &Inquiry) -> String {
    let id = inquiry.id.map_or_else(String::new, |id| format!(" {id}"));
    let digest = match &inquiry.subject {
        Subject::Approval { digest, .. } => format!(", sha256 {digest}"),
        Subject::Choice { choices, .. } => format!(", one of {}", choices.join(", ")),
    };
    format!(
        "{} asks{id} of {} ({} needed) until {}: {} [{}]{digest}",
        inquiry.steps.join(", "),
        inquiry.who.join(", "),
        inquiry.count,
        inquiry.until.strftime("%Y-%m-%d %H:%MZ"),
        inquiry.ask,
        inquiry.because
    )
}
