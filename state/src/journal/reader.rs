//! Reads frames, at a place or one after the other.
//!
//! Every frame read is checked against its checksum; a frame that does not fit is an error that
//! names file and offset.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::frame::{self, HEAD_BYTES, Hash, Head};
use super::{Checkpoint, Position, damaged, segment_path};
use crate::disk::{Disk, DiskFile, read_up_to};
use crate::store::StoreError;

/// Bytes that are read ahead of a frame's head: most frames come with one call.
const FIRST_READ_BYTES: usize = 4_096;

/// Segments that are kept open; of a long journal most are read rarely, and a process may have
/// about a thousand files.
pub(super) const OPEN_SEGMENTS_MAX: usize = 64;

/// A whole frame.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) hash: Hash,
    /// Where it begins.
    pub(crate) at: Position,
    /// Where the next one begins, unless the segment ends here.
    pub(crate) next: Position,
}

impl Frame {
    /// Where the index stands when it holds everything up to this frame.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            next: self.next,
            next_entry: self.head.first.saturating_add(u64::from(self.head.entries)),
            last: self.at,
            last_hash: self.hash,
        }
    }
}

/// What lies at a place.
#[derive(Debug)]
pub(crate) enum Found {
    /// A whole frame.
    Frame(Frame),
    /// The end of the file, or zero bytes where a head would be.
    End,
    /// Neither.
    Bad(&'static str),
}

/// Shared by all who read.
#[derive(Debug)]
pub(crate) struct JournalReader {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    open: Mutex<OpenSegments>,
}

/// At most [`OPEN_SEGMENTS_MAX`] segments; the one that was used longest ago makes room.
#[derive(Debug, Default)]
struct OpenSegments {
    files: BTreeMap<u32, (u64, Arc<dyn DiskFile>)>,
    /// Uses so far: the time of this set.
    uses: u64,
}

impl OpenSegments {
    fn get(&mut self, segment: u32) -> Option<Arc<dyn DiskFile>> {
        self.uses += 1;
        let (used, file) = self.files.get_mut(&segment)?;
        *used = self.uses;
        Some(Arc::clone(file))
    }

    fn put(&mut self, segment: u32, file: Arc<dyn DiskFile>) {
        while self.files.len() >= OPEN_SEGMENTS_MAX {
            let oldest = self.files.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(segment, _)| *segment) else {
                break;
            };
            self.files.remove(&oldest);
        }
        self.files.insert(segment, (self.uses, file));
    }
}

impl JournalReader {
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: PathBuf) -> Self {
        Self {
            disk,
            folder,
            open: Mutex::default(),
        }
    }

    /// Lets go of a segment that was removed.
    pub(super) fn forget(&self, segment: u32) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.files.remove(&segment);
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(super) fn folder(&self) -> &PathBuf {
        &self.folder
    }

    pub(super) fn file(&self, position: Position) -> Result<Arc<dyn DiskFile>, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(position.segment) {
            return Ok(file);
        }
        let path = segment_path(&self.folder, position.segment);
        let file = self
            .disk
            .open(&path)
            .map_err(|error| damaged(&self.folder, position, format!("it cannot be opened: {error}")))?;
        open.put(position.segment, Arc::clone(&file));
        Ok(file)
    }

    /// Bytes in use up to the journal's end.
    pub(crate) fn bytes(&self, end: Position) -> Result<u64, StoreError> {
        let mut bytes = u64::from(end.offset);
        for segment in 1..end.segment {
            let length = self.disk.length(&segment_path(&self.folder, segment));
            let at = Position::start_of(segment);
            bytes += length.map_err(|error| damaged(&self.folder, at, error.to_string()))?;
        }
        Ok(bytes)
    }

    /// What lies at a place.
    pub(super) fn look(&self, position: Position) -> Result<Found, StoreError> {
        let file = self.file(position)?;
        let offset = u64::from(position.offset);
        let read = |length| {
            read_up_to(&*file, offset, length)
                .map_err(|error| damaged(&self.folder, position, format!("it cannot be read: {error}")))
        };
        let mut bytes = read(FIRST_READ_BYTES)?;
        let head_bytes = bytes.get(..HEAD_BYTES.min(bytes.len())).unwrap_or_default();
        if head_bytes.iter().all(|byte| *byte == 0) {
            return Ok(Found::End);
        }
        let Some(head) = Head::read(head_bytes) else {
            return Ok(Found::Bad("no frame begins here"));
        };
        let length = head.frame_bytes();
        if length > bytes.len() {
            bytes = read(length)?;
        }
        bytes.truncate(length);
        if bytes.len() < length {
            return Ok(Found::Bad("the file ends within the frame"));
        }
        if !frame::is_whole(&bytes) {
            return Ok(Found::Bad("the checksum does not fit"));
        }
        let hash = frame::hash(&bytes);
        let body = bytes.split_off(HEAD_BYTES);
        Ok(Found::Frame(Frame {
            head,
            body,
            hash,
            at: position,
            next: position.plus(length),
        }))
    }

    /// The frame at a place where one must be.
    pub(crate) fn frame(&self, position: Position) -> Result<Frame, StoreError> {
        match self.look(position)? {
            Found::Frame(frame) => Ok(frame),
            Found::End => Err(damaged(
                &self.folder,
                position,
                "a frame is missing: there are only zero bytes",
            )),
            Found::Bad(reason) => Err(damaged(&self.folder, position, reason)),
        }
    }

    /// The frame at a place or, at the end of a segment, the first of the next one. `position`
    /// must lie before the end of the journal.
    pub(crate) fn frame_from(&self, position: Position) -> Result<Frame, StoreError> {
        match self.look(position)? {
            Found::End => self.frame(Position::start_of(position.segment.saturating_add(1))),
            Found::Frame(frame) => Ok(frame),
            Found::Bad(reason) => Err(damaged(&self.folder, position, reason)),
        }
    }
}
