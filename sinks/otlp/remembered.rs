//! Which gateway has a trace: of those sent lately, so that an open trace stays where it is when gateways come and go.

use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// What one trace takes in a table that has just grown.
const TRACE_BYTES: usize = 40;
/// In each of two generations.
const TRACES_MAX: usize = 1 << 19;
const TRACES_MIN: usize = 1 << 10;

/// Two generations of so many traces: what is asked for lives on in the newer one, and the older one is let go when the newer one is so old.
pub(super) struct Remembered {
    length: Duration,
    traces_max: usize,
    turned: Instant,
    young: HashMap<u64, u32>,
    old: HashMap<u64, u32>,
}

impl Remembered {
    pub(super) fn new(length: Duration, bytes_max: usize) -> Remembered {
        let traces_max = (bytes_max / (2 * TRACE_BYTES)).clamp(TRACES_MIN, TRACES_MAX);
        Remembered { length, traces_max, turned: Instant::now(), young: HashMap::new(), old: HashMap::new() }
    }

    /// How long a trace is remembered at the least.
    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// The gateway that has it.
    pub(super) fn get(&mut self, trace: u64) -> Option<u32> {
        self.turn();
        if let Some(gateway) = self.young.get(&trace) {
            return Some(*gateway);
        }
        let gateway = self.old.get(&trace).copied()?;
        if self.young.len() < self.traces_max {
            self.young.insert(trace, gateway);
        }
        Some(gateway)
    }

    /// Whether there was room to remember it.
    pub(super) fn put(&mut self, trace: u64, gateway: u32) -> bool {
        self.turn();
        let room = self.young.len() < self.traces_max || self.young.contains_key(&trace);
        if room {
            self.young.insert(trace, gateway);
        }
        room
    }

    /// Goes on with what another knew.
    pub(super) fn take_over(&mut self, other: &mut Remembered) {
        (self.young, self.old) = (std::mem::take(&mut other.young), std::mem::take(&mut other.old));
        self.turned = other.turned;
    }

    fn turn(&mut self) {
        if self.turned.elapsed() < self.length {
            return;
        }
        // After a silence of two generations nothing of either is left.
        let silent = self.turned.elapsed() >= 2 * self.length;
        self.turned = Instant::now();
        let young = std::mem::take(&mut self.young);
        self.old = if silent { HashMap::new() } else { young };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_trace_is_remembered_as_long_as_it_is_asked_for_and_so_long_after() {
        let length = Duration::from_secs(30);
        let mut remembered = Remembered::new(length, 1 << 20);
        assert!(remembered.put(1, 7) && remembered.put(2, 8));
        for _ in 0..10 {
            advance(length).await;
            assert_eq!(remembered.get(1), Some(7));
        }
        assert_eq!(remembered.get(2), None);
        advance(2 * length).await;
        assert_eq!(remembered.get(1), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_has_its_end_and_what_is_in_it_stays() {
        let mut remembered = Remembered::new(Duration::from_secs(30), 0);
        let fitted = (0..10_000).filter(|trace| remembered.put(*trace, 1)).count();
        assert_eq!(fitted, TRACES_MIN);
        assert!(remembered.put(0, 2), "what is known may change");
        assert_eq!((remembered.get(0), remembered.get(9_999)), (Some(2), None));
    }
}
