//! The house rules that a machine can check: who imports whom, how long a file is, how it opens.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it did"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of one Rust file at most.
const FILE_LINES_MAX: usize = 450;
/// Lines of one file of tests at most; tables of cases are long.
const TEST_LINES_MAX: usize = 700;

/// Which crates of this workspace each crate may name, dev-dependencies left out.
const ARROWS: &[(&str, &[&str])] = &[
    ("playbooks", &[]),
    ("state", &["playbooks"]),
    ("actions", &["playbooks"]),
    ("engine", &["playbooks", "state"]),
    ("web", &["playbooks", "state", "engine"]),
    ("runner", &["playbooks", "state", "actions", "engine", "web"]),
    (
        "tests",
        &["playbooks", "state", "actions", "engine", "web", "runner"],
    ),
];

/// What the pure crates must not be able to name, however indirectly written in their manifest.
const IMPURE: &[&str] = &[
    "tokio", "reqwest", "sled", "lettre", "hyper", "axum", "rand", "rustix",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let names = package["dependencies"].as_array().unwrap().iter();
            let normal = names
                .filter(|one| one["kind"].is_null())
                .map(|one| one["name"].as_str().unwrap().to_owned());
            (package["name"].as_str().unwrap().to_owned(), normal.collect())
        })
        .collect()
}

#[test]
fn arrows_point_downward_only() {
    let dependencies = dependencies();
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        dependencies.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        ours,
        "a crate without arrows"
    );
    for (name, allowed) in ARROWS {
        for dependency in &dependencies[*name] {
            assert!(
                !ours.contains(dependency.as_str()) || allowed.contains(&dependency.as_str()),
                "{name} must not import {dependency}"
            );
        }
    }
}

#[test]
fn the_pure_crates_cannot_name_the_world() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if !["playbooks", "engine"].contains(&name) {
            continue;
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            assert!(
                !dependency["kind"].is_null() || !IMPURE.contains(&other),
                "{name} is pure and must not name {other}"
            );
        }
    }
    let engine = std::fs::read_to_string(root().join("runner/engine/Cargo.toml")).unwrap();
    assert!(
        !engine.contains("embedded"),
        "the engine sees types of the store only"
    );
}

fn rust_files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "*.rs"])
        .current_dir(root())
        .output();
    let names = match listed {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            String::from_utf8(output.stdout).unwrap()
        }
        _ => {
            println!("tidy: not a git checkout, files are not looked at");
            return Vec::new();
        }
    };
    names
        .lines()
        .map(|name| root().join(name))
        .filter(|path| path.exists())
        .collect()
}

#[test]
fn files_open_with_what_they_own_and_stay_short() {
    let mut faults = Vec::new();
    for path in rust_files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        if !text.trim_start().starts_with("//!") {
            faults.push(format!("{name} does not open with `//!`"));
        }
        let lines = text.lines().count();
        let most = if name.contains("tests") {
            TEST_LINES_MAX
        } else {
            FILE_LINES_MAX
        };
        if lines > most {
            faults.push(format!("{name} has {lines} lines, at most {most}"));
        }
        if path
            .file_name()
            .is_some_and(|file| file == "mod.rs" || file == "utils.rs" || file == "common.rs")
        {
            faults.push(format!("{name}: this name explains nothing"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_unfinished_is_left_in_the_code() {
    let banned = [
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["db", "g!("].concat(),
    ];
    let mut faults = Vec::new();
    for path in rust_files() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            if banned.iter().any(|word| line.contains(word.as_str())) {
                faults.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
            if line.contains(["[al", "low("].concat().as_str()) {
                faults.push(format!(
                    "{}:{}: use #[expect(.., reason)]",
                    path.display(),
                    number + 1
                ));
            }
            if line.trim_start().starts_with("#[ignore") && !line.contains('=') {
                faults.push(format!(
                    "{}:{}: an ignored test needs a reason",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn samples_have_their_source_and_licence_beside_them() {
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    for place in ["actions/tests/bodies", "runner/tests/samples", "tests/samples"] {
        let folder = root().join(place);
        if folder.exists() {
            folders.insert(folder);
        }
    }
    for folder in folders {
        assert!(
            folder.join("SOURCES.md").exists(),
            "{} has no SOURCES.md",
            folder.display()
        );
    }
}

/// One named limit: where it stands, its name, its value, what it means.
fn limits() -> Vec<[String; 4]> {
    let mut found = Vec::new();
    for path in rust_files() {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        if name.contains("/tests") || name.starts_with("tests/") || name.contains("/benches/") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut meaning = String::new();
        for line in text.lines() {
            if let Some(words) = line.trim_start().strip_prefix("/// ") {
                meaning.push_str(if meaning.is_empty() { "" } else { " " });
                meaning.push_str(words);
                continue;
            }
            let constant = line
                .trim_start_matches("pub ")
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub(super) ");
            if let Some((head, value)) = constant
                .strip_prefix("const ")
                .and_then(|rest| rest.split_once(" = "))
                && let Some((constant, _)) = head.split_once(':')
                && constant.ends_with("_MAX")
                && value.ends_with(';')
            {
                let meaning = meaning.replace('|', "\\|");
                found.push([
                    name.clone(),
                    constant.to_owned(),
                    value.trim_end_matches(';').to_owned(),
                    meaning,
                ]);
            }
            if !line.trim_start().starts_with("#[") {
                meaning.clear();
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_limit_has_a_line_in_the_documentation() {
    let mut page = "# Limits\n\nEvery limit has a name in the code. This page is written from it: `UPDATE=1 cargo test -p tests --test tidy`.\n\n| where | name | value | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    let found = limits();
    for [place, name, value, meaning] in &found {
        assert!(!meaning.is_empty(), "{place}: {name} says nothing about itself");
        page.push_str(&format!("| `{place}` | `{name}` | `{value}` | {meaning} |\n"));
    }
    if found.is_empty() {
        return; // Not a git checkout; `rust_files` said so.
    }
    let path = root().join("docs/limits.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/limits.md is stale: UPDATE=1 cargo test -p tests --test tidy"
    );
}
