//! What lies in a log's directory, read without changing it: the ground for opening and for inspecting.

use crate::cursors::{self, Saved};
use crate::disk::Disk;
use crate::error::{self, Damaged, Error};
use crate::naming::{self, NAMES, NAMES_BYTES_MAX, Names, Read};
use crate::reserve::RESERVE;
use crate::scan::{Expected, Scan, UNREADABLE};
use crate::stamp::{self, FORMAT_VERSION, Of, STAMP_BYTES, Stamp};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) const META: &str = "meta";
pub(crate) const CURSORS: &str = "cursors";
pub(crate) const LOCK: &str = "lock";
pub(crate) const BLAME: &str = "in-hand";
/// Ending of files that are being made.
pub(crate) const HALF_MADE: &str = ".tmp";

/// A segment by its name.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) base: u64,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// What was found.
pub(crate) struct Folder {
    /// From `meta`, else from a segment.
    pub(crate) id: Option<u32>,
    /// Whether `meta` itself said so.
    pub(crate) meta: bool,
    /// Ascending.
    pub(crate) segments: Vec<Listed>,
    /// Of sources; none where they are not there or damaged.
    pub(crate) names: Names,
    /// `None` when there is no cursor file.
    pub(crate) cursors: Option<Saved>,
    /// Whether space is kept.
    pub(crate) reserve: bool,
    pub(crate) half_made: Vec<PathBuf>,
    pub(crate) damaged: Vec<Damaged>,
}

impl Folder {
    /// Reads names, stamps and cursors. Fails on a directory that cannot be read and on an unknown version, never on damage.
    pub(crate) fn survey(disk: &dyn Disk, dir: &Path) -> Result<Folder, Error> {
        let mut folder = Folder {
            id: None,
            meta: false,
            segments: Vec::new(),
            names: Names::new(),
            cursors: None,
            reserve: false,
            half_made: Vec::new(),
            damaged: Vec::new(),
        };
        for found in disk.list(dir).map_err(|error| Error::disk("list", dir, error))? {
            if let Some(base) = stamp::segment_base(&found.name) {
                folder.segments.push(Listed { base, path: found.path, bytes: found.bytes });
            } else if found.name.ends_with(HALF_MADE) {
                folder.half_made.push(found.path);
            } else if found.name == RESERVE {
                folder.reserve = true;
            }
        }
        folder.read_id(disk, dir)?;
        folder.read_cursors(disk, dir)?;
        folder.read_names(disk, dir)?;
        Ok(folder)
    }

    fn read_id(&mut self, disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
        let path = dir.join(META);
        let mut failed = None;
        match disk.read_range(&path, 0, STAMP_BYTES) {
            Ok(bytes) => self.id = self.known(stamp::decode(Of::Meta, &bytes), &path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error::unreadable(&error) => failed = Some(error),
            Err(error) => return Err(Error::disk("read", &path, error)),
        }
        self.meta = self.id.is_some();
        for segment in self.segments.clone() {
            // A segment that cannot be read now is the reader's to report.
            let Ok(bytes) = disk.read_range(&segment.path, 0, STAMP_BYTES) else { continue };
            let id = self.known(stamp::decode(Of::Segment, &bytes), &segment.path)?;
            self.id = self.id.or(id);
        }
        match failed {
            // Nothing else says it: to make a new one would be to give up all that is there.
            Some(error) if self.id.is_none() => Err(Error::disk("read", &path, error)),
            Some(_) => {
                self.damaged.push(Damaged { file: path, offset: 0, bytes: STAMP_BYTES as u64, why: UNREADABLE });
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn known(&mut self, stamp: Stamp, path: &Path) -> Result<Option<u32>, Error> {
        match stamp {
            Stamp::Known { id } => Ok(Some(id)),
            Stamp::Newer { version } => Err(Error::Version { path: path.to_path_buf(), version, known: FORMAT_VERSION }),
            Stamp::Damaged => {
                let bytes = STAMP_BYTES as u64;
                self.damaged.push(Damaged { file: path.to_path_buf(), offset: 0, bytes, why: "the stamp at its start is damaged" });
                Ok(None)
            }
        }
    }

    fn read_cursors(&mut self, disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
        let path = dir.join(CURSORS);
        let bytes = match disk.read_range(&path, 0, cursors::FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error::unreadable(&error) => bytes::Bytes::new(),
            Err(error) => return Err(Error::disk("read", &path, error)),
        };
        let saved = self.id.map_or(Saved::Damaged, |id| cursors::decode(id, &bytes));
        if let Saved::Newer { version } = saved {
            return Err(Error::Version { path, version, known: FORMAT_VERSION });
        }
        if saved == Saved::Damaged {
            let why = "no slot is whole; every consumer starts at the oldest record again";
            self.damaged.push(Damaged { file: path, offset: 0, bytes: bytes.len() as u64, why });
        }
        self.cursors = Some(saved);
        Ok(())
    }

    fn read_names(&mut self, disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
        let path = dir.join(NAMES);
        let bytes = match disk.read_range(&path, 0, NAMES_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error::unreadable(&error) => bytes::Bytes::new(),
            Err(error) => return Err(Error::disk("read", &path, error)),
        };
        match self.id.map_or(Read::Damaged, |id| naming::decode(id, &bytes)) {
            Read::Names(names) => self.names = names,
            Read::Newer { version } => return Err(Error::Version { path, version, known: FORMAT_VERSION }),
            Read::Damaged => {
                let why = "it is not whole; the names of sources that are gone are lost";
                self.damaged.push(Damaged { file: path, offset: 0, bytes: bytes.len() as u64, why });
            }
        }
        Ok(())
    }

    /// A walk over the n-th segment.
    pub(crate) fn scan(&self, disk: &dyn Disk, n: usize) -> Result<Option<Scan>, Error> {
        let (Some(segment), Some(id)) = (self.segments.get(n), self.id) else { return Ok(None) };
        let below = self.segments.get(n + 1).map_or(u64::MAX, |next| next.base);
        let file = disk.open(&segment.path).map_err(|error| Error::disk("open", &segment.path, error))?;
        // A running process may have put a shorter file in its place since it was listed.
        let bytes = file.bytes().map_or(segment.bytes, |bytes| bytes.min(segment.bytes));
        Ok(Some(Scan::new(file, &segment.path, Expected { id, from: segment.base, below }, bytes)))
    }
}
