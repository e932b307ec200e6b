//! Something for each key, for a bounded number of them: what comes in too many kinds shares one.

use std::collections::HashMap;

/// Values by the hash of a key.
#[derive(Debug)]
pub(super) struct ByKey<V> {
    known: HashMap<u64, V>,
    keys_max: usize,
}

/// Under it are all keys beyond the bound.
const SHARED: u64 = 0;

impl<V> ByKey<V> {
    /// For so many keys, and one for all others.
    pub(super) fn new(keys_max: usize) -> ByKey<V> {
        ByKey { known: HashMap::new(), keys_max }
    }

    /// The value of a key, made by `make` where there is none. Where there is no room, those that are idle go first.
    pub(super) fn of(&mut self, key: u64, idle: impl Fn(&V) -> bool, make: impl FnOnce() -> V) -> &mut V {
        if self.known.len() >= self.keys_max && !self.known.contains_key(&key) {
            self.known.retain(|_, value| !idle(value));
        }
        let full = self.known.len() >= self.keys_max && !self.known.contains_key(&key);
        self.known.entry(if full { SHARED } else { key }).or_insert_with(make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_beyond_the_bound_share_one_value() {
        let mut counts = ByKey::new(10);
        for key in 1..=100_u64 {
            *counts.of(key, |_| false, || 0) += 1;
        }
        assert_eq!((counts.known.len(), counts.known[&1], counts.known[&SHARED]), (11, 1, 90));
    }

    #[test]
    fn an_idle_key_makes_room() {
        let mut counts = ByKey::new(2);
        for key in [1, 2, 3] {
            *counts.of(key, |count| *count == 1, || 0) += 1;
        }
        assert_eq!(counts.known.keys().collect::<Vec<_>>(), [&3]);
    }
}
