//! `extract.observables` as the engine calls it.

use playbooks::action_spec::ErrorKind;
use serde_json::json;

use super::{ExtractObservables, FOUND_MAX, TEXT_BYTES_MAX};
use crate::action::Action;
use crate::testing::{HeldFiles, call, in_the_house};

#[tokio::test]
async fn the_text_of_the_incident_is_read_when_none_is_given() {
    let mut call = call("extract.observables", json!({}));
    call.incident =
        std::sync::Arc::new(json!({"title": "Beacon to 192.0.2.7", "summary": "see evil[.]example"}));
    let files = HeldFiles::default();
    let performed = ExtractObservables::new()
        .perform(&call, in_the_house(&files))
        .await
        .unwrap();
    assert_eq!(
        performed.output,
        json!({"ips": ["192.0.2.7"], "domains": ["evil.example"], "urls": [], "emails": [], "hashes": []})
    );
}

#[tokio::test]
async fn more_than_is_read_is_refused_and_never_cut() {
    let files = HeldFiles::default();
    for (count, refused) in [(FOUND_MAX - 1, false), (FOUND_MAX, false), (FOUND_MAX + 1, true)] {
        let names: Vec<String> = (0..count).map(|n| format!("h{n}.evil.example")).collect();
        let call = call("extract.observables", json!({"text": names.join(" ")}));
        let outcome = ExtractObservables::new()
            .perform(&call, in_the_house(&files))
            .await;
        assert_eq!(outcome.is_err(), refused, "{count}");
    }
    for (length, refused) in [(TEXT_BYTES_MAX, false), (TEXT_BYTES_MAX + 1, true)] {
        let call = call("extract.observables", json!({"text": "a".repeat(length)}));
        let outcome = ExtractObservables::new()
            .perform(&call, in_the_house(&files))
            .await;
        assert_eq!(
            outcome.is_err_and(|error| error.kind == ErrorKind::Invalid),
            refused,
            "{length}"
        );
    }
}
