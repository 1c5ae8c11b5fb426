//! Scenery for tests: a small catalogue, an operator with two entities, and playbooks from YAML.
//!
//! Owns nothing that is shipped.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use playbooks::compile::{Bundle, Environment, compile_kept};
use playbooks::duration::Span;
use playbooks::incident::{Incident, IncidentType};
use playbooks::marking::{Pap, Severity, Tlp, Verdict};
use playbooks::operator::{
    ActionPolicy, Approvals, Connection, Contact, Entity, Guardrails, Operator, Organisation, Rollout,
};
use playbooks::plan::Plan;
use serde_json::json;
use state::access::{Actor, Channel};
use state::event::{Mode, Started, StartedBy};
use state::ids::RunId;

use crate::rehearsal::{Rehearsal, ScriptedWorld, Stage};
use crate::start::{StartRequest, start};

mod catalogue;

pub(crate) use catalogue::Catalogue;

/// The moment at which tests begin.
pub(crate) fn noon() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().expect("a time")
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
                ask: None,
            };
            (action.to_owned(), policy)
        })),
        approvers: BTreeMap::new(),
        settings: IndexMap::new(),
        never_block: vec!["203.0.113.77".to_owned()],
        marking: playbooks::operator::Marking::default(),
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
        connection("web", "http", &["http.request"], Tlp::Amber, false),
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
        approvals: Approvals::default(),
        people: BTreeMap::new(),
        page: None,
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
    // What must be written is the checker's business, not the engine's.
    let compilation = compile_kept(
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

    /// Event 0. The run was started by hand, by the person `starter`.
    pub(crate) fn started(&self) -> Started {
        let request = StartRequest {
            run: RunId::from_parts(1_772_452_800_000, 7),
            incident: Some(("PH-2026-00001".parse().expect("a reference"), &self.incident)),
            inputs: BTreeMap::new(),
            by: StartedBy::Hand,
            actor: Actor {
                name: "person:starter".to_owned(),
                channel: Channel::Api,
            },
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
