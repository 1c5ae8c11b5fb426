//! `VirusTotal`, API v3: addresses, domains, links and files.
//!
//! Owns reading its reports. Submits nothing.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use playbooks::action_spec::ProviderSpec;
use playbooks::marking::Verdict;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Subject, answered, door, nothing_to_probe, provider, rdap, verdict};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::egress::{Answer, Request};

/// One capability at `VirusTotal`.
#[derive(Debug)]
struct VirusTotal {
    spec: ProviderSpec,
}

/// The capabilities it fulfils.
pub(super) fn actions() -> Vec<Arc<dyn Action>> {
    super::ABOUT_SUBJECTS
        .map(|capability| -> Arc<dyn Action> {
            Arc::new(VirusTotal {
                spec: provider(capability, "virustotal", "VirusTotal"),
            })
        })
        .to_vec()
}

#[derive(Deserialize)]
struct Report {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    attributes: Attributes,
}

/// The fields that are read. Everything but the counts may be missing.
#[derive(Deserialize)]
struct Attributes {
    last_analysis_stats: Counts,
    asn: Option<i64>,
    as_owner: Option<String>,
    country: Option<String>,
    registrar: Option<String>,
    creation_date: Option<i64>,
    last_final_url: Option<String>,
    popular_threat_classification: Option<Classification>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    malicious: u64,
    suspicious: u64,
    harmless: u64,
    undetected: u64,
}

#[derive(Deserialize)]
struct Classification {
    suggested_threat_label: Option<String>,
}

#[async_trait]
impl Action for VirusTotal {
    fn provider(&self) -> &ProviderSpec {
        &self.spec
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let subject = Subject::of(call)?;
        let request = match &subject {
            Subject::Ip(ip) => Request::get("ip_addresses").segment(*ip),
            Subject::Domain(domain) => Request::get("domains").segment(*domain),
            Subject::Url(url) => Request::get("urls").segment(URL_SAFE_NO_PAD.encode(url)),
            Subject::File(hash) => Request::get("files").segment(*hash),
        };
        let answer = door(&context)?.send(request.data_status(404)).await?;
        let facts = if answer.status() == 404 {
            not_known(&answer)?
        } else {
            facts(&subject, answer.json_as::<Report>()?.data.attributes, call.now)
        };
        Ok(answered(&subject, facts))
    }

    async fn probe(&self, _call: &Call, _context: Context<'_>) -> Probe {
        nothing_to_probe()
    }
}

fn facts(subject: &Subject<'_>, attributes: Attributes, now: Timestamp) -> Value {
    let counts = &attributes.last_analysis_stats;
    let others = counts.harmless.saturating_add(counts.undetected);
    let (verdict, score) = verdict::of_engines(counts.malicious, counts.suspicious, others);
    match subject {
        Subject::Ip(_) => json!({
            "verdict": verdict, "score": score,
            "asn": attributes.asn, "as_name": attributes.as_owner, "country": attributes.country,
        }),
        Subject::Domain(_) => {
            let created = attributes
                .creation_date
                .and_then(|seconds| Timestamp::from_second(seconds).ok());
            json!({
                "verdict": verdict, "score": score,
                "registrar": attributes.registrar,
                "created": created,
                "age": created.and_then(|created| rdap::age(created, now)),
            })
        }
        Subject::Url(_) => json!({
            "verdict": verdict, "score": score, "final_url": attributes.last_final_url,
        }),
        Subject::File(_) => json!({
            "verdict": verdict, "score": score,
            "family": attributes
                .popular_threat_classification
                .and_then(|classification| classification.suggested_threat_label),
        }),
    }
}

/// A 404 in its own words is "not known"; any other comes from elsewhere.
fn not_known(answer: &Answer) -> Result<Value, ActionError> {
    let body = answer.json().unwrap_or_default();
    if body.pointer("/error/code").and_then(Value::as_str) == Some("NotFoundError") {
        return Ok(json!({ "verdict": Verdict::Unknown, "score": 0 }));
    }
    Err(ActionError::refused(
        "it answered 404, but not in VirusTotal's words; correct the base URL of the connection",
    ))
}
