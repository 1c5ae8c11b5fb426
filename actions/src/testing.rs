//! What the tests of this crate share: a call, an entity, files in memory.
//!
//! Owns plain test data. Fakes of far ends live beside the providers they imitate.

pub(crate) mod fake;
pub(crate) mod relay;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use playbooks::duration::Span;
use playbooks::incident::FileRef;
use playbooks::marking::Tlp;
use playbooks::operator::{Contact, Entity, Organisation};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::action::{Call, Context, Files};

/// Files held in memory.
#[derive(Debug, Default)]
pub(crate) struct HeldFiles {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl HeldFiles {
    /// Holds a file and tells how an incident refers to it.
    pub(crate) fn hold(&self, name: &str, bytes: &[u8]) -> FileRef {
        let sha256 = hex::encode(Sha256::digest(bytes));
        self.files.lock().unwrap().insert(sha256.clone(), bytes.to_vec());
        FileRef {
            name: name.to_owned(),
            sha256,
            size: bytes.len() as u64,
            media_type: None,
        }
    }
}

#[async_trait]
impl Files for HeldFiles {
    async fn read(&self, sha256: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.files.lock().unwrap().get(sha256).cloned())
    }
    async fn keep(&self, name: &str, media_type: Option<&str>, bytes: Vec<u8>) -> Result<FileRef, String> {
        let mut kept = self.hold(name, &bytes);
        kept.media_type = media_type.map(str::to_owned);
        Ok(kept)
    }
}

/// The context of an action that needs no way out.
pub(crate) fn in_the_house(files: &HeldFiles) -> Context<'_> {
    Context { door: None, files }
}

/// The context of an action with a way out.
pub(crate) fn through<'a>(door: &'a crate::egress::Door, files: &'a HeldFiles) -> Context<'a> {
    Context {
        door: Some(door),
        files,
    }
}

/// A recorded answer out of `tests/bodies`.
pub(crate) fn body(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/bodies")
        .join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A call for the town of the examples.
pub(crate) fn call(action: &str, arguments: Value) -> Call {
    Call {
        key: hex::encode(Sha256::digest(action)),
        run: "01JQ7".to_owned(),
        action: action.to_owned(),
        attempt: 1,
        now: "2026-03-02T02:06:00Z".parse().unwrap(),
        entity: Arc::new(town()),
        organisation: Arc::new(Organisation {
            name: "CERT-EX".to_owned(),
            language: "en".to_owned(),
            timezone: "Europe/Paris".to_owned(),
            mail_from: "CERT-EX <incident@cert.example>".to_owned(),
        }),
        incident: Arc::new(json!({
            "ref": "PH-2026-00417", "type": "phishing", "title": "Fake login page",
            "severity": "high", "tlp": "amber", "pap": "green",
        })),
        arguments,
        tlp: Tlp::Amber,
        until: None,
        timeout: Span::seconds(30),
    }
}

/// The town of the examples.
pub(crate) fn town() -> Entity {
    let contact = |mail: &str, tlp| Contact {
        mail: Some(mail.to_owned()),
        phone: None,
        tlp,
    };
    Entity {
        id: "ville-exemple".to_owned(),
        name: "Ville d'Exemple".to_owned(),
        language: "fr".to_owned(),
        timezone: "Europe/Paris".to_owned(),
        domains: vec!["ville.example".to_owned()],
        website: None,
        networks: Vec::new(),
        contacts: [
            (
                "security".to_owned(),
                contact("security@ville.example", Tlp::AmberStrict),
            ),
            ("legal".to_owned(), contact("juridique@ville.example", Tlp::Green)),
        ]
        .into_iter()
        .collect(),
        policy: BTreeMap::new(),
        approvers: std::collections::BTreeMap::new(),
        settings: indexmap::IndexMap::new(),
        never_block: Vec::new(),
        marking: playbooks::operator::Marking::default(),
        connections: BTreeMap::new(),
        rollout: BTreeMap::new(),
    }
}

/// A folder of the shared samples, when they are there.
#[expect(
    clippy::disallowed_methods,
    reason = "tests may be told where the samples are"
)]
pub(crate) fn samples(folder: &str) -> Option<std::path::PathBuf> {
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let named = std::env::var("SORTIE_SAMPLES").map(std::path::PathBuf::from);
    let found = named
        .into_iter()
        .chain([
            workspace.join("../shared/data"),
            workspace.join("../../shared/data"),
        ])
        .map(|root| root.join(folder))
        .find(|path| path.is_dir());
    if found.is_none() {
        println!("skipped: no samples `{folder}`; set SORTIE_SAMPLES");
    }
    found
}
