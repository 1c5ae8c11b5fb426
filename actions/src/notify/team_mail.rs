//! `notify.team` over SMTP: a mail to the address of a channel.
//!
//! Owns nothing but the way; the address stands in the connection's settings.

use async_trait::async_trait;
use playbooks::action_spec::ProviderSpec;
use serde_json::json;

use super::letter::{Letter, SUBJECT_CHARS_MAX};
use super::mail::{cannot_tell, smtp};
use super::{team, text};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::way_out;

/// Mails a message to our own team.
#[derive(Debug)]
pub(crate) struct TeamMail {
    provider: ProviderSpec,
}

impl TeamMail {
    pub(crate) fn new() -> Self {
        Self {
            provider: smtp("notify.team", "our own team"),
        }
    }
}

#[async_trait]
impl Action for TeamMail {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let door = way_out(context)?;
        let post = team::post(call, door)?;
        let first_line = post.text.lines().next().unwrap_or_default();
        let composed = Letter {
            call,
            recipient: &post.address,
            role: crate::arguments::text(call, "channel")?,
            subject: &text::one_line(first_line, SUBJECT_CHARS_MAX),
            text: &post.text,
            link: None,
            language: &call.organisation.language,
            tlp: call.tlp,
            urgent: post.urgent,
        }
        .compose()?;
        door.mailer()?
            .send(&composed.from, &composed.to, &composed.bytes)
            .await?;
        Ok(Performed {
            output: json!({"id": composed.message_id}),
            reference: Some(composed.message_id),
            changes: Vec::new(),
        })
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        cannot_tell()
    }
}
