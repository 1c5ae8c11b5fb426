//! How fast the embedded store makes events durable, how fast it opens, and what an incident
//! costs on the disk. Real disk, real syncs: figures are of the machine as much as of the store.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench: a refusal ends it, and figures are printed"
)]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use state::conformance::samples::{
    closed, commit, decision, finished, intended, measure, moment, new_incident, new_run,
};
use state::embedded::{EmbeddedStore, Options};
use state::event::Event;
use state::store::{Accepted, MeasureChange, Store};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Events that each writer stores in one measured round.
const EVENTS_PER_ROUND: u64 = 50;
const OPEN_RUNS: u64 = 100_000;

fn folder() -> tempfile::TempDir {
    // Beside the build, so that it is a disk and not memory.
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

fn open(folder: &Path) -> Arc<EmbeddedStore> {
    EmbeddedStore::open(folder, Options::default())
        .expect("opened")
        .store
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// An event of about 600 bytes.
fn event(number: u64) -> Event {
    finished(
        "look",
        json!({ "verdict": "malicious", "number": number, "text": "x".repeat(440) }),
    )
}

fn durable_events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("durable_events");
    group.sample_size(10);
    let runtime = runtime();
    for writers in [1_u64, 8, 64, 256] {
        let folder = folder();
        let store = open(folder.path());
        runtime.block_on(async {
            for writer in 0..writers {
                let run = new_run("ville-a", None, "triage", writer);
                store.start(run, moment(0)).await.expect("started");
            }
        });
        let mut next = 1;
        group.throughput(Throughput::Elements(writers * EVENTS_PER_ROUND));
        group.bench_function(format!("{writers}_writers"), |bencher| {
            bencher.iter(|| {
                let first = next;
                next += EVENTS_PER_ROUND;
                runtime.block_on(async {
                    let mut tasks = JoinSet::new();
                    for writer in 0..writers {
                        let store = Arc::clone(&store);
                        tasks.spawn(async move {
                            for at in first..first + EVENTS_PER_ROUND {
                                let commit = commit(writer, at, 1, vec![event(at)]);
                                store.commit(commit).await.expect("stored");
                            }
                        });
                    }
                    tasks.join_all().await;
                });
            });
        });
    }
    group.finish();
}

fn accept(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("accept");
    group.sample_size(10);
    let runtime = runtime();
    let folder = folder();
    let store = open(folder.path());
    let mut next = 0;
    group.throughput(Throughput::Elements(64 * EVENTS_PER_ROUND));
    group.bench_function("64_senders", |bencher| {
        bencher.iter(|| {
            let first = next;
            next += 1;
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                for sender in 0..64 {
                    let store = Arc::clone(&store);
                    tasks.spawn(async move {
                        for number in 0..EVENTS_PER_ROUND {
                            let key = format!("{first}/{sender}/{number}");
                            let new = new_incident("ville-a", &key, 0);
                            assert!(matches!(store.accept(new).await, Ok(Accepted::New(_))));
                        }
                    });
                }
                tasks.join_all().await;
            });
        });
    });
    group.finish();
}

fn opening(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = folder();
    runtime.block_on(async {
        let store = open(folder.path());
        let mut tasks = JoinSet::new();
        for part in 0..100 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                for number in 0..OPEN_RUNS / 100 {
                    let run = new_run("ville-a", None, "triage", part * OPEN_RUNS / 100 + number);
                    store.start(run, moment(0)).await.expect("started");
                }
            });
        }
        tasks.join_all().await;
    });
    let mut group = criterion.benchmark_group("open_with_100000_open_runs");
    group.sample_size(10);
    let ready = || {
        let store = open(folder.path());
        let runs = runtime.block_on(store.open_runs()).expect("read");
        assert_eq!(u64::try_from(runs.len()), Ok(OPEN_RUNS));
        black_box(runs.len())
    };
    group.bench_function("index_there", |bencher| bencher.iter(ready));
    group.bench_function("index_gone", |bencher| {
        bencher.iter(|| {
            std::fs::remove_dir_all(folder.path().join("index")).expect("removed");
            ready()
        });
    });
    group.finish();
}

/// What one incident with a run of 25 events in 9 commits costs on the disk.
fn disk_per_incident(_: &mut Criterion) {
    const INCIDENTS: u64 = 20_000;
    let folder = folder();
    let runtime = runtime();
    runtime.block_on(async {
        let store = open(folder.path());
        let empty = store.figures().await.expect("figures");
        let mut tasks = JoinSet::new();
        for part in 0..40 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                for number in part * INCIDENTS / 40..(part + 1) * INCIDENTS / 40 {
                    one_incident(&*store, number).await;
                }
            });
        }
        tasks.join_all().await;
        drop(store);
        let store = open(folder.path());
        let full = store.figures().await.expect("figures");
        let journal = (full.journal_bytes - empty.journal_bytes) / INCIDENTS;
        let index = (full.index_bytes - empty.index_bytes) / INCIDENTS;
        println!("bytes per incident of 25 events: {journal} journal, {index} index");
    });
}

async fn one_incident(store: &dyn Store, number: u64) {
    let new = new_incident("ville-a", &format!("flow {number}"), 0);
    let Ok(Accepted::New(id)) = store.accept(new).await else {
        return;
    };
    let mut run = new_run("ville-a", Some(&id), "triage", number);
    let stored = store.incident(&id).await.expect("read").expect("there");
    run.started.facts = stored.incident.to_value();
    store
        .decide_matches(&id, vec![decision(run)], moment(1))
        .await
        .expect("decided");
    let mut at = 1;
    for step in 0..7 {
        let done = json!({ "verdict": "malicious", "score": 7, "tags": ["c2", "scanner"] });
        let events = vec![
            finished("look", done),
            intended("ask", number * 10 + step),
            intended("block", number * 10 + step),
        ];
        let mut commit = commit(number, at, 2, events);
        if step == 3 {
            let block = measure("ville-a", number, "203.0.113.9", 2);
            commit.measures = vec![MeasureChange::Put(Box::new(block))];
        }
        at = store.commit(commit).await.expect("stored");
    }
    let end = vec![
        finished("tell", json!({})),
        finished("ask", json!({})),
        closed(25),
    ];
    store.commit(commit(number, at, 3, end)).await.expect("stored");
}

criterion_group!(benches, disk_per_incident, durable_events, accept, opening);
criterion_main!(benches);
