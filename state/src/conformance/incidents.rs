//! Keeping, counting, changing and listing incidents.

use playbooks::incident::{IncidentStatus, IncidentType};
use playbooks::marking::{Severity, Verdict};
use serde_json::json;

use super::samples::{
    accept, effect_key, entity, incident, moment, new_incident, panic_with, scope, sender, update,
};
use crate::access::Permission;
use crate::store::{
    Accepted, FILE_BYTES_MAX, IncidentFilter, KEY_BYTES_MAX, LIST_TITLE_BYTES_MAX, NAME_BYTES_MAX,
    PageRequest, RECORD_BYTES_MAX, Store, StoreError,
};

pub(super) async fn references_are_gapless(store: &dyn Store) {
    for number in 1..=3 {
        let id = accept(store, "ville-a", &format!("ids {number}"), 0).await;
        assert_eq!(id.as_str(), format!("ID-2026-{number:05}"));
    }
    let mut phishing = new_incident("ville-b", "ids 1", 1);
    phishing.incident = incident(IncidentType::Phishing, "a mail", moment(1));
    let id = store.accept(phishing.clone()).await.expect("kept");
    assert_eq!(id, Accepted::New("PH-2026-00001".parse().expect("a reference")));
    // The year is the year of receipt in UTC.
    let mut new_year = new_incident("ville-a", "new year", 0);
    new_year.at = "2026-12-31T23:59:59.999Z".parse().expect("a time");
    let last = store.accept(new_year.clone()).await.expect("kept");
    assert_eq!(last, Accepted::New("ID-2026-00004".parse().expect("a reference")));
    new_year.at = "2027-01-01T00:00:00Z".parse().expect("a time");
    "another".clone_into(&mut new_year.dedup_key);
    let first = store.accept(new_year).await.expect("kept");
    assert_eq!(
        first,
        Accepted::New("ID-2027-00001".parse().expect("a reference"))
    );

    let stored = store
        .incident(&"PH-2026-00001".parse().expect("a reference"))
        .await
        .expect("read");
    let stored = stored.expect("it is there");
    let mut expected = phishing.incident;
    "PH-2026-00001".clone_into(&mut expected.reference);
    assert_eq!(stored.incident, expected);
    assert_eq!(
        (stored.entity, stored.source.as_str(), stored.count),
        (entity("ville-b"), "suricata", 1)
    );
    assert_eq!(stored.actor, sender());
    assert!(!stored.by_hand);
    let mut by_hand = new_incident("ville-b", "by hand", 2);
    by_hand.by_hand = true;
    let id = match store.accept(by_hand).await.expect("kept") {
        Accepted::New(id) => id,
        known @ Accepted::Duplicate { .. } => panic_with(&format!("{known:?}")),
    };
    let stored = store.incident(&id).await.expect("read");
    assert!(stored.expect("it is there").by_hand);
    let nobody = store
        .incident(&"PH-2026-00002".parse().expect("a reference"))
        .await;
    assert_eq!(nobody.expect("read"), None);
}

pub(super) async fn duplicates_are_counted(store: &dyn Store) {
    let first = accept(store, "ville-a", "key", 0).await;
    let again = |seconds| new_incident("ville-a", "key", seconds);
    for (seconds, count) in [(1, 2), (3_599, 3), (-7_200, 4)] {
        let answer = store.accept(again(seconds)).await.expect("counted");
        let of = first.clone();
        assert_eq!(answer, Accepted::Duplicate { of, count }, "after {seconds} s");
    }
    // Another entity, another source and another key are other incidents.
    let other_entity = new_incident("ville-b", "key", 2);
    let mut other_source = again(2);
    "wazuh".clone_into(&mut other_source.source);
    let mut split_elsewhere = again(2);
    "suricatak".clone_into(&mut split_elsewhere.source);
    "ey".clone_into(&mut split_elsewhere.dedup_key);
    for new in [other_entity, other_source, split_elsewhere] {
        let answer = store.accept(new).await.expect("kept");
        assert!(matches!(answer, Accepted::New(_)), "{answer:?}");
    }
    // Repetitions do not extend the time of a key.
    let answer = store.accept(again(3_600)).await.expect("kept");
    let Accepted::New(second) = answer else {
        unreachable_answer(&answer)
    };
    assert_ne!(first, second);
    let stored = store.incident(&first).await.expect("read").expect("there");
    assert_eq!(stored.count, 4);
    let answer = store.accept(again(3_601)).await.expect("counted");
    assert_eq!(answer, Accepted::Duplicate { of: second, count: 2 });
}

#[expect(clippy::panic, reason = "a failed check")]
fn unreachable_answer(answer: &Accepted) -> ! {
    panic!("not expected: {answer:?}")
}

pub(super) async fn long_incidents_come_back(store: &dyn Store) {
    for (place, length) in [65_000_usize, 70_000, 400_000].into_iter().enumerate() {
        let mut new = new_incident("ville-a", &format!("long {length}"), 0);
        new.incident.raw = json!({ "text": "é\u{1}".repeat(length / 3) });
        new.incident.title = "t".repeat(LIST_TITLE_BYTES_MAX + 1);
        let raw = new.incident.raw.clone();
        let Accepted::New(id) = store.accept(new).await.expect("kept") else {
            unreachable_answer(&Accepted::New("ID-2026-00001".parse().expect("a reference")))
        };
        let stored = store.incident(&id).await.expect("read").expect("there");
        assert_eq!(stored.incident.raw, raw);
        assert_eq!(stored.incident.title.len(), LIST_TITLE_BYTES_MAX + 1);
        let see = scope(Permission::See, &[]);
        let page = store.incidents(&see, IncidentFilter::default(), PageRequest::default());
        let rows = page.await.expect("a page").rows;
        assert_eq!(rows.len(), place + 1);
        assert!(rows.iter().all(|row| row.title.len() <= LIST_TITLE_BYTES_MAX));
    }
}

pub(super) async fn limits_are_kept(store: &dyn Store) {
    let length = |bytes: u64| usize::try_from(bytes).expect("a length");
    let too_large = |result: Result<Accepted, StoreError>| match result {
        Ok(_) => false,
        Err(error) => matches!(error, StoreError::TooLarge { .. }),
    };
    for (over, bytes) in [
        (false, NAME_BYTES_MAX - 1),
        (false, NAME_BYTES_MAX),
        (true, NAME_BYTES_MAX + 1),
    ] {
        let mut new = new_incident("ville-a", &format!("source {bytes}"), 0);
        new.source = "s".repeat(length(bytes));
        assert_eq!(too_large(store.accept(new).await), over, "a source of {bytes}");
    }
    for (over, bytes) in [(false, KEY_BYTES_MAX), (true, KEY_BYTES_MAX + 1)] {
        let new = new_incident("ville-a", &"k".repeat(length(bytes)), 0);
        assert_eq!(too_large(store.accept(new).await), over, "a key of {bytes}");
    }
    for (over, bytes) in [(false, RECORD_BYTES_MAX - 4_096), (true, RECORD_BYTES_MAX + 1)] {
        let mut new = new_incident("ville-a", &format!("record {bytes}"), 0);
        new.incident.raw = json!("r".repeat(length(bytes)));
        assert_eq!(too_large(store.accept(new).await), over, "a record of {bytes}");
    }
    // What was refused left nothing behind.
    let incidents = store.figures().await.expect("figures").incidents;
    assert_eq!(incidents, 4);
    for (over, bytes) in [(false, FILE_BYTES_MAX), (true, FILE_BYTES_MAX + 1)] {
        let kept = store.put_file(vec![7; length(bytes)]).await;
        assert_eq!(
            matches!(kept, Err(StoreError::TooLarge { .. })),
            over,
            "a file of {bytes}"
        );
    }
}

pub(super) async fn updates_are_made_once(store: &dyn Store) {
    let id = accept(store, "ville-a", "key", 0).await;
    let mut first = update("ville-a", &id, 1, Verdict::Malicious);
    first.severity = Some(Severity::Critical);
    store
        .update_incident(first.clone(), moment(1))
        .await
        .expect("changed");
    let again = update("ville-a", &id, 1, Verdict::Clean);
    store
        .update_incident(again, moment(2))
        .await
        .expect("nothing to do");
    let mut close = update("ville-a", &id, 2, Verdict::Malicious);
    close.status = Some(IncidentStatus::Closed);
    close.verdict = None;
    store
        .update_incident(close.clone(), moment(3))
        .await
        .expect("changed");

    let stored = store.incident(&id).await.expect("read").expect("there");
    let updates: Vec<_> = stored
        .updates
        .iter()
        .map(|one| (one.at, one.update.clone()))
        .collect();
    assert_eq!(updates, [(moment(1), first), (moment(3), close)]);
    assert_eq!(stored.incident.verdict, Verdict::Malicious);
    assert_eq!(stored.incident.severity, Severity::Critical);
    assert_eq!(stored.incident.status, IncidentStatus::Closed);

    let see = scope(Permission::See, &[]);
    let page = store.incidents(&see, IncidentFilter::default(), PageRequest::default());
    let rows = page.await.expect("a page").rows;
    let row = rows.first().expect("a row");
    assert_eq!(
        (row.status, row.verdict, row.severity),
        (IncidentStatus::Closed, Verdict::Malicious, Severity::Critical)
    );

    // Of another entity, or of none: not found, and nothing of it is stored.
    for wrong in [
        update("ville-b", &id, 3, Verdict::Noise),
        update(
            "ville-a",
            &"ID-2026-00002".parse().expect("a reference"),
            4,
            Verdict::Noise,
        ),
    ] {
        let refused = store.update_incident(wrong, moment(4)).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    let stored = store.incident(&id).await.expect("read").expect("there");
    assert_eq!(stored.updates.len(), 2);
    assert_eq!(
        stored.updates.last().map(|one| one.update.key.clone()),
        Some(effect_key(2))
    );
}

pub(super) async fn lists_are_newest_first(store: &dyn Store) {
    let mut ids = Vec::new();
    for number in 0..25 {
        let name = if number % 5 == 0 { "ville-b" } else { "ville-a" };
        // The clock goes back: the order is that of acceptance.
        ids.push(accept(store, name, &format!("{number}"), 1_000 - number).await);
    }
    ids.reverse();
    let see = scope(Permission::See, &[]);
    for limit in [1, 2, 7, 24, 25, 26, 1_000] {
        let mut found = Vec::new();
        let mut page = PageRequest { after: None, limit };
        loop {
            let answer = store
                .incidents(&see, IncidentFilter::default(), page.clone())
                .await;
            let answer = answer.expect("a page");
            assert!(answer.rows.len() <= limit);
            found.extend(answer.rows.into_iter().map(|row| row.id));
            match answer.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!(found, ids, "pages of {limit}");
    }
    let filter = IncidentFilter {
        entity: Some(entity("ville-b")),
        ..IncidentFilter::default()
    };
    let page = store
        .incidents(&see, filter, PageRequest::default())
        .await
        .expect("a page");
    assert_eq!(page.rows.len(), 5);
    assert_eq!(page.next, None);
    for filter in [
        IncidentFilter {
            kind: Some(IncidentType::Phishing),
            ..IncidentFilter::default()
        },
        IncidentFilter {
            status: Some(IncidentStatus::Closed),
            ..IncidentFilter::default()
        },
    ] {
        let page = store
            .incidents(&see, filter, PageRequest::default())
            .await
            .expect("a page");
        assert_eq!(page.rows.len(), 0);
    }
    for found in ["", "x", "-1", "99999999999999999999999", "+1", "ID-2026-00001"] {
        let page = PageRequest {
            after: Some(found.to_owned()),
            limit: 1,
        };
        let refused = store.incidents(&see, IncidentFilter::default(), page).await;
        assert!(
            matches!(refused, Err(StoreError::BadCursor { .. })),
            "{found}: {refused:?}"
        );
    }
}
