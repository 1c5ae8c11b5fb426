//! Provider `defender`: Microsoft Defender for Endpoint, over its API.
//!
//! Owns what its machines and alerts look like. Sources: the API reference in `MicrosoftDocs/defender-docs`,
//! `defender-endpoint/api`. The tenant is the entity's own: nothing of it reaches anybody else.

mod orders;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use playbooks::types::TextForm;
use playbooks::values::canonical_text;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use self::orders::Order;
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::{self, way_out};
use crate::egress::{Door, Request};
use crate::odata;

/// The provider word.
pub(crate) const DEFENDER: &str = "defender";
/// Pages of one list that are read.
pub(super) const PAGES_MAX: usize = 5;
/// Files that one question may be about; each is a request or two of 100 a minute.
const FILES_MAX: usize = 20;

/// The readers of the family.
pub(crate) fn readers() -> [Arc<dyn Action>; 3] {
    ["edr.host", "edr.detections", "edr.find_file"].map(|capability| -> Arc<dyn Action> {
        Arc::new(Reader {
            provider: spec(capability, Recovery::Read, Span::milliseconds(0)),
        })
    })
}

/// What every capability of this provider declares alike.
pub(crate) fn spec(capability: &str, recovery: Recovery, settle: Span) -> ProviderSpec {
    ProviderSpec {
        capability: capability.to_owned(),
        provider: DEFENDER.to_owned(),
        recovery,
        settle,
        discloses_to: "the entity's own tenant of Defender for Endpoint".to_owned(),
        expires_by_itself: false,
    }
}

#[derive(Debug)]
struct Reader {
    provider: ProviderSpec,
}

/// A machine; the fields that are read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) id: String,
    pub(super) computer_dns_name: Option<String>,
    os_platform: Option<String>,
    last_seen: Option<Timestamp>,
    device_value: Option<String>,
}

impl Machine {
    /// Reads a machine by its id.
    pub(super) async fn read(door: &Door, id: &str) -> Result<Self, ActionError> {
        door.send(Request::get("api/machines").segment(id))
            .await?
            .json_as()
    }

    pub(super) fn name(&self) -> &str {
        self.computer_dns_name.as_deref().unwrap_or(&self.id)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    title: Option<String>,
    last_event_time: Option<Timestamp>,
    #[serde(rename = "alertCreationTime")]
    created: Option<Timestamp>,
    #[serde(default)]
    evidence: Vec<Evidence>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Evidence {
    entity_type: Option<String>,
    sha256: Option<String>,
    file_name: Option<String>,
    file_path: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FileFacts {
    sha1: Option<String>,
}

#[async_trait]
impl Action for Reader {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let door = way_out(context)?;
        let output = match self.provider.capability.as_str() {
            "edr.host" => host(door, arguments::text(call, "id")?).await?,
            "edr.detections" => detections(call, door).await?,
            _ => find_file(call, door).await?,
        };
        Ok(Performed::output(output))
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        Probe::CannotTell("reading leaves nothing behind to ask for; repeat it".to_owned())
    }
}

async fn host(door: &Door, id: &str) -> Result<Value, ActionError> {
    let machine = Machine::read(door, id).await?;
    let isolated = orders::is_isolated(door, &machine.id).await?;
    let mut output = json!({
        "id": machine.id, "hostname": machine.name(), "isolated": isolated,
    });
    let value = machine.device_value.map(|value| value.to_ascii_lowercase());
    let known = value.filter(|value| matches!(value.as_str(), "low" | "normal" | "high"));
    put(&mut output, "os", machine.os_platform.map(Value::from));
    put(&mut output, "value", known.map(Value::from));
    put(
        &mut output,
        "last_seen",
        machine.last_seen.map(|at| at.to_string().into()),
    );
    Ok(output)
}

/// Alerts about the machine, a line for each file in their evidence, newest first.
async fn detections(call: &Call, door: &Door) -> Result<Value, ActionError> {
    let since = since(call, "since")?;
    let request = Request::get("api/machines")
        .segment(arguments::text(call, "host")?)
        .path("alerts")
        .query("$filter", format!("lastEventTime ge {since}"))
        .query("$expand", "evidence");
    let alerts: Vec<Alert> = odata::list(door, request, PAGES_MAX).await?;
    let mut lines: Vec<(Timestamp, Value)> = alerts
        .iter()
        .filter_map(|alert| Some((alert.last_event_time.or(alert.created)?, alert)))
        .flat_map(|(at, alert)| of_alert(at, alert))
        .collect();
    lines.sort_by(|(left, _), (right, _)| right.cmp(left));
    let lines: Vec<Value> = lines.into_iter().map(|(_, line)| line).collect();
    Ok(json!({"detections": lines}))
}

fn of_alert(at: Timestamp, alert: &Alert) -> Vec<(Timestamp, Value)> {
    let name = alert.title.as_deref().unwrap_or("Defender alert");
    let line = || json!({"at": at.to_string(), "name": name});
    let of_files = alert.evidence.iter().filter(|evidence| {
        let kind = evidence.entity_type.as_deref();
        matches!(kind, Some("File" | "Process"))
    });
    let mut lines: Vec<Value> = of_files
        .map(|evidence| {
            let mut line = line();
            let digest = evidence.sha256.as_deref();
            let digest = digest.and_then(|text| canonical_text(text, TextForm::Hash).ok());
            put(&mut line, "path", path(evidence).map(Value::from));
            put(&mut line, "sha256", digest.map(Value::from));
            line
        })
        .collect();
    if lines.is_empty() {
        lines.push(line());
    }
    lines.into_iter().map(|line| (at, line)).collect()
}

/// Folder and name as Windows writes them; one of them may be missing.
fn path(evidence: &Evidence) -> Option<String> {
    let parts = [&evidence.file_path, &evidence.file_name];
    let given: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    (!given.is_empty()).then(|| given.join("\\"))
}

/// The list of machines of a file is kept by SHA-1 alone, so a SHA-256 is looked up first.
async fn find_file(call: &Call, door: &Door) -> Result<Value, ActionError> {
    let hashes: Vec<&str> = call
        .arguments
        .get("hashes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if hashes.len() > FILES_MAX {
        return Err(ActionError::invalid(format!(
            "{} files are asked for; at most {FILES_MAX} at a time",
            hashes.len()
        )));
    }
    let mut hosts = BTreeSet::new();
    for hash in hashes {
        let Some(sha1) = sha1_of(door, hash).await? else {
            continue;
        };
        let request = Request::get("api/files").segment(sha1).path("machines");
        let machines: Vec<Machine> = odata::list(door, request, PAGES_MAX).await?;
        hosts.extend(machines.iter().map(|machine| machine.name().to_owned()));
    }
    Ok(json!({"count": hosts.len(), "hosts": hosts}))
}

/// The SHA-1 of a file; nothing when the tenant never saw it.
async fn sha1_of(door: &Door, hash: &str) -> Result<Option<String>, ActionError> {
    match hash.len() {
        40 => return Ok(Some(hash.to_owned())),
        64 => {}
        _ => {
            return Err(ActionError::invalid(
                "Defender finds files by SHA-1 or SHA-256, not by MD5",
            ));
        }
    }
    let answer = door
        .send(Request::get("api/files").segment(hash).data_status(404))
        .await?;
    if answer.status() == 404 {
        return Ok(None);
    }
    let facts: FileFacts = answer.json_as()?;
    Ok(facts.sha1)
}

/// The moment that a duration before now is, in whole seconds.
pub(crate) fn since(call: &Call, input: &str) -> Result<Timestamp, ActionError> {
    let span: Span = arguments::text(call, input)?
        .parse()
        .map_err(|_| ActionError::invalid(format!("`{input}` is not a duration")))?;
    let seconds = call
        .now
        .as_second()
        .saturating_sub(span.as_milliseconds() / 1_000);
    Timestamp::from_second(seconds)
        .map_err(|_| ActionError::invalid(format!("`{input}` reaches too far back")))
}

/// Adds a field that is there.
pub(crate) fn put(record: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(fields), Some(value)) = (record.as_object_mut(), value) {
        fields.insert(name.to_owned(), value);
    }
}
