//! Looking at a log without opening it: for `kansoku journal ls`, `verify` and `dump`. Changes nothing and takes no lock; beside a running process its last records may look torn.

use crate::cursors::Saved;
use crate::disk::Disk;
use crate::error::{Damaged, Error};
use crate::folder::Folder;
use crate::record::{Entry, Kind};
use crate::scan::Step;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// One log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// `None` when neither `meta` nor a segment says it; then no record can be read.
    pub id: Option<u32>,
    /// How far each consumer is.
    pub cursors: Vec<(String, u64)>,
    /// Ascending.
    pub segments: Vec<SegmentInfo>,
    /// Damage outside the records.
    pub damaged: Vec<Damaged>,
}

/// One segment, every record of it read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its file.
    pub path: PathBuf,
    /// Size of the file.
    pub bytes: u64,
    /// No number in it is lower.
    pub first: u64,
    /// Behind its last number.
    pub end: u64,
    /// Whole records of each kind.
    pub data: u64,
    /// As `data`.
    pub decisions: u64,
    /// As `data`.
    pub marks: u64,
    /// Items in its data records.
    pub items: u64,
    /// Earliest and latest arrival of its records, nanoseconds since the Unix epoch.
    pub arrived: Option<(u64, u64)>,
    /// What in it could not be read.
    pub damaged: Vec<Damaged>,
}

impl SegmentInfo {
    fn count(&mut self, entry: &Entry) {
        match entry.header.kind {
            Kind::Data => self.data += 1,
            Kind::Decision => self.decisions += 1,
            Kind::Mark => self.marks += 1,
        }
        if entry.header.kind == Kind::Data {
            self.items += u64::from(entry.header.items);
        }
        let arrived = entry.header.arrived;
        self.arrived = Some(self.arrived.map_or((arrived, arrived), |(first, last)| (first.min(arrived), last.max(arrived))));
        self.end = entry.sequence.saturating_add(1);
    }
}

/// Reads all of a log and says what is there, and what is damaged.
///
/// # Errors
/// The directory cannot be read, or its format is newer than this one.
pub fn inspect(disk: &dyn Disk, dir: &Path) -> Result<Inspected, Error> {
    let folder = Folder::survey(disk, dir)?;
    let mut segments = Vec::new();
    for (n, segment) in folder.segments.iter().enumerate() {
        let mut info = SegmentInfo {
            path: segment.path.clone(),
            bytes: segment.bytes,
            first: segment.base,
            end: segment.base,
            data: 0,
            decisions: 0,
            marks: 0,
            items: 0,
            arrived: None,
            damaged: Vec::new(),
        };
        let mut damaged = Vec::new();
        let mut count = |entry: Entry| {
            info.count(&entry);
            ControlFlow::Continue(())
        };
        let walked = walk(disk, &folder, n, &mut damaged, &mut count)?;
        info.damaged = damaged;
        segments.push(info);
        if walked.is_break() {
            break;
        }
    }
    let cursors = match folder.cursors {
        Some(Saved::Marks { marks, .. }) => marks.into_iter().collect(),
        _ => Vec::new(),
    };
    Ok(Inspected { id: folder.id, cursors, segments, damaged: folder.damaged })
}

/// Hands out the whole records from a number on, until `each` breaks; returns what could not be read on the way.
///
/// # Errors
/// As [`inspect`].
pub fn dump(disk: &dyn Disk, dir: &Path, from: u64, each: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<Vec<Damaged>, Error> {
    let folder = Folder::survey(disk, dir)?;
    let mut damaged = folder.damaged.clone();
    for n in 0..folder.segments.len() {
        let mut from_on = |entry: Entry| if entry.sequence < from { ControlFlow::Continue(()) } else { each(entry) };
        if walk(disk, &folder, n, &mut damaged, &mut from_on)?.is_break() {
            break;
        }
    }
    Ok(damaged)
}

fn walk(
    disk: &dyn Disk,
    folder: &Folder,
    n: usize,
    damaged: &mut Vec<Damaged>,
    each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    let Some(mut scan) = folder.scan(disk, n)? else { return Ok(ControlFlow::Continue(())) };
    loop {
        match scan.step(|_, _| true) {
            Ok(None) => return Ok(ControlFlow::Continue(())),
            Ok(Some(Step::Other)) => {}
            Ok(Some(Step::Unknown(found) | Step::Damaged(found))) => damaged.push(found),
            Ok(Some(Step::Entry(entry))) => {
                if each(entry).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Err(_) => damaged.push(scan.give_up("the disk cannot read it")),
        }
    }
}
