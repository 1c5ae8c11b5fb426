//! From bytes to single alerts: one document, a list, lines, documents in a row, envelopes.

use serde_json::Value;

use super::look::Look;
use super::{Mapper, Refusal, RefusalKind, crowdstrike, guardduty, mail, suricata, wazuh, xarf};
use crate::json_strict;

/// Whether a record looks like one of a format.
type LooksLike = fn(&Value) -> bool;

/// Alerts of one request.
pub const ALERTS_MAX: usize = 1_000;

/// Keys under which services put a list of findings.
const LISTS: &[&str] = &["Findings", "findings", "resources"];

/// Maps every alert in the bytes.
pub(super) fn each<T>(
    bytes: &[u8],
    mut map: impl FnMut(Value) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    let alerts = alerts(bytes)?;
    if alerts.len() > ALERTS_MAX {
        let reason = format!(
            "{} alerts in one request; at most {ALERTS_MAX} are read",
            alerts.len()
        );
        return Err(Refusal::too_large("", reason, "send several requests"));
    }
    let single = alerts.len() == 1;
    alerts
        .into_iter()
        .enumerate()
        .map(|(position, alert)| {
            let place = if single {
                String::new()
            } else {
                format!("[{position}]")
            };
            map(alert).map_err(|refusal| refusal.inside(&place))
        })
        .collect()
}

/// Every alert in the bytes, out of its list and envelope.
fn alerts(bytes: &[u8]) -> Result<Vec<Value>, Refusal> {
    let mut alerts = Vec::new();
    for document in json_strict::documents(bytes)? {
        match unwrapped(document)? {
            Value::Array(items) => {
                for item in items {
                    alerts.push(unwrapped(item)?);
                }
            }
            Value::Object(mut object) => {
                let list = LISTS
                    .iter()
                    .find(|key| object.get(**key).is_some_and(Value::is_array));
                match list.and_then(|key| object.shift_remove(*key)) {
                    Some(Value::Array(items)) => alerts.extend(items),
                    _ => alerts.push(Value::Object(object)),
                }
            }
            other => alerts.push(other),
        }
    }
    if alerts.is_empty() {
        return Err(Refusal::invalid("", "an empty list", "send at least one alert"));
    }
    Ok(alerts)
}

/// The alert inside a notification of AWS SNS or an event of AWS `EventBridge`.
fn unwrapped(value: Value) -> Result<Value, Refusal> {
    let look = Look(&value);
    if look.text("Type").as_deref() == Some("Notification")
        && let Some(message) = look.at("Message").and_then(Value::as_str)
    {
        let inner =
            json_strict::parse(message.as_bytes()).map_err(|error| Refusal::from(error).inside("Message"))?;
        return Ok(inner.get("detail").cloned().unwrap_or(inner));
    }
    if value.get("detail-type").is_some()
        && let Some(detail) = value.get("detail")
    {
        return Ok(detail.clone());
    }
    Ok(value)
}

/// The format of the first record.
pub(super) fn detect(bytes: &[u8]) -> Result<Mapper, Refusal> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'{' | b'[')) {
        return if mail::looks_like(bytes) {
            Ok(Mapper::Mail)
        } else {
            Err(unknown_format("this is neither JSON nor a mail".to_owned()))
        };
    }
    let alerts = alerts(bytes)?;
    let record = alerts.first().unwrap_or(&Value::Null);
    let known: [(Mapper, LooksLike); 6] = [
        (Mapper::Suricata, suricata::looks_like),
        (Mapper::GuardDuty, guardduty::looks_like),
        (Mapper::CrowdStrike, crowdstrike::looks_like),
        (Mapper::Xarf, xarf::looks_like),
        (Mapper::Wazuh, wazuh::looks_like),
        (Mapper::Json, super::generic::looks_like),
    ];
    known
        .iter()
        .find(|(_, looks_like)| looks_like(record))
        .map(|(mapper, _)| *mapper)
        .ok_or_else(|| unknown_format("the first record has no known format".to_owned()))
}

/// The one message for everything that is not understood.
pub(super) fn unknown_format(reason: String) -> Refusal {
    let names: Vec<_> = Mapper::ALL.iter().map(|mapper| mapper.name()).collect();
    Refusal {
        kind: RefusalKind::UnknownFormat,
        place: String::new(),
        reason,
        remedy: format!(
            "the formats are {}; anything else can be sent as `json`: \
             {{\"type\": \"other\", \"title\": \"…\", \"severity\": \"medium\", \"raw\": {{…the alert…}}}}",
            names.join(", ")
        ),
    }
}
