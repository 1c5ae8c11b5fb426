//! A fixed sequence of writes, and everything a store can be asked, as one text to compare.

use std::fmt::Write as _;

use playbooks::duration::Span;
use playbooks::marking::Verdict;
use serde_json::json;
use state::access::{Actor, Permission};
use state::conformance::samples::{
    closed, commit, decision, decision_no, decision_once, effect_key, entity, finished, intended, measure,
    moment, new_incident, new_run, playbook, run_id, scope, update,
};
use state::ids::IncidentId;
use state::store::{
    AuditFilter, IncidentFilter, MeasureChange, Note, PageRequest, RunFilter, Store, StoreError,
};

/// How many writes there are.
pub(crate) const STEPS: usize = 18;

fn incident(number: u64) -> IncidentId {
    format!("ID-2026-{number:05}").parse().expect("a reference")
}

/// Makes one write; `Ok` is an acknowledgement.
#[expect(clippy::too_many_lines, reason = "a list: one arm a write")]
pub(crate) async fn step(store: &dyn Store, step: usize) -> Result<(), StoreError> {
    let long = "a body that is too long for the journal ".repeat(2_000);
    match step {
        0 => store.accept(new_incident("ville-a", "one", 0)).await.map(drop),
        1 => store.keep_plan(&playbook("triage"), "id: triage\n").await,
        2 => store.accept(new_incident("ville-a", "one", 1)).await.map(drop),
        3 => {
            let mut run = new_run("ville-a", Some(&incident(1)), "triage", 1);
            // The facts as the runner gives them: the incident, as it was accepted.
            run.started.facts = match store.incident(&incident(1)).await? {
                Some(stored) => stored.incident.to_value(),
                None => json!({}),
            };
            let decisions = vec![
                decision_once(run, "[1]", Span::hours(1)),
                decision_no("other", "no"),
            ];
            store
                .decide_matches(&incident(1), decisions, moment(2))
                .await
                .map(drop)
        }
        4 => store
            .commit(commit(1, 1, 3, vec![intended("look", 1), intended("ask", 2)]))
            .await
            .map(drop),
        5 => {
            let mut new = new_incident("ville-b", "two", 4);
            new.incident.raw = json!({ "long": long });
            store.accept(new).await.map(drop)
        }
        6 => {
            let mut block = commit(1, 3, 5, vec![finished("look", json!({ "score": 0.3 }))]);
            block.updates = vec![update("ville-a", &incident(1), 1, Verdict::Malicious)];
            block.measures = vec![MeasureChange::Put(Box::new(measure(
                "ville-a",
                7,
                "203.0.113.9",
                5,
            )))];
            store.commit(block).await.map(drop)
        }
        7 => store
            .put_file(b"From: a@example.org\r\n\r\nhello".to_vec())
            .await
            .map(drop),
        8 => {
            let run = new_run("ville-b", Some(&incident(2)), "triage", 2);
            store
                .decide_matches(&incident(2), vec![decision(run)], moment(6))
                .await
                .map(drop)
        }
        9 => {
            let note = Note {
                entity: None,
                kind: "effects.paused".to_owned(),
                actor: Actor::engine(),
                fields: json!({ "by": "alice" }),
            };
            store.note(note, moment(7)).await
        }
        10 => store
            .commit(commit(2, 1, 8, vec![finished("look", json!({ "text": long }))]))
            .await
            .map(drop),
        11 => {
            let change = MeasureChange::Lifted {
                key: effect_key(7),
                entity: entity("ville-a"),
                reason: "false alarm".to_owned(),
            };
            store.change_measure(change, moment(9)).await
        }
        12 => {
            let change = update("ville-b", &incident(2), 2, Verdict::Clean);
            store.update_incident(change, moment(10)).await
        }
        13 => store.accept(new_incident("ville-a", "three", 11)).await.map(drop),
        14 => {
            let run = new_run("ville-a", Some(&incident(3)), "triage", 3);
            let decisions = vec![decision_once(run, "[1]", Span::hours(1))];
            store
                .decide_matches(&incident(3), decisions, moment(12))
                .await
                .map(drop)
        }
        15 => store
            .start(new_run("ville-b", None, "report", 4), moment(13))
            .await
            .map(drop),
        16 => store.commit(commit(1, 4, 14, vec![closed(5)])).await.map(drop),
        _ => store.keep_plan(&playbook("long"), &long).await,
    }
}

/// Everything that can be asked, as text.
pub(crate) async fn everything(store: &dyn Store) -> Result<String, StoreError> {
    let see = scope(Permission::See, &[]);
    let audit = scope(Permission::Audit, &[]);
    let page = || PageRequest {
        after: None,
        limit: 1_000,
    };
    let mut text = String::new();
    let mut say = |what: &dyn std::fmt::Debug| writeln!(text, "{what:?}").expect("a text grows");
    let incidents = store.incidents(&see, IncidentFilter::default(), page()).await?;
    for row in &incidents.rows {
        say(&store.incident(&row.id).await?);
        say(&store.matches(&see, &row.id).await?);
    }
    say(&incidents);
    let runs = store.runs(&see, RunFilter::default(), page()).await?;
    for row in &runs.rows {
        say(&store.load(&row.run).await?);
    }
    say(&runs);
    for row in store.audit(&audit, AuditFilter::default(), page()).await?.rows {
        say(&serde_json::to_string(&row.body).expect("JSON"));
        say(&(
            row.index,
            row.at,
            row.kind,
            row.run,
            row.seq,
            row.incident,
            row.actor,
        ));
    }
    say(&store.open_runs().await?);
    say(&store.undecided_incidents().await?);
    for name in ["ville-a", "ville-b"] {
        say(&store.measures(&entity(name), moment(100)).await?);
        say(&store.blocks_since(&entity(name), moment(0)).await?);
    }
    say(&store.measures_due(moment(9_999), 10).await?);
    for id in ["triage", "long"] {
        say(&store.plan(&playbook(id).revision).await?);
    }
    Ok(text)
}

/// What a store must say after each number of writes, by the plain model.
pub(crate) async fn expected() -> Vec<String> {
    let model = state::memory::MemoryStore::open();
    let mut expected = vec![everything(&*model).await.expect("read")];
    for number in 0..STEPS {
        step(&*model, number).await.expect("stored");
        expected.push(everything(&*model).await.expect("read"));
    }
    assert!(
        expected
            .windows(2)
            .filter(|pair| pair.first() != pair.last())
            .count()
            >= STEPS - 1,
        "every write but that of a file shows"
    );
    expected
}

/// The address of run 1, for tests that look for one run.
pub(crate) fn first_run() -> state::ids::RunId {
    run_id(1)
}
