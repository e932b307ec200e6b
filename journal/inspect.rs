//! Looking at a log without opening it: for `kansoku journal ls`, `verify` and `dump`. Changes nothing and takes no lock, so it works beside a running process:
//! what that writes meanwhile looks like a torn end, and what it frees is not there.

use crate::cursors::Saved;
use crate::disk::Disk;
use crate::error::{Damaged, Error};
use crate::folder::Folder;
use crate::naming::Names;
use crate::record::{Entry, Kind};
use crate::scan::{self, Scan, Step};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// One log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// `None` when neither `meta` nor a segment says it; then no record can be read.
    pub id: Option<u32>,
    /// What the numbers of sources mean.
    pub names: Names,
    /// How far each consumer is, by name.
    pub cursors: Vec<CursorInfo>,
    /// Ascending.
    pub segments: Vec<SegmentInfo>,
    /// Damage outside the records.
    pub damaged: Vec<Damaged>,
    /// The end of the last segment, where no whole record lies: a write that goes on, or that a crash interrupted. Nobody was told that it is durable.
    pub torn: Option<Damaged>,
}

/// One consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorInfo {
    /// Its name.
    pub name: String,
    /// Everything below is settled.
    pub through: u64,
    /// Whole data records that it has not settled.
    pub behind: u64,
    /// Earliest arrival of those, nanoseconds since the Unix epoch.
    pub oldest: Option<u64>,
}

impl CursorInfo {
    fn count(&mut self, entry: &Entry) {
        if entry.header.kind == Kind::Data && entry.sequence >= self.through {
            self.behind += 1;
            let arrived = entry.header.arrived;
            self.oldest = Some(self.oldest.map_or(arrived, |oldest| oldest.min(arrived)));
        }
    }
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
    /// As `data`.
    pub positions: u64,
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
            Kind::Position => self.positions += 1,
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
    let mut cursors: Vec<CursorInfo> = match &folder.cursors {
        Some(Saved::Marks { marks, .. }) => {
            let info = |(name, through): (&String, &u64)| CursorInfo { name: name.clone(), through: *through, behind: 0, oldest: None };
            marks.iter().map(info).collect()
        }
        _ => Vec::new(),
    };
    let mut segments = Vec::new();
    for n in 0..folder.segments.len() {
        segments.extend(inspect_segment(disk, &folder, n, &mut cursors)?);
    }
    let torn = segments.last_mut().and_then(take_torn);
    Ok(Inspected { id: folder.id, names: folder.names, cursors, segments, damaged: folder.damaged, torn })
}

fn inspect_segment(disk: &dyn Disk, folder: &Folder, n: usize, cursors: &mut [CursorInfo]) -> Result<Option<SegmentInfo>, Error> {
    let Some(segment) = folder.segments.get(n) else { return Ok(None) };
    let mut info = SegmentInfo {
        path: segment.path.clone(),
        bytes: segment.bytes,
        first: segment.base,
        end: segment.base,
        data: 0,
        decisions: 0,
        marks: 0,
        positions: 0,
        items: 0,
        arrived: None,
        damaged: Vec::new(),
    };
    let mut damaged = Vec::new();
    let mut count = |entry: Entry| {
        info.count(&entry);
        cursors.iter_mut().for_each(|cursor| cursor.count(&entry));
        ControlFlow::Continue(())
    };
    let walked = walk(disk, folder, n, &mut damaged, &mut count)?;
    info.damaged = damaged;
    Ok((walked != Walked::Gone).then_some(info))
}

/// Damage that reaches the end of the last segment: but for a payload that is there whole and wrong, which no interrupted write leaves.
fn take_torn(last: &mut SegmentInfo) -> Option<Damaged> {
    let torn = last.damaged.pop_if(|damaged| damaged.offset + damaged.bytes >= last.bytes && damaged.why != scan::PAYLOAD)?;
    Some(torn)
}

/// What a consumer has before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Data records that it has not settled.
    pub records: u64,
    /// Items in them.
    pub items: u64,
    /// Bytes of the log on disk.
    pub bytes: u64,
    /// Earliest arrival of those records, nanoseconds since the Unix epoch.
    pub oldest: Option<u64>,
}

/// How far a consumer is behind, by the headers of the records alone: large logs are not read.
///
/// # Errors
/// As [`inspect`].
pub fn behind(disk: &dyn Disk, dir: &Path, consumer: &str) -> Result<Behind, Error> {
    let folder = Folder::survey(disk, dir)?;
    let through = match &folder.cursors {
        Some(Saved::Marks { marks, .. }) => marks.get(consumer).copied().unwrap_or(0),
        _ => 0,
    };
    let mut behind = Behind { bytes: folder.segments.iter().map(|segment| segment.bytes).sum(), ..Behind::default() };
    let mut count = |entry: Entry| {
        if entry.header.kind == Kind::Data && entry.sequence >= through {
            behind.records += 1;
            behind.items += u64::from(entry.header.items);
            behind.oldest = Some(behind.oldest.map_or(entry.header.arrived, |oldest| oldest.min(entry.header.arrived)));
        }
        ControlFlow::Continue(())
    };
    for n in 0..folder.segments.len() {
        let Some(scan) = folder.scan(disk, n)? else { continue };
        // What is damaged is told by whoever reads it.
        walk_on(scan.peeking(0), &mut Vec::new(), &mut count)?;
    }
    Ok(behind)
}

/// What the numbers of sources mean in the records of a log.
///
/// # Errors
/// As [`inspect`].
pub fn names(disk: &dyn Disk, dir: &Path) -> Result<Names, Error> {
    Ok(Folder::survey(disk, dir)?.names)
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
        if walk(disk, &folder, n, &mut damaged, &mut from_on)? == Walked::Enough {
            break;
        }
    }
    Ok(damaged)
}

/// How far a walk over a segment came.
#[derive(PartialEq, Eq)]
enum Walked {
    Whole,
    /// Whoever takes the records has enough.
    Enough,
    /// It was freed meanwhile.
    Gone,
}

fn walk(
    disk: &dyn Disk,
    folder: &Folder,
    n: usize,
    damaged: &mut Vec<Damaged>,
    each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<Walked, Error> {
    match folder.scan(disk, n) {
        Ok(Some(scan)) => walk_on(scan, damaged, each),
        Ok(None) => Ok(Walked::Whole),
        Err(error) if error.is_not_found() => Ok(Walked::Gone),
        Err(error) => Err(error),
    }
}

fn walk_on(mut scan: Scan, damaged: &mut Vec<Damaged>, each: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<Walked, Error> {
    scan.pass_over_holes();
    loop {
        match scan.step(|_, _| true)? {
            None => return Ok(Walked::Whole),
            Some(Step::Other) => {}
            Some(Step::Unknown(found) | Step::Damaged(found)) => damaged.push(found),
            Some(Step::Entry(entry)) => {
                if each(entry).is_break() {
                    return Ok(Walked::Enough);
                }
            }
        }
    }
}
