//! The only file that touches files: what a log and the store ask of a disk, and the real one. Tests put `simulated::Disk` in its place.

#![expect(clippy::disallowed_methods, reason = "this is the file in which they are allowed")]

pub mod foreign;

use bytes::{Bytes, BytesMut};
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Slices handed to one `writev`; Linux takes at most 1,024.
const PARTS_MAX: usize = 512;

/// What a [`crate::Log`] and the store do to files. Every call may block; a name is durable only after [`Disk::sync_dir`], bytes only after [`File::sync`].
pub trait Disk: Send + Sync + 'static {
    /// Makes a directory and its parents; well if it is there.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// What lies directly in a directory, sorted by name.
    fn list(&self, dir: &Path) -> io::Result<Vec<Found>>;
    /// Opens a file that exists, for reading; it stays readable when it is removed meanwhile.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens a file that exists, for reading and writing.
    fn modify(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Makes an empty file; `AlreadyExists` if the name is taken.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Gives a file another name, replacing what had it, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name if nobody has it, else `AlreadyExists`: put-if-absent.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable: after create, rename, link and remove.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Holds a lock file against every other process until the lock is dropped; `WouldBlock` if somebody has it.
    fn lock(&self, path: &Path) -> io::Result<Lock>;

    /// Bytes it holds at the most, where that is known and small: whoever keeps files on it should stay well below.
    fn bytes_max(&self) -> Option<u64> {
        None
    }

    /// A number that stays while what was written is there without a sync: until the machine starts again.
    fn boot(&self) -> u32 {
        0
    }

    /// A whole file; refuses one of more than `bytes_max`.
    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Bytes> {
        let file = self.open(path)?;
        let bytes = file.bytes()?;
        if bytes > bytes_max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{bytes} bytes, at most {bytes_max} are read")));
        }
        file.read_at(0, usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Part of a file: fewer bytes than asked for only at its end.
    fn read_range(&self, path: &Path, offset: u64, bytes: usize) -> io::Result<Bytes> {
        self.open(path)?.read_at(offset, bytes)
    }

    /// Makes a file, fills it and syncs it. Its name is durable after [`Disk::sync_dir`]; `AlreadyExists` if the name is taken.
    fn write_new(&self, path: &Path, parts: &[Bytes]) -> io::Result<()> {
        let file = self.create(path)?;
        file.append(parts)?;
        file.sync()
    }
}

/// An open file. Reads may run beside writes; one writer at a time is the caller's matter.
pub trait File: Send + Sync {
    /// Writes the parts behind the end. After an error any prefix may be there: [`File::cut`] it.
    fn append(&self, parts: &[Bytes]) -> io::Result<()>;
    /// Writes at an offset.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Shortens (or fills with zeros) to this size; [`File::append`] goes on there.
    fn cut(&self, bytes: u64) -> io::Result<()>;
    /// Returns when every byte written before is durable. After an error nothing is known of them and the file must not be used further.
    fn sync(&self) -> io::Result<()>;
    /// Fewer bytes than asked for only at the end of the file.
    fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Bytes>;
    /// Its size.
    fn bytes(&self) -> io::Result<u64>;
}

/// One name of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The whole path.
    pub path: PathBuf,
    /// The last part of the path; a name that is not UTF-8 shows with replacement characters.
    pub name: String,
    /// Its size; of no meaning for a directory.
    pub bytes: u64,
    /// Whether it is a directory itself.
    pub directory: bool,
}

/// Held: nobody else has the lock. Let go when dropped, and by the kernel when the process ends.
pub struct Lock(#[expect(dead_code, reason = "held for its drop")] Box<dyn Send + Sync>);

impl Lock {
    /// A lock that is let go with `held`.
    #[must_use]
    pub fn new(held: Box<dyn Send + Sync>) -> Lock {
        Lock(held)
    }
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lock")
    }
}

/// The disk of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Found>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // A file that goes between the listing and the question is not there.
            let Ok(metadata) = entry.metadata() else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            all.push(Found { path: entry.path(), name, bytes: metadata.len(), directory: metadata.is_dir() });
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(RealFile(fs::File::open(path)?)))
    }

    fn modify(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(RealFile(OpenOptions::new().read(true).write(true).open(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(RealFile(OpenOptions::new().read(true).write(true).create_new(true).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn boot(&self) -> u32 {
        // Where the machine does not say, every start is taken for one of the process only.
        fs::read("/proc/sys/kernel/random/boot_id").map_or(0, |id| crc32c::crc32c(&id))
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock::new(Box::new(file))),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

struct RealFile(fs::File);

impl File for RealFile {
    fn append(&self, parts: &[Bytes]) -> io::Result<()> {
        // Not O_APPEND, with which Linux would make `write_at` append too.
        (&self.0).seek(SeekFrom::End(0))?;
        for parts in parts.chunks(PARTS_MAX) {
            let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let mut left = slices.as_mut_slice();
            IoSlice::advance_slices(&mut left, 0);
            while !left.is_empty() {
                match (&self.0).write_vectored(left) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => IoSlice::advance_slices(&mut left, written),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn cut(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Bytes> {
        // Asked for by a length that a damaged file may name: the file's own size bounds the allocation.
        let there = usize::try_from(self.bytes()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut read = BytesMut::zeroed(bytes.min(there));
        let mut filled = 0;
        while filled < read.len() {
            match self.0.read_at(&mut read[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        read.truncate(filled);
        Ok(read.freeze())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
