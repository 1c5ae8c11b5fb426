//! Taking a raw message apart into the mails, texts and attachments it holds.
//!
//! Owns the limits and the walk through nested mails. The parser underneath never sees a transfer
//! encoding: it would follow encoded mails inside encoded mails by recursion, as deep as a sender
//! likes. So decoding is done here, layer by layer, and depth is counted.

use std::borrow::Cow;
use std::collections::VecDeque;

use mail_parser::{
    ContentType, HeaderName, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType,
};

use self::content::{
    TransferEncoding, decoded, encoding, in_unicode, media_type, shown_name, with_found_boundary,
};
use super::authentication::{self, Authentication};
use super::observables::canonical_email;

mod content;
#[cfg(test)]
mod tests;

/// Bytes of a raw message.
pub(crate) const MAIL_BYTES_MAX: usize = 25 * 1024 * 1024;
/// Parts of all mails inside a message together.
pub(crate) const PARTS_MAX: usize = 1_000;
/// Mails inside mails; the outermost counts as one.
pub(crate) const DEPTH_MAX: usize = 8;
/// Attachments of a message.
pub(crate) const ATTACHMENTS_MAX: usize = 200;
/// Lines of one layer that could begin a header or a part. Each costs the parser far more memory
/// than it costs a sender to write.
pub(crate) const STRUCTURE_LINES_MAX: usize = 100_000;
/// Characters of the name of an attachment.
pub(crate) const NAME_CHARS_MAX: usize = 200;

/// Why a message is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Over a limit; the text names it.
    #[error("the mail has {found} {what}, more than the {limit} that are read")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there is, as far as it was counted.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Nothing in it has the form of a mail.
    #[error("the file is not a mail: it has no header line")]
    NotAMail,
}

/// One mail: the outermost, or one attached to another.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// Place of the mail it is attached to, or of the mail whose parts these are when its boundary
    /// was wrong; such a mail has no author.
    pub(crate) attached_to: Option<usize>,
    /// Address of its author, canonical.
    pub(crate) from: Option<String>,
    /// What its receiving server found out.
    pub(crate) authentication: Option<Authentication>,
    /// Its texts, in order.
    pub(crate) texts: Vec<Text>,
    /// Its attachments, in order.
    pub(crate) attachments: Vec<Attachment>,
}

/// A readable part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// Plain text.
    Plain(String),
    /// HTML.
    Html(String),
}

/// A part that is a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attachment {
    /// Name as the sender gave it, without control characters; never a path for us.
    pub(crate) name: String,
    /// Declared type.
    pub(crate) media_type: Option<String>,
    /// Decoded content.
    pub(crate) bytes: Vec<u8>,
}

/// Reads a raw message. The first mail is the outermost; the others follow in order of appearance.
pub(crate) fn read(raw: &[u8]) -> Result<Vec<Mail>, Refused> {
    within("bytes", raw.len(), MAIL_BYTES_MAX)?;
    let mut walk = Walk::default();
    walk.pending.push_back(Pending {
        bytes: Cow::Borrowed(raw),
        attached_to: None,
        depth: 1,
    });
    while let Some(pending) = walk.pending.pop_front() {
        walk.read_layer(&pending)?;
    }
    if walk.mails.is_empty() {
        return Err(Refused::NotAMail);
    }
    Ok(walk.mails)
}

fn within(what: &'static str, found: usize, limit: usize) -> Result<(), Refused> {
    if found > limit {
        return Err(Refused::TooMuch { what, found, limit });
    }
    Ok(())
}

/// Bytes that hold a mail and have not been read yet.
struct Pending<'r> {
    bytes: Cow<'r, [u8]>,
    attached_to: Option<usize>,
    depth: usize,
}

/// A parsed mail whose parts have not been looked at yet.
struct Parsed<'b> {
    message: Message<'b>,
    attached_to: Option<usize>,
    depth: usize,
}

#[derive(Default)]
struct Walk<'r> {
    mails: Vec<Mail>,
    pending: VecDeque<Pending<'r>>,
    parts: usize,
    attachments: usize,
}

impl Walk<'_> {
    /// Reads bytes and every mail that stands unencoded inside them.
    fn read_layer(&mut self, pending: &Pending<'_>) -> Result<(), Refused> {
        let bytes = pending
            .bytes
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&pending.bytes);
        within(
            "header and part lines",
            structure_lines(bytes),
            STRUCTURE_LINES_MAX,
        )?;
        // Of any bytes the parser makes a header of some name; a mail has one that mails have.
        let has_header = |message: &Message<'_>| {
            message
                .parts
                .first()
                .is_some_and(|root| root.headers.iter().any(|header| !header.name.is_other()))
        };
        let Some(message) = parser().parse(bytes).filter(has_header) else {
            return Ok(());
        };
        let mut parsed = VecDeque::from([Parsed {
            message,
            attached_to: pending.attached_to,
            depth: pending.depth,
        }]);
        // A refused message is still taken apart one by one: dropping a deep tree would recurse.
        let mut refused = None;
        while let Some(next) = parsed.pop_front() {
            let outcome = self.read_mail(bytes, next, &mut parsed, refused.is_some());
            refused = refused.or(outcome.err());
        }
        refused.map_or(Ok(()), Err)
    }

    /// Reads one parsed mail; mails attached to it are queued. With `discard` it is only taken
    /// apart.
    fn read_mail<'b>(
        &mut self,
        raw: &'b [u8],
        parsed: Parsed<'b>,
        queue: &mut VecDeque<Parsed<'b>>,
        discard: bool,
    ) -> Result<(), Refused> {
        let Parsed {
            message,
            attached_to,
            depth,
        } = parsed;
        let own_place = self.mails.len();
        let mut outcome = if discard {
            Ok(())
        } else {
            within("mails inside mails", depth, DEPTH_MAX)
        };
        let mut mail = Mail {
            attached_to,
            from: author(&message),
            authentication: authenticated(&message),
            ..Mail::default()
        };
        for mut part in message.parts {
            let body = std::mem::take(&mut part.body);
            if let PartType::Message(inner) = body {
                if outcome.is_ok() && encoding(raw, &part) != TransferEncoding::None {
                    self.queue_attached(decoded(raw, &part).into_owned(), own_place, depth);
                }
                queue.push_back(Parsed {
                    message: inner,
                    attached_to: Some(own_place),
                    depth: depth + 1,
                });
            } else if !discard && outcome.is_ok() && !matches!(body, PartType::Multipart(_)) {
                self.parts += 1;
                outcome = within("parts", self.parts, PARTS_MAX)
                    .and_then(|()| self.read_part(raw, &part, own_place, depth, &mut mail));
            }
        }
        if !discard && outcome.is_ok() {
            self.mails.push(mail);
        }
        outcome
    }

    /// Sorts one part: text, attachment, or an attached mail.
    fn read_part(
        &mut self,
        raw: &[u8],
        part: &MessagePart<'_>,
        own_place: usize,
        depth: usize,
        mail: &mut Mail,
    ) -> Result<(), Refused> {
        let bytes = decoded(raw, part);
        let name = part.attachment_name().map(shown_name);
        let media_type = part.content_type().map(media_type);
        let is_mail = media_type
            .as_deref()
            .is_some_and(|ty| ty.starts_with("message/rfc822"))
            || name
                .as_deref()
                .is_some_and(|name| name.to_ascii_lowercase().ends_with(".eml"));
        if is_mail
            && parser()
                .parse_headers(bytes.as_ref())
                .is_some_and(|inner| author(&inner).is_some())
        {
            self.queue_attached(bytes.into_owned(), own_place, depth);
            return Ok(());
        }
        // A multipart that names a wrong boundary: some mail programs find the right one.
        let is_unsplit = media_type
            .as_deref()
            .is_some_and(|ty| ty.starts_with("multipart/"));
        if let (true, Some(repaired)) = (is_unsplit, with_found_boundary(&bytes)) {
            self.queue_attached(repaired, own_place, depth);
            return Ok(());
        }
        let is_text = is_unsplit || media_type.as_deref().is_none_or(|ty| ty.starts_with("text/"));
        if is_text {
            let text = in_unicode(&bytes, part.content_type());
            let is_html = is_unsplit || media_type.as_deref() == Some("text/html");
            mail.texts.push(if is_html {
                Text::Html(text)
            } else {
                Text::Plain(text)
            });
        }
        let is_file = part.content_disposition().is_some_and(ContentType::is_attachment);
        if !is_text || is_file || name.is_some() {
            self.attachments += 1;
            within("attachments", self.attachments, ATTACHMENTS_MAX)?;
            mail.attachments.push(Attachment {
                name: name.unwrap_or_else(|| format!("part-{}", self.parts)),
                media_type,
                bytes: bytes.into_owned(),
            });
        }
        Ok(())
    }

    fn queue_attached(&mut self, bytes: Vec<u8>, attached_to: usize, depth: usize) {
        self.pending.push_back(Pending {
            bytes: Cow::Owned(bytes),
            attached_to: Some(attached_to),
            depth: depth + 1,
        });
    }
}

/// A parser that reads structure and addresses and leaves transfer encodings alone.
fn parser() -> MessageParser {
    MessageParser::new()
        .with_mime_headers()
        .with_address_headers()
        .header_id(HeaderName::ReturnPath)
        .ignore_header(HeaderName::ContentTransferEncoding)
        .default_header_raw()
}

/// Lines that could begin a header or a part.
fn structure_lines(bytes: &[u8]) -> usize {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"--") || line.iter().take(80).any(|byte| *byte == b':'))
        .count()
}

/// The first address of `From`, else of `Sender`, else the return path.
fn author(message: &Message<'_>) -> Option<String> {
    let headers = message
        .parts
        .first()
        .map_or(&[][..], |root| root.headers.as_slice());
    [HeaderName::From, HeaderName::Sender, HeaderName::ReturnPath]
        .iter()
        .find_map(|wanted| {
            headers
                .iter()
                .filter(|header| header.name == *wanted)
                .find_map(|header| match &header.value {
                    HeaderValue::Address(address) => {
                        address.iter().find_map(|one| canonical_email(one.address()?))
                    }
                    HeaderValue::Text(text) => canonical_email(text.trim_matches(['<', '>', ' '])),
                    _ => None,
                })
        })
}

fn authenticated(message: &Message<'_>) -> Option<Authentication> {
    let mut results = message
        .parts
        .first()?
        .headers
        .iter()
        .filter(|header| {
            header
                .name
                .as_str()
                .eq_ignore_ascii_case("Authentication-Results")
        })
        .filter_map(|header| header.value.as_text())
        .peekable();
    results.peek()?;
    Some(authentication::read(results))
}
