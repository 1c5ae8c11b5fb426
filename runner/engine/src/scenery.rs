//! Scenery for tests: a small catalogue, an operator with two entities, and playbooks from YAML.
//!
//! Owns nothing that is shipped.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use playbooks::action_spec::{
    ActionSpec, Catalog, ErrorKind, Parameter, ProviderSpec, Recovery, RetryDefault, Sink,
};
use playbooks::compile::{Bundle, Environment, compile};
use playbooks::duration::Span;
use playbooks::incident::{Incident, IncidentType};
use playbooks::marking::{EffectClass, Exposure, Pap, Severity, Tlp, Verdict};
use playbooks::operator::{
    ActionPolicy, Connection, Contact, Entity, Guardrails, Operator, Organisation, Rollout,
};
use playbooks::plan::Plan;
use playbooks::types::{TextForm, Type};
use serde_json::{Value, json};
use state::access::Actor;
use state::event::{Mode, Started, StartedBy};
use state::ids::RunId;

use crate::rehearsal::{Rehearsal, ScriptedWorld, Stage};
use crate::start::{StartRequest, start};

/// The moment at which tests begin.
pub(crate) fn noon() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().expect("a time")
}

/// The catalogue.
#[derive(Debug)]
pub(crate) struct Catalogue {
    actions: IndexMap<String, ActionSpec>,
    providers: Vec<ProviderSpec>,
}

struct Sketch {
    name: &'static str,
    effect: EffectClass,
    exposure: Exposure,
    inputs: Vec<(&'static str, Type)>,
    outputs: Vec<(&'static str, Type)>,
    example: (Value, Value),
}

fn spec(sketch: Sketch) -> ActionSpec {
    ActionSpec {
        name: sketch.name.to_owned(),
        summary: "For tests.".to_owned(),
        effect: sketch.effect,
        exposure: sketch.exposure,
        discloses: sketch.inputs.iter().map(|(name, _)| (*name).to_owned()).collect(),
        inputs: sketch
            .inputs
            .into_iter()
            .map(|(name, ty)| {
                let sink = if ty.required() == &Type::Text(TextForm::Document) {
                    Sink::Document
                } else {
                    Sink::Plain
                };
                let parameter = Parameter {
                    ty,
                    sink,
                    description: "An input.".to_owned(),
                };
                (name.to_owned(), parameter)
            })
            .collect(),
        exactly_one_of: Vec::new(),
        outputs: sketch
            .outputs
            .into_iter()
            .map(|(name, ty)| (name.to_owned(), ty))
            .collect(),
        natural_key: Vec::new(),
        inverse: sketch.name.starts_with("block.").then(|| "unblock.ip".to_owned()),
        no_inverse_because: (sketch.effect >= EffectClass::Contain).then(|| "a test".to_owned()),
        timeout: Span::seconds(30),
        retry: RetryDefault {
            attempts: 3,
            backoff: (Span::seconds(2), Span::minutes(5)),
            errors: ErrorKind::RETRYABLE.to_vec(),
        },
        needs_connection: true,
        merges_providers: sketch.name.starts_with("enrich."),
        renders_mail: sketch.name == "notify.entity",
        expires_by: sketch.name.starts_with("block.").then(|| "for".to_owned()),
        example: sketch.example,
    }
}

fn reading() -> Vec<ActionSpec> {
    vec![
        ActionSpec {
            needs_connection: false,
            ..spec(Sketch {
                name: "extract.text",
                effect: EffectClass::Read,
                exposure: Exposure::None,
                inputs: vec![("text", Type::String)],
                outputs: vec![
                    ("ips", Type::Text(TextForm::Ip).list()),
                    ("urls", Type::Text(TextForm::Url).list()),
                    ("note", Type::String.optional()),
                ],
                example: (
                    json!({"text": "see 203.0.113.7"}),
                    json!({"ips": ["203.0.113.7"], "urls": ["https://a.example/"]}),
                ),
            })
        },
        spec(Sketch {
            name: "enrich.url",
            effect: EffectClass::Read,
            exposure: Exposure::Lookup,
            inputs: vec![("url", Type::Text(TextForm::Url))],
            outputs: vec![("score", Type::Int), ("verdict", Type::Text(TextForm::Verdict))],
            example: (
                json!({"url": "https://a.example/"}),
                json!({"score": 90, "verdict": "malicious"}),
            ),
        }),
        spec(Sketch {
            name: "siem.search",
            effect: EffectClass::Read,
            exposure: Exposure::None,
            inputs: vec![("query", Type::String)],
            outputs: vec![("count", Type::Int)],
            example: (json!({"query": "seen"}), json!({"count": 2})),
        }),
    ]
}

fn acting() -> Vec<ActionSpec> {
    let text = || Type::String;
    vec![
        spec(Sketch {
            name: "ticket.open",
            effect: EffectClass::Record,
            exposure: Exposure::None,
            inputs: vec![("title", text())],
            outputs: vec![("id", Type::String)],
            example: (json!({"title": "t"}), json!({"id": "T-1"})),
        }),
        spec(Sketch {
            name: "notify.team",
            effect: EffectClass::Notify,
            exposure: Exposure::None,
            inputs: vec![("text", text())],
            outputs: vec![("id", Type::String)],
            example: (json!({"text": "t"}), json!({"id": "M-1"})),
        }),
        spec(Sketch {
            name: "notify.entity",
            effect: EffectClass::Notify,
            exposure: Exposure::None,
            inputs: vec![
                ("to", text()),
                ("template", text()),
                ("params", Type::Open.optional()),
            ],
            outputs: vec![("message_id", Type::String)],
            example: (
                json!({"to": "security", "template": "mail/hello"}),
                json!({"message_id": "<1@cert.example>"}),
            ),
        }),
        spec(Sketch {
            name: "block.ip",
            effect: EffectClass::Contain,
            exposure: Exposure::Active,
            inputs: vec![
                ("ip", Type::Text(TextForm::Ip)),
                ("reason", text()),
                ("for", Type::Duration.optional()),
            ],
            outputs: vec![("ip", Type::Text(TextForm::Ip))],
            example: (
                json!({"ip": "203.0.113.7", "reason": "r"}),
                json!({"ip": "203.0.113.7"}),
            ),
        }),
        spec(Sketch {
            name: "block.domain",
            effect: EffectClass::Contain,
            exposure: Exposure::Active,
            inputs: vec![
                ("domain", Type::Text(TextForm::Domain)),
                ("reason", text()),
                ("for", Type::Duration.optional()),
            ],
            outputs: vec![("domain", Type::Text(TextForm::Domain))],
            example: (
                json!({"domain": "bad.example", "reason": "r"}),
                json!({"domain": "bad.example"}),
            ),
        }),
        spec(Sketch {
            name: "edr.isolate_host",
            effect: EffectClass::Contain,
            exposure: Exposure::Active,
            inputs: vec![("id", text())],
            outputs: vec![("state", Type::String)],
            example: (json!({"id": "h"}), json!({"state": "isolated"})),
        }),
        spec(Sketch {
            name: "edr.wipe",
            effect: EffectClass::Destroy,
            exposure: Exposure::Active,
            inputs: vec![("id", text())],
            outputs: vec![("state", Type::String)],
            example: (json!({"id": "h"}), json!({"state": "wiped"})),
        }),
    ]
}

fn provider(capability: &str, provider: &str, recovery: Recovery) -> ProviderSpec {
    ProviderSpec {
        capability: capability.to_owned(),
        provider: provider.to_owned(),
        recovery,
        settle: Span::minutes(1),
        discloses_to: "a test".to_owned(),
        expires_by_itself: false,
    }
}

impl Catalogue {
    pub(crate) fn new() -> Self {
        Self {
            actions: reading()
                .into_iter()
                .chain(acting())
                .map(|spec| (spec.name.clone(), spec))
                .collect(),
            providers: vec![
                provider("extract.text", "house", Recovery::Read),
                provider("enrich.url", "lookup", Recovery::Read),
                provider("siem.search", "siem", Recovery::Read),
                provider("ticket.open", "tickets", Recovery::Keyed),
                provider("notify.team", "chat", Recovery::Once),
                provider("notify.entity", "smtp", Recovery::Once),
                provider("block.ip", "block_list", Recovery::Set),
                provider("block.domain", "block_list", Recovery::Set),
                provider("edr.isolate_host", "edr", Recovery::Probed),
                provider("edr.wipe", "edr", Recovery::Probed),
            ],
        }
    }
}

impl Catalog for Catalogue {
    fn action(&self, name: &str) -> Option<&ActionSpec> {
        self.actions.get(name)
    }
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.actions.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
    fn providers(&self, capability: &str) -> Vec<&ProviderSpec> {
        self.providers
            .iter()
            .filter(|spec| spec.capability == capability)
            .collect()
    }
}

fn connection(name: &str, provider: &str, capabilities: &[&str], tlp: Tlp, house: bool) -> Connection {
    Connection {
        name: name.to_owned(),
        provider: provider.to_owned(),
        capabilities: capabilities.iter().map(|word| (*word).to_owned()).collect(),
        tlp,
        pap: Pap::Amber,
        house,
        entity: None,
        effect: None,
        exposure: None,
    }
}

fn entity(id: &str, network: &str, domain: &str) -> Entity {
    Entity {
        id: id.to_owned(),
        name: format!("Entity {id}"),
        language: "fr".to_owned(),
        timezone: "Europe/Paris".to_owned(),
        domains: vec![domain.to_owned()],
        website: None,
        networks: vec![network.parse().expect("a network")],
        contacts: IndexMap::from([(
            "security".to_owned(),
            Contact {
                mail: Some(format!("security@{domain}")),
                phone: None,
                tlp: Tlp::Amber,
            },
        )]),
        policy: BTreeMap::from(["block.ip", "block.domain", "edr.isolate_host"].map(|action| {
            let policy = ActionPolicy {
                auto: true,
                max: Some(Span::days(7)),
            };
            (action.to_owned(), policy)
        })),
        settings: IndexMap::new(),
        never_block: vec!["203.0.113.77".to_owned()],
        connections: BTreeMap::new(),
        rollout: BTreeMap::from([("test".to_owned(), Rollout::Auto)]),
    }
}

/// Us, `ville` and `hopital`, and a connection for every action of the catalogue.
pub(crate) fn operator() -> Operator {
    let connections = [
        connection("fast", "lookup", &["enrich.*"], Tlp::Green, false),
        connection("careful", "lookup", &["enrich.*"], Tlp::AmberStrict, false),
        connection("siem", "siem", &["siem.*"], Tlp::Red, true),
        connection("tickets", "tickets", &["ticket.*"], Tlp::Red, true),
        connection("chat", "chat", &["notify.team"], Tlp::Red, true),
        connection("mail", "smtp", &["notify.entity"], Tlp::Red, true),
        connection("lists", "block_list", &["block.*"], Tlp::Red, true),
        connection("edr", "edr", &["edr.*"], Tlp::AmberStrict, false),
    ];
    Operator {
        organisation: Organisation {
            name: "CERT-EX".to_owned(),
            language: "en".to_owned(),
            timezone: "Europe/Brussels".to_owned(),
            mail_from: "CERT-EX <incident@cert.example>".to_owned(),
        },
        entities: [
            entity("ville", "198.51.100.0/24", "ville.example"),
            entity("hopital", "192.0.2.0/24", "hopital.example"),
        ]
        .map(|entity| (entity.id.clone(), entity))
        .into(),
        connections: connections
            .map(|connection| (connection.name.clone(), connection))
            .into(),
        guardrails: Guardrails {
            never_block: vec!["203.0.113.53".to_owned(), "resolver.example".to_owned()],
            ..Guardrails::default()
        },
        roles: ["duty".to_owned()].into(),
    }
}

/// A phishing incident that allows active work.
pub(crate) fn incident() -> Incident {
    Incident {
        reference: "PH-2026-00001".to_owned(),
        kind: IncidentType::Phishing,
        title: "A mail".to_owned(),
        summary: None,
        status: playbooks::incident::IncidentStatus::Open,
        severity: Severity::High,
        tlp: Tlp::Green,
        pap: Pap::Green,
        verdict: Verdict::Unknown,
        tags: Vec::new(),
        detected_at: noon(),
        received_at: noon(),
        reporter: None,
        mail: None,
        domain: Some("bad.example".to_owned()),
        host: None,
        user: None,
        logins: Vec::new(),
        network: None,
        signature: None,
        observables: Vec::new(),
        files: Vec::new(),
        raw: json!({}),
    }
}

const HEAD: &str = "\
id: test
name: Test
version: 1
description: A test
owner: duty
";

/// A playbook from the text below its head.
pub(crate) fn plan(body: &str) -> Plan {
    plan_with(body, [])
}

/// A playbook with mail templates.
pub(crate) fn plan_with<const N: usize>(body: &str, templates: [(&str, &str); N]) -> Plan {
    let catalogue = Catalogue::new();
    let bundle = Bundle {
        name: "test.yaml".to_owned(),
        playbook: format!("{HEAD}{body}"),
        templates: templates
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into(),
    };
    let compilation = compile(
        &bundle,
        Environment {
            catalog: &catalogue,
            operator: None,
        },
    );
    compilation.plan.unwrap_or_else(|| {
        let findings: Vec<_> = compilation
            .diagnostics
            .iter()
            .map(|finding| format!("{}: {} {:?}", finding.code, finding.message, finding.help))
            .collect();
        panic!("{}\n{}", findings.join("\n"), bundle.playbook)
    })
}

/// A plan with its surroundings.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) plan: Plan,
    pub(crate) operator: Operator,
    pub(crate) catalogue: Catalogue,
    pub(crate) incident: Incident,
    pub(crate) mode: Mode,
}

impl Scene {
    pub(crate) fn new(body: &str) -> Self {
        Self::of(plan(body))
    }

    pub(crate) fn of(plan: Plan) -> Self {
        Self {
            plan,
            operator: operator(),
            catalogue: Catalogue::new(),
            incident: incident(),
            mode: Mode::Auto,
        }
    }

    pub(crate) fn stage(&self) -> Stage<'_> {
        Stage {
            plan: &self.plan,
            operator: &self.operator,
            entity: &self.operator.entities["ville"],
            catalog: &self.catalogue,
        }
    }

    pub(crate) fn started(&self) -> Started {
        let request = StartRequest {
            run: RunId::from_parts(1_772_452_800_000, 7),
            incident: Some(("PH-2026-00001".parse().expect("a reference"), &self.incident)),
            inputs: BTreeMap::new(),
            by: StartedBy::Hand,
            actor: Actor::engine(),
            mode: self.mode,
        };
        start(&self.plan, request, &self.stage().at(noon())).expect("it may start")
    }

    pub(crate) fn world(&self) -> ScriptedWorld<'_> {
        ScriptedWorld::new(&self.catalogue)
    }

    /// The run, begun.
    pub(crate) fn begin<'s>(&'s self, world: ScriptedWorld<'s>) -> Rehearsal<'s, ScriptedWorld<'s>> {
        Rehearsal::begin(self.stage(), self.started(), noon(), world).expect("it begins")
    }

    /// The run, ended.
    pub(crate) fn play<'s>(&'s self, world: ScriptedWorld<'s>) -> Rehearsal<'s, ScriptedWorld<'s>> {
        let mut rehearsal = self.begin(world);
        rehearsal.to_end().expect("it ends");
        rehearsal
    }
}
