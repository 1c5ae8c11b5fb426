//! `sortie config`: is it sound, and where does each value come from.
//!
//! Shows what the operator wrote. No secret is fetched for it: where one belongs the file holds a
//! reference, and a reference is what is shown.

use serde::Serialize;

use super::arguments::Config;
use super::exit_code::Exit;
use super::{Session, diagnostics, print};
use crate::config::{Purpose, Settings};

/// One line of `sortie config show`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    key: &'a str,
    value: &'a str,
    origin: String,
}

/// `sortie config`.
pub(crate) fn configuration(session: &Session, command: &Config) -> Result<Exit, Exit> {
    let settings = session.settings(Purpose::Check)?;
    match command {
        Config::Check => check(session, &settings),
        Config::Show { origin } => show(session, &settings, *origin),
    }
}

fn check(session: &Session, settings: &Settings) -> Result<Exit, Exit> {
    for found in &settings.warnings {
        session.terminal.say(diagnostics::human(
            found,
            session.terminal.colour,
            session.terminal.width,
        ));
    }
    let operator = &settings.operator;
    session.terminal.line(format!(
        "sortie.toml ok: {} entities, {} connections, {} tokens",
        operator.entities.len(),
        operator.connections.len(),
        settings.tokens.len()
    ))?;
    Ok(Exit::Yes)
}

fn show(session: &Session, settings: &Settings, origin: bool) -> Result<Exit, Exit> {
    let lines: Vec<Line<'_>> = settings
        .origins
        .iter()
        .map(|setting| Line {
            key: &setting.key,
            value: &setting.value,
            origin: setting.origin.to_string(),
        })
        .collect();
    let heading: &[&str] = if origin {
        &["key", "value", "origin"]
    } else {
        &["key", "value"]
    };
    print::list(
        &session.terminal,
        session.output,
        "sortie.config/1",
        &lines,
        None,
        heading,
        |line| {
            let mut cells = vec![line.key.to_owned(), on_one_line(line.value)];
            cells.extend(origin.then(|| line.origin.clone()));
            cells
        },
    )?;
    Ok(Exit::Yes)
}

/// A value that takes several lines in the file, on one.
fn on_one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}
