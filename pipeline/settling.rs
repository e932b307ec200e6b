//! From promises kept to a cursor: what was settled in any order moves it in order.

use crate::{handed::Waiter, kept::Kept, marks::Marks};
use journal::Consumer;
use signal::{Ack, Outcome};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// The name under which the lanes' cursor stands in the journal.
pub(crate) const CURSOR: &str = "lanes";

/// The promises of lanes that share a reader. When one of them falls or is cut off, none made so far settles any more: what they had is read again,
/// or, where nothing has it, whoever waits hears that it was lost.
pub(crate) struct Settling {
    /// Counts falls.
    life: AtomicU64,
    over: AtomicBool,
    fallen: AtomicBool,
    cursor: Option<Cursor>,
}

/// What moves as promises are kept.
enum Cursor {
    Journal(Consumer),
    Partition(Arc<Marks>),
}

impl Cursor {
    fn of(kept: &Kept) -> Cursor {
        match kept {
            Kept::Journal(log) => Cursor::Journal(log.consumer(CURSOR)),
            Kept::Partition(partition) => Cursor::Partition(Arc::clone(&partition.marks)),
        }
    }

    fn begin(&self, position: u64) {
        match self {
            Cursor::Journal(journal) => journal.begin(position),
            Cursor::Partition(marks) => marks.begin(position),
        }
    }

    fn settle(&self, position: u64) {
        match self {
            Cursor::Journal(journal) => {
                if let Err(error) = journal.settle(position) {
                    tracing::error!(%error, "cannot move the journal's cursor");
                }
            }
            Cursor::Partition(marks) => marks.settle(position),
        }
    }

    fn is_open(&self, position: u64) -> bool {
        match self {
            Cursor::Journal(journal) => journal.is_open(position),
            Cursor::Partition(marks) => marks.is_open(position),
        }
    }

    fn open(&self) -> usize {
        match self {
            Cursor::Journal(journal) => journal.open(),
            Cursor::Partition(marks) => marks.open(),
        }
    }
}

impl Settling {
    pub(crate) fn new(kept: Option<&Kept>) -> Arc<Settling> {
        let cursor = kept.map(Cursor::of);
        Arc::new(Settling { life: AtomicU64::new(0), over: AtomicBool::new(false), fallen: AtomicBool::new(false), cursor })
    }

    /// The promise for one request.
    pub(crate) fn promise(self: &Arc<Settling>, position: Option<u64>, waiter: Option<Waiter>) -> Ack {
        match self.cursor.as_ref().zip(position) {
            Some((cursor, position)) => cursor.begin(position),
            None if waiter.is_none() => return Ack::none(),
            None => {}
        }
        let (settling, life) = (Arc::clone(self), self.life.load(Ordering::Acquire));
        Ack::new(move |outcome| settling.settle(position, waiter, life, outcome))
    }

    /// From now on nothing settles.
    pub(crate) fn break_off(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// A lane has fallen: nothing settles that was promised so far, and where it can be read again nothing at all, since all lanes begin again.
    pub(crate) fn fall(&self) {
        self.life.fetch_add(1, Ordering::AcqRel);
        if self.cursor.is_some() {
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
        if let Some((cursor, position)) = self.cursor.as_ref().zip(position).filter(|_| outcome <= Outcome::Rejected) {
            cursor.settle(position);
        }
        if let Some(waiter) = waiter {
            waiter.settle(outcome);
        }
    }

    /// Whether a record was begun and is not settled.
    pub(crate) fn is_open(&self, position: u64) -> bool {
        self.cursor.as_ref().is_some_and(|cursor| cursor.is_open(position))
    }

    /// Records begun and not settled, and the first of them: how far the cursor lags.
    pub(crate) fn open(&self) -> usize {
        self.cursor.as_ref().map_or(0, Cursor::open)
    }
}
