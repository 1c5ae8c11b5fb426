//! What people decide about a run: settle, retry, rerun, ack.
//!
//! Owns showing what would follow before anything does, and the question. Nothing is asked where
//! nobody can answer: in a pipe `--yes` is needed.

use std::io::{IsTerminal as _, Write as _};

use serde_json::{Map, Value};
use state::event::RunStatus;
use web::operations::Myself;
use web::view::{
    Preview, PreviewEffect, Rerun, Retry, RunDecided, RunVerb, Settle, SettleWord, Undo, Version,
};

use super::arguments::{Confirm, Effects, Output, Runs, SettleStep, VersionWord};
use super::exit_code::Exit;
use super::terminal::{fit, safe};
use super::{Connected, Session, id, print, runs};

/// Longest arguments of an effect in a preview, in characters.
const ARGUMENTS_CHARACTERS_MAX: usize = 120;

pub(super) async fn decide(session: &Session, connected: &Connected, command: &Runs) -> Result<Exit, Exit> {
    match command {
        Runs::Settle(arguments) => {
            let verb = settle(session, arguments)?;
            give(session, connected, &arguments.run, verb, &arguments.reason).await
        }
        Runs::Ack { run, reason } => give(session, connected, run, RunVerb::Acknowledge, reason).await,
        Runs::Retry(arguments) => {
            let verb = RunVerb::Retry(Retry {
                from: arguments.from.clone(),
            });
            confirmed(session, connected, &arguments.run, verb, &arguments.confirm).await
        }
        Runs::Rerun(arguments) => {
            let version = match arguments.version {
                VersionWord::Own => Version::Own,
                VersionWord::Current => Version::Current,
            };
            let verb = RunVerb::Rerun(Rerun { version });
            confirmed(session, connected, &arguments.run, verb, &arguments.confirm).await
        }
        Runs::Undo(arguments) => {
            let verb = RunVerb::Undo(Undo {
                effect: arguments.effect.clone(),
            });
            confirmed(session, connected, &arguments.run, verb, &arguments.confirm).await
        }
        Runs::List(_)
        | Runs::Show { .. }
        | Runs::Watch { .. }
        | Runs::Cancel { .. }
        | Runs::ExportTest { .. } => Err(Exit::Usage),
    }
}

fn settle(session: &Session, arguments: &SettleStep) -> Result<RunVerb, Exit> {
    let mut output = Map::new();
    for one in &arguments.outputs {
        let Some((name, text)) = one.split_once('=') else {
            let terminal = &session.terminal;
            terminal.complain(format!("--output-value `{}` is not name=value", safe(one)));
            terminal.remedy("write for example --output-value id=T-1043");
            return Err(Exit::Usage);
        };
        output.insert(name.to_owned(), runs::scalar(text));
    }
    let answer = match (arguments.done, arguments.not_done, arguments.done_by_hand) {
        (true, ..) => SettleWord::Done,
        (_, true, _) => SettleWord::NotDone,
        (_, _, true) => SettleWord::DoneByHand,
        (false, false, false) => SettleWord::Probe,
    };
    Ok(RunVerb::Settle(Settle {
        place: arguments.place.clone(),
        answer,
        output,
    }))
}

/// Shows what would follow, asks, and decides.
async fn confirmed(
    session: &Session,
    connected: &Connected,
    run: &str,
    verb: RunVerb,
    confirm: &Confirm,
) -> Result<Exit, Exit> {
    let preview = connected.operations().preview(&Myself, run, verb.clone()).await;
    let preview = preview.map_err(|error| session.failed(&error))?;
    if confirm.simulate && session.output != Output::Table {
        print::one(
            &session.terminal,
            session.output,
            &web::view::Versioned::new(preview),
        )?;
        return Ok(Exit::Yes);
    }
    for line in lines(&verb, &preview) {
        if confirm.simulate {
            session.terminal.line(line)?;
        } else {
            session.terminal.say(line);
        }
    }
    if confirm.simulate {
        return Ok(Exit::Yes);
    }
    if !confirm.yes && !agreed(session)? {
        session.terminal.say("nothing was done");
        return Ok(Exit::No);
    }
    let reason = confirm.reason.as_deref().unwrap_or_default();
    give(session, connected, run, verb, reason).await
}

fn lines(verb: &RunVerb, preview: &Preview) -> Vec<String> {
    let run = preview.run.id.short();
    let head = match verb {
        RunVerb::Rerun(_) => format!(" Run {run} had these effects; the new run may have them once more:"),
        RunVerb::Undo(_) => format!(" Of run {run}, newest first (! will be taken back, - will not):"),
        _ => format!(" Run {run} will try these effects:"),
    };
    let mut lines = Vec::new();
    if preview.effects.is_empty() {
        lines.push(format!(" Run {run}: there are no effects."));
    } else {
        lines.push(head);
        lines.extend(preview.effects.iter().map(effect));
    }
    if !preview.besides.is_empty() {
        lines.push(" Besides:".to_owned());
        lines.extend(preview.besides.iter().map(|one| format!("   {}", safe(one))));
    }
    lines
}

fn effect(effect: &PreviewEffect) -> String {
    let mark = if effect.possible { '!' } else { '-' };
    let arguments = effect.arguments.as_ref().map_or_else(String::new, |arguments| {
        let text = match arguments {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| {
                    format!(
                        "{name}={}",
                        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                    )
                })
                .collect::<Vec<_>>()
                .join(" "),
            other => other.to_string(),
        };
        format!("  {}", fit(&safe(&text), ARGUMENTS_CHARACTERS_MAX))
    });
    format!(
        " {mark} {}  {} ({}){arguments}  {}",
        effect.place,
        effect.action,
        effect.class.word(),
        safe(&effect.note)
    )
}

/// Asks on the terminal; without one there is nobody to ask.
fn agreed(session: &Session) -> Result<bool, Exit> {
    if !std::io::stdin().is_terminal() {
        session
            .terminal
            .complain("nothing is asked where nobody can answer");
        session.terminal.remedy("look with --simulate, then give --yes");
        return Err(Exit::Usage);
    }
    let mut error = std::io::stderr().lock();
    super::terminal::written(write!(error, " Go on? [y/N] ").and_then(|()| error.flush()))?;
    drop(error);
    let mut answer = String::new();
    super::terminal::written(std::io::stdin().read_line(&mut answer).map(drop))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// `sortie effects`.
pub(super) async fn effects(session: &Session, command: &Effects) -> Result<Exit, Exit> {
    let Effects::List { entity } = command;
    let entity = entity.as_deref().map(|text| id(session, text)).transpose()?;
    let connected = session.connect().await?;
    let rows = connected.operations().effects(&Myself, entity).await;
    let rows = rows.map_err(|error| session.failed(&error))?;
    print::list(
        &session.terminal,
        session.output,
        "sortie.effects/1",
        &rows,
        None,
        &[
            "entity", "action", "target", "through", "since", "until", "run", "reason",
        ],
        |row| {
            vec![
                row.entity.to_string(),
                row.action.clone(),
                row.target.clone(),
                row.connection.clone(),
                row.since.strftime("%Y-%m-%d %H:%MZ").to_string(),
                row.until.strftime("%Y-%m-%d %H:%MZ").to_string(),
                row.run.short().to_owned(),
                row.reason.clone(),
            ]
        },
    )?;
    connected.rest().await;
    Ok(Exit::Yes)
}

/// Decides, and follows what this process goes on with.
async fn give(
    session: &Session,
    connected: &Connected,
    run: &str,
    verb: RunVerb,
    reason: &str,
) -> Result<Exit, Exit> {
    let operations = connected.operations();
    let before = operations
        .run(&Myself, run)
        .await
        .map_err(|error| session.failed(&error))?;
    let decided = operations.decide(&Myself, run, verb, reason).await;
    let RunDecided { run, said } = decided.map_err(|error| session.failed(&error))?;
    session.terminal.say(safe(&said));
    let goes_on = !run.status.is_over() && run.status != RunStatus::Stuck;
    if goes_on && connected.here.is_some() {
        let same = before.run.id == run.id;
        let told = before.events.last().filter(|_| same).map(|last| last.seq);
        return runs::follow(session, connected, run.id.as_str(), told).await;
    }
    if session.output != Output::Table {
        print::one(
            &session.terminal,
            session.output,
            &web::view::Versioned::new(&run),
        )?;
    }
    if goes_on {
        session
            .terminal
            .say(format!(" next   sortie runs watch {}", run.id.short()));
    } else {
        let detail = operations.run(&Myself, run.id.as_str()).await;
        runs::say_next(session, &detail.map_err(|error| session.failed(&error))?);
    }
    Ok(Exit::Yes)
}
