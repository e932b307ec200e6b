//! How far a partition is settled: a watermark, and what is settled above it, so that whoever has the partition next reads only what is not.

use journal::Watermark;
use parking_lot::Mutex;
use signal::{Ack, Batch, Flow, Origin};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use tokio::sync::watch;

/// How far a partition is settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Everything below is.
    pub watermark: u64,
    /// Everything below is, but for what is in `open`.
    pub through: u64,
    /// What is not, ascending.
    pub open: BTreeSet<u64>,
}

impl Settled {
    /// Everything below this position, and nothing else.
    #[must_use]
    pub fn below(position: u64) -> Settled {
        Settled { watermark: position, through: position, open: BTreeSet::new() }
    }

    /// Whether what is at this position has not to be read any more.
    #[must_use]
    pub fn has(&self, position: u64) -> bool {
        position < self.through && !self.open.contains(&position)
    }
}

/// What one owner of a partition has settled.
pub(crate) struct Marks {
    state: Mutex<State>,
    /// Flows that are on their way to sinks.
    on_their_way: watch::Sender<usize>,
}

struct State {
    /// As the owner before left it.
    before: Settled,
    watermark: Watermark,
    /// Others have the partition: nothing settles any more.
    closed: bool,
    /// What senders say of their journals, by the message that says it: nothing at or below comes again.
    told: BTreeMap<u32, VecDeque<(u64, u64)>>,
}

impl Marks {
    pub(crate) fn new(before: Settled) -> Marks {
        let watermark = Watermark::new(before.watermark);
        Marks { state: Mutex::new(State { before, watermark, closed: false, told: BTreeMap::new() }), on_their_way: watch::Sender::new(0) }
    }

    /// Whether the owner before settled it.
    pub(crate) fn is_done(&self, position: u64) -> bool {
        self.state.lock().before.has(position)
    }

    pub(crate) fn begin(&self, position: u64) {
        self.state.lock().watermark.begin(position);
    }

    pub(crate) fn settle(&self, position: u64) {
        let mut state = self.state.lock();
        if !state.closed {
            state.watermark.settle(position);
        }
    }

    pub(crate) fn is_open(&self, position: u64) -> bool {
        self.state.lock().watermark.is_open(position)
    }

    pub(crate) fn open(&self) -> usize {
        self.state.lock().watermark.open()
    }

    pub(crate) fn begun(&self) -> u64 {
        self.state.lock().watermark.begun()
    }

    pub(crate) fn settled(&self) -> Settled {
        let state = self.state.lock();
        let begun = state.watermark.begun();
        let mut open: BTreeSet<u64> = state.watermark.unsettled().collect();
        open.extend(state.before.open.range(begun..));
        let through = begun.max(state.before.through);
        Settled { watermark: open.first().copied().unwrap_or(through), through, open }
    }

    /// Nothing settles from now on.
    pub(crate) fn close(&self) -> Settled {
        self.state.lock().closed = true;
        self.settled()
    }

    /// A message says that nothing at or below this comes again from a sender's journal.
    pub(crate) fn tell(&self, message: u64, last: Origin) {
        let mut state = self.state.lock();
        let told = state.told.entry(last.log).or_default();
        if told.back().is_none_or(|(_, before)| *before < last.position) {
            told.push_back((message, last.position));
        }
    }

    /// What was told by messages below a watermark.
    pub(crate) fn told(&self, watermark: u64) -> Vec<Origin> {
        let mut all = Vec::new();
        for (log, told) in &mut self.state.lock().told {
            let below = told.partition_point(|(message, _)| *message < watermark);
            all.extend(told.drain(..below).next_back().map(|(_, position)| Origin { log: *log, position }));
        }
        all
    }

    /// A flow goes to a sink. Its promises are kept until it is there, and only then is it no more on its way.
    pub(crate) fn send(self: &Arc<Marks>, flow: &mut Flow) {
        let promises = Ack::of_all(flow.batches().map(Batch::ack));
        self.on_their_way.send_modify(|flows| *flows += 1);
        let marks = Arc::clone(self);
        let arrives = Ack::new(move |outcome| {
            promises.record(outcome);
            drop(promises);
            marks.on_their_way.send_modify(|flows| *flows -= 1);
        });
        for batch in flow.batches_mut() {
            drop(batch.take_ack());
            batch.promise(arrives.clone());
        }
    }

    /// Returns once nothing is on its way.
    pub(crate) async fn arrived(&self) {
        let mut flows = self.on_their_way.subscribe();
        // An error cannot be: we have the other end.
        let _none = flows.wait_for(|flows| *flows == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(watermark: u64, through: u64, open: &[u64]) -> Settled {
        Settled { watermark, through, open: open.iter().copied().collect() }
    }

    #[test]
    fn what_is_settled_above_the_watermark_is_told_to_the_next_owner_and_the_one_after() {
        let first = Marks::new(Settled::below(5));
        (5..8).for_each(|position| first.begin(position));
        first.settle(6);
        first.settle(7);
        assert_eq!(first.settled(), settled(5, 8, &[5]));
        let second = Marks::new(first.settled());
        assert!(!second.is_done(5) && second.is_done(6) && second.is_done(7) && !second.is_done(8));
        assert_eq!(second.settled(), first.settled(), "who has read nothing knows what was known");
        second.begin(5);
        second.settle(5);
        assert_eq!(second.settled(), Settled::below(8));
        second.begin(8);
        assert_eq!(second.close(), settled(8, 9, &[8]));
        second.settle(8);
        assert_eq!(second.settled(), settled(8, 9, &[8]), "it is others'");
    }

    #[tokio::test]
    async fn a_flow_has_arrived_once_its_promises_are_kept() {
        let marks = Arc::new(Marks::new(Settled::below(0)));
        let settles = Arc::clone(&marks);
        marks.begin(0);
        let promise = Ack::new(move |_| settles.settle(0));
        let mut flow = Flow::Batch(Batch::empty(signal::Signal::Logs));
        flow.batches_mut().for_each(|batch| batch.promise(promise.clone()));
        drop(promise);
        marks.send(&mut flow);
        assert_eq!(*marks.on_their_way.borrow(), 1);
        drop(flow);
        marks.arrived().await;
        assert_eq!(marks.settled(), Settled::below(1));
    }
}
