//! An incident while a mapper builds it.

use std::net::IpAddr;

use jiff::Timestamp;
use playbooks::duration::Span;
use playbooks::incident::{Direction, Incident, IncidentStatus, IncidentType, Network};
use playbooks::marking::{Severity, Verdict};
use playbooks::operator::Entity;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::observables::Observables;
use super::text::{self, SUMMARY_CHARACTERS_MAX, TAG_CHARACTERS_MAX, TAGS_MAX, TITLE_CHARACTERS_MAX};
use super::{KeptFile, Mapped, MappedIncident, MappingContext, time};

/// Said when the alert has no time that can be read.
const NO_TIME_TAG: &str = "no-time";
/// Said when there were too many observables.
const CUT_TAG: &str = "observables-cut";

/// An incident being built, with the defaults every source has: TLP:AMBER, PAP:AMBER, no verdict.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) incident: Incident,
    pub(super) observables: Observables,
    pub(super) files: Vec<KeptFile>,
}

impl Draft {
    /// A draft with a title of a stranger; `otherwise` stands when the title is empty.
    pub(super) fn new(
        kind: IncidentType,
        title: &str,
        otherwise: &str,
        context: &MappingContext<'_>,
    ) -> Self {
        let title = text::line(title, TITLE_CHARACTERS_MAX);
        let title = if title.is_empty() {
            text::line(otherwise, TITLE_CHARACTERS_MAX)
        } else {
            title
        };
        Self {
            incident: Incident {
                reference: String::new(),
                kind,
                title,
                summary: None,
                status: IncidentStatus::Open,
                severity: Severity::Medium,
                tlp: context.entity.marking.tlp,
                pap: context.entity.marking.pap,
                verdict: Verdict::Unknown,
                tags: Vec::new(),
                detected_at: context.now,
                received_at: context.now,
                reporter: None,
                mail: None,
                domain: None,
                host: None,
                user: None,
                logins: Vec::new(),
                network: None,
                signature: None,
                observables: Vec::new(),
                files: Vec::new(),
                raw: Value::Object(serde_json::Map::new()),
            },
            observables: Observables::default(),
            files: Vec::new(),
        }
    }

    /// When the source says it happened; a tag when it does not say.
    pub(super) fn detected(&mut self, value: Option<&Value>) {
        match value.and_then(time::parse) {
            Some(at) => self.detected_at(at),
            None => self.tag(NO_TIME_TAG),
        }
    }

    /// When it happened.
    pub(super) fn detected_at(&mut self, at: Timestamp) {
        self.incident.detected_at = at;
    }

    /// A few lines of a stranger.
    pub(super) fn summary(&mut self, text: Option<impl AsRef<str>>) {
        let summary = text.map(|text| text::line(text.as_ref(), SUMMARY_CHARACTERS_MAX));
        self.incident.summary = summary.filter(|summary| !summary.is_empty());
    }

    /// A tag, once; more than [`TAGS_MAX`] are left to the raw alert.
    pub(super) fn tag(&mut self, tag: &str) {
        let tag = text::line(tag, TAG_CHARACTERS_MAX);
        let tags = &mut self.incident.tags;
        if !tag.is_empty() && !tags.contains(&tag) && tags.len() < TAGS_MAX {
            tags.push(tag);
        }
    }

    /// Tags for techniques of MITRE ATT&CK.
    pub(super) fn techniques(&mut self, ids: impl IntoIterator<Item = String>) {
        for id in ids {
            let plain = id.strip_prefix('T').unwrap_or_default();
            if plain.len() >= 4 && plain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
                self.tag(&format!("attack:{id}"));
            }
        }
    }

    /// The flow, when both ends are addresses, seen from the entity.
    pub(super) fn flow(
        &mut self,
        entity: &Entity,
        source: Option<&str>,
        destination: Option<&str>,
        protocol: Option<&str>,
        destination_port: Option<u16>,
    ) {
        let (Some(source), Some(destination)) = (source.and_then(address), destination.and_then(address))
        else {
            return;
        };
        self.incident.network = Some(Network {
            source_ip: source.to_string(),
            destination_ip: destination.to_string(),
            direction: direction(entity, source, destination),
            protocol: protocol
                .map(|protocol| text::line(protocol, 20).to_ascii_lowercase())
                .filter(|text| !text.is_empty()),
            destination_port,
        });
    }

    /// The finished incident.
    pub(super) fn finish(mut self, raw: Value, dedup_key: String, dedup_within: Span) -> Mapped {
        if self.observables.cut {
            self.tag(CUT_TAG);
        }
        self.incident.observables = self.observables.into_list();
        self.incident.raw = raw;
        Mapped::Incident(Box::new(MappedIncident {
            incident: self.incident,
            dedup_key,
            dedup_within,
            files: self.files,
        }))
    }
}

/// An address of either family.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.trim()
        .parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

/// The direction of a flow, seen from an entity's networks.
pub(super) fn direction(entity: &Entity, source: IpAddr, destination: IpAddr) -> Direction {
    let ours = |address: IpAddr| entity.networks.iter().any(|network| network.contains(&address));
    match (ours(source), ours(destination)) {
        (false, true) => Direction::Inbound,
        (true, false) => Direction::Outbound,
        _ => Direction::Internal,
    }
}

/// A dedup key of parts: short, without characters of strangers.
pub(super) fn digest_key(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// Lower-case hexadecimal SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
