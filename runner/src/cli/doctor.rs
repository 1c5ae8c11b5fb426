//! `sortie doctor`: what is wrong here, one line a check, each with the sentence that repairs it.

use anstyle::AnsiColor;
use jiff::Timestamp;
use web::operations::Myself;

use super::Session;
use super::arguments::Output;
use super::exit_code::Exit;
use super::print;
use super::terminal::safe;

/// Free bytes below which a warning is due: a journal segment and room to work.
const FREE_BYTES_LOW: u64 = 1 << 30;
/// Free bytes below which the store will soon refuse.
const FREE_BYTES_LEAST: u64 = 128 << 20;
/// Days before the end of a token at which it is named.
const TOKEN_DAYS_LEFT: i64 = 14;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, serde::Serialize)]
struct Finding {
    check: &'static str,
    health: Health,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<String>,
}

/// The list of checks as it grows.
#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn ok(&mut self, check: &'static str, what: impl Into<String>) {
        self.0.push(Finding {
            check,
            health: Health::Ok,
            what: what.into(),
            repair: None,
        });
    }
    fn warn(&mut self, check: &'static str, what: impl Into<String>, repair: impl Into<String>) {
        self.0.push(Finding {
            check,
            health: Health::Warn,
            what: what.into(),
            repair: Some(repair.into()),
        });
    }
    fn fail(&mut self, check: &'static str, what: impl Into<String>, repair: impl Into<String>) {
        self.0.push(Finding {
            check,
            health: Health::Fail,
            what: what.into(),
            repair: Some(repair.into()),
        });
    }
}

pub(crate) async fn doctor(session: &Session, strict: bool) -> Result<Exit, Exit> {
    let mut report = Report::default();
    let settings = session.settings(crate::config::Purpose::Check)?;
    report.ok(
        "configuration",
        format!("{} is sound", session.project.join("sortie.toml").display()),
    );
    for found in &settings.warnings {
        report.warn(
            "configuration",
            super::diagnostics::short(found),
            format!("sortie explain {}", found.code),
        );
    }
    for sentence in crate::project::weakened(&settings) {
        report.warn(
            "weakened",
            sentence,
            "take the setting out of sortie.toml to return to the safe default",
        );
    }
    tokens(&mut report, &settings);
    people(&mut report, &settings);
    playbooks(session, &mut report, &settings)?;
    space(&mut report, &settings.data_dir);
    store(session, &mut report).await;
    show(session, &report)?;
    let worst = |health| report.0.iter().any(|one| one.health == health);
    Ok(match (worst(Health::Fail), worst(Health::Warn)) {
        (true, _) => Exit::Usage,
        (false, true) if strict => Exit::No,
        _ => Exit::Yes,
    })
}

fn tokens(report: &mut Report, settings: &crate::config::Settings) {
    let now: Timestamp = actions::clock::Clock::now(&crate::clock::SystemClock::new());
    if settings.tokens.is_empty() {
        report.warn(
            "tokens",
            "nobody can post incidents",
            "sortie tokens create NAME --entity ENTITY",
        );
        return;
    }
    let mut sound = 0;
    for token in &settings.tokens {
        let days = token.expires_at.duration_since(now).as_hours() / 24;
        if token.expires_at <= now {
            report.warn(
                "tokens",
                format!("`{}` has ended", token.name),
                "make a new one and take the old one out",
            );
        } else if days < TOKEN_DAYS_LEFT {
            report.warn(
                "tokens",
                format!("`{}` ends in {days} days", token.name),
                "make a new one beside it in time",
            );
        } else {
            sound += 1;
        }
    }
    report.ok(
        "tokens",
        format!("{sound} good for {TOKEN_DAYS_LEFT} days or more"),
    );
}

/// Whether people learn by mail that they are asked.
fn people(report: &mut Report, settings: &crate::config::Settings) {
    let operator = &settings.operator;
    if operator.people.is_empty() {
        return;
    }
    let names = |wanted: &dyn Fn(&playbooks::operator::Person) -> bool| {
        let found = operator.people.iter().filter(|(_, person)| wanted(person));
        found
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let silent = names(&|person| person.mail.is_none());
    let idle = names(&|person| person.mail.is_some() && person.decides_for.is_empty());
    let Some(relay) = operator.mail_relay() else {
        return report.warn(
            "people",
            "nobody is told by mail that they are asked: no connection is a mail relay",
            "add a connection with provider = \"smtp\", or look at `sortie approvals list`",
        );
    };
    if !silent.is_empty() {
        report.warn(
            "people",
            format!("not told by mail when they are asked: {silent}"),
            "add `mail = \"...\"` under [people.NAME]",
        );
    }
    if !idle.is_empty() {
        report.warn(
            "people",
            format!("cannot decide, and are told nothing: {idle}"),
            "sortie tokens create NAME --person NAME --may see,approve",
        );
    }
    if settings.listener.url.is_none() {
        report.warn(
            "people",
            format!(
                "mails lead to {}, which is this machine",
                settings.listener.page()
            ),
            "set `url = \"https://...\"` under [server] to the address of the proxy in front",
        );
    }
    let told = operator
        .people
        .values()
        .filter(|person| person.mail.is_some())
        .count();
    report.ok(
        "people",
        format!(
            "{told} of {} are told through `{}`",
            operator.people.len(),
            relay.name
        ),
    );
}

fn playbooks(session: &Session, report: &mut Report, settings: &crate::config::Settings) -> Result<(), Exit> {
    let folder = session.project.join("playbooks");
    let catalog = session.catalogue()?;
    match crate::library::load(std::slice::from_ref(&folder), &catalog, Some(&settings.operator)) {
        Err(error) => report.fail(
            "playbooks",
            error.to_string(),
            "make the folder, or run `sortie init`",
        ),
        Ok(loaded) if loaded.has_errors() => {
            report.fail(
                "playbooks",
                format!("errors in {}", folder.display()),
                "sortie check",
            );
        }
        Ok(loaded) => {
            let on = settings.operator.entities.values();
            let on = on.filter(|entity| entity.rollout.values().any(|mode| mode.starts()));
            let on = on.count();
            report.ok("playbooks", format!("{} compile", loaded.compiled.len()));
            if on == 0 {
                report.warn(
                    "rollout",
                    "every playbook is off for every entity",
                    "add `rollout: {PLAYBOOK: auto}` to an entity file",
                );
            } else {
                report.ok(
                    "rollout",
                    format!(
                        "{on} of {} entities have a playbook on",
                        settings.operator.entities.len()
                    ),
                );
            }
        }
    }
    Ok(())
}

fn space(report: &mut Report, folder: &std::path::Path) {
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(folder);
    match rustix::fs::statvfs(existing) {
        Err(error) => report.fail(
            "space",
            format!("cannot look at {}: {error}", existing.display()),
            "check the path and its rights",
        ),
        Ok(figures) => {
            let free = figures.f_bavail.saturating_mul(figures.f_frsize);
            let what = format!("{} MiB free for {}", free >> 20, folder.display());
            if free < FREE_BYTES_LEAST {
                report.fail(
                    "space",
                    what,
                    "make room: the store is about to refuse new incidents",
                );
            } else if free < FREE_BYTES_LOW {
                report.warn("space", what, "make room soon");
            } else {
                report.ok("space", what);
            }
        }
    }
}

async fn store(session: &Session, report: &mut Report) {
    let connected = match session.connect_silently().await {
        Ok(connected) => connected,
        Err(reason) => {
            report.fail(
                "store",
                reason,
                "stop the process that holds it, or ask that server with --server",
            );
            return;
        }
    };
    let place = if connected.here.is_some() {
        "opened here; no server is running"
    } else {
        "a server is running"
    };
    match connected.operations().figures(&Myself).await {
        Err(error) => report.fail("store", safe(&error.to_string()), "look at the server's log"),
        Ok(figures) => {
            report.ok(
                "store",
                format!(
                    "{place}; {} records, {} incidents, {} open runs, journal {} MiB",
                    figures.store.records,
                    figures.store.incidents,
                    figures.store.open_runs,
                    figures.store.journal_bytes >> 20
                ),
            );
            if let Some(why) = figures.store.rebuilt {
                report.warn(
                    "index",
                    format!("it was rebuilt from the journal at this start: {}", safe(&why)),
                    "nothing is lost; look for the cause if it happens again",
                );
            }
        }
    }
    connected.rest().await;
}

fn show(session: &Session, report: &Report) -> Result<(), Exit> {
    if session.output != Output::Table {
        return print::one(
            &session.terminal,
            session.output,
            &serde_json::json!({ "format": "sortie.doctor/1", "checks": report.0 }),
        );
    }
    for one in &report.0 {
        let (word, style) = match one.health {
            Health::Ok => ("ok  ", AnsiColor::Green.on_default()),
            Health::Warn => ("WARN", AnsiColor::Yellow.on_default()),
            Health::Fail => ("FAIL", AnsiColor::Red.on_default().bold()),
        };
        session.terminal.line(format!(
            "{}  {:14} {}",
            session.terminal.paint(word, style),
            one.check,
            one.what
        ))?;
        if let Some(repair) = &one.repair {
            session
                .terminal
                .line(format!("      {:14} repair: {repair}", ""))?;
        }
    }
    Ok(())
}
