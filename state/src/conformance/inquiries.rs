//! What people are asked: ids, lists, ends, and who sees them.

use super::samples::{approval, choice, closed, commit, inquiry_closed, moment, new_run, run_id, scope};
use crate::access::Permission;
use crate::event::{Event, InquiryEnd};
use crate::ids::InquiryId;
use crate::store::{InquiryFilter, PageRequest, Store, StoreError, StoredInquiry};

async fn asked(store: &dyn Store, entities: &[&str], filter: InquiryFilter) -> Vec<StoredInquiry> {
    let scope = scope(Permission::Approve, entities);
    let page = store.inquiries(&scope, filter, PageRequest::default()).await;
    page.expect("a page").rows
}

fn ids(rows: &[StoredInquiry]) -> Vec<String> {
    rows.iter().map(|row| row.id.to_string()).collect()
}

pub(super) async fn inquiries_are_numbered_without_gaps(store: &dyn Store) {
    for (number, entity) in [(1, "ville-a"), (2, "ville-b")] {
        let run = new_run(entity, None, "weekly", number);
        store.start(run, moment(0)).await.expect("started");
    }
    let two = vec![
        Event::Asked(Box::new(approval(1))),
        Event::Asked(Box::new(choice(2))),
    ];
    assert_eq!(store.commit(commit(1, 1, 10, two)).await.expect("stored"), 3);
    let refused = vec![Event::Asked(Box::new(approval(1)))];
    let refused = store.commit(commit(2, 7, 11, refused)).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let one = vec![Event::Asked(Box::new(approval(1)))];
    store.commit(commit(2, 1, 12, one)).await.expect("stored");

    let events = store.load(&run_id(2)).await.expect("read");
    let id = events.iter().find_map(|one| match &one.event {
        Event::Asked(inquiry) => inquiry.id,
        _ => None,
    });
    assert_eq!(id, Some(InquiryId::new(3)), "what was refused took no number");

    let all = asked(store, &[], InquiryFilter::default()).await;
    assert_eq!(ids(&all), ["A-3", "A-2", "A-1"]);
    let last = all.last().expect("a row");
    assert_eq!(
        (&last.run, last.asked_at, last.end),
        (&run_id(1), moment(10), None)
    );
    assert_eq!(last.inquiry.ask, approval(1).ask);
    assert_eq!(
        ids(&asked(store, &["ville-b"], InquiryFilter::default()).await),
        ["A-3"]
    );

    let ends = vec![inquiry_closed(2, InquiryEnd::Withdrawn), closed(5)];
    store.commit(commit(1, 3, 20, ends)).await.expect("stored");
    let open = InquiryFilter {
        open: true,
        ..InquiryFilter::default()
    };
    assert_eq!(ids(&asked(store, &[], open).await), ["A-3", "A-1"]);
    let of_run = InquiryFilter {
        run: Some(run_id(1)),
        ..InquiryFilter::default()
    };
    let found = asked(store, &[], of_run).await;
    let ends: Vec<_> = found.iter().map(|row| row.end).collect();
    assert_eq!(ends, [Some(InquiryEnd::Withdrawn), None]);

    let page = PageRequest {
        after: None,
        limit: 2,
    };
    let everywhere = scope(Permission::See, &[]);
    let first = store.inquiries(&everywhere, InquiryFilter::default(), page).await;
    let first = first.expect("a page");
    assert_eq!(ids(&first.rows), ["A-3", "A-2"]);
    let page = PageRequest {
        after: first.next,
        limit: 2,
    };
    let second = store.inquiries(&everywhere, InquiryFilter::default(), page).await;
    let second = second.expect("a page");
    assert_eq!((ids(&second.rows), second.next), (vec!["A-1".to_owned()], None));
}

pub(super) async fn an_inquiry_is_seen_by_its_entity(store: &dyn Store) {
    let run = new_run("ville-a", None, "weekly", 1);
    store.start(run, moment(0)).await.expect("started");
    let one = vec![Event::Asked(Box::new(approval(1)))];
    store.commit(commit(1, 1, 10, one)).await.expect("stored");
    let first = InquiryId::new(1);
    let own = scope(Permission::Approve, &["ville-a"]);
    let found = store.inquiry(&own, first).await.expect("read").expect("there");
    assert_eq!((found.id, found.entity.as_str()), (first, "ville-a"));
    let other = scope(Permission::Approve, &["ville-b"]);
    assert_eq!(store.inquiry(&other, first).await.expect("read"), None);
    assert_eq!(store.inquiry(&own, InquiryId::new(2)).await.expect("read"), None);
    let submit = scope(Permission::Submit, &[]);
    let refused = store.inquiry(&submit, first).await;
    assert!(
        matches!(refused, Err(StoreError::WrongScope { .. })),
        "{refused:?}"
    );
    let refused = store
        .inquiries(&submit, InquiryFilter::default(), PageRequest::default())
        .await;
    assert!(
        matches!(refused, Err(StoreError::WrongScope { .. })),
        "{refused:?}"
    );
}
