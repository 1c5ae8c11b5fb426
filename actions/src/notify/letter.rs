//! Composing a mail, byte by byte.
//!
//! Owns headers, subject, the lines in front of the text, and both parts. Everything that came from
//! outside passes [`super::text`] before it gets here or in here; nothing of it can begin a header,
//! a part or a tag.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, MultiPartKind, SinglePart};
use playbooks::marking::Tlp;

use super::text;
use super::words::Words;
use crate::action::{ActionError, Call};
use crate::arguments;

#[cfg(test)]
mod tests;

/// Characters of a subject after its tag.
pub(crate) const SUBJECT_CHARS_MAX: usize = 90;
/// Characters of the name of an organisation or a role inside a mail.
const NAME_CHARS_MAX: usize = 60;

/// What a mail says and to whom.
#[derive(Debug)]
pub(crate) struct Letter<'a> {
    /// The call it belongs to.
    pub(crate) call: &'a Call,
    /// The one recipient, an address out of a registry.
    pub(crate) recipient: &'a str,
    /// What the recipient is to us, for example `security`.
    pub(crate) role: &'a str,
    /// The subject without its tag.
    pub(crate) subject: &'a str,
    /// The text.
    pub(crate) text: &'a str,
    /// A link of our own below the text.
    pub(crate) link: Option<&'a str>,
    /// Language of the text.
    pub(crate) language: &'a str,
    /// The marking in force.
    pub(crate) tlp: Tlp,
    /// Whether programs should show it as important.
    pub(crate) urgent: bool,
}

/// A mail ready to be handed over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Composed {
    /// Envelope sender.
    pub(crate) from: String,
    /// Envelope recipient.
    pub(crate) to: String,
    /// `Message-ID` with its brackets; the same at every attempt.
    pub(crate) message_id: String,
    /// The message with its headers, lines ended by CR LF.
    pub(crate) bytes: Vec<u8>,
}

impl Letter<'_> {
    /// Writes the mail.
    pub(crate) fn compose(&self) -> Result<Composed, ActionError> {
        let from: Mailbox = parsed(&self.call.organisation.mail_from, "`organisation.mail_from`")?;
        let to: Mailbox = parsed(self.recipient, "the recipient")?;
        let ours = from.email.domain().to_owned();
        let reference = arguments::reference(self.call);
        let message_id = format!("<{}.sortie@{ours}>", self.short_key());
        let thread = format!("<{reference}.0@{ours}>");
        let words = Words::of(self.language);
        let head = self.head(words, &reference);
        let body = text::lines(&text::defang(self.text, &[&ours]));

        let parts = MultiPart::builder()
            .kind(MultiPartKind::Alternative)
            .boundary(format!("=_sortie_{}", self.call.key))
            .singlepart(SinglePart::plain(format!(
                "{}\n\n{}\n{}",
                head.join("\n"),
                body.trim_end(),
                self.link.map_or_else(String::new, |link| format!("{link}\n"))
            )))
            .singlepart(SinglePart::html(page(
                self.language_tag(words),
                &head,
                body.trim_end(),
                self.link,
            )));
        let mut message = Message::builder()
            .from(from.clone())
            .to(to.clone())
            .subject(self.tagged_subject(&reference, &ours))
            .date(seconds_of(self.call.now))
            .message_id(Some(message_id.clone()))
            .in_reply_to(thread.clone())
            .references(thread);
        let mut headers = vec![
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("Content-Language", self.language_tag(words).to_owned()),
            ("X-Sortie-Key", self.call.marker()),
            ("X-Sortie-Reference", reference),
            ("X-Sortie-TLP", self.tlp.label()),
        ];
        if self.urgent {
            headers.push(("Importance", "high".to_owned()));
        }
        for (name, value) in headers {
            message = message.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
        }
        let message = message
            .multipart(parts)
            .map_err(|error| ActionError::invalid(format!("the mail cannot be composed: {error}")))?;
        Ok(Composed {
            from: from.email.to_string(),
            to: to.email.to_string(),
            message_id,
            bytes: message.formatted(),
        })
    }

    /// The language of the text, which may be one we have no fixed sentences in.
    fn language_tag(&self, words: &'static Words) -> &str {
        let is_tag = self.language.len() == 2 && self.language.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_tag { self.language } else { words.language }
    }

    fn short_key(&self) -> &str {
        self.call.key.get(..16).unwrap_or(&self.call.key)
    }

    /// `[CERT-EX PH-2026-00417] TLP:AMBER ...`
    fn tagged_subject(&self, reference: &str, ours: &str) -> String {
        let organisation = text::one_line(&self.call.organisation.name, NAME_CHARS_MAX);
        let subject = text::defang(&text::one_line(self.subject, SUBJECT_CHARS_MAX), &[ours]);
        let subject = text::one_line(&subject, SUBJECT_CHARS_MAX);
        // `=?` would begin an encoded word in the eyes of a mail program.
        format!("[{organisation} {reference}] {} {subject}", self.tlp.label()).replace("=?", "= ?")
    }

    /// The lines in front of the text: marking and what it allows, then what this is about.
    fn head(&self, words: &Words, reference: &str) -> [String; 2] {
        let entity = text::one_line(&self.call.entity.name, NAME_CHARS_MAX);
        let organisation = text::one_line(&self.call.organisation.name, NAME_CHARS_MAX);
        let role = text::one_line(self.role, NAME_CHARS_MAX);
        let zone = TimeZone::get(&self.call.entity.timezone).unwrap_or(TimeZone::UTC);
        let when = self
            .call
            .now
            .to_zoned_datetime(zone)
            .strftime("%Y-%m-%d %H:%M %Z");
        [
            format!("{}  {}", self.tlp.label(), words.sharing(self.tlp, &entity)),
            format!(
                "{} {reference} . {organisation} . {when} . {}: {role}",
                words.reference, words.to
            ),
        ]
    }
}

/// The time for the `Date` header, whole seconds; before 1970 is 1970.
fn seconds_of(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(time.as_second()).unwrap_or(0))
}

fn parsed(address: &str, what: &str) -> Result<Mailbox, ActionError> {
    address
        .parse()
        .map_err(|_| ActionError::invalid(format!("{what} is not a mail address")))
}

/// The same content as HTML. Its tags are fixed: whatever the text holds, it stays text.
fn page(language: &str, head: &[String; 2], body: &str, link: Option<&str>) -> String {
    let [marking, about] = head.each_ref().map(|line| escaped(line));
    let body = escaped(body);
    let link = link.map(escaped).map_or_else(String::new, |link| {
        format!("<p><a href=\"{link}\">{link}</a></p>\n")
    });
    format!(
        "<!doctype html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Sortie</title></head>\n\
         <body style=\"font-family:sans-serif\"><p><strong>{marking}</strong><br>{about}</p>\n\
         <div style=\"white-space:pre-wrap\">{body}</div>\n{link}</body></html>\n"
    )
}

fn escaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => result.push_str("&amp;"),
            '<' => result.push_str("&lt;"),
            '>' => result.push_str("&gt;"),
            '"' => result.push_str("&quot;"),
            '\'' => result.push_str("&#39;"),
            other => result.push(other),
        }
    }
    result
}
