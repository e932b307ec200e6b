//! The store itself: what is accepted goes to its log, then to memory, where scans see it; flushes bring it into files.

mod compact;
mod open;
mod upkeep;

pub use upkeep::{Maintained, Stats, TableStats};

use crate::{
    Error, Options, Scan, Scanned,
    commit::Commits,
    entry::Entry,
    files::DataFile,
    memory::Memory,
    read,
    rows::{self, Built},
};
use bytes::Bytes;
use journal::{Blocking, Disk, Header, Kind, Lock, Log, Refused};
use parking_lot::{Mutex, RwLock};
use signal::{Flow, Identities, Time};
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::sync::watch;

/// A store, open. One process at a time has it; all its callers share one `Arc`.
pub struct Store {
    options: Options,
    /// What of the options may change while it is open.
    bounds: RwLock<Bounds>,
    disk: Arc<dyn Disk>,
    log: Arc<Log>,
    /// The log's name in the commits of the tables.
    log_name: String,
    blocking: Blocking,
    this: Weak<Store>,
    /// What scans and appends see. Held briefly, never over a call to the disk.
    state: Mutex<State>,
    /// Who flushes or retires files has this, one at a time. Taken before `state`.
    commits: Mutex<[Commits; 4]>,
    changed: watch::Sender<u64>,
    flushes: watch::Sender<Flushes>,
    _lock: Lock,
}

/// What an open store can change.
#[derive(Clone, Copy)]
struct Bounds {
    retain: Duration,
    bytes_max: u64,
    flush_after: Duration,
}

impl Bounds {
    fn of(options: &Options) -> Bounds {
        Bounds { retain: options.retain, bytes_max: options.bytes_max, flush_after: options.flush_after }
    }
}

#[derive(Default)]
struct State {
    /// In the log, but not yet known to be durable; in the order of the log.
    pending: VecDeque<Pending>,
    memory: Memory,
    files: [Vec<Arc<DataFile>>; 4],
    /// Paths of files that could not be merged with their neighbours; tried again after a restart.
    unmergeable: HashSet<String>,
    identities: Identities,
    /// Every entry of the log below this is in memory or in files.
    through: u64,
    /// Arrival of the oldest row in memory.
    since: Option<Time>,
    /// The latest time heard of.
    now: Time,
    flushing: bool,
    /// Entries of the log that could not be read back.
    unreadable: u64,
}

struct Pending {
    sequence: u64,
    entry: Entry,
    built: Built,
}

/// Flushes that ended, and how the last of them did.
#[derive(Clone, Default)]
struct Flushes {
    ended: u64,
    failed: Option<String>,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Records that are new here.
    pub records: usize,
    /// Records that were here already, by origin and ordinal, and were left out.
    pub repeats: usize,
}

enum Offer {
    Taken(u64),
    /// Another append with some of the same records is on its way to the disk, under this number.
    Wait(u64),
    Repeats(Vec<Option<Vec<bool>>>),
    Full(Refused),
}

impl Store {
    /// Takes everything in the flow, and the summaries of its closed traces. When it returns the rows are durable and scans see them.
    /// While memory holds twice `flush_bytes_max`, it waits for a flush.
    ///
    /// # Errors
    /// The disk refuses, or the store's log is full and a flush does not help. Nothing of the flow is kept then; it may be appended again.
    ///
    /// # Cancel safety
    /// Dropped halfway, the flow is in the store or not; appending it again leaves out what is there (records that have an origin).
    pub async fn append(&self, flow: &Flow) -> Result<Appended, Error> {
        let mut entry = Entry::of(flow);
        let mut repeats = 0;
        let mut tries = 0;
        while !entry.is_empty() {
            self.room().await?;
            let (built, parts) = (rows::build(&entry)?, entry.encode()?);
            match self.offer(&entry, built, &parts)? {
                Offer::Taken(sequence) => {
                    let synced = self.log.committed(sequence).await;
                    self.take_in();
                    synced.map_err(|e| Error::Log(e.to_string()))?;
                    return Ok(Appended { records: entry.records(), repeats });
                }
                Offer::Wait(sequence) => {
                    // Whether it got there is found out by asking again.
                    let synced = self.log.committed(sequence).await;
                    tracing::debug!(durable = synced.is_ok(), "an append waited for another with the same records");
                    self.take_in();
                }
                Offer::Repeats(marks) => repeats += entry.leave_out(marks),
                Offer::Full(refused) if tries > 0 => return Err(Error::Log(refused.to_string())),
                Offer::Full(_) => {
                    tries += 1;
                    self.flushed().await?;
                }
            }
        }
        Ok(Appended { records: 0, repeats })
    }

    fn offer(&self, entry: &Entry, built: Built, parts: &[Bytes]) -> Result<Offer, Error> {
        let mut state = self.state.lock();
        if let Some(same) = state.pending.iter().find(|p| p.entry.shares_with(entry)) {
            return Ok(Offer::Wait(same.sequence));
        }
        if let Some(repeats) = entry.repeats(&state.identities) {
            return Ok(Offer::Repeats(repeats));
        }
        let items = u32::try_from(entry.records()).unwrap_or(u32::MAX);
        let header = Header { kind: Kind::Data, source: 0, signal: 0, items, arrived: entry.arrived().0 };
        match self.log.append(header, parts) {
            Ok(sequence) => {
                state.pending.push_back(Pending { sequence, entry: entry.clone(), built });
                Ok(Offer::Taken(sequence))
            }
            Err(refused @ Refused::Full { .. }) => Ok(Offer::Full(refused)),
            Err(refused) => Err(Error::Log(refused.to_string())),
        }
    }

    /// Brings into memory what has become durable; begins a flush when that is a lot.
    fn take_in(&self) {
        let mut state = self.state.lock();
        let mut records = 0;
        while let Some(front) = state.pending.front() {
            let sequence = front.sequence;
            if sequence >= self.log.synced() {
                break;
            }
            let verdict = std::pin::pin!(self.log.committed(sequence)).as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let Some(taken) = state.pending.pop_front() else { break };
            match verdict {
                Poll::Pending => {
                    state.pending.push_front(taken);
                    break;
                }
                Poll::Ready(Err(_)) => {}
                Poll::Ready(Ok(())) => {
                    records += taken.entry.records() as u64;
                    state.take(sequence, &taken.entry, taken.built);
                }
            }
        }
        let full = state.memory.bytes() >= self.options.flush_bytes_max;
        drop(state);
        if records > 0 {
            self.changed.send_modify(|n| *n += records);
        }
        if full {
            self.begin_flush();
        }
    }

    /// Waits until memory has room.
    async fn room(&self) -> Result<(), Error> {
        while self.state.lock().memory.bytes() >= self.options.flush_bytes_max.saturating_mul(2) {
            self.flushed().await?;
        }
        Ok(())
    }

    /// Waits for the end of a flush; begins one if none runs.
    async fn flushed(&self) -> Result<(), Error> {
        let mut flushes = self.flushes.subscribe();
        let before = flushes.borrow_and_update().ended;
        self.begin_flush();
        let after = flushes.wait_for(|f| f.ended > before).await.map(|f| f.failed.clone()).unwrap_or_default();
        after.map_or(Ok(()), |why| Err(Error::Log(why)))
    }

    fn begin_flush(&self) {
        if std::mem::replace(&mut self.state.lock().flushing, true) {
            return;
        }
        let this = self.this.clone();
        (self.blocking)(Box::new(move || {
            let Some(store) = this.upgrade() else { return };
            let failed = store.flush().err().map(|e| e.to_string());
            if let Some(why) = &failed {
                tracing::error!(why, "the store could not be flushed");
            }
            store.state.lock().flushing = false;
            store.flushes.send_modify(|f| {
                f.ended += 1;
                f.failed = failed;
            });
        }));
    }

    /// Rows of a table, from memory and files alike, each once. Blocks on the disk while batches are taken, and for an ordered scan at once.
    ///
    /// # Errors
    /// The scan names a column that the table does not have, or a file cannot be read.
    pub fn scan(&self, scan: &Scan) -> Result<Scanned, Error> {
        let (batches, files) = {
            let state = self.state.lock();
            (state.memory.batches(scan.table), state.files[scan.table as usize].clone())
        };
        read::scan(scan, batches, &files)
    }

    /// Grows with every append by its records; for `-f`. Starts from 0 when the store is opened.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Goes on with other bounds from now on: with all of the options but the path and `flush_bytes_max`.
    pub fn keep_within(&self, options: &Options) {
        *self.bounds.write() = Bounds::of(options);
        self.log.set_limit(options.log_limit);
    }

    /// Nothing of this origin's log at or below the position will be appended again: its identities are forgotten.
    pub fn settled(&self, log: u32, position: u64) {
        self.state.lock().identities.settled(log, position);
    }
}

impl State {
    /// Counts an entry of the log in: identities, rows, times.
    fn take(&mut self, sequence: u64, entry: &Entry, built: Built) {
        for piece in &entry.pieces {
            self.identities.add(piece.signal, &piece.chunk);
        }
        if built.iter().any(Option::is_some) {
            self.since = self.since.or(Some(entry.arrived()));
        }
        if let Err(error) = self.memory.push(built) {
            tracing::warn!(%error, "batches stay unmerged");
        }
        self.now = self.now.max(entry.arrived());
        self.through = sequence.saturating_add(1);
    }
}
