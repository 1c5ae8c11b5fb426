//! A small catalogue and a small operator for tests: the rows of the language page that the
//! cases use.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::json;

use crate::action_spec::{
    ActionSpec, Catalog, ErrorKind, Parameter, ProviderSpec, Recovery, RetryDefault, Sink,
};
use crate::duration::Span;
use crate::marking::{EffectClass, Exposure, Pap, Tlp};
use crate::operator::{Connection, Contact, Entity, Guardrails, Operator, Organisation, Rollout};
use crate::types::{TextForm, Type};

/// Name, class, exposure, inputs and outputs as types of records.
const ROWS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "extract.mail",
        "read",
        "none",
        "{mail: mail}",
        "{urls: list<url>, domains: list<domain>, ips: list<ip>, attachments: list<{name: string, sha256: hash, file: file}>, sender: email, sender_domain: domain, auth: {spf: string, dkim: string, dmarc: string}}",
    ),
    (
        "enrich.url",
        "read",
        "lookup",
        "{url: url}",
        "{url: url, domain: domain, verdict: verdict, score: int, final_url?: url, screenshot?: file}",
    ),
    (
        "enrich.hash",
        "read",
        "lookup",
        "{hash: hash}",
        "{hash: hash, verdict: verdict, score: int, family?: string}",
    ),
    (
        "enrich.rdap",
        "read",
        "lookup",
        "{domain: domain}",
        "{registrar?: string, abuse_email?: email, created?: time, age?: duration, country?: string}",
    ),
    (
        "enrich.ip",
        "read",
        "lookup",
        "{ip: ip}",
        "{ip: ip, asn?: int, as_name?: string, country?: string, score?: int, vpn: bool, tor: bool}",
    ),
    (
        "enrich.asset",
        "read",
        "none",
        "{hostname?: string, ip?: ip}",
        "{found: bool, hostname?: string, criticality?: string, owner?: string}",
    ),
    (
        "edr.host",
        "read",
        "none",
        "{id: string}",
        "{id: string, hostname: string, os?: string, isolated: bool}",
    ),
    (
        "edr.isolate_host",
        "contain",
        "active",
        "{id: string, message?: string}",
        "{state: string}",
    ),
    (
        "identity.sign_out",
        "contain",
        "active",
        "{user: string}",
        "{count: int}",
    ),
    (
        "edr.wipe_host",
        "destroy",
        "active",
        "{id: string}",
        "{state: string}",
    ),
    (
        "wait.for",
        "read",
        "none",
        "{duration?: duration, until?: time}",
        "{at: time}",
    ),
    (
        "incident.update",
        "record",
        "none",
        "{status?: string, verdict?: verdict, severity?: severity, note?: string}",
        "{ref: string}",
    ),
    (
        "ticket.open",
        "record",
        "none",
        "{title: string, severity: severity, body?: document}",
        "{id: string, url?: url}",
    ),
    (
        "notify.entity",
        "notify",
        "none",
        "{to: string, template: string, params?: record}",
        "{message_id: string, to: email}",
    ),
    (
        "notify.team",
        "notify",
        "none",
        "{channel: string, text: string, urgent?: bool}",
        "{id: string}",
    ),
    (
        "notify.reporter",
        "notify",
        "none",
        "{template: string, params?: record}",
        "{message_id: string}",
    ),
    (
        "block.ip",
        "contain",
        "active",
        "{ip?: ip, cidr?: cidr, reason: string, direction?: string}",
        "{ip?: ip, cidr?: cidr, list: string}",
    ),
    (
        "block.domain",
        "contain",
        "active",
        "{domain: domain, reason: string}",
        "{domain: domain, list: string}",
    ),
    (
        "ask.human",
        "notify",
        "none",
        "{who: list<string>, question: string, show?: record, choices: list<string>, within: duration, default?: string}",
        "{answer: string, by?: string, comment?: string}",
    ),
    (
        "http.request",
        "contain",
        "public",
        "{method: string, path: string, query?: record, json?: record}",
        "{code: int, json?: record}",
    ),
];

/// The catalogue of the tests.
#[derive(Debug)]
pub(crate) struct Table {
    actions: IndexMap<String, ActionSpec>,
    providers: Vec<ProviderSpec>,
}

impl Catalog for Table {
    fn action(&self, name: &str) -> Option<&ActionSpec> {
        self.actions.get(name)
    }
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.actions.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
    fn providers(&self, capability: &str) -> Vec<&ProviderSpec> {
        self.providers
            .iter()
            .filter(|provider| provider.capability == capability)
            .collect()
    }
}

pub(crate) fn table() -> Table {
    let actions: IndexMap<String, ActionSpec> =
        ROWS.iter().map(|row| (row.0.to_owned(), spec(row))).collect();
    let providers = actions
        .values()
        .map(|action| ProviderSpec {
            capability: action.name.clone(),
            provider: "test".to_owned(),
            recovery: if action.effect == EffectClass::Notify {
                Recovery::Once
            } else {
                Recovery::Set
            },
            settle: Span::seconds(0),
            discloses_to: "nobody".to_owned(),
            expires_by_itself: true,
        })
        .collect();
    Table { actions, providers }
}

fn spec(row: &(&str, &str, &str, &str, &str)) -> ActionSpec {
    let (name, effect, exposure, inputs, outputs) = *row;
    let enums = IndexMap::new();
    let fields = |text: &str| match Type::parse(text, &enums) {
        Ok(Type::Record(fields)) => fields,
        other => panic!("{name}: {other:?}"),
    };
    let inputs: IndexMap<String, Parameter> = fields(inputs)
        .into_iter()
        .map(|(key, ty)| {
            let sink = if *ty.required() == Type::Text(TextForm::Document) {
                Sink::Document
            } else {
                Sink::Plain
            };
            (
                key,
                Parameter {
                    ty,
                    sink,
                    description: "A parameter.".to_owned(),
                },
            )
        })
        .collect();
    let block = name.starts_with("block.");
    let local = name.starts_with("extract.") || ["incident.update", "ask.human", "wait.for"].contains(&name);
    ActionSpec {
        name: name.to_owned(),
        summary: format!("Does {name}."),
        effect: effect.parse().unwrap(),
        exposure: exposure.parse().unwrap(),
        discloses: if local {
            Vec::new()
        } else {
            inputs.keys().cloned().collect()
        },
        exactly_one_of: if name == "wait.for" {
            vec![vec!["duration".to_owned(), "until".to_owned()]]
        } else if name == "block.ip" || name == "enrich.asset" {
            let second = if block { "cidr" } else { "hostname" };
            vec![vec!["ip".to_owned(), second.to_owned()]]
        } else {
            Vec::new()
        },
        outputs: fields(outputs),
        natural_key: inputs.keys().take(1).cloned().collect(),
        inverse: (effect == "contain" && !["http.request", "identity.sign_out"].contains(&name))
            .then(|| "unblock.ip".to_owned()),
        no_inverse_because: Some("a test".to_owned()),
        timeout: Span::seconds(30),
        retry: RetryDefault {
            attempts: 3,
            backoff: (Span::seconds(2), Span::minutes(1)),
            errors: vec![ErrorKind::Timeout, ErrorKind::Unreachable],
        },
        needs_connection: !local,
        merges_providers: name.starts_with("enrich."),
        renders_mail: inputs.contains_key("template"),
        example: (json!({}), json!({})),
        inputs,
    }
}

pub(crate) fn operator() -> Operator {
    let connection = |name: &str, capabilities: &[&str], tlp: Tlp, pap: Pap, house: bool| Connection {
        name: name.to_owned(),
        provider: "test".to_owned(),
        capabilities: capabilities.iter().map(|word| (*word).to_owned()).collect(),
        tlp,
        pap,
        house,
        entity: None,
        effect: None,
        exposure: None,
    };
    let mut warning_list = connection("warning-list", &["http.request"], Tlp::Green, Pap::Green, false);
    warning_list.effect = Some(EffectClass::Notify);
    warning_list.exposure = Some(Exposure::Public);
    let connections = [
        connection("virustotal", &["enrich.*"], Tlp::AmberStrict, Pap::Amber, false),
        connection(
            "house",
            &["block.*", "notify.*", "ticket.*", "edr.*"],
            Tlp::Red,
            Pap::Red,
            true,
        ),
        warning_list,
    ];
    let contact = Contact {
        mail: Some("security@ville.example".to_owned()),
        phone: None,
        tlp: Tlp::AmberStrict,
    };
    let entity = Entity {
        id: "ville-exemple".to_owned(),
        name: "Ville d'Exemple".to_owned(),
        language: "fr".to_owned(),
        timezone: "Europe/Paris".to_owned(),
        domains: vec!["ville.example".to_owned()],
        website: None,
        networks: vec!["198.51.100.0/24".parse().unwrap()],
        contacts: IndexMap::from([
            ("security".to_owned(), contact.clone()),
            ("it".to_owned(), contact),
        ]),
        policy: BTreeMap::new(),
        approvers: BTreeMap::from([("contain".to_owned(), vec!["duty-officer".to_owned()])]),
        settings: IndexMap::from([("lock_account".to_owned(), json!("escalate"))]),
        never_block: Vec::new(),
        marking: crate::operator::Marking::default(),
        connections: BTreeMap::new(),
        rollout: ["case", "phishing-report", "ids-triage"]
            .into_iter()
            .map(|id| (id.to_owned(), Rollout::Auto))
            .collect(),
    };
    Operator {
        organisation: Organisation {
            name: "CERT-EX".to_owned(),
            language: "en".to_owned(),
            timezone: "Europe/Paris".to_owned(),
            mail_from: "CERT-EX <incident@cert.example>".to_owned(),
        },
        entities: BTreeMap::from([(entity.id.clone(), entity)]),
        connections: connections
            .into_iter()
            .map(|one| (one.name.clone(), one))
            .collect(),
        guardrails: Guardrails::default(),
        roles: BTreeSet::from(["duty-officer".to_owned()]),
        approvals: crate::operator::Approvals::default(),
        people: BTreeMap::from([(
            "lea".to_owned(),
            crate::operator::Person {
                roles: BTreeSet::from(["duty-lead".to_owned(), "ville-exemple/rssi".to_owned()]),
                mail: None,
                decides_for: BTreeSet::new(),
            },
        )]),
        page: None,
    }
}
