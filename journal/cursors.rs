//! The cursor file: two slots written in turn and in place, so that moving on needs no space on a full disk (FORMAT.md). Pure.

use crate::record::{SEQUENCE_MAX, eight, four};
use std::collections::BTreeMap;

/// Bytes of one slot.
pub(crate) const SLOT_BYTES: usize = 16 << 10;
/// Bytes of the whole file.
pub(crate) const FILE_BYTES: usize = 2 * SLOT_BYTES;
const HEAD_BYTES: usize = 24;
const VERSION: u16 = 1;

/// By consumer: every sequence below is settled.
pub(crate) type Marks = BTreeMap<String, u64>;

/// What a cursor file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    /// The newest valid slot.
    Marks { generation: u64, marks: Marks },
    /// A newer kansoku wrote it.
    Newer { version: u16 },
    /// Neither slot is whole.
    Damaged,
}

/// Where in the file the slot of a generation lies.
pub(crate) fn slot_offset(generation: u64) -> u64 {
    (generation % 2) * SLOT_BYTES as u64
}

/// The content of a slot; `None` when the cursors do not fit.
pub(crate) fn encode(id: u32, generation: u64, marks: &Marks) -> Option<Vec<u8>> {
    let mut out = vec![0; HEAD_BYTES];
    for (name, through) in marks {
        out.push(u8::try_from(name.len()).ok()?);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&through.to_le_bytes());
    }
    if out.len() > SLOT_BYTES {
        return None;
    }
    let length = u32::try_from(out.len()).ok()?;
    out[4..8].copy_from_slice(&length.to_le_bytes());
    out[8..10].copy_from_slice(&VERSION.to_le_bytes());
    out[10..12].copy_from_slice(&u16::try_from(marks.len()).ok()?.to_le_bytes());
    out[16..24].copy_from_slice(&generation.to_le_bytes());
    let sum = crc32c::crc32c_append(id, &out[4..]);
    out[..4].copy_from_slice(&sum.to_le_bytes());
    Some(out)
}

/// Reads both slots and takes the newer.
pub(crate) fn decode(id: u32, file: &[u8]) -> Saved {
    let mut best = Saved::Damaged;
    for slot in file.chunks(SLOT_BYTES).take(2) {
        match slot_content(id, slot) {
            Saved::Newer { version } => return Saved::Newer { version },
            Saved::Damaged => {}
            Saved::Marks { generation, marks } => {
                if !matches!(best, Saved::Marks { generation: other, .. } if other > generation) {
                    best = Saved::Marks { generation, marks };
                }
            }
        }
    }
    best
}

fn slot_content(id: u32, slot: &[u8]) -> Saved {
    let length = four(slot, 4) as usize;
    let Some(content) = slot.get(..length).filter(|_| length >= HEAD_BYTES) else { return Saved::Damaged };
    if crc32c::crc32c_append(id, &content[4..]) != four(content, 0) {
        return Saved::Damaged;
    }
    let version = u16::from_le_bytes([content[8], content[9]]);
    if version != VERSION {
        return Saved::Newer { version };
    }
    let mut marks = Marks::new();
    let mut rest = &content[HEAD_BYTES..];
    while let Some((name_bytes, after)) = rest.split_first() {
        let name_bytes = usize::from(*name_bytes);
        let (Some(name), Some(_)) = (after.get(..name_bytes), after.get(name_bytes..name_bytes + 8)) else { return Saved::Damaged };
        let Ok(name) = std::str::from_utf8(name) else { return Saved::Damaged };
        let through = eight(after, name_bytes);
        if through > SEQUENCE_MAX {
            return Saved::Damaged;
        }
        marks.insert(name.to_owned(), through);
        rest = &after[name_bytes + 8..];
    }
    let generation = eight(content, 16);
    if generation > SEQUENCE_MAX { Saved::Damaged } else { Saved::Marks { generation, marks } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(slots: [(u64, &Marks); 2]) -> Vec<u8> {
        let mut file = vec![0; FILE_BYTES];
        for (generation, marks) in slots {
            let at = usize::try_from(slot_offset(generation)).unwrap();
            let content = encode(9, generation, marks).unwrap();
            file[at..at + content.len()].copy_from_slice(&content);
        }
        file
    }

    proptest! {
        #[test]
        fn a_torn_slot_leaves_the_one_before(old in prop::collection::btree_map("[a-z_/0-9]{0,40}", 0..=SEQUENCE_MAX, 0..20), new in prop::collection::btree_map("[a-z]{0,40}", 0..=SEQUENCE_MAX, 1..20), damaged in any::<prop::sample::Index>()) {
            let mut bytes = file([(4, &old), (5, &new)]);
            prop_assert_eq!(decode(9, &bytes), Saved::Marks { generation: 5, marks: new.clone() });
            let content = encode(9, 5, &new).unwrap();
            bytes[SLOT_BYTES + damaged.index(content.len())] ^= 0x10;
            prop_assert_eq!(decode(9, &bytes), Saved::Marks { generation: 4, marks: old });
            prop_assert_eq!(decode(8, &bytes), Saved::Damaged);
        }

        #[test]
        fn whatever_lies_in_a_slot_is_read_without_panic(name_bytes in any::<u8>(), rest in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut slot = vec![0; HEAD_BYTES];
            slot[8] = 1;
            slot.push(name_bytes);
            slot.extend(rest);
            let length = u32::try_from(slot.len()).unwrap();
            slot[4..8].copy_from_slice(&length.to_le_bytes());
            let sum = crc32c::crc32c_append(9, &slot[4..]);
            slot[..4].copy_from_slice(&sum.to_le_bytes());
            decode(9, &slot);
        }
    }

    #[test]
    fn cursors_that_do_not_fit_are_not_written() {
        let many: Marks = (0..2000).map(|n| (format!("consumer {n}"), n)).collect();
        assert_eq!(encode(9, 1, &many), None);
        assert_eq!(encode(9, 1, &Marks::from([("x".repeat(256), 1)])), None);
    }
}
