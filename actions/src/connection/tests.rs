//! Tests of connection: behaviour at its edges and against hostile input.

use playbooks::marking::{Pap, Tlp};
use playbooks::operator::Connection;

use super::{Auth, ConnectionSettings};

/// A connection to a fake on this machine.
pub(crate) fn loopback(name: &str, provider: &str, base: &str) -> ConnectionSettings {
    let facts = Connection {
        name: name.to_owned(),
        provider: provider.to_owned(),
        capabilities: vec!["*".to_owned()],
        tlp: Tlp::Amber,
        pap: Pap::Amber,
        house: false,
        entity: None,
        effect: None,
        exposure: None,
    };
    let mut settings = ConnectionSettings::new(facts, Some(base.parse().unwrap()));
    settings.allow_private = true;
    settings.allow_http = true;
    settings
}

#[test]
fn printing_settings_shows_no_secret() {
    let mut settings = loopback("c", "virustotal", "https://far.example/");
    settings.secrets.insert("hook".to_owned(), "hunter2-hook".into());
    for auth in [
        Auth::Bearer("hunter2-token".into()),
        Auth::Header {
            name: "x-apikey".to_owned(),
            value: "hunter2-token".into(),
        },
        Auth::Basic {
            user: "sortie".to_owned(),
            password: "hunter2-token".into(),
        },
    ] {
        settings.auth = auth;
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}

#[test]
fn another_destination_is_another_binding() {
    let binding = |base: &str, entity: Option<&str>| {
        let mut settings = loopback("c", "virustotal", base);
        settings.facts.entity = entity.map(str::to_owned);
        settings.binding().unwrap()
    };
    let first = binding("https://far.example/api", None);
    for same in [
        "https://far.example/other?",
        "https://FAR.example:443/",
        "https://far.example./",
    ] {
        assert_eq!(binding(same, None), first);
    }
    for other in [
        binding("http://far.example/api", None),
        binding("https://near.example/api", None),
        binding("https://far.example:8443/api", None),
        binding("https://far.example/api", Some("ville")),
    ] {
        assert_ne!(other, first);
        assert_ne!(other.fingerprint(), first.fingerprint());
    }
}
