//! What every simulation shares: the real catalogue, the playbooks, the incidents, the operator.
//!
//! Owns what is made once. Nothing in it changes while simulations run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use actions::action::{Action, Call, Context, Files};
use actions::clock::Clock;
use actions::connection::ConnectionSettings;
use actions::registry::{HOUSE, Registry};
use async_trait::async_trait;
use indexmap::IndexMap;
use playbooks::action_spec::{ActionSpec, ProviderSpec, Recovery};
use playbooks::compile::Bundle;
use playbooks::diagnostic::Level;
use playbooks::incident::FileRef;
use playbooks::operator::{Entity, Operator};
use runner::demo;
use runner::intake::{Mapped, MappedIncident, MappingContext, map_named};
use runner::library::{self, Library};
use serde_json::{Value, json};

use super::Shared;
use super::fate::Timeline;
use super::playbooks_made_up as generator;
use super::provider::{Behind, SETTLE, SimAction};
use super::random::Random;
use super::sheet::Sheet;
use super::world::Nature;

/// Generated playbooks.
pub const GENERATED: u64 = 256;
/// The entity of every incident.
pub const ENTITY: &str = "example-town";
/// People, with their roles. The last one has none.
pub const PEOPLE: [(&str, &[&str]); 5] = [
    ("alice", &["duty"]),
    ("bob", &["duty", "lead"]),
    ("carol", &["duty"]),
    ("dora", &["lead"]),
    ("eve", &[]),
];

/// The playbooks of one simulation, and what may arrive for them.
#[derive(Debug)]
pub struct Setting {
    /// In words.
    pub name: String,
    /// Compiled.
    pub library: Arc<Library>,
    /// As their texts say, by revision.
    pub sheets: BTreeMap<String, Arc<Sheet>>,
    /// Alerts.
    pub alerts: Vec<MappedIncident>,
}

/// See the module.
#[derive(Debug)]
pub struct Theatre {
    /// The contracts.
    pub contracts: IndexMap<String, Arc<ActionSpec>>,
    houses: Vec<Arc<dyn Action>>,
    taken_apart: Value,
    settings: Mutex<BTreeMap<String, Arc<Setting>>>,
    examples: PathBuf,
}

#[derive(Debug)]
struct OneFile(Vec<u8>);

#[async_trait]
impl Files for OneFile {
    async fn read(&self, _sha256: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(Some(self.0.clone()))
    }
    async fn keep(&self, name: &str, media_type: Option<&str>, bytes: Vec<u8>) -> Result<FileRef, String> {
        Ok(FileRef {
            name: name.to_owned(),
            sha256: "0".repeat(64),
            size: bytes.len() as u64,
            media_type: media_type.map(str::to_owned),
        })
    }
}

impl Theatre {
    /// Reads the examples of the repository.
    ///
    /// # Errors
    /// What cannot be read or set up, in words.
    pub fn open() -> Result<Self, String> {
        let houses: Vec<Arc<dyn Action>> = actions::catalogue::house_and_rest_actions()
            .into_iter()
            .filter(|action| [HOUSE, "block_list"].contains(&action.provider().provider.as_str()))
            .collect();
        let taken_apart = take_apart(&houses)?;
        Ok(Self {
            contracts: actions::catalogue::capabilities(),
            houses,
            taken_apart,
            settings: Mutex::default(),
            examples: Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples"),
        })
    }

    /// The examples of the repository, by the folder's name.
    ///
    /// # Errors
    /// What cannot be read, in words.
    pub fn example(&self, name: &str) -> Result<Arc<Setting>, String> {
        self.setting(name, || {
            let loaded = library::load(&[self.examples.join(name)], &Self::catalogue()?, None);
            let loaded = loaded.map_err(|error| error.to_string())?;
            let (format, bytes) = match name {
                "phishing-report" => ("mail", demo::PHISHING_REPORT),
                _ => ("suricata", demo::IDS_ALERT),
            };
            setting(name, loaded, Self::arrived(format, bytes)?)
        })
    }

    /// The names of the examples.
    pub fn examples() -> [&'static str; 3] {
        ["phishing-report", "ids-triage", "first-playbook"]
    }

    /// A generated playbook.
    ///
    /// # Errors
    /// It does not compile.
    pub fn generated(&self, number: u64) -> Result<Arc<Setting>, String> {
        let name = format!("generated-{number}");
        self.setting(&name, || {
            let bundle = Bundle {
                name: format!("{name}.yaml"),
                playbook: generator::playbook(number),
                templates: IndexMap::new(),
            };
            let text = bundle.playbook.clone();
            let compiled = library::compile_kept(bundle, &Self::catalogue()?).map_err(|found| {
                let errors = found.iter().filter(|one| one.level == Level::Error);
                let errors: Vec<&str> = errors.map(|one| one.message.as_str()).collect();
                format!("{name}: {}\n{text}", errors.join("; "))
            })?;
            let loaded = library::Loaded {
                compiled: vec![compiled],
                ..library::Loaded::default()
            };
            let incident = json!({
                "ref": "", "type": "malware", "title": "Malware on a desk", "status": "open",
                "severity": "high", "tlp": "amber", "pap": "green", "verdict": "unknown", "tags": [],
                "detected_at": "2026-11-25T12:00:00Z", "received_at": "2026-11-25T12:00:00Z",
                "observables": [
                    {"type": "domain", "value": "one.example"}, {"type": "domain", "value": "two.example"},
                    {"type": "ip", "value": "203.0.113.99"},
                ],
                "files": [], "raw": {},
            });
            let incident = serde_json::from_value(incident).map_err(|error| error.to_string())?;
            let alert = MappedIncident {
                incident,
                dedup_key: "malware".to_owned(),
                dedup_within: playbooks::duration::Span::hours(48),
                files: Vec::new(),
            };
            setting(&name, loaded, vec![alert])
        })
    }

    /// The setting of a seed.
    ///
    /// # Errors
    /// It cannot be set up.
    pub fn of_seed(&self, seed: u64) -> Result<Arc<Setting>, String> {
        let mut random = Random::of(seed, "setting");
        if random.percent(30) {
            let examples = Self::examples();
            let name = examples
                .get(random.place(examples.len()))
                .copied()
                .unwrap_or_default();
            return self.example(name);
        }
        self.generated(random.below(GENERATED))
    }

    fn setting(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Setting, String>,
    ) -> Result<Arc<Setting>, String> {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = settings.get(name) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(make()?);
        settings.insert(name.to_owned(), Arc::clone(&made));
        Ok(made)
    }

    fn catalogue() -> Result<Registry, String> {
        let clock: Arc<dyn Clock> = Arc::new(Timeline::new());
        Registry::new(Vec::new(), &clock).map_err(|problems| format!("{problems:?}"))
    }

    fn arrived(format: &str, bytes: &[u8]) -> Result<Vec<MappedIncident>, String> {
        let operator = operator(&mut Random::of(0, "operator"), &[])?;
        let entity = operator.entities.get(ENTITY).ok_or("no entity")?;
        let context = MappingContext {
            entity,
            now: Timeline::new().now(),
        };
        let mapped = map_named(format, bytes, &context).map_err(|refusal| format!("{refusal:?}"))?;
        Ok(mapped
            .into_iter()
            .filter_map(|one| match one {
                Mapped::Incident(incident) => Some(*incident),
                Mapped::Ignored { .. } => None,
            })
            .collect())
    }

    /// The registry of one life: the real one, with the world behind every connection.
    ///
    /// # Errors
    /// A connection cannot be set up.
    pub fn registry(&self, shared: &Arc<Shared>, operator: &Operator) -> Result<Registry, String> {
        let natures = Natures::of(shared.seed, shared.control.repeats_blindly);
        let mut all: Vec<Arc<dyn Action>> = Vec::new();
        for house in &self.houses {
            let declared = house.provider().clone();
            let behind = if declared.capability == "extract.mail" {
                Behind::Known(self.taken_apart.clone())
            } else {
                Behind::House(Arc::clone(house))
            };
            all.extend(self.action(shared, declared, behind));
        }
        for (capability, contract) in &self.contracts {
            if !contract.needs_connection {
                continue;
            }
            let (nature, recovery) = natures.of_capability(capability);
            let declared = ProviderSpec {
                capability: capability.clone(),
                provider: "world".to_owned(),
                recovery,
                settle: SETTLE,
                discloses_to: "the simulation".to_owned(),
                expires_by_itself: false,
            };
            all.extend(self.action(shared, declared, Behind::World(nature)));
        }
        let connections = operator.connections.values();
        let settings = connections
            .map(|facts| ConnectionSettings::new(facts.clone(), None))
            .collect();
        let clock: Arc<dyn Clock> = Arc::clone(&shared.timeline) as Arc<dyn Clock>;
        Registry::with_actions(settings, &clock, all).map_err(|problems| format!("{problems:?}"))
    }

    fn action(
        &self,
        shared: &Arc<Shared>,
        declared: ProviderSpec,
        behind: Behind,
    ) -> Option<Arc<dyn Action>> {
        let contract = Arc::clone(self.contracts.get(&declared.capability)?);
        Some(Arc::new(SimAction {
            declared,
            contract,
            behind,
            shared: Arc::clone(shared),
        }))
    }
}

/// What the far ends of a seed are like.
struct Natures {
    tickets: (Nature, Recovery),
    messages: (Nature, Recovery),
}

impl Natures {
    fn of(seed: u64, repeats_blindly: bool) -> Self {
        let mut random = Random::of(seed, "natures");
        let mut draw = || match random.below(3) {
            0 => (Nature::Folds, Recovery::Keyed),
            1 => (Nature::Tells, Recovery::Probed),
            _ => (Nature::Blind, Recovery::Once),
        };
        let (mut tickets, mut messages) = (draw(), draw());
        if repeats_blindly {
            // The known-bad control: recovery repeats what must not be repeated.
            tickets = (Nature::Blind, Recovery::Set);
            messages = (Nature::Blind, Recovery::Set);
        }
        Self { tickets, messages }
    }

    fn of_capability(&self, capability: &str) -> (Nature, Recovery) {
        match capability.split_once('.').map_or("", |(family, _)| family) {
            "enrich" => (Nature::Reads, Recovery::Read),
            "block" | "unblock" => (Nature::Sets, Recovery::Set),
            "ticket" => self.tickets,
            _ => self.messages,
        }
    }
}

fn setting(name: &str, loaded: library::Loaded, alerts: Vec<MappedIncident>) -> Result<Setting, String> {
    if loaded.has_errors() || loaded.compiled.is_empty() || alerts.is_empty() {
        return Err(format!("{name} cannot be set up: {:?}", loaded.diagnostics));
    }
    let mut sheets = BTreeMap::new();
    for compiled in &loaded.compiled {
        let sheet = Sheet::read(&compiled.bundle.playbook)?;
        sheets.insert(compiled.plan.revision.clone(), Arc::new(sheet));
    }
    Ok(Setting {
        name: name.to_owned(),
        library: Arc::new(Library::new(loaded.compiled)),
        sheets,
        alerts,
    })
}

/// The operator of a seed: who decides beforehand, and where blocks are made.
///
/// # Errors
/// The entity cannot be read.
pub fn operator(random: &mut Random, playbook_ids: &[String]) -> Result<Operator, String> {
    let mut policy = serde_json::Map::new();
    for action in ["block.ip", "block.domain", "block.url"] {
        if random.percent(80) {
            policy.insert(action.to_owned(), json!({"auto": true, "max": "30d"}));
        }
    }
    let mail = |role: &str| json!({"mail": format!("{role}@town.example"), "tlp": "red"});
    let rollout: serde_json::Map<String, Value> = playbook_ids
        .iter()
        .map(|id| (id.clone(), json!("auto")))
        .collect();
    let entity: Entity = serde_json::from_value(json!({
        "id": ENTITY, "name": "Example Town", "language": "en", "timezone": "UTC",
        "domains": ["town.example", "ville.example"], "networks": ["198.51.100.0/24"],
        "contacts": {"security": mail("security"), "it": mail("it")},
        "policy": policy, "approvers": {"contain": ["duty"]}, "settings": {}, "never_block": [],
        "marking": {"tlp": "amber", "pap": "green"}, "connections": {}, "rollout": rollout,
    }))
    .map_err(|error| error.to_string())?;
    let connection = |name: &str, provider: &str, capabilities: &[&str]| {
        json!({
            "name": name, "provider": provider, "capabilities": capabilities, "tlp": "red", "pap": "red",
            "house": true,
        })
    };
    let blocks = if random.percent(50) { "world" } else { "block_list" };
    let people: serde_json::Map<String, Value> = PEOPLE
        .iter()
        .map(|(name, roles)| ((*name).to_owned(), json!({ "roles": roles })))
        .collect();
    let operator: Operator = serde_json::from_value(json!({
        "organisation": {
            "name": "CERT-EX", "language": "en", "timezone": "UTC",
            "mail_from": "CERT-EX <incident@cert.example>",
        },
        "entities": {ENTITY: entity},
        "connections": {
            "lookups": connection("lookups", "world", &["enrich.*"]),
            "tickets": connection("tickets", "world", &["ticket.*"]),
            "messages": connection("messages", "world", &["notify.*"]),
            "blocks": connection("blocks", blocks, &["block.*", "unblock.*"]),
        },
        "guardrails": playbooks::operator::Guardrails::default(),
        "roles": ["duty", "lead"],
        "approvals": {
            "by_class": {"contain": ["duty"], "destroy": ["lead"]}, "escalate": ["lead"], "four_eyes": true,
        },
        "people": people,
    }))
    .map_err(|error| error.to_string())?;
    Ok(operator)
}

/// What `extract.mail` makes of the sample, computed once: it works on another thread, which a
/// simulation has none of.
fn take_apart(houses: &[Arc<dyn Action>]) -> Result<Value, String> {
    let action = houses
        .iter()
        .find(|action| action.provider().capability == "extract.mail")
        .ok_or("there is no extract.mail")?;
    let operator = operator(&mut Random::of(0, "operator"), &[])?;
    let entity = operator.entities.get(ENTITY).ok_or("no entity")?.clone();
    let now = Timeline::new().now();
    let context = MappingContext { entity: &entity, now };
    let mapped =
        map_named("mail", demo::PHISHING_REPORT, &context).map_err(|refusal| format!("{refusal:?}"))?;
    let Some(Mapped::Incident(mapped)) = mapped.into_iter().next() else {
        return Err("the sample is no incident".to_owned());
    };
    let incident = mapped.incident.to_value();
    let bytes = mapped
        .files
        .first()
        .map(|file| file.bytes.clone())
        .unwrap_or_default();
    let call = Call {
        key: "0".repeat(64),
        run: "simulation".to_owned(),
        action: "extract.mail".to_owned(),
        attempt: 1,
        now,
        entity: Arc::new(entity),
        organisation: Arc::new(operator.organisation.clone()),
        arguments: json!({"mail": incident.get("mail")}),
        incident: Arc::new(incident),
        tlp: playbooks::marking::Tlp::Amber,
        until: None,
        timeout: playbooks::duration::Span::minutes(1),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| error.to_string())?;
    let files = OneFile(bytes);
    let context = Context {
        door: None,
        files: &files,
    };
    let performed = runtime.block_on(action.perform(&call, context));
    performed.map(|done| done.output).map_err(|error| error.detail)
}
