//! `sortie check --fix`: repairs that are only a matter of writing, in the files that were named.
//!
//! Owns where may be written and what is shown of it. Which bytes change is decided by
//! [`playbooks::repair`].

use std::io::Write as _;
use std::path::{Path, PathBuf};

use playbooks::action_spec::Catalog;
use playbooks::compile::Environment;
use playbooks::operator::Operator;
use playbooks::repair::{Repaired, repaired};

use super::Session;
use super::exit_code::Exit;
use super::terminal::{Terminal, counted, safe};
use crate::library;

/// Repairs every playbook file that the paths name or hold, and says what it changed.
pub(super) fn repair(
    session: &Session,
    paths: &[PathBuf],
    catalog: &dyn Catalog,
    operator: Option<&Operator>,
) -> Result<(), Exit> {
    let terminal = &session.terminal;
    let unusable = |error: &dyn std::fmt::Display| {
        terminal.complain(safe(&error.to_string()));
        Exit::Usage
    };
    for file in library::playbook_files(paths).map_err(|error| unusable(&error))? {
        let bundle = library::bundle(&file).map_err(|error| unusable(&error))?;
        let after = repaired(&bundle, Environment { catalog, operator });
        if after.made.is_empty() {
            continue;
        }
        let target = within(paths, &file).map_err(|why| {
            terminal.complain(format!("{} is not repaired: {why}", file.display()));
            terminal.remedy("name the file itself: `sortie check --fix FILE`");
            Exit::Usage
        })?;
        replace(&target, &after.text).map_err(|error| {
            terminal.complain(format!("cannot write {}: {error}", target.display()));
            terminal.remedy("nothing of the file was changed");
            Exit::Usage
        })?;
        show(terminal, &file, &bundle.playbook, &after);
    }
    Ok(())
}

/// The file itself, when it lies where the paths say: a link must not lead the pen elsewhere.
fn within(paths: &[PathBuf], file: &Path) -> Result<PathBuf, String> {
    let target = file.canonicalize().map_err(|error| error.to_string())?;
    let named = |path: &PathBuf| path.canonicalize().is_ok_and(|root| target.starts_with(root));
    if paths.iter().any(named) {
        Ok(target)
    } else {
        Err(format!(
            "it leads to {}, outside the paths given",
            target.display()
        ))
    }
}

/// Puts a new text in the place of a file, whole or not at all, with the modes it had.
fn replace(target: &Path, text: &str) -> std::io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    let modes = std::fs::metadata(target)?.permissions();
    if modes.readonly() {
        return Err(std::io::Error::new(
            std::io::ErrorKind::PermissionDenied,
            "the file is read-only",
        ));
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.sortie-{}", std::process::id()));
    let written = std::fs::File::create_new(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.set_permissions(modes)?;
        file.sync_all()?;
        std::fs::rename(&draft, target)
    });
    if written.is_err() {
        // The draft is of no use; that it could not be removed changes nothing about the error.
        let _ = std::fs::remove_file(&draft);
    }
    written
}

/// Every line that changed, before and after.
fn show(terminal: &Terminal, file: &Path, before: &str, after: &Repaired) {
    let mut codes = after.made.clone();
    codes.sort_unstable();
    codes.dedup();
    terminal.say(format!(
        "{}: {} ({})",
        safe(&file.display().to_string()),
        counted(after.made.len(), "repair", "repairs"),
        codes.join(", ")
    ));
    // A repair never adds or removes a line.
    let lines = before.lines().zip(after.text.lines());
    for (number, (old, new)) in (1..).zip(lines).filter(|(_, (old, new))| old != new) {
        terminal.say(format!("{number:>5} - {}", safe(old)));
        terminal.say(format!("{number:>5} + {}", safe(new)));
    }
}
