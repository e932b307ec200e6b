//! What tells one series from another: which of a processor's families it is of, and the values of that family's labels.

use crate::seed::Seed;
use std::hash::{BuildHasher, Hasher};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of a label's value that are kept; a longer one is cut.
const VALUE_BYTES_MAX: usize = 512;
/// Stands in the place of the values of the series that takes what there is no room for.
const OVERFLOW: [u8; 2] = [0xff; 2];

/// The family, then each value behind its length.
#[derive(Debug, Default)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    /// Begins anew.
    pub(crate) fn begin(&mut self, family: u8) {
        self.0.clear();
        self.0.push(family);
    }

    /// The value of the next label; empty for none.
    pub(crate) fn push(&mut self, value: &str) {
        let value = value.get(..value.floor_char_boundary(VALUE_BYTES_MAX)).unwrap_or_default();
        let length = u16::try_from(value.len()).unwrap_or(0);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The key of the one series of a family that takes what there is no room for.
pub(super) fn overflow(family: u8) -> [u8; 3] {
    [family, OVERFLOW[0], OVERFLOW[1]]
}

/// The family of a key.
pub(super) fn family(key: &[u8]) -> usize {
    key.first().copied().map_or(0, usize::from)
}

/// The values of a key; none for the series of what there was no room for.
pub(super) fn values(key: &[u8]) -> Option<Vec<&str>> {
    let mut rest = key.get(1..).unwrap_or_default();
    if rest == OVERFLOW {
        return None;
    }
    let mut values = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (value, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        values.push(std::str::from_utf8(value).unwrap_or_default());
        rest = after;
    }
    Some(values)
}

/// Hashes keys, which strangers write, with a secret.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Secret(Seed);

impl BuildHasher for Secret {
    type Hasher = Hashing;

    fn build_hasher(&self) -> Hashing {
        Hashing(self.0.number())
    }
}

pub(crate) struct Hashing(u64);

impl Hasher for Hashing {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// A slice's length, which its bytes tell as well.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_values_of_a_key_are_those_that_were_put_in(family_number in 0..4_u8, put in prop::collection::vec("\\PC{0,40}", 0..6)) {
            let mut key = Key::default();
            key.begin(family_number);
            put.iter().for_each(|value| key.push(value));
            prop_assert_eq!(family(key.bytes()), usize::from(family_number));
            prop_assert_eq!(values(key.bytes()).unwrap(), put);
        }
    }

    #[test]
    fn a_long_value_is_cut_between_two_characters() {
        let mut key = Key::default();
        key.begin(0);
        key.push(&"é".repeat(400));
        key.push("next");
        assert_eq!(values(key.bytes()).unwrap(), ["é".repeat(256).as_str(), "next"]);
        assert_eq!(values(&overflow(3)), None);
    }
}
