//! `notify.entity` and `notify.reporter` over SMTP.
//!
//! Owns who may receive a mail and how much of it. The words come rendered from the engine; no
//! address ever comes from a playbook, and of an incident only that of the reporter does.

use async_trait::async_trait;
use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use playbooks::marking::Tlp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::letter::{Composed, Letter};
use super::words::Words;
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::{self, way_out};
use crate::extract::mail::belongs_to;
use crate::extract::observables::canonical_email;

#[cfg(test)]
mod tests;

/// The strictest marking any mail carries. TLP:RED leaves the house on no channel.
pub(super) const MAIL_CEILING: Tlp = Tlp::AmberStrict;

/// What the engine rendered at intent.
#[derive(Debug, Deserialize)]
pub(crate) struct Rendered {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) language: String,
    pub(crate) tlp: Tlp,
}

impl Rendered {
    pub(crate) fn of(call: &Call) -> Result<Self, ActionError> {
        let rendered = call.arguments.get("rendered").cloned().unwrap_or_default();
        serde_json::from_value(rendered)
            .map_err(|error| ActionError::invalid(format!("the mail was not rendered: {error}")))
    }
}

/// One person a mail may go to.
#[derive(Debug)]
struct Recipient {
    address: String,
    role: String,
    ceiling: Tlp,
}

/// Writes to a contact of the entity.
#[derive(Debug)]
pub(crate) struct NotifyEntity {
    provider: ProviderSpec,
}

impl NotifyEntity {
    pub(crate) fn new() -> Self {
        Self {
            provider: smtp("notify.entity", "the entity's contact"),
        }
    }

    fn recipient(call: &Call) -> Result<Recipient, ActionError> {
        let role = arguments::text(call, "to")?;
        let contact = call.entity.contacts.get(role).ok_or_else(|| {
            ActionError::invalid(format!(
                "{} has no contact with the role `{role}`",
                call.entity.id
            ))
        })?;
        let address = contact.mail.clone().ok_or_else(|| {
            ActionError::invalid(format!(
                "the contact `{role}` of {} has no mail address",
                call.entity.id
            ))
        })?;
        Ok(Recipient {
            address,
            role: role.to_owned(),
            ceiling: contact.tlp,
        })
    }
}

#[async_trait]
impl Action for NotifyEntity {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let sent = send(call, context, &Self::recipient(call)?).await?;
        Ok(Performed {
            output: json!({"message_id": sent.message_id, "to": sent.to}),
            reference: Some(sent.message_id),
            changes: Vec::new(),
        })
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        cannot_tell()
    }
}

/// Answers the person who reported the incident.
#[derive(Debug)]
pub(crate) struct NotifyReporter {
    provider: ProviderSpec,
}

impl NotifyReporter {
    pub(crate) fn new() -> Self {
        Self {
            provider: smtp("notify.reporter", "the person who reported the incident"),
        }
    }

    /// The reporter's address came with an alert, so only one inside the entity is believed.
    fn recipient(call: &Call) -> Result<Recipient, ActionError> {
        let given = call
            .incident
            .pointer("/reporter/email")
            .and_then(Value::as_str)
            .ok_or_else(|| ActionError::invalid("the incident names no reporter"))?;
        let address = canonical_email(given)
            .ok_or_else(|| ActionError::invalid("the reporter's address has not the form of one"))?;
        if !belongs_to(&address, &call.entity.domains) {
            return Err(ActionError::policy(format!(
                "the reporter's address is outside the domains of {}; answer by hand",
                call.entity.id
            )));
        }
        let known = call.entity.contacts.values().find(|contact| {
            contact
                .mail
                .as_deref()
                .is_some_and(|mail| mail.eq_ignore_ascii_case(&address))
        });
        Ok(Recipient {
            ceiling: known.map_or(MAIL_CEILING, |contact| contact.tlp),
            address,
            role: "reporter".to_owned(),
        })
    }
}

#[async_trait]
impl Action for NotifyReporter {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let sent = send(call, context, &Self::recipient(call)?).await?;
        Ok(Performed {
            output: json!({"message_id": sent.message_id}),
            reference: Some(sent.message_id),
            changes: Vec::new(),
        })
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        cannot_tell()
    }
}

async fn send(call: &Call, context: Context<'_>, recipient: &Recipient) -> Result<Composed, ActionError> {
    let composed = compose(call, recipient)?;
    way_out(context)?
        .mailer()?
        .send(&composed.from, &composed.to, &composed.bytes)
        .await?;
    Ok(composed)
}

/// The mail for this person: what was rendered, or above the ceiling of the channel a notice
/// without content.
fn compose(call: &Call, recipient: &Recipient) -> Result<Composed, ActionError> {
    let rendered = Rendered::of(call)?;
    let tlp = call.tlp.max(rendered.tlp);
    let (subject, text) = if tlp > recipient.ceiling.min(MAIL_CEILING) {
        Words::of(&rendered.language).notice(&recipient.role)
    } else {
        (rendered.subject, rendered.text)
    };
    Letter {
        call,
        recipient: &recipient.address,
        role: &recipient.role,
        subject: &subject,
        text: &text,
        link: None,
        language: &rendered.language,
        tlp,
        urgent: false,
    }
    .compose()
}

/// A mail is handed over once: a relay neither folds a second one nor can be asked for the first.
pub(crate) fn smtp(capability: &str, discloses_to: &str) -> ProviderSpec {
    ProviderSpec {
        capability: capability.to_owned(),
        provider: "smtp".to_owned(),
        recovery: Recovery::Once,
        settle: Span::milliseconds(0),
        discloses_to: discloses_to.to_owned(),
        expires_by_itself: false,
    }
}

pub(crate) fn cannot_tell() -> Probe {
    Probe::CannotTell("a mail relay cannot be asked whether it took a mail".to_owned())
}
