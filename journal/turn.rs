//! The one who writes: at most one turn runs at a time, where blocking is allowed. It writes what is queued, syncs, tells, saves cursors, frees segments,
//! and goes when nobody waits. The order of its calls to the disk is what survives a crash (FORMAT.md).

use crate::disk::{Disk, File};
use crate::error::Error;
use crate::pace::Pace;
use crate::queue::{Begin, Group};
use crate::reserve::Reserve;
use crate::stamp::{self, Of, STAMP_BYTES};
use crate::state::{Segment, Shared};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::time::Instant;

/// What only the one who writes needs.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) current: Option<Current>,
    pub(crate) cursor_file: Option<Arc<dyn File>>,
    /// Of the newest cursor slot.
    pub(crate) generation: u64,
    pub(crate) pace: Option<Pace>,
    /// Files to remove that were never shown or are shown no more, with the bytes that are counted for them.
    pub(crate) orphans: Vec<(PathBuf, u64)>,
}

/// The segment that is written to.
pub(crate) struct Current {
    file: Arc<dyn File>,
    path: PathBuf,
    base: u64,
    /// Bytes that hold whole records.
    written: u64,
    /// Bytes that are durable; 0 while the file's name is not.
    durable: u64,
    /// First number that is not durable.
    unsynced: u64,
    /// Behind the last number written.
    end: u64,
    /// When the last decision was written.
    decided: Option<Instant>,
}

impl Current {
    fn begin(disk: &dyn Disk, dir: &Path, id: u32, base: u64) -> Result<Current, Error> {
        let path = dir.join(stamp::segment_name(base));
        let file = disk.create(&path).map_err(|error| Error::disk("create", &path, error))?;
        if let Err(error) = file.append(&[Bytes::copy_from_slice(&stamp::encode(Of::Segment, id, base))]) {
            // An empty file does no harm where it cannot be removed either.
            drop(disk.remove(&path));
            return Err(Error::disk("write", &path, error));
        }
        Ok(Current { file, path, base, written: STAMP_BYTES as u64, durable: 0, unsynced: base, end: base, decided: None })
    }

    /// A new segment whose name is on disk.
    pub(crate) fn begin_durable(disk: &dyn Disk, dir: &Path, id: u32, base: u64) -> Result<Current, Error> {
        let mut current = Current::begin(disk, dir, id, base)?;
        let synced = current.file.sync().and_then(|()| disk.sync_dir(dir));
        synced.map_err(|error| Error::disk("sync", &current.path, error))?;
        current.durable = current.written;
        Ok(current)
    }

    /// What readers may see of it.
    pub(crate) fn segment(&self) -> Segment {
        let (path, bytes, written) = (self.path.clone(), self.durable, Instant::now());
        Segment { base: self.base, path, bytes, end: self.end, written, decided: self.decided }
    }
}

/// What one round did, to be told at once.
#[derive(Default)]
struct Round {
    durable: Vec<Segment>,
    failed: Vec<(u64, u64, Error)>,
    /// Bytes counted that are not on disk (or uncounted that are).
    bytes: i128,
}

/// The right to write, and the duty to give it back.
pub(crate) struct Turn {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Box<Writer>,
    round: Round,
    state: Given,
}

#[derive(PartialEq, Eq)]
enum Given {
    NotYet,
    Back,
}

impl Turn {
    pub(crate) fn new(shared: Arc<Shared>, writer: Box<Writer>) -> Turn {
        Turn { shared, writer, round: Round::default(), state: Given::NotYet }
    }

    /// Rounds until nobody waits.
    pub(crate) fn run(mut self) {
        loop {
            std::thread::sleep(self.pace().wait(Instant::now()));
            let (groups, through, tickets) = {
                let mut state = self.shared.state.lock();
                (state.queue.take(), state.next, state.tickets)
            };
            if !groups.is_empty() {
                self.pace().start(Instant::now());
                groups.iter().for_each(|group| self.write(group));
                self.sync();
                self.tell(through);
            }
            let decisions = groups.iter().any(|group| group.urgent);
            let needed = {
                let state = self.shared.state.lock();
                state.restorable() || (decisions && state.reserve == Reserve::Unneeded)
            };
            if needed {
                self.keep_reserve();
            }
            self.settle(tickets);
            self.shared.flushed.send_replace(tickets);
            if self.give_back(through, tickets) {
                return;
            }
        }
    }

    fn pace(&mut self) -> &mut Pace {
        let gap = self.shared.options.sync_gap;
        self.writer.pace.get_or_insert_with(|| Pace::new(gap))
    }

    fn give_back(&mut self, through: u64, tickets: u64) -> bool {
        let mut state = self.shared.state.lock();
        let waited_for = !state.queue.is_empty() && (state.wanted > through || state.queue.bytes() >= crate::log::WRITE_BEHIND_BYTES);
        if waited_for || state.tickets > tickets {
            return false;
        }
        state.writer = Some(std::mem::take(&mut self.writer));
        self.state = Given::Back;
        true
    }

    fn write(&mut self, group: &Group) {
        let mut written = self.try_write(group);
        if let Err(error) = &written
            && error.is_disk_full()
            && group.urgent
            && self.spend(error)
        {
            written = self.try_write(group);
        }
        if let Err(error) = written {
            self.round.bytes -= i128::from(group.bytes);
            self.round.failed.push((group.first, group.end, error));
        }
    }

    fn try_write(&mut self, group: &Group) -> Result<(), Error> {
        let begin = match &self.writer.current {
            Some(current) => group.begin == Begin::NewSegment && current.base != group.first,
            None => true,
        };
        if begin {
            self.sync();
            self.writer.current = None;
            self.writer.current = Some(self.new_segment(group.first)?);
        }
        let Some(current) = &mut self.writer.current else { return Ok(()) };
        let Err(error) = current.file.append(&group.parts) else {
            current.written += group.bytes;
            current.end = group.end;
            current.decided = if group.decides { Some(Instant::now()) } else { current.decided };
            return Ok(());
        };
        // Any part of the group may lie there. On a full disk the file is otherwise well; after any other error it is left as it is.
        let cut = current.file.cut(current.written);
        let error = Error::disk("write", &current.path, error);
        if cut.is_err() || !error.is_disk_full() {
            self.sync();
            self.writer.current = None;
        }
        Err(error)
    }

    pub(crate) fn new_segment(&mut self, base: u64) -> Result<Current, Error> {
        let current = Current::begin(&*self.shared.disk, &self.shared.dir, self.shared.id, base)?;
        self.round.bytes += STAMP_BYTES as i128;
        Ok(current)
    }

    /// Makes what the current segment holds durable. If that fails the segment is never written again.
    pub(crate) fn sync(&mut self) {
        let Some(current) = &mut self.writer.current else { return };
        if current.durable == current.written {
            return;
        }
        let named = |current: &Current| if current.durable == 0 { self.shared.disk.sync_dir(&self.shared.dir) } else { Ok(()) };
        match current.file.sync().and_then(|()| named(current)) {
            Ok(()) => {
                current.durable = current.written;
                current.unsynced = current.end;
                self.round.durable.push(current.segment());
            }
            Err(error) => {
                let error = Error::disk("sync", &current.path, error);
                self.round.bytes -= i128::from(current.written - current.durable);
                if current.unsynced < current.end {
                    self.round.failed.push((current.unsynced, current.end, error));
                }
                // What was refused should not come back after a restart, if the disk still lets us.
                match current.durable {
                    0 => self.writer.orphans.push((current.path.clone(), 0)),
                    durable => drop(current.file.cut(durable)),
                }
                self.writer.current = None;
            }
        }
    }

    /// Publishes the round: readers see what is durable, who waits gets a verdict.
    pub(crate) fn tell(&mut self, through: u64) {
        let round = std::mem::take(&mut self.round);
        let mut failed = round.failed;
        failed.sort_by_key(|(first, ..)| *first);
        let mut state = self.shared.state.lock();
        state.bytes = u64::try_from(i128::from(state.bytes) + round.bytes).unwrap_or(0);
        match failed.last() {
            Some((_, _, error)) => state.refusing = Some((error.clone(), Instant::now())),
            None if state.reserve == Reserve::Spent => {}
            None => state.refusing = None,
        }
        failed.into_iter().for_each(|(first, end, error)| state.failures.add(first, end, error));
        for segment in round.durable {
            match state.segments.back_mut().filter(|last| last.base == segment.base) {
                Some(last) => *last = segment,
                None => state.segments.push_back(segment),
            }
        }
        drop(state);
        self.shared.synced.send_replace(through);
    }
}

impl Drop for Turn {
    /// A turn that never ran (its runtime is gone) or panicked: whoever waits hears so instead of waiting for ever.
    fn drop(&mut self) {
        if self.state == Given::Back {
            return;
        }
        self.writer.current = None;
        let mut state = self.shared.state.lock();
        let queued: u64 = state.queue.take().iter().map(|group| group.bytes).sum();
        state.bytes = state.bytes.saturating_sub(queued);
        let (first, end, tickets) = (*self.shared.synced.borrow(), state.next, state.tickets);
        let error = Error::Closed { path: self.shared.dir.clone() };
        if first < end {
            state.failures.add(first, end, error.clone());
        }
        state.trouble = Some(error);
        state.writer = Some(std::mem::take(&mut self.writer));
        drop(state);
        self.shared.synced.send_replace(end);
        self.shared.flushed.send_replace(tickets);
    }
}
