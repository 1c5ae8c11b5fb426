//! Which files of tests a command means.

use std::path::{Path, PathBuf};

use super::TEST_FILES_MAX;
use crate::library::LibraryError;

/// The ending of a file of tests.
const ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];

/// A file of tests, and the playbook it lies beside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestFile {
    /// The tests.
    pub tests: PathBuf,
    /// The playbook; it may not exist.
    pub playbook: PathBuf,
}

impl TestFile {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))?;
        (!stem.is_empty()).then(|| Self {
            tests: path.to_owned(),
            playbook: path.with_file_name(format!("{stem}.yaml")),
        })
    }

    /// The playbook that the file says it tests, in the same folder; a word that is no id leads to
    /// the playbook of the file's own name.
    pub(super) fn playbook_of(&self, id: &str) -> PathBuf {
        let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let path = self.tests.with_file_name(format!("{id}.yaml"));
        if !id.is_empty() && id.chars().all(is_id) && path.is_file() {
            return path;
        }
        self.playbook.clone()
    }

    /// The tests beside a playbook, when there are some.
    pub fn beside(playbook: &Path) -> Option<Self> {
        let stem = playbook.file_stem()?.to_str()?;
        let tests = ENDINGS
            .iter()
            .map(|ending| playbook.with_file_name(format!("{stem}{ending}")))
            .find(|path| path.is_file())?;
        Some(Self {
            tests,
            playbook: playbook.to_owned(),
        })
    }
}

/// The playbook of a file of tests; any other path is its own.
pub fn playbook_of(path: &Path) -> PathBuf {
    TestFile::of(path).map_or_else(|| path.to_owned(), |file| file.playbook)
}

/// Finds files of tests: a path is such a file, a playbook that has some beside it, a folder that is
/// searched, or the id of a playbook in `playbooks`.
///
/// # Errors
/// A path that leads to nothing, or that cannot be read.
pub fn find(paths: &[PathBuf], playbooks: &Path) -> Result<Vec<TestFile>, LibraryError> {
    let mut found = Vec::new();
    for path in paths {
        let id = path.to_str().filter(|id| !id.contains(['/', '.']));
        let by_id = id.map(|id| playbooks.join(format!("{id}.test.yaml")));
        if path.is_dir() {
            collect(path, &mut found)?;
        } else if path.is_file() {
            let one = TestFile::of(path).or_else(|| TestFile::beside(path));
            found.push(one.ok_or_else(|| nothing(path, "no file of tests lies beside it"))?);
        } else if let Some(one) = by_id
            .filter(|path| path.is_file())
            .and_then(|path| TestFile::of(&path))
        {
            found.push(one);
        } else {
            return Err(nothing(
                path,
                "there is no such file, folder or playbook with tests",
            ));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn nothing(path: &Path, reason: &str) -> LibraryError {
    LibraryError::Unreadable {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}

fn collect(folder: &Path, found: &mut Vec<TestFile>) -> Result<(), LibraryError> {
    let entries = std::fs::read_dir(folder).map_err(|error| nothing(folder, &error.to_string()))?;
    for entry in entries {
        let path = entry.map_err(|error| nothing(folder, &error.to_string()))?.path();
        let hidden = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_none_or(|name| name.starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            collect(&path, found)?;
        } else if let Some(one) = TestFile::of(&path) {
            found.push(one);
        }
        if found.len() > TEST_FILES_MAX {
            return Err(nothing(
                folder,
                &format!("it holds more than {TEST_FILES_MAX} files of tests"),
            ));
        }
    }
    Ok(())
}
