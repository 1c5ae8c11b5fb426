//! What the look-up services know, by observable.

use std::collections::BTreeMap;

/// Facts about one observable. Absent facts make the service say that it does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Engines of `VirusTotal` that say malicious, suspicious, harmless, undetected.
    pub engines: Option<[u32; 4]>,
    /// Tags at `VirusTotal` and `URLhaus`.
    pub tags: Vec<String>,
    /// Score at `AbuseIPDB`, 0 to 100.
    pub abuse_score: Option<u8>,
    /// Reports at `AbuseIPDB`.
    pub reports: u32,
    /// ISO 3166 country code.
    pub country: Option<String>,
    /// Threat at `URLhaus`, for example `malware_download`.
    pub threat: Option<String>,
    /// When a domain was registered, RFC 3339; where RDAP starts to know it.
    pub registered: Option<String>,
    /// Where abuse is reported.
    pub abuse_contact: Option<String>,
    /// Name of the registrar or network.
    pub holder: Option<String>,
}

impl Known {
    /// What a phishing link or an attacking address looks like.
    pub fn malicious() -> Self {
        Self {
            engines: Some([14, 2, 58, 20]),
            tags: vec!["phishing".to_owned()],
            abuse_score: Some(97),
            reports: 214,
            country: Some("NL".to_owned()),
            threat: Some("malware_download".to_owned()),
            registered: Some("2026-02-27T09:12:00Z".to_owned()),
            abuse_contact: Some("abuse@registrar.example".to_owned()),
            holder: Some("Example Registrar".to_owned()),
        }
    }

    /// What nobody complains about.
    pub fn clean() -> Self {
        Self {
            engines: Some([0, 0, 71, 21]),
            abuse_score: Some(0),
            country: Some("FR".to_owned()),
            registered: Some("2004-05-03T00:00:00Z".to_owned()),
            abuse_contact: Some("abuse@registrar.example".to_owned()),
            holder: Some("Example Registrar".to_owned()),
            ..Self::default()
        }
    }
}

/// Facts by observable: URLs, domains, addresses and hashes in their canonical form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knowledge(BTreeMap<String, Known>);

impl Knowledge {
    /// Adds or replaces facts about an observable.
    #[must_use]
    pub fn with(mut self, observable: &str, known: Known) -> Self {
        self.0.insert(observable.to_owned(), known);
        self
    }

    pub(super) fn of(&self, observable: &str) -> Option<&Known> {
        self.0.get(observable)
    }
}
