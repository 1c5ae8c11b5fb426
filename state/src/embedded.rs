//! The embedded store: one folder, no server. Journal, index, files.
//!
//! Owns opening, the folder and the two threads. What makes a write durable is in `committer` and
//! `journal`, what it changes in `decide` and `index`, and what is read in `lookup` and `lists`.
//!
//! ```text
//! data/lock       which process has the folder
//! data/journal/   the truth
//! data/files/     attachments and long bodies, by SHA-256
//! data/index/     can be thrown away
//! ```

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc as std_mpsc};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};

use crate::access::OperatorProof;
use crate::disk::{self, Disk, LocalDisk};
use crate::index::{self, Index, Staged, keys, project};
use crate::journal::{self, Checkpoint, Frame, Journal, JournalReader, Recovered, SEGMENT_BYTES};
use crate::store::StoreError;

mod audit_list;
mod committer;
mod decide;
mod files;
mod lists;
mod lock;
mod lookup;
mod request;
mod store;
mod verify;

use committer::{Committer, GROUPS_AHEAD_MAX};
use files::Files;
use lock::{FolderLock, LockError};
use request::{Job, Reply, Request};

pub use verify::Verified;

/// Requests that wait for the committer before callers wait.
const QUEUE_REQUESTS_MAX: usize = 4_096;
/// Frames that are folded into the index as one batch while opening.
const FRAMES_PER_BATCH: usize = 512;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of a journal segment, at least 2 MiB. Each is reserved in full when it begins.
    pub segment_bytes: u64,
    /// The disk under the folder, journal and files. Tests put a failing one here, in a folder that
    /// is there already: index and lock are on the machine's own.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES,
            disk: Arc::new(LocalDisk),
        }
    }
}

/// An opened store.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<EmbeddedStore>,
    /// The proof that we hold it: makes the local operator.
    pub proof: OperatorProof,
}

/// Why a store was not opened. Nothing was changed, except that a tail that was never
/// acknowledged may be cut off.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the folder.
    #[error(
        "the store {folder} is in use by {}",
        pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The data folder.
        folder: String,
        /// The process that has it, if known.
        pid: Option<u32>,
    },
    /// The folder cannot be used.
    #[error("{folder} cannot be used as a data folder: {reason}")]
    Folder {
        /// The data folder.
        folder: String,
        /// What the system says.
        reason: io::Error,
    },
    /// The journal is damaged or cannot be read.
    #[error("the store in {folder} was not opened: {reason}")]
    Store {
        /// The data folder.
        folder: String,
        /// What is wrong where.
        reason: StoreError,
    },
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    index: Index,
    reader: Arc<JournalReader>,
    files: Files,
    stopped: OnceLock<Arc<str>>,
    /// Audit entries that are durable and visible.
    entries: AtomicU64,
    /// Where the next frame will be.
    end: AtomicU64,
    rebuilt: Option<String>,
    _lock: FolderLock,
}

/// The embedded store. Writes are answered when they are durable; when the last handle is gone
/// the folder is released.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl EmbeddedStore {
    /// Opens the store in a folder, making it when there is none. Blocks: reads what the index
    /// has not seen of the journal, all of it when the index must be made again.
    pub fn open(folder: &Path, options: Options) -> Result<Opened, OpenError> {
        let named = || folder.display().to_string();
        let unusable = |reason: io::Error| OpenError::Folder {
            folder: named(),
            reason,
        };
        let Options { segment_bytes, disk } = options;
        disk::create_folder(&*disk, folder).map_err(unusable)?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(unusable)?;
        let lock = FolderLock::take(folder).map_err(|error| match error {
            LockError::Held(pid) => OpenError::InUse { folder: named(), pid },
            LockError::Failed(reason) => unusable(reason),
        })?;
        let files = Files::open(Arc::clone(&disk), folder.join("files")).map_err(unusable)?;
        let place = Place {
            folder: folder.to_owned(),
            segment_bytes: segment_bytes.max(journal::SEGMENT_BYTES_MIN),
            disk,
            files,
        };
        let (shared, journal) = open_shared(place, lock).map_err(|reason| OpenError::Store {
            folder: named(),
            reason,
        })?;
        let store = Self::spawn(Arc::new(shared), journal).map_err(unusable)?;
        Ok(Opened {
            store: Arc::new(store),
            proof: OperatorProof::of_an_opened_store(),
        })
    }

    fn spawn(shared: Arc<Shared>, journal: Journal) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel(QUEUE_REQUESTS_MAX);
        let (to_index, published) = std_mpsc::sync_channel(GROUPS_AHEAD_MAX);
        let committer = Committer {
            shared: Arc::clone(&shared),
            journal,
            queue: requests,
            to_index,
        };
        let absorbing = Arc::clone(&shared);
        let threads = vec![
            std::thread::Builder::new()
                .name("store-commit".to_owned())
                .spawn(move || committer.run())?,
            std::thread::Builder::new()
                .name("store-index".to_owned())
                .spawn(move || committer::absorb(&absorbing, &published))?,
        ];
        Ok(Self {
            shared,
            queue: Some(queue),
            threads,
        })
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Walks the whole journal and checks every frame, the chain, and every file it names.
    pub async fn verify(&self) -> Result<Verified, StoreError> {
        self.read(Shared::verify).await
    }

    /// Hands a change to the committer and waits until it is durable.
    async fn write(&self, request: Request) -> Result<Reply, StoreError> {
        if let Some(error) = self.shared.stopped() {
            return Err(error);
        }
        let (answer, answered) = oneshot::channel();
        let gone = || self.shared.stop("the committer ended");
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Job { request, answer }).await.map_err(|_| gone())?;
        // Whether a write that was handed over happened is not known when nobody answers.
        answered.await.map_err(|_| StoreError::Ambiguous {
            reason: "the committer ended before it answered; start again and read".to_owned(),
        })?
    }

    /// Reads off the async threads.
    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || read(&shared)).await;
        done.unwrap_or_else(|error| {
            if error.is_panic() {
                self.shared.index.condemn("reading panicked");
            }
            Err(StoreError::Damaged {
                place: format!("the index in {}", self.shared.folder.display()),
                reason: format!("reading it failed: {error}"),
            })
        })
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        // The committer ends with its queue, and the other thread with the committer.
        self.queue = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                error!("a thread of the store panicked");
            }
        }
    }
}

impl Shared {
    /// The error of a stopped store, if it is one.
    fn stopped(&self) -> Option<StoreError> {
        self.stopped.get().map(|reason| StoreError::Stopped {
            reason: Arc::clone(reason),
        })
    }

    /// Stops the store for good; the first reason stays.
    fn stop(&self, reason: &str) -> StoreError {
        let reason = self.stopped.get_or_init(|| {
            error!(
                reason,
                "the store stops; nothing more is acknowledged until the next start"
            );
            reason.into()
        });
        StoreError::Stopped {
            reason: Arc::clone(reason),
        }
    }

    fn full(&self) -> StoreError {
        StoreError::Full {
            path: self.folder.display().to_string(),
        }
    }

    /// Moves the visible end of the journal.
    fn advance(&self, checkpoint: &Checkpoint) {
        self.end.store(checkpoint.next.to_number(), Ordering::Release);
        self.entries.store(checkpoint.next_entry, Ordering::Release);
    }
}

/// Where a store is opened, and on what.
struct Place {
    folder: PathBuf,
    segment_bytes: u64,
    disk: Arc<dyn Disk>,
    files: Files,
}

/// Opens index and journal and brings the index up to the journal.
fn open_shared(place: Place, lock: FolderLock) -> Result<(Shared, Journal), StoreError> {
    let index_folder = place.folder.join("index");
    let mut opened = index::open(&index_folder, None)?;
    let mut replayed = replay(&place, opened)?;
    if matches!(replayed, Replayed::Foreign) {
        let reason = "it is of another journal, or of a later state of this one";
        opened = index::open(&index_folder, Some(reason))?;
        replayed = replay(&place, opened)?;
    }
    match replayed {
        Replayed::Done(done) => Ok(done.into_shared(place, lock)),
        Replayed::Foreign => Err(StoreError::Damaged {
            place: index_folder.display().to_string(),
            reason: "an empty index has a checkpoint; remove the folder".to_owned(),
        }),
    }
}

enum Replayed {
    Done(Box<Done>),
    /// The index is not of this journal.
    Foreign,
}

struct Done {
    index: Index,
    recovered: Recovered,
    rebuilt: Option<String>,
}

impl Done {
    fn into_shared(self, place: Place, lock: FolderLock) -> (Shared, Journal) {
        let journal = self.recovered.journal;
        let shared = Shared {
            folder: place.folder,
            index: self.index,
            reader: self.recovered.reader,
            files: place.files,
            stopped: OnceLock::new(),
            entries: AtomicU64::new(journal.next_entry()),
            end: AtomicU64::new(journal.end().to_number()),
            rebuilt: self.rebuilt,
            _lock: lock,
        };
        (shared, journal)
    }
}

/// Reads the journal from where the index stands.
fn replay(place: &Place, opened: index::Opened) -> Result<Replayed, StoreError> {
    let index::Opened {
        index,
        checkpoint,
        rebuilt,
    } = opened;
    let mut batch = Batch {
        index: &index,
        files: &place.files,
        staged: Staged::over(&index),
        frames: 0,
        last: None,
        total: 0,
    };
    let recovered = journal::recover(
        &place.disk,
        &place.folder.join("journal"),
        place.segment_bytes,
        checkpoint.as_ref(),
        &mut |frame| batch.add(&frame),
    )?;
    let Some(recovered) = recovered else {
        return Ok(Replayed::Foreign);
    };
    batch.absorb()?;
    let frames = batch.total;
    drop(batch);
    let index_was_empty = checkpoint.is_none();
    info!(folder = %place.folder.display(), frames, index_was_empty, "the journal was read into the index");
    // A new store has no index either; that is nothing to report.
    let rebuilt = rebuilt
        .or_else(|| index_was_empty.then(|| "it was empty".to_owned()))
        .filter(|_| frames > 0);
    let done = Done {
        index,
        recovered,
        rebuilt,
    };
    Ok(Replayed::Done(Box::new(done)))
}

/// Frames on their way into the index.
struct Batch<'a> {
    index: &'a Index,
    files: &'a Files,
    staged: Staged<'a>,
    frames: usize,
    last: Option<Checkpoint>,
    total: u64,
}

impl Batch<'_> {
    fn add(&mut self, frame: &Frame) -> Result<(), StoreError> {
        let record = lookup::decode(frame, self.files)?;
        if record.entries() != u64::from(frame.head.entries) {
            return Err(StoreError::Damaged {
                place: frame.at.to_string(),
                reason: "the frame and its record differ in the number of entries".to_owned(),
            });
        }
        project::project(&record, frame.at, frame.head.first, &mut self.staged)?;
        self.last = Some(frame.checkpoint());
        self.total += 1;
        self.frames += 1;
        if self.frames >= FRAMES_PER_BATCH {
            self.absorb()?;
        }
        Ok(())
    }

    fn absorb(&mut self) -> Result<(), StoreError> {
        let mut staged = std::mem::replace(&mut self.staged, Staged::over(self.index));
        if let Some(checkpoint) = self.last.take() {
            staged.put_bytes(keys::CHECKPOINT.to_vec(), &checkpoint.to_bytes());
        }
        self.frames = 0;
        let published = self.index.publish(staged.into_changes());
        self.index.absorb(vec![published])
    }
}

#[cfg(test)]
mod tests;
