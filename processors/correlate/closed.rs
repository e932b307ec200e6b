//! Which traces were closed lately, and how far those went that were closed before a restart.

use super::split;
use crate::lately::Lately;
use signal::{Decision, Origin, Time, TraceId};
use std::time::Duration;

/// The memory of closed traces; of those from before a restart, the last record that belonged to each.
pub(super) struct ClosedLately(Lately<u32, Option<Origin>>);

impl ClosedLately {
    pub(super) fn new(length: Duration, traces_max: usize) -> ClosedLately {
        ClosedLately(Lately::new(length, traces_max))
    }

    pub(super) fn release(&mut self) -> ClosedLately {
        ClosedLately(self.0.release())
    }

    /// The traces that an older graph closed.
    pub(super) fn adopt(&mut self, other: ClosedLately) {
        self.0.adopt(other.0);
    }

    /// `lacking`: the number of a service whose spans lacked a parent, or `split::NONE`.
    pub(super) fn remember(&mut self, id: TraceId, lacking: u32, now: Time) {
        self.0.remember(id, lacking, now);
    }

    /// The service that lacked a parent when the trace closed; once.
    pub(super) fn take_lacking(&mut self, id: TraceId, now: Time) -> Option<u32> {
        let lacking = self.0.find(id, now).0.copied().filter(|number| *number != split::NONE)?;
        self.0.remember(id, split::NONE, now);
        Some(lacking)
    }

    /// A trace that was closed and decided before a restart.
    pub(super) fn recall(&mut self, decision: &Decision) {
        self.0.recall(decision.trace_id, decision.through, decision.at);
    }

    /// Whether a record of this trace comes too late. One that is read again after a restart does not, up to the last that belonged to the trace when it was closed:
    /// it is gathered again, to the same trace.
    pub(super) fn has(&mut self, id: TraceId, origin: Option<Origin>, now: Time) -> bool {
        let late =
            |through: &Option<Origin>| !through.zip(origin).is_some_and(|(last, at)| at.log == last.log && at.position <= last.position);
        let (closed, recalled) = self.0.find(id, now);
        closed.is_some() || recalled.is_some_and(late)
    }
}
