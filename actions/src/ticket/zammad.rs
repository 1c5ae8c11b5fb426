//! Provider `zammad`: tickets and internal notes.
//!
//! Owns the marker by which a ticket is found again: in the title from the first moment, as a tag
//! right after. An article is always an internal note, never a mail: in Zammad a mail goes out even
//! when it is marked internal.

use async_trait::async_trait;
use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use playbooks::marking::Severity;
use serde::Deserialize;
use serde_json::json;

use super::thehive::probed;
use super::{Ticket, note};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::{self, way_out};
use crate::egress::{Door, Request};

#[cfg(test)]
mod tests;

/// How long the search index of Zammad may lag behind.
const SETTLE: Span = Span::seconds(60);

#[derive(Debug, Deserialize)]
struct FarTicket {
    id: u64,
    #[serde(default)]
    title: String,
}

#[derive(Debug, Deserialize)]
struct Article {
    #[serde(default)]
    subject: Option<String>,
}

/// Opens a ticket.
#[derive(Debug)]
pub(crate) struct OpenTicket {
    provider: ProviderSpec,
}

impl OpenTicket {
    pub(crate) fn new() -> Self {
        Self {
            provider: spec("ticket.open", SETTLE),
        }
    }
}

#[async_trait]
impl Action for OpenTicket {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let door = way_out(context)?;
        let ticket = Ticket::of(call)?;
        let marker = call.marker();
        let text = if ticket.body.is_empty() {
            &ticket.title
        } else {
            &ticket.body
        };
        let body = json!({
            "title": format!("{} [{marker}]", ticket.title),
            "group": door.required_setting("group")?,
            "customer_id": format!("guess:{}", door.required_setting("customer")?),
            "priority": priority(ticket.severity),
            "article": article(&marker, &format!("{}\n\n{text}", call.tlp.label())),
        });
        let opened: FarTicket = door
            .send(Request::post("api/v1/tickets").json(body))
            .await?
            .json_as()?;
        let tag = json!({"object": "Ticket", "o_id": opened.id, "item": marker});
        if let Err(error) = door.send(Request::post("api/v1/tags/add").json(tag)).await {
            // The title carries the marker too, so the ticket is found without its tag.
            tracing::warn!(ticket = opened.id, %error, "the ticket has no tag");
        }
        Ok(performed(door, &opened))
    }

    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        let found = async {
            let door = way_out(context)?;
            let marker = call.marker();
            let tickets: Vec<FarTicket> = door
                .send(
                    Request::get("api/v1/tickets/search")
                        .query("query", format!("tags:\"{marker}\" OR title:\"{marker}\""))
                        .query("expand", "true")
                        .query("per_page", "10"),
                )
                .await?
                .json_as()?;
            let ours = tickets.iter().find(|ticket| ticket.title.contains(&marker));
            Ok(ours.map(|ticket| performed(door, ticket)))
        };
        probed(found.await)
    }
}

/// Adds an internal note to a ticket.
#[derive(Debug)]
pub(crate) struct AddNote {
    provider: ProviderSpec,
}

impl AddNote {
    pub(crate) fn new() -> Self {
        Self {
            provider: spec("ticket.update", Span::milliseconds(0)),
        }
    }
}

#[async_trait]
impl Action for AddNote {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let door = way_out(context)?;
        let id = ticket_id(call)?;
        let mut body = article(&call.marker(), &note(call)?);
        if let Some(body) = body.as_object_mut() {
            body.insert("ticket_id".to_owned(), json!(id));
        }
        door.send(Request::post("api/v1/ticket_articles").json(body))
            .await?;
        Ok(Performed::output(json!({"id": id.to_string()})))
    }

    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        let found = async {
            let door = way_out(context)?;
            let id = ticket_id(call)?;
            let articles: Vec<Article> = door
                .send(Request::get("api/v1/ticket_articles/by_ticket").segment(id.to_string()))
                .await?
                .json_as()?;
            let marker = call.marker();
            let ours = articles
                .iter()
                .any(|article| article.subject.as_deref() == Some(marker.as_str()));
            Ok(ours.then(|| Performed::output(json!({"id": id.to_string()}))))
        };
        probed(found.await)
    }
}

/// The number of a ticket, so that nothing else gets into a path or a body.
fn ticket_id(call: &Call) -> Result<u64, ActionError> {
    arguments::text(call, "id")?
        .parse()
        .map_err(|_| ActionError::invalid("a ticket of Zammad is named by its number"))
}

fn article(subject: &str, text: &str) -> serde_json::Value {
    json!({
        "subject": subject,
        "body": text,
        "content_type": "text/plain",
        "type": "note",
        "internal": true,
    })
}

fn performed(door: &Door, ticket: &FarTicket) -> Performed {
    let id = ticket.id.to_string();
    let mut output = json!({"id": id});
    if let (Some(base), Some(output)) = (door.base_url(), output.as_object_mut()) {
        let mut url = base.clone();
        url.set_fragment(Some(&format!("ticket/zoom/{id}")));
        output.insert("url".to_owned(), json!(url));
    }
    Performed {
        output,
        reference: Some(id),
        changes: Vec::new(),
    }
}

const fn priority(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "1 low",
        Severity::Medium => "2 normal",
        Severity::High | Severity::Critical => "3 high",
    }
}

fn spec(capability: &str, settle: Span) -> ProviderSpec {
    ProviderSpec {
        capability: capability.to_owned(),
        provider: "zammad".to_owned(),
        recovery: Recovery::Probed,
        settle,
        discloses_to: "the agents of the Zammad server".to_owned(),
        expires_by_itself: false,
    }
}
