//! How a log starts: what a crash left is cut, counted and made durable before anybody sees it.

use crate::cursors::{Marks, Saved};
use crate::error::{Damaged, Error};
use crate::folder::{CURSORS, Folder, LOCK, Listed, META};
use crate::queue::Queue;
use crate::record::HEADER_BYTES;
use crate::saving::{passed, replace};
use crate::scan::Step;
use crate::stamp::{self, Of, STAMP_BYTES};
use crate::state::{Failures, Segment, Shared, State};
use crate::turn::Writer;
use crate::{Blocking, Disk, Lock, Options};
use bytes::Bytes;
use parking_lot::Mutex;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// What was found when a log was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Segments there.
    pub segments: usize,
    /// Numbers from the oldest record to the next: at most so many records are there.
    pub entries: u64,
    /// Bytes they take.
    pub bytes: u64,
    /// The end of the last segment that held no whole record, cut off: a write that a crash interrupted.
    pub cut: Option<Damaged>,
    /// What else could not be read. Damage in older segments shows when they are read.
    pub damaged: Vec<Damaged>,
}

pub(crate) fn open(disk: Arc<dyn Disk>, dir: &Path, options: Options, blocking: Blocking) -> Result<(Arc<Shared>, Opened), Error> {
    disk.create_dir_all(dir).map_err(|error| Error::disk("create", dir, error))?;
    let lock = lock(&*disk, dir)?;
    let mut folder = Folder::survey(&*disk, dir)?;
    let id = settle_id(&*disk, dir, &folder)?;
    folder.id = Some(id);
    for path in &folder.half_made {
        drop(disk.remove(path));
    }
    let (generation, marks) = match &folder.cursors {
        Some(Saved::Marks { generation, marks }) => (*generation, marks.clone()),
        _ => (0, Marks::new()),
    };
    let tail = recover_tail(&*disk, dir, &mut folder);
    let next = marks.values().copied().max().unwrap_or(0).max(tail.next);
    let mut writer = Writer { generation, ..Writer::default() };
    writer.take_cursor_file(&*disk, dir, id, &folder, &marks);
    drop_empty(&*disk, &mut folder);
    let segments = folder.segments.into_iter().map(|Listed { base, path, bytes }| Segment { base, path, bytes });
    let mut state = State {
        next,
        queue: Queue::new(options.segment_bytes_max),
        bytes: 0,
        segments: segments.collect(),
        marks,
        marked: 0,
        saved: 0,
        saved_at: Instant::now(),
        wanted: 0,
        tickets: 0,
        writer: None,
        failures: Failures::default(),
        refusing: None,
        trouble: None,
    };
    // What was not synced may not be relied on to free anything.
    if let Some(slowest) = state.slowest().filter(|_| writer.cursor_file.is_some()) {
        writer.orphans.extend(passed(&mut state, slowest));
        writer.orphans.retain(|(path, _)| disk.remove(path).is_err());
    }
    state.writer = Some(Box::new(writer));
    state.bytes = state.segments.iter().map(|segment| segment.bytes).sum();
    let entries = state.segments.front().map_or(0, |first| next - first.base.min(next));
    let opened = Opened { segments: state.segments.len(), entries, bytes: state.bytes, cut: tail.cut, damaged: folder.damaged };
    let (synced, flushed) = (watch::Sender::new(next), watch::Sender::new(0));
    let shared = Shared { disk, dir: dir.to_path_buf(), options, id, blocking, state: Mutex::new(state), synced, flushed, _lock: lock };
    Ok((Arc::new(shared), opened))
}

fn lock(disk: &dyn Disk, dir: &Path) -> Result<Lock, Error> {
    let path = dir.join(LOCK);
    disk.lock(&path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::Locked { path: dir.to_path_buf() },
        _ => Error::disk("lock", &path, error),
    })
}

/// The id of the log. Where neither a segment nor a cursor tells which numbers were given, a new one: id and number together must never name two records.
fn settle_id(disk: &dyn Disk, dir: &Path, folder: &Folder) -> Result<u32, Error> {
    let numbered = !folder.segments.is_empty() || matches!(folder.cursors, Some(Saved::Marks { .. }));
    let id = match folder.id {
        Some(id) if numbered && folder.meta => return Ok(id),
        Some(id) if numbered => id,
        _ => u32::try_from(RandomState::new().hash_one(dir) >> 32).unwrap_or(0).max(1),
    };
    let content = Bytes::copy_from_slice(&stamp::encode(Of::Meta, id, 0));
    replace(disk, dir, META, content).map_err(|error| Error::disk("write", &dir.join(META), error))?;
    if let Some(parent) = dir.parent() {
        // The log's own name; some file systems cannot sync this directory, and nothing better can be done there.
        drop(disk.sync_dir(parent));
    }
    Ok(id)
}

/// What the end of the last segment says.
struct Tail {
    next: u64,
    cut: Option<Damaged>,
}

/// Walks the last segment, cuts what follows its last whole record, and makes the rest durable: after a kill it may be in the page cache only, and
/// readers are about to see it.
fn recover_tail(disk: &dyn Disk, dir: &Path, folder: &mut Folder) -> Tail {
    let Some(last) = folder.segments.last().cloned() else { return Tail { next: 1, cut: None } };
    let (end, next) = match walk_last(disk, folder) {
        Ok(walked) => walked,
        Err(error) => {
            let why = "the segment cannot be read";
            folder.damaged.push(Damaged { file: last.path, offset: 0, bytes: last.bytes, why });
            // Nothing is known of its end, so nothing is cut; the numbers it may hold are left out.
            drop(error);
            return Tail { next: last.base + last.bytes / HEADER_BYTES as u64 + 1, cut: None };
        }
    };
    let lost = last.bytes.saturating_sub(end);
    if let Some(segment) = folder.segments.last_mut() {
        segment.bytes = end.min(last.bytes);
    }
    // The cut may have held records whose numbers somebody saw before the disk went bad. They are left out, and the name of a new segment says so
    // before the evidence goes; where that cannot be made, the end stays.
    let marked = if lost > 0 { mark(disk, dir, folder, next + lost / HEADER_BYTES as u64 + 1) } else { None };
    let durable = disk.modify(&last.path).and_then(|file| {
        if marked.is_some() {
            file.cut(end)?;
        }
        file.sync()?;
        disk.sync_dir(dir)
    });
    if durable.is_err() {
        folder.damaged.push(Damaged { file: last.path.clone(), offset: end, bytes: 0, why: "the segment could not be synced again" });
    }
    let cut = (lost > 0).then_some(Damaged { file: last.path, offset: end, bytes: lost, why: "no whole record follows" });
    // The next segment needs a name that none has.
    let named = marked.unwrap_or(last.base) + 1;
    Tail { next: named.max(next + lost / HEADER_BYTES as u64 + u64::from(lost > 0)), cut }
}

/// Makes an empty segment whose name says that every lower number was given.
fn mark(disk: &dyn Disk, dir: &Path, folder: &mut Folder, base: u64) -> Option<u64> {
    let path = dir.join(stamp::segment_name(base));
    let stamp = stamp::encode(Of::Segment, folder.id?, base);
    disk.write_new(&path, &[Bytes::copy_from_slice(&stamp)]).and_then(|()| disk.sync_dir(dir)).ok()?;
    folder.segments.push(Listed { base, path, bytes: STAMP_BYTES as u64 });
    Some(base)
}

/// Where the last whole record of the last segment ends, and the first number that it cannot hold.
fn walk_last(disk: &dyn Disk, folder: &mut Folder) -> Result<(u64, u64), Error> {
    let mut end = STAMP_BYTES as u64;
    let mut damaged = Vec::new();
    let Some(mut scan) = folder.scan(disk, folder.segments.len().saturating_sub(1))? else { return Ok((end, 0)) };
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

/// Segments that never got a record, all but the last, whose name says which numbers were given.
fn drop_empty(disk: &dyn Disk, folder: &mut Folder) {
    let last = folder.segments.last().map(|last| last.base);
    folder.segments.retain(|segment| {
        let empty = segment.bytes <= STAMP_BYTES as u64 && Some(segment.base) != last;
        !(empty && disk.remove(&segment.path).is_ok())
    });
}

impl Writer {
    /// Takes the cursor file up, durable as it is read, or makes it now, while there may be space: later it is written in place. A failure is met again,
    /// and told, at the next save.
    fn take_cursor_file(&mut self, disk: &dyn Disk, dir: &Path, id: u32, folder: &Folder, marks: &Marks) {
        if matches!(folder.cursors, Some(Saved::Marks { .. })) {
            let opened = disk.modify(&dir.join(CURSORS)).and_then(|file| file.sync().map(|()| file));
            self.cursor_file = opened.ok().filter(|_| disk.sync_dir(dir).is_ok());
        } else {
            drop(self.save(disk, dir, id, marks));
        }
    }
}
