//! The face of a log: append, wait for the disk, read, settle. Who writes is in `turn.rs`, what readers see in `reader.rs`, how it starts in `opening.rs`.

use crate::Blocking;
use crate::error::{Error, Refused};
use crate::opening::{self, Opened};
use crate::reader::Reader;
use crate::record::{self, HEADER_BYTES, Header, Kind, SEQUENCE_MAX};
use crate::state::{Shared, State};
use crate::{Disk, cursors};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// Queued bytes at which a turn begins though nobody waits.
pub(crate) const WRITE_BEHIND_BYTES: u64 = 1 << 20;
/// Queued bytes at which a record is refused: the disk stands still.
const QUEUE_BYTES_MAX: u64 = 64 << 20;

/// Sizes and times of a log.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A segment is closed at this size; taken as at most an eighth of `limit`, so that freeing one frees enough.
    pub segment_bytes_max: u64,
    /// Bytes on disk. The last sixteenth is for decisions and marks: without them what waits could not leave.
    pub limit: u64,
    /// From the start of one sync to the start of the next, at least.
    pub sync_gap: Duration,
    /// How long what everybody has settled stays readable after it was written, while the log has less than half of its limit and the disk has space: then a start knows what came
    /// lately. Zero gives every segment back at once. Decisions live a minute in any case.
    pub linger: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes_max: 64 << 20, limit: 4 << 30, sync_gap: Duration::from_millis(2), linger: Duration::ZERO }
    }
}

impl Options {
    pub(crate) fn bounded(self) -> Options {
        Options { segment_bytes_max: self.segment_bytes_max.min(self.limit / 8).max(4 << 10), ..self }
    }
}

fn allowance(limit: u64, kind: Kind) -> u64 {
    match kind {
        Kind::Data | Kind::Position => limit - limit / 16,
        Kind::Decision | Kind::Mark => limit,
    }
}

/// An append-only log in one directory. Ends of ranges are exclusive throughout.
pub struct Log {
    pub(crate) shared: Arc<Shared>,
}

impl Log {
    /// Opens the log in `path`, or makes it. Damage never keeps it from starting: what was cut off or could not be read is in [`Opened`].
    /// Only the last segment is read whole; damage in older ones is found by whoever reads them. Blocks.
    ///
    /// # Errors
    /// Another process has it, its format is newer than this one, or the directory cannot be read or written.
    pub fn open(disk: Arc<dyn Disk>, path: &Path, options: Options, blocking: Blocking) -> Result<(Arc<Log>, Opened), Error> {
        let (shared, opened) = opening::open(disk, path, options.bounded(), blocking)?;
        Ok((Arc::new(Log { shared }), opened))
    }

    /// Takes a record and gives it its number. It is in memory: durable, and visible to readers, only when [`Log::committed`] says so.
    /// Never waits for the disk.
    ///
    /// # Errors
    /// The log is full, the record larger than half its limit, or the disk does not take records at the moment.
    pub fn append(&self, header: Header, payload: &[Bytes]) -> Result<u64, Refused> {
        let options = &self.shared.options;
        let limit = self.limit();
        let payload_bytes = payload.iter().map(|part| part.len() as u64).sum::<u64>();
        let bytes = payload_bytes + HEADER_BYTES as u64;
        let bytes_max = (limit / 2).min(1 << 30);
        let length = u32::try_from(payload_bytes).ok().filter(|_| bytes <= bytes_max).ok_or(Refused::TooLarge { bytes, bytes_max })?;
        let sum = record::payload_sum(self.shared.id, payload);
        let take = |state: &mut State| {
            self.admit(state, header.kind, bytes, limit)?;
            let sequence = state.next;
            let head = record::encode(self.shared.id, sequence, header, length, sum);
            state.queue.push(sequence, &head, payload, bytes, header.kind);
            state.bytes += bytes;
            state.next += 1;
            Ok(sequence)
        };
        // A log that refuses may be waiting for cursors whose saving failed before, or for space.
        let due = |state: &State| {
            let relievable = state.relievable(options.segment_bytes_max);
            state.queue.bytes() >= WRITE_BEHIND_BYTES || state.unsaved() || state.restorable() || relievable
        };
        self.shared.change(take, due)
    }

    fn admit(&self, state: &State, kind: Kind, bytes: u64, limit: u64) -> Result<(), Refused> {
        // Beyond the last number there is only a folder that no journal wrote.
        if state.next > SEQUENCE_MAX || state.bytes + bytes > allowance(limit, kind) {
            return Err(Refused::Full { limit });
        }
        if state.queue.bytes() + bytes > QUEUE_BYTES_MAX.max(bytes) {
            return Err(Error::Behind { path: self.shared.dir.clone(), bytes: state.queue.bytes() }.into());
        }
        match state.refused() {
            Some(error) if matches!(kind, Kind::Data | Kind::Position) => Err(error.clone().into()),
            _ => Ok(()),
        }
    }

    /// Waits until the record is durable. The first who waits starts a sync at once; who comes while it runs shares the next one, which starts
    /// `sync_gap` after it at the earliest. Waits for ever for a number that was never given.
    ///
    /// Readers see only what is synced, and a number that is not may be given again after a crash. So whoever hands a record on from memory,
    /// without a reader, does it after this.
    ///
    /// # Errors
    /// The write or the sync failed: the record is not in the log and will not be seen by readers.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing; the sync it began goes on for the others.
    pub async fn committed(&self, sequence: u64) -> Result<(), Error> {
        let mut synced = self.shared.synced.subscribe();
        while *synced.borrow_and_update() <= sequence {
            self.shared.change(|state| state.wanted = state.wanted.max(sequence.saturating_add(1)), |state| !state.queue.is_empty());
            synced.changed().await.map_err(|_| self.closed())?;
        }
        self.shared.state.lock().failures.verdict(sequence)
    }

    /// Makes everything durable that was appended and settled before: at shutdown, and where a position must be on disk before work begins.
    ///
    /// # Errors
    /// The cursors could not be saved. (Records that failed are told to who waits for them in [`Log::committed`].)
    ///
    /// # Cancel safety
    /// As [`Log::committed`].
    pub async fn flush(&self) -> Result<(), Error> {
        let mut flushed = self.shared.flushed.subscribe();
        let ask = |state: &mut State| {
            state.tickets += 1;
            state.tickets
        };
        let ticket = self.shared.change(ask, |_| true);
        flushed.wait_for(|done| *done >= ticket).await.map_err(|_| self.closed())?;
        self.shared.state.lock().trouble.take().map_or(Ok(()), Err)
    }

    fn closed(&self) -> Error {
        Error::Closed { path: self.shared.dir.clone() }
    }

    /// Every number below has had its sync; those that failed are not in the log.
    #[must_use]
    pub fn synced(&self) -> u64 {
        *self.shared.synced.borrow()
    }

    /// Follows [`Log::synced`]: it changes when readers can see more.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.synced.subscribe()
    }

    /// The number the next record gets.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.shared.state.lock().next
    }

    /// No record has a lower number.
    #[must_use]
    pub fn first(&self) -> u64 {
        let synced = self.synced();
        self.shared.state.lock().segments.front().map_or(synced, |segment| segment.base)
    }

    /// Bytes on disk and on their way there; compare with [`Options::limit`].
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shared.state.lock().bytes
    }

    /// Bytes on disk at which it refuses: [`Options::limit`], or what was set since.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.shared.limit()
    }

    /// Sets another limit. Segments keep the size that went with the first one; where there is more on disk already, it refuses until that is settled and gone.
    pub fn set_limit(&self, limit: u64) {
        self.shared.limit.store(limit, Ordering::Relaxed);
        let roomy = |state: &mut State| state.linger.1 = limit / 2;
        self.shared.change(roomy, |state| state.unsaved() || state.freeable());
    }

    /// The random id this log got when it was made; never 0. With a sequence number it names a record for ever.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.shared.id
    }

    /// Reads from the first record numbered `from` or above.
    #[must_use]
    pub fn reader(&self, from: u64) -> Reader {
        Reader::new(self.shared.clone(), from)
    }

    /// How far a consumer is: everything below is settled. [`Log::first`] for one that never settled anything.
    #[must_use]
    pub fn cursor(&self, name: &str) -> u64 {
        let cursor = self.shared.state.lock().marks.get(name).copied();
        cursor.unwrap_or_else(|| self.first())
    }

    /// All consumers that hold segments, by name.
    #[must_use]
    pub fn cursors(&self) -> Vec<(String, u64)> {
        self.shared.state.lock().marks.iter().map(|(name, through)| (name.clone(), *through)).collect()
    }

    /// Says that a consumer is done with everything below `through`; never goes back, nor beyond [`Log::next`]. From its first call on (0 will do) the consumer
    /// holds the segments it has not passed. Saved within about a second, and before a segment is removed because of it.
    ///
    /// # Errors
    /// There is no room for the consumer's cursor; or saving cursors failed before: they hold in memory and are tried again.
    pub fn settle(&self, name: &str, through: u64) -> Result<(), Error> {
        let segment_bytes_max = self.shared.options.segment_bytes_max;
        let first = self.first();
        let settle = |state: &mut State| {
            let through = through.min(state.next).max(first);
            if let Some(mark) = state.marks.get_mut(name) {
                if *mark < through {
                    *mark = through;
                    state.marked += 1;
                }
                return state.trouble.take().map_or(Ok(()), Err);
            }
            state.marks.insert(name.to_owned(), through);
            if cursors::encode(self.shared.id, 0, &state.marks).is_none() {
                state.marks.remove(name);
                return Err(Error::Cursors { path: self.shared.dir.join(crate::folder::CURSORS), name: name.to_owned() });
            }
            state.marked += 1;
            Ok(())
        };
        self.shared.change(settle, |state| state.unsaved() || state.freeable() || state.sealable(segment_bytes_max))
    }

    /// The consumer is gone for good and holds no segment any more.
    pub fn forget(&self, name: &str) {
        let forget = |state: &mut State| state.marked += u64::from(state.marks.remove(name).is_some());
        self.shared.change(forget, |state| state.unsaved() || state.freeable());
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("path", &self.shared.dir).field("id", &self.id()).field("next", &self.next()).finish()
    }
}
