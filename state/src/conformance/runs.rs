//! Matches, starts, commits and what is read of runs.

use playbooks::duration::Span;
use playbooks::marking::Verdict;
use serde_json::{Value, json};

use super::samples::{
    accept, closed, commit, decision, decision_no, decision_once, entity, finished, intended, measure,
    moment, new_run, playbook, row, run_id, scope, update,
};
use crate::access::Permission;
use crate::event::{Event, Recorded, RunStatus};
use crate::ids::RunId;
use crate::store::{
    MatchResult, MeasureChange, NOTE_BYTES_MAX, PageRequest, RunFilter, RunSummary, Store, StoreError,
};

async fn runs(store: &dyn Store, filter: RunFilter) -> Vec<RunSummary> {
    let see = scope(Permission::See, &[]);
    let page = store.runs(&see, filter, PageRequest::default()).await;
    page.expect("a page").rows
}

pub(super) async fn matches_are_decided_once(store: &dyn Store) {
    let id = accept(store, "ville-a", "key", 0).await;
    let other = accept(store, "ville-a", "other", 0).await;
    assert_eq!(
        store.undecided_incidents().await.expect("read"),
        [id.clone(), other.clone()]
    );
    let see = scope(Permission::See, &[]);
    assert_eq!(store.matches(&see, &id).await.expect("read"), []);

    let mut run = new_run("ville-a", Some(&id), "triage", 1);
    let stored = store.incident(&id).await.expect("read").expect("there");
    run.started.facts = stored.incident.to_value();
    if let Some(facts) = run.started.facts.as_object_mut() {
        facts.insert("entity".to_owned(), json!("ville-a"));
    }
    let facts = run.started.facts.clone();
    let decisions = vec![
        decision_no("z-last", "severity is medium, not high"),
        decision(run),
        decision_no("a-first", "off for ville-a"),
    ];
    let rows = store
        .decide_matches(&id, decisions, moment(1))
        .await
        .expect("decided");
    let names: Vec<&str> = rows.iter().map(|row| row.playbook.id.as_str()).collect();
    assert_eq!(names, ["a-first", "triage", "z-last"]);
    assert_eq!(
        rows.get(1).map(|row| row.result.clone()),
        Some(MatchResult::Started { run: run_id(1) })
    );
    assert!(rows.iter().all(|row| row.at == moment(1)));
    assert_eq!(store.undecided_incidents().await.expect("read"), [other]);
    assert_eq!(store.matches(&see, &id).await.expect("read"), rows);

    // Whatever is asked the second time, the first answer stands and nothing starts.
    let again = vec![decision(new_run("ville-a", Some(&id), "triage", 2))];
    let second = store.decide_matches(&id, again, moment(9)).await.expect("read");
    assert_eq!(second, rows);
    let open = store.open_runs().await.expect("read");
    assert_eq!(open, [(run_id(1), row(RunStatus::Running, ""))]);
    let events = store.load(&run_id(1)).await.expect("read");
    assert!(
        matches!(events.as_slice(), [Recorded { seq: 0, at, event: Event::Started(started) }]
            if *at == moment(1) && started.facts == facts && started.incident.as_ref() == Some(&id))
    );

    let nobody = "ID-2026-00099".parse().expect("a reference");
    let refused = store.decide_matches(&nobody, Vec::new(), moment(1)).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
}

pub(super) async fn once_per_attaches(store: &dyn Store) {
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(accept(store, "ville-a", &format!("{number}"), 0).await);
    }
    let foreign = accept(store, "ville-b", "0", 0).await;
    let hour = Span::hours(1);
    let mut decided = Vec::new();
    for (number, (id, seconds, key)) in (1..).zip([
        (0, 0, "[\"user\"]"),
        (1, 1, "[\"user\"]"),
        (2, 3_599, "[\"user\"]"),
        (3, 3_600, "[\"user\"]"),
        (4, 3_601, "[\"another\"]"),
    ]) {
        let id = ids.get(id).expect("an incident");
        let run = new_run("ville-a", Some(id), "triage", number);
        let decisions = vec![decision_once(run, key, hour)];
        let rows = store.decide_matches(id, decisions, moment(seconds)).await;
        decided.extend(rows.expect("decided").into_iter().map(|row| row.result));
    }
    let started = |number| MatchResult::Started { run: run_id(number) };
    let attached = |number| MatchResult::Attached { run: run_id(number) };
    assert_eq!(
        decided,
        [started(1), attached(1), attached(1), started(4), started(5)]
    );
    // Another entity or playbook with an equal key is another matter, and of two playbook rows
    // with equal keys in one decision the second attaches.
    let last = ids.last().expect("an incident");
    let decisions = vec![
        decision_once(new_run("ville-a", Some(last), "report", 6), "[\"user\"]", hour),
        decision_once(new_run("ville-a", Some(last), "report", 7), "[\"user\"]", hour),
    ];
    let rows = store
        .decide_matches(last, decisions, moment(5))
        .await
        .expect("decided");
    let results: Vec<MatchResult> = rows.into_iter().map(|row| row.result).collect();
    assert_eq!(results, [started(6), attached(6)]);
    let run = new_run("ville-b", Some(&foreign), "triage", 8);
    let decisions = vec![decision_once(run, "[\"user\"]", hour)];
    let rows = store
        .decide_matches(&foreign, decisions, moment(5))
        .await
        .expect("decided");
    assert_eq!(rows.first().map(|row| row.result.clone()), Some(started(8)));

    // The attached incidents are counted, and lead to the run.
    let filter = RunFilter {
        incident: ids.get(1).cloned(),
        ..RunFilter::default()
    };
    let found = runs(store, filter).await;
    assert_eq!(found.len(), 1);
    let first = found.first().expect("a run");
    assert_eq!((&first.run, first.attached), (&run_id(1), 2));
    assert_eq!(first.incident.as_ref(), ids.first());
}

pub(super) async fn a_run_started_by_hand(store: &dyn Store) {
    let id = accept(store, "ville-a", "key", 0).await;
    let run = new_run("ville-a", Some(&id), "triage", 1);
    let answer = store.start(run.clone(), moment(1)).await.expect("started");
    assert_eq!(answer, run_id(1));
    let refused = store.start(run, moment(2)).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict { run, head: 1, expected: 0 }) if *run == run_id(1)),
        "{refused:?}"
    );
    let mut once = new_run("ville-a", Some(&id), "triage", 2);
    once.once = Some(crate::store::Once {
        key: "[1]".to_owned(),
        within: Span::hours(1),
    });
    assert_eq!(
        store.start(once.clone(), moment(3)).await.expect("started"),
        run_id(2)
    );
    once.started.run = run_id(3);
    assert_eq!(store.start(once, moment(4)).await.expect("attached"), run_id(2));
    let without = new_run("ville-a", None, "weekly", 4);
    assert_eq!(store.start(without, moment(5)).await.expect("started"), run_id(4));
    for wrong in [
        new_run("ville-b", Some(&id), "triage", 5),
        new_run(
            "ville-a",
            Some(&"ID-2026-00002".parse().expect("a reference")),
            "triage",
            5,
        ),
    ] {
        let refused = store.start(wrong, moment(6)).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    let found = runs(store, RunFilter::default()).await;
    let numbers: Vec<(&RunId, u64)> = found.iter().map(|run| (&run.run, run.attached)).collect();
    assert_eq!(numbers, [(&run_id(4), 0), (&run_id(2), 1), (&run_id(1), 0)]);
    assert_eq!(store.undecided_incidents().await.expect("read"), [id]);
}

pub(super) async fn commits_append_in_order(store: &dyn Store) {
    store
        .start(new_run("ville-a", None, "triage", 1), moment(0))
        .await
        .expect("started");
    let events = vec![intended("look", 1), intended("ask", 2)];
    let head = store.commit(commit(1, 1, 10, events)).await.expect("stored");
    assert_eq!(head, 3);
    let mut next = commit(1, 3, 20, vec![finished("look", json!({ "score": 0.1 }))]);
    next.row.wake_at = Some(moment(99));
    next.row.effects = 2;
    next.row.note = "é".repeat(NOTE_BYTES_MAX);
    assert_eq!(store.commit(next).await.expect("stored"), 4);

    for (expect, head) in [(3, 4), (5, 4), (0, 4)] {
        let refused = store
            .commit(commit(1, expect, 30, vec![intended("again", 3)]))
            .await;
        assert!(
            matches!(refused, Err(StoreError::Conflict { head: found, expected, .. })
                if found == head && expected == expect),
            "{refused:?}"
        );
    }
    let refused = store.commit(commit(2, 0, 30, vec![intended("x", 3)])).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");

    let open = store.open_runs().await.expect("read");
    let (_, open_row) = open.first().expect("a run");
    assert_eq!(open_row.wake_at, Some(moment(99)));
    assert!(open_row.note.len() <= NOTE_BYTES_MAX && open_row.note.ends_with('…'));
    // A commit without events moves the row only.
    let mut wake = commit(1, 4, 40, Vec::new());
    wake.row.status = RunStatus::Waiting;
    assert_eq!(store.commit(wake).await.expect("stored"), 4);
    let found = runs(store, RunFilter::default()).await;
    let summary = found.first().expect("a run");
    assert_eq!((summary.events, summary.updated_at), (4, moment(20)));
    assert_eq!(summary.row.status, RunStatus::Waiting);
    assert_eq!(summary.started_at, moment(0));

    assert_eq!(
        store
            .commit(commit(1, 4, 50, vec![closed(5)]))
            .await
            .expect("stored"),
        5
    );
    assert_eq!(store.open_runs().await.expect("read"), []);
    let refused = store
        .commit(commit(1, 5, 60, vec![finished("ask", Value::Null)]))
        .await;
    assert!(matches!(refused, Err(StoreError::RunOver { .. })), "{refused:?}");

    let events = store.load(&run_id(1)).await.expect("read");
    let places: Vec<(u64, jiff::Timestamp)> = events.iter().map(|event| (event.seq, event.at)).collect();
    let expected = [
        (0, moment(0)),
        (1, moment(10)),
        (2, moment(11)),
        (3, moment(20)),
        (4, moment(50)),
    ];
    assert_eq!(places, expected);
    assert_eq!(
        events.get(3).map(|event| event.event.clone()),
        Some(finished("look", json!({ "score": 0.1 })))
    );
    assert_eq!(store.load(&run_id(9)).await.expect("read"), []);
    let whose = store.entity_of(&run_id(1)).await.expect("read");
    assert_eq!(whose, Some(entity("ville-a")));
    assert_eq!(store.entity_of(&run_id(9)).await.expect("read"), None);
}

pub(super) async fn commits_are_whole_or_nothing(store: &dyn Store) {
    let id = accept(store, "ville-a", "key", 0).await;
    let foreign = accept(store, "ville-b", "key", 0).await;
    store
        .start(new_run("ville-a", Some(&id), "triage", 1), moment(0))
        .await
        .expect("started");
    let with_update = |change| {
        let mut commit = commit(1, 1, 10, vec![finished("look", json!({}))]);
        commit.updates = vec![change];
        commit
    };
    let unknown = "ID-2026-00099".parse().expect("a reference");
    for wrong in [
        update("ville-b", &foreign, 1, Verdict::Noise),
        update("ville-a", &foreign, 1, Verdict::Noise),
        update("ville-b", &id, 1, Verdict::Noise),
        update("ville-a", &unknown, 1, Verdict::Noise),
    ] {
        let refused = store.commit(with_update(wrong)).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    let mut foreign_measure = commit(1, 1, 10, vec![finished("look", json!({}))]);
    foreign_measure.measures = vec![MeasureChange::Put(Box::new(measure(
        "ville-b",
        1,
        "203.0.113.9",
        0,
    )))];
    let refused = store.commit(foreign_measure).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    assert_eq!(store.load(&run_id(1)).await.expect("read").len(), 1);
    assert!(
        store
            .measures(&entity("ville-b"), moment(1))
            .await
            .expect("read")
            .is_empty()
    );

    // The update and the event are there together, and the update only once.
    let mut right = with_update(update("ville-a", &id, 1, Verdict::Malicious));
    right.updates.push(update("ville-a", &id, 1, Verdict::Clean));
    store.commit(right).await.expect("stored");
    let mut again = commit(1, 2, 20, Vec::new());
    again.updates = vec![
        update("ville-a", &id, 1, Verdict::Clean),
        update("ville-a", &id, 2, Verdict::Benign),
    ];
    store.commit(again).await.expect("stored");
    let stored = store.incident(&id).await.expect("read").expect("there");
    let changes: Vec<_> = stored
        .updates
        .iter()
        .map(|one| (one.at, one.update.verdict))
        .collect();
    let expected = [
        (moment(10), Some(Verdict::Malicious)),
        (moment(10), Some(Verdict::Benign)),
    ];
    assert_eq!(changes, expected);
    assert_eq!(stored.incident.verdict, Verdict::Benign);
}

pub(super) async fn lists_and_short_ids(store: &dyn Store) {
    for number in 1..=9 {
        let name = if number % 3 == 0 { "ville-b" } else { "ville-a" };
        let kind = if number % 2 == 0 { "triage" } else { "report" };
        store
            .start(new_run(name, None, kind, number), moment(0))
            .await
            .expect("started");
    }
    store
        .commit(commit(4, 1, 1, vec![closed(2)]))
        .await
        .expect("stored");
    let numbers = |rows: Vec<RunSummary>| -> Vec<RunId> { rows.into_iter().map(|row| row.run).collect() };
    let expect = |wanted: &[u64]| -> Vec<RunId> { wanted.iter().copied().map(run_id).collect() };
    let triage = RunFilter {
        playbook: Some("triage".to_owned()),
        ..RunFilter::default()
    };
    assert_eq!(numbers(runs(store, triage.clone()).await), expect(&[8, 6, 4, 2]));
    let open = RunFilter {
        status: vec![RunStatus::Running, RunStatus::Waiting],
        entity: Some(entity("ville-a")),
        ..triage
    };
    assert_eq!(numbers(runs(store, open).await), expect(&[8, 2]));

    let see = scope(Permission::See, &[]);
    let mut page = PageRequest {
        after: None,
        limit: 4,
    };
    let first = store
        .runs(&see, RunFilter::default(), page.clone())
        .await
        .expect("a page");
    page.after = first.next;
    let second = store
        .runs(&see, RunFilter::default(), page)
        .await
        .expect("a page");
    let all = first.rows.into_iter().chain(second.rows).collect();
    assert_eq!(numbers(all), expect(&[9, 8, 7, 6, 5, 4, 3, 2]));

    let full = run_id(7);
    let found = store.find_run(&see, full.as_str()).await.expect("read");
    assert_eq!(numbers(found), expect(&[7]));
    let upper = full.as_str().to_ascii_uppercase();
    assert_eq!(store.find_run(&see, &upper).await.expect("read").len(), 1);
    // The first six characters are shared: two are enough to say so.
    let short = full.as_str().get(..6).expect("characters");
    assert_eq!(store.find_run(&see, short).await.expect("read").len(), 2);
    for nobody in ["", "zz", "é", "\0"] {
        assert_eq!(
            store.find_run(&see, nobody).await.expect("read"),
            [],
            "{nobody:?}"
        );
    }
}

pub(super) async fn plans_and_files_are_kept(store: &dyn Store) {
    let small = "id: triage\n";
    let large = "x".repeat(200_000);
    for (id, bundle) in [("small", small), ("large", &large)] {
        let playbook = playbook(id);
        assert_eq!(store.plan(&playbook.revision).await.expect("read"), None);
        store.keep_plan(&playbook, bundle).await.expect("kept");
        store.keep_plan(&playbook, "another text").await.expect("known");
        let kept = store.plan(&playbook.revision).await.expect("read");
        assert_eq!(kept.as_deref(), Some(bundle));
    }
    for bytes in [Vec::new(), b"From: a@b\r\n\r\n\0\xff".to_vec(), vec![9; 300_000]] {
        let sha256 = store.put_file(bytes.clone()).await.expect("kept");
        assert_eq!(store.put_file(bytes.clone()).await.expect("known"), sha256);
        assert_eq!(store.file(&sha256).await.expect("read"), Some(bytes));
    }
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(store.file(empty).await.expect("read"), Some(Vec::new()));
    for nobody in [
        "",
        "../lock",
        "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        &"0".repeat(64),
    ] {
        assert_eq!(store.file(nobody).await.expect("read"), None, "{nobody}");
    }
}
