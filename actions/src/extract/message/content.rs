//! The content of one part of a mail: transfer encoding, character set, name.
//!
//! Owns decoding. What a part is for, the walk decides.

use std::borrow::Cow;
use std::fmt::Write as _;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{ContentType, Header, HeaderName, MessagePart};

use super::NAME_CHARS_MAX;

/// Characters of a boundary (RFC 2046).
const BOUNDARY_CHARS_MAX: usize = 70;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransferEncoding {
    /// None, or one nobody knows.
    None,
    Base64,
    QuotedPrintable,
}

/// How the body of a part was encoded for transport.
pub(super) fn encoding(raw: &[u8], part: &MessagePart<'_>) -> TransferEncoding {
    let value = |header: &Header<'_>| {
        raw.get(header.offset_start as usize..header.offset_end as usize)
            .map(|bytes| String::from_utf8_lossy(bytes).trim().to_ascii_lowercase())
    };
    let word = part
        .headers
        .iter()
        .find(|header| header.name == HeaderName::ContentTransferEncoding)
        .and_then(value)
        .unwrap_or_default();
    match word.split([';', ' ', '(']).next().unwrap_or_default() {
        "base64" => TransferEncoding::Base64,
        "quoted-printable" => TransferEncoding::QuotedPrintable,
        _ => TransferEncoding::None,
    }
}

/// The content of a part. What cannot be decoded is kept as it came: evidence is never dropped.
pub(super) fn decoded<'b>(raw: &'b [u8], part: &MessagePart<'_>) -> Cow<'b, [u8]> {
    let start = part.offset_body as usize;
    let is_mail = matches!(part.offset_end, 0) || part.offset_end as usize <= start;
    let end = if is_mail {
        raw.len()
    } else {
        part.offset_end as usize
    };
    let bytes = raw.get(start..end.min(raw.len())).unwrap_or_default();
    let decoded = match encoding(raw, part) {
        TransferEncoding::None => None,
        TransferEncoding::Base64 => base64_decode(only_base64(bytes).as_slice()),
        TransferEncoding::QuotedPrintable => quoted_printable_decode(bytes),
    };
    decoded.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// The leading bytes that belong to base64, without white space.
fn only_base64(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        .collect()
}

/// The text in the declared character set, else as UTF-8 with marks for what is not.
pub(super) fn in_unicode(bytes: &[u8], content_type: Option<&ContentType<'_>>) -> String {
    let decoder = content_type
        .and_then(|ty| ty.attribute("charset"))
        .filter(|charset| !charset.is_empty())
        .and_then(|charset| charset_decoder(charset.as_bytes()));
    match decoder {
        Some(decode) => decode(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The declared type in lower case, without parameters.
pub(super) fn media_type(content_type: &ContentType<'_>) -> String {
    format!(
        "{}/{}",
        content_type.ctype().to_ascii_lowercase(),
        content_type.subtype().unwrap_or("*").to_ascii_lowercase()
    )
}

/// A file name as people may see it: the last segment, direction marks shown, no control
/// characters.
pub(super) fn shown_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let mut shown = String::with_capacity(last.len());
    for c in last.chars().take(NAME_CHARS_MAX) {
        if crate::notify::text::is_direction_mark(c) {
            // Writing to a text cannot fail.
            _ = write!(shown, "[U+{:04X}]", u32::from(c));
        } else if !c.is_control() {
            shown.push(c);
        }
    }
    if shown.trim().is_empty() {
        "unnamed".to_owned()
    } else {
        shown
    }
}

/// The parts again as a mail of their own, under the boundary that really stands between them: the
/// first line that begins with two hyphens.
pub(super) fn with_found_boundary(bytes: &[u8]) -> Option<Vec<u8>> {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .find(|line| line.starts_with(b"--"))?;
    let boundary = std::str::from_utf8(line.get(2..)?).ok()?.trim_end();
    let fits = (1..=BOUNDARY_CHARS_MAX).contains(&boundary.len())
        && boundary
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    if !fits {
        return None;
    }
    let mut repaired = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n").into_bytes();
    repaired.extend_from_slice(bytes);
    Some(repaired)
}
