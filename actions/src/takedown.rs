//! `takedown.request`: asks a registrar or a hosting company to take a domain down.
//!
//! Owns the only mail that goes to an address nobody in the house wrote down: an abuse contact that a
//! look-up found. So little goes there: one template, for a domain that is not the entity's, and
//! nothing above TLP:GREEN.

use async_trait::async_trait;
use playbooks::action_spec::{ActionSpec, ErrorKind, ProviderSpec, Sink};
use playbooks::duration::Span;
use playbooks::marking::{EffectClass, Exposure, Tlp};
use playbooks::types::{TextForm, Type};
use serde_json::json;

use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::{self, way_out};
use crate::catalogue::contract::Contract;
use crate::extract::mail::belongs_to;
use crate::extract::observables::{canonical_domain, canonical_email};
use crate::notify::letter::Letter;
use crate::notify::mail::{Rendered, cannot_tell, smtp};

#[cfg(test)]
mod tests;

/// The strictest marking that strangers are told.
const CEILING: Tlp = Tlp::Green;
/// What the reader is called in the mail.
const ROLE: &str = "abuse";
/// Attempts of a request: as many as a mail server that restarts needs.
const ATTEMPTS: u32 = 5;
/// Shortest and longest wait between two attempts.
const BACKOFF: (Span, Span) = (Span::seconds(15), Span::minutes(10));

/// The contract.
pub(crate) fn spec() -> ActionSpec {
    Contract::new(
        "takedown.request",
        "Asks a registrar or a hosting company by mail to take a domain down.",
        EffectClass::Notify,
        Exposure::Public,
    )
    .input(
        "to",
        Type::Text(TextForm::Email),
        Sink::Plain,
        "The abuse contact; the only recipient of all that may come from a look-up.",
    )
    .input(
        "domain",
        Type::Text(TextForm::Domain),
        Sink::Plain,
        "What shall go; never a domain of the entity.",
    )
    .renders_mail()
    .output("message_id", Type::String)
    .output("to", Type::Text(TextForm::Email))
    .discloses(&["domain", "params"])
    .natural_key(&["to", "domain", "template"])
    .no_inverse_because("a message that reached a person cannot be taken back")
    .retry(ATTEMPTS, BACKOFF)
    .retry_on(ErrorKind::Undelivered)
    .example(
        json!({
            "to": "abuse@registrar.example", "domain": "vi11e.example",
            "template": "mail/takedown-registrar", "params": {"imitates": "ville.example"},
        }),
        json!({
            "message_id": "<A4T3Q0ZK7M2W9X1B.sortie@cert.example>", "to": "abuse@registrar.example",
        }),
    )
}

/// The request by mail.
#[derive(Debug)]
pub(crate) struct TakedownRequest {
    provider: ProviderSpec,
}

impl TakedownRequest {
    pub(crate) fn new() -> Self {
        Self {
            provider: smtp("takedown.request", "the abuse contact that a look-up found"),
        }
    }
}

#[async_trait]
impl Action for TakedownRequest {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let to = recipient(call)?;
        not_their_own(call)?;
        let rendered = Rendered::of(call)?;
        let tlp = call.tlp.max(rendered.tlp);
        if tlp > CEILING {
            return Err(ActionError::policy(format!(
                "this is {} and goes to a stranger, who may see {} at most",
                tlp.label(),
                CEILING.label()
            )));
        }
        let composed = Letter {
            call,
            recipient: &to,
            role: ROLE,
            subject: &rendered.subject,
            text: &rendered.text,
            link: None,
            language: &rendered.language,
            tlp,
            urgent: false,
        }
        .compose()?;
        way_out(context)?
            .mailer()?
            .send(&composed.from, &composed.to, &composed.bytes)
            .await?;
        Ok(Performed {
            output: json!({"message_id": composed.message_id, "to": composed.to}),
            reference: Some(composed.message_id),
            changes: Vec::new(),
        })
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        cannot_tell()
    }
}

fn recipient(call: &Call) -> Result<String, ActionError> {
    canonical_email(arguments::text(call, "to")?)
        .ok_or_else(|| ActionError::invalid("`to` has not the form of a mail address"))
}

/// Nobody asks a registrar to take down a domain of the body it serves.
fn not_their_own(call: &Call) -> Result<(), ActionError> {
    let domain = canonical_domain(arguments::text(call, "domain")?)
        .ok_or_else(|| ActionError::invalid("`domain` is not a domain"))?;
    let own = &call.entity.domains;
    let above = own.iter().any(|own| own.ends_with(&format!(".{domain}")));
    if above || belongs_to(&format!("x@{domain}"), own) {
        return Err(ActionError::policy(format!(
            "{domain} belongs to {}; nobody asks to take that down",
            call.entity.id
        )));
    }
    Ok(())
}
