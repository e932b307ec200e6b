//! What all users of a log share, behind a lock that is never held across a call to the disk.

use crate::cursors::Marks;
use crate::error::Error;
use crate::naming::Names;
use crate::queue::Queue;
use crate::reserve::Reserve;
use crate::stamp::STAMP_BYTES;
use crate::turn::{Turn, Writer};
use crate::{Blocking, Disk, Lock, Options};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long cursors may lag on disk when no segment waits for them.
const CURSORS_SAVED_EVERY: Duration = Duration::from_secs(1);
/// Failed ranges kept apart; beyond, the two oldest become one.
const FAILURES_MAX: usize = 1024;

/// A segment as readers may see it.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) base: u64,
    pub(crate) path: PathBuf,
    /// Durable bytes.
    pub(crate) bytes: u64,
    /// Behind the last number in it. A name alone does not say it: numbers whose write failed lie between, and nobody will ever settle them.
    pub(crate) end: u64,
    /// When it was last written to; for one of an earlier process, when the log was opened.
    pub(crate) written: Instant,
    /// When the last decision was written to it; for one of an earlier process, which may hold some, when the log was opened.
    pub(crate) decided: Option<Instant>,
}

/// Behind the lock.
pub(crate) struct State {
    pub(crate) next: u64,
    pub(crate) queue: Queue,
    /// On disk and queued.
    pub(crate) bytes: u64,
    pub(crate) segments: VecDeque<Segment>,
    /// So many of the first segments are passed and hold decisions only.
    pub(crate) stripped: usize,
    /// Bytes of files that are about to be removed.
    pub(crate) leaving: u64,
    /// How long passed segments stay while the log has at most so many bytes.
    pub(crate) linger: (Duration, u64),
    /// Stripping failed: not again before.
    pub(crate) strip_after: Option<Instant>,
    pub(crate) marks: Marks,
    /// Counts changes of `marks`.
    pub(crate) marked: u64,
    /// The `marked` that is on disk.
    pub(crate) saved: u64,
    pub(crate) saved_at: Instant,
    /// Somebody waits for everything below.
    pub(crate) wanted: u64,
    /// Flushes asked for.
    pub(crate) tickets: u64,
    /// The right to write; away while a turn runs.
    pub(crate) writer: Option<Box<Writer>>,
    pub(crate) failures: Failures,
    /// The last write failed, then: refuse instead of queueing more for the same fate.
    pub(crate) refusing: Option<(Error, Instant)>,
    pub(crate) reserve: Reserve,
    /// Why cursors could not be saved, until somebody was told.
    pub(crate) trouble: Option<Error>,
}

impl State {
    /// Everything below is settled by everybody; `None` without a consumer, and then nothing is freed.
    pub(crate) fn slowest(&self) -> Option<u64> {
        self.marks.values().min().copied()
    }

    /// All is settled and the last segment is worth giving back: a large one, or any where the disk has no space.
    pub(crate) fn sealable(&self, segment_bytes_max: u64) -> bool {
        let full = self.refusing.as_ref().is_some_and(|(error, _)| error.is_disk_full());
        let worth = if full { STAMP_BYTES as u64 } else { segment_bytes_max / 2 };
        self.queue.is_empty()
            && self.slowest().zip(self.segments.back()).is_some_and(|(slowest, last)| slowest >= last.end && last.bytes > worth)
    }

    /// Data is refused, and there is something to give back that may change it.
    pub(crate) fn relievable(&self, segment_bytes_max: u64) -> bool {
        self.refusing.is_some() && (self.freeable() || self.sealable(segment_bytes_max))
    }

    /// The cursors should be written now.
    pub(crate) fn unsaved(&self) -> bool {
        self.marked != self.saved && (self.freeable() || self.saved_at.elapsed() >= CURSORS_SAVED_EVERY)
    }
}

/// Ranges of sequence numbers whose write or sync failed.
#[derive(Debug, Default)]
pub(crate) struct Failures(VecDeque<Failure>);

#[derive(Debug)]
struct Failure {
    first: u64,
    end: u64,
    error: Error,
}

impl Failures {
    /// Ranges come in ascending order.
    pub(crate) fn add(&mut self, first: u64, end: u64, error: Error) {
        match self.0.back_mut() {
            Some(last) if first <= last.end => (last.end, last.error) = (last.end.max(end), error),
            _ => self.0.push_back(Failure { first, end, error }),
        }
        // What lies between two oldest is then called failed though it was not: a lie on the safe side.
        if self.0.len() > FAILURES_MAX
            && let Some(oldest) = self.0.pop_front()
            && let Some(second) = self.0.front_mut()
        {
            second.first = oldest.first;
        }
    }

    pub(crate) fn verdict(&self, sequence: u64) -> Result<(), Error> {
        let after = self.0.partition_point(|failure| failure.first <= sequence);
        match after.checked_sub(1).and_then(|at| self.0.get(at)) {
            Some(failure) if sequence < failure.end => Err(failure.error.clone()),
            _ => Ok(()),
        }
    }
}

/// A log, without the face it shows.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    /// In the place of that of the options, which it was at the start.
    pub(crate) limit: AtomicU64,
    pub(crate) id: u32,
    pub(crate) blocking: Blocking,
    pub(crate) state: Mutex<State>,
    pub(crate) names: Mutex<Names>,
    /// Everything below has had its write and sync, well or not.
    pub(crate) synced: watch::Sender<u64>,
    /// Flushes answered.
    pub(crate) flushed: watch::Sender<u64>,
    pub(crate) _lock: Lock,
}

impl Shared {
    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Changes the state, then begins a turn if `due` says so and none runs.
    pub(crate) fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut State) -> T, due: impl FnOnce(&State) -> bool) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        let writer = if due(&state) { state.writer.take() } else { None };
        drop(state);
        if let Some(writer) = writer {
            let turn = Turn::new(self.clone(), writer);
            (self.blocking)(Box::new(move || turn.run()));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_ranges_are_found_again_and_stay_bounded() {
        let error = Error::Closed { path: PathBuf::from("x") };
        let mut failures = Failures::default();
        (0..3000).for_each(|n| failures.add(n * 10, n * 10 + 2, error.clone()));
        failures.add(29992, 29995, error);
        assert_eq!(failures.0.len(), FAILURES_MAX);
        for (sequence, failed) in [(29990, true), (29994, true), (29995, false), (29989, false), (0, true), (1, true)] {
            assert_eq!(failures.verdict(sequence).is_err(), failed, "{sequence}");
        }
    }
}
