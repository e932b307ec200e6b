//! A flow that a sink owes an answer for, and the parcels made of such flows: merged to be sent, halved to find what is wrong.

use crate::{Parcel, ledger::PerSignal};
use signal::{Ack, Batch, Flow, Outcome};
use tokio::time::Instant;

/// Bytes charged for a flow besides its records.
const FLOW_BYTES: usize = 128;
/// And for each closed trace: its facts, its decision, its two batches.
const TRACE_BYTES: usize = 1 << 10;

/// Who has the records, if this process ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// Whoever sent them: the journal, or a client that has not heard yes.
    Sender,
    /// The sink's own log.
    Spill,
}

/// Dropped before there is an answer, its promise is recorded as lost.
#[derive(Debug)]
pub(crate) struct Owed {
    flow: Option<Flow>,
    pub(crate) since: Instant,
    pub(crate) keeper: Keeper,
    /// What it is charged for in its queue.
    pub(crate) bytes: usize,
}

impl Owed {
    pub(crate) fn new(flow: Flow, since: Instant, keeper: Keeper) -> Owed {
        let traces = match &flow {
            Flow::Traces(traces) => traces.len(),
            Flow::Batch(_) => 0,
        };
        let bytes = flow.bytes() + FLOW_BYTES + traces * TRACE_BYTES;
        Owed { flow: Some(flow), since, keeper, bytes }
    }

    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.flow.as_ref()
    }

    pub(crate) fn records(&self) -> usize {
        self.flow().map_or(0, Flow::len)
    }

    /// Which of a queue's four kinds it is: spans, logs, metrics, closed traces.
    pub(crate) fn kind(&self) -> usize {
        match &self.flow {
            Some(Flow::Traces(_)) | None => 3,
            Some(Flow::Batch(batch)) => batch.signal().number(),
        }
    }

    /// There is an answer: what the flow carries is let go with it.
    pub(crate) fn settle(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    /// Another has the records now: the promise is kept, and the flow goes on with that of its new keeper.
    pub(crate) fn kept_by(&mut self, promise: &Ack) {
        for batch in self.flow.iter_mut().flat_map(Flow::batches_mut) {
            batch.take_ack().record(Outcome::Delivered);
            batch.promise(promise.clone());
        }
        self.keeper = Keeper::Spill;
    }

    /// Only the rest of it is still owed an answer, which settles all.
    pub(crate) fn reduced_to(mut self, rest: &Parcel) -> Owed {
        let mut flow = rest.flow.clone();
        if let Some(first) = flow.batches_mut().next() {
            self.flow.iter_mut().flat_map(Flow::batches_mut).for_each(|batch| first.promise(batch.take_ack()));
        }
        self.flow = Some(flow);
        self
    }

    /// Takes over another of the same kind; gives it back if it is of another.
    pub(crate) fn absorb(&mut self, mut other: Owed) -> Option<Owed> {
        match (&mut self.flow, other.flow.take()) {
            (Some(Flow::Batch(batch)), Some(Flow::Batch(more))) if batch.signal() == more.signal() => batch.absorb(more),
            (Some(Flow::Traces(traces)), Some(Flow::Traces(more))) => traces.extend(more),
            (_, flow) => {
                other.flow = flow;
                return Some(other);
            }
        }
        self.bytes += other.bytes;
        self.since = self.since.min(other.since);
        None
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(flow) = self.flow.take() {
            flow.batches().for_each(|batch| batch.ack().record(outcome));
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.end(Outcome::Lost);
    }
}

/// Records of all members, by signal.
pub(crate) fn counts(members: &[Owed]) -> PerSignal<u64> {
    let each = members.iter().filter_map(Owed::flow).map(Flow::counts);
    each.fold([0; 3], |all, one| std::array::from_fn(|at| all[at] + one[at]))
}

/// One of all members of one kind; none of none.
pub(crate) fn joined(members: Vec<Owed>) -> Option<Owed> {
    let mut members = members.into_iter();
    let mut all = members.next()?;
    for more in members {
        let other = all.absorb(more);
        // A queue gives out one kind at a time.
        debug_assert!(other.is_none(), "two kinds in one parcel");
    }
    Some(all)
}

/// One parcel of all members; their promises stay with them.
pub(crate) fn parcel(members: &[Owed]) -> Option<Parcel> {
    let mut flows = members.iter().filter_map(Owed::flow).cloned().map(|mut flow| {
        flow.batches_mut().for_each(|batch| drop(batch.take_ack()));
        flow
    });
    let mut all = flows.next()?;
    for flow in flows {
        match (&mut all, flow) {
            (Flow::Batch(batch), Flow::Batch(more)) => batch.absorb(more),
            (Flow::Traces(traces), Flow::Traces(more)) => traces.extend(more),
            // A queue gives out one kind at a time.
            (Flow::Batch(_), Flow::Traces(_)) | (Flow::Traces(_), Flow::Batch(_)) => debug_assert!(false, "two kinds in one parcel"),
        }
    }
    Some(Parcel { flow: all })
}

/// Two halves, by member first, then by chunk (that is by origin), by trace and by record; a single record or trace comes back whole.
pub(crate) fn halves(mut members: Vec<Owed>) -> Result<(Vec<Owed>, Vec<Owed>), Vec<Owed>> {
    if members.len() > 1 {
        let second = members.split_off(members.len() / 2);
        return Ok((members, second));
    }
    if !members.iter().filter_map(Owed::flow).any(divisible) {
        return Err(members);
    }
    let Some(mut owed) = members.pop() else { return Err(members) };
    let (since, keeper) = (owed.since, owed.keeper);
    let Some((first, second)) = owed.flow.take().map(split) else { return Err(members) };
    Ok((vec![Owed::new(first, since, keeper)], vec![Owed::new(second, since, keeper)]))
}

fn divisible(flow: &Flow) -> bool {
    match flow {
        Flow::Batch(batch) => batch.len() > 1,
        Flow::Traces(traces) => traces.len() > 1,
    }
}

fn split(flow: Flow) -> (Flow, Flow) {
    match flow {
        Flow::Batch(mut batch) => {
            let second = batch.split_off(middle(&batch));
            (Flow::Batch(batch), Flow::Batch(second))
        }
        Flow::Traces(mut traces) => {
            let second = traces.split_off(traces.len() / 2);
            (Flow::Traces(traces), Flow::Traces(second))
        }
    }
}

/// The record at which to cut: where the middle chunk begins, or the middle record of a single chunk.
fn middle(batch: &Batch) -> usize {
    let chunks = batch.chunks();
    let before: usize = chunks.iter().take(chunks.len() / 2).map(signal::Chunk::len).sum();
    if before == 0 || before >= batch.len() { batch.len() / 2 } else { before }
}
