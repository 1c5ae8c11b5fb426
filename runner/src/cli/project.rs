//! Commands about the project itself: init, tokens.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::SignedDuration;
use state::access::{MintedToken, Permission, Person, Reach, TOKEN_RANDOM_BYTES, TokenGrant, TokenRecord};

use super::Session;
use super::arguments::{Init, Tokens};
use super::exit_code::Exit;
use super::id;
use super::terminal::safe;
use crate::config::skeleton::{self, NewFile, NewToken};

/// The playbook of a new project; it needs no account anywhere.
const FIRST_PLAYBOOK: (&str, &str, &str) = (
    "first-look",
    include_str!("../../../examples/first-playbook/first-look.yaml"),
    include_str!("../../../examples/first-playbook/first-look.test.yaml"),
);
/// How long the token of a new project is good for.
const FIRST_TOKEN_DAYS: u16 = 90;

/// `sortie init`: writes the files of a small working project, with a first token. Never
/// overwrites.
pub(crate) fn init(session: &Session, arguments: &Init) -> Result<Exit, Exit> {
    let terminal = &session.terminal;
    let (token, record) = mint(
        session,
        ("first", None),
        Permission::OF_SERVICES,
        Reach::All,
        FIRST_TOKEN_DAYS,
    )?;
    let new = NewToken {
        id: record.id.clone(),
        secret_sha256: record.secret_sha256.clone(),
        expires: record.expires_at.strftime("%Y-%m-%d").to_string(),
    };
    let files = skeleton::files(FIRST_PLAYBOOK, Some(&new));
    let path = |file: &NewFile| arguments.folder.join(&file.path);
    if let Some(existing) = files.iter().map(path).find(|path| path.exists()) {
        terminal.complain(format!(
            "{} exists already; nothing was written",
            existing.display()
        ));
        terminal.remedy("name another folder: `sortie init my-soc`");
        return Err(Exit::Usage);
    }
    for file in &files {
        write(&path(file), &file.content).map_err(|error| {
            terminal.complain(format!("cannot write {}: {error}", path(file).display()));
            Exit::Usage
        })?;
        terminal.line(path(file).display().to_string())?;
    }
    terminal.say("\nThe first API token, shown once (sortie.toml has only its hash):");
    terminal.say(token.reveal());
    let folder = arguments.folder.display();
    terminal.say(format!(
        "\nnext: cd {folder} && sortie check && sortie test && sortie doctor && sortie serve"
    ));
    Ok(Exit::Yes)
}

/// A fresh token, and what is kept of it.
fn mint(
    session: &Session,
    (name, person): (&str, Option<&str>),
    permissions: &[Permission],
    reach: Reach,
    days: u16,
) -> Result<(MintedToken, TokenRecord), Exit> {
    let now = actions::clock::Clock::now(&crate::clock::SystemClock::new());
    let expires_at = now
        .checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .map_err(|_| Exit::Usage)?;
    let random: [u8; TOKEN_RANDOM_BYTES] = std::array::from_fn(|_| rand::random());
    let grant = TokenGrant {
        name: name.to_owned(),
        permissions: permissions.iter().copied().collect(),
        reach,
        expires_at,
        // The roles are those that sortie.toml gives the person when it is read.
        person: person.map(|name| Person {
            name: name.to_owned(),
            roles: BTreeSet::new(),
        }),
    };
    TokenRecord::mint(&random, grant, now).map_err(|error| {
        session.terminal.complain(safe(&error.to_string()));
        Exit::Usage
    })
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}

/// `sortie tokens create`: a token shown once, and what sortie.toml needs to know it.
pub(crate) fn tokens(session: &Session, command: &Tokens) -> Result<Exit, Exit> {
    let Tokens::Create {
        name,
        permissions,
        entities,
        person,
        days,
    } = command;
    let terminal = &session.terminal;
    let reach = if entities.is_empty() {
        Reach::All
    } else {
        Reach::Entities(
            entities
                .iter()
                .map(|text| id(session, text))
                .collect::<Result<BTreeSet<_>, _>>()?,
        )
    };
    let (token, record) = mint(session, (name, person.as_deref()), permissions, reach, *days)?;
    terminal.say("The token, shown once; give it to its owner:");
    terminal.line(token.reveal())?;
    terminal.say("Add this to sortie.toml; it holds only a hash:\n");
    terminal.say(crate::project::token_table(&record));
    Ok(Exit::Yes)
}
