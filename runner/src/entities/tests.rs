//! Entity files: what is read, and what is said about what is not.

use playbooks::duration::Span;
use playbooks::marking::Tlp;
use playbooks::operator::Rollout;

use super::*;
use crate::config::SettingKind;

const VILLE: &str = "\
id: ville-exemple
name: Ville d'Exemple
language: fr
timezone: Europe/Paris
domains: [Ville.example, écoles-ville.example]
website: https://www.ville.example/
networks: [198.51.100.0/24, 2001:db8::/32, 203.0.113.5]
contacts:
  security: {mail: security@ville.example, phone: \"+33100000001\", tlp: amber_strict, verified: 2026-01-12}
policy:
  block.ip: {auto: true, max: 24h}
settings: {level: 3}
never_block: [198.51.100.0/24, ville.example]
connections: {\"edr.*\": edr}
rollout: {phishing-report: auto, malware-host: \"off\"}
";

/// Reads entity files of these names and texts.
fn read(files: &[(&str, &str)]) -> (BTreeMap<String, Entity>, Vec<Diagnostic>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let level = EntitySetting {
        kind: SettingKind::Int,
        choices: Vec::new(),
        default: None,
    };
    let house: Connection = serde_json::from_value(serde_json::json!({
        "name": "edr", "provider": "defender", "capabilities": ["edr.*"], "tlp": "red", "pap": "red", "house": true,
    }))
    .unwrap();
    load(&Reading {
        folder: folder.path(),
        settings: &[("level".to_owned(), level)].into_iter().collect(),
        connections: &[("edr".to_owned(), house)].into(),
        now: "2026-03-02T03:04:00Z".parse().unwrap(),
    })
}

/// `code line: message` of every finding about one file.
fn findings(text: &str) -> Vec<String> {
    read(&[("ville-exemple.yaml", text)])
        .1
        .iter()
        .map(short)
        .collect()
}

fn short(finding: &Diagnostic) -> String {
    let (line, _) = finding.primary.source.line_column(finding.primary.place.start);
    format!("{} {line}: {}", finding.code, finding.message)
}

/// The file with one line changed.
fn changed(from: &str, to: &str) -> String {
    assert!(VILLE.contains(from));
    VILLE.replace(from, to)
}

#[test]
fn every_key_reaches_its_field() {
    let (entities, found) = read(&[("ville-exemple.yaml", VILLE)]);
    assert_eq!(found.iter().map(short).collect::<Vec<_>>(), Vec::<String>::new());
    let entity = &entities["ville-exemple"];
    assert_eq!(entity.domains, ["ville.example", "xn--coles-ville-99a.example"]);
    assert_eq!(entity.networks.len(), 3);
    assert_eq!(entity.contacts["security"].tlp, Tlp::AmberStrict);
    assert_eq!(entity.policy["block.ip"].max, Some(Span::hours(24)));
    assert_eq!(entity.settings["level"], 3);
    assert_eq!(entity.connections["edr.*"], "edr");
    assert_eq!(
        (entity.rollout["phishing-report"], entity.rollout["malware-host"]),
        (Rollout::Auto, Rollout::Off)
    );
}

#[test]
fn what_is_not_built_says_what_to_remove() {
    for (from, to, message) in [
        (
            "policy:",
            "quiet_hours: {from: \"20:00\"}\npolicy:",
            "PB601 10: `quiet_hours` is not built yet",
        ),
        (
            "verified: 2026-01-12",
            "pgp: keys/ville.asc",
            "PB601 9: `contacts.security.pgp` is not built yet",
        ),
    ] {
        assert_eq!(findings(&changed(from, to)), [message]);
    }
}

#[test]
fn what_must_be_approved_and_by_whom_reaches_its_field() {
    let text = changed("{auto: true, max: 24h}", "{ask: 2}").replace(
        "policy:",
        "approvers: {contain: [duty-officer, ville-exemple/rssi]}\npolicy:",
    );
    let text = text
        .replace("phishing-report: auto", "phishing-report: suggest")
        .replace("malware-host: \"off\"", "malware-host: shadow");
    let (entities, found) = read(&[("ville-exemple.yaml", text.as_str())]);
    assert!(found.is_empty(), "{found:?}");
    let entity = &entities["ville-exemple"];
    assert_eq!(entity.policy["block.ip"].ask, Some(2));
    assert_eq!(
        entity.approvers["contain"],
        ["duty-officer", "ville-exemple/rssi"]
    );
    assert_eq!(entity.rollout["phishing-report"], Rollout::Suggest);
    for (from, to, message) in [
        (
            "{auto: true, max: 24h}",
            "{ask: 0}",
            "PB601 11: 0 is out of bounds",
        ),
        (
            "{auto: true, max: 24h}",
            "{auto: true, ask: 1}",
            "PB601 11: this is allowed beforehand and asked about at once",
        ),
        (
            "policy:",
            "approvers: {contain: []}\npolicy:",
            "PB601 10: nobody could approve",
        ),
        (
            "policy:",
            "approvers: {contain: [X]}\npolicy:",
            "PB601 10: this is not a name of a role",
        ),
    ] {
        assert_eq!(findings(&changed(from, to)), [message]);
    }
}

#[test]
fn what_does_not_fit_is_said_with_its_place() {
    for (from, to, message) in [
        (
            "id: ville-exemple",
            "id: ville",
            "PB601 1: the id is `ville` and the file is named `ville-exemple.yaml`",
        ),
        ("name: Ville", "nmae: Ville", "PB601 2: there is no key `nmae`"),
        (
            "language: fr",
            "language: french",
            "PB601 3: this is not a language",
        ),
        (
            "198.51.100.0/24, 2001",
            "198.51.100.1/24, 2001",
            "PB605 7: `198.51.100.1/24` has bits behind its prefix",
        ),
        (
            "198.51.100.0/24, 2001",
            "0.0.0.0/0, 2001",
            "PB605 7: `0.0.0.0/0` is the whole internet",
        ),
        (
            "security@ville.example",
            "security",
            "PB601 9: this is not a mail address",
        ),
        ("amber_strict", "orange", "PB601 9: `orange` is not a TLP marking"),
        (
            "2026-01-12",
            "2024-01-12",
            "PB606 9: this contact was verified 780 days ago",
        ),
        (
            "{level: 3}",
            "{level: high}",
            "PB607 12: \"high\" is not of type int",
        ),
        (
            "{level: 3}",
            "{}",
            "PB607 1: the setting `level` is missing and has no default",
        ),
        (
            "{level: 3}",
            "{level: 3, levle: 4}",
            "PB607 12: there is no setting `levle`",
        ),
        (
            "ville.example]\nconnections",
            "not a domain!]\nconnections",
            "PB605 13: `not a domain!` is no address, prefix or domain",
        ),
        (
            "{\"edr.*\": edr}",
            "{block.ip: edr}",
            "PB601 14: the connection `edr` does not offer `block.ip`",
        ),
        (
            "{\"edr.*\": edr}",
            "{\"edr.*\": ed}",
            "PB601 14: there is no connection `ed`",
        ),
        (
            "block.ip:",
            "blockip:",
            "PB601 11: `blockip` is not a name of an action",
        ),
    ] {
        let found = findings(&changed(from, to));
        assert!(
            found.iter().any(|found| found.starts_with(message)),
            "{message}: {found:?}"
        );
    }
}

#[test]
fn an_address_belongs_to_one_entity() {
    let other = "id: hopital\nname: H\nlanguage: fr\ntimezone: Europe/Paris\nnetworks: [NETWORK]\nsettings: {level: 1}\n";
    let overlap = |network: &str| {
        let (_, found) = read(&[
            ("ville-exemple.yaml", VILLE),
            ("hopital.yaml", &other.replace("NETWORK", network)),
        ]);
        found.iter().map(short).collect::<Vec<_>>()
    };
    assert!(overlap("198.51.101.0/24").is_empty());
    assert_eq!(
        overlap("198.51.100.128/25"),
        ["PB605 5: the network 198.51.100.128/25 overlaps 198.51.100.0/24 of ville-exemple"]
    );
    assert_eq!(
        overlap("198.51.0.0/16"),
        ["PB605 7: the network 198.51.100.0/24 overlaps 198.51.0.0/16 of hopital"]
    );
    assert_eq!(
        overlap("203.0.113.5"),
        ["PB605 7: the network 203.0.113.5/32 overlaps 203.0.113.5/32 of hopital"]
    );
    assert_eq!(
        overlap("2001:db8:1::/48"),
        ["PB605 5: the network 2001:db8:1::/48 overlaps 2001:db8::/32 of ville-exemple"]
    );
}

#[test]
fn files_that_would_be_overlooked_are_not() {
    let (_, found) = read(&[("ville-exemple.yml", VILLE)]);
    assert_eq!(found[0].message, "a file that is not read");
    assert_eq!(found[1].message, "there is no entity");
}

#[test]
fn hostile_yaml_is_refused() {
    for text in [
        "",
        "[]",
        "a: &x 1\nb: *x\n",
        "{{{{{{",
        "id: !!python/object x",
        "id: ville-exemple\nid: ville-exemple\n",
    ] {
        let (entities, found) = read(&[("ville-exemple.yaml", text)]);
        assert!(entities.is_empty() && !found.is_empty(), "{text}");
    }
}
