//! What is done for logs that have no ids: they are told their service, and the request that was probably theirs.

use super::{
    dictionary::Dictionary,
    inferred::{Infer, Inferring},
};
use pipeline::{Flush, Held, Out};
use signal::{Batch, Flow, Signal, Time};

/// Of one lane.
pub(super) struct Idless {
    services: Dictionary,
    inferring: Inferring,
}

impl Idless {
    pub(super) fn new(infer: Option<Infer>, bytes_max: usize) -> Idless {
        Idless { services: Dictionary::default(), inferring: Inferring::new(infer, bytes_max) }
    }

    /// Learns from spans that come in; tells logs that come in their service.
    pub(super) fn pass(&mut self, batch: &mut Batch, now: Time) {
        self.services.pass(batch, now);
        if batch.signal() == Signal::Traces {
            self.inferring.learn(batch, now);
        }
    }

    /// Sends on what belongs to no trace, or has it wait for the spans of its request.
    pub(super) fn send(&mut self, left: Batch, out: &mut Out<'_>) {
        let now = out.now();
        let left = if left.signal() == Signal::Logs && !left.is_empty() { self.inferring.hold(left, now) } else { Some(left) };
        left.into_iter().for_each(|left| out.send(Flow::Batch(left)));
        while let Some(logs) = self.inferring.next(now) {
            out.send(Flow::Batch(logs));
        }
    }

    pub(super) fn due(&self) -> Option<Time> {
        self.inferring.due()
    }

    /// Sends on logs that have waited.
    pub(super) fn flush(&mut self, why: Flush, out: &mut Out<'_>) {
        while why == Flush::Last || !out.full() {
            let logs = if why == Flush::Last { self.inferring.pop() } else { self.inferring.next(out.now()) };
            let Some(logs) = logs else { break };
            out.send(Flow::Batch(logs));
        }
        if why == Flush::Last {
            drop(self.inferring.release());
        }
    }

    /// With what the window holds. What is known of services is as little as what is known of closed traces.
    pub(super) fn held(&self, window: Held) -> Held {
        let bytes = window.bytes + self.inferring.bytes();
        Held { logs: window.logs + self.inferring.logs(), bytes, ..window }
    }

    /// Everything that it holds and knows.
    pub(super) fn release(&mut self) -> Idless {
        Idless { services: std::mem::take(&mut self.services), inferring: self.inferring.release() }
    }

    /// Goes on with what another one held and knew.
    pub(super) fn adopt(&mut self, other: Idless) {
        self.services = other.services;
        self.inferring.adopt(other.inferring);
    }
}
