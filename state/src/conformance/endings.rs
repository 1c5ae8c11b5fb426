//! What may follow the end of a run.

use serde_json::json;

use super::samples::{closed, commit, finished, intended, moment, new_run, run_id, sender};
use crate::event::{Event, RunStatus};
use crate::ids::Path;
use crate::store::{Store, StoreError};

pub(super) async fn a_person_may_decide_about_a_run_that_is_over(store: &dyn Store) {
    store
        .start(new_run("ville-a", None, "triage", 1), moment(0))
        .await
        .expect("started");
    store
        .commit(commit(1, 1, 10, vec![closed(2)]))
        .await
        .expect("stored");
    for refused in [
        vec![],
        vec![intended("look", 1)],
        vec![finished("look", json!({})), acknowledged()],
    ] {
        let refused = store.commit(commit(1, 2, 20, refused)).await;
        assert!(matches!(refused, Err(StoreError::RunOver { .. })), "{refused:?}");
    }

    let mut seen = commit(1, 2, 30, vec![acknowledged()]);
    seen.row.status = RunStatus::Failed;
    assert_eq!(store.commit(seen).await.expect("stored"), 3);
    assert_eq!(store.open_runs().await.expect("read"), [], "it is still over");

    let again = Event::Retried {
        places: vec![Path::step("look")],
        deadline: moment(7_200),
        actor: sender(),
        reason: "the feed is back".to_owned(),
    };
    let mut again = commit(1, 3, 40, vec![again, intended("look", 2)]);
    again.row.status = RunStatus::Running;
    assert_eq!(store.commit(again).await.expect("stored"), 5);
    let open = store.open_runs().await.expect("read");
    let open: Vec<_> = open.into_iter().map(|(run, _)| run).collect();
    assert_eq!(open, [run_id(1)], "it is open again");

    store
        .commit(commit(1, 5, 50, vec![closed(6)]))
        .await
        .expect("stored");
    assert_eq!(store.open_runs().await.expect("read"), []);
    assert_eq!(store.load(&run_id(1)).await.expect("read").len(), 6);
}

fn acknowledged() -> Event {
    Event::Acknowledged {
        actor: sender(),
        reason: "seen".to_owned(),
    }
}
