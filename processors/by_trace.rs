//! Maps by the low half of a trace id. Ids are random or made to look so by a stranger: a secret seed and one multiplication spread them well enough, at a fifth of what std's hash costs.

use crate::seed::Seed;
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher},
};

pub(crate) type ByTrace<V> = HashMap<u64, V, Mixing>;

/// Makes the hasher of a map.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mixing(Seed);

impl BuildHasher for Mixing {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(self.0.number())
    }
}

pub(crate) struct Mixed(u64);

impl Hasher for Mixed {
    fn write_u64(&mut self, number: u64) {
        // The golden ratio's digits: odd, and well spread.
        let product = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_that_differ_in_a_few_bits_fall_apart() {
        let seed = Mixing::default();
        let low = |hashes: &[u64]| hashes.iter().map(|hash| hash & 0xffff).collect::<HashSet<_>>().len();
        let high = |hashes: &[u64]| hashes.iter().map(|hash| hash >> 48).collect::<HashSet<_>>().len();
        for shift in [0, 8, 24, 40, 52] {
            let hashes: Vec<u64> = (0..4096_u64).map(|n| seed.hash_one(n << shift)).collect();
            assert!(low(&hashes) > 3_000 && high(&hashes) > 3_000, "shift {shift}: {} and {}", low(&hashes), high(&hashes));
        }
    }
}
