//! What waits for a sink: bounded in bytes, what is being delivered included. Taken out in batches of one kind. Once something waits too long it is on its
//! way to disk, and so is everything that comes behind it, until the disk has nothing left (`keeper.rs`).

mod disk;
mod waiting;

use crate::{
    Reason,
    ledger::{Account, Fate, PerSignal, Posting},
    limits::Share,
    owed::{Keeper, Owed},
    settings::Delivering,
};
use config::graph::OnFull;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use signal::{Ack, Flow, Kinds, Signal};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};
use waiting::Waiting;

/// The smallest limit that a sink's `TooLarge` can bring about.
const PARCEL_BYTES_MIN: usize = 4 << 10;

/// The queue of one sink; all lanes share it.
pub(crate) struct Queue {
    pub(crate) account: Arc<Account>,
    pub(crate) on_full: OnFull,
    /// Whether closed traces go whole to this sink.
    whole_traces: AtomicBool,
    pub(crate) bytes_max: usize,
    pub(crate) delivering: Delivering,
    /// What one parcel may have; goes down when the sink says that it was too large.
    parcel_bytes_max: AtomicUsize,
    share: Arc<Share>,
    wide: AtomicBool,
    state: Mutex<State>,
    room: Notify,
    work: Notify,
    /// Something changed that matters to whoever writes to disk.
    pub(crate) stirred: Notify,
    /// Changed only under the lock of the state.
    phase: watch::Sender<Phase>,
}

/// Where a queue is in its life.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Phase {
    /// What comes goes to disk.
    pub(crate) spilling: bool,
    /// Nothing more comes.
    pub(crate) closed: bool,
    /// And what is on disk stays there.
    pub(crate) left: bool,
}

/// How much a queue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// As much as it may.
    Bounded,
    /// Whatever comes.
    Unbounded,
}

#[derive(Debug, Default)]
struct State {
    /// Ready to be delivered: spans, logs, metrics, closed traces.
    kinds: [Waiting; 4],
    /// On its way to disk.
    to_disk: Waiting,
    /// Ready, on its way to disk, and in flight.
    bytes: usize,
    flying: BTreeMap<u64, Flying>,
    loads: u64,
}

#[derive(Clone, Copy, Debug)]
struct Flying {
    since: Instant,
    keeper: Keeper,
}

/// What was taken out of a queue. Its room is free again when this is dropped.
pub(crate) struct Load {
    pub(crate) members: Vec<Owed>,
    id: u64,
    bytes: usize,
    queue: Arc<Queue>,
}

impl Load {
    /// Whatever of it has to be on disk is: nobody waits for it any more.
    pub(crate) fn kept(&self) {
        if let Some(flying) = self.queue.state.lock().flying.get_mut(&self.id) {
            flying.keeper = Keeper::Spill;
        }
        self.queue.stirred.notify_one();
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.queue.state.lock().flying.remove(&self.id);
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
        (acts_on, on_full): (Kinds, OnFull),
        bytes_max: usize,
        delivering: Delivering,
        share: Arc<Share>,
    ) -> Arc<Queue> {
        // What is in flight has half of the queue at the most, so that others can be filled meanwhile.
        let parcel_bytes_max = delivering.batch_bytes.min(bytes_max / 2 / delivering.concurrency.max(1));
        Arc::new(Queue {
            account,
            on_full,
            whole_traces: AtomicBool::new(acts_on.has(Kinds::TRACES)),
            bytes_max,
            delivering,
            parcel_bytes_max: AtomicUsize::new(parcel_bytes_max),
            share,
            wide: AtomicBool::new(false),
            state: Mutex::default(),
            room: Notify::new(),
            work: Notify::new(),
            stirred: Notify::new(),
            phase: watch::Sender::default(),
        })
    }

    /// Counts a flow as in and held, takes closed traces apart where the sink wants records, and drops the promise where the edge may drop the flow.
    pub(crate) fn admit(&self, flow: Flow) -> Vec<Owed> {
        let mut flows = self.pieces(flow);
        let records = sum(&flows);
        let mut posting = Posting::taking(records);
        posting.hold([0; 3], records);
        self.account.post(&posting);
        if self.on_full == OnFull::Drop {
            flows.iter_mut().flat_map(Flow::batches_mut).for_each(|batch| drop(batch.take_ack()));
        }
        owed(flows)
    }

    /// The same for what was rejected here before: it comes up anew, with another promise.
    pub(crate) fn again(&self, flow: Flow, promise: &Ack) -> Vec<Owed> {
        let mut flows = self.pieces(flow);
        let records = sum(&flows);
        let mut posting = Posting { made: records, ..Posting::default() };
        posting.hold([0; 3], records);
        self.account.post(&posting);
        flows.iter_mut().flat_map(Flow::batches_mut).for_each(|batch| batch.promise(promise.clone()));
        owed(flows)
    }

    fn pieces(&self, flow: Flow) -> Vec<Flow> {
        if self.whole_traces.load(Ordering::Relaxed) || flow.kinds() != Kinds::TRACES { vec![flow] } else { apart(flow) }
    }

    /// What comes from now on is for a sink that acts on these.
    pub(crate) fn is_for(&self, acts_on: Kinds) {
        self.whole_traces.store(acts_on.has(Kinds::TRACES), Ordering::Relaxed);
    }

    /// While it is wide, nobody waits for room: for a moment, in which lanes let go of what they have in hand.
    pub(crate) fn open(&self, width: Width) {
        self.wide.store(width == Width::Unbounded, Ordering::Release);
        self.room.notify_waiters();
    }

    /// Puts a flow in, or gives it back if there is no room. An edge that may drop has always room: what does not fit is lost and counted.
    pub(crate) fn put(&self, owed: Owed) -> Option<Owed> {
        let mut state = self.state.lock();
        let (spilling, wide) = (self.phase.borrow().spilling, self.wide.load(Ordering::Acquire));
        let others = if spilling { !state.to_disk.flows.is_empty() } else { state.bytes > 0 };
        if others && state.bytes.saturating_add(owed.bytes) > self.bytes_max {
            match self.on_full {
                OnFull::Spill if !spilling => {
                    self.spill(&mut state);
                    drop(state);
                    // Behind what was there.
                    return self.put(owed);
                }
                OnFull::Spill | OnFull::Block if wide => {}
                OnFull::Spill | OnFull::Block => return Some(owed),
                OnFull::Drop => {
                    drop(state);
                    self.end(&owed, Fate::Lost, Reason::QUEUE_FULL);
                    return None;
                }
            }
        }
        state.bytes += owed.bytes;
        self.share.force(owed.bytes);
        if spilling {
            state.to_disk.push(owed);
            drop(state);
            self.stirred.notify_one();
        } else {
            let first = self.on_full == OnFull::Spill && state.is_idle();
            let news = self.ready(&mut state, owed);
            drop(state);
            if news {
                self.work.notify_one();
            }
            if first {
                self.stirred.notify_one();
            }
        }
        None
    }

    /// Adds to what is to be delivered. Whether somebody has to look: whoever gathers for a parcel does so when it is his time.
    fn ready(&self, state: &mut State, owed: Owed) -> bool {
        let gathers = !state.flying.is_empty() && state.kinds.iter().any(|waiting| !waiting.flows.is_empty());
        let kind = owed.kind();
        state.ready(owed);
        !gathers || self.is_enough(&state.kinds[kind])
    }

    /// Whether a parcel of it need not be any larger.
    fn is_enough(&self, waiting: &Waiting) -> bool {
        waiting.bytes >= self.parcel_bytes_max.load(Ordering::Relaxed) || waiting.records >= self.delivering.batch_items
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

    /// The next parcel's worth of one kind: at once while nothing is on its way, else once there is enough of it or its oldest has waited for a moment. So the
    /// busier a sink is, the more is gathered for it. None when the queue is closed and empty.
    pub(crate) async fn take(self: &Arc<Queue>) -> Option<Load> {
        loop {
            let work = self.work.notified();
            let until = match self.next() {
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

    fn next(self: &Arc<Queue>) -> Ready {
        let mut state = self.state.lock();
        let Phase { closed, spilling, left } = *self.phase.borrow();
        if left {
            return Ready::Never;
        }
        let Delivering { linger, batch_items, .. } = self.delivering;
        let heads = state.kinds.iter().enumerate().filter_map(|(at, waiting)| Some((waiting.flows.front()?.since, at)));
        let Some((since, at)) = heads.min() else {
            return if closed && !spilling { Ready::Never } else { Ready::Unknown };
        };
        let at_once = closed || state.flying.is_empty() || self.is_enough(&state.kinds[at]);
        if !at_once && since.elapsed() < linger {
            return Ready::At(since + linger);
        }
        let members = state.kinds[at].take(self.parcel_bytes_max.load(Ordering::Relaxed), batch_items);
        let bytes = members.iter().map(|owed| owed.bytes).sum();
        let keeper = if members.iter().all(|owed| owed.keeper == Keeper::Spill) { Keeper::Spill } else { Keeper::Sender };
        let id = state.loads;
        state.loads += 1;
        state.flying.insert(id, Flying { since, keeper });
        if closed || state.kinds.iter().any(|waiting| !waiting.flows.is_empty()) {
            self.work.notify_one();
        }
        self.stirred.notify_one();
        Ready::Now(Load { members, id, bytes, queue: Arc::clone(self) })
    }

    /// Nothing more comes: what waits is delivered at once.
    pub(crate) fn close(&self) {
        self.change(|phase| phase.closed = true);
    }

    /// The sink does not take it while the pipeline closes: what is on disk goes out after the next start.
    pub(crate) fn leave(&self) {
        self.change(|phase| phase.left = true);
    }

    fn change(&self, change: impl FnOnce(&mut Phase)) {
        let state = self.state.lock();
        self.phase.send_modify(change);
        drop(state);
        self.work.notify_waiters();
        self.work.notify_one();
        self.stirred.notify_one();
    }

    /// Follows where the queue is in its life.
    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Returns once nothing more comes.
    pub(crate) async fn closed(&self) {
        // Cannot fail: the queue is here.
        drop(self.phase.subscribe().wait_for(|phase| phase.closed).await);
    }

    /// Moves records from held to an end in the ledger.
    pub(crate) fn end(&self, owed: &Owed, fate: Fate, why: Reason) {
        let Some(flow) = owed.flow() else { return };
        let records = flow.counts();
        let mut posting = Posting::default();
        posting.hold(records, [0; 3]);
        posting.end_all(fate, why, records);
        self.account.post(&posting);
    }

    /// Remembers what the sink can take: `max`, or half of what was `sent`.
    pub(crate) fn lower(&self, sent: usize, max: Option<usize>) {
        let takes = max.filter(|max| *max < sent).unwrap_or(sent / 2).max(PARCEL_BYTES_MIN);
        let before = self.parcel_bytes_max.fetch_min(takes, Ordering::Relaxed);
        if takes < before {
            tracing::info!(node = self.account.name, bytes = takes, "parcels were too large and are smaller from now on");
        }
    }

    pub(crate) fn fill(&self) -> Fill {
        let state = self.state.lock();
        let oldest =
            state.heads().chain(state.to_disk.flows.front().map(|owed| owed.since)).chain(state.flying.values().map(|f| f.since)).min();
        Fill { bytes: state.bytes, bytes_max: self.bytes_max, oldest_seconds: oldest.map_or(0.0, |since| since.elapsed().as_secs_f64()) }
    }

    /// Lets go of everything that waits.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock();
        let (kinds, to_disk) = (std::mem::take(&mut state.kinds), std::mem::take(&mut state.to_disk));
        drop(state);
        self.free(kinds.iter().chain([&to_disk]).map(|waiting| waiting.bytes).sum());
    }

    fn free(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
        drop(state);
        self.share.give_back(bytes);
        self.room.notify_waiters();
        self.stirred.notify_one();
    }
}

impl State {
    fn heads(&self) -> impl Iterator<Item = Instant> {
        self.kinds.iter().filter_map(|waiting| waiting.flows.front()).map(|owed| owed.since)
    }

    fn is_idle(&self) -> bool {
        self.flying.is_empty() && self.kinds.iter().all(|waiting| waiting.flows.is_empty())
    }

    fn ready(&mut self, owed: Owed) {
        self.kinds[owed.kind()].push(owed);
    }
}

enum Ready {
    Now(Load),
    At(Instant),
    Unknown,
    Never,
}

fn sum(flows: &[Flow]) -> PerSignal<u64> {
    let mut all = [0; 3];
    flows.iter().map(Flow::counts).for_each(|records| (0..3).for_each(|at| all[at] += records[at]));
    all
}

fn owed(flows: Vec<Flow>) -> Vec<Owed> {
    let now = Instant::now();
    flows.into_iter().filter(|flow| !flow.is_empty()).map(|flow| Owed::new(flow, now, Keeper::Sender)).collect()
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
