//! The end of the journal, where intake and lane meet: what was appended waits here in memory while the intake share lasts, and is read back from disk
//! beyond that, always in journal order.

use crate::{
    Clock, Reason,
    handed::{Handed, Standing, Waiter},
    heirs::Heirs,
    ledger::{Account, Fate, Posting},
    positions,
};
use bytes::Bytes;
use journal::{Header, Kind, Log};
use parking_lot::{Mutex, RwLock};
use signal::{Signal, Time};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes charged for an entry besides its request, so that many empty ones do not come free.
const ENTRY_BYTES: usize = 256;

/// What a source is known by: made of its name, since its place in the file may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceKey(u64);

impl SourceKey {
    pub(crate) fn of(name: &str) -> SourceKey {
        SourceKey(xxh3_64(name.as_bytes()))
    }

    /// Its number in the journal.
    pub(crate) fn id(self) -> u16 {
        let [a, b, ..] = self.0.to_le_bytes();
        u16::from_le_bytes([a, b])
    }
}

/// A source and its account.
pub(crate) type KnownSource = (SourceKey, Arc<Account>);

/// What comes next for the lane.
#[derive(Debug)]
pub(crate) enum Next {
    /// Still in memory.
    Memory(Handed),
    /// A stretch of the journal.
    Disk(Stretch),
}

/// Records to be read back, both ends included.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) from: u64,
    pub(crate) through: u64,
    pub(crate) whence: Whence,
}

/// How the records of a stretch stand in the ledger.
#[derive(Debug)]
pub(crate) enum Whence {
    /// All the same way.
    All(Standing),
    /// Held by their sources: so many records of each.
    Held(BTreeMap<(SourceKey, Signal), u64>),
}

/// Shared by the intakes of all sources and the one reader.
pub(crate) struct Tail {
    pub(crate) journal: Arc<Log>,
    clock: Clock,
    /// Those of the graph that runs first, then those of graphs before it.
    sources: RwLock<Vec<KnownSource>>,
    /// Of sources that are in the journal only, among those of the start.
    heirs: (Heirs, Vec<KnownSource>),
    bytes_max: usize,
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: VecDeque<Next>,
    bytes: usize,
    /// Records that wait, in memory and on disk.
    records: u64,
    closed: bool,
}

impl Tail {
    /// `bytes_max` of the intake share may wait here in memory.
    pub(crate) fn new(journal: Arc<Log>, clock: Clock, sources: Vec<KnownSource>, heirs: Heirs, bytes_max: usize) -> Tail {
        let (heirs, sources) = ((heirs, sources.clone()), RwLock::new(sources));
        Tail { journal, clock, sources, heirs, bytes_max, state: Mutex::default(), news: Notify::new() }
    }

    /// Appends to the journal, behind the position that holds with it, and hands on to the lane in one step, so that the lane's order is the journal's. Calls `post` once it is sure to be handed on.
    pub(crate) fn append(&self, mut handed: Handed, position: Option<&Bytes>, post: impl FnOnce()) -> Result<u64, journal::Refused> {
        let mut state = self.state.lock();
        let bytes = handed.checked.bytes().len() + ENTRY_BYTES;
        // Arrival stamps ascend in the journal because they are made under the lock.
        handed.arrived = self.clock.now();
        let header = Header {
            kind: Kind::Data,
            source: handed.source.id(),
            signal: u8::try_from(handed.signal.number()).unwrap_or(0),
            items: u32::try_from(handed.records).unwrap_or(u32::MAX),
            arrived: handed.arrived.0,
        };
        let noted = position.map_or(Ok(0), |position| {
            let header = Header { kind: Kind::Position, items: 0, ..header };
            self.journal.append(header, &positions::note(position, handed.checked.bytes()))
        });
        let appended = noted.and_then(|_| self.journal.append(header, std::slice::from_ref(handed.checked.bytes())));
        let sequence = appended.inspect_err(|_| handed.waiter.iter_mut().for_each(Waiter::cancel))?;
        post();
        handed.position = Some(sequence);
        state.records += handed.records as u64;
        // Somebody waits for it, so it may not be parted from its waiter.
        if handed.waiter.is_some() || state.bytes + bytes <= self.bytes_max {
            state.bytes += bytes;
            state.next.push_back(Next::Memory(handed));
        } else {
            state.leave_on_disk(sequence, &handed);
        }
        drop(state);
        self.news.notify_one();
        Ok(sequence)
    }

    /// From now on these are the sources. Those that were before are known still: requests of theirs may wait.
    pub(crate) fn know(&self, now: Vec<KnownSource>) {
        let mut sources = self.sources.write();
        let before = std::mem::replace(&mut *sources, now);
        let gone: Vec<_> = before.into_iter().filter(|(key, _)| !sources.iter().any(|(other, _)| other == key)).collect();
        sources.extend(gone);
    }

    /// The source that a record of the journal is one of: its own, or the heir of one that was gone when the process began.
    pub(crate) fn source(&self, number: u16) -> Option<KnownSource> {
        let own = self.sources.read().iter().find(|(key, _)| key.id() == number).cloned();
        own.or_else(|| self.heirs.0.heir(number).and_then(|at| self.heirs.1.get(at).cloned()))
    }

    /// Any source, for counting what belongs to none.
    pub(crate) fn any_source(&self) -> Option<KnownSource> {
        self.sources.read().first().cloned()
    }

    /// Returns when the record is on disk, or never will be.
    pub(crate) async fn committed(&self, sequence: u64) -> Result<(), journal::Error> {
        self.journal.committed(sequence).await
    }

    /// Puts a request back before everything else.
    pub(crate) fn put_back(&self, handed: Handed) {
        let mut state = self.state.lock();
        state.bytes += handed.checked.bytes().len() + ENTRY_BYTES;
        state.records += handed.records as u64;
        state.next.push_front(Next::Memory(handed));
    }

    /// The next request, if it is in memory and on disk.
    pub(crate) fn take_synced(&self) -> Option<Handed> {
        let mut state = self.state.lock();
        let synced = self.journal.synced();
        let ready = matches!(state.next.front(), Some(Next::Memory(handed)) if handed.position.is_none_or(|position| position < synced));
        match if ready { state.take() } else { None } {
            Some(Next::Memory(handed)) => Some(handed),
            Some(Next::Disk(_)) | None => None,
        }
    }

    /// Puts a stretch before everything else.
    pub(crate) fn put_first(&self, stretch: Stretch) {
        if stretch.from <= stretch.through {
            self.state.lock().next.push_front(Next::Disk(stretch));
            self.news.notify_one();
        }
    }

    pub(crate) fn take(&self) -> Option<Next> {
        self.state.lock().take()
    }

    /// Counts records of a stretch as read.
    pub(crate) fn read(&self, records: u64) {
        let mut state = self.state.lock();
        state.records = state.records.saturating_sub(records);
    }

    /// The wall's time if nothing waits: looked at under the lock, so that no record with an earlier stamp comes after it.
    pub(crate) fn idle(&self) -> Option<Time> {
        let state = self.state.lock();
        state.next.is_empty().then(|| self.clock.now())
    }

    /// Returns when something waits or the tail is closed.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub(crate) async fn news(&self) {
        loop {
            let heard = self.news.notified();
            {
                let state = self.state.lock();
                if !state.next.is_empty() || state.closed {
                    return;
                }
            }
            heard.await;
        }
    }

    /// Nothing is appended from now on.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.news.notify_one();
    }

    /// Records taken in and not yet read by the lane.
    pub(crate) fn waiting(&self) -> u64 {
        self.state.lock().records
    }

    /// Ends in the ledger what a stretch should have held and did not: the disk never took it, and its client was told so.
    pub(crate) fn end_unread(&self, held: &BTreeMap<(SourceKey, Signal), u64>) {
        for ((source, signal), records) in held {
            self.end(*source, *signal, *records);
            self.read(*records);
        }
    }

    /// The same for one request.
    pub(crate) fn end(&self, source: SourceKey, signal: Signal, records: u64) {
        let Some((_, account)) = self.sources.read().iter().find(|(key, _)| *key == source).cloned() else { return };
        let mut posting = Posting::default();
        let mut gone = [0; 3];
        gone[signal.number()] = records;
        posting.hold(gone, [0; 3]);
        posting.end_all(Fate::Rejected, Reason::DISK, gone);
        account.post(&posting);
    }
}

impl State {
    fn take(&mut self) -> Option<Next> {
        let next = self.next.pop_front()?;
        if let Next::Memory(handed) = &next {
            self.bytes = self.bytes.saturating_sub(handed.checked.bytes().len() + ENTRY_BYTES);
            self.records = self.records.saturating_sub(handed.records as u64);
        }
        Some(next)
    }

    fn leave_on_disk(&mut self, sequence: u64, handed: &Handed) {
        let key = (handed.source, handed.signal);
        let records = handed.records as u64;
        if let Some(Next::Disk(Stretch { through, whence: Whence::Held(held), .. })) = self.next.back_mut() {
            *through = sequence;
            *held.entry(key).or_default() += records;
            return;
        }
        let whence = Whence::Held(BTreeMap::from([(key, records)]));
        self.next.push_back(Next::Disk(Stretch { from: sequence, through: sequence, whence }));
    }
}
