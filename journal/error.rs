//! What can go wrong with a log, in sentences for whoever runs it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the log could not do it. Cheap to clone: one failed sync answers everybody who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A call to the disk failed.
    #[error("cannot {what} {}: {error}{}", path.display(), advice(error))]
    Disk {
        /// The verb: `write`, `sync`, `create` and so on.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: Arc<io::Error>,
    },
    /// Another process has the directory.
    #[error("{} is in use by another kansoku; end that one, or set another path", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Written by a version this one does not know.
    #[error("{} has format version {version}, this kansoku reads up to {known}; start the version that wrote it, or set another path", path.display())]
    Version {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        version: u16,
        /// The newest that is known here.
        known: u16,
    },
    /// More consumers than the cursor file has room for.
    #[error("{} has no room for the cursor of \"{name}\": forget one, or use shorter names", path.display())]
    Cursors {
        /// The cursor file.
        path: PathBuf,
        /// The consumer that did not fit.
        name: String,
    },
    /// The disk is so slow that records pile up in memory.
    #[error("{} is behind: {bytes} bytes wait for the disk; try again later", path.display())]
    Behind {
        /// The directory.
        path: PathBuf,
        /// Bytes in memory.
        bytes: u64,
    },
    /// The runtime went away before the record was synced.
    #[error("{} was closed before the record was synced", path.display())]
    Closed {
        /// The directory.
        path: PathBuf,
    },
}

impl Error {
    /// A failed call, by its verb and file.
    pub(crate) fn disk(what: &'static str, path: &Path, error: io::Error) -> Error {
        Error::Disk { what, path: path.to_path_buf(), error: Arc::new(error) }
    }

    /// Whether the file is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Error::Disk { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the place cannot be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Error::Disk { error, .. } if unreadable(error))
    }

    /// Whether the disk (or the quota) is full: it goes away by itself when space returns.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Error::Disk { error, .. } if full(error))
    }
}

/// Whether the system says that there is no space.
pub(crate) fn full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether the place itself cannot be read, and not the process, for a reason that goes away by itself or with a right.
#[must_use]
pub fn unreadable(error: &io::Error) -> bool {
    /// Too many open files, in the process and in the system.
    const TOO_MANY_FILES: [i32; 2] = [24, 23];
    let kind = matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::OutOfMemory
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::NotFound
    );
    !kind && !error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        _ if full(error) => "; new data is refused until there is space: free some, or set a smaller limit",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "; set a path that this user may write to",
        _ => "",
    }
}

/// Why a record was not taken. The caller still has it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The log has its `limit`; it takes records again when a consumer has settled the oldest segment.
    #[error("the journal is full: its limit of {limit} bytes is reached, its consumers are behind")]
    Full {
        /// [`crate::Options::limit`].
        limit: u64,
    },
    /// It would never fit.
    #[error("a record of {bytes} bytes is too large for the journal, which takes up to {bytes_max}")]
    TooLarge {
        /// The record with its header.
        bytes: u64,
        /// The most that is taken.
        bytes_max: u64,
    },
    /// The disk does not take it at the moment.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Bytes of a file that could not be read as records and were passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The segment (or `cursors`, `meta`).
    pub file: PathBuf,
    /// Where it starts.
    pub offset: u64,
    /// How many bytes were passed over.
    pub bytes: u64,
    /// What was wrong there.
    pub why: &'static str,
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}: {} bytes passed over: {}", self.file.display(), self.offset, self.bytes, self.why)
    }
}
