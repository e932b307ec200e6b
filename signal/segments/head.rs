//! What stands before a record in its segment: who has it, what stands around it, and where the one before it of the same owner lies.

use super::{Note, Under};

/// Bytes of a head.
pub(super) const HEAD_BYTES: usize = 48;
/// The owner of a record that was let go.
pub(super) const NOBODY: u32 = u32::MAX;

const OWNER: usize = 8;

/// Where a head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) at: u32,
}

impl Place {
    pub(super) const NOWHERE: Place = Place { segment: u32::MAX, at: 0 };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Looking back, so that a record that comes does not touch the one that came last.
    pub(super) before: Place,
    pub(super) under: Under,
    /// Of the record behind it.
    pub(super) length: u32,
    pub(super) note: Note,
}

impl Head {
    pub(super) fn put(&self, to: &mut Vec<u8>) {
        let Note { owner, source, ordinal, flags, span, parent } = self.note;
        let mut head = [0; HEAD_BYTES];
        let words = [self.before.segment, self.before.at, owner, self.under.0, self.length, source, ordinal, flags];
        let (short, long) = head.split_at_mut(32);
        short.as_chunks_mut().0.iter_mut().zip(words).for_each(|(four, word)| *four = word.to_le_bytes());
        long.as_chunks_mut().0.iter_mut().zip([span, parent]).for_each(|(eight, id)| *eight = id.to_le_bytes());
        to.extend_from_slice(&head);
    }

    #[inline]
    pub(super) fn read(bytes: &[u8], at: u32) -> Option<Head> {
        let head: &[u8; HEAD_BYTES] = bytes.get(at as usize..)?.first_chunk()?;
        let (short, long) = head.split_at(32);
        let [segment, at, owner, under, length, source, ordinal, flags] = *short.as_chunks::<4>().0 else { return None };
        let [span, parent] = *long.as_chunks::<8>().0 else { return None };
        let word = u32::from_le_bytes;
        let (span, parent) = (u64::from_le_bytes(span), u64::from_le_bytes(parent));
        let note = Note { owner: word(owner), source: word(source), ordinal: word(ordinal), flags: word(flags), span, parent };
        Some(Head { before: Place { segment: word(segment), at: word(at) }, under: Under(word(under)), length: word(length), note })
    }

    /// The record before it of the same owner lies there.
    pub(super) fn set_before(bytes: &mut [u8], at: u32, before: Place) {
        set(bytes, at as usize, before.segment);
        set(bytes, at as usize + 4, before.at);
    }

    pub(super) fn set_owner(bytes: &mut [u8], at: u32, owner: u32) {
        set(bytes, at as usize + OWNER, owner);
    }
}

fn set(bytes: &mut [u8], at: usize, word: u32) {
    if let Some(four) = bytes.get_mut(at..at + 4) {
        four.copy_from_slice(&word.to_le_bytes());
    }
}
