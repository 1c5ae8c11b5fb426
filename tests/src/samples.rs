//! Where the large collection of real samples lies, when it is there.
//!
//! Small copies that every checkout has are under the tests that use them; suites over the whole
//! collection run where the folder exists and say so where it does not.

use std::path::{Path, PathBuf};

/// The folder, or a line that says what was not run.
pub fn folder(what: &str) -> Option<PathBuf> {
    let named = std::env::var_os("SORTIE_SAMPLES").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."));
    let places = [root.join("../shared/data"), root.join("../../shared/data")];
    let found = named.into_iter().chain(places).find(|path| path.is_dir());
    #[expect(clippy::print_stdout, reason = "the one line that says a suite did not run")]
    if found.is_none() {
        println!("not run: {what} (set SORTIE_SAMPLES to the folder of samples)");
    }
    found
}

/// Every file below a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
