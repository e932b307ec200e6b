//! Decisions that were made, remembered for late arrivals: two generations, turned by time, of which the younger gets whatever is asked for. Beside them the
//! decisions from before a restart, until everything they were made of was read again.

use signal::{Decision, Time, TraceId};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// The memory of decisions, by the low 64 bits of the trace id.
pub(super) struct Decided {
    length: Duration,
    /// Decisions a generation may hold; beyond it the older one is let go early, so that a flood of traces cannot grow the memory.
    decisions_max: usize,
    young: HashMap<u64, Arc<Decision>>,
    old: HashMap<u64, Arc<Decision>>,
    turned: Time,
    /// As many as the journal had that still matter.
    recalled: HashMap<u64, Arc<Decision>>,
    recalled_until: Time,
}

impl Decided {
    pub(super) fn new(length: Duration, decisions_max: usize) -> Decided {
        let (young, old, recalled) = (HashMap::new(), HashMap::new(), HashMap::new());
        Decided { length, decisions_max, young, old, turned: Time(0), recalled, recalled_until: Time(0) }
    }

    /// A decision from before a restart.
    pub(super) fn recall(&mut self, decision: Arc<Decision>) {
        self.recalled_until = self.recalled_until.max(decision.at.plus(self.length));
        self.recalled.insert(decision.trace_id.low(), decision);
    }

    pub(super) fn remember(&mut self, decision: Arc<Decision>) {
        self.turn(decision.at);
        self.young.insert(decision.trace_id.low(), decision);
    }

    pub(super) fn find(&mut self, id: TraceId, now: Time) -> Option<Arc<Decision>> {
        self.turn(now);
        let key = id.low();
        if let Some(decision) = self.old.remove(&key) {
            self.young.insert(key, decision);
        }
        self.young.get(&key).or_else(|| self.recalled.get(&key)).cloned()
    }

    fn turn(&mut self, now: Time) {
        if now.since(self.turned) >= self.length * 2 {
            self.young.clear();
        }
        if now.since(self.turned) >= self.length || self.young.len() >= self.decisions_max {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
        if now > self.recalled_until {
            self.recalled = HashMap::new();
        }
    }
}
