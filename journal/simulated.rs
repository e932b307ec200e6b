//! A disk in memory for tests, of this room and of those above: it fails on demand, has a size, and when its power goes it forgets what was not synced, wholly or in part.

mod calls;
mod content;

use content::{Chance, Content};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is left after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survives {
    /// Everything: the process was killed, the machine went on.
    All,
    /// Only what was synced: the power went.
    Synced,
    /// What was synced, and of the rest whatever this seed says: writes lost, torn at sectors, out of order; names likewise.
    Some(u64),
}

/// Which calls shall fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`crate::Disk::create`].
    Create,
    /// [`crate::File::append`]: half of it is written before the error.
    Append,
    /// [`crate::File::write_at`].
    WriteAt,
    /// [`crate::File::cut`].
    Cut,
    /// [`crate::File::sync`]: what was to be synced is then not durable, and a second sync does not see it (as on Linux).
    Sync,
    /// [`crate::Disk::sync_dir`].
    SyncDir,
    /// [`crate::Disk::rename`] and [`crate::Disk::link`].
    Rename,
    /// [`crate::Disk::remove`].
    Remove,
    /// [`crate::File::read_at`].
    Read,
}

/// Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    /// Steps since the last sync of their directory; each happens whole or not.
    pending_names: Vec<Vec<(PathBuf, Option<u64>)>>,
    folders: BTreeSet<PathBuf>,
    files: BTreeMap<u64, Content>,
    locked: BTreeSet<PathBuf>,
    /// Counts restarts: a file opened in an earlier life is dead.
    life: u64,
    /// Counts those of the machine.
    boot: u32,
    calls: u64,
    syncs: u64,
    off_at: Option<u64>,
    off: bool,
    /// What fails, how often it does not yet, and how often it does then.
    failing: Vec<(Call, io::ErrorKind, usize, usize)>,
    /// Numbers of calls that fail.
    failing_at: Option<(Range<u64>, io::ErrorKind)>,
    unreadable: Vec<(u64, Range<u64>)>,
    capacity: Option<u64>,
}

impl SimulatedDisk {
    /// Empty, endless, well.
    #[must_use]
    pub fn new() -> SimulatedDisk {
        SimulatedDisk::default()
    }

    /// Changing calls so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    /// Syncs of files so far.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// The power goes in the middle of the changing call with this number (the first is 0): it and all later ones fail, until [`SimulatedDisk::restart`].
    pub fn power_off_at(&self, call: u64) {
        self.0.lock().off_at = Some(call);
    }

    /// Whether the power is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.lock().off
    }

    /// The machine, or only the process, starts again: locks are gone, and files opened before are dead.
    pub fn restart(&self, survives: Survives) {
        let mut inner = self.0.lock();
        inner.boot += u32::from(inner.off || survives != Survives::All);
        (inner.off, inner.off_at) = (false, None);
        inner.life += 1;
        inner.locked.clear();
        let mut chance = match survives {
            Survives::All => return,
            Survives::Synced => Chance::never(),
            Survives::Some(seed) => Chance::seeded(seed),
        };
        let mut names = std::mem::take(&mut inner.durable_names);
        for step in std::mem::take(&mut inner.pending_names) {
            if chance.happens() {
                step.into_iter().for_each(|(path, file)| put(&mut names, path, file));
            }
        }
        inner.files.values_mut().for_each(|content| content.crash(&mut chance));
        inner.durable_names = names.clone();
        inner.names = names;
    }

    /// The next `times` calls of this kind fail with this error.
    pub fn fail(&self, call: Call, error: io::ErrorKind, times: usize) {
        self.0.lock().failing.push((call, error, 0, times));
    }

    /// The call of this kind that comes after so many others fails with this error, once.
    pub fn fail_after(&self, call: Call, error: io::ErrorKind, others: usize) {
        self.0.lock().failing.push((call, error, others, 1));
    }

    /// The changing calls with these numbers (the first is 0) fail with this error.
    pub fn fail_at(&self, calls: Range<u64>, error: io::ErrorKind) {
        self.0.lock().failing_at = Some((calls, error));
    }

    /// Reads that touch these bytes of a file fail from now on.
    pub fn make_unreadable(&self, path: &Path, bytes: Range<u64>) {
        let mut inner = self.0.lock();
        let file = inner.names.get(path).copied();
        inner.unreadable.extend(file.map(|file| (file, bytes)));
    }

    /// No call fails any more, and there is space.
    pub fn heal(&self) {
        let mut inner = self.0.lock();
        inner.failing.clear();
        inner.failing_at = None;
        inner.unreadable.clear();
        inner.capacity = None;
    }

    /// Bytes that fit, or no bound.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.0.lock().capacity = capacity;
    }

    /// Bytes that lie there.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.lock().used()
    }

    /// Changes what lies in a file, behind everybody's back; what was synced of it is changed durably.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.0.lock();
        let file = inner.names.get(path).copied();
        if let Some(content) = file.and_then(|file| inner.files.get_mut(&file)) {
            content.damage(change);
        }
    }
}

fn put(names: &mut BTreeMap<PathBuf, u64>, path: PathBuf, file: Option<u64>) {
    match file {
        Some(file) => names.insert(path, file),
        None => names.remove(&path),
    };
}

impl Inner {
    fn used(&self) -> u64 {
        self.names.values().filter_map(|file| self.files.get(file)).map(Content::bytes).sum()
    }

    /// Counts a changing call; the error says that it must fail. One that the power cut still changes the cache.
    fn enter(&mut self, call: Call) -> Result<(), io::Error> {
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        if self.off_at == Some(self.calls) {
            self.off = true;
        }
        let number = self.calls;
        self.calls += 1;
        if let Some((_, error)) = self.failing_at.as_ref().filter(|(calls, _)| calls.contains(&number)) {
            return Err((*error).into());
        }
        self.failure(call)
    }

    fn failure(&mut self, call: Call) -> io::Result<()> {
        for (failing, error, before, times) in &mut self.failing {
            if *failing == call && *before > 0 {
                *before -= 1;
            } else if *failing == call && *times > 0 {
                *times -= 1;
                return Err((*error).into());
            }
        }
        Ok(())
    }

    fn leave<T>(&self, done: T) -> io::Result<T> {
        if self.off { Err(io::Error::other("the power went")) } else { Ok(done) }
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn step(&mut self, step: Vec<(PathBuf, Option<u64>)>) {
        step.iter().for_each(|(path, file)| put(&mut self.names, path.clone(), *file));
        self.pending_names.push(step);
    }
}
