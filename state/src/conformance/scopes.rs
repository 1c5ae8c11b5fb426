//! Tenancy: what is out of scope is not there.

use playbooks::marking::Verdict;
use serde_json::json;

use super::samples::{
    accept, commit, decision, entity, finished, measure, moment, new_run, run_id, scope, update,
};
use crate::access::{Actor, Permission, Scope};
use crate::ids::{IncidentId, RunId};
use crate::store::{
    AuditFilter, IncidentFilter, MeasureChange, Note, PageRequest, RunFilter, Store, StoreError,
};

/// One incident with a run, an update, a measure and a note, of each entity.
async fn fill(store: &dyn Store, names: &[&str]) -> Vec<(IncidentId, RunId)> {
    let mut made = Vec::new();
    for (number, name) in (1..).zip(names) {
        let id = accept(store, name, "the same key", 0).await;
        let run = new_run(name, Some(&id), "triage", number);
        store
            .decide_matches(&id, vec![decision(run)], moment(1))
            .await
            .expect("decided");
        let mut with_all = commit(number, 1, 2, vec![finished("look", json!({ "of": name }))]);
        with_all.updates = vec![update(name, &id, number, Verdict::Malicious)];
        let mut block = measure(name, number, "203.0.113.9", 2);
        block.run = run_id(number);
        with_all.measures = vec![MeasureChange::Put(Box::new(block))];
        store.commit(with_all).await.expect("stored");
        let note = Note {
            entity: Some(entity(name)),
            kind: "policy.changed".to_owned(),
            actor: Actor::engine(),
            fields: json!({ "of": name }),
        };
        store.note(note, moment(3)).await.expect("stored");
        made.push((id, run_id(number)));
    }
    let note = Note {
        entity: None,
        kind: "process.started".to_owned(),
        actor: Actor::engine(),
        fields: json!({ "version": "0.1.0" }),
    };
    store.note(note, moment(4)).await.expect("stored");
    made
}

fn whole() -> PageRequest {
    PageRequest {
        after: None,
        limit: 1_000,
    }
}

async fn sees(store: &dyn Store, see: &Scope, audit: &Scope, names: &[&str], made: &[(IncidentId, RunId)]) {
    let all_names = ["ville", "ville-a", "ville-a0", "ville-b"];
    let mut incidents: Vec<String> = Vec::new();
    let rows = store.incidents(see, IncidentFilter::default(), whole()).await;
    incidents.extend(
        rows.expect("a page")
            .rows
            .iter()
            .map(|row| row.entity.to_string()),
    );
    incidents.sort();
    assert_eq!(incidents, names);
    let rows = store.runs(see, RunFilter::default(), whole()).await;
    let mut runs: Vec<String> = rows
        .expect("a page")
        .rows
        .iter()
        .map(|row| row.entity.to_string())
        .collect();
    runs.sort();
    assert_eq!(runs, names);
    for (name, (id, run)) in all_names.iter().zip(made) {
        let visible = names.contains(name);
        let shown = usize::from(visible);
        let one = store.incident_in(see, id).await.expect("read");
        assert_eq!(one.is_some(), visible, "{name}");
        assert_eq!(store.matches(see, id).await.expect("read").len(), shown, "{name}");
        assert_eq!(
            store.events(see, run).await.expect("read").is_some(),
            visible,
            "{name}"
        );
        assert_eq!(
            store.find_run(see, run.as_str()).await.expect("read").len(),
            shown,
            "{name}"
        );
        let of_entity = IncidentFilter {
            entity: Some(entity(name)),
            ..IncidentFilter::default()
        };
        let rows = store
            .incidents(see, of_entity, whole())
            .await
            .expect("a page")
            .rows;
        assert_eq!(rows.len(), shown, "{name}");
        filtered(store, (see, audit), name, (id, run), visible).await;
    }
    let rows = store.audit(audit, AuditFilter::default(), whole()).await;
    let rows = rows.expect("a page").rows;
    let system = rows.iter().filter(|row| row.entity.is_none()).count();
    assert_eq!(system, usize::from(names.len() == all_names.len()));
    for row in rows {
        let name = row.entity.map(|entity| entity.to_string());
        assert!(name.is_none_or(|name| names.contains(&name.as_str())));
    }
}

/// Filters that name what is out of scope find nothing, and those within find only it.
async fn filtered(
    store: &dyn Store,
    (see, audit): (&Scope, &Scope),
    name: &str,
    (id, run): (&IncidentId, &RunId),
    visible: bool,
) {
    let shown = usize::from(visible);
    for filter in [
        RunFilter {
            entity: Some(entity(name)),
            ..RunFilter::default()
        },
        RunFilter {
            incident: Some(id.clone()),
            ..RunFilter::default()
        },
    ] {
        let rows = store.runs(see, filter, whole()).await.expect("a page").rows;
        assert_eq!(rows.len(), shown, "{name}");
    }
    for filter in [
        AuditFilter {
            entity: Some(entity(name)),
            ..AuditFilter::default()
        },
        AuditFilter {
            run: Some(run.clone()),
            ..AuditFilter::default()
        },
        AuditFilter {
            incident: Some(id.clone()),
            ..AuditFilter::default()
        },
    ] {
        let rows = store.audit(audit, filter, whole()).await.expect("a page").rows;
        assert_eq!(rows.is_empty(), !visible, "{name}");
        assert!(rows.iter().all(|row| row.entity.as_ref() == Some(&entity(name))));
    }
}

pub(super) async fn nobody_sees_another_entity(store: &dyn Store) {
    // Names that are prefixes of each other: nothing may match by prefix.
    let made = fill(store, &["ville", "ville-a", "ville-a0", "ville-b"]).await;
    for names in [
        vec!["ville"],
        vec!["ville-a"],
        vec!["ville-a0"],
        vec!["ville", "ville-b"],
        vec!["ville-a", "ville-a0", "ville-b"],
    ] {
        let see = scope(Permission::See, &names);
        let audit = scope(Permission::Audit, &names);
        sees(store, &see, &audit, &names, &made).await;
    }
    let see = scope(Permission::See, &[]);
    let audit = scope(Permission::Audit, &[]);
    sees(
        store,
        &see,
        &audit,
        &["ville", "ville-a", "ville-a0", "ville-b"],
        &made,
    )
    .await;
    let stranger = scope(Permission::See, &["stranger"]);
    sees(
        store,
        &stranger,
        &scope(Permission::Audit, &["stranger"]),
        &[],
        &made,
    )
    .await;
}

pub(super) async fn a_scope_opens_only_what_it_is_for(store: &dyn Store) {
    let id = accept(store, "ville-a", "key", 0).await;
    let submit = scope(Permission::Submit, &[]);
    let refused = [
        store.incident_in(&submit, &id).await.err(),
        store.matches(&submit, &id).await.err(),
        store.events(&submit, &run_id(1)).await.err(),
        store.find_run(&submit, "0").await.err(),
        store
            .incidents(&submit, IncidentFilter::default(), PageRequest::default())
            .await
            .err(),
        store
            .runs(&submit, RunFilter::default(), PageRequest::default())
            .await
            .err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(StoreError::WrongScope { .. })), "{error:?}");
    }
    for permission in [Permission::Submit, Permission::See, Permission::Start] {
        let scope = scope(permission, &[]);
        let refused = store
            .audit(&scope, AuditFilter::default(), PageRequest::default())
            .await;
        assert!(
            matches!(refused, Err(StoreError::WrongScope { .. })),
            "{refused:?}"
        );
    }
    for permission in [Permission::See, Permission::Start, Permission::Audit] {
        let found = store.incident_in(&scope(permission, &[]), &id).await;
        assert!(found.expect("read").is_some());
    }
}
