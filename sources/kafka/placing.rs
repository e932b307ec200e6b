//! How writers place keys in partitions, for each of the three ways that are in use, so that whoever reads a partition sees whether a key belongs there.

/// A way to place keys, by the name that `partitioner` of a sink has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placing {
    /// As Java clients do (`Utils.murmur2` of Apache Kafka).
    Murmur2,
    /// As Sarama, and so the Collector, did first.
    Fnv1a,
    /// As librdkafka does (`consistent`).
    Crc32,
}

impl Placing {
    pub(super) const ALL: [Placing; 3] = [Placing::Murmur2, Placing::Fnv1a, Placing::Crc32];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Placing::Murmur2 => "murmur2",
            Placing::Fnv1a => "fnv1a",
            Placing::Crc32 => "crc32",
        }
    }

    /// The partition of a key among so many.
    pub(super) fn place(self, key: &[u8], partitions: usize) -> i32 {
        let hash = match self {
            Placing::Murmur2 => murmur2(key) & 0x7fff_ffff,
            Placing::Fnv1a => fnv1a(key).cast_signed().unsigned_abs(),
            Placing::Crc32 => crc32fast::hash(key),
        };
        // What is left is less than Kafka's own number of partitions, an `i32`.
        let partitions = u32::try_from(partitions).unwrap_or(u32::MAX).max(1);
        i32::try_from(hash % partitions).unwrap_or(i32::MAX)
    }
}

fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ u32::try_from(key.len()).unwrap_or(u32::MAX);
    let (fours, rest) = key.as_chunks::<4>();
    for four in fours {
        let k = u32::from_le_bytes(*four).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (k ^ (k >> 24)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |last, byte| last << 8 | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

fn fnv1a(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_clients() {
        // Apache Kafka, UtilsTest.testMurmur2.
        let java = [("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536), ("abc", 479_470_107)];
        for (key, hash) in java {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
        // draft-eastlake-fnv, appendix C.
        assert_eq!((fnv1a(b""), fnv1a(b"a"), fnv1a(b"foobar")), (0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968));
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    }
}
