//! Opening sled without trusting it.
//!
//! sled 0.34 panics on some damaged folders, takes a left-over `.generating` file for a snapshot,
//! and writes large pages to files that it never syncs. Each is met here; whatever is wrong, the
//! folder is moved aside and an empty index is opened, to be filled from the journal.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::warn;

use super::{Index, REBUILD_MARK, View as _, keys};
use crate::journal::Checkpoint;
use crate::store::StoreError;

/// sled stores it and refuses to open with another, so it never changes.
const SLED_SEGMENT_BYTES: usize = 16 * 1024 * 1024;
const SLED_CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// How often a locked index is tried before it counts as damaged: five seconds in all.
const LOCK_TRIES: u32 = 250;
const LOCK_TRY_EVERY: Duration = Duration::from_millis(20);

/// An opened index.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) index: Index,
    /// How far it has read the journal; none when it is empty.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Why it must be made again, if it must.
    pub(crate) rebuilt: Option<String>,
}

/// Opens the index in a folder; when that cannot be done, an empty one. `condemned` says that
/// the caller knows it to be wrong, and why.
pub(crate) fn open(folder: &Path, condemned: Option<&str>) -> Result<Opened, StoreError> {
    let was_there = folder.join("db").exists();
    let reason = match condemned {
        Some(reason) => reason.to_owned(),
        None => match try_open(folder) {
            Ok(opened) => {
                let rebuilt = (!was_there).then(|| "there was none".to_owned());
                return Ok(Opened { rebuilt, ..opened });
            }
            Err(reason) => reason,
        },
    };
    move_aside(folder, &reason)?;
    let opened = try_open(folder).map_err(|reason| StoreError::Stopped {
        reason: format!("an empty index cannot be made in {}: {reason}", folder.display()).into(),
    })?;
    Ok(Opened {
        rebuilt: Some(reason),
        ..opened
    })
}

fn try_open(folder: &Path) -> Result<Opened, String> {
    let mark = folder.join(REBUILD_MARK);
    if let Ok(reason) = fs::read_to_string(&mark) {
        return Err(reason);
    }
    remove_generating(folder)?;
    let path = folder.to_owned();
    // On a thread of its own, so that a panic inside leaves nothing half-held on this one.
    let opened = std::thread::Builder::new()
        .name("index-open".to_owned())
        .spawn(move || catch_unwind(|| open_sled(&path)))
        .map_err(|error| format!("no thread for opening: {error}"))?
        .join();
    let (index, checkpoint) = match opened {
        Ok(Ok(opened)) => opened?,
        Ok(Err(panic)) | Err(panic) => return Err(format!("sled panicked: {}", panic_text(&*panic))),
    };
    let blobs = fs::read_dir(folder.join("blobs")).is_ok_and(|mut entries| entries.next().is_some());
    if blobs {
        return Err("sled wrote to `blobs`, which it never syncs".to_owned());
    }
    Ok(Opened {
        index,
        checkpoint,
        rebuilt: None,
    })
}

fn open_sled(path: &Path) -> Result<(Index, Option<Checkpoint>), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "opening blocks in any case, on a thread of its own, and sled tells nobody when it lets go"
    )]
    let tree = when_let_go(path, || std::thread::sleep(LOCK_TRY_EVERY))?;
    let index = Index::new(path.to_owned(), tree);
    let bytes = index.bytes(keys::CHECKPOINT).map_err(|error| error.to_string())?;
    let checkpoint = bytes
        .map(|bytes| Checkpoint::read(&bytes).ok_or("its checkpoint is not one"))
        .transpose()?;
    let layout = index.bytes(keys::LAYOUT).map_err(|error| error.to_string())?;
    if checkpoint.is_some() && layout.as_deref() != Some(keys::LAYOUT_NOW) {
        return Err("another version wrote it, with another layout".to_owned());
    }
    if checkpoint.is_none() {
        let layout = super::with_sum(keys::LAYOUT, keys::LAYOUT_NOW);
        index
            .tree
            .insert(keys::LAYOUT, layout)
            .map_err(|error| error.to_string())?;
    }
    Ok((index, checkpoint))
}

/// No other process can have the folder, so a lock on it is that of an earlier handle of this one,
/// which sled lets go of a moment after it is dropped. To move the index aside for that would be
/// to make it again for nothing.
fn when_let_go(path: &Path, mut pause: impl FnMut()) -> Result<sled::Db, String> {
    let config = sled::Config::new()
        .path(path)
        .segment_size(SLED_SEGMENT_BYTES)
        .cache_capacity(SLED_CACHE_BYTES);
    let mut tries = 1;
    loop {
        match config.open() {
            Ok(tree) => return Ok(tree),
            Err(error) if tries < LOCK_TRIES && error.to_string().contains("could not acquire lock") => {
                tries += 1;
                pause();
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// sled reads the newest `snap.*`, also one that it had not finished writing.
fn remove_generating(folder: &Path) -> Result<(), String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            warn!(file = %entry.path().display(), "an unfinished snapshot of the index is removed");
            fs::remove_file(entry.path())
                .map_err(|error| format!("{} cannot be removed: {error}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Keeps the last damaged index beside the new one, for whoever wants to know why.
fn move_aside(folder: &Path, reason: &str) -> Result<(), StoreError> {
    let aside: PathBuf = folder.with_extension("damaged");
    warn!(folder = %folder.display(), aside = %aside.display(), reason, "the index is made again from the journal");
    let moved = match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::rename(folder, &aside),
    };
    moved.map_err(|error| StoreError::Stopped {
        reason: format!("{} cannot be moved aside: {error}", folder.display()).into(),
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_an_earlier_handle_has_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut held = Some(when_let_go(folder.path(), || panic!("nobody has it")).unwrap());
        let mut pauses = 0;
        let opened = when_let_go(folder.path(), || {
            pauses += 1;
            held = None;
        });
        assert!(opened.is_ok(), "{opened:?}");
        assert!(pauses >= 1);
    }

    #[test]
    fn an_index_that_is_never_let_go_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let _held = when_let_go(folder.path(), || ()).unwrap();
        let mut pauses = 0;
        let refused = when_let_go(folder.path(), || pauses += 1).unwrap_err();
        assert!(refused.contains("could not acquire lock"), "{refused}");
        assert_eq!(pauses, LOCK_TRIES - 1);
    }
}
