//! The embedded store keeps the contract, and what it acknowledged.

use std::sync::Mutex;

use playbooks::marking::Verdict;

use super::*;
use crate::access::Permission;
use crate::conformance::samples::{accept, moment, new_incident, scope, update};
use crate::conformance::trial_disk::TrialDisk;
use crate::store::{AuditFilter, PageRequest, Store};

#[tokio::test]
async fn keeps_the_contract() {
    let folders = Mutex::new(Vec::new());
    crate::conformance::run(|| async {
        let folder = tempfile::tempdir().unwrap();
        let opened = EmbeddedStore::open(folder.path(), Options::default()).unwrap();
        folders.lock().unwrap().push(folder);
        opened.store as Arc<dyn Store>
    })
    .await;
}

fn open_on(folder: &Path, disk: &TrialDisk) -> Arc<EmbeddedStore> {
    let options = Options {
        disk: Arc::new(disk.clone()),
        ..Options::default()
    };
    EmbeddedStore::open(folder, options).unwrap().store
}

#[tokio::test]
async fn showing_an_incident_reads_none_of_its_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let disk = TrialDisk::default();
    let store = open_on(folder.path(), &disk);
    let id = accept(&*store, "ville-a", "key", 0).await;
    for seconds in 1..=20 {
        store
            .accept(new_incident("ville-a", "key", seconds))
            .await
            .unwrap();
    }
    let change = update("ville-a", &id, 1, Verdict::Noise);
    store.update_incident(change, moment(30)).await.unwrap();
    let before = disk.reads();
    let shown = store.incident(&id).await.unwrap().unwrap();
    assert_eq!((shown.count, shown.updates.len()), (21, 1));
    // What was accepted, and the one change.
    assert_eq!(disk.reads() - before, 2);
    let filter = AuditFilter {
        incident: Some(id),
        ..AuditFilter::default()
    };
    let audit = scope(Permission::Audit, &[]);
    let listed = store.audit(&audit, filter, PageRequest::default()).await;
    assert_eq!(listed.unwrap().rows.len(), 22);
}

#[tokio::test]
async fn an_index_of_another_layout_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = TrialDisk::default();
    let store = open_on(folder.path(), &disk);
    let id = accept(&*store, "ville-a", "key", 0).await;
    drop(store);
    let opened = index::open(&folder.path().join("index"), None).unwrap();
    let mut staged = Staged::over(&opened.index);
    staged.put_bytes(keys::LAYOUT.to_vec(), b"1");
    let published = opened.index.publish(staged.into_changes());
    opened.index.absorb(vec![published]).unwrap();
    opened.index.flush().unwrap();
    drop(opened);
    let store = open_on(folder.path(), &disk);
    let rebuilt = store.figures().await.unwrap().rebuilt.unwrap();
    assert!(rebuilt.contains("layout"), "{rebuilt}");
    assert!(store.incident(&id).await.unwrap().is_some());
    drop(store);
    let store = open_on(folder.path(), &disk);
    assert_eq!(store.figures().await.unwrap().rebuilt, None);
}
