//! `URLhaus` of abuse.ch: links, hosts and files that spread malware.
//!
//! Owns reading it. It answers 200 to everything, so `query_status` decides. It lists the bad
//! only: not listed is not known, never clean.

use std::sync::Arc;

use async_trait::async_trait;
use playbooks::action_spec::ProviderSpec;
use playbooks::marking::Verdict;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Subject, answered, door, nothing_to_probe, provider};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::egress::Request;

/// The score of what spreads malware now.
const SCORE_ONLINE: u64 = 100;
/// The score of a link that is listed and was seen offline.
const SCORE_LISTED: u64 = 80;
/// The score of a host whose listed links are all offline.
const SCORE_FORMER: u64 = 40;

#[derive(Debug)]
struct UrlHaus {
    spec: ProviderSpec,
}

/// The capabilities it fulfils.
pub(super) fn actions() -> Vec<Arc<dyn Action>> {
    super::ABOUT_SUBJECTS
        .map(|capability| -> Arc<dyn Action> {
            Arc::new(UrlHaus {
                spec: provider(capability, "urlhaus", "abuse.ch"),
            })
        })
        .to_vec()
}

#[derive(Deserialize)]
struct Listing {
    query_status: String,
    url_status: Option<String>,
    signature: Option<String>,
    urls: Option<Vec<ListedUrl>>,
}

#[derive(Deserialize)]
struct ListedUrl {
    url_status: Option<String>,
}

#[async_trait]
impl Action for UrlHaus {
    fn provider(&self) -> &ProviderSpec {
        &self.spec
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let subject = Subject::of(call)?;
        let request = match &subject {
            Subject::Ip(host) | Subject::Domain(host) => Request::post("host/").form([("host", *host)]),
            Subject::Url(url) => Request::post("url/").form([("url", *url)]),
            Subject::File(hash) => Request::post("payload/").form([(hash_field(hash)?, *hash)]),
        };
        let listing: Listing = door(&context)?.send(request).await?.json_as()?;
        Ok(answered(&subject, facts(&subject, listing)?))
    }

    async fn probe(&self, _call: &Call, _context: Context<'_>) -> Probe {
        nothing_to_probe()
    }
}

fn facts(subject: &Subject<'_>, listing: Listing) -> Result<Value, ActionError> {
    match listing.query_status.as_str() {
        "no_results" => return Ok(json!({ "verdict": Verdict::Unknown, "score": 0 })),
        "ok" => {}
        other => {
            return Err(ActionError::refused(format!(
                "URLhaus refused the query: {other}"
            )));
        }
    }
    let online = |status: &Option<String>| status.as_deref() == Some("online");
    let (verdict, score) = match subject {
        Subject::File(_) => (Verdict::Malicious, SCORE_ONLINE),
        Subject::Url(_) if online(&listing.url_status) => (Verdict::Malicious, SCORE_ONLINE),
        Subject::Url(_) => (Verdict::Malicious, SCORE_LISTED),
        // A host with old listings may be clean by now, or be shared by many.
        Subject::Ip(_) | Subject::Domain(_) => {
            let urls = listing.urls.unwrap_or_default();
            if urls.iter().any(|url| online(&url.url_status)) {
                (Verdict::Malicious, SCORE_ONLINE)
            } else {
                (Verdict::Suspicious, SCORE_FORMER)
            }
        }
    };
    let family = listing.signature.filter(|_| matches!(subject, Subject::File(_)));
    Ok(json!({ "verdict": verdict, "score": score, "family": family }))
}

fn hash_field(hash: &str) -> Result<&'static str, ActionError> {
    match hash.len() {
        32 => Ok("md5_hash"),
        64 => Ok("sha256_hash"),
        _ => Err(ActionError::invalid(
            "URLhaus knows files by MD5 and SHA-256 only",
        )),
    }
}
