//! What was decided of late, for whoever asks why a trace is not there. Also what was decided before a restart, as far as the journal still has it.

use crate::Pool;
use parking_lot::Mutex;
use signal::Decision;
use std::{collections::VecDeque, convert::Infallible, sync::Arc};

/// Allocated for a decision: itself; the names in it are shared.
const DECISION_BYTES: usize = size_of::<Decision>();
/// Share of the memory budget that goes into them, and its bounds.
const OF_BUDGET: u64 = 128;
const BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=16 << 20;

/// The last decisions of all lanes; the oldest go first.
#[derive(Debug)]
pub struct Decisions {
    last: Mutex<VecDeque<Decision>>,
    decisions_max: usize,
}

impl Decisions {
    /// Those of the pool: one for all graphs, one after the other.
    pub(crate) fn shared(pool: &Pool, budget_bytes: u64) -> Arc<Decisions> {
        let make = || Ok::<_, Infallible>(Arc::new(Decisions::new(budget_bytes)));
        pool.get_or("", make).unwrap_or_else(|never| match never {})
    }

    /// Nothing decided yet, and room for as many as such a memory budget allows.
    #[must_use]
    pub fn new(budget_bytes: u64) -> Decisions {
        let bytes = (budget_bytes / OF_BUDGET).clamp(*BYTES.start(), *BYTES.end());
        Decisions { last: Mutex::default(), decisions_max: usize::try_from(bytes).unwrap_or(0) / DECISION_BYTES }
    }

    /// Remembers what was just decided.
    pub fn note(&self, decisions: impl IntoIterator<Item = Decision>) {
        let mut last = self.last.lock();
        for decision in decisions {
            if last.len() >= self.decisions_max {
                last.pop_front();
            }
            last.push_back(decision);
        }
    }

    /// What was decided about traces whose id begins with these hex digits, the latest first; so many at the most.
    #[must_use]
    pub fn about(&self, digits: &str, decisions_max: usize) -> Vec<Decision> {
        let last = self.last.lock();
        let about = |decision: &&Decision| decision.trace_id.to_string().starts_with(digits);
        last.iter().rev().filter(about).take(decisions_max).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal::{Time, TraceId};

    fn decision(n: u64) -> Decision {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        Decision {
            trace_id: TraceId(id),
            threshold: Decision::DROP,
            node: "kept".into(),
            rule: "rest".into(),
            through: None,
            pinned: false,
            at: Time(n),
            randomness: None,
        }
    }

    #[test]
    fn the_last_are_known_and_found_by_the_first_digits_of_the_id() {
        let decisions = Decisions::new(0);
        let all = u64::try_from(decisions.decisions_max).unwrap() + 10;
        decisions.note((0..all).map(decision));
        assert_eq!(decisions.about("0000000000000009", 5).len(), 0, "it made room for others");
        let found = decisions.about("000000000000000a0707", 5);
        assert_eq!(found.iter().map(|decision| decision.at).collect::<Vec<_>>(), [Time(10)]);
        assert_eq!(decisions.about("", 3).first().map(|decision| decision.at), Some(Time(all - 1)));
    }
}
