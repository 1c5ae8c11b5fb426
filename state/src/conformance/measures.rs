//! The register of measures.

use jiff::SignedDuration;
use serde_json::json;

use super::samples::{commit, effect_key, entity, finished, measure, moment, new_run};
use crate::store::{Measure, MeasureChange, Store};

fn put(measure: Measure) -> MeasureChange {
    MeasureChange::Put(Box::new(measure))
}

fn lift(entity_name: &str, number: u64) -> MeasureChange {
    MeasureChange::Lifted {
        key: effect_key(number),
        entity: entity(entity_name),
        reason: "its time is over".to_owned(),
    }
}

async fn in_force(store: &dyn Store, entity_name: &str, seconds: i64) -> Vec<String> {
    let found = store.measures(&entity(entity_name), moment(seconds)).await;
    found.expect("read").into_iter().map(|one| one.target).collect()
}

pub(super) async fn measures_end_or_are_lifted(store: &dyn Store) {
    let first = measure("ville-a", 1, "203.0.113.9", 0);
    let second = measure("ville-a", 2, "198.51.100.4", 10);
    let mut by_itself = measure("ville-a", 3, "192.0.2.1", 20);
    by_itself.inverse = None;
    let foreign = measure("ville-b", 4, "203.0.113.9", 30);
    for (seconds, one) in [
        (0, first.clone()),
        (10, second.clone()),
        (20, by_itself),
        (30, foreign.clone()),
    ] {
        store
            .change_measure(put(one), moment(seconds))
            .await
            .expect("stored");
    }
    // By target, within its time: from `since` on, until before `until`.
    assert_eq!(in_force(store, "ville-a", -1).await.len(), 0);
    assert_eq!(
        in_force(store, "ville-a", 20).await,
        ["192.0.2.1", "198.51.100.4", "203.0.113.9"]
    );
    assert_eq!(
        in_force(store, "ville-a", 3_600).await,
        ["192.0.2.1", "198.51.100.4"]
    );
    assert_eq!(in_force(store, "ville-b", 30).await, ["203.0.113.9"]);
    assert_eq!(in_force(store, "ville-c", 30).await.len(), 0);
    let just_before = moment(3_600) - SignedDuration::from_nanos(1);
    let found = store.measures(&entity("ville-a"), just_before).await;
    assert_eq!(found.expect("read").last(), Some(&first));

    // What needs its inverse, by end, of all entities.
    let due = store.measures_due(moment(3_700), 10).await.expect("read");
    assert_eq!(due, [first.clone(), second.clone(), foreign]);
    assert_eq!(store.measures_due(moment(3_700), 2).await.expect("read").len(), 2);
    assert_eq!(store.measures_due(moment(3_700), 0).await.expect("read"), []);
    assert_eq!(store.measures_due(moment(3_599), 9).await.expect("read"), []);
    assert_eq!(
        store.measures_due(moment(3_600), 9).await.expect("read"),
        std::slice::from_ref(&first)
    );

    // Budgets count what was made, also when it is over.
    let counted = |seconds| store.blocks_since(&first.entity, moment(seconds));
    assert_eq!(counted(0).await.expect("read"), (3, 4));
    assert_eq!(counted(10).await.expect("read"), (2, 3));
    assert_eq!(counted(31).await.expect("read"), (0, 0));

    // Putting again changes nothing, lifting ends it, and what was lifted stays so.
    let mut longer = first.clone();
    longer.until = moment(99_999);
    store
        .change_measure(put(longer.clone()), moment(40))
        .await
        .expect("known");
    assert_eq!(in_force(store, "ville-a", 3_601).await.len(), 2);
    store
        .change_measure(lift("ville-a", 1), moment(50))
        .await
        .expect("lifted");
    store
        .change_measure(lift("ville-a", 1), moment(51))
        .await
        .expect("known");
    store
        .change_measure(lift("ville-b", 1), moment(52))
        .await
        .expect("nothing there");
    store
        .change_measure(put(longer), moment(53))
        .await
        .expect("known");
    assert_eq!(
        in_force(store, "ville-a", 60).await,
        ["192.0.2.1", "198.51.100.4"]
    );
    let due = store.measures_due(moment(3_610), 10).await.expect("read");
    assert_eq!(due, [second]);
    assert_eq!(counted(0).await.expect("read"), (3, 4));
}

pub(super) async fn measures_come_with_commits(store: &dyn Store) {
    store
        .start(new_run("ville-a", None, "block", 1), moment(0))
        .await
        .expect("started");
    let mut with_block = commit(1, 1, 5, vec![finished("block", json!({ "until": "later" }))]);
    with_block.measures = vec![
        put(measure("ville-a", 1, "203.0.113.1", 5)),
        put(measure("ville-a", 2, "203.0.113.2", 5)),
        put(measure("ville-a", 2, "203.0.113.2", 5)),
        put(measure("ville-a", 3, "203.0.113.3", 5)),
        lift("ville-a", 3),
    ];
    store.commit(with_block).await.expect("stored");
    assert_eq!(
        in_force(store, "ville-a", 6).await,
        ["203.0.113.1", "203.0.113.2"]
    );
    let mut with_lift = commit(1, 2, 7, vec![finished("unblock", json!({}))]);
    with_lift.measures = vec![lift("ville-a", 1)];
    store.commit(with_lift).await.expect("stored");
    assert_eq!(in_force(store, "ville-a", 8).await, ["203.0.113.2"]);
    assert_eq!(
        store
            .blocks_since(&entity("ville-a"), moment(5))
            .await
            .expect("read"),
        (3, 3)
    );
}
