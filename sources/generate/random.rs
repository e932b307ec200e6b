//! Chance that repeats itself: SplitMix64 (Steele, Lea, Flood 2014).

/// A stream of numbers that follows from its seed.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0, below 1.
    pub(super) fn share(&mut self) -> f64 {
        // 53 bits are what a double holds.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `low` to `high`, both possible.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high.saturating_sub(low) + 1)
    }

    /// One of the list, which must not be empty.
    pub(super) fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.next() % list.len().max(1) as u64).unwrap_or_default();
        list.get(at).copied().unwrap_or_default()
    }

    /// Never all zero, as OTLP demands of ids.
    pub(super) fn span_id(&mut self) -> Vec<u8> {
        (self.next() | 1).to_be_bytes().to_vec()
    }

    pub(super) fn trace_id(&mut self) -> Vec<u8> {
        [self.next().to_be_bytes(), (self.next() | 1).to_be_bytes()].concat()
    }
}
