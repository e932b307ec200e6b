//! How far a partition is settled: a watermark, and what is settled above it, so that whoever has the partition next reads only what is not.

use journal::Watermark;
use parking_lot::Mutex;
use signal::{Outcome, Watch};
use std::collections::{BTreeMap, BTreeSet};

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
pub(crate) struct Marks(Mutex<State>);

struct State {
    /// As the owner before left it.
    before: Settled,
    watermark: Watermark,
    /// Of what is not settled.
    promises: BTreeMap<u64, Watch>,
    /// Others have the partition: nothing settles any more.
    closed: bool,
}

impl Marks {
    pub(crate) fn new(before: Settled) -> Marks {
        let watermark = Watermark::new(before.watermark);
        Marks(Mutex::new(State { before, watermark, promises: BTreeMap::new(), closed: false }))
    }

    /// Whether the owner before settled it.
    pub(crate) fn is_done(&self, position: u64) -> bool {
        self.0.lock().before.has(position)
    }

    pub(crate) fn begin(&self, position: u64) {
        self.0.lock().watermark.begin(position);
    }

    /// The promise for what was begun.
    pub(crate) fn watch(&self, position: u64, promise: Watch) {
        self.0.lock().promises.insert(position, promise);
    }

    pub(crate) fn settle(&self, position: u64) {
        let mut state = self.0.lock();
        if !state.closed {
            state.promises.remove(&position);
            state.watermark.settle(position);
        }
    }

    /// Nothing settles from now on.
    pub(crate) fn close(&self) -> Settled {
        self.0.lock().closed = true;
        self.settled()
    }

    pub(crate) fn is_open(&self, position: u64) -> bool {
        self.0.lock().watermark.is_open(position)
    }

    pub(crate) fn open(&self) -> usize {
        self.0.lock().watermark.open()
    }

    pub(crate) fn begun(&self) -> u64 {
        self.0.lock().watermark.begun()
    }

    pub(crate) fn settled(&self) -> Settled {
        let state = self.0.lock();
        let begun = state.watermark.begun();
        let mut open: BTreeSet<u64> = state.watermark.unsettled().collect();
        open.extend(state.before.open.range(begun..));
        let through = begun.max(state.before.through);
        Settled { watermark: open.first().copied().unwrap_or(through), through, open }
    }

    /// Promises of which somebody still has a copy.
    pub(crate) fn on_their_way(&self) -> usize {
        self.0.lock().promises.values().filter(|promise| promise.copies() > 0).count()
    }

    /// Promises of which `letting_go` drops a copy are returned: whoever has the others does not settle them.
    pub(crate) fn give_back(&self, letting_go: impl FnOnce()) {
        let count = |state: &State| state.promises.values().map(|promise| (promise.clone(), promise.copies())).collect::<Vec<_>>();
        let before = count(&self.0.lock());
        letting_go();
        before.iter().filter(|(promise, copies)| promise.copies() < *copies).for_each(|(promise, _)| promise.record(Outcome::Returned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal::Ack;
    use std::sync::Arc;

    fn marks(before: Settled) -> Arc<Marks> {
        Arc::new(Marks::new(before))
    }

    fn begin(marks: &Arc<Marks>, position: u64) -> Ack {
        marks.begin(position);
        let settles = Arc::clone(marks);
        let ack = Ack::new(move |outcome| {
            if outcome <= Outcome::Rejected {
                settles.settle(position);
            }
        });
        marks.watch(position, ack.watch());
        ack
    }

    #[test]
    fn what_is_settled_above_the_watermark_is_told_to_the_next_owner_and_the_one_after() {
        let first = marks(Settled::below(5));
        let [five, six, seven] = [5, 6, 7].map(|position| begin(&first, position));
        drop((six, seven));
        assert_eq!(first.settled(), Settled { watermark: 5, through: 8, open: [5].into() });
        let second = marks(first.settled());
        assert!(!second.is_done(5) && second.is_done(6) && second.is_done(7) && !second.is_done(8));
        assert_eq!(second.settled(), first.settled(), "who has read nothing knows what was known");
        drop(begin(&second, 5));
        assert_eq!(second.settled(), Settled::below(8));
        drop(five);
    }

    #[test]
    fn what_is_let_go_is_returned_and_what_is_elsewhere_still_settles() {
        let marks = marks(Settled::below(0));
        let (held, both, queued) = (begin(&marks, 0), begin(&marks, 1), begin(&marks, 2));
        let half = both.clone();
        // As with a lane that is cut off, nothing settles while it lets go.
        held.record(Outcome::Returned);
        marks.give_back(move || drop((held, half)));
        assert_eq!(marks.on_their_way(), 2);
        drop((both, queued));
        assert_eq!(marks.settled(), Settled { watermark: 0, through: 3, open: [0, 1].into() });
    }
}
