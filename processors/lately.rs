//! What is remembered of traces lately: two generations, turned by time, of which the younger gets whatever is asked for, so that each trace is known for one to
//! two lengths after it was last asked for. Beside them what is known from before a restart, until everything it was made of was read again.

use crate::by_trace::ByTrace;
use signal::{Time, TraceId};
use std::time::Duration;

/// A memory of traces; `R` is what is known from before a restart. They are found by the low 64 bits of their id, so that a 64-bit and a 128-bit id of one trace
/// meet; of two traces that share these the last one is remembered, and is not taken for the other.
pub(crate) struct Lately<V, R = V> {
    length: Duration,
    /// Traces a generation may hold; beyond it the older one is let go early, so that a flood of traces cannot grow the memory.
    traces_max: usize,
    young: ByTrace<Known<V>>,
    old: ByTrace<Known<V>>,
    turned: Time,
    /// As many as the journal had decisions that still matter.
    recalled: ByTrace<Known<R>>,
    /// By then every record that the restart found was read again.
    recalled_until: Time,
}

/// What is known of a trace, with a check of the half of its id by which it is not found.
struct Known<V> {
    high: u32,
    value: V,
}

impl<V> Known<V> {
    fn of(id: TraceId, value: V) -> Known<V> {
        Known { high: check(id), value }
    }

    /// Whether it may be of the trace of this id, whose low half it was found by.
    fn is_of(&self, id: TraceId) -> bool {
        let high = check(id);
        self.high == high || self.high == 0 || high == 0
    }
}

/// A check of the high half of an id; zero where only the low one is known.
fn check(id: TraceId) -> u32 {
    let high = id.high();
    // The golden ratio's digits: every bit of an id counts.
    if high == 0 { 0 } else { ((high.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32).max(1) }
}

impl<V, R> Lately<V, R> {
    /// Nothing is known; what is put in is known for at least `length`.
    pub(crate) fn new(length: Duration, traces_max: usize) -> Lately<V, R> {
        let (young, old, recalled) = (ByTrace::default(), ByTrace::default(), ByTrace::default());
        Lately { length, traces_max, young, old, turned: Time(0), recalled, recalled_until: Time(0) }
    }

    /// Remembers a trace from now on.
    pub(crate) fn remember(&mut self, id: TraceId, value: V, now: Time) {
        self.turn(now);
        self.young.insert(id.low(), Known::of(id, value));
    }

    /// Remembers a trace that was decided at `at`, before a restart.
    pub(crate) fn recall(&mut self, id: TraceId, value: R, at: Time) {
        self.recalled.insert(id.low(), Known::of(id, value));
        self.recalled_until = self.recalled_until.max(at.plus(self.length));
    }

    /// What was remembered since the start, and what was known before it.
    pub(crate) fn find(&mut self, id: TraceId, now: Time) -> (Option<&V>, Option<&R>) {
        self.turn(now);
        let key = id.low();
        if !self.young.contains_key(&key)
            && self.old.get(&key).is_some_and(|known| known.is_of(id))
            && let Some(known) = self.old.remove(&key)
        {
            self.young.insert(key, known);
        }
        let known = self.young.get(&key).filter(|known| known.is_of(id));
        let known = known.or_else(|| self.old.get(&key).filter(|known| known.is_of(id)));
        (known.map(|known| &known.value), self.recalled(id))
    }

    /// What was known before the start.
    pub(crate) fn recalled(&self, id: TraceId) -> Option<&R> {
        self.recalled.get(&id.low()).filter(|known| known.is_of(id)).map(|known| &known.value)
    }

    /// Knows from now on what another memory of the same traces knew, for as long as this one remembers.
    pub(crate) fn adopt(&mut self, other: Lately<V, R>) {
        let Lately { length: _, traces_max: _, young, old, turned, recalled, recalled_until } = other;
        *self = Lately { young, old, turned, recalled, recalled_until, ..*self };
    }

    /// What is known, which is forgotten here.
    pub(crate) fn release(&mut self) -> Lately<V, R> {
        std::mem::replace(self, Lately::new(self.length, self.traces_max))
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
            self.recalled = ByTrace::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TraceId = TraceId([7; 16]);

    fn known(lately: &mut Lately<(), ()>, second: u64) -> bool {
        lately.find(ID, Time(second * 1_000_000_000)).0.is_some()
    }

    fn lately() -> Lately<(), ()> {
        let mut lately = Lately::new(Duration::from_secs(60), 10);
        lately.remember(ID, (), Time(1_000_000_000_000));
        lately
    }

    #[test]
    fn a_trace_is_known_for_at_least_the_length_and_at_most_twice_that() {
        let mut lately = lately();
        assert!(known(&mut lately, 1_060));
        assert!(!known(&mut lately, 1_180));
    }

    #[test]
    fn a_trace_of_the_same_low_half_is_another_and_half_an_id_is_its_trace() {
        let with_high = |high: u8| {
            let mut id = ID;
            id.0[..8].fill(high);
            id
        };
        let mut lately: Lately<u8> = Lately::new(Duration::from_secs(60), 10);
        let now = Time(1_000_000_000_000);
        lately.remember(ID, 1, now);
        lately.recall(ID, 2, now);
        assert_eq!(lately.find(ID, now), (Some(&1), Some(&2)));
        assert_eq!(lately.find(with_high(9), now), (None, None));
        assert_eq!(lately.find(with_high(0), now), (Some(&1), Some(&2)));
        // The other one closes a minute later: both are known for a while.
        let later = now.plus(Duration::from_secs(60));
        lately.remember(with_high(9), 3, later);
        assert_eq!(lately.find(with_high(9), later).0, Some(&3));
        assert_eq!(lately.find(ID, later).0, Some(&1));
    }

    #[test]
    fn a_trace_that_goes_on_is_not_forgotten() {
        let mut lately = lately();
        assert!((1..20).all(|n| known(&mut lately, 1_000 + 50 * n)));
    }

    #[test]
    fn a_long_silence_forgets_everything() {
        assert!(!known(&mut lately(), 9_000));
    }

    #[test]
    fn a_flood_of_traces_forgets_the_older_ones_early() {
        let mut lately = lately();
        for n in 0..40_u8 {
            lately.remember(TraceId([n + 100; 16]), (), Time(1_001_000_000_000));
        }
        assert!(!known(&mut lately, 1_001));
    }

    #[test]
    fn a_memory_goes_on_in_another_that_remembers_for_another_time() {
        let mut longer = Lately::new(Duration::from_secs(300), 10);
        longer.adopt(lately().release());
        assert!(known(&mut longer, 1_299));
    }

    #[test]
    fn what_is_known_from_before_a_restart_is_let_go_after_the_length() {
        let mut lately: Lately<(), u8> = Lately::new(Duration::from_secs(60), 10);
        lately.recall(ID, 5, Time(1_000_000_000_000));
        assert_eq!(lately.find(ID, Time(1_060_000_000_000)).1, Some(&5));
        assert_eq!(lately.find(ID, Time(1_061_000_000_000)).1, None);
    }
}
