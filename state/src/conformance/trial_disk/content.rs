//! What a file holds: now, and after a crash.

use std::collections::BTreeSet;

use super::{Left, Random};

/// Bytes that are written as one or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Debug, Default, Clone)]
pub(super) struct Content {
    pub(super) now: Vec<u8>,
    pub(super) synced: Vec<u8>,
    /// Sectors written since the last sync.
    pub(super) dirty: BTreeSet<usize>,
}

impl Content {
    pub(super) fn put(&mut self, bytes: &[u8], at: usize) {
        let end = at + bytes.len();
        if self.now.len() < end {
            self.resize(end);
        }
        if let Some(place) = self.now.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        self.touch(at, end);
    }

    pub(super) fn resize(&mut self, length: usize) {
        let (least, most) = (self.now.len().min(length), self.now.len().max(length));
        self.now.resize(length, 0);
        // New zero bytes need no touch of their own: the length carries them. Of a cut, all goes.
        let all = length == least;
        self.touch(least, if all { most } else { most.min(least + SECTOR_BYTES) });
    }

    fn touch(&mut self, from: usize, to: usize) {
        self.dirty.extend(from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES));
    }

    /// Makes the length and the dirty sectors durable. What a failed sync dropped is not dirty any
    /// more: it is read as if it were there, and no later sync writes it.
    pub(super) fn sync(&mut self) {
        self.synced.resize(self.now.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            self.write_back(sector);
        }
    }

    fn write_back(&mut self, sector: usize) {
        let from = sector * SECTOR_BYTES;
        let to = (from + SECTOR_BYTES).min(self.now.len()).min(self.synced.len());
        if let (Some(new), Some(old)) = (self.now.get(from..to), self.synced.get_mut(from..to)) {
            old.copy_from_slice(new);
        }
    }

    pub(super) fn after_crash(&mut self, left: Left, random: &mut Random) {
        match left {
            // The kernel still has it all, and still owes what was not synced.
            Left::Everything => return,
            Left::Synced => {}
            Left::Torn(_) => {
                if self.now.len() != self.synced.len() && random.coin() {
                    self.synced.resize(self.now.len(), 0);
                }
                for sector in self.dirty.clone() {
                    if random.coin() {
                        self.write_back(sector);
                    }
                }
            }
        }
        self.now.clone_from(&self.synced);
        self.dirty.clear();
    }
}
