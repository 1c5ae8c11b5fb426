//! One process per data folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Holds the folder until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

/// Why the folder was not taken.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process has it; its id, if it could be read.
    Held(Option<u32>),
    /// The lock file cannot be used.
    Failed(io::Error),
}

impl FolderLock {
    /// Takes the folder, and leaves our process id for whoever comes second.
    pub(super) fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let mut file = options.open(&path).map_err(LockError::Failed)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = fs::read_to_string(&path).ok();
                return Err(LockError::Held(holder.and_then(|text| text.trim().parse().ok())));
            }
            Err(error) => return Err(LockError::Failed(error.into())),
        }
        let written = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(LockError::Failed)?;
        Ok(Self { _file: file })
    }
}
