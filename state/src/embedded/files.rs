//! Files held by hash: attachments, and bodies too long for the journal.
//!
//! Owns how a file becomes durable: written under another name, synced, renamed, its folder
//! synced. A file is never changed; reading one checks it against its name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::error;

use crate::disk::{self, Disk};
use crate::fold;
use crate::store::StoreError;

const TEMPORARY: &str = "new-";

/// Why a file was not kept.
#[derive(Debug)]
pub(super) enum KeepError {
    /// No room.
    Full,
    /// It is not known what is on the device.
    Broken(String),
}

/// The files of a store, `files/ab/<sha256>`.
#[derive(Debug)]
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    next: AtomicU64,
}

impl Files {
    /// Opens the folder and removes what was left half-written.
    pub(super) fn open(disk: Arc<dyn Disk>, folder: PathBuf) -> io::Result<Self> {
        disk::create_folder(&*disk, &folder)?;
        for name in disk.list(&folder)? {
            if name.starts_with(TEMPORARY) {
                disk.remove(&folder.join(name))?;
            }
        }
        Ok(Self {
            disk,
            folder,
            next: AtomicU64::new(0),
        })
    }

    /// Keeps bytes and returns their SHA-256. Durable when it returns.
    pub(super) fn keep(&self, bytes: &[u8]) -> Result<String, KeepError> {
        let sha256 = fold::sha256(bytes);
        match self.write(&sha256, bytes) {
            Ok(()) => Ok(sha256),
            Err(error) if disk::is_full(&error) => Err(KeepError::Full),
            Err(error) => {
                error!(folder = %self.folder.display(), %error, "keeping a file failed; the store stops");
                let folder = self.folder.display();
                Err(KeepError::Broken(format!(
                    "keeping a file in {folder} failed: {error}"
                )))
            }
        }
    }

    fn write(&self, sha256: &str, bytes: &[u8]) -> io::Result<()> {
        let (folder, path) = self.place(sha256);
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let there = self.disk.open(&path).and_then(|file| file.length()).ok() == Some(length);
        if !there {
            disk::create_folder(&*self.disk, &folder)?;
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let temporary = self.folder.join(format!("{TEMPORARY}{number}"));
            let file = self.disk.create(&temporary)?;
            if let Err(error) = file.write_at(bytes, 0) {
                self.disk.remove(&temporary)?;
                return Err(error);
            }
            // A failed sync is never "no room": what is on the device is not known any more.
            file.sync().map_err(io::Error::other)?;
            self.disk.rename(&temporary, &path)?;
        }
        self.disk.sync_folder(&folder).map_err(io::Error::other)
    }

    /// Bytes by SHA-256, verified.
    pub(super) fn read(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let named = sha256.len() == 64
            && sha256
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !named {
            return Ok(None);
        }
        let (_, path) = self.place(sha256);
        let damaged = |reason: String| StoreError::Damaged {
            place: path.display().to_string(),
            reason,
        };
        let file = match self.disk.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(damaged(format!("it cannot be opened: {error}"))),
        };
        let length = file.length().map_err(|error| damaged(error.to_string()))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let bytes = disk::read_up_to(&*file, 0, length).map_err(|error| damaged(error.to_string()))?;
        if fold::sha256(&bytes) != sha256 {
            return Err(damaged(
                "its content does not have the SHA-256 of its name; put it back from a backup".to_owned(),
            ));
        }
        Ok(Some(bytes))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn place(&self, sha256: &str) -> (PathBuf, PathBuf) {
        let folder = self.folder.join(sha256.get(..2).unwrap_or("xx"));
        let path = folder.join(sha256);
        (folder, path)
    }
}
