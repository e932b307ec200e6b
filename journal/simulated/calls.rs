//! The calls of the simulated disk, as everybody makes them.

use super::{Call, Content, SimulatedDisk, put};
use crate::disk::{self, Disk, Found, Lock};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    fn boot(&self) -> u32 {
        self.0.lock().boot
    }

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
        let end = offset.saturating_add(bytes as u64);
        if inner.unreadable.iter().any(|(file, at)| *file == self.file && at.start < end && offset < at.end) {
            return Err(io::Error::other("a sector cannot be read"));
        }
        Ok(inner.files.get(&self.file).map(|content| content.read(offset, bytes)).unwrap_or_default())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().files.get(&self.file).map_or(0, Content::bytes))
    }
}
