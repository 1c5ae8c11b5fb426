//! The embedded store keeps the contract, and what it acknowledged.

use std::future::Future;
use std::sync::Mutex;

use playbooks::incident::IncidentType;
use playbooks::marking::Verdict;

use super::*;
use crate::access::Permission;
use crate::conformance::samples::{accept, moment, new_incident, new_run, run_id, scope, update};
use crate::conformance::trial_disk::TrialDisk;
use crate::store::{AuditFilter, IncidentFilter, PAGE_LOOKS_MAX, Page, PageRequest, Store};

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
async fn a_short_id_is_looked_for_among_the_callers_own_runs_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_on(folder.path(), &TrialDisk::default());
    for (name, number) in [("ville-b", 1), ("ville-b", 2), ("ville-a", 3)] {
        let run = new_run(name, None, "triage", number);
        store.start(run, moment(0)).await.unwrap();
    }
    let short = run_id(3).as_str().get(..6).unwrap().to_owned();
    let all = scope(Permission::See, &[]);
    assert_eq!(store.find_run(&all, &short).await.unwrap().len(), 2);
    // Whoever reads what leads to a run of another entity trips over it.
    let mut staged = Staged::over(&store.shared.index);
    staged.put_bytes(keys::run_entity(&run_id(1)), b"not an entity");
    store.shared.index.publish(staged.into_changes());
    assert!(store.find_run(&all, &short).await.is_err());
    let own = scope(Permission::See, &["ville-a"]);
    let found = store.find_run(&own, &short).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|row| row.run).collect();
    assert_eq!(found, [run_id(3)]);
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

/// Pages until the end, each with at most `limit` rows; rows of each page.
async fn pages<T, F>(limit: usize, list: impl Fn(PageRequest) -> F) -> Vec<usize>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let (mut after, mut counts) = (None, Vec::new());
    loop {
        let page = list(PageRequest { after, limit }).await.unwrap();
        counts.push(page.rows.len());
        after = page.next;
        if after.is_none() {
            return counts;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_looks_at_a_bounded_number_of_entries_and_says_where_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_on(folder.path(), &TrialDisk::default());
    let (see, audit) = (scope(Permission::See, &[]), scope(Permission::Audit, &[]));
    let phishing = IncidentFilter {
        kind: Some(IncidentType::Phishing),
        ..IncidentFilter::default()
    };
    let kind = AuditFilter {
        kind: Some("no.such.kind".to_owned()),
        ..AuditFilter::default()
    };
    let mut there = 0;
    // One below, at, one above the bound, and far beyond it.
    for (count, expected) in [
        (PAGE_LOOKS_MAX - 1, 1),
        (PAGE_LOOKS_MAX, 1),
        (PAGE_LOOKS_MAX + 1, 2),
        (2 * PAGE_LOOKS_MAX + 1, 3),
    ] {
        let mut writes = tokio::task::JoinSet::new();
        for number in there..count {
            let store = Arc::clone(&store);
            writes.spawn(async move {
                let new = new_incident("ville-a", &number.to_string(), 0);
                store.accept(new).await.unwrap()
            });
        }
        writes.join_all().await;
        there = count;
        let lists = pages(5, |page| store.incidents(&see, phishing.clone(), page)).await;
        assert_eq!(lists, vec![0; expected], "{count} incidents");
        let entries = pages(5, |page| store.audit(&audit, kind.clone(), page)).await;
        assert_eq!(entries, vec![0; expected], "{count} entries");
    }
    // What fits is found, however far back it is.
    let oldest = AuditFilter {
        kind: Some("incident.accepted".to_owned()),
        ..AuditFilter::default()
    };
    let found = pages(1_000, |page| store.audit(&audit, oldest.clone(), page)).await;
    assert_eq!(found.iter().sum::<usize>(), there);
}
