//! The JSON Schemas of X-ARF version 4, as published, and the validator made of them.

use std::sync::OnceLock;

use jsonschema::{Retrieve, Uri, Validator};
use serde_json::Value;

const BASE: &str = "https://xarf.org/schemas/v4/";
const MASTER: &str = "xarf-v4-master.json";

/// Path under [`BASE`] and text.
const FILES: &[(&str, &str)] = &[
    (
        "types/connection-ddos.json",
        include_str!("schema/types/connection-ddos.json"),
    ),
    (
        "types/connection-infected-host.json",
        include_str!("schema/types/connection-infected-host.json"),
    ),
    (
        "types/connection-login-attack.json",
        include_str!("schema/types/connection-login-attack.json"),
    ),
    (
        "types/connection-port-scan.json",
        include_str!("schema/types/connection-port-scan.json"),
    ),
    (
        "types/connection-reconnaissance.json",
        include_str!("schema/types/connection-reconnaissance.json"),
    ),
    (
        "types/connection-scraping.json",
        include_str!("schema/types/connection-scraping.json"),
    ),
    (
        "types/connection-sql-injection.json",
        include_str!("schema/types/connection-sql-injection.json"),
    ),
    (
        "types/connection-vulnerability-scan.json",
        include_str!("schema/types/connection-vulnerability-scan.json"),
    ),
    (
        "types/content-base.json",
        include_str!("schema/types/content-base.json"),
    ),
    (
        "types/content-brand_infringement.json",
        include_str!("schema/types/content-brand_infringement.json"),
    ),
    (
        "types/content-csam.json",
        include_str!("schema/types/content-csam.json"),
    ),
    (
        "types/content-csem.json",
        include_str!("schema/types/content-csem.json"),
    ),
    (
        "types/content-exposed-data.json",
        include_str!("schema/types/content-exposed-data.json"),
    ),
    (
        "types/content-fraud.json",
        include_str!("schema/types/content-fraud.json"),
    ),
    (
        "types/content-malware.json",
        include_str!("schema/types/content-malware.json"),
    ),
    (
        "types/content-phishing.json",
        include_str!("schema/types/content-phishing.json"),
    ),
    (
        "types/content-remote_compromise.json",
        include_str!("schema/types/content-remote_compromise.json"),
    ),
    (
        "types/content-suspicious_registration.json",
        include_str!("schema/types/content-suspicious_registration.json"),
    ),
    (
        "types/copyright-copyright.json",
        include_str!("schema/types/copyright-copyright.json"),
    ),
    (
        "types/copyright-cyberlocker.json",
        include_str!("schema/types/copyright-cyberlocker.json"),
    ),
    (
        "types/copyright-link-site.json",
        include_str!("schema/types/copyright-link-site.json"),
    ),
    (
        "types/copyright-p2p.json",
        include_str!("schema/types/copyright-p2p.json"),
    ),
    (
        "types/copyright-ugc-platform.json",
        include_str!("schema/types/copyright-ugc-platform.json"),
    ),
    (
        "types/copyright-usenet.json",
        include_str!("schema/types/copyright-usenet.json"),
    ),
    (
        "types/infrastructure-botnet.json",
        include_str!("schema/types/infrastructure-botnet.json"),
    ),
    (
        "types/infrastructure-compromised-server.json",
        include_str!("schema/types/infrastructure-compromised-server.json"),
    ),
    (
        "types/messaging-bulk-messaging.json",
        include_str!("schema/types/messaging-bulk-messaging.json"),
    ),
    (
        "types/messaging-spam.json",
        include_str!("schema/types/messaging-spam.json"),
    ),
    (
        "types/reputation-blocklist.json",
        include_str!("schema/types/reputation-blocklist.json"),
    ),
    (
        "types/reputation-threat-intelligence.json",
        include_str!("schema/types/reputation-threat-intelligence.json"),
    ),
    (
        "types/vulnerability-cve.json",
        include_str!("schema/types/vulnerability-cve.json"),
    ),
    (
        "types/vulnerability-misconfiguration.json",
        include_str!("schema/types/vulnerability-misconfiguration.json"),
    ),
    (
        "types/vulnerability-open-service.json",
        include_str!("schema/types/vulnerability-open-service.json"),
    ),
    ("xarf-core.json", include_str!("schema/xarf-core.json")),
    ("xarf-v4-master.json", include_str!("schema/xarf-v4-master.json")),
];

/// Hands out the embedded files; nothing is fetched.
struct Embedded;

impl Retrieve for Embedded {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let path = uri.as_str().strip_prefix(BASE).unwrap_or_default();
        file(path)
            .ok_or_else(|| format!("no schema {path}"))?
            .map_err(Into::into)
    }
}

fn file(path: &str) -> Option<Result<Value, serde_json::Error>> {
    let (_, text) = FILES.iter().find(|(name, _)| *name == path)?;
    Some(serde_json::from_str(text))
}

/// The validator, built once. An error would be a defect of this build, and a test looks for it.
pub(super) fn validator() -> Result<&'static Validator, &'static str> {
    static VALIDATOR: OnceLock<Result<Validator, String>> = OnceLock::new();
    VALIDATOR.get_or_init(build).as_ref().map_err(String::as_str)
}

fn build() -> Result<Validator, String> {
    let master = file(MASTER)
        .ok_or("the master schema is missing")?
        .map_err(|error| error.to_string())?;
    jsonschema::options()
        .with_retriever(Embedded)
        .should_validate_formats(true)
        .build(&master)
        .map_err(|error| error.to_string())
}
