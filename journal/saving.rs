//! The other half of a turn: cursors go to disk, and only then the segments that nobody needs any more go from it.

use crate::cursors::{self, Marks};
use crate::disk::{Disk, File};
use crate::error::Error;
use crate::folder::{CURSORS, HALF_MADE};
use crate::keeping::{self, DECISION_LIFE};
use crate::stamp::STAMP_BYTES;
use crate::state::Segment;
use crate::turn::{Turn, Writer};
use bytes::Bytes;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::time::Instant;

impl Turn {
    /// Saves the cursors when it is time, or when flushes up to `tickets` were asked for; frees what lies behind them.
    pub(crate) fn settle(&mut self, tickets: u64) {
        self.seal();
        let asked = tickets > *self.shared.flushed.borrow();
        let (marks, marked, due) = {
            let state = self.shared.state.lock();
            (state.marks.clone(), state.marked, state.unsaved() || (asked && state.marked != state.saved))
        };
        if due {
            let saved = self.writer.save(&*self.shared.disk, &self.shared.dir, self.shared.id, &marks);
            let mut state = self.shared.state.lock();
            state.saved_at = Instant::now();
            match saved {
                Ok(()) => (state.saved, state.trouble) = (marked, None),
                Err(error) => state.trouble = Some(error),
            }
        }
        self.free(&marks, marked);
    }

    /// When everything is settled a large last segment is closed, so that it can be freed like the others.
    fn seal(&mut self) {
        let next = {
            let mut state = self.shared.state.lock();
            if !state.sealable(self.shared.options.segment_bytes_max) {
                return;
            }
            state.queue.rolled();
            state.next
        };
        self.sync();
        let mut sealed = self.new_segment(next);
        if let Err(error) = &sealed
            && error.is_disk_full()
            && self.make_room(error)
        {
            sealed = self.new_segment(next);
        }
        // Otherwise the old one stays, and the next record tries again.
        self.writer.current = sealed.ok();
        self.sync();
        self.tell(next);
    }

    /// Where not even a new segment has space: the reserve goes, else what is settled is cut out of the old one, once the cursors that allow it are on disk.
    fn make_room(&mut self, error: &Error) -> bool {
        let young = |segment: &Segment| segment.decided.is_some_and(|decided| decided.elapsed() < DECISION_LIFE);
        let (marks, marked, path) = {
            let state = self.shared.state.lock();
            let settled = |last: &&Segment| state.slowest().is_some_and(|slowest| slowest >= last.end);
            let Some(last) = state.segments.back().filter(settled) else { return false };
            (state.marks.clone(), state.marked, if young(last) { None } else { Some(last.path.clone()) })
        };
        let Some(path) = path else { return self.spend(error) };
        if self.writer.save(&*self.shared.disk, &self.shared.dir, self.shared.id, &marks).is_err() {
            return false;
        }
        let cut = self.shared.disk.modify(&path).and_then(|file| file.cut(STAMP_BYTES as u64));
        let mut state = self.shared.state.lock();
        (state.saved, state.saved_at) = (marked, Instant::now());
        if cut.is_ok()
            && let Some(last) = state.segments.back_mut().filter(|last| last.path == path)
        {
            let freed = last.bytes.saturating_sub(STAMP_BYTES as u64);
            last.bytes = STAMP_BYTES as u64;
            state.bytes = state.bytes.saturating_sub(freed);
        }
        cut.is_ok()
    }

    fn free(&mut self, marks: &Marks, marked: u64) {
        let mut state = self.shared.state.lock();
        // Only cursors that are on disk free anything: `marks` as of `marked`, if that is what was saved.
        if state.saved == marked
            && let Some(slowest) = marks.values().min()
        {
            self.writer.orphans.extend(state.take_passed(*slowest));
            while let Some(segment) = state.next_to_strip(*slowest).cloned() {
                // Not under the lock: it may be read and written anew.
                drop(state);
                let stripped = keeping::strip(&*self.shared.disk, &self.shared.dir, self.shared.id, &segment);
                state = self.shared.state.lock();
                self.writer.orphans.extend(state.strip(segment.base, stripped));
            }
        }
        drop(state);
        let mut freed = 0;
        let mut removed = 0;
        self.writer.orphans.retain(|(path, bytes)| match self.shared.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => true,
            _ => {
                (freed, removed) = (freed + bytes, removed + 1);
                false
            }
        });
        if removed > 0 {
            // If a name comes back after a crash it is removed when the log is opened.
            drop(self.shared.disk.sync_dir(&self.shared.dir));
            let mut state = self.shared.state.lock();
            state.bytes = state.bytes.saturating_sub(freed);
            state.leaving = state.leaving.saturating_sub(freed);
        }
    }
}

impl Writer {
    /// Writes the older slot in place. After a failed sync the file is given up and made again.
    pub(crate) fn save(&mut self, disk: &dyn Disk, dir: &Path, id: u32, marks: &Marks) -> Result<(), Error> {
        let path = dir.join(CURSORS);
        let generation = self.generation + 1;
        // `settle` took no consumer that does not fit.
        let content = cursors::encode(id, generation, marks).ok_or_else(|| Error::Cursors { path: path.clone(), name: String::new() })?;
        match &self.cursor_file {
            Some(file) => {
                file.write_at(cursors::slot_offset(generation), &content).map_err(|error| Error::disk("write", &path, error))?;
                if let Err(error) = file.sync() {
                    self.cursor_file = None;
                    return Err(Error::disk("sync", &path, error));
                }
            }
            None => self.cursor_file = Some(remake(disk, dir, generation, &content).map_err(|error| Error::disk("make", &path, error))?),
        }
        self.generation = generation;
        Ok(())
    }
}

/// A new cursor file takes the old one's place, whole and in one step.
fn remake(disk: &dyn Disk, dir: &Path, generation: u64, content: &[u8]) -> io::Result<Arc<dyn File>> {
    let path = dir.join(CURSORS);
    let mut file = vec![0; cursors::FILE_BYTES];
    let at = usize::try_from(cursors::slot_offset(generation)).unwrap_or(0);
    file[at..at + content.len()].copy_from_slice(content);
    replace(disk, dir, CURSORS, file.into())?;
    disk.modify(&path)
}

/// Puts a whole file in place of whatever has the name, in one step and durably; until then it is made beside it as `NAME.tmp`. Blocks.
///
/// # Errors
/// The disk refuses. The file is there as it was, or as it was to be.
pub fn replace(disk: &dyn Disk, dir: &Path, name: &str, content: Bytes) -> io::Result<()> {
    let half_made = dir.join(format!("{name}{HALF_MADE}"));
    match disk.remove(&half_made) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Err(error) = disk.write_new(&half_made, &[content]) {
        // On a full disk half of it would keep space from others.
        drop(disk.remove(&half_made));
        return Err(error);
    }
    disk.rename(&half_made, &dir.join(name))?;
    disk.sync_dir(dir)
}
