//! From promises kept to the journal's cursor: what was settled in any order moves it in order.

use crate::handed::Waiter;
use journal::{Consumer, Log};
use signal::{Ack, Outcome};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// The name under which the lanes' cursor stands in the journal.
pub(crate) const CURSOR: &str = "lanes";

/// The promises of lanes that share a reader. When one of them falls or is cut off, none made so far settles any more: what they had is read again,
/// or, where no journal has it, whoever waits hears that it was lost.
pub(crate) struct Settling {
    /// Counts falls.
    life: AtomicU64,
    over: AtomicBool,
    fallen: AtomicBool,
    journal: Option<Consumer>,
}

impl Settling {
    pub(crate) fn new(journal: Option<Arc<Log>>) -> Arc<Settling> {
        let journal = journal.map(|log| log.consumer(CURSOR));
        Arc::new(Settling { life: AtomicU64::new(0), over: AtomicBool::new(false), fallen: AtomicBool::new(false), journal })
    }

    /// The promise for one request.
    pub(crate) fn promise(self: &Arc<Settling>, position: Option<u64>, waiter: Option<Waiter>) -> Ack {
        if let (Some(journal), Some(position)) = (&self.journal, position) {
            journal.begin(position);
        } else if waiter.is_none() {
            return Ack::none();
        }
        let (settling, life) = (Arc::clone(self), self.life.load(Ordering::Acquire));
        Ack::new(move |outcome| settling.settle(position, waiter, life, outcome))
    }

    /// From now on nothing settles.
    pub(crate) fn break_off(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// A lane has fallen: nothing settles that was promised so far, and with a journal nothing at all, since all lanes begin again.
    pub(crate) fn fall(&self) {
        self.life.fetch_add(1, Ordering::AcqRel);
        if self.journal.is_some() {
            self.fallen.store(true, Ordering::Release);
            self.break_off();
        }
    }

    /// Whether everything that the lanes had is read again.
    pub(crate) fn has_fallen(&self) -> bool {
        self.fallen.load(Ordering::Acquire)
    }

    fn settle(&self, position: Option<u64>, waiter: Option<Waiter>, life: u64, outcome: Outcome) {
        // A panic lets go of what its stage had while it unwinds, before the lane knows that it has fallen.
        let broken = self.over.load(Ordering::Acquire) || self.life.load(Ordering::Acquire) != life || std::thread::panicking();
        let outcome = if broken { Outcome::Lost } else { outcome };
        if let (Some(journal), Some(position)) = (&self.journal, position)
            && outcome <= Outcome::Rejected
            && let Err(error) = journal.settle(position)
        {
            tracing::error!(%error, "cannot move the journal's cursor");
        }
        if let Some(waiter) = waiter {
            waiter.settle(outcome);
        }
    }

    /// Whether a record was begun and is not settled.
    pub(crate) fn is_open(&self, position: u64) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_open(position))
    }

    /// Records begun and not settled, and the first of them: how far the cursor lags.
    pub(crate) fn open(&self) -> usize {
        self.journal.as_ref().map_or(0, Consumer::open)
    }
}
