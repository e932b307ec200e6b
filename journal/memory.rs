//! A disk that lies in memory and goes with the process: for a run that may keep nothing (`--ephemeral`).

use crate::disk::{Disk, File, Found, Lock};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Files in memory, of at most so many bytes together; beyond it writes fail as on a full disk.
#[derive(Clone)]
pub struct MemoryDisk(Arc<Inner>);

struct Inner {
    bytes_max: u64,
    used: AtomicU64,
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    files: BTreeMap<PathBuf, Arc<Content>>,
    folders: BTreeSet<PathBuf>,
}

struct Content {
    disk: Arc<Inner>,
    bytes: Mutex<Vec<u8>>,
}

impl MemoryDisk {
    /// An empty disk of this size.
    #[must_use]
    pub fn new(bytes_max: u64) -> MemoryDisk {
        MemoryDisk(Arc::new(Inner { bytes_max, used: AtomicU64::new(0), names: Mutex::new(Names::default()) }))
    }

    fn find(&self, path: &Path) -> io::Result<Arc<Content>> {
        self.0.names.lock().files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Inner {
    fn take(&self, bytes: u64) -> io::Result<()> {
        let room = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.bytes_max);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes as u64, Ordering::AcqRel);
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.disk.give_back(self.bytes.get_mut().len());
    }
}

impl Disk for MemoryDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.0.names.lock().folders.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Found>> {
        let names = self.0.names.lock();
        if !names.folders.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let found = |path: &PathBuf, bytes: u64, directory| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            Found { path: path.clone(), name, bytes, directory }
        };
        let files =
            names.files.iter().filter(|(path, _)| path.parent() == Some(dir)).map(|(p, c)| found(p, c.bytes.lock().len() as u64, false));
        let folders = names.folders.iter().filter(|path| path.parent() == Some(dir)).map(|path| found(path, 0, true));
        let mut all: Vec<Found> = files.chain(folders).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.find(path)?)
    }

    fn modify(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.find(path)?)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut names = self.0.names.lock();
        if !path.parent().is_some_and(|folder| names.folders.contains(folder)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if names.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Arc::new(Content { disk: Arc::clone(&self.0), bytes: Mutex::default() });
        names.files.insert(path.to_owned(), Arc::clone(&content));
        Ok(content)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.0.names.lock();
        let content = names.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.0.names.lock();
        if names.files.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = names.files.get(from).cloned().ok_or(io::ErrorKind::NotFound)?;
        names.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.names.lock().files.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn bytes_max(&self) -> Option<u64> {
        Some(self.0.bytes_max)
    }

    fn lock(&self, _path: &Path) -> io::Result<Lock> {
        // No other process can see it.
        Ok(Lock::new(Box::new(())))
    }
}

impl File for Content {
    fn append(&self, parts: &[Bytes]) -> io::Result<()> {
        self.disk.take(parts.iter().map(|part| part.len() as u64).sum())?;
        let mut bytes = self.bytes.lock();
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        Ok(())
    }

    fn write_at(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::StorageFull)?;
        let end = start.checked_add(new.len()).ok_or(io::ErrorKind::StorageFull)?;
        let mut bytes = self.bytes.lock();
        self.disk.take(end.saturating_sub(bytes.len()) as u64)?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(new);
        Ok(())
    }

    fn cut(&self, size: u64) -> io::Result<()> {
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::StorageFull)?;
        let mut bytes = self.bytes.lock();
        self.disk.take(size.saturating_sub(bytes.len()) as u64)?;
        self.disk.give_back(bytes.len().saturating_sub(size));
        bytes.resize(size, 0);
        bytes.shrink_to_fit();
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn read_at(&self, offset: u64, wanted: usize) -> io::Result<Bytes> {
        let bytes = self.bytes.lock();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(wanted).min(bytes.len());
        Ok(Bytes::copy_from_slice(&bytes[start..end]))
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_file_gives_its_space_back_once_nobody_reads_it() {
        let disk = MemoryDisk::new(10);
        disk.create_dir_all(Path::new("/a")).unwrap();
        disk.write_new(Path::new("/a/one"), &[Bytes::from_static(b"12345678")]).unwrap();
        assert_eq!(disk.write_new(Path::new("/a/two"), &[Bytes::from_static(b"123")]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        let reader = disk.open(Path::new("/a/one")).unwrap();
        disk.remove(Path::new("/a/one")).unwrap();
        assert_eq!(&reader.read_at(6, 100).unwrap()[..], b"78");
        drop(reader);
        disk.write_new(Path::new("/a/three"), &[Bytes::from_static(b"1234567890")]).unwrap();
    }

    #[test]
    fn a_name_is_put_only_if_nobody_has_it() {
        let disk = MemoryDisk::new(10);
        disk.create_dir_all(Path::new("/a")).unwrap();
        disk.write_new(Path::new("/a/one"), &[]).unwrap();
        disk.link(Path::new("/a/one"), Path::new("/a/two")).unwrap();
        assert_eq!(disk.link(Path::new("/a/one"), Path::new("/a/two")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let names: Vec<String> = disk.list(Path::new("/a")).unwrap().into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["one", "two"]);
    }
}
