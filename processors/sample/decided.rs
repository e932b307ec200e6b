//! Decisions that were made, remembered for late arrivals and across a restart.

use crate::lately::Lately;
use signal::{Decision, Time, TraceId};
use std::{sync::Arc, time::Duration};

/// The memory of decisions.
pub(super) struct Decided(Lately<Arc<Decision>>);

impl Decided {
    pub(super) fn new(length: Duration, decisions_max: usize) -> Decided {
        Decided(Lately::new(length, decisions_max))
    }

    /// A decision from before a restart.
    pub(super) fn recall(&mut self, decision: Arc<Decision>) {
        self.0.recall(decision.trace_id, Arc::clone(&decision), decision.at);
    }

    pub(super) fn remember(&mut self, decision: Arc<Decision>) {
        self.0.remember(decision.trace_id, Arc::clone(&decision), decision.at);
    }

    pub(super) fn release(&mut self) -> Decided {
        Decided(self.0.release())
    }

    /// The decisions of an older graph.
    pub(super) fn adopt(&mut self, other: Decided) {
        self.0.adopt(other.0);
    }

    pub(super) fn find(&mut self, id: TraceId, now: Time) -> Option<Arc<Decision>> {
        let (made, recalled) = self.0.find(id, now);
        made.or(recalled).cloned()
    }
}
