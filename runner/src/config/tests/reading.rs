//! What a sound project gives.

use actions::connection::Auth;
use playbooks::duration::Span;
use playbooks::marking::{EffectClass, Exposure, Pap, Tlp};
use secrecy::ExposeSecret;
use state::access::{Permission, Reach};

use super::*;
use crate::intake::{Binding, Mapper};

#[test]
fn the_least_project_has_safe_defaults() {
    let settings = Project::new(ORGANISATION).settings();
    assert_eq!(settings.listener.address.to_string(), "127.0.0.1:8800");
    assert!(settings.listener.trusted_proxies.is_empty());
    assert!(settings.data_dir.ends_with(".sortie/data"));
    assert_eq!(settings.operator.organisation.name, "CERT-EX");
    assert_eq!(settings.operator.guardrails, Guardrails::default());
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.operator.entities.len(), 1);
    assert!(settings.warnings.is_empty() && settings.tokens.is_empty() && settings.connections.is_empty());
}

/// A file that uses every table.
const EVERY_TABLE: &str = r#"
roles = ["cert", "duty-lead"]

[server]
listen = "10.0.0.5:8800"
behind_proxy = ["10.0.0.1"]
data_dir = "data"

[limits]
alerts_per_second = 5

[guardrails]
never_block = ["192.0.2.0/24", "203.0.113.9", "Cert.Example"]
effects_per_run = 20
block_for_max = "7d"
effects_paused = true

[entity_settings.lock_account_on_silence]
type = "string"
choices = ["skip", "escalate"]
default = "escalate"

[connections.warning-list]
provider = "http"
capabilities = ["http.request"]
base_url = "https://warning-list.example/api"
auth = { header = "X-Reporter-Key", secret = "env:WARNING_LIST_KEY" }
effect = "notify"
tlp = "green"
pap = "green"

[connections.vt]
provider = "virustotal"
capabilities = ["enrich.url", "enrich.hash"]
secret = "file:keys/vt"
tlp = "green"
pap = "amber"
rate = "4/min"
quota = "500/day"
settings = { depth = 2 }

[connections.block-list]
provider = "block_list"
house = true

[tokens.siem]
id = "01234567"
sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
permissions = ["submit", "see"]
entities = ["ville-exemple"]
expires = 2026-12-31

[sources.border]
format = "suricata"
entity = "ville-exemple"

[sources.shared]
format = "suricata"
sensor_field = "host"
sensors = { "ids-1" = "ville-exemple" }
"#;

/// The settings of [`EVERY_TABLE`].
fn every_table() -> Settings {
    let mut project = with(EVERY_TABLE);
    project.file("keys/vt", "vt-secret\n", 0o600);
    project.environment = [("WARNING_LIST_KEY", "wl-secret")].into_iter().collect();
    project.settings()
}

#[test]
fn every_table_reaches_its_field() {
    let settings = every_table();

    assert_eq!(settings.listener.address.to_string(), "10.0.0.5:8800");
    assert_eq!(settings.listener.trusted_proxies[0].to_string(), "10.0.0.1/32");
    assert!(settings.data_dir.ends_with("data"));
    assert_eq!(settings.limits.alerts_per_second, 5);
    let guardrails = &settings.operator.guardrails;
    assert_eq!(
        guardrails.never_block,
        ["192.0.2.0/24", "203.0.113.9/32", "cert.example"]
    );
    assert_eq!(
        (guardrails.effects_per_run, guardrails.block_for_max),
        (20, Span::days(7))
    );
    assert!(guardrails.effects_paused);
    assert!(settings.operator.roles.contains("duty-lead"));
    assert_eq!(
        settings.operator.entities["ville-exemple"].settings["lock_account_on_silence"],
        "escalate"
    );

    let token = &settings.tokens[0];
    assert_eq!((token.name.as_str(), token.id.as_str()), ("siem", "01234567"));
    assert_eq!(token.permissions, [Permission::Submit, Permission::See].into());
    assert!(matches!(&token.reach, Reach::Entities(entities) if entities.len() == 1));
    assert_eq!(token.expires_at.to_string(), "2026-12-31T00:00:00Z");
    assert_eq!(settings.sources["border"].mapper, Mapper::Suricata);
    assert!(matches!(
        settings.sources["shared"].binding,
        Binding::Sensors { .. }
    ));
}

#[test]
fn connections_carry_their_secrets_where_providers_want_them() {
    let settings = every_table();
    let connection = |name: &str| {
        settings
            .connections
            .iter()
            .find(|settings| settings.facts.name == name)
            .unwrap()
    };
    let warning_list = connection("warning-list");
    assert_eq!(warning_list.facts.effect, Some(EffectClass::Notify));
    assert_eq!(warning_list.facts.exposure, Some(Exposure::Public));
    let Auth::Header { name, value } = &warning_list.auth else {
        panic!("{:?}", warning_list.auth)
    };
    assert_eq!(
        (name.as_str(), value.expose_secret()),
        ("X-Reporter-Key", "wl-secret")
    );
    let vt = connection("vt");
    let Auth::Header { name, value } = &vt.auth else {
        panic!("{:?}", vt.auth)
    };
    assert_eq!((name.as_str(), value.expose_secret()), ("x-apikey", "vt-secret"));
    assert_eq!(
        (vt.rate.unwrap().per, vt.quota_per_day.unwrap().get()),
        (Span::minutes(1), 500)
    );
    assert_eq!(vt.settings["depth"], 2);
    let house = connection("block-list");
    assert_eq!(
        (house.facts.tlp, house.facts.pap, house.facts.house),
        (Tlp::Red, Pap::Red, true)
    );
    assert_eq!(settings.operator.connections["vt"], vt.facts);
}

#[test]
fn the_environment_overrides_and_says_so() {
    let mut project = with("[server]\nlisten = \"127.0.0.1:1\"\n");
    project.environment = [
        (LISTEN_VARIABLE, "127.0.0.1:9000"),
        (DATA_DIR_VARIABLE, "/var/lib/sortie"),
    ]
    .into_iter()
    .collect();
    let settings = project.settings();
    assert_eq!(settings.listener.address.port(), 9000);
    assert_eq!(settings.data_dir, Path::new("/var/lib/sortie"));
    let origin = |key: &str| {
        settings
            .origins
            .iter()
            .find(|setting| setting.key == key)
            .unwrap()
    };
    assert_eq!(
        origin("server.listen").origin,
        Origin::Environment(LISTEN_VARIABLE)
    );
    assert_eq!(origin("server.listen").value, "127.0.0.1:9000");
    assert!(matches!(
        &origin("organisation.name").origin,
        Origin::File { line: 2, .. }
    ));
    assert_eq!(origin("guardrails.effects_per_run").origin, Origin::Default);
    let mut keys: Vec<_> = settings.origins.iter().map(|setting| &setting.key).collect();
    keys.dedup();
    assert_eq!(keys.len(), settings.origins.len());
}

#[test]
fn providers_decide_what_a_connection_offers() {
    let mut project = with("[connections.vt]\nprovider = \"virustotal\"\ntlp = \"green\"\npap = \"amber\"\n");
    project.providers = [(
        "virustotal".to_owned(),
        vec!["enrich.url".to_owned(), "enrich.hash".to_owned()],
    )]
    .into_iter()
    .collect();
    let settings = project.settings();
    assert_eq!(
        settings.operator.connections["vt"].capabilities,
        ["enrich.url", "enrich.hash"]
    );

    project.file(
        FILE_NAME,
        &format!("{ORGANISATION}[connections.vt]\nprovider = \"virustotl\"\nhouse = true\n"),
        0o644,
    );
    assert_eq!(
        project.findings(),
        ["CF112 7: the provider `virustotl` is not built"]
    );
    project.file(
        FILE_NAME,
        &format!("{ORGANISATION}[connections.vt]\nprovider = \"virustotal\"\nhouse = true\ncapabilities = [\"block.ip\", \"enrich.*\"]\n"),
        0o644,
    );
    assert_eq!(
        project.findings(),
        ["CF112 9: the provider does not offer `block.ip`"]
    );
}

#[test]
fn a_new_project_can_be_served_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let token = skeleton::NewToken {
        id: "01234567".to_owned(),
        secret_sha256: "9f".repeat(32),
        expires: "2026-12-31".to_owned(),
    };
    for token in [None, Some(&token)] {
        for file in skeleton::files(
            (
                "phishing-report",
                "id: phishing-report\n",
                "playbook: phishing-report\n",
            ),
            token,
        ) {
            let path = folder.path().join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file.content).unwrap();
        }
        let settings = load(Reading {
            project: folder.path(),
            environment: &Environment::default(),
            providers: &Providers::default(),
            purpose: Purpose::Serve,
            now: now(),
        })
        .unwrap_or_else(|problems| panic!("{}", shown(&problems.findings)));
        assert_eq!(settings.tokens.len(), usize::from(token.is_some()));
        let entity = &settings.operator.entities[skeleton::ENTITY_ID];
        assert!(entity.rollout.contains_key("phishing-report"));
    }
}

#[test]
fn every_code_has_a_page() {
    for (code, page) in codes::PAGES {
        assert!(
            page.starts_with(&format!("# {code} ")) && page.len() > 100,
            "{code}"
        );
        assert_eq!(codes::page(code), Some(*page));
    }
    assert_eq!(codes::page("CF999"), None);
}
