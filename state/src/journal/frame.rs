//! The bytes of a frame and of a segment's head.
//!
//! Owns the layout. All numbers are little-endian.
//!
//! | bytes | frame head |
//! | --- | --- |
//! | 0..4 | length of the body, never 0 |
//! | 4..8 | CRC-32C over bytes 0..4, 8..64 and the body |
//! | 8 | kind: 1 body here, 2 body in a file |
//! | 9 | version: 1 |
//! | 10..12 | zero |
//! | 12..16 | audit entries of the record |
//! | 16..24 | position of its first audit entry |
//! | 24..56 | SHA-256 of the frame before (of the whole frame; zero for the first ever) |
//! | 56..64 | where the group that it was written in begins: all before was durable by then |
//!
//! | bytes | segment head |
//! | --- | --- |
//! | 0..8 | `SORTIEJ1` |
//! | 8..12 | CRC-32C over bytes 0..8 and 12..64 |
//! | 12..16 | number of the segment, from 1 |
//! | 16..24 | position of the first audit entry |
//! | 24..56 | SHA-256 of the last frame of the segment before |
//! | 56..64 | zero |

use sha2::{Digest as _, Sha256};

use super::Position;

/// Bytes of a frame's head, and of a segment's.
pub(crate) const HEAD_BYTES: usize = 64;
/// The longest body that a frame carries; longer ones lie in files.
pub(crate) const INLINE_BYTES_MAX: usize = 64 * 1024;
const VERSION: u8 = 1;
const SEGMENT_MAGIC: &[u8; 8] = b"SORTIEJ1";

/// SHA-256 of a frame.
pub(crate) type Hash = [u8; 32];

/// Where the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In the frame.
    Inline,
    /// In a file; the frame names it.
    InFile,
}

/// The head of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) body_bytes: u32,
    pub(crate) kind: Kind,
    pub(crate) entries: u32,
    pub(crate) first: u64,
    pub(crate) previous: Hash,
    pub(crate) group: Position,
}

fn number4(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn number8(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// CRC-32C over everything but the checksum itself, which lies at `at..at + 4`.
fn checksum(bytes: &[u8], at: usize) -> Option<u32> {
    let before = crc32c::crc32c(bytes.get(..at)?);
    Some(crc32c::crc32c_append(before, bytes.get(at.checked_add(4)?..)?))
}

impl Head {
    /// Appends the whole frame to `out` and returns its hash. `body_bytes` is taken from `body`.
    pub(crate) fn write(&self, body: &[u8], out: &mut Vec<u8>) -> Hash {
        let start = out.len();
        let kind = match self.kind {
            Kind::Inline => 1,
            Kind::InFile => 2,
        };
        out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&[kind, VERSION, 0, 0]);
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&self.group.to_number().to_le_bytes());
        out.extend_from_slice(body);
        let frame = out.get_mut(start..).unwrap_or_default();
        let sum = checksum(frame, 4).unwrap_or(0).to_le_bytes();
        if let Some(place) = frame.get_mut(4..8) {
            place.copy_from_slice(&sum);
        }
        Sha256::digest(frame).into()
    }

    /// The head in these bytes, if they can be one. The checksum is not looked at.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let body_bytes = number4(bytes, 0)?;
        let kind = match bytes.get(8)? {
            1 => Kind::Inline,
            2 => Kind::InFile,
            _ => return None,
        };
        let length = usize::try_from(body_bytes).ok()?;
        let fits = (1..=INLINE_BYTES_MAX).contains(&length) && bytes.get(9..12)? == [VERSION, 0, 0];
        fits.then_some(Self {
            body_bytes,
            kind,
            entries: number4(bytes, 12)?,
            first: number8(bytes, 16)?,
            previous: bytes.get(24..56)?.try_into().ok()?,
            group: Position::from_number(number8(bytes, 56)?),
        })
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_bytes(&self) -> usize {
        HEAD_BYTES.saturating_add(usize::try_from(self.body_bytes).unwrap_or(usize::MAX))
    }
}

/// Whether a whole frame's checksum fits.
pub(crate) fn is_whole(frame: &[u8]) -> bool {
    number4(frame, 4).is_some() && number4(frame, 4) == checksum(frame, 4)
}

/// The hash of a whole frame.
pub(crate) fn hash(frame: &[u8]) -> Hash {
    Sha256::digest(frame).into()
}

/// The head of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    pub(crate) number: u32,
    pub(crate) first: u64,
    pub(crate) previous: Hash,
}

impl SegmentHead {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES);
        out.extend_from_slice(SEGMENT_MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&[0; 8]);
        let sum = checksum(&out, 8).unwrap_or(0).to_le_bytes();
        if let Some(place) = out.get_mut(8..12) {
            place.copy_from_slice(&sum);
        }
        out
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEAD_BYTES)?;
        let whole = bytes.starts_with(SEGMENT_MAGIC) && number4(bytes, 8)? == checksum(bytes, 8)?;
        whole.then_some(Self {
            number: number4(bytes, 12)?,
            first: number8(bytes, 16)?,
            previous: bytes.get(24..56)?.try_into().ok()?,
        })
    }
}
