//! The log of one sink, in which lies what it did not take in time, and what has become of it. Who writes and reads it is in `keeper.rs`.

use crate::{Clock, ledger::PerSignal, opening::OnDemand, owed::Owed};
use journal::{Error, Header, Kind, Refused};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use signal::{Ack, Flow, Outcome, Time, codec::flow};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::Notify;

/// The folder of all sinks' logs, below the journal's.
pub(crate) const FOLDER: &str = "spill";
/// The name of the sink's cursor in its log.
pub(crate) const CURSOR: &str = "sink";

/// A sink's log and how far the sink is in it.
pub(crate) struct Spill {
    pub(crate) log: OnDemand,
    clock: Clock,
    state: Mutex<State>,
    /// Something was settled.
    pub(crate) news: Notify,
}

struct State {
    /// Read and not settled, and since when they wait.
    open: BTreeMap<u64, Time>,
    /// Written by whoever was delivering them and goes on with it: they are not read.
    in_hand: BTreeMap<u64, InHand>,
    /// Records written and not read.
    unread: PerSignal<u64>,
    /// Since when the first of these waits.
    unread_since: Time,
    /// Everything below was read.
    read: u64,
}

#[derive(Clone, Copy)]
struct InHand {
    since: Time,
    settled: bool,
}

/// What lies in a sink's log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpillStatus {
    /// Whether what comes goes to disk now.
    pub spilling: bool,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes at which the sink's queue makes others wait.
    pub bytes_max: u64,
    /// How long the oldest on disk has waited.
    pub oldest_seconds: f64,
}

impl Spill {
    pub(crate) fn new(log: OnDemand, clock: Clock) -> Arc<Spill> {
        let state = State { open: BTreeMap::new(), in_hand: BTreeMap::new(), unread: [0; 3], unread_since: Time::default(), read: 0 };
        Arc::new(Spill { log, clock, state: Mutex::new(state), news: Notify::new() })
    }

    /// Opens what an earlier process left. Whether there is anything.
    pub(crate) async fn begin(&self) -> Result<bool, Error> {
        let Some(log) = self.log.left().await? else { return Ok(false) };
        let cursor = log.cursor(CURSOR);
        self.state.lock().read = cursor;
        Ok(log.next() > cursor)
    }

    /// Writes a flow; it is on disk once [`Spill::committed`] says so. With `Hold::InHand` whoever writes it delivers it, too.
    pub(crate) async fn append(&self, owed: &Owed, hold: Hold) -> Result<u64, Refused> {
        let log = self.log.log().await?;
        let Some(flow) = owed.flow() else { return Ok(log.next()) };
        let since = self.clock.now().minus(owed.since.elapsed());
        let items = u32::try_from(owed.records()).unwrap_or(u32::MAX);
        let header = Header { kind: Kind::Data, source: 0, signal: u8::try_from(owed.kind()).unwrap_or(u8::MAX), items, arrived: since.0 };
        let parts = flow::encode(flow);
        // Under the lock, so that it is known before it can be read.
        let mut state = self.state.lock();
        let sequence = log.append(header, &parts)?;
        if state.unread == [0; 3] {
            state.unread_since = since;
        }
        let records = flow.counts();
        (0..3).for_each(|at| state.unread[at] += records[at]);
        if hold == Hold::InHand {
            state.in_hand.insert(sequence, InHand { since, settled: false });
        }
        Ok(sequence)
    }

    /// Returns when a record is on disk; on an error it never will be, and is as if it had not been written.
    pub(crate) async fn committed(&self, sequence: u64, owed: &Owed) -> Result<(), Error> {
        let committed = self.log.log().await?.committed(sequence).await;
        if committed.is_err() {
            let mut state = self.state.lock();
            state.in_hand.remove(&sequence);
            let records = owed.flow().map_or([0; 3], Flow::counts);
            (0..3).for_each(|at| state.unread[at] = state.unread[at].saturating_sub(records[at]));
        }
        committed
    }

    /// Writes what somebody is delivering and waits until it is on disk.
    pub(crate) async fn keep(&self, owed: &Owed) -> Result<u64, Refused> {
        let sequence = self.append(owed, Hold::InHand).await?;
        self.committed(sequence, owed).await?;
        Ok(sequence)
    }

    /// A record was read: the promise to settle it, or none where somebody has it in hand.
    pub(crate) fn pass(self: &Arc<Spill>, sequence: u64, since: Time, records: PerSignal<u64>) -> Option<Ack> {
        let mut state = self.state.lock();
        (0..3).for_each(|at| state.unread[at] = state.unread[at].saturating_sub(records[at]));
        state.unread_since = since;
        state.read = sequence + 1;
        // Begun when they are read, so that few are open however much lies on disk.
        self.log.consumer().into_iter().for_each(|consumer| consumer.begin(sequence));
        let in_hand = state.in_hand.remove(&sequence);
        state.open.insert(sequence, since);
        drop(state);
        match in_hand {
            Some(InHand { settled: true, .. }) => {
                self.settle(sequence, Outcome::Delivered);
                None
            }
            Some(InHand { settled: false, .. }) => None,
            None => Some(self.promise(sequence)),
        }
    }

    /// Kept when a record is settled: it leaves the log.
    pub(crate) fn promise(self: &Arc<Spill>, sequence: u64) -> Ack {
        let spill = Arc::clone(self);
        Ack::new(move |outcome| spill.settle(sequence, outcome))
    }

    fn settle(&self, sequence: u64, outcome: Outcome) {
        if outcome > Outcome::Rejected {
            return;
        }
        let mut state = self.state.lock();
        if let Some(in_hand) = state.in_hand.get_mut(&sequence) {
            in_hand.settled = true;
        }
        state.open.remove(&sequence);
        if let Some(Err(error)) = self.log.consumer().map(|consumer| consumer.settle(sequence)) {
            tracing::error!(%error, "cannot move the cursor of a spill log");
        }
        drop(state);
        self.news.notify_one();
    }

    /// What an earlier process left, as it is counted.
    pub(crate) fn found(&self, records: PerSignal<u64>, since: Time) {
        let mut state = self.state.lock();
        if state.unread == [0; 3] {
            state.unread_since = since;
        }
        (0..3).for_each(|at| state.unread[at] += records[at]);
    }

    /// Where to read on.
    pub(crate) fn read(&self) -> u64 {
        self.state.lock().read
    }

    /// The reader found nothing more below `end`. What should have been there and was not: it is damaged.
    pub(crate) fn read_to(&self, end: u64) -> PerSignal<u64> {
        let mut state = self.state.lock();
        state.read = state.read.max(end);
        let all = self.log.opened().is_some_and(|log| log.next() <= state.read);
        if all { std::mem::take(&mut state.unread) } else { [0; 3] }
    }

    /// Whether there is something to read.
    pub(crate) fn is_unread(&self) -> bool {
        let Some(log) = self.log.opened() else { return false };
        self.state.lock().read < log.synced()
    }

    /// Whether everything that was written is settled.
    pub(crate) fn is_drained(&self) -> bool {
        let Some(log) = self.log.opened() else { return true };
        let state = self.state.lock();
        state.open.is_empty() && state.in_hand.is_empty() && state.read >= log.next()
    }

    pub(crate) fn status(&self, spilling: bool) -> SpillStatus {
        let state = self.state.lock();
        let unread = Some(state.unread_since).filter(|_| state.unread != [0; 3]);
        let in_hand = state.in_hand.values().filter(|in_hand| !in_hand.settled).map(|in_hand| in_hand.since);
        let oldest = state.open.values().copied().chain(in_hand).chain(unread).min();
        drop(state);
        SpillStatus {
            spilling,
            bytes: self.log.opened().map_or(0, |log| log.bytes()),
            bytes_max: self.log.limit(),
            oldest_seconds: oldest.map_or(0.0, |since| self.clock.now().since(since).as_secs_f64()),
        }
    }
}

/// Whether nothing that was ever written there is read again, whatever crashes.
pub(crate) async fn is_over(spill: Option<&Spill>) -> bool {
    let Some((spill, log)) = spill.and_then(|spill| Some((spill, spill.log.opened()?))) else { return true };
    spill.is_drained() && log.flush().await.is_ok()
}

/// Who delivers what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Whoever reads it.
    Reader,
    /// Whoever writes it: it has tried already, and goes on trying.
    InHand,
}
