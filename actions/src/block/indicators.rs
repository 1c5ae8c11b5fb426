//! Provider `defender`: files kept from running by indicators of Microsoft Defender for Endpoint.
//!
//! Owns that an indicator of ours has an end, and that one of somebody else is neither changed nor
//! removed. Ours hold our marker in their description.

use async_trait::async_trait;
use jiff::Timestamp;
use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Target, must_end};
use crate::action::{Action, ActionError, Call, Context, HouseChange, Performed, Probe};
use crate::arguments::{self, way_out};
use crate::edr::defender::spec;
use crate::egress::{Door, Request};
use crate::notify::text::one_line;
use crate::odata;

#[cfg(test)]
mod tests;

/// What a block is listed under.
const LIST: &str = "indicators";
/// What every marker of ours begins with.
const MARKER_PREFIX: &str = "sortie-";
/// Actions of an indicator under which the file does not run.
const BLOCKING: [&str; 3] = ["Block", "BlockAndRemediate", "AlertAndBlock"];
/// Characters of a description before our marker.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// `block.hash` or `unblock.hash`.
#[derive(Debug)]
pub(crate) struct Indicators {
    provider: ProviderSpec,
}

/// An indicator; the fields that are read. The id is a number in some answers, a text in others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Indicator {
    id: Value,
    action: String,
    description: Option<String>,
    created_by_display_name: Option<String>,
    expiration_time: Option<Timestamp>,
}

impl Indicator {
    fn id(&self) -> String {
        match &self.id {
            Value::String(id) => id.clone(),
            other => other.to_string(),
        }
    }

    fn is_ours(&self) -> bool {
        let description = self.description.as_deref();
        description.is_some_and(|text| text.contains(MARKER_PREFIX))
    }

    fn blocks(&self) -> bool {
        BLOCKING.contains(&self.action.as_str())
    }
}

impl Indicators {
    /// The block and its inverse.
    pub(crate) fn both() -> [Self; 2] {
        ["block.hash", "unblock.hash"].map(|capability| Self {
            provider: ProviderSpec {
                expires_by_itself: true,
                ..spec(capability, Recovery::Set, Span::milliseconds(0))
            },
        })
    }

    fn lifts(&self) -> bool {
        self.provider.capability == "unblock.hash"
    }
}

#[async_trait]
impl Action for Indicators {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let target = Target::of(call)?;
        let door = way_out(context)?;
        let held = held(door, &target).await?;
        if self.lifts() {
            for ours in held.iter().filter(|indicator| indicator.is_ours()) {
                let request = Request::new(http::Method::DELETE)
                    .path("api/indicators")
                    .segment(ours.id())
                    .data_status(404);
                door.send(request).await?;
            }
            return Ok(lifted(target));
        }
        must_end(call)?;
        let reason = arguments::text(call, "reason")?;
        if let Some(theirs) = held.iter().find(|indicator| !indicator.is_ours()) {
            return of_somebody_else(theirs, &target);
        }
        let longest = held
            .iter()
            .filter_map(|indicator| indicator.expiration_time)
            .max();
        let end = longest.max(call.until);
        let body = json!({
            "indicatorValue": target.value,
            "indicatorType": kind(&target.value)?,
            "action": "Block",
            "title": format!("Blocked by {}", one_line(&call.organisation.name, 60)),
            "description": format!("{} [{}]", one_line(reason, DESCRIPTION_CHARS_MAX), call.marker()),
            "expirationTime": end.map(|end| end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            "severity": "High",
            "generateAlert": true,
        });
        let answer = door.send(Request::post("api/indicators").json(body)).await?;
        let made: Indicator = answer.json_as()?;
        blocked(call, target, Some(made.id()))
    }

    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        let found = async {
            let target = Target::of(call)?;
            let held = held(way_out(context)?, &target).await?;
            let mut ours = held.iter().filter(|indicator| indicator.is_ours());
            if self.lifts() {
                return Ok(ours.next().is_none().then(|| lifted(target)));
            }
            let marker = call.marker();
            let made = ours.find(|indicator| {
                let description = indicator.description.as_deref().unwrap_or_default();
                indicator.blocks() && description.contains(&marker)
            });
            made.map(|made| blocked(call, target, Some(made.id())))
                .transpose()
        };
        match found.await {
            Ok(Some(performed)) => Probe::Done(performed),
            Ok(None) => Probe::NotDone,
            Err(error) => Probe::CannotTell(ActionError::to_string(&error)),
        }
    }

    fn in_doubt(&self, call: &Call) -> Vec<HouseChange> {
        if self.lifts() {
            return Vec::new();
        }
        Target::of(call)
            .and_then(|target| measure(call, target))
            .map_or_else(|_| Vec::new(), |measure| vec![measure])
    }
}

/// The indicators about a file.
async fn held(door: &Door, target: &Target) -> Result<Vec<Indicator>, ActionError> {
    let filter = format!("indicatorValue eq {}", odata::literal(&target.value));
    let request = Request::get("api/indicators").query("$filter", filter);
    odata::list(door, request, 1).await
}

/// An indicator that people made is theirs: where it blocks, all is well and nothing is ours to take
/// back; where it allows, people decide.
fn of_somebody_else(theirs: &Indicator, target: &Target) -> Result<Performed, ActionError> {
    let who = theirs.created_by_display_name.as_deref().unwrap_or("somebody");
    let who = one_line(who, 60);
    if theirs.blocks() {
        let mut output = target.as_input();
        output.insert("list".to_owned(), json!(LIST));
        return Ok(Performed {
            output: Value::Object(output),
            reference: Some(format!(
                "indicator {} of {who}, which stays as it is",
                theirs.id()
            )),
            changes: Vec::new(),
        });
    }
    Err(ActionError::refused(format!(
        "{who} set the file to `{}` in Defender (indicator {}); change that there, or leave it",
        one_line(&theirs.action, 40),
        theirs.id()
    )))
}

fn kind(hash: &str) -> Result<&'static str, ActionError> {
    match hash.len() {
        32 => Ok("FileMd5"),
        40 => Ok("FileSha1"),
        64 => Ok("FileSha256"),
        _ => Err(ActionError::invalid("a file is named by MD5, SHA-1 or SHA-256")),
    }
}

fn blocked(call: &Call, target: Target, indicator: Option<String>) -> Result<Performed, ActionError> {
    let mut output = target.as_input();
    output.insert("list".to_owned(), json!(LIST));
    Ok(Performed {
        output: Value::Object(output),
        reference: indicator,
        changes: vec![measure(call, target)?],
    })
}

/// The block as the register holds it. Defender drops it by itself at its end.
fn measure(call: &Call, target: Target) -> Result<HouseChange, ActionError> {
    Ok(HouseChange::PutMeasure {
        kind: target.kind,
        target: target.value,
        direction: None,
        reason: arguments::text(call, "reason")?.to_owned(),
        inverse: None,
    })
}

fn lifted(target: Target) -> Performed {
    Performed {
        output: Value::Object(target.as_input()),
        reference: None,
        changes: vec![HouseChange::LiftMeasures {
            kind: target.kind,
            target: target.value,
            direction: None,
        }],
    }
}
