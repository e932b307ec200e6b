//! Which traces were closed lately. Two generations, each as long as the memory is meant to be: a trace is known for one to two of them after it was last
//! asked for, at the cost of one lookup each. Beside them the traces that were closed before a restart, and how far each then went.

use signal::{Decision, Origin, Time, TraceId};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// The memory of closed traces, by the low 64 bits of their id.
pub(super) struct Closed {
    length: Duration,
    /// Traces a generation may hold; beyond it the older one is let go early, so that a flood of traces cannot grow the memory.
    traces_max: usize,
    young: HashSet<u64>,
    old: HashSet<u64>,
    turned: Time,
    /// The last record that belonged to each trace decided before a restart; as many as the journal had decisions that still matter.
    recalled: HashMap<u64, Option<Origin>>,
    /// By then every record that the restart found was read again.
    recalled_until: Time,
}

impl Closed {
    pub(super) fn new(length: Duration, traces_max: usize) -> Closed {
        let (young, old, recalled) = (HashSet::new(), HashSet::new(), HashMap::new());
        Closed { length, traces_max, young, old, turned: Time(0), recalled, recalled_until: Time(0) }
    }

    pub(super) fn remember(&mut self, id: TraceId, now: Time) {
        self.turn(now);
        self.young.insert(id.low());
    }

    /// A trace that was closed and decided before a restart.
    pub(super) fn recall(&mut self, decision: &Decision) {
        self.recalled.insert(decision.trace_id.low(), decision.through);
        self.recalled_until = self.recalled_until.max(decision.at.plus(self.length));
    }

    /// Whether a record of this trace comes too late. One that is read again after a restart does not, up to the last that belonged to the trace when it was closed:
    /// it is gathered again, to the same trace.
    pub(super) fn has(&mut self, id: TraceId, origin: Option<Origin>, now: Time) -> bool {
        self.turn(now);
        let key = id.low();
        if self.old.remove(&key) {
            self.young.insert(key);
        }
        let late =
            |through: &Option<Origin>| !through.zip(origin).is_some_and(|(last, at)| at.log == last.log && at.position <= last.position);
        self.young.contains(&key) || self.recalled.get(&key).is_some_and(late)
    }

    fn turn(&mut self, now: Time) {
        if now.since(self.turned) >= self.length * 2 {
            self.young.clear();
        }
        if now.since(self.turned) >= self.length || self.young.len() >= self.traces_max {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
        if now > self.recalled_until {
            self.recalled = HashMap::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_trace_is_known_for_at_least_the_length_and_at_most_twice_that() {
        let second = |n: u64| Time(n * 1_000_000_000);
        let id = TraceId([7; 16]);
        let mut closed = Closed::new(Duration::from_secs(60), 10);
        closed.remember(id, second(1_000));
        assert!(closed.has(id, None, second(1_060)));
        assert!(!closed.has(id, None, second(1_180)));
    }

    #[test]
    fn a_trace_that_goes_on_is_not_forgotten() {
        let id = TraceId([7; 16]);
        let mut closed = Closed::new(Duration::from_secs(60), 10);
        closed.remember(id, Time(1_000_000_000_000));
        assert!((1..20).all(|n| closed.has(id, None, Time(1_000_000_000_000).plus(Duration::from_secs(50 * n)))));
    }

    #[test]
    fn a_long_silence_forgets_everything() {
        let id = TraceId([7; 16]);
        let mut closed = Closed::new(Duration::from_secs(60), 10);
        closed.remember(id, Time(1_000_000_000_000));
        assert!(!closed.has(id, None, Time(9_000_000_000_000)));
    }
}
