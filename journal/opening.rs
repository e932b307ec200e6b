//! How a log starts: what a crash left is cut, counted and made durable before anybody sees it.

use crate::cursors::{Marks, Saved};
use crate::error::{Damaged, Error};
use crate::folder::{CURSORS, Folder, LOCK, Listed, META};
use crate::keeping;
use crate::queue::Queue;
use crate::recovery::{self, Recovered};
use crate::reserve::Reserve;
use crate::saving::replace;
use crate::stamp::{self, Of};
use crate::state::{Failures, Segment, Shared, State};
use crate::turn::{Current, Writer};
use crate::{Blocking, Disk, Lock, Options};
use bytes::Bytes;
use parking_lot::Mutex;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::watch;
use tokio::time::Instant;

/// What was found when a log was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Segments there; the empty one that a new life begins with is not counted.
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
    let Recovered { next, end, current, cut } = recovery::recover(&*disk, dir, &mut folder, marks.values().copied().max().unwrap_or(1));
    let mut writer = Writer { generation, current, ..Writer::default() };
    let saved = writer.take_cursor_file(&*disk, dir, id, &folder, &marks);
    let (found, listed) = (folder.segments.len(), std::mem::take(&mut folder.segments));
    // Of those before the last one nobody has read more than the name.
    let ends: Vec<u64> = listed.iter().skip(1).map(|following| following.base).chain([end]).collect();
    let now = Instant::now();
    let segment = |(Listed { base, path, bytes }, end)| Segment { base, path, bytes, end, written: now, decided: Some(now) };
    let segments = listed.into_iter().zip(ends).map(segment);
    let mut state = State {
        next,
        queue: Queue::new(options.segment_bytes_max),
        bytes: 0,
        segments: segments.chain(writer.current.as_ref().map(Current::segment)).collect(),
        stripped: 0,
        leaving: 0,
        linger: (options.linger, options.limit / 2),
        strip_after: None,
        marks,
        marked: 1,
        saved: u64::from(saved.is_ok()),
        saved_at: Instant::now(),
        wanted: 0,
        tickets: 0,
        writer: None,
        failures: Failures::default(),
        refusing: None,
        reserve: if folder.reserve { Reserve::Held } else { Reserve::Unneeded },
        trouble: None,
    };
    state.bytes = state.segments.iter().map(|segment| segment.bytes).sum();
    // Only cursors that are on disk free anything.
    if let Some(slowest) = state.slowest().filter(|_| saved.is_ok()) {
        while let Some(segment) = state.next_to_strip(slowest).cloned() {
            let stripped = keeping::strip(&*disk, dir, id, &segment);
            writer.orphans.extend(state.strip(segment.base, stripped));
        }
        writer.orphans.retain(|(path, _)| disk.remove(path).is_err());
    }
    state.bytes = state.segments.iter().map(|segment| segment.bytes).sum();
    state.leaving = 0;
    let freed = found + usize::from(writer.current.is_some()) - state.segments.len();
    let entries = state.segments.front().map_or(0, |first| next - first.base.min(next));
    let opened = Opened { segments: found - freed, entries, bytes: state.bytes, cut, damaged: folder.damaged };
    state.writer = Some(Box::new(writer));
    let (synced, flushed) = (watch::Sender::new(next), watch::Sender::new(0));
    let shared = Shared {
        disk,
        dir: dir.to_path_buf(),
        options,
        limit: AtomicU64::new(options.limit),
        id,
        blocking,
        state: Mutex::new(state),
        names: Mutex::new(folder.names),
        synced,
        flushed,
        _lock: lock,
    };
    Ok((Arc::new(shared), opened))
}

pub(crate) fn lock(disk: &dyn Disk, dir: &Path) -> Result<Lock, Error> {
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

impl Writer {
    /// Takes the cursor file up, or makes it now, while there may be space: later it is written in place. What was read is written again in either case,
    /// because a killed process may have left it in the page cache only. A failure is met again, and told, at the next save.
    fn take_cursor_file(&mut self, disk: &dyn Disk, dir: &Path, id: u32, folder: &Folder, marks: &Marks) -> Result<(), Error> {
        if matches!(folder.cursors, Some(Saved::Marks { .. })) {
            self.cursor_file = disk.modify(&dir.join(CURSORS)).ok();
        }
        self.save(disk, dir, id, marks)
    }
}
