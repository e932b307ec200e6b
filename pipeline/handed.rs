//! A request on its way from intake to lane, how it stands in the ledger meanwhile, and who waits for it.

use crate::{
    Clock, Reason,
    intake::Admission,
    ledger::{Account, Fate, PerSignal, Posting},
    repeats::{Body, Known, Repeats},
    tail::SourceKey,
};
use parking_lot::Mutex;
use signal::{Ack, Batch, Checked, Chunk, Flow, Ordinals, Origin, Outcome, Signal, Time};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A request on its way from intake to lane.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) source: SourceKey,
    /// Of its source.
    pub(crate) account: Arc<Account>,
    pub(crate) signal: Signal,
    pub(crate) checked: Checked,
    /// The same in pieces that were written somewhere before, where that is known.
    pub(crate) chunks: Option<Box<Parted>>,
    pub(crate) records: usize,
    pub(crate) arrived: Time,
    /// Its place in the journal.
    pub(crate) position: Option<u64>,
    pub(crate) waiter: Option<Waiter>,
    /// Given back when the lane takes it.
    pub(crate) admission: Option<Admission>,
    pub(crate) standing: Standing,
}

/// A request in pieces. Boxed, since few requests are.
#[derive(Debug)]
pub(crate) struct Parted(pub(crate) Vec<Chunk>);

/// How a request stands in its source's account when the lane takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Held there.
    Held,
    /// An earlier process took it in; this one has not counted it.
    Before,
    /// It went out already, to a lane that fell.
    Again,
}

impl Handed {
    /// Its records leave its source.
    pub(crate) fn leaving(&self) -> Posting {
        let mut records = [0; 3];
        records[self.signal.number()] = self.records as u64;
        self.standing.leaving(records)
    }

    /// Ends it in the account of its source, instead of it going on.
    pub(crate) fn let_go(&self, fate: Fate, why: Reason) {
        self.account.post(&self.ending(fate, why));
    }

    /// What letting it go posts.
    pub(crate) fn ending(&self, fate: Fate, why: Reason) -> Posting {
        let mut posting = self.leaving();
        let records = posting.difference().map(|records| u64::try_from(records).unwrap_or(0));
        posting.end_all(fate, why, records);
        posting
    }

    /// As it goes to a processor. `log`: the journal's id.
    pub(crate) fn into_flow(self, log: Option<u32>, ack: Ack) -> Flow {
        if let Some(chunks) = self.chunks {
            let mut batch = Batch::empty(self.signal);
            chunks.0.into_iter().for_each(|chunk| batch.absorb(Batch::new(self.signal, chunk, Ack::none())));
            batch.promise(ack);
            return Flow::Batch(batch);
        }
        let origin = log.zip(self.position).map(|(log, position)| Origin { log, position });
        let chunk = Chunk::new(self.checked, self.records, origin, Ordinals::From(0), self.arrived);
        Flow::Batch(Batch::new(self.signal, chunk, ack))
    }
}

impl Standing {
    pub(crate) fn leaving(self, records: PerSignal<u64>) -> Posting {
        let mut posting = Posting::default();
        match self {
            Standing::Held => posting.hold(records, [0; 3]),
            Standing::Before => posting.taken = records,
            Standing::Again => posting.made = records,
        }
        posting
    }
}

/// Somebody who waits until every sink has it. Dropped unanswered, it hears that it was lost.
pub(crate) struct Waiter {
    tell: Option<oneshot::Sender<Outcome>>,
    repeats: Option<(Arc<Mutex<Repeats>>, Body)>,
    clock: Clock,
}

impl Waiter {
    pub(crate) fn new(tell: oneshot::Sender<Outcome>, repeats: Option<(Arc<Mutex<Repeats>>, Body)>, clock: Clock) -> Waiter {
        Waiter { tell: Some(tell), repeats, clock }
    }

    pub(crate) fn settle(mut self, outcome: Outcome) {
        self.answer(outcome);
    }

    /// The request was not taken: its client hears why from somebody else. Takes no lock, since intake holds that of the repeats.
    pub(crate) fn cancel(&mut self) {
        self.tell = None;
    }

    fn answer(&mut self, outcome: Outcome) {
        let Some(tell) = self.tell.take() else { return };
        if let Some((repeats, body)) = self.repeats.take() {
            let mut repeats = repeats.lock();
            repeats.forget(body);
            if outcome <= Outcome::Rejected {
                repeats.remember(body, Known::Delivered, self.clock.now());
            }
        }
        // An error means that the client stopped waiting.
        let _unheard = tell.send(outcome);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.answer(Outcome::Lost);
    }
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiter")
    }
}
