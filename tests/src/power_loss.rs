//! Disk images that a power cut may leave behind, built from what the store really did.
//!
//! Owns the recording of every change of the journal's files, and the rules of a file system at its
//! weakest: what was not synced is there, or not, or in part and in any order. Every image is opened
//! with the real store on the real file system. The index is left out: it can be thrown away.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use state::disk::{Disk, DiskFile, LocalDisk};
use state::embedded::{EmbeddedStore, Options};

use crate::simulation::random::Random;

mod workload;

use workload::Acknowledged;

/// Bytes of a segment: the least that the store takes.
const SEGMENT_BYTES: u64 = 2 * 1024 * 1024;
/// Bytes that a device writes as one or not at all.
const SECTOR_BYTES: usize = 512;

/// One change, in the order in which the store made it.
#[derive(Debug, Clone)]
enum Change {
    Folder(PathBuf),
    Create(PathBuf, usize),
    Write(usize, u64, Vec<u8>),
    Length(usize, u64),
    Sync(usize),
    SyncFolder(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// The workload heard that something is durable.
    Acknowledged(usize),
}

#[derive(Debug, Default)]
struct Tape {
    changes: Vec<Change>,
    files: usize,
    names: BTreeMap<PathBuf, usize>,
}

/// The file system of the machine, with everything written down.
#[derive(Debug, Clone, Default)]
struct RecordingDisk {
    tape: Arc<Mutex<Tape>>,
    /// The known-bad control: a sync of a file does nothing.
    without_sync: bool,
}

#[derive(Debug)]
struct RecordingFile {
    tape: Arc<Mutex<Tape>>,
    number: usize,
    inner: Arc<dyn DiskFile>,
    without_sync: bool,
}

fn lock(tape: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RecordingDisk {
    fn note(&self, change: Change) {
        lock(&self.tape).changes.push(change);
    }

    fn file(&self, number: usize, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(RecordingFile {
            tape: Arc::clone(&self.tape),
            number,
            inner,
            without_sync: self.without_sync,
        })
    }
}

impl Disk for RecordingDisk {
    fn is_folder(&self, folder: &Path) -> io::Result<bool> {
        LocalDisk.is_folder(folder)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        LocalDisk.create_folder(folder)?;
        self.note(Change::Folder(folder.to_owned()));
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        LocalDisk.sync_folder(folder)?;
        self.note(Change::SyncFolder(folder.to_owned()));
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inner = LocalDisk.create(path)?;
        let number = {
            let mut tape = lock(&self.tape);
            let number = tape.files;
            tape.files += 1;
            tape.names.insert(path.to_owned(), number);
            tape.changes.push(Change::Create(path.to_owned(), number));
            number
        };
        Ok(self.file(number, inner))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inner = LocalDisk.open(path)?;
        let number = lock(&self.tape).names.get(path).copied();
        let number = number.ok_or_else(|| io::Error::other("a file that was never made"))?;
        Ok(self.file(number, inner))
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        LocalDisk.length(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)?;
        let mut tape = lock(&self.tape);
        if let Some(number) = tape.names.remove(from) {
            tape.names.insert(to.to_owned(), number);
        }
        tape.changes.push(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)?;
        let mut tape = lock(&self.tape);
        tape.names.remove(path);
        tape.changes.push(Change::Remove(path.to_owned()));
        Ok(())
    }
}

impl DiskFile for RecordingFile {
    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.inner.write_at(bytes, offset)?;
        lock(&self.tape)
            .changes
            .push(Change::Write(self.number, offset, bytes.to_vec()));
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.inner.set_length(length)?;
        lock(&self.tape).changes.push(Change::Length(self.number, length));
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.inner.allocate(length)?;
        lock(&self.tape).changes.push(Change::Length(self.number, length));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if self.without_sync {
            return Ok(());
        }
        self.inner.sync()?;
        lock(&self.tape).changes.push(Change::Sync(self.number));
        Ok(())
    }
}

/// A file as the device may hold it.
#[derive(Debug, Default, Clone)]
struct Content {
    synced: Vec<u8>,
    pending: Vec<(u64, Option<Vec<u8>>)>,
}

impl Content {
    fn apply(bytes: &mut Vec<u8>, (at, write): &(u64, Option<Vec<u8>>), sectors: impl Fn(usize) -> bool) {
        let at = usize::try_from(*at).unwrap_or(usize::MAX);
        let Some(write) = write else {
            bytes.resize(at, 0);
            return;
        };
        if bytes.len() < at + write.len() {
            bytes.resize(at + write.len(), 0);
        }
        for (place, byte) in write.iter().enumerate() {
            if sectors((at + place) / SECTOR_BYTES)
                && let Some(slot) = bytes.get_mut(at + place)
            {
                *slot = *byte;
            }
        }
    }

    fn sync(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            Self::apply(&mut self.synced, &pending, |_| true);
        }
    }

    /// What is left of it: of every change that was not synced all, nothing, or some sectors.
    fn left(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let way = random.below(4);
        for pending in &self.pending {
            match (way, random.below(3)) {
                (0, _) | (1, 0) => {}
                (2, _) | (_, 1) => Self::apply(&mut bytes, pending, |_| true),
                _ => {
                    let salt = random.number();
                    Self::apply(&mut bytes, pending, |sector| {
                        Random::of(salt.wrapping_add(sector as u64), "sector").percent(50)
                    });
                }
            }
        }
        bytes
    }
}

/// Everything that may be on the device after so many changes.
#[derive(Debug, Default)]
struct Device {
    contents: BTreeMap<usize, Content>,
    names: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    acknowledged: usize,
}

impl Device {
    fn change(&mut self, change: &Change) {
        match change {
            Change::Folder(folder) => {
                self.folders.insert(folder.clone());
            }
            Change::Create(path, number) => {
                self.contents.insert(*number, Content::default());
                self.names.insert(path.clone(), *number);
            }
            Change::Write(number, at, bytes) => self.pending(*number, (*at, Some(bytes.clone()))),
            Change::Length(number, length) => self.pending(*number, (*length, None)),
            Change::Sync(number) => {
                if let Some(content) = self.contents.get_mut(number) {
                    content.sync();
                }
            }
            Change::SyncFolder(folder) => {
                let here = |path: &PathBuf| path.parent() == Some(folder);
                self.durable.retain(|path, _| !here(path));
                let names = self.names.iter().filter(|(path, _)| here(path));
                self.durable
                    .extend(names.map(|(path, number)| (path.clone(), *number)));
            }
            Change::Rename(from, to) => {
                if let Some(number) = self.names.remove(from) {
                    self.names.insert(to.clone(), number);
                }
            }
            Change::Remove(path) => {
                self.names.remove(path);
            }
            Change::Acknowledged(number) => self.acknowledged = *number,
        }
    }

    fn pending(&mut self, number: usize, change: (u64, Option<Vec<u8>>)) {
        self.contents.entry(number).or_default().pending.push(change);
    }

    /// Writes one legal image into a folder.
    fn image(&self, from: &Path, to: &Path, random: &mut Random) -> io::Result<()> {
        let elsewhere = |path: &Path| path.strip_prefix(from).map(|rest| to.join(rest)).ok();
        for folder in self.folders.iter().filter_map(|folder| elsewhere(folder)) {
            LocalDisk.create_folder(&folder)?;
        }
        let paths: BTreeSet<&PathBuf> = self.names.keys().chain(self.durable.keys()).collect();
        for path in paths {
            let (now, before) = (self.names.get(path), self.durable.get(path));
            let number = if now == before || random.percent(50) {
                now
            } else {
                before
            };
            let content = number.and_then(|number| self.contents.get(number));
            if let (Some(content), Some(place)) = (content, elsewhere(path)) {
                write(&place, &content.left(random))?;
            }
        }
        Ok(())
    }
}

/// Writes bytes, and leaves the zeros at the end to the file system.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let file = std::fs::File::create(path)?;
    std::os::unix::fs::FileExt::write_all_at(&file, bytes.get(..used).unwrap_or_default(), 0)?;
    file.set_len(bytes.len() as u64)
}

/// What the rig did.
#[derive(Debug, Default)]
pub struct Opened {
    /// Changes that were recorded.
    pub changes: usize,
    /// Images that were opened.
    pub images: u64,
    /// Acknowledgements that were looked for, over all images.
    pub looked_for: u64,
    /// What was acknowledged and not there, or read wrongly, or an image that did not open.
    pub faults: Vec<String>,
}

/// Records a workload, then opens so many images of it. The known-bad control drops every sync of
/// a file.
///
/// # Errors
/// The rig itself cannot work here.
pub fn images(count: u64, seed: u64, without_sync: bool) -> Result<Opened, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(open_images(count, seed, without_sync))
}

async fn open_images(count: u64, seed: u64, without_sync: bool) -> Result<Opened, String> {
    let failed = |error: io::Error| error.to_string();
    let folder = tempfile::tempdir().map_err(failed)?;
    let disk = RecordingDisk {
        without_sync,
        ..RecordingDisk::default()
    };
    let options = Options {
        segment_bytes: SEGMENT_BYTES,
        disk: Arc::new(disk.clone()),
    };
    let opened = EmbeddedStore::open(folder.path(), options).map_err(|error| error.to_string())?;
    let acknowledged = workload::fill(&*opened.store, |number| {
        disk.note(Change::Acknowledged(number));
    })
    .await?;
    drop(opened);
    let changes = std::mem::take(&mut lock(&disk.tape).changes);
    let mut random = Random::of(seed, "power loss");
    let mut done = Opened {
        changes: changes.len(),
        ..Opened::default()
    };
    for number in 0..count {
        // Every place in turn, then again with other draws.
        let place = usize::try_from(number).unwrap_or(0) % changes.len() + 1;
        let mut device = Device::default();
        for change in changes.iter().take(place) {
            device.change(change);
        }
        let image = tempfile::tempdir().map_err(failed)?;
        device
            .image(folder.path(), image.path(), &mut random)
            .map_err(failed)?;
        done.images += 1;
        done.looked_for += device.acknowledged as u64;
        let known = acknowledged.get(..device.acknowledged).unwrap_or_default();
        if let Err(why) = check(image.path(), known).await {
            done.faults
                .push(format!("after change {place} of {}: {why}", changes.len()));
        }
    }
    Ok(done)
}

/// Opens an image and looks for everything that was acknowledged.
async fn check(folder: &Path, known: &[Acknowledged]) -> Result<(), String> {
    let options = Options {
        segment_bytes: SEGMENT_BYTES,
        ..Options::default()
    };
    let opened = EmbeddedStore::open(folder, options).map_err(|error| error.to_string())?;
    for one in known {
        one.look(&*opened.store).await?;
    }
    opened.store.verify().await.map_err(|error| error.to_string())?;
    Ok(())
}
