//! `extract.mail`.
//!
//! Owns the choice of the mail that counts when somebody forwarded it, and the outputs. Parsing
//! runs on a thread of its own kind: it computes, and no input may take the process down with it.

use async_trait::async_trait;
use playbooks::action_spec::{ErrorKind, ProviderSpec};
use playbooks::incident::FileRef;
use playbooks::operator::Entity;
use serde_json::{Value, json};

use super::authentication::Authentication;
use super::message::{self, Mail, Refused, Text};
use super::observables::{Observables, canonical_domain};
use super::{FOUND_MAX, html, read_only};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};

#[cfg(test)]
mod tests;

/// Takes a mail apart.
#[derive(Debug)]
pub(crate) struct ExtractMail {
    provider: ProviderSpec,
}

impl ExtractMail {
    pub(crate) fn new() -> Self {
        Self {
            provider: read_only("extract.mail"),
        }
    }
}

#[async_trait]
impl Action for ExtractMail {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let file = raw_file(call)?;
        let bytes = context
            .files
            .read(&file.sha256)
            .await
            .map_err(|error| internal(format!("the mail could not be read: {error}")))?
            .ok_or_else(|| ActionError::invalid("the raw message is no longer held"))?;
        let reporter = call
            .incident
            .pointer("/reporter/email")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let entity = std::sync::Arc::clone(&call.entity);
        let taken = tokio::task::spawn_blocking(move || take_apart(&bytes, reporter.as_deref(), &entity))
            .await
            .map_err(|_| ActionError::bad_answer("the mail broke its parser; read it by hand"))?
            .map_err(|refused| ActionError::bad_answer(refused.to_string()))?;
        let sender = taken.sender.ok_or_else(|| {
            ActionError::bad_answer("the mail names no sender: From, Sender and Return-Path hold no address")
        })?;

        let mut attachments = Vec::with_capacity(taken.attachments.len());
        for attachment in taken.attachments {
            let kept = context
                .files
                .keep(
                    &attachment.name,
                    attachment.media_type.as_deref(),
                    attachment.bytes,
                )
                .await
                .map_err(|error| internal(format!("an attachment could not be kept: {error}")))?;
            attachments.push(json!({"name": kept.name, "sha256": kept.sha256, "file": kept}));
        }
        let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
        Ok(Performed::output(json!({
            "urls": taken.found.urls,
            "domains": taken.found.domains,
            "ips": taken.found.ips,
            "attachments": attachments,
            "sender": sender,
            "sender_domain": domain,
            "auth": {
                "spf": taken.authentication.spf,
                "dkim": taken.authentication.dkim,
                "dmarc": taken.authentication.dmarc,
            },
        })))
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        Probe::NotDone
    }
}

/// A failure of our own file store.
fn internal(detail: impl AsRef<str>) -> ActionError {
    ActionError::new(ErrorKind::Internal, detail).certain()
}

fn raw_file(call: &Call) -> Result<FileRef, ActionError> {
    let file = call.arguments.pointer("/mail/file").ok_or_else(|| {
        ActionError::invalid("the mail has no raw message; its source must send `mail.file`")
    })?;
    serde_json::from_value(file.clone())
        .map_err(|error| ActionError::invalid(format!("`mail.file` is not a file: {error}")))
}

/// What a message holds, before anything is stored.
#[derive(Debug)]
struct TakenApart {
    found: Observables,
    attachments: Vec<message::Attachment>,
    sender: Option<String>,
    authentication: Authentication,
}

fn take_apart(raw: &[u8], reporter: Option<&str>, entity: &Entity) -> Result<TakenApart, Refused> {
    let mut mails = message::read(raw)?;
    let chosen = mail_that_counts(&mails, reporter, entity);
    let wrappers = wrappers_of(&mails, chosen);

    let mut found = Observables::default();
    for (place, mail) in mails.iter().enumerate() {
        let mut here = Observables::default();
        for text in &mail.texts {
            add_text(&mut here, text);
        }
        if wrappers.contains(&place) {
            leave_out_own(&mut here, &entity.domains);
        }
        found.urls.append(&mut here.urls);
        found.domains.append(&mut here.domains);
        found.ips.append(&mut here.ips);
    }
    let most = found.urls.len().max(found.domains.len()).max(found.ips.len());
    if most > FOUND_MAX {
        return Err(Refused::TooMuch {
            what: "links or addresses",
            found: most,
            limit: FOUND_MAX,
        });
    }
    // Of a report too: evidence is never dropped.
    let attachments = mails
        .iter_mut()
        .flat_map(|mail| std::mem::take(&mut mail.attachments))
        .collect();
    let chosen = mails.get(chosen);
    Ok(TakenApart {
        found,
        attachments,
        sender: chosen.and_then(|mail| mail.from.clone()),
        authentication: chosen
            .and_then(|mail| mail.authentication)
            .unwrap_or(Authentication::NONE),
    })
}

/// Links and addresses in plain text; in HTML also where its tags lead.
fn add_text(found: &mut Observables, text: &Text) {
    let mut all = Observables::default();
    match text {
        Text::Plain(text) => all.add_text(text),
        Text::Html(page) => {
            let page = html::read(page);
            for link in &page.links {
                all.add_link(link);
            }
            all.add_text(&page.text);
        }
    }
    // Bare names in running text are mostly signatures and company names; domains come from links.
    let linked: Vec<String> = all
        .urls
        .iter()
        .filter_map(|url| canonical_domain(url::Url::parse(url).ok()?.domain()?))
        .collect();
    found.urls.append(&mut all.urls);
    found.ips.append(&mut all.ips);
    found.domains.extend(linked);
}

/// A phishing desk gets forwards: the mail that counts is the one attached to the report. Only a
/// report is opened like that. In a mail from a stranger an attached mail is part of the trick.
fn mail_that_counts(mails: &[Mail], reporter: Option<&str>, entity: &Entity) -> usize {
    let mut place = 0;
    while let Some((attached, _)) = mails
        .iter()
        .enumerate()
        .find(|(_, mail)| mail.attached_to == Some(place) && mail.from.is_some())
    {
        let from = mails.get(place).and_then(|mail| mail.from.as_deref());
        let from_reporter = match (from, reporter) {
            (Some(from), Some(reporter)) => from.eq_ignore_ascii_case(reporter),
            (_, None) => place == 0,
            (None, Some(_)) => false,
        };
        if !from_reporter && !from.is_some_and(|from| belongs_to(from, &entity.domains)) {
            break;
        }
        place = attached;
    }
    place
}

/// The mails around the one that counts.
fn wrappers_of(mails: &[Mail], chosen: usize) -> Vec<usize> {
    std::iter::successors(mails.get(chosen).and_then(|mail| mail.attached_to), |place| {
        mails.get(*place).and_then(|mail| mail.attached_to)
    })
    .collect()
}

/// A report carries the signature of the person who made it; its links are not part of the case.
fn leave_out_own(found: &mut Observables, own: &[String]) {
    found.domains.retain(|domain| !is_within(domain, own));
    found.urls.retain(|url| {
        url::Url::parse(url)
            .ok()
            .and_then(|url| url.domain().map(|domain| !is_within(domain, own)))
            .unwrap_or(true)
    });
}

/// Whether an address belongs to one of the domains or to a name below one.
pub(crate) fn belongs_to(address: &str, domains: &[String]) -> bool {
    address
        .rsplit_once('@')
        .is_some_and(|(_, domain)| is_within(domain, domains))
}

fn is_within(name: &str, domains: &[String]) -> bool {
    let name = name.to_ascii_lowercase();
    domains.iter().any(|domain| {
        let domain = domain.to_ascii_lowercase();
        name == domain || name.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'))
    })
}
