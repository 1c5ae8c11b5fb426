//! Whose an alert is, and Sortie's own form.

use std::collections::{BTreeMap, BTreeSet};

use playbooks::incident::Direction;
use state::access::Reach;

use super::*;

#[test]
fn a_sensor_belongs_to_the_entity_the_operator_wrote() {
    let source = Source {
        name: "border".to_owned(),
        mapper: Mapper::Suricata,
        binding: Binding::Sensors {
            path: vec!["host".to_owned()],
            sensors: [("ids-1".to_owned(), "ville-exemple".parse().unwrap())].into(),
        },
    };
    let alert = json!({"host": "ids-1", "entity": "hopital-exemple"});
    assert_eq!(source.entity(&alert).unwrap().as_str(), "ville-exemple");
    let refusal = source.entity(&json!({"host": "ids-2"})).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "host: the sensor `ids-2` is not in sources.border.sensors; add it to sortie.toml with its entity"
    );
    assert!(source.entity(&json!({"entity": "ville-exemple"})).is_err());
    let one = Source {
        binding: Binding::Entity("ville-exemple".parse().unwrap()),
        ..source
    };
    assert_eq!(
        one.entity(&json!({"entity": "hopital-exemple"}))
            .unwrap()
            .as_str(),
        "ville-exemple"
    );
}

#[test]
fn alerts_of_a_source_go_to_their_sensors_entities() {
    let mut hopital = ville();
    hopital.id = "hopital-exemple".to_owned();
    let entities: BTreeMap<String, Entity> = [ville(), hopital]
        .into_iter()
        .map(|entity| (entity.id.clone(), entity))
        .collect();
    let source = Source {
        name: "border".to_owned(),
        mapper: Mapper::Suricata,
        binding: Binding::Sensors {
            path: vec!["host".to_owned()],
            sensors: [("a", "ville-exemple"), ("b", "hopital-exemple")]
                .map(|(sensor, entity)| (sensor.to_owned(), entity.parse().unwrap()))
                .into(),
        },
    };
    let alert =
        |host: &str| json!({"event_type": "alert", "host": host, "alert": {"signature_id": 1}}).to_string();
    let lines = format!("{}\n{}\n", alert("a"), alert("b"));
    let found = source
        .receive(lines.as_bytes(), &entities, &Reach::All, now())
        .unwrap();
    let owners: Vec<_> = found.iter().map(|(entity, _)| entity.as_str()).collect();
    assert_eq!(owners, ["ville-exemple", "hopital-exemple"]);
    let receive = |reach: &Reach, entities: &BTreeMap<String, Entity>, host: &str| {
        source.receive(alert(host).as_bytes(), entities, reach, now())
    };
    let refusal = receive(&Reach::All, &entities, "c").unwrap_err();
    assert_eq!(refusal.place, "host");

    // Whoever reaches one entity cannot tell a sensor of another from one that is nobody's, also
    // when the file of the other is missing.
    let one = Reach::Entities(BTreeSet::from(["ville-exemple".parse().unwrap()]));
    assert_eq!(receive(&one, &entities, "a").unwrap().len(), 1);
    let only: BTreeMap<String, Entity> = [("ville-exemple".to_owned(), ville())].into();
    for entities in [&entities, &only] {
        for host in ["b", "c"] {
            assert_eq!(
                receive(&one, entities, host).unwrap_err().to_string(),
                format!(
                    "host: the sensor `{host}` is of no entity within this token's reach; have it added to \
                     sources.border.sensors, or use the token of its entity"
                )
            );
        }
    }
}

#[test]
fn the_entity_is_the_callers_only_one_or_the_one_it_names() {
    let mut hopital = ville();
    hopital.id = "hopital-exemple".to_owned();
    let entities: BTreeMap<String, Entity> = [ville(), hopital]
        .into_iter()
        .map(|entity| (entity.id.clone(), entity))
        .collect();
    let named = |id: &str| id.parse().unwrap();
    let only = Reach::Entities(BTreeSet::from([named("ville-exemple")]));
    assert_eq!(
        choose_entity(&only, &entities, None).unwrap().as_str(),
        "ville-exemple"
    );
    assert_eq!(
        choose_entity(&only, &entities, Some(&named("hopital-exemple"))),
        Err(EntityChoice::NotFound("hopital-exemple".to_owned()))
    );
    assert_eq!(
        choose_entity(&Reach::All, &entities, None)
            .unwrap_err()
            .to_string(),
        "for which entity? Add `?entity=` with one of: hopital-exemple, ville-exemple"
    );
    assert!(choose_entity(&Reach::All, &entities, Some(&named("hopital-exemple"))).is_ok());
    assert_eq!(
        choose_entity(&Reach::Entities(BTreeSet::new()), &entities, None),
        Err(EntityChoice::None)
    );
}

fn own(extra: &serde_json::Value) -> serde_json::Value {
    let mut incident = json!({"type": "malware", "title": "Loader on PC-7", "severity": "high"});
    incident
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    incident
}

fn refused(extra: &serde_json::Value) -> String {
    mapped(Mapper::Json, own(extra).to_string().as_bytes())
        .unwrap_err()
        .to_string()
}

#[test]
fn our_own_form_is_read() {
    let found = one_json(
        Mapper::Json,
        &own(&json!({
            "detected_at": "2026-03-02 03:31:00+01:00", "tlp": "green", "tags": ["a"],
            "host": {"id": "h1", "hostname": "PC-7"},
            "network": {"source_ip": "203.0.113.77", "destination_ip": "198.51.100.10", "direction": "outbound"},
            "observables": [{"type": "url", "value": "hxxp://evil[.]example/x"}], "files": [], "raw": {"entity": "hopital-exemple"},
        })),
    );
    let incident = &found.incident;
    assert_eq!(incident.detected_at.to_string(), "2026-03-02T02:31:00Z");
    assert_eq!(incident.network.as_ref().unwrap().direction, Direction::Inbound);
    assert_eq!(observables(&found), ["url http://evil.example/x -"]);
    assert_eq!((incident.tlp.word(), incident.pap.word()), ("green", "amber"));
    assert_eq!(incident.raw["entity"], json!("hopital-exemple"));
}

#[test]
fn our_own_form_is_strict() {
    assert_eq!(
        refused(&json!({"severty": "high"})),
        "severty: there is no such field; did you mean `severity`?"
    );
    assert!(refused(&json!({"entity": "hopital-exemple"})).contains("the entity is that of your token"));
    assert!(refused(&json!({"ref": "MW-2026-00001"})).contains("Sortie gives the reference"));
    assert!(refused(&json!({"host": {"id": "h1", "hostnme": "x"}})).contains("hostnme"));
    assert!(
        refused(&json!({"observables": [{"type": "ip", "value": "evil"}]}))
            .starts_with("observables[0]: `evil` is not")
    );
    assert!(
        refused(&json!({"files": [{"name": "a", "sha256": "0", "size": 1}]}))
            .contains("cannot be named by its hash")
    );
    assert!(refused(&json!({"mail": {"message_id": "", "subject": "", "from": "", "to": [], "file": {"name": "a", "sha256": "0", "size": 1}}})).starts_with("mail.file"));
    assert!(
        refused(&json!({"network": {"source_ip": "x", "destination_ip": "198.51.100.1"}}))
            .starts_with("network.source_ip")
    );
    assert!(refused(&json!({"title": "\u{202e} \u{7}"})).starts_with("title"));
    assert!(refused(&json!({"dedup_within": "31d"})).starts_with("dedup_within"));
    assert!(refused(&json!({"severity": "severe"})).contains("low, medium, high, critical"));
}

#[test]
fn limits_of_our_own_form_hold_at_their_edge() {
    let title = |length: usize| own(&json!({"title": "x".repeat(length)}));
    assert_eq!(
        one_json(Mapper::Json, &title(TITLE_CHARACTERS_MAX))
            .incident
            .title
            .len(),
        TITLE_CHARACTERS_MAX
    );
    assert!(
        mapped(
            Mapper::Json,
            title(TITLE_CHARACTERS_MAX + 1).to_string().as_bytes()
        )
        .is_err()
    );
    let many = |count: usize| {
        let list: Vec<_> = (0..count)
            .map(|n| json!({"type": "ip", "value": format!("10.0.{}.{}", n / 256, n % 256)}))
            .collect();
        own(&json!({"observables": list}))
    };
    assert_eq!(
        one_json(Mapper::Json, &many(OBSERVABLES_MAX))
            .incident
            .observables
            .len(),
        OBSERVABLES_MAX
    );
    assert!(mapped(Mapper::Json, many(OBSERVABLES_MAX + 1).to_string().as_bytes()).is_err());
    let batch = |count: usize| serde_json::Value::Array(vec![own(&json!({})); count]).to_string();
    assert_eq!(
        mapped(Mapper::Json, batch(ALERTS_MAX).as_bytes()).unwrap().len(),
        ALERTS_MAX
    );
    assert_eq!(
        mapped(Mapper::Json, batch(ALERTS_MAX + 1).as_bytes())
            .unwrap_err()
            .kind,
        RefusalKind::TooLarge
    );
}

#[test]
fn the_same_content_is_the_same_incident() {
    let first = one_json(Mapper::Json, &own(&json!({})));
    assert_eq!(
        first.dedup_key,
        one_json(Mapper::Json, &own(&json!({}))).dedup_key
    );
    assert_ne!(
        first.dedup_key,
        one_json(Mapper::Json, &own(&json!({"tags": ["x"]}))).dedup_key
    );
    let keyed =
        |title: &str| one_json(Mapper::Json, &own(&json!({"title": title, "dedup_key": "k"}))).dedup_key;
    assert_eq!(keyed("a"), keyed("b"));
}

#[test]
fn unknown_formats_are_told_what_is_understood() {
    let context = MappingContext {
        entity: &ville(),
        now: now(),
    };
    for bytes in [&b"{\"vendor\": 1}"[..], b"CEF:0|x|y|1|2|3|4|", b"", b"\x00\x01"] {
        let refusal = map_named("auto", bytes, &context).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::UnknownFormat);
        assert!(
            refusal.remedy.contains("suricata") && refusal.remedy.contains("`json`"),
            "{refusal}"
        );
    }
    assert!(
        map_named("surcata", b"{}", &context)
            .unwrap_err()
            .to_string()
            .starts_with("there is no alert format `surcata`")
    );
}
