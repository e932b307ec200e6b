//! Protobuf's wire format: varints, tags, fields, and (in `wire/write.rs`) the writers for them.
//! One reader serves both sides: `field` tells what is broken (for `check`), `Fields` ends there (over `Checked` bytes nothing is broken).

mod write;

pub(crate) use write::{Slot, close, open, put_bytes, put_fixed64, put_tag, put_uint, put_varint, varint_len};

/// A field's value as the wire has it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl Wire<'_> {
    /// The number on the wire that says which of them it is.
    pub(crate) const fn kind(&self) -> u32 {
        match self {
            Wire::Varint(_) => VARINT,
            Wire::Fixed64(_) => FIXED64,
            Wire::Bytes(_) => BYTES,
            Wire::Fixed32(_) => FIXED32,
        }
    }
}

pub(crate) const VARINT: u32 = 0;
pub(crate) const FIXED64: u32 = 1;
pub(crate) const BYTES: u32 = 2;
pub(crate) const FIXED32: u32 = 5;

/// A field: where its tag starts and where its value ends, in the bytes it was read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) value: Wire<'a>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What is wrong with the wire format, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

/// The varint at `at` and the position behind it. At most ten bytes that hold 64 bits; need not be minimal.
#[inline(always)]
pub(crate) fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), Broken> {
    match bytes.get(at..) {
        Some([byte @ ..0x80, ..]) => Ok((u64::from(*byte), at + 1)),
        Some([low, high @ ..0x80, ..]) => Ok((u64::from(*low & 0x7f) | u64::from(*high) << 7, at + 2)),
        _ => long_varint(bytes, at),
    }
}

#[inline(never)]
fn long_varint(bytes: &[u8], at: usize) -> Result<(u64, usize), Broken> {
    let mut value = 0;
    for (i, &byte) in bytes.get(at..).unwrap_or_default().iter().take(10).enumerate() {
        if i == 9 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok((value, at + i + 1));
        }
    }
    let what = if bytes.len().saturating_sub(at) < 10 { "the bytes end within a number" } else { "a number of more than 64 bits" };
    Err(Broken { at, what })
}

/// The field whose tag is at `at`. Groups, field number zero and wire types 6 and 7 are refused.
#[inline(always)]
pub(crate) fn field(bytes: &[u8], at: usize) -> Result<Field<'_>, Broken> {
    let (tag, after) = varint(bytes, at)?;
    let Ok(tag) = u32::try_from(tag) else { return Err(Broken { at, what: "a field number out of range" }) };
    if tag < 8 {
        return Err(Broken { at, what: "field number zero" });
    }
    // By bits: a jump to one of many places is foreseen much worse than two branches.
    let kind = tag & 7;
    let (value, end) = if kind & 2 != 0 {
        if kind != BYTES {
            return Err(not_a_kind(at, kind));
        }
        let (length, start) = varint(bytes, after)?;
        let content = usize::try_from(length).ok().and_then(|length| bytes.get(start..start.checked_add(length)?));
        match content {
            Some(content) => (Wire::Bytes(content), start + content.len()),
            None => return Err(Broken { at, what: "a length that goes beyond the end" }),
        }
    } else if kind & 4 != 0 {
        if kind != FIXED32 {
            return Err(not_a_kind(at, kind));
        }
        match bytes.get(after..).and_then(|rest| rest.first_chunk()) {
            Some(four) => (Wire::Fixed32(u32::from_le_bytes(*four)), after + 4),
            None => return Err(Broken { at, what: "the bytes end within a 32-bit field" }),
        }
    } else if kind == FIXED64 {
        match bytes.get(after..).and_then(|rest| rest.first_chunk()) {
            Some(eight) => (Wire::Fixed64(u64::from_le_bytes(*eight)), after + 8),
            None => return Err(Broken { at, what: "the bytes end within a 64-bit field" }),
        }
    } else {
        let (value, end) = varint(bytes, after)?;
        (Wire::Varint(value), end)
    };
    Ok(Field { number: tag >> 3, value, start: at, end })
}

#[cold]
fn not_a_kind(at: usize, kind: u32) -> Broken {
    Broken { at, what: if matches!(kind, 3 | 4) { "a group, which OTLP does not have" } else { "an unknown wire type" } }
}

/// The fields of a message, in written order. Positions count from the start of `bytes`, so a message within another can be read with the outer one's positions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Of a whole message.
    #[inline]
    pub(crate) fn of(bytes: &'a [u8]) -> Fields<'a> {
        Fields { bytes, at: 0 }
    }

    /// Of the message at `start..end` of `bytes`.
    #[inline]
    pub(crate) fn within(bytes: &'a [u8], start: usize, end: usize) -> Fields<'a> {
        Fields { bytes: bytes.get(..end).unwrap_or_default(), at: start }
    }

    /// Where the next field starts, or what is left is broken.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The next length-delimited field of this number and its content; others are passed over.
    #[inline(always)]
    pub(crate) fn next_bytes(&mut self, number: u32) -> Option<(Field<'a>, &'a [u8])> {
        let wanted = u8::try_from(number << 3 | BYTES).unwrap_or(u8::MAX);
        loop {
            // What most fields are: a tag and a length of one byte each, or numbers.
            let start = self.at;
            match self.bytes.get(start..)? {
                [tag @ ..0x80, length @ ..0x80, rest @ ..] if u32::from(*tag) & 7 == BYTES => {
                    let content = rest.get(..usize::from(*length))?;
                    self.at = start + 2 + content.len();
                    if *tag == wanted {
                        return Some((Field { number, value: Wire::Bytes(content), start, end: self.at }, content));
                    }
                }
                [tag @ ..0x80, ..] if u32::from(*tag) & 7 == FIXED64 => self.at = start + 9,
                [tag @ ..0x80, ..0x80, ..] if u32::from(*tag) & 7 == VARINT => self.at = start + 2,
                _ => {
                    let field = self.next()?;
                    if let Wire::Bytes(content) = field.value
                        && field.number == number
                    {
                        return Some((field, content));
                    }
                }
            }
        }
    }

    /// The content of the next field, if its tag is this one byte and its length another.
    #[inline(always)]
    pub(crate) fn next_short(&mut self, expected: u8) -> Option<&'a [u8]> {
        match self.bytes.get(self.at..) {
            Some([tag, length @ ..0x80, rest @ ..]) if *tag == expected => {
                let content = rest.get(..usize::from(*length))?;
                self.at += 2 + content.len();
                Some(content)
            }
            _ => None,
        }
    }

    /// The next varint, if its tag and itself are a byte each.
    #[inline(always)]
    pub(crate) fn next_varint(&mut self, expected: u8) -> Option<u64> {
        match self.bytes.get(self.at..) {
            Some([tag, value @ ..0x80, ..]) if *tag == expected => {
                self.at += 2;
                Some(u64::from(*value))
            }
            _ => None,
        }
    }

    /// The next number of 64 bits, if its tag is this one byte.
    #[inline(always)]
    pub(crate) fn next_fixed64(&mut self, expected: u8) -> Option<u64> {
        match self.bytes.get(self.at..) {
            Some([tag, rest @ ..]) if *tag == expected => {
                let number = u64::from_le_bytes(*rest.first_chunk()?);
                self.at += 9;
                Some(number)
            }
            _ => None,
        }
    }

    /// The next field, without those of this number that are short and length-delimited: for whoever looks for everything else.
    #[inline(always)]
    pub(crate) fn next_but(&mut self, number: u32) -> Option<Field<'a>> {
        let passed = u8::try_from(number << 3 | BYTES).unwrap_or(u8::MAX);
        while let Some([tag, length @ ..0x80, ..]) = self.bytes.get(self.at..)
            && *tag == passed
        {
            self.at += 2 + usize::from(*length);
        }
        self.next()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Field<'a>> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let field = field(self.bytes, self.at).ok()?;
        self.at = field.end;
        Some(field)
    }
}

/// The content of every length-delimited field of this number.
pub(crate) fn every<'a>(bytes: &'a [u8], number: u32) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let mut fields = Fields::of(bytes);
    std::iter::from_fn(move || fields.next_bytes(number).map(|(_, content)| content))
}

/// The content of the last length-delimited field of this number; empty when there is none.
pub(crate) fn last(bytes: &[u8], number: u32) -> &[u8] {
    every(bytes, number).last().unwrap_or_default()
}

/// The numbers of a repeated `fixed64` or `double` field, packed or not.
pub(crate) fn fixed64s<'a>(bytes: &'a [u8], number: u32) -> impl Iterator<Item = u64> + use<'a> {
    Fields::of(bytes).filter(move |f| f.number == number).flat_map(|field| {
        let (one, many) = match field.value {
            Wire::Fixed64(value) => (Some(value), [].as_slice()),
            Wire::Bytes(packed) => (None, packed),
            Wire::Varint(_) | Wire::Fixed32(_) => (None, [].as_slice()),
        };
        one.into_iter().chain(many.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight)))
    })
}

/// The numbers of a repeated varint field, packed or not.
pub(crate) fn varints<'a>(bytes: &'a [u8], number: u32) -> impl Iterator<Item = u64> + use<'a> {
    Fields::of(bytes).filter(move |f| f.number == number).flat_map(|field| {
        let (one, mut many) = match field.value {
            Wire::Varint(value) => (Some(value), [].as_slice()),
            Wire::Bytes(packed) => (None, packed),
            Wire::Fixed64(_) | Wire::Fixed32(_) => (None, [].as_slice()),
        };
        let packed = std::iter::from_fn(move || {
            let (value, end) = varint(many, 0).ok()?;
            many = many.get(end..)?;
            Some(value)
        });
        one.into_iter().chain(packed)
    })
}

/// Checked bytes as text. `check` saw that they are UTF-8; this looks again because doing without would take `unsafe`.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_that_is_cut_short_or_too_long_is_refused() {
        assert!(varint(&[0x80], 0).is_err());
        assert!(varint(&[], 0).is_err());
        assert!(varint(&[0xff; 11], 0).is_err());
        assert_eq!(varint(&[0x81, 0x80, 0x00], 0), Ok((1, 3)));
    }

    #[test]
    fn groups_and_reserved_wire_types_are_refused() {
        for tag in [0x0b, 0x0c, 0x0e, 0x0f, 0x02] {
            assert!(field(&[tag, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0).is_err());
        }
    }
}
