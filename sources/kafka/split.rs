//! Traces of which parts come in two partitions: whoever writes them places equal keys in different ways. Such a trace never meets, so it is told. One key in
//! sixteen is watched.

use parking_lot::Mutex;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// One key in so many.
const ONE_IN: u64 = 16;
/// Keys remembered in each of two generations.
const KEYS_MAX: usize = 1 << 14;
/// The digits of a trace id.
const KEY_BYTES: usize = 32;

/// In which partition keys came lately, for all partitions of a topic that this process has.
#[derive(Debug, Default)]
pub(super) struct Splits(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    now: HashMap<u64, i32>,
    before: HashMap<u64, i32>,
}

impl Splits {
    /// A message came; the other partition in which one with its key did.
    pub(super) fn other(&self, key: &[u8], partition: i32) -> Option<i32> {
        let is_id = key.len() == KEY_BYTES && key.iter().all(u8::is_ascii_hexdigit);
        let hash = is_id.then(|| xxh3_64(key)).filter(|hash| hash.is_multiple_of(ONE_IN))?;
        let mut state = self.0.lock();
        let known = state.now.get(&hash).or_else(|| state.before.get(&hash)).copied();
        if state.now.len() >= KEYS_MAX {
            state.before = std::mem::take(&mut state.now);
        }
        state.now.insert(hash, partition);
        known.filter(|other| *other != partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_come_in_two_partitions_are_told_and_others_are_not() {
        let splits = Splits::default();
        let told = |n: u64, partition| splits.other(format!("{n:032x}").as_bytes(), partition).is_some();
        assert!(!(0..1_000).any(|n| told(n, 1) || told(n, 1)));
        let split = (0..1_000).filter(|n| told(*n, 2)).count();
        assert!((20..200).contains(&split), "one in sixteen is watched: {split}");
        assert!(!(0..200_000).any(|n| splits.other(format!("batch {n}").as_bytes(), n % 3).is_some()));
        (1_000..1_000_000).for_each(|n| _ = told(n, 3));
        let state = splits.0.lock();
        assert!(state.now.len() + state.before.len() <= 2 * KEYS_MAX);
    }
}
