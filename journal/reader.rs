//! Reading a log from a position on, while it is written and freed. A reader sees only what is durable.

use crate::disk::File;
use crate::error::{Damaged, Error};
use crate::record::{Entry, Kind};
use crate::scan::{Expected, Scan, Step};
use crate::state::{Segment, Shared};
use std::io;
use std::sync::Arc;

/// How often a place is tried that the disk cannot read, before it is passed over like damage.
const READ_TRIES: u32 = 3;
/// Damages kept apart until they are taken; more are added to the last.
const DAMAGED_MAX: usize = 1024;

/// A position in a log. Independent of cursors: what a consumer has settled it says by [`crate::Log::settle`].
pub struct Reader {
    shared: Arc<Shared>,
    /// Lowest number still wanted.
    from: u64,
    only: Option<Kind>,
    peek: Option<usize>,
    scan: Option<(u64, Scan)>,
    /// Where reading failed (segment and offset), and how often in a row.
    failed: Option<((u64, u64), u32)>,
    tries: u32,
    damaged: Vec<Damaged>,
    damaged_count: u64,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, from: u64) -> Reader {
        Reader { shared, from, only: None, peek: None, scan: None, failed: None, tries: READ_TRIES, damaged: Vec::new(), damaged_count: 0 }
    }

    /// Passes over every other kind, mostly without reading its payload.
    #[must_use]
    pub fn only(self, kind: Kind) -> Reader {
        Reader { only: Some(kind), ..self }
    }

    /// Gives no more than the beginning of each payload, and does not ask whether the rest is whole: for whoever counts what lies there.
    #[must_use]
    pub fn peeking(self, payload_bytes_max: usize) -> Reader {
        Reader { peek: Some(payload_bytes_max), ..self }
    }

    /// Does not ask to be tried again: a place that the disk cannot read is passed over at once. For whoever cannot wait, such as a start.
    #[must_use]
    pub fn at_once(self) -> Reader {
        Reader { tries: 1, ..self }
    }

    /// Every record below was given out, or passed over.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.from
    }

    /// Damages met since this reader began.
    #[must_use]
    pub fn damaged_count(&self) -> u64 {
        self.damaged_count
    }

    /// What was passed over since the last call, named.
    pub fn take_damaged(&mut self) -> Vec<Damaged> {
        std::mem::take(&mut self.damaged)
    }

    /// The next record; `None` at the end of what is durable: ask again after [`crate::Log::changed`]. Damage is passed over. Blocks on the disk.
    ///
    /// # Errors
    /// The disk could not be read. Ask the same reader again after a while: at its third failure in one place it passes the place over as damaged, with what
    /// records lie there, and goes on. (Not while the process has too many files open or no right to read: that is said for as long as it lasts.)
    #[expect(clippy::should_implement_trait, reason = "its None is not an end for ever")]
    pub fn next(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            if self.scan.is_none() && !self.enter()? {
                return Ok(None);
            }
            let Some((base, scan)) = &mut self.scan else { return Ok(None) };
            let (base, from, only, at) = (*base, self.from, self.only, scan.at());
            match scan.step(|sequence, header| sequence >= from && only.is_none_or(|kind| kind == header.kind)) {
                Ok(Some(Step::Entry(entry))) => {
                    self.failed = None;
                    self.from = entry.sequence.saturating_add(1);
                    return Ok(Some(entry));
                }
                Ok(Some(Step::Other)) => self.from = self.from.max(scan.from()),
                Ok(Some(Step::Unknown(damaged) | Step::Damaged(damaged))) => {
                    self.from = self.from.max(scan.from());
                    self.passed_over(damaged);
                }
                Ok(None) => {
                    if !self.go_on(base) {
                        return Ok(None);
                    }
                }
                Err(error) => {
                    self.tried((base, at), error)?;
                    if let Some((_, scan)) = &mut self.scan {
                        scan.pass_over_holes();
                    }
                }
            }
        }
    }

    /// Counts a failure; well when it was one too many, and the place is to be passed over.
    fn tried(&mut self, place: (u64, u64), error: Error) -> Result<(), Error> {
        if !error.is_unreadable() {
            return Err(error);
        }
        let times = self.failed.filter(|(failed, _)| *failed == place).map_or(1, |(_, times)| times + 1);
        self.failed = (times < self.tries).then_some((place, times));
        if self.failed.is_some() { Err(error) } else { Ok(()) }
    }

    fn passed_over(&mut self, damaged: Damaged) {
        self.damaged_count += 1;
        let room = self.damaged.len() < DAMAGED_MAX;
        match self.damaged.last_mut() {
            Some(last) if !room => last.bytes = last.bytes.saturating_add(damaged.bytes),
            _ => self.damaged.push(damaged),
        }
    }

    /// Opens the segment that holds the position; false when there is none.
    fn enter(&mut self) -> Result<bool, Error> {
        while let Some((segment, below)) = self.shared.segment_for(self.from) {
            match self.shared.disk.open(&segment.path) {
                Ok(file) => {
                    self.scan_segment(file, &segment, below);
                    return Ok(true);
                }
                // Freed between the look and the open: then the look finds another one now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let again = self.shared.segment_for(self.from);
                    if again.is_some_and(|(again, _)| again.base == segment.base) {
                        self.passed_over(Damaged { file: segment.path, offset: 0, bytes: segment.bytes, why: "the segment is gone" });
                        if below == u64::MAX {
                            return Ok(false);
                        }
                        self.from = self.from.max(below);
                    }
                }
                Err(error) => {
                    let error = Error::disk("open", &segment.path, error);
                    if below == u64::MAX {
                        return Err(error);
                    }
                    self.tried((segment.base, 0), error)?;
                    self.passed_over(Damaged { file: segment.path, offset: 0, bytes: segment.bytes, why: "the disk cannot open it" });
                    self.from = self.from.max(below);
                }
            }
        }
        Ok(false)
    }

    fn scan_segment(&mut self, file: Arc<dyn File>, segment: &Segment, below: u64) {
        let expected = Expected { id: self.shared.id, from: segment.base, below };
        // What is left of a segment that was passed may have taken its name since the look.
        let bytes = file.bytes().map_or(segment.bytes, |bytes| bytes.min(segment.bytes));
        let scan = Scan::new(file, &segment.path, expected, bytes);
        self.scan = Some((segment.base, self.peek.into_iter().fold(scan, Scan::peeking)));
    }

    /// At the end of what was known of a segment: there is more of it, or another one follows.
    fn go_on(&mut self, base: u64) -> bool {
        let Some((_, scan)) = &mut self.scan else { return false };
        let (bytes, following) = self.shared.after(base);
        if bytes.is_some_and(|bytes| bytes > scan.at()) {
            scan.extend(bytes.unwrap_or(0));
            return true;
        }
        match following {
            Some(next) => {
                self.from = self.from.max(next);
                self.scan = None;
                true
            }
            None => false,
        }
    }
}

impl Shared {
    /// The segment that holds a number, or would, or the next one above; and the first number that cannot be in it.
    fn segment_for(&self, from: u64) -> Option<(Segment, u64)> {
        let state = self.state.lock();
        let at = state.segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
        let below = state.segments.get(at + 1).map_or(u64::MAX, |next| next.base);
        Some((state.segments.get(at)?.clone(), below))
    }

    /// The durable bytes of a segment (`None` when it was freed), and the number at which the one behind it starts.
    fn after(&self, base: u64) -> (Option<u64>, Option<u64>) {
        let state = self.state.lock();
        let at = state.segments.partition_point(|segment| segment.base < base);
        let own = state.segments.get(at).filter(|segment| segment.base == base).map(|segment| segment.bytes);
        let following = state.segments.get(at + usize::from(own.is_some())).map(|segment| segment.base);
        (own, following)
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("from", &self.from).field("damaged", &self.damaged_count).finish_non_exhaustive()
    }
}
