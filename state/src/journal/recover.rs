//! Opening a journal: finds its end, tells a torn tail from damage, and reads what the index
//! has not seen.
//!
//! A tail is torn when a group was being written as the power went: it was never acknowledged and
//! is cut off. Everything before the last group was durable once; if it does not fit now, it is
//! damaged, and nothing is cut. Each frame says where its group begins, so a whole frame that
//! comes later tells the two apart.
//!
//! What can be read is not yet durable: after a failed sync the kernel keeps the bytes, calls them
//! clean, and no later sync writes them. So the last group is written once more before anything
//! builds on it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tracing::warn;

use super::frame::{self, HEAD_BYTES, Hash, Head, SegmentHead};
use super::reader::{Found, Frame, JournalReader};
use super::{Journal, Position, create_segment, damaged, segment_path};
use crate::disk::{self, Disk, DiskFile, read_up_to};
use crate::store::StoreError;

/// How far an index has read the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Where it goes on.
    pub(crate) next: Position,
    /// The next audit entry.
    pub(crate) next_entry: u64,
    /// The last frame it has read.
    pub(crate) last: Position,
    /// Its hash.
    pub(crate) last_hash: Hash,
}

impl Checkpoint {
    const BYTES: usize = 56;

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(&self.next.to_number().to_be_bytes());
        out.extend_from_slice(&self.next_entry.to_be_bytes());
        out.extend_from_slice(&self.last.to_number().to_be_bytes());
        out.extend_from_slice(&self.last_hash);
        out
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 8)?;
            Some(u64::from_be_bytes(bytes.try_into().ok()?))
        };
        if bytes.len() != Self::BYTES {
            return None;
        }
        Some(Self {
            next: Position::from_number(number(0)?),
            next_entry: number(8)?,
            last: Position::from_number(number(16)?),
            last_hash: bytes.get(24..)?.try_into().ok()?,
        })
    }

    /// Whether this journal holds what the checkpoint says it has read.
    fn is_of(&self, reader: &JournalReader, segments: u32) -> bool {
        if self.last.segment == 0 || self.last.segment > segments {
            return false;
        }
        matches!(reader.look(self.last), Ok(Found::Frame(frame))
            if frame.hash == self.last_hash
                && frame.next == self.next
                && frame.head.first + u64::from(frame.head.entries) == self.next_entry)
    }
}

/// An opened journal.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) journal: Journal,
    pub(crate) reader: Arc<JournalReader>,
}

struct Walk<'a> {
    reader: &'a JournalReader,
    at: Position,
    next_entry: u64,
    hash: Hash,
    /// Where the group of the last frame begins; nothing when there is no frame.
    group: Option<Position>,
}

/// Opens the journal in a folder, making it when there is none, and hands every frame after the
/// checkpoint to `visit`; every frame, without one. Gives nothing, and visits nothing, when the
/// checkpoint is not of this journal.
pub(crate) fn recover(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    segment_bytes: u64,
    checkpoint: Option<&Checkpoint>,
    visit: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
) -> Result<Option<Recovered>, StoreError> {
    let failed = |error: io::Error| StoreError::Stopped {
        reason: format!("the journal in {} cannot be opened: {error}", folder.display()).into(),
    };
    disk::create_folder(&**disk, folder).map_err(failed)?;
    let mut segments = count_segments(&**disk, folder)?;
    let reader = Arc::new(JournalReader::new(Arc::clone(disk), folder.to_owned()));
    if segments > 0 && drop_unborn(&**disk, &reader, folder, segments)? {
        segments -= 1;
    }
    if segments == 0 {
        let head = SegmentHead {
            number: 1,
            first: 0,
            previous: [0; 32],
        };
        create_segment(&**disk, folder, &head, segment_bytes).map_err(failed)?;
        segments = 1;
    }

    let mut walk = Walk {
        reader: &reader,
        at: Position::start_of(1),
        next_entry: 0,
        hash: [0; 32],
        group: None,
    };
    if let Some(checkpoint) = checkpoint {
        if !checkpoint.is_of(&reader, segments) {
            // The index goes, but not before it was heard: it may know of more than is left.
            walk.all(segments, &mut |_| Ok(()))?;
            walk.torn(Some(checkpoint))?;
            return Ok(None);
        }
        walk.at = checkpoint.next;
        walk.next_entry = checkpoint.next_entry;
        walk.hash = checkpoint.last_hash;
        walk.group = Some(reader.frame(checkpoint.last)?.head.group);
    }
    walk.all(segments, visit)?;
    walk.cut_tail(segment_bytes, checkpoint)?;
    let journal = Journal {
        disk: Arc::clone(disk),
        folder: folder.to_owned(),
        segment_bytes,
        file: reader.file(walk.at)?,
        end: walk.at,
        next_entry: walk.next_entry,
        last_hash: walk.hash,
    };
    Ok(Some(Recovered { journal, reader }))
}

/// How many segments there are; an error when one is missing.
fn count_segments(disk: &dyn Disk, folder: &Path) -> Result<u32, StoreError> {
    let names = disk.list(folder).map_err(|error| StoreError::Stopped {
        reason: format!("{} cannot be read: {error}", folder.display()).into(),
    })?;
    let mut numbers: Vec<u32> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".journal")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    for (expected, found) in (1..).zip(&numbers) {
        if expected != *found {
            return Err(StoreError::Damaged {
                place: segment_path(folder, expected).display().to_string(),
                reason: "this segment of the journal is missing; put it back from a backup".to_owned(),
            });
        }
    }
    Ok(u32::try_from(numbers.len()).unwrap_or(u32::MAX))
}

/// Removes the last segment if it never came to be: its head was not durable when the power went,
/// so nothing can have been written after it.
fn drop_unborn(
    disk: &dyn Disk,
    reader: &JournalReader,
    folder: &Path,
    last: u32,
) -> Result<bool, StoreError> {
    let position = Position {
        segment: last,
        offset: 0,
    };
    let unreadable = |error: io::Error| damaged(folder, position, error.to_string());
    let file = reader.file(position)?;
    let head = read_up_to(&*file, 0, HEAD_BYTES).map_err(unreadable)?;
    if SegmentHead::read(&head).is_some() {
        return Ok(false);
    }
    if !rest_is_zero(reader, Position::start_of(last))? {
        return Err(damaged(folder, position, "the head of the segment does not fit"));
    }
    warn!(file = %segment_path(folder, last).display(), "a segment that was never used is removed");
    disk.remove(&segment_path(folder, last))
        .and_then(|()| disk.sync_folder(folder))
        .map_err(unreadable)?;
    reader.forget(last);
    Ok(true)
}

impl Walk<'_> {
    /// Reads to the end, or to what does not fit in the last segment.
    fn all(
        &mut self,
        segments: u32,
        visit: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        loop {
            self.check_segment()?;
            self.segment(visit)?;
            if self.at.segment >= segments {
                return Ok(());
            }
            self.must_end_here()?;
            self.at = Position::start_of(self.at.segment + 1);
        }
    }

    /// The segment's head must go on from what was read.
    fn check_segment(&self) -> Result<(), StoreError> {
        let start = Position {
            segment: self.at.segment,
            offset: 0,
        };
        let folder = self.reader.folder();
        let file = self.reader.file(start)?;
        let bytes = read_up_to(&*file, 0, HEAD_BYTES)
            .map_err(|error| damaged(folder, start, format!("it cannot be read: {error}")))?;
        let head = SegmentHead::read(&bytes)
            .ok_or_else(|| damaged(folder, start, "the head of the segment does not fit"))?;
        let begins_here = self.at == Position::start_of(self.at.segment);
        let goes_on = !begins_here || (head.first == self.next_entry && head.previous == self.hash);
        if head.number != self.at.segment || !goes_on {
            return Err(damaged(
                folder,
                start,
                "the segment does not go on from the one before",
            ));
        }
        Ok(())
    }

    /// Reads frames until one does not fit or the segment ends.
    fn segment(&mut self, visit: &mut dyn FnMut(Frame) -> Result<(), StoreError>) -> Result<(), StoreError> {
        while let Found::Frame(frame) = self.reader.look(self.at)? {
            if frame.head.previous != self.hash || frame.head.first != self.next_entry {
                let reason = "the frame does not go on from the one before";
                return Err(damaged(self.reader.folder(), self.at, reason));
            }
            self.at = frame.next;
            self.hash = frame.hash;
            self.next_entry += u64::from(frame.head.entries);
            self.group = Some(frame.head.group);
            visit(frame)?;
        }
        Ok(())
    }

    /// In a segment that has a successor nothing can be torn.
    fn must_end_here(&self) -> Result<(), StoreError> {
        let folder = self.reader.folder();
        match self.reader.look(self.at)? {
            Found::Bad(reason) => Err(damaged(folder, self.at, reason)),
            Found::End if rest_is_zero(self.reader, self.at)? => Ok(()),
            Found::End | Found::Frame(_) => Err(damaged(
                folder,
                self.at,
                "zero bytes where a frame was, with data after them",
            )),
        }
    }

    /// Whether the last segment has a tail that was never acknowledged. An error when it is
    /// damage.
    fn torn(&self, checkpoint: Option<&Checkpoint>) -> Result<bool, StoreError> {
        let folder = self.reader.folder();
        let torn = match self.reader.look(self.at)? {
            Found::End => !rest_is_zero(self.reader, self.at)?,
            Found::Bad(_) | Found::Frame(_) => true,
        };
        if torn && later_frame(self.reader, self.at, self.next_entry)? {
            let reason = "the frame does not fit, and later ones prove that it was whole once; put the file \
                          back from a backup";
            return Err(damaged(folder, self.at, reason));
        }
        if torn && checkpoint.is_some_and(|checkpoint| checkpoint.last >= self.at) {
            let reason = "the frame does not fit, and the index shows that it was acknowledged; if the \
                          journal was put back from a backup on purpose, remove the folder `index`";
            return Err(damaged(folder, self.at, reason));
        }
        Ok(torn)
    }

    /// In the last segment: cuts off what was never acknowledged, or finds the damage.
    fn cut_tail(&self, segment_bytes: u64, checkpoint: Option<&Checkpoint>) -> Result<(), StoreError> {
        let folder = self.reader.folder();
        let file = self.reader.file(self.at)?;
        let failed = |error: io::Error| damaged(folder, self.at, format!("the tail cannot be cut: {error}"));
        let end = u64::from(self.at.offset);
        if self.torn(checkpoint)? {
            let path = segment_path(folder, self.at.segment);
            warn!(file = %path.display(), at = end, "a write that was never acknowledged is cut off");
            file.set_length(end).map_err(failed)?;
        }
        if file.length().map_err(failed)? < segment_bytes
            && let Err(error) = file.allocate(segment_bytes)
        {
            warn!(%error, "the journal's segment cannot be reserved in full");
            file.set_length(end).map_err(failed)?;
        }
        // What was read may so far be in memory only; the index and the world build on it now.
        self.write_again(&*file)
            .and_then(|()| file.sync())
            .and_then(|()| self.reader.disk().sync_folder(folder))
            .map_err(|error| {
                damaged(
                    folder,
                    self.at,
                    format!("the end cannot be made durable: {error}"),
                )
            })
    }

    /// Writes the last group where it stands, and the segment's head: the only bytes whose sync
    /// can have failed. All before was durable when they were written.
    fn write_again(&self, file: &dyn DiskFile) -> io::Result<()> {
        let head = read_up_to(file, 0, HEAD_BYTES)?;
        file.write_at(&head, 0)?;
        let Some(group) = self.group.filter(|group| group.segment == self.at.segment) else {
            return Ok(());
        };
        let start = u64::from(group.offset);
        let length = u64::from(self.at.offset).saturating_sub(start);
        let bytes = read_up_to(file, start, usize::try_from(length).unwrap_or(usize::MAX))?;
        file.write_at(&bytes, start)
    }
}

/// Whether only zero bytes follow.
fn rest_is_zero(reader: &JournalReader, from: Position) -> Result<bool, StoreError> {
    const CHUNK: usize = 1024 * 1024;
    let file = reader.file(from)?;
    let mut offset = u64::from(from.offset);
    loop {
        let bytes = read_up_to(&*file, offset, CHUNK)
            .map_err(|error| damaged(reader.folder(), from, format!("it cannot be read: {error}")))?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        offset += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }
}

/// Whether a whole frame follows that was written after everything up to `from` was durable, and
/// beyond. `next_entry` is the least position its entries can have.
fn later_frame(reader: &JournalReader, from: Position, next_entry: u64) -> Result<bool, StoreError> {
    let file = reader.file(from)?;
    let length = file
        .length()
        .map_err(|error| damaged(reader.folder(), from, error.to_string()))?;
    let rest = usize::try_from(length.saturating_sub(u64::from(from.offset))).unwrap_or(usize::MAX);
    let bytes = read_up_to(&*file, u64::from(from.offset), rest)
        .map_err(|error| damaged(reader.folder(), from, format!("it cannot be read: {error}")))?;
    let at = |start: usize| -> Option<bool> {
        let candidate = bytes.get(start..)?;
        // Most places are ruled out by kind and version alone.
        if !matches!(candidate.get(8..12)?, [1 | 2, 1, 0, 0]) {
            return None;
        }
        let head = Head::read(candidate.get(..HEAD_BYTES)?)?;
        let later = head.group > from && head.group.segment == from.segment;
        let plausible = head.first >= next_entry;
        Some(later && plausible && frame::is_whole(candidate.get(..head.frame_bytes())?))
    };
    Ok((1..bytes.len()).any(|start| at(start) == Some(true)))
}
