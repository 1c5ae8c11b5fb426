//! Provider `thehive`: alerts and comments in `TheHive` 5 (API v1).
//!
//! Owns the mapping of our words to its numbers. The alert's `sourceRef` is our key, so the system
//! itself refuses a second one.

use async_trait::async_trait;
use playbooks::action_spec::{ErrorKind, ProviderSpec, Recovery};
use playbooks::duration::Span;
use playbooks::marking::{Pap, Severity, Tlp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ticket, note, pap};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::{self, way_out};
use crate::egress::{Door, Request};

#[cfg(test)]
mod tests;

/// What we are called as a source of alerts.
const SOURCE: &str = "sortie";
/// Comments of one alert that are read when ours is looked for.
const COMMENTS_MAX: u32 = 500;

#[derive(Debug, Deserialize)]
struct Alert {
    #[serde(rename = "_id")]
    id: String,
}

#[derive(Debug, Deserialize)]
struct Comment {
    message: String,
}

/// Opens an alert.
#[derive(Debug)]
pub(crate) struct OpenAlert {
    provider: ProviderSpec,
}

impl OpenAlert {
    pub(crate) fn new() -> Self {
        Self {
            provider: spec("ticket.open", Recovery::Keyed),
        }
    }
}

#[async_trait]
impl Action for OpenAlert {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let door = way_out(context)?;
        let ticket = Ticket::of(call)?;
        let reference = arguments::reference(call);
        let body = json!({
            "type": "incident",
            "source": SOURCE,
            "sourceRef": call.marker(),
            "title": ticket.title,
            "description": if ticket.body.is_empty() { &ticket.title } else { &ticket.body },
            "severity": severity(ticket.severity),
            "date": call.now.as_millisecond(),
            "tags": [call.marker(), reference, call.entity.id],
            "tlp": tlp(call.tlp),
            "pap": pap_number(pap(call)),
        });
        let request = in_organisation(Request::post("api/v1/alert"), door).json(body);
        match door.send(request).await {
            Ok(answer) => Ok(opened(door, &answer.json_as()?)),
            // A second alert with our key is refused, with different codes in different releases.
            Err(refused) if refused.kind == ErrorKind::Rejected => match find(call, door).await {
                Ok(Some(alert)) => Ok(opened(door, &alert)),
                Ok(None) | Err(_) => Err(refused),
            },
            Err(error) => Err(error),
        }
    }

    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        let found = async {
            let door = way_out(context)?;
            Ok(find(call, door).await?.map(|alert| opened(door, &alert)))
        };
        probed(found.await)
    }
}

/// Adds a comment to an alert.
#[derive(Debug)]
pub(crate) struct CommentAlert {
    provider: ProviderSpec,
}

impl CommentAlert {
    pub(crate) fn new() -> Self {
        Self {
            provider: spec("ticket.update", Recovery::Probed),
        }
    }
}

#[async_trait]
impl Action for CommentAlert {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let door = way_out(context)?;
        let id = arguments::text(call, "id")?;
        let message = format!("{}\n\n{}", note(call)?, call.marker());
        let request = Request::post("api/v1/alert")
            .segment(id)
            .path("comment")
            .json(json!({"message": message}));
        door.send(in_organisation(request, door)).await?;
        Ok(Performed::output(json!({"id": id})))
    }

    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        let found = async {
            let door = way_out(context)?;
            let id = arguments::text(call, "id")?;
            let comments: Vec<Comment> = query(
                door,
                json!([
                    {"_name": "getAlert", "idOrName": id},
                    {"_name": "comments"},
                    {"_name": "page", "from": 0, "to": COMMENTS_MAX},
                ]),
            )
            .await?;
            let marker = call.marker();
            let ours = comments.iter().any(|comment| comment.message.contains(&marker));
            Ok(ours.then(|| Performed::output(json!({"id": id}))))
        };
        probed(found.await)
    }
}

async fn find(call: &Call, door: &Door) -> Result<Option<Alert>, ActionError> {
    let alerts: Vec<Alert> = query(
        door,
        json!([
            {"_name": "listAlert"},
            {"_name": "filter", "_and": [
                {"_eq": {"_field": "source", "_value": SOURCE}},
                {"_eq": {"_field": "sourceRef", "_value": call.marker()}},
            ]},
            {"_name": "page", "from": 0, "to": 2},
        ]),
    )
    .await?;
    Ok(alerts.into_iter().next())
}

async fn query<T: serde::de::DeserializeOwned>(door: &Door, steps: Value) -> Result<T, ActionError> {
    let request = Request::post("api/v1/query").json(json!({"query": steps}));
    door.send(in_organisation(request, door)).await?.json_as()
}

/// Names the organisation inside `TheHive`, when the connection's settings do.
fn in_organisation(request: Request, door: &Door) -> Request {
    match door.text_setting("organisation") {
        Some(organisation) => request.header("X-Organisation", organisation),
        None => request,
    }
}

fn opened(door: &Door, alert: &Alert) -> Performed {
    let mut output = json!({"id": alert.id});
    if let (Some(url), Some(output)) = (link(door, &alert.id), output.as_object_mut()) {
        output.insert("url".to_owned(), json!(url));
    }
    Performed {
        output,
        reference: Some(alert.id.clone()),
        changes: Vec::new(),
    }
}

/// Where people find the alert.
fn link(door: &Door, id: &str) -> Option<String> {
    let mut url = door.base_url()?.clone();
    url.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend(["alerts", id, "details"]);
    Some(url.into())
}

pub(super) fn probed(found: Result<Option<Performed>, ActionError>) -> Probe {
    match found {
        Ok(Some(performed)) => Probe::Done(performed),
        Ok(None) => Probe::NotDone,
        Err(error) => Probe::CannotTell(error.detail),
    }
}

const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}

const fn tlp(tlp: Tlp) -> u8 {
    match tlp {
        Tlp::Clear => 0,
        Tlp::Green => 1,
        Tlp::Amber => 2,
        Tlp::AmberStrict => 3,
        Tlp::Red => 4,
    }
}

const fn pap_number(pap: Pap) -> u8 {
    match pap {
        Pap::Clear => 0,
        Pap::Green => 1,
        Pap::Amber => 2,
        Pap::Red => 3,
    }
}

fn spec(capability: &str, recovery: Recovery) -> ProviderSpec {
    ProviderSpec {
        capability: capability.to_owned(),
        provider: "thehive".to_owned(),
        recovery,
        settle: Span::seconds(5),
        discloses_to: "the users of the TheHive server".to_owned(),
        expires_by_itself: false,
    }
}
