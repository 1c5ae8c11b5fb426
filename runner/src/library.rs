//! The playbooks this process knows: the current ones by id, and every pinned one by revision.
//!
//! Owns reading the playbook folder and compiling. A run never asks for "the" playbook, only for
//! the revision it pinned; the current ones are for starting.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use indexmap::IndexMap;
use playbooks::action_spec::Catalog;
use playbooks::compile::{self, Bundle, Compilation, Environment, compile};
use playbooks::diagnostic::{Diagnostic, Level};
use playbooks::operator::Operator;
use playbooks::plan::Plan;
use state::event::PlaybookRef;

/// Files in one playbook folder.
pub const PLAYBOOK_FILES_MAX: usize = 2_000;
/// Bytes of one playbook or template file that are read at most; the language's own limit is lower.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// A compiled playbook with what it was compiled from.
#[derive(Debug)]
pub struct Compiled {
    /// The plan.
    pub plan: Plan,
    /// Its text and templates; what the store keeps for runs pinned to it.
    pub bundle: Bundle,
}

impl Compiled {
    /// Its identity.
    pub fn reference(&self) -> PlaybookRef {
        PlaybookRef {
            id: self.plan.id.clone(),
            version: self.plan.version,
            revision: self.plan.revision.clone(),
        }
    }
}

/// Reading or compiling did not work.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// There are too many.
    #[error("{path} holds more than {PLAYBOOK_FILES_MAX} playbooks; split it")]
    TooMany {
        /// Which folder.
        path: String,
    },
}

/// The playbooks by id and by revision.
#[derive(Debug, Default)]
pub struct Library {
    current: RwLock<Arc<BTreeMap<String, Arc<Compiled>>>>,
    pinned: RwLock<BTreeMap<String, Arc<Compiled>>>,
}

impl Library {
    /// A library of these.
    pub fn new(compiled: impl IntoIterator<Item = Compiled>) -> Self {
        let library = Self::default();
        library.replace(compiled);
        library
    }

    /// Makes these the current ones. Runs go on with the revisions they pinned.
    pub fn replace(&self, compiled: impl IntoIterator<Item = Compiled>) {
        let current: BTreeMap<_, _> = compiled
            .into_iter()
            .map(|one| (one.plan.id.clone(), Arc::new(one)))
            .collect();
        let mut pinned = write(&self.pinned);
        for one in current.values() {
            pinned
                .entry(one.plan.revision.clone())
                .or_insert_with(|| Arc::clone(one));
        }
        drop(pinned);
        *write(&self.current) = Arc::new(current);
    }

    /// The current playbooks, by id.
    pub fn current(&self) -> Arc<BTreeMap<String, Arc<Compiled>>> {
        Arc::clone(&read(&self.current))
    }

    /// A current playbook.
    pub fn get(&self, id: &str) -> Option<Arc<Compiled>> {
        read(&self.current).get(id).cloned()
    }

    /// A revision, if this process has compiled it.
    pub fn revision(&self, revision: &str) -> Option<Arc<Compiled>> {
        read(&self.pinned).get(revision).cloned()
    }

    /// Adds a revision that is not current: pinned by a run of the past, or made by Sortie itself.
    pub fn pin(&self, compiled: Compiled) -> Arc<Compiled> {
        let compiled = Arc::new(compiled);
        Arc::clone(
            write(&self.pinned)
                .entry(compiled.plan.revision.clone())
                .or_insert(compiled),
        )
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Everything found in one or several folders.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Playbooks without errors.
    pub compiled: Vec<Compiled>,
    /// Findings over all of them, errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// How many playbook files were read.
    pub files: usize,
}

impl Loaded {
    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|found| found.level == Level::Error)
    }
}

/// Reads and compiles playbooks: each path is a playbook file, or a folder that is searched for
/// them. Templates come from the `templates` folder beside a playbook or beside its folder.
pub fn load(
    paths: &[PathBuf],
    catalog: &dyn Catalog,
    operator: Option<&Operator>,
) -> Result<Loaded, LibraryError> {
    let files = playbook_files(paths)?;
    let mut templates_of: BTreeMap<PathBuf, IndexMap<String, String>> = BTreeMap::new();
    let mut loaded = Loaded {
        files: files.len(),
        ..Loaded::default()
    };
    for file in files {
        let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
        let templates = match templates_of.get(&folder) {
            Some(known) => known.clone(),
            None => templates_of
                .entry(folder.clone())
                .or_insert(templates_beside(&folder)?)
                .clone(),
        };
        let bundle = Bundle {
            name: file.display().to_string(),
            playbook: read_text(&file)?,
            templates,
        };
        let Compilation { plan, diagnostics } = compile(&bundle, Environment { catalog, operator });
        loaded.diagnostics.extend(diagnostics);
        loaded.compiled.extend(plan.map(|plan| Compiled { plan, bundle }));
    }
    Ok(loaded)
}

/// The playbook files that these paths name or hold, sorted, each once.
pub fn playbook_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LibraryError> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// One playbook file with the templates it may name.
pub fn bundle(file: &Path) -> Result<Bundle, LibraryError> {
    Ok(Bundle {
        name: file.display().to_string(),
        playbook: read_text(file)?,
        templates: templates_beside(file.parent().unwrap_or(Path::new(".")))?,
    })
}

/// Compiles a bundle the store kept.
pub fn compile_kept(bundle: Bundle, catalog: &dyn Catalog) -> Result<Compiled, Vec<Diagnostic>> {
    let Compilation { plan, diagnostics } = compile::compile_kept(
        &bundle,
        Environment {
            catalog,
            operator: None,
        },
    );
    plan.map(|plan| Compiled { plan, bundle }).ok_or(diagnostics)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), LibraryError> {
    let unreadable = |reason: std::io::Error| LibraryError::Unreadable {
        path: path.display().to_string(),
        reason: reason.to_string(),
    };
    let kind = std::fs::metadata(path).map_err(unreadable)?;
    if kind.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if name.starts_with('.') {
            continue;
        }
        if entry.is_dir() {
            if !["fixtures", "templates", "entities", "actions"].contains(&name) {
                collect(&entry, files)?;
            }
        } else if is_playbook(name) {
            files.push(entry);
        }
        if files.len() > PLAYBOOK_FILES_MAX {
            return Err(LibraryError::TooMany {
                path: path.display().to_string(),
            });
        }
    }
    Ok(())
}

/// `<id>.yaml`, and neither a test (`<id>.test.yaml`) nor anything else.
fn is_playbook(name: &str) -> bool {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| !stem.is_empty() && !is_test(stem))
}

fn is_test(stem: &str) -> bool {
    stem.rsplit_once('.').is_some_and(|(_, last)| last == "test")
}

fn templates_beside(folder: &Path) -> Result<IndexMap<String, String>, LibraryError> {
    let own = folder.join("templates");
    let shared = folder.parent().map(|parent| parent.join("templates"));
    let mut found = BTreeMap::new();
    for root in shared.iter().chain([&own]) {
        for family in ["mail"] {
            let Ok(entries) = std::fs::read_dir(root.join(family)) else {
                continue;
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                let stem = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .and_then(|name| name.strip_suffix(".hbs"));
                if let Some(stem) = stem {
                    found.insert(format!("{family}/{stem}"), read_text(&path)?);
                }
            }
        }
    }
    Ok(found.into_iter().collect())
}

pub(crate) fn read_text(path: &Path) -> Result<String, LibraryError> {
    use std::io::Read as _;
    let unreadable = |reason: String| LibraryError::Unreadable {
        path: path.display().to_string(),
        reason,
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(text).map_err(|error| {
        unreadable(format!(
            "it is not UTF-8: byte {} is invalid",
            error.utf8_error().valid_up_to()
        ))
    })
}
