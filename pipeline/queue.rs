//! What waits for a sink: bounded in bytes, what is being delivered included. Taken out in batches of one kind.

use crate::{
    Reason,
    ledger::{Account, Fate, Posting, count},
    limits::Share,
};
use config::graph::OnFull;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use signal::{Flow, Kinds, Outcome, Signal};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// How long a flow waits for others to be delivered with.
const LINGER: Duration = Duration::from_millis(10);
const RECORDS_MAX: usize = 16_384;
/// Bytes charged for a flow besides its records.
const FLOW_BYTES: usize = 128;
/// And for each closed trace: its facts, its decision, its two batches.
const TRACE_BYTES: usize = 1 << 10;

/// A flow that a sink owes an answer for. Dropped before there is one, its promise is recorded as lost.
#[derive(Debug)]
pub(crate) struct Owed {
    flow: Option<Flow>,
    since: Instant,
}

impl Owed {
    pub(crate) fn new(flow: Flow, since: Instant) -> Owed {
        Owed { flow: Some(flow), since }
    }

    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.flow.as_ref()
    }

    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// There is an answer: what the flow carries is let go with it.
    pub(crate) fn settle(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    /// Without an answer yet, but in other pieces.
    pub(crate) fn into_flow(mut self) -> Option<Flow> {
        self.flow.take()
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(flow) = self.flow.take() {
            flow.batches().for_each(|batch| batch.ack().record(outcome));
        }
    }

    fn bytes(&self) -> usize {
        let traces = match &self.flow {
            Some(Flow::Traces(traces)) => traces.len(),
            Some(Flow::Batch(_)) | None => 0,
        };
        self.flow.as_ref().map_or(0, Flow::bytes) + FLOW_BYTES + traces * TRACE_BYTES
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.end(Outcome::Lost);
    }
}

/// The queue of one sink; all lanes share it.
pub(crate) struct Queue {
    pub(crate) account: Arc<Account>,
    pub(crate) on_full: OnFull,
    /// Whether closed traces go whole to this sink.
    whole_traces: bool,
    pub(crate) bytes_max: usize,
    /// What one parcel may have; goes down when the sink says that it was too large.
    pub(crate) parcel_bytes_max: AtomicUsize,
    share: Arc<Share>,
    state: Mutex<State>,
    room: Notify,
    work: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Spans, logs, metrics, closed traces.
    kinds: [Waiting; 4],
    /// Waiting and in flight.
    bytes: usize,
    closed: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    flows: VecDeque<Owed>,
    bytes: usize,
    records: usize,
}

/// What was taken out of a queue. Its room is free again when this is dropped.
pub(crate) struct Load {
    pub(crate) members: Vec<Owed>,
    bytes: usize,
    queue: Arc<Queue>,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.queue.free(self.bytes);
    }
}

/// How full a queue is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fill {
    /// Bytes that wait or are being delivered.
    pub bytes: usize,
    /// Bytes at which it is full.
    pub bytes_max: usize,
    /// How long the oldest flow has waited.
    pub oldest_seconds: f64,
}

impl Queue {
    pub(crate) fn new(
        account: Arc<Account>,
        acts_on: Kinds,
        on_full: OnFull,
        bytes_max: usize,
        parcel_bytes_max: usize,
        share: Arc<Share>,
    ) -> Arc<Queue> {
        Arc::new(Queue {
            account,
            on_full,
            whole_traces: acts_on.has(Kinds::TRACES),
            bytes_max,
            parcel_bytes_max: AtomicUsize::new(parcel_bytes_max),
            share,
            state: Mutex::default(),
            room: Notify::new(),
            work: Notify::new(),
        })
    }

    /// Counts a flow as in and held, takes closed traces apart where the sink wants records, and drops the promise where the edge may drop the flow.
    pub(crate) fn admit(&self, flow: Flow) -> Vec<Owed> {
        let mut flows = if self.whole_traces || flow.kinds() != Kinds::TRACES { vec![flow] } else { apart(flow) };
        let mut posting = Posting::default();
        for flow in &mut flows {
            let records = count(flow);
            (0..3).for_each(|at| posting.taken[at] += records[at]);
            posting.hold([0; 3], records);
            if self.on_full == OnFull::Drop {
                flow.batches_mut().for_each(|batch| drop(batch.take_ack()));
            }
        }
        self.account.post(&posting);
        let now = Instant::now();
        flows.into_iter().filter(|flow| !flow.is_empty()).map(|flow| Owed::new(flow, now)).collect()
    }

    /// Puts a flow in, or gives it back if there is no room. An edge that may drop has always room: what does not fit is lost and counted.
    pub(crate) fn put(&self, owed: Owed) -> Option<Owed> {
        let bytes = owed.bytes();
        let mut state = self.state.lock();
        if state.bytes > 0 && state.bytes.saturating_add(bytes) > self.bytes_max {
            if self.on_full != OnFull::Drop {
                return Some(owed);
            }
            drop(state);
            self.end(&owed, Fate::Lost, Reason::QUEUE_FULL);
            return None;
        }
        state.bytes += bytes;
        self.share.force(bytes);
        let waiting = &mut state.kinds[kind(&owed)];
        waiting.bytes += bytes;
        waiting.records += owed.flow().map_or(0, Flow::len);
        waiting.flows.push_back(owed);
        drop(state);
        self.work.notify_one();
        None
    }

    /// Waits for room.
    pub(crate) async fn put_when_room(&self, mut owed: Owed) {
        loop {
            let room = self.room.notified();
            match self.put(owed) {
                None => return,
                Some(back) => owed = back,
            }
            room.await;
        }
    }

    /// The next parcel's worth of one kind: once there is enough of it, or its oldest has waited for a moment. None when the queue is closed and empty.
    pub(crate) async fn take(self: &Arc<Queue>) -> Option<Load> {
        loop {
            let work = self.work.notified();
            let until = match self.ready() {
                Ready::Now(load) => return Some(load),
                Ready::At(time) => time,
                Ready::Never => return None,
                Ready::Unknown => {
                    work.await;
                    continue;
                }
            };
            // Elapsed or not, it is looked at again.
            let _elapsed = timeout_at(until, work).await;
        }
    }

    fn ready(self: &Arc<Queue>) -> Ready {
        let mut state = self.state.lock();
        let parcel_bytes_max = self.parcel_bytes_max.load(Ordering::Relaxed);
        let heads = state.kinds.iter().enumerate().filter_map(|(at, waiting)| Some((waiting.flows.front()?.since, at)));
        let Some((since, at)) = heads.min() else {
            return if state.closed { Ready::Never } else { Ready::Unknown };
        };
        let waiting = &state.kinds[at];
        let enough = state.closed || waiting.bytes >= parcel_bytes_max || waiting.records >= RECORDS_MAX;
        if !enough && since.elapsed() < LINGER {
            return Ready::At(since + LINGER);
        }
        let waiting = &mut state.kinds[at];
        let (mut members, mut bytes, mut records) = (Vec::new(), 0, 0);
        while let Some(owed) = waiting.flows.front() {
            let (more_bytes, more_records) = (owed.bytes(), owed.flow().map_or(0, Flow::len));
            if !members.is_empty() && (bytes + more_bytes > parcel_bytes_max || records + more_records > RECORDS_MAX) {
                break;
            }
            bytes += more_bytes;
            records += more_records;
            members.extend(waiting.flows.pop_front());
        }
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        waiting.records = waiting.records.saturating_sub(records);
        if state.kinds.iter().any(|waiting| !waiting.flows.is_empty()) || state.closed {
            self.work.notify_one();
        }
        Ready::Now(Load { members, bytes, queue: Arc::clone(self) })
    }

    /// Nothing more comes: what waits is delivered at once.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_waiters();
        self.work.notify_one();
    }

    /// Moves records from held to an end in the ledger.
    pub(crate) fn end(&self, owed: &Owed, fate: Fate, why: Reason) {
        let Some(flow) = owed.flow() else { return };
        let records = count(flow);
        let mut posting = Posting::default();
        posting.hold(records, [0; 3]);
        posting.end_all(fate, why, records);
        self.account.post(&posting);
    }

    pub(crate) fn fill(&self) -> Fill {
        let state = self.state.lock();
        let oldest = state.kinds.iter().filter_map(|waiting| waiting.flows.front()).map(Owed::since).min();
        Fill { bytes: state.bytes, bytes_max: self.bytes_max, oldest_seconds: oldest.map_or(0.0, |since| since.elapsed().as_secs_f64()) }
    }

    /// Lets go of everything that waits.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock();
        let kinds = std::mem::take(&mut state.kinds);
        let bytes: usize = kinds.iter().map(|waiting| waiting.bytes).sum();
        state.bytes = state.bytes.saturating_sub(bytes);
        drop(state);
        self.share.give_back(bytes);
    }

    fn free(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
        drop(state);
        self.share.give_back(bytes);
        self.room.notify_waiters();
    }
}

enum Ready {
    Now(Load),
    At(Instant),
    Unknown,
    Never,
}

fn kind(owed: &Owed) -> usize {
    match owed.flow() {
        Some(Flow::Traces(_)) | None => 3,
        Some(Flow::Batch(batch)) => crate::ledger::slot(batch.signal()),
    }
}

/// The spans and the logs of closed traces, each a batch with all their promises.
fn apart(flow: Flow) -> Vec<Flow> {
    let Flow::Traces(traces) = flow else { return vec![flow] };
    let mut spans = signal::Batch::empty(Signal::Traces);
    let mut logs = signal::Batch::empty(Signal::Logs);
    for trace in traces {
        spans.absorb(trace.spans);
        logs.absorb(trace.logs);
    }
    vec![Flow::Batch(spans), Flow::Batch(logs)]
}
