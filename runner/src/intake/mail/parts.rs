//! The parts of a mail, opened without letting a hostile one nest without end.
//!
//! The parser follows messages inside messages as deep as they go, also inside encoded parts, and
//! a tree of a hundred thousand levels would break the stack when it is dropped. So the transfer
//! encodings are hidden from it, every text is counted before it is parsed (no level exists
//! without a `Content-Type`), and encoded parts are decoded and counted here. A mail that passes
//! is safe for the same parser later.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::{MAIL_BYTES_MAX, looks_like};
use crate::intake::Refusal;
use crate::intake::draft::sha256;

/// `Content-Type` headers of one mail, so parts and levels of nesting.
pub const MAIL_PARTS_MAX: usize = 500;
/// Lines of one mail that could begin a header or a part: of each the parser makes more than the
/// line is long. Lines of encoded content are none.
pub const MAIL_STRUCTURE_LINES_MAX: usize = 100_000;
/// Encoded messages inside each other that are looked into.
const ENCODED_DEPTH_MAX: usize = 4;

const ENCODING_HEADER: &[u8] = b"content-transfer-encoding";
/// The same header by the name under which the parser does not know it.
const HIDDEN_HEADER: &str = "xontent-transfer-encoding";
const TYPE_HEADER: &[u8] = b"content-type";
/// Where the first `-` of both stands.
const DASH_AT: usize = 7;

/// A mail with its structure known and its parts still encoded.
#[derive(Debug)]
pub(super) struct Opened<'m> {
    message: Message<'m>,
    /// Decoded parts, and whether each is a message or a file.
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    bytes: Vec<u8>,
    is_message: bool,
    is_file: bool,
}

impl<'m> Opened<'m> {
    /// Opens a mail, or refuses one with too many parts.
    pub(super) fn open(bytes: &[u8]) -> Result<Opened<'static>, Refusal> {
        guard(bytes, 0)?;
        let hidden = without_encodings(bytes);
        let message = parse(&hidden)?.ok_or_else(|| {
            Refusal::invalid(
                "",
                "this cannot be read as a mail",
                "send the whole message, headers first",
            )
        })?;
        let mut parts = Vec::new();
        for part in &message.parts {
            if let Some(part) = decoded(part, &hidden, bytes) {
                guard(&part.bytes, 1)?;
                parts.push(part);
            }
        }
        Ok(Opened {
            message: message.into_owned(),
            parts,
        })
    }

    /// The structure and the headers.
    pub(super) fn message(&self) -> &Message<'m> {
        &self.message
    }

    /// The first message attached to this one.
    pub(super) fn attached_message(&self) -> Option<Vec<u8>> {
        self.parts
            .iter()
            .find(|part| part.is_message && looks_like(&part.bytes))
            .map(|part| part.bytes.clone())
    }

    /// SHA-256 of every attached file.
    pub(super) fn attachment_digests(&self) -> Vec<String> {
        self.parts
            .iter()
            .filter(|part| part.is_file)
            .map(|part| sha256(&part.bytes))
            .collect()
    }
}

/// The structure of a mail; `None` when there is no header.
///
/// The parser says that it never panics; should it, that is one bad mail and not the end.
fn parse(bytes: &[u8]) -> Result<Option<Message<'_>>, Refusal> {
    catch_unwind(AssertUnwindSafe(|| MessageParser::default().parse(bytes))).map_err(|_| {
        Refusal::invalid(
            "",
            "this mail breaks the reader of mails",
            "report this, with the mail",
        )
    })
}

/// Counts what could nest, here and inside encoded messages, and what could be a header, before
/// anything is parsed.
fn guard(bytes: &[u8], depth: usize) -> Result<(), Refusal> {
    let parts = count(bytes, TYPE_HEADER);
    if parts > MAIL_PARTS_MAX || depth > ENCODED_DEPTH_MAX {
        let reason = format!("a mail of {parts} parts, {depth} encoded messages deep");
        let remedy = format!("at most {MAIL_PARTS_MAX} parts and {ENCODED_DEPTH_MAX} levels are read");
        return Err(Refusal::too_large("", reason, remedy));
    }
    if depth > 0 && parts == 0 {
        return Ok(());
    }
    let lines = structure_lines(bytes);
    if lines > MAIL_STRUCTURE_LINES_MAX {
        return Err(Refusal::too_large(
            "",
            format!("a mail of {lines} lines that could be headers"),
            format!("at most {MAIL_STRUCTURE_LINES_MAX} are read; attach long text files encoded"),
        ));
    }
    if depth == 0 {
        return Ok(());
    }
    let hidden = without_encodings(bytes);
    match parse(&hidden)? {
        Some(message) => guard_inside(&message, &hidden, depth),
        None => Ok(()),
    }
}

fn structure_lines(bytes: &[u8]) -> usize {
    let begins = |line: &&[u8]| line.starts_with(b"--") || line.iter().take(80).any(|byte| *byte == b':');
    bytes.split(|byte| *byte == b'\n').filter(begins).count()
}

fn guard_inside(message: &Message<'_>, raw: &[u8], depth: usize) -> Result<(), Refusal> {
    for part in &message.parts {
        if let PartType::Message(inner) = &part.body {
            guard_inside(inner, raw, depth)?;
        } else if encoding(part).is_some()
            && let Some(part) = decoded(part, raw, raw)
        {
            guard(&part.bytes, depth + 1)?;
        }
    }
    Ok(())
}

/// The content of a part that is a message or a file; `None` for text and containers. `raw` is what
/// was parsed, `original` what had arrived: equally long, and the one that is evidence.
fn decoded(part: &MessagePart<'_>, raw: &[u8], original: &[u8]) -> Option<Part> {
    if matches!(part.body, PartType::Multipart(_)) {
        return None;
    }
    let name = part.attachment_name().unwrap_or_default();
    let typed_message = part.content_type().is_some_and(|kind| {
        kind.c_type.eq_ignore_ascii_case("message")
            && kind
                .subtype()
                .is_some_and(|subtype| matches!(subtype.to_ascii_lowercase().as_str(), "rfc822" | "global"))
    });
    let is_message = typed_message || has_extension(name, "eml") || matches!(part.body, PartType::Message(_));
    let attached = part
        .content_disposition()
        .is_some_and(mail_parser::ContentType::is_attachment);
    let is_file = !is_message && (attached || !name.is_empty());
    if !is_message && !is_file && encoding(part).is_none() {
        return None;
    }
    let start = usize::try_from(part.offset_body).ok()?;
    let slice = original.get(start..usize::try_from(part.offset_end).ok()?)?;
    // Of an encoded message the parser knows the true end only as text.
    let body = if is_message && part.is_text() {
        let text = part.contents();
        let here = start..start + text.len();
        match raw.get(here.clone()) {
            Some(same) if same == text => original.get(here)?,
            _ => text,
        }
    } else {
        slice
    };
    let bytes = match encoding(part) {
        Some(Encoding::Base64) => base64(body),
        Some(Encoding::QuotedPrintable) => quoted_printable_decode(body),
        None => None,
    };
    let bytes = bytes.unwrap_or_else(|| body.to_vec());
    (bytes.len() <= MAIL_BYTES_MAX).then_some(Part {
        bytes,
        is_message,
        is_file,
    })
}

/// Decodes base64 at least as leniently as the parser does: what is no digit is passed over.
fn base64(body: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let digits: Vec<u8> = body.iter().copied().filter(digit).collect();
    base64_decode(&digits)
}

fn has_extension(name: &str, wanted: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case(wanted))
}

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Base64,
    QuotedPrintable,
}

fn encoding(part: &MessagePart<'_>) -> Option<Encoding> {
    let header = part.headers.iter().find(
        |header| matches!(&header.name, HeaderName::Other(name) if name.eq_ignore_ascii_case(HIDDEN_HEADER)),
    )?;
    match header.value.as_text()?.trim().to_ascii_lowercase().as_str() {
        "base64" => Some(Encoding::Base64),
        "quoted-printable" => Some(Encoding::QuotedPrintable),
        _ => None,
    }
}

/// A copy, byte for byte as long, in which the parser finds no transfer encoding.
fn without_encodings(bytes: &[u8]) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    for start in places(bytes, ENCODING_HEADER) {
        if let Some(first) = copy.get_mut(start) {
            *first = b'X';
        }
    }
    copy
}

fn count(bytes: &[u8], word: &[u8]) -> usize {
    places(bytes, word).count()
}

/// Where one of the two header names stands, in any case. Both have their first `-` at
/// [`DASH_AT`], and dashes are rare.
fn places<'b>(bytes: &'b [u8], word: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
    let dashes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'-');
    dashes.filter_map(move |(dash, _)| {
        let start = dash.checked_sub(DASH_AT)?;
        let found = bytes.get(start..start + word.len())?;
        found.eq_ignore_ascii_case(word).then_some(start)
    })
}
