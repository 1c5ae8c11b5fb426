//! What strangers send: alerts, mails, reports, JSON.

use bolero::check;
use playbooks::incident::Incident;
use playbooks::operator::Entity;
use runner::intake::{Mapped, MappingContext, map_named};
use runner::json_strict;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::corpus::{Corpus, Reached, Recipe};

/// Longest title of an incident, in characters.
const TITLE_MAX: usize = 500;

fn ville() -> Entity {
    serde_json::from_value(json!({
        "id": "ville-exemple", "name": "Ville d'Exemple", "language": "fr", "timezone": "Europe/Paris",
        "domains": ["ville.example"], "networks": ["198.51.100.0/24"], "contacts": {}, "policy": {},
        "settings": {}, "never_block": [], "connections": {}, "rollout": {},
        "marking": {"tlp": "amber", "pap": "amber"},
    }))
    .unwrap()
}

/// Whatever comes in is an incident that reads back as it was stored, or one refusal with a reason
/// and a remedy, and the same each time.
fn taken_in(mapper: &str, bytes: &[u8]) -> bool {
    let entity = ville();
    let context = MappingContext {
        entity: &entity,
        now: "2026-03-02T03:04:00Z".parse().unwrap(),
    };
    let answer = map_named(mapper, bytes, &context);
    assert_eq!(
        answer,
        map_named(mapper, bytes, &context),
        "the answer is the same each time"
    );
    let through = answer.is_ok();
    match answer {
        Ok(all) => {
            for mapped in all {
                let Mapped::Incident(mapped) = mapped else {
                    continue;
                };
                let incident = mapped.incident;
                assert!(!incident.title.trim().is_empty() && incident.title.chars().count() <= TITLE_MAX);
                assert!(
                    !incident.title.contains(['\n', '\r', '\u{0}']),
                    "{:?}",
                    incident.title
                );
                assert!(!mapped.dedup_key.is_empty());
                let stored = serde_json::to_string(&incident).unwrap();
                assert_eq!(
                    serde_json::from_str::<Incident>(&stored).unwrap(),
                    incident,
                    "{stored}"
                );
            }
        }
        Err(refusal) => {
            assert!(
                !refusal.reason.is_empty() && !refusal.remedy.is_empty(),
                "{refusal:?}"
            );
            let line = refusal.to_string();
            assert!(
                !line.contains('\u{0}') && line.chars().count() < 1_000,
                "{line:?}"
            );
        }
    }
    through
}

#[test]
fn alerts_of_every_format() {
    let corpus = Corpus::of(
        &[
            ("runner/tests/samples", "json"),
            ("runner/tests/samples/x-arf", "json"),
        ],
        &[],
        &["alerts", "x-arf"],
    );
    let mappers = ["json", "suricata", "guardduty", "crowdstrike", "wazuh", "xarf"];
    let reached = Reached::default();
    check!()
        .with_iterations(3_000)
        .with_type::<(u8, Recipe)>()
        .for_each(|(mapper, recipe)| {
            // Half of them find their form by themselves.
            let mapper = mappers.get(usize::from(*mapper) % (2 * mappers.len()));
            let mapper = mapper.copied().unwrap_or("auto");
            reached.count(taken_in(mapper, &corpus.make(recipe)));
        });
    reached.at_least(5);
}

#[test]
fn mails() {
    let corpus = Corpus::of(&[("runner/tests/samples/mail", "eml")], &[], &["eml"]);
    let reached = Reached::default();
    check!()
        .with_iterations(400)
        .with_type::<Recipe>()
        .for_each(|recipe| reached.count(taken_in("mail", &corpus.make(recipe))));
    reached.at_least(50);
}

#[test]
fn strict_json_is_json_and_reads_its_own_writing_back() {
    let corpus = Corpus::of(&[("runner/tests/samples", "json")], &[], &["bad-input", "alerts"]);
    let reached = Reached::default();
    check!()
        .with_iterations(6_000)
        .with_type::<Recipe>()
        .for_each(|recipe| {
            let bytes = corpus.make(recipe);
            let strict = json_strict::parse(&bytes);
            reached.count(strict.is_ok());
            match strict {
                Ok(value) => {
                    // Numbers that do not fit stay what they were, as text; all else is what it was.
                    assert!(serde_json::from_slice::<IgnoredAny>(&bytes).is_ok());
                    let written = serde_json::to_vec(&value).unwrap();
                    assert_eq!(json_strict::parse(&written).ok(), Some(value));
                }
                Err(error) => {
                    assert!(error.line >= 1 && error.column >= 1, "{error:?}");
                    assert!(!error.reason.is_empty() && !error.remedy.is_empty());
                }
            }
        });
    reached.at_least(5);
}
