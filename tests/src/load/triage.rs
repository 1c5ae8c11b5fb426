//! The reference job: its incident and its playbook.

use serde_json::{Value, json};

use super::project;

/// The playbook.
pub const PLAYBOOK: &str = include_str!("triage-5.yaml");

/// The address that the alert of this number is about. Public, and different for every number below
/// sixteen million, so that no look-up is answered from memory.
pub fn attacker(number: u64) -> String {
    format!(
        "45.{}.{}.{}",
        number / 65_536 % 256,
        number / 256 % 256,
        number % 256
    )
}

/// One alert of a network sensor, in the form of Suricata.
pub fn alert(number: u64) -> Value {
    json!({
        "timestamp": "2026-10-07T22:24:37.251547+0100",
        "flow_id": number,
        "event_type": "alert",
        "src_ip": attacker(number),
        "src_port": 50_096,
        "dest_ip": project::address(number),
        "dest_port": 443,
        "proto": "TCP",
        "alert": {
            "action": "allowed", "gid": 1, "signature_id": 2_034_567, "rev": 10,
            "signature": "ET EXPLOIT Suspicious request to an appliance",
            "category": "Attempted Administrator Privilege Gain", "severity": 1,
        },
        "app_proto": "tls",
    })
}
