//! Giving up a log that nobody has open.

use crate::disk::{Disk, Lock};
use crate::folder::LOCK;
use crate::inspect::{Behind, behind};
use crate::{Error, opening};
use std::path::Path;

/// Holds a log against every process that would open it, until it is dropped.
///
/// # Errors
/// Another process has it.
pub fn hold(disk: &dyn Disk, dir: &Path) -> Result<Lock, Error> {
    opening::lock(disk, dir)
}

/// Removes everything that lies in a log's folder, and says what this consumer had not settled: that is lost. Cut short, what is left is a log with fewer
/// records. Blocks.
///
/// # Errors
/// Another process has the log, or the disk fails.
pub fn discard(disk: &dyn Disk, dir: &Path, consumer: &str) -> Result<Behind, Error> {
    let _held = hold(disk, dir)?;
    let gone = behind(disk, dir, consumer)?;
    // By name: the oldest segment first, and cursors after all segments.
    for found in disk.list(dir).map_err(|error| Error::disk("list", dir, error))? {
        if !found.directory && found.name != LOCK {
            disk.remove(&found.path).map_err(|error| Error::disk("remove", &found.path, error))?;
        }
    }
    disk.sync_dir(dir).map_err(|error| Error::disk("sync", dir, error))?;
    Ok(gone)
}
