//! The journal: an append-only chain of frames, and the truth.
//!
//! Owns durability and order. Frames are only ever appended; what is damaged is named, never
//! skipped. Knows nothing of what a record means.
//!
//! Files are `journal/00000001.journal` and so on, numbered without gaps. A segment is reserved
//! in full when it is made, so its length says nothing about its content: the zero bytes after
//! the last frame are the end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, warn};

use crate::disk::{self, Disk, DiskFile};
use crate::store::StoreError;

pub(crate) mod frame;
mod reader;
mod recover;

pub(crate) use frame::{Hash, INLINE_BYTES_MAX, Kind};
pub(crate) use reader::{Frame, JournalReader};
pub(crate) use recover::{Checkpoint, Recovered, recover};

use frame::{Head, SegmentHead};

/// Bytes of a group at most, beyond its last frame.
pub(crate) const GROUP_BYTES_MAX: usize = 1024 * 1024;
/// Room that a segment must have for another group: the bytes of one and of its last frame.
const GROUP_ROOM: u64 = 1024 * 1024 + 64 * 1024 + 64;
/// Bytes of a segment.
pub(crate) const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// The smallest segment that a group and its head fit into.
pub(crate) const SEGMENT_BYTES_MIN: u64 = 2 * 1024 * 1024;

/// A place in the journal: segment and offset. Ordered as the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    segment: u32,
    offset: u32,
}

impl Position {
    /// The first frame of a segment.
    pub(crate) const fn start_of(segment: u32) -> Self {
        Self { segment, offset: 64 }
    }

    pub(crate) fn to_number(self) -> u64 {
        (u64::from(self.segment) << 32) | u64::from(self.offset)
    }

    pub(crate) const fn from_number(number: u64) -> Self {
        Self {
            segment: (number >> 32) as u32,
            offset: (number & 0xffff_ffff) as u32,
        }
    }

    fn plus(self, bytes: usize) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            segment: self.segment,
            offset: self.offset.saturating_add(bytes),
        }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "journal/{:08}.journal at byte {}", self.segment, self.offset)
    }
}

/// The file of a segment.
pub(crate) fn segment_path(folder: &Path, segment: u32) -> PathBuf {
    folder.join(format!("{segment:08}.journal"))
}

/// Why a group was not written. Nothing of it is in the journal.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// No room. The journal goes on.
    Full,
    /// It is not known what is on the device. The journal must not be written any more.
    Broken(String),
}

/// The end of the journal, for the one who writes.
#[derive(Debug)]
pub(crate) struct Journal {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    segment_bytes: u64,
    file: Arc<dyn DiskFile>,
    end: Position,
    next_entry: u64,
    last_hash: Hash,
}

/// Frames that become durable together.
#[derive(Debug)]
pub(crate) struct Group {
    start: Position,
    bytes: Vec<u8>,
    next_entry: u64,
    last_hash: Hash,
    /// Where the last frame begins.
    last: Option<Position>,
}

impl Group {
    /// Where the next frame will be.
    pub(crate) fn next_position(&self) -> Position {
        self.start.plus(self.bytes.len())
    }

    /// Position of the next frame's first audit entry.
    pub(crate) fn next_entry(&self) -> u64 {
        self.next_entry
    }

    /// Adds a frame and returns where it is. The body is at most [`INLINE_BYTES_MAX`] bytes.
    pub(crate) fn push(&mut self, kind: Kind, entries: u32, body: &[u8]) -> Position {
        let position = self.next_position();
        let head = Head {
            body_bytes: 0,
            kind,
            entries,
            first: self.next_entry,
            previous: self.last_hash,
            group: self.start,
        };
        self.last_hash = head.write(body, &mut self.bytes);
        self.next_entry = self.next_entry.saturating_add(u64::from(entries));
        self.last = Some(position);
        position
    }

    /// Whether it takes another frame.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes.len() < GROUP_BYTES_MAX
    }

    /// Where the index stands when it holds all of the group.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        Some(Checkpoint {
            next: self.next_position(),
            next_entry: self.next_entry,
            last: self.last?,
            last_hash: self.last_hash,
        })
    }
}

impl Journal {
    /// Where the next frame will be, unless a segment begins before.
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// Position of the next audit entry.
    pub(crate) fn next_entry(&self) -> u64 {
        self.next_entry
    }

    /// Begins a group, in a new segment when the current one has no room.
    pub(crate) fn begin(&mut self) -> Result<Group, WriteError> {
        if u64::from(self.end.offset).saturating_add(GROUP_ROOM) > self.segment_bytes {
            self.rotate()?;
        }
        Ok(Group {
            start: self.end,
            bytes: Vec::new(),
            next_entry: self.next_entry,
            last_hash: self.last_hash,
            last: None,
        })
    }

    /// Makes a group durable.
    pub(crate) fn write(&mut self, group: &Group) -> Result<(), WriteError> {
        if group.bytes.is_empty() {
            return Ok(());
        }
        let at = u64::from(group.start.offset);
        if let Err(error) = self.file.write_at(&group.bytes, at) {
            return Err(self.roll_back(&error));
        }
        if let Err(error) = self.file.sync() {
            return Err(self.broken("a sync of", &error));
        }
        self.end = group.next_position();
        self.next_entry = group.next_entry;
        self.last_hash = group.last_hash;
        Ok(())
    }

    /// After a failed write: takes back what part of it may have been written.
    fn roll_back(&self, cause: &io::Error) -> WriteError {
        if !disk::is_full(cause) {
            return self.broken("a write to", cause);
        }
        let end = u64::from(self.end.offset);
        match self.file.set_length(end).and_then(|()| self.file.sync()) {
            Ok(()) => {
                warn!(folder = %self.folder.display(), "the disk is full; nothing of the group was stored");
                WriteError::Full
            }
            Err(error) => self.broken("taking back a write to", &error),
        }
    }

    fn broken(&self, what: &str, error: &io::Error) -> WriteError {
        let path = segment_path(&self.folder, self.end.segment);
        error!(file = %path.display(), %error, "{what} the journal failed; the store stops");
        WriteError::Broken(format!("{what} {} failed: {error}", path.display()))
    }

    fn rotate(&mut self) -> Result<(), WriteError> {
        // The unused rest is given back, so that a full segment ends with its last frame.
        let end = u64::from(self.end.offset);
        if let Err(error) = self.file.set_length(end).and_then(|()| self.file.sync()) {
            return Err(self.broken("closing a segment of", &error));
        }
        let head = SegmentHead {
            number: self.end.segment.saturating_add(1),
            first: self.next_entry,
            previous: self.last_hash,
        };
        self.file =
            create_segment(&*self.disk, &self.folder, &head, self.segment_bytes).map_err(|error| {
                if disk::is_full(&error) {
                    warn!(folder = %self.folder.display(), "the disk is full; no room for a new segment");
                    WriteError::Full
                } else {
                    self.broken("starting a segment after", &error)
                }
            })?;
        self.end = Position::start_of(head.number);
        Ok(())
    }
}

/// Makes a segment durable: its space, its head and its name.
fn create_segment(
    disk: &dyn Disk,
    folder: &Path,
    head: &SegmentHead,
    bytes: u64,
) -> io::Result<Arc<dyn DiskFile>> {
    let path = segment_path(folder, head.number);
    let file = disk.create(&path)?;
    let made = file
        .allocate(bytes)
        .and_then(|()| file.write_at(&head.to_bytes(), 0));
    match made {
        Ok(()) => {
            // A failed sync is never "no room": what is on the device is not known any more.
            file.sync().map_err(io::Error::other)?;
            disk.sync_folder(folder).map_err(io::Error::other)?;
            Ok(file)
        }
        Err(error) => {
            // An attempt without room leaves nothing behind, so that the next one can succeed.
            disk.remove(&path)?;
            Err(error)
        }
    }
}

fn damaged(folder: &Path, position: Position, reason: impl Into<String>) -> StoreError {
    let path = segment_path(folder, position.segment);
    StoreError::Damaged {
        place: format!("{} at byte {}", path.display(), position.offset),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests;
