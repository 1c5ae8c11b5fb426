//! What the client writes the server reads back, and nothing else is taken.

use playbooks::incident::{IncidentStatus, IncidentType};
use state::event::RunStatus;
use state::store::{AuditFilter, IncidentFilter, PAGE_ROWS_MAX, PageRequest, RunFilter};

use super::{AUDIT_KEYS, INCIDENT_KEYS, Query, RUN_KEYS, VALUE_BYTES_MAX, Writer};

fn read(address: &str, keys: &[&str]) -> Query {
    Query::parse(address.split_once('?').map(|(_, query)| query), keys).unwrap()
}

fn page() -> PageRequest {
    PageRequest {
        after: Some("a&b=c d/é".to_owned()),
        limit: 7,
    }
}

#[test]
fn filters_come_back_as_they_were() {
    let incidents = IncidentFilter {
        entity: Some("ville-exemple".parse().unwrap()),
        kind: Some(IncidentType::SuspiciousLogin),
        status: Some(IncidentStatus::Closed),
    };
    let query = read(
        &Writer::incidents(&incidents, &page()).behind("/x"),
        INCIDENT_KEYS,
    );
    assert_eq!(
        (query.incident_filter().unwrap(), query.page().unwrap()),
        (incidents, page())
    );

    let runs = RunFilter {
        entity: None,
        incident: Some("PH-2026-00417".parse().unwrap()),
        playbook: Some("phishing-report".to_owned()),
        status: vec![RunStatus::Running, RunStatus::Stuck],
    };
    let query = read(&Writer::runs(&runs, &page()).behind("/x"), RUN_KEYS);
    assert_eq!(
        (query.run_filter().unwrap(), query.page().unwrap()),
        (runs, page())
    );

    let audit = AuditFilter {
        kind: Some("attempt.intended".to_owned()),
        ..AuditFilter::default()
    };
    let query = read(
        &Writer::audit(&audit, &PageRequest::default()).behind("/x"),
        AUDIT_KEYS,
    );
    assert_eq!(
        (query.audit_filter().unwrap(), query.page().unwrap()),
        (audit, PageRequest::default())
    );
    assert_eq!(Writer::default().behind("/x"), "/x");
}

#[test]
fn unknown_repeated_and_malformed_values_say_what_is_possible() {
    let refused = |text: &str| Query::parse(Some(text), RUN_KEYS).unwrap_err().to_string();
    assert!(refused("entitty=a").contains("takes entity, incident, playbook"));
    assert!(refused("access_token=sortie_x").contains("unknown query key"));
    assert!(refused("entity=a&entity=b").contains("given twice"));
    assert!(
        Query::parse(Some("a=b"), &[])
            .unwrap_err()
            .to_string()
            .contains("takes none")
    );
    let status = Query::parse(Some("status=running,odd"), RUN_KEYS).unwrap();
    assert!(
        status
            .run_filter()
            .unwrap_err()
            .to_string()
            .contains("`odd` is none of running")
    );
    let entity = Query::parse(Some("entity=../etc"), RUN_KEYS).unwrap();
    assert!(entity.run_filter().is_err());
}

#[test]
fn limits_hold_one_below_at_and_one_above() {
    for (limit, fits) in [
        (PAGE_ROWS_MAX - 1, true),
        (PAGE_ROWS_MAX, true),
        (PAGE_ROWS_MAX + 1, false),
    ] {
        let query = Query::parse(Some(&format!("limit={limit}")), RUN_KEYS).unwrap();
        assert_eq!(query.page().is_ok(), fits, "{limit}");
    }
    for (length, fits) in [
        (VALUE_BYTES_MAX - 1, true),
        (VALUE_BYTES_MAX, true),
        (VALUE_BYTES_MAX + 1, false),
    ] {
        let text = format!("after={}", "x".repeat(length));
        assert_eq!(Query::parse(Some(&text), RUN_KEYS).is_ok(), fits, "{length}");
    }
}
