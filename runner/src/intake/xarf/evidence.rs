//! Evidence inside a report: decoded, checked against its digest, kept as a file, replaced in the
//! raw report by where it went.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use playbooks::incident::FileRef;
use serde_json::{Value, json};

use crate::intake::KeptFile;
use crate::intake::draft::{Draft, sha256};
use crate::intake::text::{NAME_CHARACTERS_MAX, line};

/// Base64 with or without its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One piece of evidence as the report has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'r> {
    pub(super) payload: &'r str,
    pub(super) base64: bool,
    pub(super) name: Option<&'r str>,
    pub(super) media_type: Option<&'r str>,
    /// `sha256:…` of the content, as the reporter claims.
    pub(super) claimed: Option<&'r str>,
}

/// Keeps the piece with the draft. What stands in the raw report instead of the payload.
pub(super) fn keep(draft: &mut Draft, piece: Piece<'_>) -> Value {
    let packed: String = piece.payload.split_ascii_whitespace().collect();
    let decoded = if piece.base64 {
        LENIENT.decode(packed).ok()
    } else {
        None
    };
    if piece.base64 && decoded.is_none() {
        draft.tag("evidence-not-base64");
    }
    let bytes = decoded.unwrap_or_else(|| piece.payload.as_bytes().to_vec());
    let digest = sha256(&bytes);
    let claimed = piece.claimed.and_then(|claim| claim.strip_prefix("sha256:"));
    if claimed.is_some_and(|claim| !claim.eq_ignore_ascii_case(&digest)) {
        draft.tag("evidence-digest-differs");
    }
    let position = draft.files.len() + 1;
    let name = piece
        .name
        .map(|name| line(name, NAME_CHARACTERS_MAX))
        .filter(|name| !name.is_empty());
    let reference = FileRef {
        name: name.unwrap_or_else(|| format!("evidence-{position}")),
        sha256: digest.clone(),
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        media_type: piece.media_type.map(|text| line(text, NAME_CHARACTERS_MAX)),
    };
    draft.incident.files.push(reference.clone());
    draft.files.push(KeptFile { reference, bytes });
    json!(format!("kept as a file, sha256:{digest}"))
}
