//! Tests of playbooks: files found, read, set up and played.
//!
//! Owns what stands around a test: the incident it names, the entity, connections that are not
//! there. Playing and judging is the engine's. Nothing here opens a store, a socket or a
//! connection; what only computes (`extract.*`) is computed for real.

mod bench;
mod export;
mod find;
mod incident;
mod scenery;

use engine::rehearsal::{Coverage, Difference};
use playbooks::diagnostic::{Diagnostic, Source};
use playbooks::document::Document;
use playbooks::plan::Plan;
use state::event::Recorded;

pub use self::bench::{Ask, check_beside, play_all};
pub use self::export::{NotExportable, export};
pub use self::find::{TestFile, find, playbook_of};
pub use self::incident::Folder;

/// Files of tests in one folder.
pub const TEST_FILES_MAX: usize = 2_000;
/// Orders of answers in which every test is played.
pub const ORDERS: u64 = 2;

/// The tests of one playbook, played.
#[derive(Debug)]
pub struct Report {
    /// The file of tests.
    pub source: Source,
    /// The playbook's id, as the file names it.
    pub playbook: String,
    /// What is wrong with the file or the playbook; with an error nothing was played. PB505 comes
    /// here as well.
    pub findings: Vec<Diagnostic>,
    /// What was played.
    pub tests: Vec<Outcome>,
    /// What was reached, and of what; none when nothing was played or only a part.
    pub coverage: Option<Covered>,
    /// Milliseconds for all of it.
    pub milliseconds: u64,
}

impl Report {
    /// Whether everything that was asked for holds.
    pub fn holds(&self) -> bool {
        let sound = self
            .findings
            .iter()
            .all(|found| found.level != playbooks::diagnostic::Level::Error);
        sound && self.tests.iter().all(|test| test.failures.is_empty())
    }
}

/// What tests reached of a playbook.
#[derive(Debug)]
pub struct Covered {
    /// What was reached.
    pub coverage: Coverage,
    /// The playbook.
    pub plan: Plan,
    /// The playbook as written, for places.
    pub document: Document,
    /// Its text.
    pub source: Source,
}

/// One test, played.
#[derive(Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// The line of its name, from 1.
    pub line: usize,
    /// What does not hold; nothing when it passed.
    pub failures: Vec<Failure>,
    /// Crashes that were tried.
    pub crashes: usize,
    /// The events of its last run, when they were asked for.
    pub trace: Vec<Recorded>,
    /// Milliseconds.
    pub milliseconds: u64,
}

/// Why a test did not pass. Texts may hold anything an incident held.
#[derive(Debug, Clone)]
pub enum Failure {
    /// An expectation was not met.
    Difference(Difference),
    /// Reads that had no answer (PB503).
    Unmocked(Vec<String>),
    /// The test cannot be set up: an alert that is not there, an entity that does not exist.
    Unusable(Box<Diagnostic>),
    /// `crash_after` names a step that was not reached.
    NotReached(String),
    /// Something that must hold in every run did not, or not after a crash.
    Broken(String),
}
