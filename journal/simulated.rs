//! A disk in memory for tests, of this room and of those above: it fails on demand, has a size, and when its power goes it forgets what was not synced, wholly or in part.

mod content;

use crate::disk::{self, Disk, Found, Lock};
use bytes::Bytes;
use content::{Chance, Content};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
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
    /// [`Disk::create`].
    Create,
    /// [`disk::File::append`]: half of it is written before the error.
    Append,
    /// [`disk::File::write_at`].
    WriteAt,
    /// [`disk::File::cut`].
    Cut,
    /// [`disk::File::sync`]: what was to be synced is then not durable, and a second sync does not see it (as on Linux).
    Sync,
    /// [`Disk::sync_dir`].
    SyncDir,
    /// [`Disk::rename`] and [`Disk::link`].
    Rename,
    /// [`Disk::remove`].
    Remove,
    /// [`disk::File::read_at`].
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
    calls: u64,
    syncs: u64,
    off_at: Option<u64>,
    off: bool,
    failing: Vec<(Call, io::ErrorKind, usize)>,
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
        self.0.lock().failing.push((call, error, times));
    }

    /// No call fails any more, and there is space.
    pub fn heal(&self) {
        let mut inner = self.0.lock();
        inner.failing.clear();
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
        self.calls += 1;
        self.failure(call)
    }

    fn failure(&mut self, call: Call) -> io::Result<()> {
        for (failing, error, times) in &mut self.failing {
            if *failing == call && *times > 0 {
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

impl SimulatedDisk {
    fn file(&self, life: u64, file: u64) -> Arc<dyn disk::File> {
        Arc::new(OpenFile { disk: self.clone(), life, file })
    }

    fn opened(&self, path: &Path) -> io::Result<Arc<dyn disk::File>> {
        let inner = self.0.lock();
        Ok(self.file(inner.life, inner.find(path)?))
    }
}

impl Disk for SimulatedDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.0.lock().folders.extend(dir.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Found>> {
        let inner = self.0.lock();
        if inner.off || !inner.folders.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let found = |path: &PathBuf, bytes, directory| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            (path.parent() == Some(dir)).then(|| Found { path: path.clone(), name, bytes, directory })
        };
        let files = inner.names.iter().filter_map(|(path, file)| found(path, inner.files.get(file).map_or(0, Content::bytes), false));
        let mut all: Vec<Found> = files.chain(inner.folders.iter().filter_map(|path| found(path, 0, true))).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn disk::File>> {
        self.opened(path)
    }

    fn modify(&self, path: &Path) -> io::Result<Arc<dyn disk::File>> {
        self.opened(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn disk::File>> {
        let mut inner = self.0.lock();
        inner.enter(Call::Create)?;
        if inner.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // Never given twice, as the model keeps files that lost their names.
        let file = inner.files.keys().next_back().map_or(0, |last| last + 1);
        inner.files.insert(file, Content::default());
        inner.step(vec![(path.to_path_buf(), Some(file))]);
        let life = inner.life;
        inner.leave(self.file(life, file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.0.lock();
        inner.enter(Call::Rename)?;
        let file = *inner.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        inner.step(vec![(from.to_path_buf(), None), (to.to_path_buf(), Some(file))]);
        inner.leave(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.0.lock();
        inner.enter(Call::Rename)?;
        let file = *inner.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        if inner.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        inner.step(vec![(to.to_path_buf(), Some(file))]);
        inner.leave(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.0.lock();
        inner.enter(Call::Remove)?;
        if !inner.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        inner.step(vec![(path.to_path_buf(), None)]);
        inner.leave(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut inner = self.0.lock();
        inner.enter(Call::SyncDir)?;
        inner.leave(())?;
        let here = |step: &Vec<(PathBuf, Option<u64>)>| step.iter().any(|(path, _)| path.parent() == Some(dir));
        let (synced, left) = std::mem::take(&mut inner.pending_names).into_iter().partition::<Vec<_>, _>(here);
        inner.pending_names = left;
        synced.into_iter().flatten().for_each(|(path, file)| put(&mut inner.durable_names, path, file));
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let mut inner = self.0.lock();
        if inner.off {
            return Err(io::Error::other("the power is off"));
        }
        if !inner.locked.insert(path.to_path_buf()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Lock::new(Box::new(Held { disk: self.clone(), life: inner.life, path: path.to_path_buf() })))
    }
}

struct Held {
    disk: SimulatedDisk,
    life: u64,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut inner = self.disk.0.lock();
        if inner.life == self.life {
            inner.locked.remove(&self.path);
        }
    }
}

struct OpenFile {
    disk: SimulatedDisk,
    life: u64,
    file: u64,
}

impl OpenFile {
    fn change(&self, call: Call, change: impl FnOnce(&mut Content, Option<u64>, bool) -> io::Result<()>) -> io::Result<()> {
        let mut inner = self.disk.0.lock();
        if inner.life != self.life {
            return Err(io::Error::other("opened before the restart"));
        }
        let failure = inner.enter(call);
        // When the power goes in a sync, what was to be synced is as good as any other change.
        if inner.off && (failure.is_err() || call == Call::Sync) {
            return failure.and_then(|()| inner.leave(()));
        }
        let room = inner.capacity.map(|capacity| capacity.saturating_sub(inner.used()));
        let content = inner.files.get_mut(&self.file).ok_or(io::ErrorKind::NotFound)?;
        let changed = change(content, room, failure.is_err());
        failure?;
        inner.leave(())?;
        changed
    }
}

impl disk::File for OpenFile {
    fn append(&self, parts: &[Bytes]) -> io::Result<()> {
        self.change(Call::Append, |content, room, failing| {
            let whole = parts.concat();
            let fits = room.map_or(whole.len(), |room| usize::try_from(room).unwrap_or(usize::MAX).min(whole.len()));
            let written = if failing { fits / 2 } else { fits };
            content.write(content.bytes(), &whole[..written]);
            if fits < whole.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Call::WriteAt, |content, _, failing| {
            content.write(offset, if failing { &bytes[..bytes.len() / 2] } else { bytes });
            Ok(())
        })
    }

    fn cut(&self, bytes: u64) -> io::Result<()> {
        self.change(Call::Cut, |content, _, failing| {
            if !failing {
                content.cut(bytes);
            }
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.0.lock().syncs += 1;
        self.change(Call::Sync, |content, _, failing| {
            content.sync(failing);
            Ok(())
        })
    }

    fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Bytes> {
        let mut inner = self.disk.0.lock();
        if inner.life != self.life || inner.off {
            return Err(io::Error::other("the power went"));
        }
        inner.failure(Call::Read)?;
        Ok(inner.files.get(&self.file).map(|content| content.read(offset, bytes)).unwrap_or_default())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().files.get(&self.file).map_or(0, Content::bytes))
    }
}
