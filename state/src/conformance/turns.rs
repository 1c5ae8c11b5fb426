//! Runs that take turns, and starts that join one of them.

use super::samples::{accept, decision, moment, new_run, run_id, scope};
use crate::access::Permission;
use crate::event::{RunStatus, Turn};
use crate::store::{MatchResult, PageRequest, RunFilter, Store, StoreError};

pub(super) async fn a_run_is_joined_instead_of_another_start(store: &dyn Store) {
    let first = accept(store, "ville-a", "0", 0).await;
    let second = accept(store, "ville-a", "1", 1).await;
    let foreign = accept(store, "ville-b", "0", 1).await;
    let mut new = new_run("ville-a", Some(&first), "triage", 1);
    new.started.turn = Some(Turn {
        key: "1".to_owned(),
        limit: 1,
    });
    let turns = new.started.turns();
    assert_eq!(turns.as_deref(), Some("ville-a triage 1"));
    store.start(new, moment(0)).await.expect("started");
    let open = store.open_runs().await.expect("open runs");
    let row = open.first().map(|(_, row)| (row.status, row.turns.clone()));
    assert_eq!(row, Some((RunStatus::Queued, turns)), "it has not begun");

    let joining = |entity, incident, number| {
        let mut new = new_run(entity, Some(incident), "triage", number);
        new.join = Some(run_id(1));
        new
    };
    let rows = store
        .decide_matches(&second, vec![decision(joining("ville-a", &second, 2))], moment(1))
        .await
        .expect("decided");
    let results: Vec<MatchResult> = rows.into_iter().map(|row| row.result).collect();
    assert_eq!(results, [MatchResult::Attached { run: run_id(1) }]);
    let by_hand = store.start(joining("ville-a", &first, 3), moment(2)).await;
    assert_eq!(by_hand.expect("joined"), run_id(1));
    let see = scope(Permission::See, &[]);
    let found = store
        .runs(&see, RunFilter::default(), PageRequest::default())
        .await;
    assert_eq!(
        found.expect("a page").rows.first().map(|run| run.attached),
        Some(2)
    );

    let refused = store.start(joining("ville-b", &foreign, 4), moment(2)).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    let decisions = vec![decision(joining("ville-b", &foreign, 4))];
    let refused = store.decide_matches(&foreign, decisions, moment(2)).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
}
