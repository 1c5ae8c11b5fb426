//! `AbuseIPDB`, API v2: reports about addresses.
//!
//! Owns reading them. Reports nothing itself.

use std::sync::Arc;

use async_trait::async_trait;
use playbooks::action_spec::ProviderSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Subject, answered, door, nothing_to_probe, provider, verdict};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::text;
use crate::egress::Request;

/// Days of reports that are looked at, unless the setting `max_age_days` says otherwise.
const MAX_AGE_DAYS_DEFAULT: u64 = 30;

#[derive(Debug)]
struct AbuseIpDb {
    spec: ProviderSpec,
}

/// The capabilities it fulfils.
pub(super) fn actions() -> Vec<Arc<dyn Action>> {
    vec![Arc::new(AbuseIpDb {
        spec: provider("enrich.ip", "abuseipdb", "AbuseIPDB"),
    })]
}

#[derive(Deserialize)]
struct Check {
    data: Report,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    abuse_confidence_score: u64,
    is_whitelisted: Option<bool>,
    is_tor: Option<bool>,
    country_code: Option<String>,
}

#[async_trait]
impl Action for AbuseIpDb {
    fn provider(&self) -> &ProviderSpec {
        &self.spec
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let ip = text(call, "ip")?;
        let door = door(&context)?;
        let days = door
            .setting("max_age_days")
            .and_then(Value::as_u64)
            .unwrap_or(MAX_AGE_DAYS_DEFAULT);
        let request = Request::get("check")
            .query("ipAddress", ip)
            .query("maxAgeInDays", days.to_string())
            .header("accept", "application/json");
        let report = door.send(request).await?.json_as::<Check>()?.data;
        let harmless = report.is_whitelisted.unwrap_or(false);
        let facts = json!({
            "verdict": verdict::of_abuse_confidence(report.abuse_confidence_score, harmless),
            "score": report.abuse_confidence_score.min(verdict::SCORE_MAX),
            "tor": report.is_tor,
            "country": report.country_code,
        });
        Ok(answered(&Subject::Ip(ip), facts))
    }

    async fn probe(&self, _call: &Call, _context: Context<'_>) -> Probe {
        nothing_to_probe()
    }
}
