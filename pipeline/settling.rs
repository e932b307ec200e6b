//! From promises kept to the journal's cursor: what was settled in any order moves it in order (FLOW 2).

use crate::tail::Waiter;
use journal::{Log, Watermark};
use parking_lot::Mutex;
use signal::{Ack, Outcome};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The name under which the lanes' cursor stands in the journal.
pub(crate) const CURSOR: &str = "lanes";

/// The promises of one life of a lane. When it falls or is cut off, none of them settles any more: what it had is read again.
pub(crate) struct Settling {
    broken: AtomicBool,
    journal: Option<(Arc<Log>, Mutex<Watermark>)>,
}

impl Settling {
    pub(crate) fn new(journal: Option<Arc<Log>>) -> Arc<Settling> {
        let journal = journal.map(|log| {
            let start = log.cursor(CURSOR);
            (log, Mutex::new(Watermark::new(start)))
        });
        Arc::new(Settling { broken: AtomicBool::new(false), journal })
    }

    /// The promise for one request.
    pub(crate) fn promise(self: &Arc<Settling>, position: Option<u64>, waiter: Option<Waiter>) -> Ack {
        if let (Some((_, watermark)), Some(position)) = (&self.journal, position) {
            watermark.lock().begin(position);
        } else if waiter.is_none() {
            return Ack::none();
        }
        let settling = Arc::clone(self);
        Ack::new(move |outcome| settling.settle(position, waiter, outcome))
    }

    /// From now on nothing settles.
    pub(crate) fn break_off(&self) {
        self.broken.store(true, Ordering::Release);
    }

    fn settle(&self, position: Option<u64>, waiter: Option<Waiter>, outcome: Outcome) {
        // A panic lets go of what its stage had while it unwinds, before the lane knows that it has fallen.
        let broken = self.broken.load(Ordering::Acquire) || std::thread::panicking();
        let outcome = if broken { Outcome::Lost } else { outcome };
        if let (Some((log, watermark)), Some(position)) = (&self.journal, position)
            && outcome <= Outcome::Rejected
        {
            // Told under the lock, so that the cursor never goes back.
            let mut watermark = watermark.lock();
            if let Some(end) = watermark.settle(position)
                && let Err(error) = log.settle(CURSOR, end)
            {
                tracing::error!(%error, "cannot move the journal's cursor");
            }
        }
        if let Some(waiter) = waiter {
            waiter.settle(outcome);
        }
    }

    /// Records begun and not settled, and the first of them: how far the cursor lags.
    pub(crate) fn open(&self) -> usize {
        self.journal.as_ref().map_or(0, |(_, watermark)| watermark.lock().open())
    }
}
