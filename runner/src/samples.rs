//! Real samples for tests: a few in this repository, many in a folder some machines have.

use std::path::{Path, PathBuf};

/// The samples that lie in this repository.
pub(crate) fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

/// A folder of the large collection; says so when this machine does not have it.
pub(crate) fn all(folder: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tests may be pointed at samples")]
    let named = std::env::var("SORTIE_SAMPLES").ok().map(PathBuf::from);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let found = named
        .into_iter()
        .chain([
            workspace.join("../shared/data"),
            workspace.join("../../shared/data"),
        ])
        .map(|root| root.join(folder))
        .find(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: no samples in {folder}");
    }
    found
}

/// Every file below a folder, in order of name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
