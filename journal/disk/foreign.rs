//! Files that others write: looked at and read, never changed. What a source that follows files asks of the machine's disk.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Which file it is, whatever it is called. A number may be given to another file once this one is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The file system.
    pub device: u64,
    /// The file on it.
    pub inode: u64,
}

/// A file as it was at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which file.
    pub identity: Identity,
    /// Its size.
    pub bytes: u64,
    /// When it was last written to: nanoseconds since the Unix epoch.
    pub modified: u64,
    /// Neither a directory nor a pipe, socket or device.
    pub regular: bool,
}

impl Seen {
    fn of(metadata: &Metadata) -> Seen {
        let nanos = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Seen {
            identity: Identity { device: metadata.dev(), inode: metadata.ino() },
            bytes: metadata.len(),
            modified: u64::try_from(nanos.max(0)).unwrap_or(u64::MAX),
            regular: metadata.is_file(),
        }
    }
}

/// One name of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The whole path.
    pub path: PathBuf,
    /// The last part of the path; a name that is not UTF-8 shows with replacement characters.
    pub name: String,
    /// Whether it is a directory itself; a link to one is not.
    pub directory: bool,
}

/// What a path leads to, through links.
pub fn look(path: &Path) -> io::Result<Seen> {
    fs::metadata(path).map(|metadata| Seen::of(&metadata))
}

/// What lies directly in a directory, sorted by name.
pub fn list(directory: &Path) -> io::Result<Vec<Name>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        all.push(Name { path: entry.path(), name: entry.file_name().to_string_lossy().into_owned(), directory });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// What a link says; an error where the path is none.
pub fn target(path: &Path) -> io::Result<PathBuf> {
    let target = fs::read_link(path)?;
    Ok(path.parent().map_or(target.clone(), |folder| folder.join(target)))
}

/// An open file of others. It stays readable when it is renamed or removed.
#[derive(Debug)]
pub struct Foreign(File);

impl Foreign {
    /// Opens a regular file; never waits, as opening a pipe would.
    ///
    /// # Errors
    /// Also where it is not a regular file.
    pub fn open(path: &Path) -> io::Result<Foreign> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        if file.metadata()?.is_file() { Ok(Foreign(file)) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")) }
    }

    /// The file as it is now.
    pub fn seen(&self) -> io::Result<Seen> {
        self.0.metadata().map(|metadata| Seen::of(&metadata))
    }

    /// Fills the buffer from an offset; fewer bytes only at the end of the file.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}
