//! Where the checkpoint lies. It is replaced whole and in one step; one that cannot be read is set aside, and one of an unknown version left alone.

use crate::checkpoint::{Checkpoint, Unread, VERSION};
use bytes::Bytes;
use journal::Disk;
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

const STATE: &str = "state";
/// What a checkpoint may have. Ten thousand keys with all their evidence have a tenth of it.
const STATE_BYTES_MAX: u64 = 1 << 30;

/// Why the state of an alert node cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk refused.
    #[error("alert state {}: {what}: {cause}; its folder lies beside the journal and has to be one that this user may write", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        what: &'static str,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// Written by a version that is not known here.
    #[error(
        "alert state {} has format version {found}, this kansoku reads version {VERSION}; start the kansoku that wrote it, or move the file away to begin without its counts",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u16,
    },
    /// It cannot be put into words.
    #[error("alert state: {0}")]
    Words(String),
}

/// The folder of one alert node.
#[derive(Clone)]
pub struct Folder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

/// What was there.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    Nothing,
    State(Box<Checkpoint<'static>>),
    /// It could not be read and lies here now.
    Damaged(PathBuf),
}

impl Folder {
    /// A folder that need not be there yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Folder {
        Folder { disk, path }
    }

    /// Reads what an earlier process left. Blocks.
    pub(crate) fn read(&self) -> Result<Found, Error> {
        self.disk.create_dir_all(&self.path).map_err(|cause| self.failed(&self.path, "cannot make the folder", cause))?;
        for parent in self.path.ancestors().skip(1).take(2) {
            self.disk.sync_dir(parent).map_err(|cause| self.failed(parent, "cannot sync the folder", cause))?;
        }
        let path = self.path.join(STATE);
        let why = match self.disk.read(&path, STATE_BYTES_MAX) {
            Ok(bytes) => match Checkpoint::decode(&bytes) {
                Ok(checkpoint) => return Ok(Found::State(Box::new(checkpoint))),
                Err(Unread::Version(found)) => return Err(Error::Version { path, found }),
                Err(Unread::Damaged(why)) => why,
            },
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(cause) if cause.kind() == ErrorKind::FileTooLarge || journal::error::unreadable(&cause) => cause.to_string(),
            Err(cause) => return Err(self.failed(&path, "cannot read it", cause)),
        };
        let aside = self.set_aside(&path)?;
        tracing::error!(path = %path.display(), aside = %aside.display(), why, "the state of alerts cannot be read: it is set aside, and counting begins anew");
        Ok(Found::Damaged(aside))
    }

    /// Writes a checkpoint in the place of the one before. Blocks; durable when it returns well.
    pub(crate) fn put(&self, bytes: Bytes) -> Result<(), Error> {
        journal::replace(&*self.disk, &self.path, STATE, bytes)
            .map_err(|cause| self.failed(&self.path.join(STATE), "cannot write it", cause))
    }

    /// Gives a file a name that nobody has.
    fn set_aside(&self, path: &Path) -> Result<PathBuf, Error> {
        let names = self.disk.list(&self.path).map_err(|cause| self.failed(&self.path, "cannot list the folder", cause))?;
        let taken = |name: &str| names.iter().any(|found| found.name == name);
        let name = (1_u64..).map(|n| format!("damaged-{n}")).find(|name| !taken(name)).unwrap_or_default();
        let aside = self.path.join(name);
        self.disk.rename(path, &aside).map_err(|cause| self.failed(path, "cannot set it aside", cause))?;
        self.disk.sync_dir(&self.path).map_err(|cause| self.failed(&self.path, "cannot sync the folder", cause))?;
        Ok(aside)
    }

    fn failed(&self, path: &Path, what: &'static str, cause: std::io::Error) -> Error {
        Error::Disk { path: path.to_owned(), what, cause }
    }
}
