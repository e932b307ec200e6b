//! Who brings what a sink does not take in time to disk and back: one task for each sink that may spill. What was in flight when spilling began its
//! deliverers write; what waited and what comes is written here, in order, and read back in order, until the log has nothing left.

use crate::{
    Reason,
    dead_letters::DeadLetters,
    ledger::{Fate, PerSignal, Posting},
    letter::{self, About, Content},
    owed::{Keeper, Owed, halves},
    queue::{Phase, Queue},
    reading::read_some,
    spill::{Hold, Spill},
};
use journal::{Blocking, Entry, Reader, Refused, blocked};
use signal::{Time, codec::flow};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Written in one go, and at the most in one record, where a flow is not larger by itself.
const WRITE_BYTES: usize = 4 << 20;
const RECORD_BYTES: usize = 1 << 20;
/// How long something on its way to disk waits for others to be written with.
const LINGER: Duration = Duration::from_millis(20);
/// When a disk that did not take something is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const FULL_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Writes and reads the log of one sink.
pub(crate) struct Spiller {
    queue: Arc<Queue>,
    spill: Arc<Spill>,
    letters: Arc<DeadLetters>,
    blocking: Blocking,
    reader: Option<Reader>,
    /// The disk is not written before.
    write_at: Instant,
    /// The disk is not read before.
    read_at: Instant,
    /// Something was written since spilling began, or could not be.
    begun: bool,
}

impl Spiller {
    pub(crate) fn new(queue: Arc<Queue>, spill: Arc<Spill>, letters: Arc<DeadLetters>, blocking: Blocking) -> Spiller {
        let now = Instant::now();
        Spiller { queue, spill, letters, blocking, reader: None, write_at: now, read_at: now, begun: false }
    }

    /// Runs until the queue is closed and nothing in it needs a disk any more.
    pub(crate) async fn run(mut self) {
        let phase = self.queue.phase();
        if phase.borrow().spilling {
            self.count().await;
        }
        loop {
            let now = *phase.borrow();
            if now.closed && (now.left || !now.spilling) && self.queue.is_kept() {
                return;
            }
            let moved = match now.spilling {
                false => self.watch(),
                true => {
                    let (wrote, read) = (self.write(now.closed).await, !now.left && self.read().await);
                    wrote || read || self.end().await
                }
            };
            if !moved {
                self.rest(now).await;
            }
        }
    }

    /// Begins to spill when something has waited too long.
    fn watch(&mut self) -> bool {
        self.begun = false;
        let late = self.due().is_some_and(|due| due <= Instant::now());
        if late {
            tracing::info!(node = self.queue.account.name, "the sink is slow: what comes for it goes to disk");
            self.queue.begin_spilling();
        }
        late
    }

    fn due(&self) -> Option<Instant> {
        self.queue.oldest().map(|since| (since + self.queue.delivering.spill_after).max(self.write_at))
    }

    /// Goes back to memory once the log is drained.
    async fn end(&self) -> bool {
        let drained = self.spill.is_drained() && self.queue.oldest().is_none() && (self.begun || self.queue.unwritten().0 == 0);
        if !drained {
            return false;
        }
        self.queue.end_spilling();
        // Nothing would save the cursor soon.
        if let Some(log) = self.spill.log.opened()
            && let Err(error) = log.flush().await
        {
            tracing::warn!(%error, "cannot save how far a spill log was read");
        }
        true
    }

    /// Waits until there may be something to do.
    async fn rest(&self, Phase { spilling, left, .. }: Phase) {
        let stirred = self.queue.stirred.notified();
        let until = if !spilling {
            self.due()
        } else {
            let unwritten = self.queue.unwritten().1.map(|since| (since + LINGER).max(self.write_at));
            let unread = (!left && self.spill.is_unread() && self.read_at > Instant::now()).then_some(self.read_at);
            unwritten.filter(|at| *at > Instant::now()).into_iter().chain(unread).min()
        };
        let mut synced = self.spill.log.opened().map(|log| log.changed());
        let more = async {
            match &mut synced {
                // What another wrote can be read now.
                Some(synced) => drop(synced.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stirred => {}
            () = self.spill.news.notified() => {}
            () = more, if spilling => {}
            () = async { sleep_until(until.unwrap_or_else(Instant::now)).await }, if until.is_some() => {}
        }
    }

    /// Writes what waits for the disk. Whether something is better for it.
    async fn write(&mut self, closed: bool) -> bool {
        let (bytes, since) = self.queue.unwritten();
        let Some(since) = since else { return false };
        let lingers = bytes < RECORD_BYTES && since.elapsed() < LINGER && !closed;
        if lingers || Instant::now() < self.write_at {
            return false;
        }
        let taken = self.queue.to_write(WRITE_BYTES);
        if taken.is_empty() {
            return false;
        }
        self.begun = true;
        let (mut written, mut refused, mut unwritten) = (Vec::new(), None, Vec::new());
        let mut rest = VecDeque::from(together(taken));
        while let Some(owed) = rest.pop_front() {
            match self.spill.append(&owed, Hold::Reader).await {
                Ok(sequence) => written.push((sequence, owed)),
                // At once: put back, they would come together again.
                Err(Refused::TooLarge { .. }) => self.smaller(owed).into_iter().rev().for_each(|piece| rest.push_front(piece)),
                Err(error) => {
                    refused = Some(error);
                    unwritten.push(owed);
                    unwritten.extend(rest.drain(..));
                }
            }
        }
        let mut failed = Vec::new();
        for (sequence, owed) in written {
            match self.spill.committed(sequence, &owed).await {
                Ok(()) => {
                    self.queue.written(owed.bytes);
                    owed.settle(signal::Outcome::Delivered);
                }
                Err(error) => {
                    refused = Some(error.into());
                    failed.push(owed);
                }
            }
        }
        failed.extend(unwritten);
        self.queue.put_back(failed);
        if let Some(error) = &refused {
            self.refused(error);
        }
        refused.is_none()
    }

    fn refused(&mut self, error: &Refused) {
        tracing::warn!(node = self.queue.account.name, %error, "what waits for a sink cannot go to disk now");
        let after = if matches!(error, Refused::Full { .. }) { FULL_AGAIN_AFTER } else { AGAIN_AFTER };
        self.write_at = Instant::now() + after;
    }

    /// No log of this size takes it: in two pieces, or not over the disk at all.
    fn smaller(&self, owed: Owed) -> Vec<Owed> {
        let charged = owed.bytes;
        match halves(vec![owed]) {
            Ok((first, second)) => {
                let pieces: Vec<Owed> = first.into_iter().chain(second).collect();
                self.queue.recharge(charged, pieces.iter().map(|piece| piece.bytes).sum());
                pieces
            }
            Err(whole) => {
                whole.into_iter().for_each(|owed| self.queue.feed(owed, true));
                Vec::new()
            }
        }
    }

    /// Reads back while there is room ahead of the sink. Whether something was read.
    async fn read(&mut self) -> bool {
        let ahead = self.queue.bytes_max / 8;
        if self.queue.ready_bytes() >= ahead || !self.spill.is_unread() || Instant::now() < self.read_at {
            return false;
        }
        let Some(log) = self.spill.log.opened() else { return false };
        let end = log.synced();
        let reader = self.reader.take().unwrap_or_else(|| log.reader(self.spill.read()));
        let read = read_some(&self.blocking, reader, ahead.min(RECORD_BYTES)).await;
        let Some((mut reader, entries, error)) = read else { return false };
        for damaged in reader.take_damaged() {
            tracing::error!(%damaged, "a spill log is damaged here");
        }
        let found = !entries.is_empty();
        for entry in entries {
            self.ready(entry).await;
        }
        match error {
            Some(error) => {
                tracing::error!(%error, "cannot read a spill log back");
                self.read_at = Instant::now() + AGAIN_AFTER;
            }
            None => {
                self.reader = Some(reader);
                if !found {
                    self.lost(self.spill.read_to(end));
                }
            }
        }
        true
    }

    /// A record of the log is ready to be delivered.
    async fn ready(&self, entry: Entry) {
        let (since, records) = (Time(entry.header.arrived), records(&entry));
        let Some(promise) = self.spill.pass(entry.sequence, since, records) else { return };
        match flow::decode(entry.payload.clone()) {
            Ok(flow) => {
                let mut owed = Owed::new(flow, Instant::now(), Keeper::Spill);
                owed.kept_by(&promise);
                self.queue.feed(owed, false);
            }
            Err(unreadable) => {
                let name = &self.queue.account.name;
                tracing::error!(node = name, why = unreadable.0, "what was on disk cannot be read");
                let about = About::new(name, Reason::MALFORMED, &unreadable.0, since);
                // Not kept, it stays where it is.
                if self.letters.bury(&about, &Content::unreadable(entry.payload, records), self.queue.closed()).await {
                    self.finish(records, Fate::Rejected, Reason::MALFORMED);
                } else {
                    promise.record(signal::Outcome::Lost);
                }
            }
        }
    }

    /// What damage took.
    fn lost(&self, records: PerSignal<u64>) {
        self.finish(records, Fate::Lost, Reason::DAMAGED);
    }

    fn finish(&self, records: PerSignal<u64>, fate: Fate, why: Reason) {
        let mut posting = Posting::default();
        posting.hold(records, [0; 3]);
        posting.end_all(fate, why, records);
        self.queue.account.post(&posting);
    }

    /// Takes what an earlier process left into the ledger.
    async fn count(&mut self) {
        let Some(log) = self.spill.log.opened() else { return };
        let (mut reader, end) = (log.reader(self.spill.read()).peeking(flow::HEAD_BYTES), log.next());
        let counted = blocked(&self.blocking, move || {
            let (mut sum, mut first) = ([0; 3], None);
            // An error is met again when the records are read.
            while let Ok(Some(entry)) = reader.next() {
                if entry.sequence >= end {
                    break;
                }
                first.get_or_insert(Time(entry.header.arrived));
                let records = records(&entry);
                (0..3).for_each(|at| sum[at] += records[at]);
            }
            (sum, first)
        });
        let Some((records, first)) = counted.await else { return };
        self.spill.found(records, first.unwrap_or_default());
        let mut posting = Posting::taking(records);
        posting.hold([0; 3], records);
        self.queue.account.post(&posting);
    }
}

/// By its head; where that cannot be read, as its record in the log says.
fn records(entry: &Entry) -> PerSignal<u64> {
    flow::counts(&entry.payload).unwrap_or_else(|| letter::said(entry.header))
}

/// Neighbours of one kind in one record; kinds have no order among each other.
fn together(taken: Vec<Owed>) -> Vec<Owed> {
    let mut all: Vec<Owed> = Vec::new();
    for owed in taken {
        let last = all.iter().rposition(|last| last.kind() == owed.kind()).and_then(|at| all.get_mut(at));
        let left = match last {
            Some(last) if last.bytes + owed.bytes <= RECORD_BYTES => last.absorb(owed),
            _ => Some(owed),
        };
        all.extend(left);
    }
    all
}
