//! A mail that somebody reports: raw RFC 5322 becomes a phishing incident.
//!
//! Owns which message is the evidence (a forward carries it one level in), who reports it, and
//! what is kept: the mail as it came and the message inside it. Links and texts are the work of
//! actions. Equal: the same identifier, sender and subject, within seven days.

mod parts;

use jiff::Timestamp;
use mail_parser::{Address, HeaderName, Message};
use playbooks::duration::Span;
use playbooks::incident::{FileRef, IncidentType, MailPart, ObservableType, Reporter};
use serde_json::Value;

use super::draft::{Draft, digest_key, sha256};
use super::observables::canonical;
use super::text::{NAME_CHARACTERS_MAX, TITLE_CHARACTERS_MAX, line};
use super::{KeptFile, Mapped, MappingContext, Refusal, RefusalKind};
use parts::Opened;

pub use parts::{MAIL_PARTS_MAX, MAIL_STRUCTURE_LINES_MAX};

/// Bytes of one mail. 25 MiB.
pub const MAIL_BYTES_MAX: usize = 25 << 20;
/// Recipients kept of one mail; the mail itself is a file.
const RECIPIENTS_MAX: usize = 100;
/// Characters of an address or an identifier.
const ADDRESS_CHARACTERS_MAX: usize = 320;
const DEDUP_WITHIN: Span = Span::days(7);
const MEDIA_TYPE: &str = "message/rfc822";

/// How subjects begin that somebody forwards, in the languages of our senders.
const FORWARD_MARKS: &[&str] = &[
    "fwd:", "fw:", "tr:", "wg:", "rv:", "i:", "doorst:", "enc:", "vs:", "vb:", "pd:",
];

/// Headers of which every mail has at least one.
const USUAL_HEADERS: &[&str] = &[
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "received",
    "return-path",
    "delivered-to",
    "mime-version",
];
/// Lines in which one of them is looked for.
const HEADER_LINES_MAX: usize = 300;

/// Whether bytes begin like a mail: header lines, among them a usual one.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    let mut lines = without_mark(bytes)
        .split(|byte| *byte == b'\n')
        .take(HEADER_LINES_MAX);
    let first = lines.clone().next().unwrap_or_default();
    let begins = header_name(first).is_some() || first.starts_with(b"From ");
    let usual = |name: &[u8]| {
        USUAL_HEADERS
            .iter()
            .any(|usual| name.eq_ignore_ascii_case(usual.as_bytes()))
    };
    begins && lines.any(|line| header_name(line).is_some_and(usual))
}

/// What stands before the colon of a header line.
fn header_name(line: &[u8]) -> Option<&[u8]> {
    let name = line.get(..line.iter().position(|byte| *byte == b':')?)?;
    let plain = name
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (plain && !name.is_empty()).then_some(name)
}

/// Maps one mail.
pub(super) fn map(bytes: &[u8], context: &MappingContext<'_>) -> Result<Mapped, Refusal> {
    if bytes.len() > MAIL_BYTES_MAX {
        let reason = format!("{} bytes; at most {MAIL_BYTES_MAX} are read", bytes.len());
        return Err(Refusal::too_large(
            "",
            reason,
            "send the mail without its large attachments",
        ));
    }
    if bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return Err(not_a_mail(
            "an Outlook file (.msg), not a mail",
            "forward the mail as an attachment, or save it as .eml",
        ));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(not_a_mail(
            "an empty mail",
            "send the whole message, headers first",
        ));
    }
    let outer_bytes = without_mark(bytes);
    let outer = Opened::open(outer_bytes)?;
    if !has_mail_headers(outer.message()) {
        return Err(not_a_mail(
            "no headers of a mail",
            "send the whole message, headers first",
        ));
    }
    let inner_bytes = outer.attached_message();
    let inner = match &inner_bytes {
        Some(bytes) => Some(Opened::open(bytes)?).filter(|inner| has_mail_headers(inner.message())),
        None => None,
    };
    let evidence = inner.as_ref().unwrap_or(&outer);
    let subject = line(
        evidence.message().subject().unwrap_or_default(),
        TITLE_CHARACTERS_MAX,
    );
    let mut draft = Draft::new(
        IncidentType::Phishing,
        &subject,
        "Mail without a subject",
        context,
    );
    if inner.is_some() || is_forward(outer.message()) {
        draft.incident.reporter = reporter(outer.message());
    }
    let outer_file = keep(&mut draft, "report.eml", bytes);
    let evidence_file = match (&inner, &inner_bytes) {
        (Some(_), Some(bytes)) => keep(&mut draft, "mail.eml", bytes),
        _ => outer_file,
    };
    if inner.is_none() && inner_bytes.is_some() {
        draft.tag("attached-mail-unreadable");
    }
    describe(&mut draft, evidence, evidence_file, subject);
    let mail = draft.incident.mail.as_ref();
    let part = |get: fn(&MailPart) -> &String| mail.map(get).cloned().unwrap_or_default();
    let (id, from, subject) = (
        part(|mail| &mail.message_id),
        part(|mail| &mail.from),
        part(|mail| &mail.subject),
    );
    let identity = if id.is_empty() { sha256(bytes) } else { id };
    let key = digest_key(&[&identity, &from, &subject]);
    Ok(draft.finish(Value::Object(serde_json::Map::new()), key, DEDUP_WITHIN))
}

fn not_a_mail(reason: &str, remedy: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Unreadable,
        ..Refusal::invalid("", reason, remedy)
    }
}

/// Without a byte order mark, which some mail programs put before the first header.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn has_mail_headers(message: &Message<'_>) -> bool {
    message.from().is_some()
        || message.subject().is_some()
        || message.message_id().is_some()
        || message.date().is_some()
        || message.received().is_some()
}

fn is_forward(message: &Message<'_>) -> bool {
    let subject = message.subject().unwrap_or_default().trim_start().to_lowercase();
    FORWARD_MARKS.iter().any(|mark| subject.starts_with(mark))
}

fn reporter(message: &Message<'_>) -> Option<Reporter> {
    let from = message.from()?.first()?;
    let email = canonical(ObservableType::Email, from.address.as_deref()?)?;
    let name = from
        .name
        .as_deref()
        .map(|name| line(name, NAME_CHARACTERS_MAX))
        .filter(|name| !name.is_empty());
    Some(Reporter { email, name })
}

fn keep(draft: &mut Draft, name: &str, bytes: &[u8]) -> FileRef {
    let reference = FileRef {
        name: name.to_owned(),
        sha256: sha256(bytes),
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        media_type: Some(MEDIA_TYPE.to_owned()),
    };
    draft.incident.files.push(reference.clone());
    draft.files.push(KeptFile {
        reference: reference.clone(),
        bytes: bytes.to_vec(),
    });
    reference
}

/// What the evidence says about itself.
fn describe(draft: &mut Draft, evidence: &Opened<'_>, file: FileRef, subject: String) {
    let message = evidence.message();
    let received_at = when(message);
    match received_at {
        Some(at) => draft.detected_at(at),
        None => draft.tag("no-time"),
    }
    let from = addresses(message.from());
    if message.header_values(HeaderName::From).count() > 1 || from.len() > 1 {
        draft.tag("several-senders");
    }
    let found = &mut draft.observables;
    for address in &from {
        found.add(ObservableType::Email, Some(address), "sender");
    }
    for address in addresses(message.reply_to()) {
        found.add(ObservableType::Email, Some(address), "reply_to");
    }
    for digest in evidence.attachment_digests() {
        found.add(ObservableType::Hash, Some(digest), "attachment");
    }
    draft.incident.mail = Some(MailPart {
        message_id: message
            .message_id()
            .map(|id| format!("<{}>", line(id, ADDRESS_CHARACTERS_MAX)))
            .unwrap_or_default(),
        subject,
        from: from.into_iter().next().unwrap_or_default(),
        to: addresses(message.to()),
        received_at,
        file: Some(file),
    });
}

/// When the last server got it, else when its sender says it was written.
fn when(message: &Message<'_>) -> Option<Timestamp> {
    let received = message.received_all().next().and_then(|received| received.date);
    let date = received
        .or_else(|| message.date().copied())
        .filter(mail_parser::DateTime::is_valid)?;
    let at = Timestamp::from_second(date.to_timestamp()).ok()?;
    (at > Timestamp::UNIX_EPOCH).then_some(at)
}

fn addresses(list: Option<&Address<'_>>) -> Vec<String> {
    list.map(|list| {
        list.iter()
            .filter_map(|entry| entry.address.as_deref())
            .take(RECIPIENTS_MAX)
            .map(|text| line(text, ADDRESS_CHARACTERS_MAX))
            .collect()
    })
    .unwrap_or_default()
}
