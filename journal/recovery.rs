//! What a crash left at the end of a log: what is whole is made durable before anybody sees it, the rest is cut, and no number is given a second time.

use crate::disk::Disk;
use crate::error::{Damaged, Error};
use crate::folder::{Folder, Listed};
use crate::record::HEADER_BYTES;
use crate::scan::Step;
use crate::stamp::STAMP_BYTES;
use crate::turn::Current;
use std::path::Path;

/// Where the log goes on.
pub(crate) struct Recovered {
    /// The next number.
    pub(crate) next: u64,
    /// Behind the last number that the last segment can hold.
    pub(crate) end: u64,
    /// A new segment for it, empty and durable; `None` where it could not be made, and then the first record tries again.
    pub(crate) current: Option<Current>,
    /// The end that was cut off.
    pub(crate) cut: Option<Damaged>,
}

/// Each life begins with a segment of its own. Its name says, whatever else the disk forgets, that every lower number was given: to records that were cut off
/// here, and to some that the last life left in the page cache only.
pub(crate) fn recover(disk: &dyn Disk, dir: &Path, folder: &mut Folder, settled: u64) -> Recovered {
    let last = folder.segments.last().cloned();
    let (end, given) = match walk_last(disk, folder) {
        Ok(walked) => walked,
        Err(_) => {
            let (file, bytes, base) = last.as_ref().map(|last| (last.path.clone(), last.bytes, last.base)).unwrap_or_default();
            folder.damaged.push(Damaged { file, offset: 0, bytes, why: "the segment cannot be read" });
            (bytes, base + bytes / HEADER_BYTES as u64 + 1)
        }
    };
    let lost = last.as_ref().map_or(0, |last| last.bytes.saturating_sub(end));
    let left_out = if lost > 0 { lost / HEADER_BYTES as u64 + 1 } else { 0 };
    // A name that no segment has.
    let free = last.as_ref().map_or(1, |last| last.base + 1);
    let next = (given + left_out).max(settled).max(free);
    let current = folder.id.and_then(|id| Current::begin_durable(disk, dir, id, next).ok());
    if let Some(last) = last {
        end_at(disk, dir, folder, &last, end.min(last.bytes), current.is_some());
        let cut = (lost > 0).then_some(Damaged { file: last.path, offset: end, bytes: lost, why: "no whole record follows" });
        drop_empty(disk, folder, current.is_some());
        return Recovered { next, end: given, current, cut };
    }
    Recovered { next, end: given, current, cut: None }
}

/// Cuts the last segment (the evidence stays while no new segment tells the numbers) and makes what is left durable.
fn end_at(disk: &dyn Disk, dir: &Path, folder: &mut Folder, last: &Listed, end: u64, told: bool) {
    if let Some(segment) = folder.segments.last_mut() {
        segment.bytes = end;
    }
    let durable = disk.modify(&last.path).and_then(|file| {
        if told && end < last.bytes {
            file.cut(end)?;
        }
        file.sync()?;
        disk.sync_dir(dir)
    });
    if durable.is_err() {
        folder.damaged.push(Damaged { file: last.path.clone(), offset: end, bytes: 0, why: "the segment could not be synced again" });
    }
}

/// Where the last whole record of the last segment ends, and the first number that it cannot hold.
fn walk_last(disk: &dyn Disk, folder: &mut Folder) -> Result<(u64, u64), Error> {
    let mut end = STAMP_BYTES as u64;
    let mut damaged = Vec::new();
    let Some(mut scan) = folder.scan(disk, folder.segments.len().saturating_sub(1))? else { return Ok((end, 0)) };
    scan.pass_over_holes();
    let mut pending = Vec::new();
    while let Some(step) = scan.step(|_, _| true)? {
        match step {
            Step::Entry(_) | Step::Other => {
                end = scan.at();
                damaged.append(&mut pending);
            }
            Step::Unknown(unknown) => {
                end = scan.at();
                damaged.append(&mut pending);
                damaged.push(unknown);
            }
            Step::Damaged(found) => pending.push(found),
        }
    }
    folder.damaged.append(&mut damaged);
    Ok((end, scan.from()))
}

/// Segments that never got a record, but not the one whose name is the last to say which numbers were given.
fn drop_empty(disk: &dyn Disk, folder: &mut Folder, told: bool) {
    let needed = if told { None } else { folder.segments.last().map(|last| last.base) };
    folder.segments.retain(|segment| {
        let empty = segment.bytes <= STAMP_BYTES as u64 && Some(segment.base) != needed;
        !(empty && disk.remove(&segment.path).is_ok())
    });
}
