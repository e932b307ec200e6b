//! The journal as a stream: its tail from memory, and from disk what is not there any more, always in order.

use crate::{
    Reason,
    handed::{Handed, Standing},
    ledger::Fate,
    tail::{Next, Stretch, Tail, Whence},
};
use bytes::Bytes;
use journal::{Blocking, Entry, Kind, Reader, blocked};
use signal::{Limits, Signal, Time, check};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Bytes read back at once.
const READ_BYTES: usize = 1 << 20;
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A place in the journal.
pub(crate) struct Reading {
    pub(crate) tail: Arc<Tail>,
    blocking: Blocking,
    stretch: Option<Stretch>,
    reader: Option<Reader>,
    ready: VecDeque<Entry>,
    /// Out of memory, and maybe not on disk yet.
    waiting: Option<Handed>,
    /// The last record of a stretch that may not be on disk yet.
    uncommitted: Option<u64>,
    /// The last record that was given to a lane.
    given: Option<u64>,
    shifts: Shifts,
}

/// Downtime does not count: by how many nanoseconds the stamps of records before a start are moved. Back, where the clock was set back meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shifts(pub(crate) Vec<(u64, i64)>);

impl Shifts {
    pub(crate) fn shifted(&self, sequence: u64, stamp: Time) -> Time {
        let moves = self.0.iter().filter(|(start, _)| *start > sequence);
        Time(moves.fold(stamp.0, |time, (_, nanos)| time.saturating_add_signed(*nanos)))
    }
}

impl Reading {
    pub(crate) fn new(tail: Arc<Tail>, blocking: Blocking, shifts: Shifts) -> Reading {
        let (stretch, reader, ready) = (None, None, VecDeque::new());
        Reading { tail, blocking, stretch, reader, ready, waiting: None, uncommitted: None, given: None, shifts }
    }

    /// The wall's time when there is nothing to read.
    pub(crate) fn idle(&self) -> Option<Time> {
        if self.stretch.is_some() || self.waiting.is_some() { None } else { self.tail.idle() }
    }

    /// What comes next; none where that turned out to be nothing.
    ///
    /// # Cancel safety
    /// Safe: what was not returned comes again.
    pub(crate) async fn next(&mut self) -> Option<Handed> {
        if self.stretch.is_none() && self.waiting.is_none() {
            match self.tail.take()? {
                Next::Memory(handed) => self.waiting = Some(handed),
                Next::Disk(stretch) => {
                    self.uncommitted = Some(stretch.through);
                    self.stretch = Some(stretch);
                }
            }
        }
        if self.waiting.is_some() {
            return self.once_committed().await;
        }
        if let Some(through) = self.uncommitted {
            // A reader sees only what is synced. Whether its last record made it shows when it is read.
            let _error = self.tail.committed(through).await;
            self.uncommitted = None;
        }
        let from = self.stretch.as_ref().map(|stretch| stretch.from)?;
        if self.ready.is_empty() {
            if self.read(from).await == Read::Failed {
                sleep(READ_AGAIN_AFTER).await;
                return None;
            }
            if self.ready.is_empty() {
                self.end_stretch();
                return None;
            }
        }
        self.pop()
    }

    /// What comes next, if it is in memory and on disk, or was read back already.
    pub(crate) async fn next_at_hand(&mut self) -> Option<Handed> {
        if self.stretch.is_some() {
            return self.pop();
        }
        self.waiting = self.tail.take_synced();
        self.once_committed().await
    }

    async fn once_committed(&mut self) -> Option<Handed> {
        let position = self.waiting.as_ref()?.position;
        let failed = match position {
            Some(position) => self.tail.committed(position).await.is_err(),
            None => false,
        };
        let handed = self.waiting.take()?;
        if failed {
            self.tail.end(handed.source, handed.signal, handed.records as u64);
            return None;
        }
        self.given = position.or(self.given);
        Some(handed)
    }

    /// The next of what was read from disk.
    fn pop(&mut self) -> Option<Handed> {
        let through = self.stretch.as_ref()?.through;
        let entry = self.ready.pop_front()?;
        if entry.sequence > through {
            self.end_stretch();
            return None;
        }
        self.handed(entry)
    }

    /// Reads the next records where blocking is allowed, from `from` on or after the last one given.
    async fn read(&mut self, from: u64) -> Read {
        let start = || self.tail.journal.reader(self.given.map_or(from, |given| from.max(given + 1))).only(Kind::Data);
        let reader = self.reader.take().unwrap_or_else(start);
        let Some((mut reader, entries, error)) = read_some(&self.blocking, reader, READ_BYTES).await else { return Read::Failed };
        for damaged in reader.take_damaged() {
            tracing::error!(%damaged, "the journal is damaged here");
        }
        self.ready.extend(entries);
        // The same reader is asked again: it counts how often a place failed, and passes it over in the end.
        self.reader = Some(reader);
        match error {
            Some(error) => {
                tracing::error!(%error, "cannot read the journal back");
                if self.ready.is_empty() { Read::Failed } else { Read::Done }
            }
            None => Read::Done,
        }
    }

    fn end_stretch(&mut self) {
        if let Some(Stretch { whence: Whence::Held(held), .. }) = self.stretch.take() {
            self.tail.end_unread(&held);
        }
        self.reader = None;
        self.ready.clear();
    }

    /// From a journal's record to a request, and what it is in the ledger. What cannot be read is rejected, what has no source any more discarded.
    fn handed(&mut self, entry: Entry) -> Option<Handed> {
        self.given = Some(entry.sequence);
        let signal = *Signal::ALL.get(usize::from(entry.header.signal))?;
        let known = self.tail.source(entry.header.source);
        let is_known = known.is_some();
        let (source, account) = known.or_else(|| self.tail.any_source())?;
        let checked = check(signal, entry.payload, &Limits::default());
        let records = checked.as_ref().map_or(u64::from(entry.header.items), |(_, counts)| counts.records as u64);
        let mut all = [0; 3];
        all[signal.number()] = records;
        let standing = match self.stretch.as_mut().map(|stretch| &mut stretch.whence) {
            Some(Whence::Held(held)) => {
                if let Some(left) = held.get_mut(&(source, signal)) {
                    *left = left.saturating_sub(records);
                }
                self.tail.read(records);
                Standing::Held
            }
            Some(Whence::All(standing)) => *standing,
            None => Standing::Before,
        };
        let fate = match (&checked, is_known) {
            (Err(_), _) => Some((Fate::Rejected, Reason::MALFORMED)),
            (Ok(_), false) => Some((Fate::Discarded, Reason::NO_READER)),
            (Ok(_), true) => None,
        };
        if let Some((fate, why)) = fate {
            let mut posting = standing.leaving(all);
            posting.end_all(fate, why, all);
            account.post(&posting);
        }
        let (checked, counts) = checked.ok().filter(|_| fate.is_none())?;
        let arrived = self.shifts.shifted(entry.sequence, Time(entry.header.arrived));
        Some(Handed {
            source,
            account,
            signal,
            checked,
            chunks: None,
            records: counts.records,
            arrived,
            position: Some(entry.sequence),
            waiter: None,
            admission: None,
            standing,
        })
    }

    /// Begins again at the cursor, for lanes that fell.
    pub(crate) fn again(&mut self, cursor: u64) {
        self.waiting.take().into_iter().for_each(|handed| self.tail.put_back(handed));
        let rest = self.stretch.take();
        self.uncommitted = None;
        self.reader = None;
        self.ready.clear();
        let Some(given) = self.given.take() else {
            rest.into_iter().for_each(|rest| self.tail.put_first(rest));
            return;
        };
        if let Some(rest) = rest {
            self.tail.put_first(Stretch { from: given + 1, ..rest });
        }
        self.tail.put_first(Stretch { from: cursor, through: given, whence: Whence::All(Standing::Again) });
    }
}

#[derive(PartialEq, Eq)]
enum Read {
    Done,
    Failed,
}

/// The next records, until they have so many bytes or there are none, and the reader back; `None` as of [`blocked`].
pub(crate) async fn read_some(
    blocking: &Blocking,
    mut reader: Reader,
    bytes_max: usize,
) -> Option<(Reader, Vec<Entry>, Option<journal::Error>)> {
    let read = move || {
        let (entries, error) = next_some(&mut reader, bytes_max);
        (reader, entries, error)
    };
    blocked(blocking, read).await
}

fn next_some(reader: &mut Reader, bytes_max: usize) -> (Vec<Entry>, Option<journal::Error>) {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while bytes < bytes_max {
        match reader.next() {
            Ok(Some(mut entry)) => {
                // Bytes of its own: where few of its neighbours are kept, it does not keep the block that they were read in.
                entry.payload = Bytes::copy_from_slice(&entry.payload);
                bytes += entry.payload.len() + journal::record::HEADER_BYTES;
                entries.push(entry);
            }
            Ok(None) => break,
            Err(error) => return (entries, Some(error)),
        }
    }
    (entries, None)
}
