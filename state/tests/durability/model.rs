//! The embedded store and the plain model in memory, given the same random writes, say the same.

use playbooks::duration::Span;
use playbooks::marking::Verdict;
use serde_json::json;
use state::conformance::samples::{
    closed, commit, decision, decision_no, decision_once, effect_key, entity, finished, intended, measure,
    moment, new_incident, new_run, run_id, update,
};
use state::conformance::trial_disk::Random;
use state::embedded::{EmbeddedStore, Options};
use state::memory::MemoryStore;
use state::store::{MeasureChange, Store};

use crate::workload::everything;

const NAMES: [&str; 2] = ["ville-a", "ville-b"];

/// One random write, said as text: what was answered.
async fn random_write(store: &dyn Store, seed: u64, seconds: i64) -> String {
    let mut random = Random(seed);
    let name = if random.coin() { NAMES[0] } else { NAMES[1] };
    let run = 1 + random.below(12);
    let incident = format!("ID-2026-{:05}", 1 + random.below(15))
        .parse()
        .expect("a reference");
    let number = random.below(20);
    match random.below(9) {
        0 | 1 => {
            let new = new_incident(name, &format!("key {}", random.below(8)), seconds * 600);
            format!("{:?}", store.accept(new).await)
        }
        2 | 3 => {
            let first = new_run(name, Some(&incident), "triage", run);
            let second = new_run(name, Some(&incident), "report", run + 100);
            let decisions = match random.below(3) {
                0 => vec![decision_once(first, "[1]", Span::hours(2)), decision(second)],
                1 => vec![decision_once(first, "[2]", Span::hours(1))],
                _ => vec![decision_no("triage", "no"), decision(second)],
            };
            format!(
                "{:?}",
                store
                    .decide_matches(&incident, decisions, moment(seconds * 600))
                    .await
            )
        }
        4 => {
            let run = new_run(name, random.coin().then_some(&incident), "triage", run);
            format!("{:?}", store.start(run, moment(seconds)).await)
        }
        5 => {
            let change = update(name, &incident, number, Verdict::Suspicious);
            format!("{:?}", store.update_incident(change, moment(seconds)).await)
        }
        6 => {
            let change = if random.coin() {
                let mut put = measure(name, number, "203.0.113.9", seconds);
                put.incident = random.coin().then_some(incident);
                MeasureChange::Put(Box::new(put))
            } else {
                MeasureChange::Lifted {
                    key: effect_key(number),
                    entity: entity(name),
                    reason: "over".to_owned(),
                }
            };
            format!("{:?}", store.change_measure(change, moment(seconds)).await)
        }
        _ => {
            let at = store.load(&run_id(run)).await.expect("read").len() as u64;
            let expect = if random.below(5) == 0 { at + 1 } else { at };
            let events = match random.below(6) {
                0 => vec![closed(expect + 1)],
                1 => Vec::new(),
                2 => vec![intended("look", number), finished("look", json!({ "n": number }))],
                _ => vec![intended("look", number)],
            };
            let mut change = commit(run, expect, seconds, events);
            if random.below(3) == 0 {
                change.updates = vec![update(name, &incident, number, Verdict::Noise)];
            }
            if random.below(3) == 0 {
                change.measures = vec![MeasureChange::Put(Box::new(measure(
                    name,
                    number,
                    "192.0.2.1",
                    seconds,
                )))];
            }
            format!("{:?}", store.commit(change).await)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_stores_say_the_same() {
    let mut acknowledged = 0;
    for seed in 0..6_u64 {
        let folder = tempfile::tempdir().expect("a folder");
        let model = MemoryStore::open();
        let mut opened = EmbeddedStore::open(folder.path(), Options::default()).expect("opened");
        let mut random = Random(seed);
        for seconds in 0..250 {
            let write = random.number();
            let expected = random_write(&*model, write, seconds).await;
            let found = random_write(&*opened.store, write, seconds).await;
            assert_eq!(found, expected, "seed {seed}, write {seconds}");
            acknowledged += usize::from(expected.starts_with("Ok"));
            if seconds % 50 == 49 {
                let expected = everything(&*model).await.expect("read");
                let found = everything(&*opened.store).await.expect("read");
                assert_eq!(found, expected, "seed {seed}, after write {seconds}");
            }
            if seconds % 100 == 99 {
                drop(opened);
                if seed % 2 == 0 {
                    std::fs::remove_dir_all(folder.path().join("index")).expect("removed");
                }
                opened = EmbeddedStore::open(folder.path(), Options::default()).expect("opened");
                let expected = everything(&*model).await.expect("read");
                let found = everything(&*opened.store).await.expect("read");
                assert_eq!(found, expected, "seed {seed}, opened after write {seconds}");
            }
        }
    }
    println!("1500 random writes, {acknowledged} acknowledged, both stores alike");
    assert!(acknowledged > 500, "only {acknowledged} writes were accepted");
}
