//! Writing protobuf's wire format.

use super::{BYTES, FIXED64, VARINT};

/// Bytes that a varint takes.
pub(crate) const fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Appends a varint.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a tag: the field's number and the wire type.
#[inline]
pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, kind: u32) {
    put_varint(out, u64::from(number << 3 | kind));
}

/// Appends a varint field, zero too.
pub(crate) fn put_uint(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, VARINT);
    put_varint(out, value);
}

/// Appends a `fixed64`, `sfixed64` or `double` field, zero too.
pub(crate) fn put_fixed64(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a length-delimited field, empty or not.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    put_tag(out, number, BYTES);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// A message that is being written and whose length is not known yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Where its tag starts: truncating to here takes it back.
    pub(crate) tag: usize,
    /// Where its length is to stand.
    length: usize,
    /// Bytes kept free for the length.
    width: usize,
}

/// Begins a message of about `expected` bytes; the nearer the guess, the less `close` has to move.
#[inline]
pub(crate) fn open(out: &mut Vec<u8>, number: u32, expected: usize) -> Slot {
    let tag = out.len();
    put_tag(out, number, BYTES);
    let slot = Slot { tag, length: out.len(), width: varint_len(expected as u64) };
    out.resize(slot.length + slot.width, 0);
    slot
}

/// Writes the length of a message that now ends where `out` ends.
#[inline]
pub(crate) fn close(out: &mut Vec<u8>, slot: Slot) {
    let start = slot.length + slot.width;
    let length = out.len().saturating_sub(start);
    let width = varint_len(length as u64);
    if width != slot.width {
        out.resize(slot.length + width.max(slot.width) + length, 0);
        out.copy_within(start..start + length, slot.length + width);
        out.truncate(slot.length + width + length);
    }
    let mut rest = length as u64;
    for (i, byte) in out.iter_mut().skip(slot.length).take(width).enumerate() {
        *byte = if i + 1 < width { rest as u8 | 0x80 } else { rest as u8 };
        rest >>= 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Wire, field, varint};

    #[test]
    fn a_varint_is_read_as_it_was_written() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value));
            assert_eq!(varint(&out, 0), Ok((value, out.len())));
        }
    }

    #[test]
    fn a_message_gets_its_length_whatever_was_guessed() {
        for guess in [0, 100, 200, 20_000] {
            for length in [0, 5, 127, 128, 20_000] {
                let mut out = vec![9];
                let slot = open(&mut out, 2, guess);
                out.resize(out.len() + length, 7);
                close(&mut out, slot);
                let field = field(&out, 1).unwrap();
                assert_eq!((field.number, field.end), (2, out.len()));
                assert!(matches!(field.value, Wire::Bytes(b) if b == vec![7; length]));
            }
        }
    }
}
