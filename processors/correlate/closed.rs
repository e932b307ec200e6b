//! Which traces were closed lately. Two generations, each as long as the memory is meant to be: a trace is known for one to two of them at the cost of one lookup each.

use signal::{Time, TraceId};
use std::{collections::HashSet, time::Duration};

/// Traces a generation may hold; beyond it the older generation is let go early, so that a flood of traces cannot grow the memory.
const TRACES_MAX: usize = 1 << 20;

/// The memory of closed traces, by the low 64 bits of their id.
pub(super) struct Closed {
    length: Duration,
    young: HashSet<u64>,
    old: HashSet<u64>,
    turned: Time,
}

impl Closed {
    pub(super) fn new(length: Duration) -> Closed {
        Closed { length, young: HashSet::new(), old: HashSet::new(), turned: Time(0) }
    }

    pub(super) fn remember(&mut self, id: TraceId, now: Time) {
        self.turn(now);
        self.young.insert(id.low());
    }

    pub(super) fn has(&mut self, id: TraceId, now: Time) -> bool {
        self.turn(now);
        self.young.contains(&id.low()) || self.old.contains(&id.low())
    }

    fn turn(&mut self, now: Time) {
        if now.since(self.turned) >= self.length * 2 {
            self.young.clear();
        }
        if now.since(self.turned) >= self.length || self.young.len() >= TRACES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
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
        let mut closed = Closed::new(Duration::from_secs(60));
        closed.remember(id, second(1_000));
        assert!(closed.has(id, second(1_060)));
        assert!(closed.has(id, second(1_119)));
        assert!(!closed.has(id, second(1_180)));
    }

    #[test]
    fn a_long_silence_forgets_everything() {
        let id = TraceId([7; 16]);
        let mut closed = Closed::new(Duration::from_secs(60));
        closed.remember(id, Time(1_000_000_000_000));
        assert!(!closed.has(id, Time(9_000_000_000_000)));
    }
}
