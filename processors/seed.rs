//! What a table of things that strangers name is hashed with, so that nobody can choose names that fall together.

use std::hash::{BuildHasher, RandomState};

/// A secret number, drawn anew for each table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(u64);

impl Default for Seed {
    fn default() -> Seed {
        Seed(RandomState::new().hash_one(0_u64))
    }
}

impl Seed {
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}
