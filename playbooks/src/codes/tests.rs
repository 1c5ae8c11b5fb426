//! Tests of codes: behaviour at its edges and against hostile input.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

/// Codes of entity files, which the runner reads.
const USED_BY_THE_RUNNER: &[&str] = &["PB601", "PB605", "PB606"];

fn codes_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_in(&path, found);
        } else if !path.ends_with("codes.rs")
            && !path.ends_with("tests.rs")
            && !path.ends_with("codes/tests.rs")
        {
            let text = fs::read_to_string(&path).unwrap();
            let mut rest = text.as_str();
            while let Some(at) = rest.find("\"PB") {
                let code = &rest[at + 1..];
                let digits = code[2..].bytes().take_while(u8::is_ascii_digit).count();
                if digits == 3 && code[5..].starts_with('"') {
                    found.insert(code[..5].to_owned());
                }
                rest = &rest[at + 3..];
            }
        }
    }
}

#[test]
fn every_code_used_has_a_page_and_every_page_a_use() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut used = BTreeSet::new();
    codes_in(&root.join("src"), &mut used);
    let listed: BTreeSet<String> = CODES.iter().map(|code| code.code.to_owned()).collect();
    let files: BTreeSet<String> = fs::read_dir(root.join("../docs/codes"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .filter(|name: &String| name.starts_with("PB"))
        .collect();
    assert_eq!(files, listed, "pages and table");
    let unknown: Vec<&String> = used.difference(&listed).collect();
    assert!(unknown.is_empty(), "used without a page: {unknown:?}");
    let idle: Vec<&String> = listed
        .difference(&used)
        .filter(|code| !USED_BY_THE_RUNNER.contains(&code.as_str()))
        .collect();
    assert!(idle.is_empty(), "pages nobody uses: {idle:?}");
}

#[test]
fn pages_say_what_why_and_how() {
    for code in CODES {
        assert!(
            code.page
                .starts_with(&format!("# {}: {}\n", code.code, code.summary)),
            "{}",
            code.code
        );
        assert!(code.page.contains("**Why it matters.**") && code.page.contains("**Repair.**"));
    }
    assert_eq!(find("pb204").map(|code| code.code), Some("PB204"));
    assert_eq!(find("PB999"), None);
    let sorted: Vec<&str> = CODES.iter().map(|code| code.code).collect();
    assert!(sorted.is_sorted());
}
