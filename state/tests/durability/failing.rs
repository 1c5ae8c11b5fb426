//! Full and failing disks.

use state::conformance::trial_disk::{Fault, Left, TrialDisk};
use state::embedded::EmbeddedStore;
use state::store::StoreError;

use crate::crash::options;
use crate::workload::{STEPS, everything, expected, step};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_nothing_is_acknowledged_and_reads_go_on() {
    let expected = expected().await;
    let (mut at, mut refused_in_all) = (3, 0);
    loop {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = TrialDisk::default();
        let opened = EmbeddedStore::open(folder.path(), options(&disk)).expect("opened");
        let start = disk.changes();
        disk.plan(start + at, Fault::Full);
        let mut refused = 0;
        for number in 0..STEPS {
            let mut result = step(&*opened.store, number).await;
            if let Err(StoreError::Full { path }) = &result {
                assert!(path.contains(folder.path().to_str().expect("a path")));
                refused += 1;
                let found = everything(&*opened.store).await.expect("reads go on");
                assert_eq!(Some(&found), expected.get(number), "change {at}, write {number}");
                // It stays full for a while, then there is room again.
                let again = step(&*opened.store, number).await;
                assert!(matches!(again, Err(StoreError::Full { .. })), "{again:?}");
                disk.repair();
                result = step(&*opened.store, number).await;
            }
            result.unwrap_or_else(|error| panic!("change {at}, write {number}: {error}"));
        }
        let done = disk.changes() <= start + at;
        let found = everything(&*opened.store).await.expect("read");
        assert_eq!(Some(&found), expected.last());
        drop(opened);
        // What was refused does not come back with the next start either.
        disk.crash(Left::Synced);
        let opened = EmbeddedStore::open(folder.path(), options(&disk)).expect("opened");
        let found = everything(&*opened.store).await.expect("read");
        assert_eq!(Some(&found), expected.last(), "change {at}");
        refused_in_all += refused;
        if done {
            break;
        }
        at += 1;
    }
    assert!(
        refused_in_all >= 15,
        "only {refused_in_all} writes met a full disk"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
    let expected = expected().await;
    let mut stopped_in_all = 0;
    for fault in [Fault::SyncFails, Fault::WriteFails] {
        for at in 0..45 {
            let folder = tempfile::tempdir().expect("a folder");
            let disk = TrialDisk::default();
            let opened = EmbeddedStore::open(folder.path(), options(&disk)).expect("opened");
            disk.plan(disk.changes() + at, fault);
            let mut acknowledged = STEPS;
            for number in 0..STEPS {
                match step(&*opened.store, number).await {
                    Ok(()) => {}
                    Err(StoreError::Stopped { reason }) => {
                        assert!(reason.contains("failed"), "{reason}");
                        acknowledged = number;
                        break;
                    }
                    Err(other) => panic!("{fault:?} at {at}: {other}"),
                }
            }
            if acknowledged < STEPS {
                stopped_in_all += 1;
                // The sync is not tried again, and every later write is refused.
                let changes = disk.changes();
                for number in acknowledged..STEPS {
                    let refused = step(&*opened.store, number).await;
                    assert!(matches!(refused, Err(StoreError::Stopped { .. })), "{refused:?}");
                }
                assert_eq!(disk.changes(), changes, "{fault:?} at {at}");
                let found = everything(&*opened.store).await.expect("reads go on");
                assert_eq!(Some(&found), expected.get(acknowledged));
            }
            drop(opened);
            disk.crash(Left::Synced);
            let opened = EmbeddedStore::open(folder.path(), options(&disk)).expect("opened");
            let found = everything(&*opened.store).await.expect("read");
            let fits = [acknowledged, acknowledged + 1]
                .iter()
                .any(|number| expected.get(*number) == Some(&found));
            assert!(
                fits,
                "{fault:?} at {at}: {acknowledged} were acknowledged, found\n{found}"
            );
        }
    }
    assert!(stopped_in_all >= 30, "only {stopped_in_all} stores stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failed_sync_left_readable_is_durable_before_a_later_start_builds_on_it() {
    let expected = expected().await;
    let mut went_on = 0;
    for keep_index in [true, false] {
        for at in 0..45 {
            let folder = tempfile::tempdir().expect("a folder");
            let disk = TrialDisk::default();
            disk.plan(at, Fault::SyncFails);
            let mut there = 0;
            if let Ok(opened) = EmbeddedStore::open(folder.path(), options(&disk)) {
                while there < STEPS && step(&*opened.store, there).await.is_ok() {
                    there += 1;
                }
            }
            // The process starts again; the machine, and what it has in memory, stays.
            disk.crash(Left::Everything);
            if !keep_index {
                // The folder may not be there yet.
                let _absent = std::fs::remove_dir_all(folder.path().join("index"));
            }
            let opened = EmbeddedStore::open(folder.path(), options(&disk)).expect("opened");
            let found = everything(&*opened.store).await.expect("read");
            let there = (there..=there + 1)
                .find(|number| expected.get(*number) == Some(&found))
                .unwrap_or_else(|| panic!("change {at}: {there} were acknowledged, found\n{found}"));
            for number in there..STEPS {
                step(&*opened.store, number).await.expect("stored");
                went_on += 1;
            }
            drop(opened);
            // Then the power goes.
            disk.crash(Left::Synced);
            let opened = EmbeddedStore::open(folder.path(), options(&disk))
                .unwrap_or_else(|error| panic!("change {at}: {error}"));
            let found = everything(&*opened.store).await.expect("read");
            assert!(Some(&found) == expected.last(), "change {at}: writes are lost");
        }
    }
    assert!(went_on >= 200, "only {went_on} writes followed a failed sync");
}
