//! The promise that rides inside a flow. Processors never settle it: the last copy to be dropped does.

use smallvec::SmallVec;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

/// How what was promised ended. Where copies disagree the greatest recorded wins; nothing recorded is `Delivered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Where it should be, or discarded on purpose.
    #[default]
    Delivered,
    /// Refused for good by a sink; it is in the dead letters or counted as rejected.
    Rejected,
    /// Let go before there was an answer.
    Lost,
    /// Given back unsettled, because another owner reads it again (a Kafka partition that was revoked).
    Returned,
}

impl Outcome {
    const fn of(level: u8) -> Outcome {
        match level {
            0 => Outcome::Delivered,
            1 => Outcome::Rejected,
            2 => Outcome::Lost,
            _ => Outcome::Returned,
        }
    }
}

struct Promise {
    worst: AtomicU8,
    settle: Option<Box<dyn FnOnce(Outcome) + Send + Sync>>,
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(settle) = self.settle.take() {
            settle(Outcome::of(*self.worst.get_mut()));
        }
    }
}

fn address(promise: &Arc<Promise>) -> usize {
    Arc::as_ptr(promise).addr()
}

/// Copies of the promises that a flow carries; usually one, thousands for a trace that came in as many requests, so they are kept in order of address.
/// A clone is a copy, and dropping the last copy settles.
#[derive(Clone, Default)]
pub struct Ack(SmallVec<[Arc<Promise>; 1]>);

impl Ack {
    /// Promises nothing to anybody.
    #[must_use]
    pub fn none() -> Ack {
        Ack::default()
    }

    /// Whether it promises nothing to anybody.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls `settle` once, on the thread that drops the last copy; it must not block.
    #[must_use]
    pub fn new(settle: impl FnOnce(Outcome) + Send + Sync + 'static) -> Ack {
        let promise = Promise { worst: AtomicU8::new(0), settle: Some(Box::new(settle)) };
        Ack(SmallVec::from_iter([Arc::new(promise)]))
    }

    /// Copies of all promises that these carry, each once.
    #[must_use]
    pub fn of_all<'a>(acks: impl Iterator<Item = &'a Ack>) -> Ack {
        let mut all = Ack::default();
        acks.for_each(|ack| all.0.extend(ack.0.iter().cloned()));
        if all.0.len() > 1 {
            all.0.sort_by_key(address);
            all.0.dedup_by(|a, b| Arc::ptr_eq(a, b));
        }
        all
    }

    /// Remembers how one copy ended; a worse outcome recorded by another copy stays.
    pub fn record(&self, outcome: Outcome) {
        for promise in &self.0 {
            promise.worst.fetch_max(outcome as u8, Ordering::AcqRel);
        }
    }

    /// Takes over the promises of another flow that was merged into this one.
    pub fn absorb(&mut self, other: Ack) {
        if other.0.len() > 1 {
            self.0.extend(other.0);
            // Two runs: the sort only merges them.
            self.0.sort_by_key(address);
            self.0.dedup_by(|a, b| Arc::ptr_eq(a, b));
            return;
        }
        for promise in other.0 {
            if let Err(at) = self.0.binary_search_by_key(&address(&promise), address) {
                self.0.insert(at, promise);
            }
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ack({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicUsize;

    proptest! {
        #[test]
        fn whatever_is_merged_with_whatever_settles_each_promise_once(merges in prop::collection::vec(prop::collection::vec(0..12_usize, 1..6), 1..12)) {
            let settled: Vec<Arc<AtomicUsize>> = (0..12).map(|_| Arc::default()).collect();
            let promises: Vec<Ack> = settled.iter().map(|times| {
                let times = Arc::clone(times);
                Ack::new(move |_| _ = times.fetch_add(1, Ordering::SeqCst))
            }).collect();
            let mut all = Ack::none();
            for merge in &merges {
                let mut some = Ack::none();
                merge.iter().for_each(|n| some.absorb(promises[*n].clone()));
                all.absorb(some);
            }
            let mut given: Vec<usize> = merges.concat();
            given.sort_unstable();
            given.dedup();
            prop_assert_eq!(all.0.len(), given.len());
            let again = Ack::of_all(promises.iter().filter(|promise| given.contains(&promises.iter().position(|one| std::ptr::eq(one, *promise)).unwrap_or(99))));
            prop_assert_eq!(again.0.len(), given.len());
            drop(again);
            drop(promises);
            for (n, times) in settled.iter().enumerate() {
                prop_assert_eq!(times.load(Ordering::SeqCst), usize::from(!given.contains(&n)));
            }
            drop(all);
            prop_assert!(settled.iter().all(|times| times.load(Ordering::SeqCst) == 1));
        }
    }

    fn watched() -> (Ack, Arc<AtomicUsize>) {
        let seen = Arc::new(AtomicUsize::new(99));
        let tell = Arc::clone(&seen);
        (Ack::new(move |outcome| tell.store(outcome as usize, Ordering::SeqCst)), seen)
    }

    #[test]
    fn the_last_drop_settles_with_the_worst_outcome() {
        let (ack, seen) = watched();
        let copy = ack.clone();
        copy.record(Outcome::Lost);
        ack.record(Outcome::Rejected);
        drop(copy);
        assert_eq!(seen.load(Ordering::SeqCst), 99);
        drop(ack);
        assert_eq!(seen.load(Ordering::SeqCst), Outcome::Lost as usize);
    }

    #[test]
    fn nothing_recorded_is_delivered() {
        let (ack, seen) = watched();
        drop(ack);
        assert_eq!(seen.load(Ordering::SeqCst), Outcome::Delivered as usize);
    }

    #[test]
    fn absorbing_a_copy_of_the_same_promise_keeps_one() {
        let (mut ack, seen) = watched();
        ack.absorb(ack.clone());
        drop(ack);
        assert_eq!(seen.load(Ordering::SeqCst), Outcome::Delivered as usize);
    }
}
