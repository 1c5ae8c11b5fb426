//! The change that is asked for is the change that was written.

use playbooks::action_spec::ErrorKind;
use playbooks::incident::IncidentStatus;
use playbooks::marking::{Severity, Verdict};
use serde_json::json;

use super::IncidentUpdate;
use crate::action::{Action, HouseChange};
use crate::testing::{HeldFiles, call, in_the_house};

#[tokio::test]
async fn what_is_given_changes_and_nothing_else() {
    let files = HeldFiles::default();
    let both = call(
        "incident.update",
        json!({"status": "closed", "verdict": "malicious"}),
    );
    let performed = IncidentUpdate::new()
        .perform(&both, in_the_house(&files))
        .await
        .unwrap();
    assert_eq!(performed.output, json!({"ref": "PH-2026-00417"}));
    assert_eq!(
        performed.changes,
        [HouseChange::UpdateIncident {
            status: Some(IncidentStatus::Closed),
            verdict: Some(Verdict::Malicious),
            severity: None,
            note: None,
        }]
    );
    let note = call(
        "incident.update",
        json!({"severity": "low", "note": "2 copies removed"}),
    );
    let performed = IncidentUpdate::new()
        .perform(&note, in_the_house(&files))
        .await
        .unwrap();
    assert_eq!(
        performed.changes,
        [HouseChange::UpdateIncident {
            status: None,
            verdict: None,
            severity: Some(Severity::Low),
            note: Some("2 copies removed".to_owned()),
        }]
    );
}

#[tokio::test]
async fn nothing_and_nonsense_are_refused() {
    let files = HeldFiles::default();
    for arguments in [
        json!({}),
        json!({"note": " "}),
        json!({"status": "resolved"}),
        json!({"verdict": "bad"}),
        json!({"severity": 3}),
    ] {
        let refused = IncidentUpdate::new()
            .perform(&call("incident.update", arguments.clone()), in_the_house(&files))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.kind, refused.not_sent),
            (ErrorKind::Invalid, true),
            "{arguments}"
        );
    }
}
