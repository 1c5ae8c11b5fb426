//! Text and numbers of strangers, and the many spellings of a time.

use proptest::prelude::*;

use super::*;

#[test]
fn a_title_is_one_clean_line() {
    let title = |text: &str| {
        let alert = json!({"event_type": "alert", "alert": {"signature_id": 1, "signature": text}});
        one_json(Mapper::Suricata, &alert).incident.title
    };
    assert_eq!(
        title("a\r\nBcc: evil@evil.example\0\u{1b}[31m"),
        "a Bcc: evil@evil.example [31m"
    );
    assert_eq!(title("invoice\u{202e}fdp.exe\u{200b}"), "invoicefdp.exe");
    assert_eq!(title("{{inputs.x}} ${{ 1 + 1 }}"), "{{inputs.x}} ${{ 1 + 1 }}");
    assert_eq!(
        title(&"x".repeat(TITLE_CHARACTERS_MAX)).chars().count(),
        TITLE_CHARACTERS_MAX
    );
    let cut = title(&"x".repeat(TITLE_CHARACTERS_MAX + 1));
    assert_eq!(cut.chars().count(), TITLE_CHARACTERS_MAX);
    assert!(cut.ends_with('…'));
}

#[test]
fn an_alert_never_says_whose_it_is() {
    let alert = json!({"event_type": "alert", "entity": "hopital-exemple", "alert": {"signature_id": 1},
        "http": {"hostname": "hopital.example"}});
    let found = one_json(Mapper::Suricata, &alert);
    assert_eq!(found.incident.raw["entity"], json!("hopital-exemple"));
    assert_eq!(observables(&found), ["domain hopital.example http_host"]);
}

#[test]
fn large_numbers_keep_their_digits_in_the_raw_alert() {
    let alert = br#"{"event_type":"alert","flow_id":178807841674453286294070220189617401624,"alert":{"signature_id":1}}"#;
    assert_eq!(
        one(Mapper::Suricata, alert).incident.raw["flow_id"],
        json!("178807841674453286294070220189617401624")
    );
}

#[test]
fn times_are_read_in_their_many_spellings() {
    let expected = "2020-06-17T15:44:53Z";
    for text in [
        "2020-06-17T15:44:53Z",
        "2020-06-17 15:44:53",
        "2020-06-17T15:44:53+0000",
        "2020-06-17T18:44:53+0300",
        "2020-06-17T18:44:53+03:00",
        "2020/06/17 15:44:53",
        "17 Jun 2020 15:44:53 (UTC)",
        "17 Jun 2020 15:44:53 UTC",
        "Wed, 17 Jun 2020 15:44:53 +0000",
        "Jun 17, 2020 15:44:53",
        "1592408693",
        "2020-06-17 15:44:53Z",
        "2020-06-17 15:44:53.000000000",
        "1592408693.000",
        "1592408693000",
    ] {
        assert_eq!(
            parse_time(&json!(text)).map(|at| at.to_string()).as_deref(),
            Some(expected),
            "{text}"
        );
    }
    for number in [
        json!(1_592_408_693),
        json!(1_592_408_693_000_i64),
        json!(1_592_408_693_000_000_i64),
        json!(1_592_408_693_000_000_000_i64),
        json!(1_592_408_693.0),
    ] {
        assert_eq!(
            parse_time(&number).map(|at| at.to_string()).as_deref(),
            Some(expected),
            "{number}"
        );
    }
    assert_eq!(
        parse_time(&json!("17 Jun 2020 15:44:53.7372 (UTC)"))
            .unwrap()
            .to_string(),
        "2020-06-17T15:44:53.7372Z"
    );
    assert_eq!(
        parse_time(&json!("2020-06-17")).unwrap().to_string(),
        "2020-06-17T00:00:00Z"
    );
    for text in [
        "9999-12-31T00:00:00Z",
        "0000-00-00",
        "",
        "yesterday",
        "99999999999999999999",
        "-1",
        "1e9",
    ] {
        assert_eq!(parse_time(&json!(text)), None, "{text}");
    }
    assert_eq!(parse_time(&json!(f64::MAX)), None);
    assert_eq!(parse_time(&json!(["2020-06-17"])), None);
}

#[test]
fn an_unreadable_time_is_said() {
    let alert = json!({"event_type": "alert", "timestamp": "soon", "alert": {"signature_id": 1}});
    let found = one_json(Mapper::Suricata, &alert).incident;
    assert_eq!(
        (found.tags.as_slice(), found.detected_at),
        (["no-time".to_owned()].as_slice(), now())
    );
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        ".{0,40}".prop_map(serde_json::Value::from),
        prop::sample::select(vec![
            "alert",
            "203.0.113.1",
            "2026-01-01T00:00:00Z",
            "4.2.0",
            "Org",
            "Activity",
            "Spam",
            "content"
        ])
        .prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let key = prop_oneof![
            prop::sample::select(vec![
                "event_type",
                "alert",
                "signature_id",
                "severity",
                "timestamp",
                "src_ip",
                "dest_ip",
                "rule",
                "level",
                "id",
                "type",
                "title",
                "service",
                "action",
                "xarf_version",
                "Version",
                "Report",
                "ReporterInfo",
                "evidence",
                "Samples",
                "event",
                "metadata",
                "behaviors",
                "host",
                "network",
                "observables",
                "files",
                "raw",
            ])
            .prop_map(str::to_owned),
            ".{0,8}".prop_map(|text| text),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::btree_map(key, inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_json_stops_a_mapper(value in any_json()) {
        for mapper in Mapper::ALL {
            if let Ok(found) = mapped(*mapper, value.to_string().as_bytes()) {
                for mapped in found {
                    if let Mapped::Incident(mapped) = mapped {
                        assert_sound(Path::new("generated"), &mapped);
                    }
                }
            }
        }
    }

    #[test]
    fn no_bytes_stop_a_mapper(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = Mapper::detect(&bytes);
        let _ = mapped(Mapper::Mail, &bytes);
    }
}
