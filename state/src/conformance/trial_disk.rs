//! A disk in memory that loses power, runs full and breaks, when told to.
//!
//! Follows the weakest promises that a file system makes: what was not synced may be there, be
//! gone, or be there in part and in any order; a name is durable when its folder was synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, DiskFile};

mod content;

use content::Content;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No room, until [`TrialDisk::repair`]. A part of the write is done.
    Full,
    /// A write fails, once, after a part of it was done.
    WriteFails,
    /// A sync fails, once; what it should have made durable can still be read, but no later sync
    /// makes it durable: the next crash loses it, unless it is written again.
    SyncFails,
    /// The power goes: this and everything after it fails, until [`TrialDisk::crash`].
    PowerCut,
}

/// What is left after the power went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Everything: the process was killed, not the machine.
    Everything,
    /// What was synced.
    Synced,
    /// What was synced, and some sectors and names of the rest, chosen by this seed.
    Torn(u64),
}

#[derive(Debug, Default)]
struct State {
    contents: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    synced_folders: BTreeSet<PathBuf>,
    changes: u64,
    open_files: usize,
    reads: u64,
    plan: Option<(u64, Fault)>,
    full: bool,
    off: bool,
}

/// See the module. Clones share one disk.
#[derive(Debug, Clone, Default)]
pub struct TrialDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct TrialFile {
    state: Arc<Mutex<State>>,
    content: usize,
}

impl Drop for TrialFile {
    fn drop(&mut self) {
        lock(&self.state).open_files -= 1;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl State {
    /// Counts a change and says what goes wrong with it.
    fn change(&mut self) -> io::Result<Option<Fault>> {
        if self.off {
            return Err(io::Error::other("the power is gone"));
        }
        let number = self.changes;
        self.changes += 1;
        let fault = self.plan.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        match fault {
            Some(Fault::PowerCut) => self.off = true,
            Some(Fault::Full) => self.full = true,
            _ => {}
        }
        Ok(fault)
    }

    fn content(&mut self, number: usize) -> io::Result<&mut Content> {
        self.contents
            .get_mut(number)
            .ok_or_else(|| io::Error::other("no such content"))
    }

    /// Keeps the names that are durable, and of folders some of the others. What was in a folder
    /// is lost with its name.
    fn lose_names(&mut self, left: Left, random: &mut Random) {
        let mut kept = BTreeSet::new();
        // A folder comes before what is in it.
        for folder in &self.folders {
            let durable = self.synced_folders.contains(folder);
            let reached = folder
                .parent()
                .is_none_or(|above| above.parent().is_none() || kept.contains(above));
            if reached && (durable || (matches!(left, Left::Torn(_)) && random.coin())) {
                kept.insert(folder.clone());
            }
        }
        self.synced_names
            .retain(|path, _| path.parent().is_some_and(|folder| kept.contains(folder)));
        self.names = self.synced_names.clone();
        self.folders.clone_from(&kept);
        self.synced_folders = kept;
    }

    fn name(&self, path: &Path) -> io::Result<usize> {
        if self.off {
            return Err(io::Error::other("the power is gone"));
        }
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

/// A small generator (splitmix64), so that a seed is all there is to a failure.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.number() & 1 == 0
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit.max(1)
    }
}

impl TrialDisk {
    /// Changes made so far: creations, writes, syncs, renames, removals.
    pub fn changes(&self) -> u64 {
        lock(&self.state).changes
    }

    /// Files that are open at this moment.
    pub fn open_files(&self) -> usize {
        lock(&self.state).open_files
    }

    /// Reads of files so far.
    pub fn reads(&self) -> u64 {
        lock(&self.state).reads
    }

    /// Plans what goes wrong with the change of this number.
    pub fn plan(&self, change: u64, fault: Fault) {
        lock(&self.state).plan = Some((change, fault));
    }

    /// There is room again, and nothing is planned.
    pub fn repair(&self) {
        let mut state = lock(&self.state);
        state.full = false;
        state.plan = None;
    }

    /// The power comes back: what is left is all there is.
    pub fn crash(&self, left: Left) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let mut random = Random(match left {
            Left::Torn(seed) => seed,
            Left::Everything | Left::Synced => 0,
        });
        match left {
            Left::Everything | Left::Synced => {}
            Left::Torn(_) => {
                let all: BTreeSet<PathBuf> = state
                    .names
                    .keys()
                    .chain(state.synced_names.keys())
                    .cloned()
                    .collect();
                for path in all {
                    if random.coin() {
                        match state.names.get(&path) {
                            Some(content) => state.synced_names.insert(path, *content),
                            None => state.synced_names.remove(&path),
                        };
                    }
                }
            }
        }
        if left != Left::Everything {
            state.lose_names(left, &mut random);
        }
        for content in &mut state.contents {
            content.after_crash(left, &mut random);
        }
        state.off = false;
        state.full = false;
        state.plan = None;
    }

    /// Whether the names of a folder and of all above it survive a crash.
    pub fn is_durable(&self, folder: &Path) -> bool {
        let state = lock(&self.state);
        let mut named = folder.ancestors().filter(|place| place.parent().is_some());
        named.all(|place| state.synced_folders.contains(place))
    }

    /// The bytes of a file, changed at will: bit rot, or a hand in the wrong place.
    pub fn rot<T>(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        let mut state = lock(&self.state);
        let number = state.name(path)?;
        let content = state.content(number)?;
        let changed = change(&mut content.now);
        content.synced.clone_from(&content.now);
        Ok(changed)
    }
}

impl Disk for TrialDisk {
    fn is_folder(&self, folder: &Path) -> io::Result<bool> {
        Ok(folder.parent().is_none() || lock(&self.state).folders.contains(folder))
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        if state.off {
            return Err(io::Error::other("the power is gone"));
        }
        let places = folder.ancestors().filter(|place| place.parent().is_some());
        state.folders.extend(places.map(Path::to_owned));
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = lock(&self.state);
        let names = state.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(names
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.change()? {
            Some(Fault::PowerCut) => return Err(io::Error::other("the power is gone")),
            Some(Fault::SyncFails) => return Err(io::Error::other("input/output error")),
            _ => {}
        }
        state.synced_names.retain(|path, _| path.parent() != Some(folder));
        let here: Vec<(PathBuf, usize)> = state
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(folder))
            .map(|(path, content)| (path.clone(), *content))
            .collect();
        state.synced_names.extend(here);
        let inside = |path: &&PathBuf| path.parent() == Some(folder);
        let folders: Vec<PathBuf> = state.folders.iter().filter(inside).cloned().collect();
        state.synced_folders.extend(folders);
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.state);
        if let Some(Fault::PowerCut) = state.change()? {
            return Err(io::Error::other("the power is gone"));
        }
        if state.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if path.parent().is_none_or(|folder| !state.folders.contains(folder)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = state.contents.len();
        state.contents.push(Content::default());
        state.names.insert(path.to_owned(), content);
        state.open_files += 1;
        let state = Arc::clone(&self.state);
        Ok(Arc::new(TrialFile { state, content }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.state);
        let content = state.name(path)?;
        state.open_files += 1;
        let state = Arc::clone(&self.state);
        Ok(Arc::new(TrialFile { state, content }))
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        let mut state = lock(&self.state);
        let number = state.name(path)?;
        let length = state.content(number)?.now.len();
        Ok(u64::try_from(length).unwrap_or(u64::MAX))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        let power_cut = state.change()? == Some(Fault::PowerCut);
        if let Some(content) = state.names.remove(from) {
            state.names.insert(to.to_owned(), content);
        }
        if power_cut {
            return Err(io::Error::other("the power is gone"));
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        let power_cut = state.change()? == Some(Fault::PowerCut);
        state.names.remove(path);
        if power_cut {
            return Err(io::Error::other("the power is gone"));
        }
        Ok(())
    }
}

impl DiskFile for TrialFile {
    fn length(&self) -> io::Result<u64> {
        let mut state = lock(&self.state);
        let content = state.content(self.content)?;
        Ok(u64::try_from(content.now.len()).unwrap_or(u64::MAX))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = lock(&self.state);
        state.reads += 1;
        let content = state.content(self.content)?;
        let rest = content.now.get(index(offset)..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        let fault = state.change()?;
        let full = state.full;
        let content = state.content(self.content)?;
        let part = match fault {
            Some(Fault::Full | Fault::WriteFails) => bytes.get(..bytes.len() / 2).unwrap_or_default(),
            _ if full => &[],
            _ => bytes,
        };
        content.put(part, index(offset));
        match fault {
            Some(Fault::PowerCut) => Err(io::Error::other("the power is gone")),
            Some(Fault::WriteFails) => Err(io::Error::other("input/output error")),
            _ if full => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        let power_cut = state.change()? == Some(Fault::PowerCut);
        state.content(self.content)?.resize(index(length));
        if power_cut {
            return Err(io::Error::other("the power is gone"));
        }
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        if lock(&self.state).full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.set_length(length)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.change()? {
            Some(Fault::PowerCut) => return Err(io::Error::other("the power is gone")),
            Some(Fault::SyncFails) => {
                // The kernel has dropped the pages: the next sync reports success without them.
                let content = state.content(self.content)?;
                content.dirty.clear();
                return Err(io::Error::other("input/output error"));
            }
            _ => {}
        }
        state.content(self.content)?.sync();
        Ok(())
    }
}
