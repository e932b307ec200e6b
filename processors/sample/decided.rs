//! Decisions that were made, remembered for late arrivals: two generations, turned by time.

use signal::{Decision, Time, TraceId};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Decisions a generation may hold; beyond it the older generation is let go early, so that a flood of traces cannot grow the memory.
const DECISIONS_MAX: usize = 1 << 20;

/// The memory of decisions, by the low 64 bits of the trace id.
pub(super) struct Decided {
    length: Duration,
    young: HashMap<u64, Arc<Decision>>,
    old: HashMap<u64, Arc<Decision>>,
    turned: Time,
}

impl Decided {
    pub(super) fn new(length: Duration) -> Decided {
        Decided { length, young: HashMap::new(), old: HashMap::new(), turned: Time(0) }
    }

    pub(super) fn remember(&mut self, decision: Arc<Decision>) {
        self.turn(decision.at);
        self.young.insert(decision.trace_id.low(), decision);
    }

    pub(super) fn find(&mut self, id: TraceId, now: Time) -> Option<Arc<Decision>> {
        self.turn(now);
        self.young.get(&id.low()).or_else(|| self.old.get(&id.low())).cloned()
    }

    fn turn(&mut self, now: Time) {
        if now.since(self.turned) >= self.length * 2 {
            self.young.clear();
        }
        if now.since(self.turned) >= self.length || self.young.len() >= DECISIONS_MAX {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
    }
}
