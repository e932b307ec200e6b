//! What a lane is given at once: requests in the order of the stream, what lanes in front made of them, and the stream's time.

use crate::{Reason, handed::Handed, ledger::Fate, settling::Settling};
use signal::{Ack, Flow, Time};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::OwnedSemaphorePermit;

/// A piece of the stream. Turns are numbered by who deals them, and whatever lanes they go through, what comes of them is put together by that number.
pub(crate) struct Turn {
    pub(crate) number: u64,
    pub(crate) steps: VecDeque<Step>,
    /// Nothing comes after it.
    pub(crate) end: End,
    /// Its bytes among those that may be on their way.
    pub(crate) flight: Option<Arc<OwnedSemaphorePermit>>,
}

/// Whether more turns come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// They do.
    Open,
    /// This was the last of its lane: the stream has ended.
    Last,
    /// The next is for the lanes of another graph.
    HandOver,
    /// Others have the partition next.
    Return,
}

/// One thing after the other. Timers up to its time fire before it.
pub(crate) enum Step {
    /// A request out of the stream.
    Request(Dealt),
    /// From a lane in front, for a stage behind the exchange.
    Across { now: Time, stage: usize, flow: Flow },
    /// Nothing but the time.
    Time(Time),
}

impl Step {
    pub(crate) fn time(&self) -> Time {
        match self {
            Step::Request(dealt) => dealt.arrived(),
            Step::Across { now, .. } | Step::Time(now) => *now,
        }
    }
}

/// A request on its way to a lane, and its promise. Where it is dropped because lanes fell, its source is rid of it: it is read again.
pub(crate) struct Dealt {
    handed: Option<(Handed, Ack)>,
    arrived: Time,
    settling: Arc<Settling>,
}

impl Dealt {
    /// Promises of one `Settling` are made in the order of the stream.
    pub(crate) fn new(mut handed: Handed, settling: Arc<Settling>) -> Dealt {
        let ack = settling.promise(handed.position, handed.waiter.take());
        Dealt { arrived: handed.arrived, handed: Some((handed, ack)), settling }
    }

    pub(crate) fn arrived(&self) -> Time {
        self.arrived
    }

    /// The lane has it.
    pub(crate) fn take(mut self) -> Option<(Handed, Ack)> {
        self.handed.take()
    }
}

impl Drop for Dealt {
    fn drop(&mut self) {
        if let Some((handed, _)) = self.handed.as_ref().filter(|_| self.settling.has_fallen()) {
            handed.let_go(Fate::Discarded, Reason::REPLAYED);
        }
    }
}
