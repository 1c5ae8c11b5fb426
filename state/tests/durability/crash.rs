//! The power goes at every change of the disk, and everything, or only what was synced, or some
//! sectors of the rest are left.

use std::path::Path;
use std::sync::Arc;

use state::conformance::trial_disk::{Fault, Left, TrialDisk};
use state::embedded::{EmbeddedStore, Options};

use crate::workload::{STEPS, everything, expected, step};

pub(crate) fn options(disk: &TrialDisk) -> Options {
    Options {
        segment_bytes: 2 * 1024 * 1024,
        disk: Arc::new(disk.clone()),
    }
}

/// Opens, writes until a write fails, and says how many were acknowledged.
async fn life(folder: &Path, disk: &TrialDisk, from: usize) -> usize {
    let Ok(opened) = EmbeddedStore::open(folder, options(disk)) else {
        return from;
    };
    for number in from..STEPS {
        if step(&*opened.store, number).await.is_err() {
            return number;
        }
    }
    STEPS
}

/// One crash at a change, and what is there afterwards. Gives whether the crash came to be.
async fn one_crash(expected: &[String], at: u64, left: Left, keep_index: bool) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = TrialDisk::default();
    disk.plan(at, Fault::PowerCut);
    let acknowledged = life(folder.path(), &disk, 0).await;
    let happened = disk.changes() > at;
    disk.crash(left);
    if !keep_index {
        // The folder may not be there yet.
        let _absent = std::fs::remove_dir_all(folder.path().join("index"));
    }
    let opened = EmbeddedStore::open(folder.path(), options(&disk))
        .unwrap_or_else(|error| panic!("change {at}, {left:?}: {error}"));
    let found = everything(&*opened.store).await.expect("read");
    // The write that was not acknowledged may be there, whole.
    let fits = [acknowledged, acknowledged + 1]
        .iter()
        .filter_map(|number| expected.get(*number))
        .any(|expected| *expected == found);
    assert!(
        fits,
        "change {at}, {left:?}: {acknowledged} were acknowledged, found\n{found}"
    );
    // What follows is as if nothing had been.
    drop(opened);
    happened
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_a_crash_at_every_change() {
    let expected = expected().await;
    let (mut changes, mut crashes) = (0, 0);
    loop {
        let mut happened = false;
        for (left, keep_index) in [
            (Left::Everything, true),
            (Left::Synced, true),
            (Left::Torn(changes), false),
            (Left::Torn(changes + 1_000), true),
        ] {
            happened |= one_crash(&expected, changes, left, keep_index).await;
            crashes += 1;
        }
        if !happened {
            break;
        }
        changes += 1;
    }
    println!("{crashes} crashes at {changes} changes of the disk, 0 acknowledged writes lost");
    assert!(
        changes >= 40,
        "the workload changes the disk more often than {changes} times"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_goes_on_after_a_crash_in_a_crash() {
    let expected = expected().await;
    for seed in 0..12_u64 {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = TrialDisk::default();
        disk.plan(8 + seed * 3, Fault::PowerCut);
        let first = life(folder.path(), &disk, 0).await;
        disk.crash(Left::Torn(seed));
        // The next life is cut short while it opens, or just after.
        disk.plan(disk.changes() + seed % 4, Fault::PowerCut);
        let _cut_short = EmbeddedStore::open(folder.path(), options(&disk)).map(drop);
        disk.crash(Left::Torn(seed + 100));
        let opened = EmbeddedStore::open(folder.path(), options(&disk)).expect("opened");
        let found = everything(&*opened.store).await.expect("read");
        let there = (first..=first + 1)
            .find(|number| expected.get(*number) == Some(&found))
            .unwrap_or_else(|| panic!("seed {seed}: {first} were acknowledged, found\n{found}"));
        drop(opened);
        // The rest of the writes ends where an undisturbed life ends.
        assert_eq!(life(folder.path(), &disk, there).await, STEPS);
        let opened = EmbeddedStore::open(folder.path(), options(&disk)).expect("opened");
        let found = everything(&*opened.store).await.expect("read");
        assert_eq!(Some(&found), expected.last(), "seed {seed}");
        opened.store.verify().await.expect("whole");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_each_acknowledged_write_survives() {
    use state::conformance::samples::new_incident;
    use state::store::{Accepted, Store as _};
    let mut groups = 0;
    for seed in 0..10_u64 {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = TrialDisk::default();
        let opened = EmbeddedStore::open(folder.path(), options(&disk)).expect("opened");
        let opening = disk.changes();
        disk.plan(opening + 4 + seed * 2, Fault::PowerCut);
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..32 {
            let store = Arc::clone(&opened.store);
            tasks.spawn(async move {
                let mut kept = Vec::new();
                for number in 0..40 {
                    let key = format!("{writer}/{number}");
                    match store.accept(new_incident("ville-a", &key, number)).await {
                        Ok(Accepted::New(id)) => kept.push((id, key)),
                        Ok(other) => panic!("{other:?}"),
                        Err(_) => break,
                    }
                }
                kept
            });
        }
        let acknowledged: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        groups += disk.changes() - opening;
        drop(opened);
        disk.crash(Left::Torn(seed));
        let opened = EmbeddedStore::open(folder.path(), options(&disk)).expect("opened");
        for (id, key) in &acknowledged {
            let stored = opened.store.incident(id).await.expect("read");
            assert_eq!(
                stored.map(|stored| stored.incident.title).as_ref(),
                Some(key),
                "seed {seed}: {id} was acknowledged"
            );
        }
        opened.store.verify().await.expect("whole");
    }
    assert!(groups >= 60, "the power went after {groups} changes in all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_folders_of_what_was_acknowledged_survive_with_it() {
    let expected = expected().await;
    let folder = tempfile::tempdir().expect("a folder");
    let disk = TrialDisk::default();
    assert_eq!(life(folder.path(), &disk, 0).await, STEPS);
    for below in ["", "journal", "files"] {
        assert!(disk.is_durable(&folder.path().join(below)), "{below}");
    }
    disk.crash(Left::Synced);
    let opened = EmbeddedStore::open(folder.path(), options(&disk)).expect("opened");
    let found = everything(&*opened.store).await.expect("read");
    assert_eq!(Some(&found), expected.last());
}
