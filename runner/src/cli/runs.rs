//! `sortie run` and `sortie runs`: start, follow, list, show, cancel. What people decide about a run
//! is in `decisions`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use serde_json::Value;
use state::event::{Mode, RunStatus, Seq};
use state::store::RunFilter;
use web::operations::Myself;
use web::view::{Content, IncidentChoice, RunDetail, StartRun, StepState};

use super::arguments::{Output, Run, RunList, Runs};
use super::event_words::sentence;
use super::exit_code::Exit;
use super::run_view::{RunView, exit_of, next_commands, status_style};
use super::terminal::safe;
use super::{Connected, Session, decisions, id, incidents, paging, print};

/// `sortie run`.
pub(crate) async fn run(session: &Session, arguments: &Run) -> Result<Exit, Exit> {
    let connected = session.connect().await?;
    if arguments.detach && connected.here.is_some() {
        session
            .terminal
            .complain("--detach needs a running server: nobody would go on with the run");
        session
            .terminal
            .remedy("start `sortie serve` in this project first");
        return Err(Exit::Usage);
    }
    let request = StartRun {
        playbook: arguments.playbook.clone(),
        incident: incident(session, arguments)?,
        inputs: inputs(session, &arguments.inputs)?,
        mode: if arguments.simulate {
            Mode::Simulate
        } else {
            Mode::Auto
        },
        entity: arguments
            .entity
            .as_deref()
            .map(|text| id(session, text))
            .transpose()?,
    };
    let started = connected
        .operations()
        .start(&Myself, request)
        .await
        .map_err(|error| session.failed(&error))?;
    if started.attached {
        session.terminal.say(format!(
            "no run of its own: it joined {}, which is open for the same key (concurrency)",
            started.run.short()
        ));
    }
    if arguments.detach {
        session.terminal.line(started.run.as_str())?;
        session
            .terminal
            .say(format!("next: sortie runs watch {}", started.run.short()));
        return Ok(Exit::Yes);
    }
    let exit = follow(session, &connected, started.run.as_str(), None).await;
    connected.rest().await;
    exit
}

/// The incident of `--incident`: a stored one, or a file that is taken in with the start.
fn incident(session: &Session, arguments: &Run) -> Result<Option<IncidentChoice>, Exit> {
    let Some(text) = &arguments.incident else {
        return Ok(None);
    };
    if text != "-" && !std::path::Path::new(text).exists() {
        return Ok(Some(IncidentChoice::Id(id(session, text)?)));
    }
    let bytes = incidents::read(session, text)?;
    let format = match incidents::content(None, &bytes) {
        Content::Json => "json".to_owned(),
        Content::Mail => "mail".to_owned(),
        Content::Mapper(name) => name,
    };
    Ok(Some(IncidentChoice::Raw {
        format,
        base64: STANDARD.encode(bytes),
    }))
}

fn inputs(session: &Session, given: &[String]) -> Result<std::collections::BTreeMap<String, Value>, Exit> {
    given
        .iter()
        .map(|one| {
            let (name, text) = one.split_once('=').ok_or_else(|| {
                session
                    .terminal
                    .complain(format!("--input `{}` is not name=value", safe(one)));
                session.terminal.remedy("write for example --input block_for=24h");
                Exit::Usage
            })?;
            Ok((name.to_owned(), scalar(text)))
        })
        .collect()
}

/// A value as the command line writes it: JSON where it is JSON, else the text itself.
pub(super) fn scalar(text: &str) -> Value {
    crate::json_strict::parse(text.as_bytes()).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Follows a run to its end, or until it waits for something that may take long. Plain lines begin
/// after the event `told`.
pub(super) async fn follow(
    session: &Session,
    connected: &Connected,
    run: &str,
    told: Option<Seq>,
) -> Result<Exit, Exit> {
    let operations = connected.operations();
    let detail = operations
        .run(&Myself, run)
        .await
        .map_err(|error| session.failed(&error))?;
    let live = session.terminal.live && session.output == Output::Table;
    // Lines that are rewritten begin with the run as it stands; plain lines tell it from its start.
    let after = if live {
        detail.events.last().map(|last| last.seq)
    } else {
        told
    };
    let status = detail.run.status;
    if status.is_over() && live {
        show(session, &detail)?;
        return Ok(exit_of(status));
    }
    let mut changes = operations
        .watch(&Myself, run, after)
        .await
        .map_err(|error| session.failed(&error))?;
    if session.output != Output::Table {
        while let Some(change) = changes.next().await {
            let change = change.map_err(|error| session.failed(&error))?;
            let over = change.status.is_over() || change.status == RunStatus::Stuck;
            print::one(&session.terminal, Output::Jsonl, &change)?;
            if over {
                return Ok(exit_of(change.status));
            }
        }
        return Err(Exit::Unreachable);
    }
    let mut view = RunView::new(&session.terminal, detail);
    if live {
        for line in view.head() {
            session.terminal.line(line)?;
        }
        view.draw()?;
    }
    while let Some(change) = changes.next().await {
        let change = change.map_err(|error| session.failed(&error))?;
        let status = change.status;
        view.change(change)?;
        if status == RunStatus::Stuck || status.is_over() {
            break;
        }
        // A time may be waited for here; people reply in a command of their own.
        let asks_people = view
            .detail()
            .steps
            .iter()
            .any(|step| step.state == StepState::Waiting);
        if status == RunStatus::Waiting && (connected.here.is_none() || asks_people) {
            break;
        }
    }
    let status = view.detail().run.status;
    let below = if session.terminal.live {
        view.foot()
    } else if view.detail().mode == Mode::Simulate {
        view.would_do()
    } else {
        Vec::new()
    };
    for line in below {
        session.terminal.line(line)?;
    }
    say_next(session, view.detail());
    Ok(exit_of(status))
}

/// `sortie runs`.
pub(crate) async fn runs(session: &Session, command: &Runs) -> Result<Exit, Exit> {
    let connected = session.connect().await?;
    let exit = match command {
        Runs::List(arguments) => list(session, &connected, arguments).await,
        Runs::Show { run } => {
            let found = connected
                .operations()
                .run(&Myself, run)
                .await
                .map_err(|error| session.failed(&error))?;
            if session.output == Output::Table {
                show(session, &found)?;
            } else {
                print::one(
                    &session.terminal,
                    session.output,
                    &web::view::Versioned::new(found),
                )?;
            }
            Ok(Exit::Yes)
        }
        Runs::Watch { run } => follow(session, &connected, run, None).await,
        Runs::ExportTest { run, file } => {
            super::trials::export(session, connected.operations(), run, file.as_deref()).await
        }
        Runs::Settle(_) | Runs::Ack { .. } | Runs::Retry(_) | Runs::Rerun(_) | Runs::Undo(_) => {
            decisions::decide(session, &connected, command).await
        }
        Runs::Cancel { run, reason } => {
            let asked = connected.operations().cancel(&Myself, run, reason).await;
            let asked = asked.map_err(|error| session.failed(&error))?;
            session.terminal.say(format!(
                "asked run {} to stop; what was sent already stays",
                asked.id.short()
            ));
            Ok(Exit::Yes)
        }
    };
    connected.rest().await;
    exit
}

async fn list(session: &Session, connected: &Connected, arguments: &RunList) -> Result<Exit, Exit> {
    let mut status = Vec::new();
    for word in &arguments.status {
        let known: Result<RunStatus, _> = serde_json::from_value(Value::String(word.clone()));
        status.push(known.map_err(|_| {
            session.terminal.complain(format!(
                "`{}` is not a state of a run; one of running, waiting, failing, stuck, succeeded, failed, refused, cancelled",
                safe(word)
            ));
            Exit::Usage
        })?);
    }
    let filter = RunFilter {
        entity: arguments
            .entity
            .as_deref()
            .map(|text| id(session, text))
            .transpose()?,
        incident: arguments
            .incident
            .as_deref()
            .map(|text| id(session, text))
            .transpose()?,
        playbook: arguments.playbook.clone(),
        status,
    };
    let operations = connected.operations();
    let found = paging::full(&arguments.page, |page| {
        operations.runs(&Myself, filter.clone(), page)
    });
    let found = found.await.map_err(|error| session.failed(&error))?;
    print::list(
        &session.terminal,
        session.output,
        "sortie.runs/1",
        &found.rows,
        found.next.as_deref(),
        &[
            "run", "playbook", "incident", "entity", "state", "effects", "started", "by", "note",
        ],
        |row| {
            vec![
                row.id.short().to_owned(),
                format!("{} v{}", row.playbook, row.version),
                row.incident
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), ToString::to_string),
                row.entity.to_string(),
                row.status.word().to_owned(),
                row.effects.to_string(),
                row.started_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                row.actor.name.clone(),
                row.note.clone(),
            ]
        },
    )?;
    Ok(Exit::Yes)
}

/// A run for people: what it is, its steps, and its audit trail.
fn show(session: &Session, found: &RunDetail) -> Result<(), Exit> {
    let terminal = &session.terminal;
    let mut view = RunView::new(terminal, found.clone());
    for line in view.head() {
        terminal.line(line)?;
    }
    view.draw()?;
    for line in view.foot() {
        terminal.line(line)?;
    }
    terminal.line("")?;
    terminal.line(format!(
        " AUDIT  run {}  playbook {} revision {}",
        found.run.id, found.run.playbook, found.run.revision
    ))?;
    let status = terminal.paint(found.run.status.word(), status_style(found.run.status));
    for (name, value) in &found.inputs {
        terminal.line(format!("   input {name} = {}", safe(&value.to_string())))?;
    }
    for recorded in &found.events {
        terminal.line(format!(
            " {:>4}  {}  {}",
            recorded.seq,
            recorded.at.strftime("%Y-%m-%d %H:%M:%S%.3fZ"),
            safe(&sentence(recorded))
        ))?;
    }
    terminal.line(format!(" state {status}"))?;
    say_next(session, found);
    Ok(())
}

/// The commands that a run leaves to be given.
pub(super) fn say_next(session: &Session, detail: &RunDetail) {
    for command in next_commands(detail) {
        session.terminal.say(format!(" next   {command}"));
    }
}
