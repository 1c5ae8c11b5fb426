//! Walking the whole journal: what `doctor` asks for.

use super::Shared;
use super::lookup;
use crate::journal::Position;
use crate::store::StoreError;

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Frames of the journal: writes.
    pub frames: u64,
    /// Audit entries in them.
    pub entries: u64,
}

impl Shared {
    /// Checks every frame, that each goes on from the one before, and that every record is one.
    pub(super) fn verify(&self) -> Result<Verified, StoreError> {
        let end = self.end();
        let mut verified = Verified {
            frames: 0,
            entries: 0,
        };
        let mut at = Position::start_of(1);
        let mut hash = [0; 32];
        while at < end {
            let frame = self.reader.frame_from(at)?;
            if frame.at >= end {
                break;
            }
            if frame.head.previous != hash || frame.head.first != verified.entries {
                return Err(StoreError::Damaged {
                    place: frame.at.to_string(),
                    reason: "the frame does not go on from the one before".to_owned(),
                });
            }
            lookup::decode(&frame, &self.files)?;
            verified.frames += 1;
            verified.entries += u64::from(frame.head.entries);
            hash = frame.hash;
            at = frame.next;
        }
        Ok(verified)
    }
}
