//! Which records a consumer has in hand while it reads again what an earlier process left, noted in a small file beside the log: what ends the process is
//! known to the next one. What a process wrote outlives it without a sync; after a power cut nobody is to blame, and what notes are left then is chance.

use crate::disk::File;
use crate::folder::BLAME;
use crate::record::{eight, four};
use crate::saving::replace;
use crate::{Error, Log};
use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const MAGIC: &[u8; 8] = b"KANSOKUH";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 32;
const BLAMED_BYTES: usize = 16;
/// Records that may be blamed at a time; beyond it those found lately go.
const BLAMED_MAX: usize = 510;
/// Where the first hand begins.
const HANDS_AT: usize = 8 << 10;
const HAND_BYTES: usize = 256;
/// Records that one hand may name.
const HAND_MAX: usize = HAND_BYTES / 8 - 1;
/// Hands that are noted.
const HANDS_MAX: usize = 64;
const FILE_BYTES: usize = HANDS_AT + HANDS_MAX * HAND_BYTES;

/// The hands of one consumer, from its start until it has read again what was left, and which records earlier processes ended at.
pub struct Blame {
    log: Arc<Log>,
    consumer: String,
    /// Everything below was left by earlier processes.
    through: u64,
    file: Arc<dyn File>,
    blamed: BTreeMap<u64, u32>,
    over: AtomicBool,
    alone: Mutex<()>,
}

impl Log {
    /// Learns at which records of this consumer earlier processes ended, and notes from now on what it has in hand. `through`: the number after the last record that
    /// was left. None where everything was settled. Blocks.
    ///
    /// # Errors
    /// The disk takes no notes.
    pub fn blame(self: &Arc<Log>, consumer: &str, through: u64) -> Result<Option<Blame>, Error> {
        let cursor = self.cursor(consumer);
        if cursor >= through {
            return Ok(None);
        }
        let (disk, dir) = (&*self.shared.disk, &self.shared.dir);
        let path = dir.join(BLAME);
        let mut blamed =
            disk.read(&path, FILE_BYTES as u64).map_or_else(|_| BTreeMap::new(), |bytes| found(&bytes, self.id(), disk.boot()));
        blamed.retain(|sequence, _| (cursor..through).contains(sequence));
        while blamed.len() > BLAMED_MAX {
            blamed.pop_last();
        }
        let failed = |error| Error::disk("write", &path, error);
        let content = content(&blamed, self.id(), disk.boot());
        replace(disk, dir, BLAME, content.clone())
            .and_then(|()| disk.modify(&path))
            // Where a full disk has no place for a second file, in place.
            .or_else(|_| disk.modify(&path).and_then(|file| file.write_at(0, &content).and_then(|()| file.sync()).map(|()| file)))
            .map(|file| {
                let (log, consumer) = (Arc::clone(self), consumer.to_owned());
                Some(Blame { log, consumer, through, file, blamed, over: AtomicBool::new(false), alone: Mutex::new(()) })
            })
            .map_err(failed)
    }
}

impl Blame {
    /// The records at which processes ended, and how many did.
    #[must_use]
    pub fn blamed(&self) -> &BTreeMap<u64, u32> {
        &self.blamed
    }

    /// Whether everything that was left is settled: nothing has to be noted any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        if !self.over.load(Ordering::Relaxed) && self.log.cursor(&self.consumer) >= self.through {
            self.over.store(true, Ordering::Relaxed);
        }
        self.over.load(Ordering::Relaxed)
    }

    /// Where a record is blamed, one hand works at a time: so that no other is found in the company of the culprit twice.
    #[must_use]
    pub fn alone(&self) -> Option<MutexGuard<'_, ()>> {
        (!self.blamed.is_empty()).then(|| self.alone.lock())
    }

    /// A hand has these records now and may end the process with them. Blocks for as long as a write into the page cache does.
    pub fn note(&self, hand: usize, records: &[u64]) {
        if hand >= HANDS_MAX {
            return;
        }
        let mut note = BytesMut::with_capacity(HAND_BYTES);
        let noted = &records[..records.len().min(HAND_MAX)];
        note.put_u64_le(noted.len() as u64);
        noted.iter().for_each(|sequence| note.put_u64_le(*sequence));
        // A disk that fails is told by whoever waits for it.
        drop(self.file.write_at((HANDS_AT + hand * HAND_BYTES) as u64, &note));
    }
}

impl std::fmt::Debug for Blame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blame").field("through", &self.through).field("blamed", &self.blamed).finish_non_exhaustive()
    }
}

/// The whole file, with empty hands.
fn content(blamed: &BTreeMap<u64, u32>, id: u32, boot: u32) -> Bytes {
    let mut bytes = BytesMut::with_capacity(FILE_BYTES);
    bytes.put_slice(MAGIC);
    bytes.put_u16_le(VERSION);
    bytes.put_u16_le(u16::try_from(blamed.len()).unwrap_or(0));
    bytes.put_u32_le(id);
    let mut list = BytesMut::with_capacity(blamed.len() * BLAMED_BYTES);
    for (sequence, times) in blamed {
        list.put_u64_le(*sequence);
        list.put_u64_le(u64::from(*times));
    }
    bytes.put_u32_le(crc32c::crc32c_append(id, &list));
    bytes.put_u32_le(boot);
    bytes.resize(HEAD_BYTES, 0);
    bytes.put_slice(&list);
    bytes.resize(FILE_BYTES, 0);
    bytes.freeze()
}

/// Who was blamed before, and who was in a hand at the end unless the machine started anew since. Nobody where the file is damaged, of another log or of another version.
fn found(bytes: &[u8], id: u32, boot: u32) -> BTreeMap<u64, u32> {
    let mut blamed = BTreeMap::new();
    let known = bytes.len() == FILE_BYTES && bytes.starts_with(MAGIC) && bytes[8..10] == VERSION.to_le_bytes() && four(bytes, 12) == id;
    if !known {
        return blamed;
    }
    let count = usize::from(u16::from_le_bytes([bytes[10], bytes[11]])).min(BLAMED_MAX);
    let list = &bytes[HEAD_BYTES..HEAD_BYTES + count * BLAMED_BYTES];
    if crc32c::crc32c_append(id, list) == four(bytes, 16) {
        blamed.extend(list.chunks_exact(BLAMED_BYTES).map(|one| (eight(one, 0), u32::try_from(eight(one, 8)).unwrap_or(u32::MAX))));
    }
    let hands = if four(bytes, 20) == boot { &bytes[HANDS_AT..] } else { &[] };
    for hand in hands.chunks_exact(HAND_BYTES) {
        let count = usize::try_from(eight(hand, 0)).unwrap_or(0).min(HAND_MAX);
        let mut named: Vec<u64> = (1..=count).map(|at| eight(hand, at * 8)).collect();
        named.sort_unstable();
        named.dedup();
        for sequence in named {
            let times = blamed.entry(sequence).or_insert(0);
            *times = times.saturating_add(1);
        }
    }
    blamed
}
