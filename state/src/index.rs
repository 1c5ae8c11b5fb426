//! The index over the journal: sled, and over it what sled has not taken yet.
//!
//! Owns every use of sled. The index holds nothing that the journal does not; when it cannot be
//! opened or contradicts itself it is thrown away and made again. sled is never trusted with
//! durability: its flush does not reach the device.
//!
//! Writes land in the overlay first, once their group is durable, and reach sled from a thread of
//! its own; readers look in the overlay, then in sled, and so see every acknowledged write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sled::IVec;
use tracing::error;

use crate::store::StoreError;

pub(crate) mod heads;
pub(crate) mod keys;
mod merged;
mod opening;
pub(crate) mod project;

pub(crate) use merged::Merged;
pub(crate) use opening::{Opened, open};

/// A value is at most this many bytes: larger ones could make sled write files that it never
/// syncs, and that it then cannot open.
pub(crate) const VALUE_BYTES_MAX: usize = 4_096;
/// A key is at most this many bytes.
const KEY_BYTES_MAX: usize = 256;
/// Bytes of the checksum behind each value.
const SUM_BYTES: usize = 4;
/// The file whose presence says that the index must be made again.
const REBUILD_MARK: &str = "REBUILD";

/// Changes of the index: a key and its new value, or none.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<IVec>>;

#[derive(Debug)]
struct Pending {
    /// The number of the change; a later one wins.
    stamp: u64,
    value: Option<IVec>,
}

/// The index.
pub(crate) struct Index {
    folder: PathBuf,
    tree: sled::Db,
    overlay: RwLock<BTreeMap<Vec<u8>, Pending>>,
    /// The stamp of the last changes that were published.
    stamp: Mutex<u64>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Changes that are on their way to sled.
#[derive(Debug)]
pub(crate) struct Published {
    stamp: u64,
    changes: Changes,
}

impl Published {
    /// How many keys they change.
    pub(crate) fn changes(&self) -> usize {
        self.changes.len()
    }
}

/// A key and its value.
pub(crate) type Entry = (Vec<u8>, IVec);

/// Sees a key and its value, and says whether to go on.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &IVec) -> Result<bool, StoreError> + 'a;

/// What can be read: the index itself, or the index as it will be after the group being formed.
pub(crate) trait View {
    /// The bytes of a value.
    fn bytes(&self, key: &[u8]) -> Result<Option<IVec>, StoreError>;

    /// A value.
    fn value<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.bytes(key)?.map(|bytes| decode(key, &bytes)).transpose()
    }
}

/// Reads a value's JSON.
pub(crate) fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| damaged_key(key, &error.to_string()))
}

fn damaged_key(key: &[u8], reason: &str) -> StoreError {
    StoreError::Damaged {
        place: format!("index key {}", key.escape_ascii()),
        reason: reason.to_owned(),
    }
}

impl Index {
    fn new(folder: PathBuf, tree: sled::Db) -> Self {
        Self {
            folder,
            tree,
            overlay: RwLock::new(BTreeMap::new()),
            stamp: Mutex::new(0),
        }
    }

    /// Makes changes visible to readers. Only after the group they come from is durable.
    pub(crate) fn publish(&self, changes: Changes) -> Published {
        let stamp = {
            let mut stamp = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
            *stamp += 1;
            *stamp
        };
        let mut overlay = self.overlay.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in &changes {
            let value = value.clone();
            overlay.insert(key.clone(), Pending { stamp, value });
        }
        Published { stamp, changes }
    }

    /// Writes published changes to sled, in the order they were published, as one batch.
    pub(crate) fn absorb(&self, published: Vec<Published>) -> Result<(), StoreError> {
        let Some(newest) = published.last().map(|published| published.stamp) else {
            return Ok(());
        };
        let mut all = Changes::new();
        for published in published {
            all.extend(published.changes);
        }
        let mut batch = sled::Batch::default();
        for (key, value) in &all {
            match value {
                Some(value) => batch.insert(key.as_slice(), with_sum(key, value)),
                None => batch.remove(key.as_slice()),
            }
        }
        self.tree
            .apply_batch(batch)
            .map_err(|error| self.broken(&error))?;
        let mut overlay = self.overlay.write().unwrap_or_else(PoisonError::into_inner);
        for key in all.keys() {
            if overlay.get(key).is_some_and(|pending| pending.stamp <= newest) {
                overlay.remove(key);
            }
        }
        Ok(())
    }

    /// The first `limit` entries from `from` on, within a prefix; fewer only when there are no more.
    pub(crate) fn entries(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut found = Vec::new();
        let mut from = Some(from.to_vec());
        while let Some(start) = from.take().filter(|_| found.len() < limit) {
            from = self.gather(prefix, &start, limit, &mut found)?;
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Adds entries to `found` until it has `limit`, and says where to go on if it looked at a part
    /// of the overlay only.
    fn gather(
        &self,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
        found: &mut Vec<Entry>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let start = from.max(prefix).to_vec();
        let mut end = after_prefix(prefix);
        let mut go_on = None;
        let mut pending: BTreeMap<Vec<u8>, Option<IVec>> = BTreeMap::new();
        {
            let overlay = self.overlay.read().unwrap_or_else(PoisonError::into_inner);
            for (key, entry) in overlay.range(start.clone()..) {
                if !key.starts_with(prefix) {
                    break;
                }
                if pending.len() >= limit {
                    // Beyond this key the overlay was not looked at, so sled's answer is not taken.
                    end = Some(key.clone());
                    go_on = Some(key.clone());
                    break;
                }
                pending.insert(key.clone(), entry.value.clone());
            }
        }
        let range = match end {
            Some(end) => self.tree.range(start..end),
            None => self.tree.range(start..),
        };
        let mut pending = pending.into_iter().peekable();
        for entry in range {
            if found.len() >= limit {
                break;
            }
            let (key, value) = entry.map_err(|error| self.broken(&error))?;
            while let Some((newer, value)) = pending.next_if(|(newer, _)| newer.as_slice() < &*key) {
                found.extend(value.map(|value| (newer, value)));
            }
            if let Some((newer, value)) = pending.next_if(|(newer, _)| newer.as_slice() == &*key) {
                found.extend(value.map(|value| (newer, value)));
            } else {
                let value = self.without_sum(&key, &value)?;
                found.push((key.to_vec(), value));
            }
        }
        for (newer, value) in pending {
            found.extend(value.map(|value| (newer, value)));
        }
        Ok(go_on)
    }

    /// How many entries a prefix has from `from` on.
    pub(crate) fn count(&self, prefix: &[u8], from: &[u8]) -> Result<u64, StoreError> {
        let mut count = 0;
        self.each(prefix, from, &mut |_, _| {
            count += 1;
            Ok(true)
        })?;
        Ok(count)
    }

    /// Visits entries of a prefix from `from` on, until `visit` says `false`.
    pub(crate) fn each(&self, prefix: &[u8], from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        const CHUNK: usize = 1_024;
        let mut from = from.to_vec();
        loop {
            let entries = self.entries(prefix, &from, CHUNK)?;
            for (key, value) in &entries {
                if !visit(key, value)? {
                    return Ok(());
                }
            }
            let Some((last, _)) = entries.last().filter(|_| entries.len() == CHUNK) else {
                return Ok(());
            };
            from.clone_from(last);
            from.push(0);
        }
    }

    /// Bytes of the index on the device.
    pub(crate) fn size(&self) -> u64 {
        self.tree.size_on_disk().unwrap_or(0)
    }

    /// Hands everything to the kernel, so that the next start has less to read again.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.tree.flush().map(drop).map_err(|error| self.broken(&error))
    }

    /// Has the index made again at the next start, since it contradicted itself.
    pub(crate) fn condemn(&self, reason: &str) {
        let mark = self.folder.join(REBUILD_MARK);
        error!(folder = %self.folder.display(), reason, "the index is damaged; the next start makes it again");
        if let Err(error) = std::fs::write(&mark, reason) {
            error!(file = %mark.display(), %error, "the mark cannot be written; remove the folder by hand");
        }
    }

    fn broken(&self, error: &sled::Error) -> StoreError {
        self.condemn(&error.to_string());
        StoreError::Damaged {
            place: format!("the index in {}", self.folder.display()),
            reason: format!("{error}; start again and it is made anew from the journal"),
        }
    }

    fn without_sum(&self, key: &[u8], stored: &IVec) -> Result<IVec, StoreError> {
        let length = stored.len().saturating_sub(SUM_BYTES);
        let whole = stored
            .get(length..)
            .zip(stored.get(..length))
            .filter(|(sum, value)| *sum == sum_of(key, value));
        if whole.is_none() {
            self.condemn("the checksum of a value does not fit");
            return Err(damaged_key(
                key,
                "its checksum does not fit; start again and the index is made anew",
            ));
        }
        Ok(stored.subslice(0, length))
    }
}

impl View for Index {
    fn bytes(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        {
            let overlay = self.overlay.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(pending) = overlay.get(key) {
                return Ok(pending.value.clone());
            }
        }
        let stored = self.tree.get(key).map_err(|error| self.broken(&error))?;
        stored.map(|stored| self.without_sum(key, &stored)).transpose()
    }
}

/// The index as it will be after the group that is being formed.
#[derive(Debug)]
pub(crate) struct Staged<'a> {
    index: &'a Index,
    changes: Changes,
}

impl<'a> Staged<'a> {
    pub(crate) fn over(index: &'a Index) -> Self {
        Self {
            index,
            changes: Changes::new(),
        }
    }

    pub(crate) fn into_changes(self) -> Changes {
        self.changes
    }

    pub(crate) fn put_bytes(&mut self, key: Vec<u8>, value: &[u8]) {
        debug_assert!(key.len() <= KEY_BYTES_MAX, "a key of {} bytes", key.len());
        debug_assert!(
            value.len() + SUM_BYTES <= VALUE_BYTES_MAX,
            "a value of {} bytes",
            value.len()
        );
        self.changes.insert(key, Some(IVec::from(value)));
    }

    pub(crate) fn put<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(value).map_err(|error| damaged_key(&key, &error.to_string()))?;
        self.put_bytes(key, &bytes);
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }
}

impl View for Staged<'_> {
    fn bytes(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.index.bytes(key),
        }
    }
}

fn sum_of(key: &[u8], value: &[u8]) -> [u8; SUM_BYTES] {
    crc32c::crc32c_append(crc32c::crc32c(key), value).to_le_bytes()
}

fn with_sum(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(value.len() + SUM_BYTES);
    stored.extend_from_slice(value);
    stored.extend_from_slice(&sum_of(key, value));
    stored
}

/// The least key that is greater than every key with this prefix.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

/// Bytes of the files in a folder.
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let meta = entry.metadata().ok()?;
            Some(if meta.is_dir() {
                folder_bytes(&entry.path())
            } else {
                meta.len()
            })
        })
        .sum()
}
