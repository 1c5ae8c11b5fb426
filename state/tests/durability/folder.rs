//! The data folder: one process, the owner only.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use state::embedded::{EmbeddedStore, OpenError, Options};

use crate::workload::{STEPS, everything, expected, step};

#[test]
fn a_second_process_gets_one_clear_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = EmbeddedStore::open(folder.path(), Options::default()).expect("opened");
    let second = EmbeddedStore::open(folder.path(), Options::default()).expect_err("it is in use");
    let text = second.to_string();
    assert!(matches!(second, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
    let pid = std::process::id();
    let path = folder.path().display();
    assert_eq!(text, format!("the store {path} is in use by process {pid}"));
    drop(first);
    EmbeddedStore::open(folder.path(), Options::default()).expect("it is free again");
}

fn modes(folder: &Path, wrong: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let meta = entry.metadata().expect("its data");
        let mode = meta.permissions().mode() & 0o777;
        // The index's own files are sled's; the folder above keeps others out.
        let expected = if meta.is_dir() { 0o700 } else { 0o600 };
        if entry.path().components().any(|part| part.as_os_str() == "index") {
            continue;
        }
        if mode != expected {
            wrong.push(format!("{} is {mode:o}", entry.path().display()));
        }
        if meta.is_dir() {
            modes(&entry.path(), wrong);
        }
    }
}

#[tokio::test]
async fn files_are_for_the_owner_and_nothing_is_left_in_blobs() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("deep/data");
    let opened = EmbeddedStore::open(&data, Options::default()).expect("opened");
    for number in 0..STEPS {
        step(&*opened.store, number).await.expect("stored");
    }
    let figures = state::store::Store::figures(&*opened.store)
        .await
        .expect("figures");
    assert_eq!(
        (figures.incidents, figures.open_runs, &figures.rebuilt),
        (3, 2, &None)
    );
    assert!(
        figures.journal_bytes > 2_000 && figures.file_bytes > 200_000,
        "{figures:?}"
    );
    drop(opened);
    let mut wrong = Vec::new();
    modes(&data, &mut wrong);
    assert_eq!(wrong, Vec::<String>::new());
    let mode = std::fs::metadata(&data).expect("its data").permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    let blobs = std::fs::read_dir(data.join("index/blobs")).map(Iterator::count);
    assert!(matches!(blobs, Ok(0) | Err(_)), "{blobs:?}");
}

#[tokio::test]
async fn a_store_on_the_real_disk_comes_back_as_it_was() {
    let expected = expected().await;
    let folder = tempfile::tempdir().expect("a folder");
    // One write a life: every start reads what the last one left.
    for number in 0..STEPS {
        let opened = EmbeddedStore::open(folder.path(), Options::default()).expect("opened");
        step(&*opened.store, number).await.expect("stored");
        let found = everything(&*opened.store).await.expect("read");
        assert_eq!(Some(&found), expected.get(number + 1));
    }
}
