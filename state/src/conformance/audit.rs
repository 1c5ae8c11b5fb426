//! The audit list.

use playbooks::marking::Verdict;
use serde_json::json;

use super::samples::{
    accept, closed, commit, decision, decision_no, entity, finished, intended, measure, moment, new_incident,
    new_run, run_id, scope, update,
};
use crate::access::{Actor, Channel, Permission};
use crate::event::Event;
use crate::store::{AuditFilter, AuditRecord, MeasureChange, Note, PageRequest, Store};

async fn list(store: &dyn Store, filter: AuditFilter, limit: usize) -> Vec<AuditRecord> {
    let audit = scope(Permission::Audit, &[]);
    let mut found = Vec::new();
    let mut page = PageRequest { after: None, limit };
    loop {
        let answer = store.audit(&audit, filter.clone(), page.clone()).await;
        let answer = answer.expect("a page");
        assert!(answer.rows.len() <= limit);
        found.extend(answer.rows);
        match answer.next {
            Some(next) => page.after = Some(next),
            None => return found,
        }
    }
}

fn kinds(rows: &[AuditRecord]) -> Vec<&str> {
    rows.iter().map(|row| row.kind.as_str()).collect()
}

/// What happens to one incident, with everything an audit list can hold.
async fn one_story(store: &dyn Store, name: &str, number: u64) {
    let id = accept(store, name, "key", 0).await;
    store.accept(new_incident(name, "key", 1)).await.expect("counted");
    let decisions = vec![
        decision(new_run(name, Some(&id), "triage", number)),
        decision_no("other", "no"),
    ];
    store
        .decide_matches(&id, decisions, moment(2))
        .await
        .expect("decided");
    store
        .keep_plan(&super::samples::playbook("triage"), "not an entry")
        .await
        .expect("kept");
    let mut first = commit(number, 1, 3, vec![intended("look", number)]);
    first.updates = vec![update(name, &id, number, Verdict::Malicious)];
    first.measures = vec![MeasureChange::Put(Box::new(measure(
        name,
        number,
        "203.0.113.9",
        3,
    )))];
    store.commit(first).await.expect("stored");
    let cancel = Event::CancelRequested {
        actor: Actor {
            name: "operator:alice".to_owned(),
            channel: Channel::Terminal,
        },
        reason: "false alarm".to_owned(),
    };
    let events = vec![finished("look", json!({})), cancel, closed(5)];
    store.commit(commit(number, 2, 4, events)).await.expect("stored");
    let by_hand = update(name, &id, number + 1_000, Verdict::Benign);
    store.update_incident(by_hand, moment(9)).await.expect("changed");
    let lifted = MeasureChange::Lifted {
        key: super::samples::effect_key(number),
        entity: entity(name),
        reason: "done".to_owned(),
    };
    store.change_measure(lifted, moment(10)).await.expect("lifted");
    let note = Note {
        entity: Some(entity(name)),
        kind: "rollout.changed".to_owned(),
        actor: Actor::engine(),
        fields: json!({ "to": "auto" }),
    };
    store.note(note, moment(11)).await.expect("noted");
}

const STORY: [&str; 13] = [
    "incident.accepted",
    "incident.repeated",
    "matches.decided",
    "run.started",
    "attempt.intended",
    "incident.updated",
    "measure.put",
    "attempt.finished",
    "cancel.requested",
    "run.closed",
    "incident.updated",
    "measure.lifted",
    "rollout.changed",
];

pub(super) async fn the_list_is_whole_and_in_order(store: &dyn Store) {
    one_story(store, "ville-a", 1).await;
    let rows = list(store, AuditFilter::default(), 100).await;
    assert_eq!(kinds(&rows), STORY);
    for (index, row) in (0..).zip(&rows) {
        assert_eq!(row.index, index);
        assert_eq!(row.entity, Some(entity("ville-a")));
    }
    let row = |index: usize| rows.get(index).expect("a row");
    let incident = Some("ID-2026-00001".parse().expect("a reference"));
    assert!(
        rows.iter().take(11).all(|row| row.incident == incident),
        "{rows:?}"
    );
    assert_eq!(row(3).run, Some(run_id(1)));
    assert_eq!((row(3).seq, row(4).seq, row(9).seq), (Some(0), Some(1), Some(4)));
    assert_eq!(
        row(4).path.as_ref().map(ToString::to_string).as_deref(),
        Some("look")
    );
    assert_eq!(row(8).actor.name, "operator:alice");
    assert_eq!(row(0).actor.name, "token:sensor");
    assert_eq!(
        row(0).body.pointer("/incident/ref"),
        Some(&json!("ID-2026-00001"))
    );
    assert_eq!(row(4).body.pointer("/intended/action"), Some(&json!("enrich.ip")));
    assert_eq!(row(12).body, json!({ "to": "auto" }));
    assert_eq!(
        (row(0).at, row(5).at, row(12).at),
        (moment(0), moment(3), moment(11))
    );
    assert_eq!(store.figures().await.expect("figures").records, 13);
}

pub(super) async fn filters_and_pages(store: &dyn Store) {
    const STORIES: u64 = 30;
    let names = ["ville-a", "ville-b", "ville-c"];
    for number in 1..=STORIES {
        let name = names
            .get(usize::try_from(number).unwrap_or(0) % 3)
            .expect("a name");
        // Each story needs a key of its own, or its incident would be counted instead.
        let id = accept(store, name, &format!("story {number}"), 0).await;
        let decisions = vec![decision(new_run(name, Some(&id), "triage", number))];
        store
            .decide_matches(&id, decisions, moment(1))
            .await
            .expect("decided");
        for step in 0..6 {
            let events = vec![
                intended("look", number * 100 + step),
                finished("look", json!({ "step": step })),
            ];
            store
                .commit(commit(number, 1 + step * 2, 2, events))
                .await
                .expect("stored");
        }
    }
    one_story(store, "ville-d", 900).await;
    let whole = list(store, AuditFilter::default(), 1_000).await;
    assert_eq!(whole.len(), 30 * 15 + STORY.len());
    for (index, row) in (0..).zip(&whole) {
        assert_eq!(row.index, index);
    }
    for limit in [1, 7, 255, 256, 257] {
        let paged = list(store, AuditFilter::default(), limit).await;
        assert!(paged == whole, "pages of {limit}");
    }
    for filter in filters(&whole) {
        let expected: Vec<&AuditRecord> = whole
            .iter()
            .filter(|row| crate::audit::fits(&filter, row))
            .collect();
        for limit in [3, 1_000] {
            let found = list(store, filter.clone(), limit).await;
            assert!(
                found.iter().eq(expected.iter().copied()),
                "{filter:?} by pages of {limit}: {:?} is not {expected:?}",
                kinds(&found)
            );
        }
    }
    some_entities_together(store, &whole).await;
}

/// Filters of every shape over the stories.
fn filters(whole: &[AuditRecord]) -> Vec<AuditFilter> {
    let id = whole.iter().find_map(|row| row.incident.clone());
    vec![
        AuditFilter {
            entity: Some(entity("ville-b")),
            ..AuditFilter::default()
        },
        AuditFilter {
            run: Some(run_id(17)),
            ..AuditFilter::default()
        },
        AuditFilter {
            run: Some(run_id(900)),
            ..AuditFilter::default()
        },
        AuditFilter {
            incident: id,
            ..AuditFilter::default()
        },
        AuditFilter {
            incident: Some("ID-2026-00031".parse().expect("a reference")),
            ..AuditFilter::default()
        },
        AuditFilter {
            kind: Some("run.started".to_owned()),
            ..AuditFilter::default()
        },
        AuditFilter {
            entity: Some(entity("ville-c")),
            kind: Some("attempt.finished".to_owned()),
            ..AuditFilter::default()
        },
        AuditFilter {
            run: Some(run_id(17)),
            entity: Some(entity("stranger")),
            ..AuditFilter::default()
        },
    ]
}

/// Pages over some entities break within frames, too.
async fn some_entities_together(store: &dyn Store, whole: &[AuditRecord]) {
    let two = scope(Permission::Audit, &["ville-a", "ville-c"]);
    let expected: Vec<u64> = whole
        .iter()
        .filter(|row| row.entity == Some(entity("ville-a")) || row.entity == Some(entity("ville-c")))
        .map(|row| row.index)
        .collect();
    let mut found = Vec::new();
    let mut page = PageRequest {
        after: None,
        limit: 4,
    };
    loop {
        let answer = store.audit(&two, AuditFilter::default(), page.clone()).await;
        let answer = answer.expect("a page");
        found.extend(answer.rows.iter().map(|row| row.index));
        match answer.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, expected);
}
