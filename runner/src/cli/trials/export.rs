//! `sortie runs export-test`: a run of the past becomes a test.

use std::path::Path;

use playbooks::diagnostic::{Level, Source};
use web::Operations;
use web::operations::Myself;

use crate::cli::exit_code::Exit;
use crate::cli::terminal::safe;
use crate::cli::{Session, diagnostics};
use crate::clock::SystemClock;
use crate::library;
use crate::trials::{self, Ask, Folder};

pub(crate) async fn export(
    session: &Session,
    operations: &dyn Operations<Myself>,
    run: &str,
    file: Option<&Path>,
) -> Result<Exit, Exit> {
    let terminal = &session.terminal;
    let detail = operations
        .run(&Myself, run)
        .await
        .map_err(|error| session.failed(&error))?;
    let id = &detail.run.playbook;
    let folder = session.project.join("playbooks");
    let path = folder.join(format!("{id}.yaml"));
    if !path.is_file() {
        terminal.complain(format!("there is no {}", safe(&path.display().to_string())));
        terminal.remedy("a test is made beside its playbook: name the project with --project");
        return Err(Exit::NotFound);
    }
    let registry = session.catalogue()?;
    let settings = session.settings_if_present()?;
    let operator = settings.as_ref().map(|settings| &settings.operator);
    let mut loaded = library::load(std::slice::from_ref(&path), &registry, operator).map_err(|error| {
        terminal.complain(safe(&error.to_string()));
        Exit::Usage
    })?;
    let Some(compiled) = loaded.compiled.pop() else {
        for found in loaded
            .diagnostics
            .iter()
            .filter(|found| found.level == Level::Error)
        {
            terminal.say(diagnostics::human(found, terminal.colour, terminal.width));
        }
        return Err(Exit::No);
    };
    if compiled.plan.revision != detail.run.revision {
        terminal.say(format!("note: {} has changed since this run", path.display()));
    }
    let clock = SystemClock::new();
    let ask = Ask {
        operator,
        registry: &registry,
        clock: &clock,
        pattern: None,
        seed: 0,
        crash: false,
        trace: false,
    };
    let source = Source::new("the test", "");
    let place = Folder {
        path: &folder,
        source: &source,
    };
    let text = trials::export(&detail.events, &compiled.plan, &place, ask).map_err(|error| {
        terminal.complain(safe(&error.to_string()));
        terminal.remedy("write the test by hand; `sortie runs show` has what was answered");
        Exit::No
    })?;
    let Some(file) = file else {
        terminal.bytes(text.as_bytes())?;
        return Ok(Exit::Yes);
    };
    let written = std::fs::File::create_new(file)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|error| {
        terminal.complain(format!("cannot write {}: {error}", file.display()));
        Exit::Usage
    })?;
    terminal.line(file.display().to_string())?;
    terminal.say(format!("next: sortie test {}", file.display()));
    Ok(Exit::Yes)
}
