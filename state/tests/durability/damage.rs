//! Damaged files: the index is made again, the journal is never read wrongly.

use std::fs;
use std::path::Path;

use state::conformance::trial_disk::{Random, TrialDisk};
use state::embedded::{EmbeddedStore, OpenError, Options};
use state::store::{Store as _, StoreError};

use crate::crash::options;
use crate::workload::{STEPS, everything, expected, first_run, step};

async fn fill(folder: &Path, options: Options) {
    let opened = EmbeddedStore::open(folder, options).expect("opened");
    for number in 0..STEPS {
        step(&*opened.store, number).await.expect("stored");
    }
}

/// Opens, compares, and gives why the index was made again.
async fn as_before(folder: &Path, expected: &[String]) -> Option<String> {
    let opened = EmbeddedStore::open(folder, Options::default()).expect("opened");
    let found = everything(&*opened.store).await.expect("read");
    assert_eq!(Some(&found), expected.last());
    opened.store.verify().await.expect("whole");
    opened.store.figures().await.expect("figures").rebuilt
}

#[tokio::test]
async fn the_index_is_made_again_when_it_is_gone_or_damaged() {
    let expected = expected().await;
    let folder = tempfile::tempdir().expect("a folder");
    let index = folder.path().join("index");
    let database = index.join("db");
    fill(folder.path(), Options::default()).await;
    assert_eq!(as_before(folder.path(), &expected).await, None);

    fs::remove_dir_all(&index).expect("removed");
    assert!(as_before(folder.path(), &expected).await.is_some());
    assert_eq!(as_before(folder.path(), &expected).await, None);

    // Cut short, at several lengths.
    let whole = fs::read(&database).expect("sled's file");
    for keep in [0, 1, 512, 4_096, whole.len() / 2] {
        fs::write(&database, whole.get(..keep).expect("bytes")).expect("written");
        let why = as_before(folder.path(), &expected).await;
        println!("cut to {keep} bytes: {why:?}");
    }
    // Garbage over all of it.
    let length = usize::try_from(fs::metadata(&database).expect("its data").len()).expect("a length");
    fs::write(&database, vec![0xa5; length]).expect("written");
    assert!(as_before(folder.path(), &expected).await.is_some());

    // A snapshot that sled had not finished is no reason at all.
    fs::write(index.join("snap.0000000000FFFFFF.generating"), [1, 2, 3]).expect("written");
    assert_eq!(as_before(folder.path(), &expected).await, None);
    assert!(!index.join("snap.0000000000FFFFFF.generating").exists());

    // A mark of doubt, and files where none may be.
    fs::write(index.join("REBUILD"), "in doubt").expect("written");
    assert_eq!(
        as_before(folder.path(), &expected).await.as_deref(),
        Some("in doubt")
    );
    fs::write(index.join("blobs/17"), [0; 9]).expect("written");
    assert!(as_before(folder.path(), &expected).await.is_some());
    assert!(folder.path().join("index.damaged").exists());
}

#[tokio::test]
async fn an_index_with_flipped_bytes_never_answers_wrongly() {
    let expected = expected().await;
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("index/db");
    fill(folder.path(), Options::default()).await;
    let whole = fs::read(&database).expect("sled's file");
    let used = whole.iter().rposition(|byte| *byte != 0).expect("bytes");
    let mut random = Random(7);
    let (mut right, mut refused, mut rebuilt) = (0, 0, 0);
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let place = usize::try_from(random.below(used as u64)).expect("a place");
            *bytes.get_mut(place).expect("a byte") ^= 1 << random.below(8);
        }
        fs::write(&database, bytes).expect("written");
        let opened = EmbeddedStore::open(folder.path(), Options::default()).expect("opened");
        match everything(&*opened.store).await {
            Ok(found) => {
                assert_eq!(Some(&found), expected.last());
                right += 1;
            }
            Err(StoreError::Damaged { .. }) => {
                refused += 1;
                // The next start makes it anew.
                drop(opened);
                assert!(as_before(folder.path(), &expected).await.is_some());
                continue;
            }
            Err(other) => panic!("{other}"),
        }
        rebuilt += usize::from(opened.store.figures().await.expect("figures").rebuilt.is_some());
    }
    println!(
        "60 damaged indexes: {right} right, {rebuilt} of them made anew at the start, {refused} refused to answer"
    );
    assert!(rebuilt + refused > 0, "the flips hit nothing");
}

#[tokio::test]
async fn an_index_of_another_store_is_not_believed() {
    let expected = expected().await;
    let ours = tempfile::tempdir().expect("a folder");
    let other = tempfile::tempdir().expect("a folder");
    fill(ours.path(), Options::default()).await;
    let opened = EmbeddedStore::open(other.path(), Options::default()).expect("opened");
    step(&*opened.store, 13).await.expect("stored");
    drop(opened);
    fs::remove_dir_all(ours.path().join("index")).expect("removed");
    fs::rename(other.path().join("index"), ours.path().join("index")).expect("moved");
    assert!(as_before(ours.path(), &expected).await.is_some());
}

#[tokio::test]
async fn damage_in_the_journal_is_named_and_never_read_wrongly() {
    let expected = expected().await;
    let folder = tempfile::tempdir().expect("a folder");
    let disk = TrialDisk::default();
    fill(folder.path(), options(&disk)).await;
    let segment = folder.path().join("journal/00000001.journal");
    let used = disk
        .rot(&segment, |bytes| bytes.iter().rposition(|byte| *byte != 0))
        .expect("the segment")
        .expect("bytes");
    let mut random = Random(11);
    let (mut refused_to_open, mut refused_to_answer, mut cut) = (0, 0, 0);
    for number in 0..50 {
        let place = usize::try_from(random.below(used as u64)).expect("a place");
        let bit = 1 << random.below(8);
        let flip = |bytes: &mut Vec<u8>| *bytes.get_mut(place).expect("a byte") ^= bit;
        // With the index, what it knows is not read again while opening; without it, all is.
        drop(EmbeddedStore::open(folder.path(), options(&disk)).expect("whole again"));
        let saved = disk.rot(&segment, |bytes| bytes.clone()).expect("the segment");
        disk.rot(&segment, flip).expect("the segment");
        if number % 2 == 0 {
            let _gone = fs::remove_dir_all(folder.path().join("index"));
        }
        match EmbeddedStore::open(folder.path(), options(&disk)) {
            Err(OpenError::Store { reason, .. }) => {
                assert!(
                    matches!(&reason, StoreError::Damaged { place, .. }
                    if place.contains("00000001.journal at byte")),
                    "{reason}"
                );
                refused_to_open += 1;
            }
            Err(other) => panic!("{other}"),
            Ok(opened) => match everything(&*opened.store).await {
                Err(StoreError::Damaged { .. }) => refused_to_answer += 1,
                Err(other) => panic!("{other}"),
                Ok(found) => {
                    assert!(
                        expected.contains(&found),
                        "byte {place}: an answer that was never right\n{found}"
                    );
                    cut += 1;
                }
            },
        }
        disk.rot(&segment, |bytes| *bytes = saved).expect("the segment");
    }
    println!(
        "50 flips: {refused_to_open} refused to open, {refused_to_answer} to answer, {cut} lost the tail only"
    );
    assert!(refused_to_open >= 20 && refused_to_answer >= 5);
}

#[tokio::test]
async fn a_missing_segment_and_a_damaged_file_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fill(folder.path(), Options::default()).await;
    // The body of run 2's record lies in a file.
    let files = folder.path().join("files");
    let mut long = Vec::new();
    for shard in fs::read_dir(&files).expect("a folder") {
        for file in fs::read_dir(shard.expect("an entry").path()).expect("a folder") {
            long.push(file.expect("an entry").path());
        }
    }
    assert_eq!(long.len(), 4);
    for file in &long {
        let mut bytes = fs::read(file).expect("the file");
        *bytes.first_mut().expect("a byte") ^= 1;
        fs::write(file, bytes).expect("written");
    }
    let opened = EmbeddedStore::open(folder.path(), Options::default()).expect("opened");
    let sha256 = long
        .first()
        .and_then(|path| path.file_name())
        .expect("a name")
        .to_string_lossy();
    let refused = opened.store.file(&sha256).await.expect_err("damaged");
    assert!(refused.to_string().contains(&*sha256), "{refused}");
    assert!(opened.store.load(&first_run()).await.is_ok());
    assert!(opened.store.verify().await.is_err());
    drop(opened);

    let segment = folder.path().join("journal/00000001.journal");
    fs::rename(&segment, folder.path().join("journal/00000002.journal")).expect("renamed");
    let refused = EmbeddedStore::open(folder.path(), Options::default()).expect_err("missing");
    assert!(refused.to_string().contains("00000001.journal"), "{refused}");
}
