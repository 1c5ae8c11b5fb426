//! `sortie demo`: the real engine, store and clients at work against a range of fake services on
//! this machine.
//!
//! Owns the story that a newcomer sees: two incidents arrive, their playbooks run, and what they
//! did can be looked at in the fake mailbox and on the fake firewall.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::Style;
use futures_util::StreamExt as _;
use state::access::{Permission, Reach, TOKEN_RANDOM_BYTES, TokenGrant, TokenRecord};
use state::ids::IncidentId;
use web::Operations;
use web::operations::Myself;
use web::view::{Content, MatchWord, Submission, Submitted};

use super::arguments::Demo;
use super::exit_code::Exit;
use super::run_view::{RunView, exit_of};
use super::serve::{listen, open, signalled};
use super::terminal::{defang_name, fit, safe};
use super::{Session, diagnostics};
use crate::app::App;
use crate::demo;
use crate::range::{Options, Poll, Range};
use crate::telemetry;

/// How often the fake firewall polls; real ones take minutes.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How long the demo waits for the firewall to have polled once more.
const POLL_PATIENCE: Duration = Duration::from_secs(5);
/// How long the demo waits for the triggers of an incident to be decided.
const TRIGGER_PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn demo(session: &Session, arguments: &Demo) -> Result<Exit, Exit> {
    telemetry::start(if session.verbose {
        telemetry::Level::Verbose
    } else {
        telemetry::Level::Quiet
    });
    let terminal = &session.terminal;
    let folder = folder(session, arguments)?;
    let range = Range::start(Options {
        knowledge: demo::knowledge(),
        ..Options::default()
    })
    .await;
    let range = range.map_err(|error| {
        terminal.complain(format!("the range cannot listen on loopback: {error}"));
        Exit::Unreachable
    })?;
    let token = token(session)?;
    demo::write_project(folder.path(), &range, &[crate::project::token_table(&token.1)]).map_err(
        |error| {
            terminal.complain(format!(
                "cannot write the project to {}: {error}",
                folder.path().display()
            ));
            Exit::Usage
        },
    )?;
    let settings = crate::project::read(folder.path(), crate::config::Purpose::Serve).map_err(|found| {
        for one in &found {
            terminal.say(diagnostics::human(one, terminal.colour, terminal.width));
        }
        Exit::Usage
    })?;
    let app = open(session, settings).await?;
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], arguments.port));
    let server = listen(session, &app, Some(address)).await?;
    app.recover().await.map_err(|_| Exit::Unreachable)?;
    let served = format!("http://{}", server.address);
    for list in ["ip", "domain"] {
        range.poll(Poll {
            server: server.address,
            path: format!("/edl/{}/{list}.txt", demo::ENTITY),
            token: token.0.clone(),
            every: POLL_EVERY,
        });
    }
    head(session, &app, &range, &served)?;
    let worst = story(session, &app).await?;
    aftermath(session, &range).await?;
    if arguments.once {
        server.drain().await;
        app.close().await;
        range.stop().await;
        return Ok(worst);
    }
    look_around(session, &folder, &range, &served, &token.0)?;
    signalled().await;
    terminal.say("stopping");
    server.drain().await;
    app.close().await;
    range.stop().await;
    Ok(worst)
}

/// Where the demo's project and store lie.
enum Folder {
    Kept(PathBuf),
    Temporary(PathBuf),
}

impl Folder {
    fn path(&self) -> &std::path::Path {
        match self {
            Self::Kept(path) | Self::Temporary(path) => path,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Self::Temporary(path) = self {
            // What cannot be removed is left to the system's cleaning of temporary folders.
            drop(std::fs::remove_dir_all(path));
        }
    }
}

fn folder(session: &Session, arguments: &Demo) -> Result<Folder, Exit> {
    let cannot = |path: &std::path::Path, error: std::io::Error| {
        session
            .terminal
            .complain(format!("cannot make {}: {error}", path.display()));
        Exit::Usage
    };
    if let Some(path) = &arguments.keep {
        std::fs::create_dir_all(path).map_err(|error| cannot(path, error))?;
        let path = std::fs::canonicalize(path).map_err(|error| cannot(path, error))?;
        return Ok(Folder::Kept(path));
    }
    let path = std::env::temp_dir().join(format!("sortie-demo-{:016x}", rand::random::<u64>()));
    std::fs::create_dir_all(&path).map_err(|error| cannot(&path, error))?;
    Ok(Folder::Temporary(path))
}

fn token(session: &Session) -> Result<(String, TokenRecord), Exit> {
    let now = actions::clock::Clock::now(&crate::clock::SystemClock::new());
    let random: [u8; TOKEN_RANDOM_BYTES] = std::array::from_fn(|_| rand::random());
    let grant = TokenGrant {
        name: "demo".to_owned(),
        permissions: BTreeSet::from([
            Permission::Submit,
            Permission::See,
            Permission::Start,
            Permission::Audit,
            Permission::Settle,
        ]),
        reach: Reach::All,
        expires_at: now
            .checked_add(jiff::SignedDuration::from_hours(24))
            .map_err(|_| Exit::Usage)?,
        person: None,
    };
    let (token, record) = TokenRecord::mint(&random, grant, now).map_err(|error| {
        session.terminal.complain(error.to_string());
        Exit::Usage
    })?;
    Ok((token.reveal().to_owned(), record))
}

fn head(session: &Session, app: &App, range: &Range, served: &str) -> Result<(), Exit> {
    let terminal = &session.terminal;
    let bold = |text: &str| terminal.paint(text, Style::new().bold());
    let operator = app.dispatcher.operator();
    let auto: Vec<String> = operator
        .entities
        .values()
        .flat_map(|entity| {
            let on = entity.rollout.iter().filter(|(_, mode)| mode.starts());
            on.map(|(playbook, _)| format!("{playbook} for {}", entity.name))
        })
        .collect();
    for line in [
        String::new(),
        format!(
            " {}  everything runs on 127.0.0.1, nothing leaves this machine",
            bold("sortie demo")
        ),
        String::new(),
        format!(" api          {served}"),
        format!(
            " mailbox      http://{}/range/mail        what people receive",
            range.http()
        ),
        format!(
            " firewall     http://{}/range/firewall    what is really blocked",
            range.http()
        ),
        format!(" rollout      auto: {}", auto.join(",\n                    ")),
        "              a new playbook is off until an entity turns it on".to_owned(),
        String::new(),
    ] {
        terminal.line(line)?;
    }
    Ok(())
}

/// Two incidents arrive; their runs are followed to the end. Gives the worst exit code.
async fn story(session: &Session, app: &App) -> Result<Exit, Exit> {
    let arrivals = [
        (
            "somebody at Ville d'Exemple forwards a suspicious mail",
            Content::Mail,
            demo::PHISHING_REPORT,
        ),
        (
            "a network sensor raises an alert",
            Content::Mapper("suricata".to_owned()),
            demo::IDS_ALERT,
        ),
    ];
    let mut worst = Exit::Yes;
    for (what, content, bytes) in arrivals {
        let exit = arrival(session, app, what, content, bytes).await?;
        if exit != Exit::Yes {
            worst = exit;
        }
    }
    Ok(worst)
}

async fn arrival(
    session: &Session,
    app: &App,
    what: &str,
    content: Content,
    bytes: &'static [u8],
) -> Result<Exit, Exit> {
    let terminal = &session.terminal;
    let operations = app.as_operator();
    let submission = Submission {
        content,
        bytes: bytes.into(),
        entity: demo::ENTITY.parse().ok(),
    };
    let report = operations
        .submit(&Myself, submission)
        .await
        .map_err(|error| session.failed(&error))?;
    let id = match report.results.into_iter().next() {
        Some(Submitted::Accepted { id }) => id,
        Some(Submitted::Duplicate { id, count }) => {
            terminal.line(format!(" {id} is known already, seen {count} times: {what}"))?;
            return Ok(Exit::Yes);
        }
        other => {
            terminal.complain(format!("the incident was not taken: {other:?}"));
            return Ok(Exit::No);
        }
    };
    let now = app.dispatcher.now().strftime("%H:%M:%S");
    terminal.line(format!(
        " {now}  {} arrives: {what}",
        terminal.paint(id.as_str(), Style::new().bold())
    ))?;
    let Some(run) = started(session, app, &id).await? else {
        for row in operations
            .matches(&Myself, &id)
            .await
            .map_err(|error| session.failed(&error))?
        {
            terminal.complain(format!(
                "{} did not start: {}",
                row.playbook,
                safe(&row.why.unwrap_or_default())
            ));
        }
        return Ok(Exit::No);
    };
    follow(session, app, &run).await
}

/// The run that an incident's triggers started.
async fn started(session: &Session, app: &App, id: &IncidentId) -> Result<Option<String>, Exit> {
    let operations = app.as_operator();
    let decided = async {
        loop {
            let rows = operations
                .matches(&Myself, id)
                .await
                .map_err(|error| session.failed(&error))?;
            if !rows.is_empty() {
                let run = rows.into_iter().find(|row| row.result == MatchWord::Started);
                return Ok(run.and_then(|row| row.run).map(|run| run.as_str().to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TRIGGER_PATIENCE, decided)
        .await
        .unwrap_or(Ok(None))
}

async fn follow(session: &Session, app: &App, run: &str) -> Result<Exit, Exit> {
    let terminal = &session.terminal;
    let operations = app.as_operator();
    let detail = operations
        .run(&Myself, run)
        .await
        .map_err(|error| session.failed(&error))?;
    let after = if terminal.live {
        detail.events.last().map(|last| last.seq)
    } else {
        None
    };
    let mut changes = operations
        .watch(&Myself, run, after)
        .await
        .map_err(|error| session.failed(&error))?;
    let mut view = RunView::new(terminal, detail);
    for line in view.head() {
        terminal.line(line)?;
    }
    if terminal.live {
        view.draw()?;
    }
    while !view.detail().run.status.is_over() {
        let Some(change) = changes.next().await else { break };
        view.change(change.map_err(|error| session.failed(&error))?)?;
    }
    for line in view.foot() {
        terminal.line(line)?;
    }
    terminal.line("")?;
    Ok(exit_of(view.detail().run.status))
}

/// What can be seen outside of Sortie: mails that arrived, blocks that the firewall took.
async fn aftermath(session: &Session, range: &Range) -> Result<(), Exit> {
    let terminal = &session.terminal;
    let polled = async {
        let before = range.firewall().count();
        while range.firewall().count() < before + 4 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // A firewall that does not poll in time is shown with what it has.
    let _ = tokio::time::timeout(POLL_PATIENCE, polled).await;
    terminal.line(" What the outside saw")?;
    let shown = |line: String| {
        if terminal.live {
            fit(&line, terminal.width)
        } else {
            line
        }
    };
    for mail in range.mailbox().all() {
        terminal.line(format!("   mail to {}", safe(&mail.to.join(", "))))?;
        terminal.line(shown(format!("     {}", safe(&subject(&mail.raw)))))?;
    }
    for (path, entries) in range.firewall().lists() {
        for entry in entries {
            let entry = safe(&defang_name(&entry));
            terminal.line(shown(format!(
                "   firewall blocks {entry}   (polled from {path})"
            )))?;
        }
    }
    terminal.line("")
}

fn look_around(
    session: &Session,
    folder: &Folder,
    range: &Range,
    served: &str,
    token: &str,
) -> Result<(), Exit> {
    let terminal = &session.terminal;
    let project = folder.path().display();
    for line in [
        " Look around, in another terminal:".to_owned(),
        format!("   sortie --project {project} runs list"),
        format!("   sortie --project {project} incidents list"),
        format!("   sortie --project {project} audit list --limit 20"),
        format!("   curl -H 'Authorization: Bearer {token}' {served}/api/v1/runs"),
        format!("   open http://{}/range/mail", range.http()),
        String::new(),
        " Then make your own: sortie init my-soc".to_owned(),
        " Ctrl-C ends the demo.".to_owned(),
    ] {
        terminal.line(line)?;
    }
    Ok(())
}

/// The subject of a mail as its reader sees it.
fn subject(raw: &[u8]) -> String {
    let mail = mail_parser::MessageParser::default().parse(raw);
    mail.and_then(|mail| mail.subject().map(str::to_owned))
        .unwrap_or_default()
}
