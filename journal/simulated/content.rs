//! The bytes of one simulated file: as everybody reads them, as they are on the platter, and the changes between the two.

use bytes::Bytes;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// Whether something that was not synced happened all the same.
pub(super) struct Chance(Option<u64>);

impl Chance {
    pub(super) fn never() -> Chance {
        Chance(None)
    }

    pub(super) fn seeded(seed: u64) -> Chance {
        Chance(Some(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// A number below `below`; 0 where nothing happens.
    fn below(&mut self, below: u64) -> u64 {
        let Some(state) = &mut self.0 else { return 0 };
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) % below.max(1)
    }

    pub(super) fn happens(&mut self) -> bool {
        self.below(2) == 1
    }
}

enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Cut(u64),
}

#[derive(Default)]
pub(super) struct Content {
    cached: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

impl Content {
    pub(super) fn bytes(&self) -> u64 {
        self.cached.len() as u64
    }

    pub(super) fn read(&self, offset: u64, bytes: usize) -> Bytes {
        let from = index(offset).min(self.cached.len());
        let to = from.saturating_add(bytes).min(self.cached.len());
        Bytes::copy_from_slice(&self.cached[from..to])
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        write(&mut self.cached, offset, bytes);
        self.pending.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn cut(&mut self, bytes: u64) {
        self.cached.resize(index(bytes), 0);
        self.pending.push(Change::Cut(bytes));
    }

    /// A failed sync forgets the changes: they stay in the cache, never reach the platter, and the next sync does not know of them.
    pub(super) fn sync(&mut self, failing: bool) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                _ if failing => {}
                Change::Write { offset, bytes } => write(&mut self.durable, offset, &bytes),
                Change::Cut(bytes) => self.durable.resize(index(bytes), 0),
            }
        }
    }

    pub(super) fn crash(&mut self, chance: &mut Chance) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Cut(bytes) if chance.happens() => self.durable.resize(index(bytes), 0),
                Change::Cut(_) => {}
                Change::Write { offset, bytes } => tear(&mut self.durable, offset, &bytes, chance),
            }
        }
        self.cached = self.durable.clone();
    }

    /// Changes the cache, and the platter where it holds the same bytes.
    pub(super) fn damage(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let before = self.cached.clone();
        change(&mut self.cached);
        self.durable.truncate(self.cached.len());
        for ((durable, before), after) in self.durable.iter_mut().zip(before).zip(&self.cached) {
            if before != *after {
                *durable = *after;
            }
        }
    }
}

/// Writes some of the sectors of a write.
fn tear(to: &mut Vec<u8>, offset: u64, bytes: &[u8], chance: &mut Chance) {
    let (mut at, mut rest) = (offset, bytes);
    // Most writes get wholly there or not at all; one in four is torn.
    let whole = chance.happens();
    let torn = chance.below(4) == 1;
    while !rest.is_empty() {
        let sector = index(SECTOR_BYTES - at % SECTOR_BYTES).min(rest.len());
        if if torn { chance.happens() } else { whole } {
            write(to, at, &rest[..sector]);
        }
        at += sector as u64;
        rest = &rest[sector..];
    }
}

fn write(to: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let from = index(offset);
    if to.len() < from + bytes.len() {
        to.resize(from + bytes.len(), 0);
    }
    to[from..from + bytes.len()].copy_from_slice(bytes);
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
