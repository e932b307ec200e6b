//! What most fields are, seen in one glance: a tag of one byte, a short length, text in ASCII. Everything else goes the long way (`pass.rs`), which alone says
//! what is wrong.

use super::schema::{Known, Message, Shape, Times};
use crate::wire::{BYTES, FIXED32, FIXED64, VARINT, varint};

/// What a field with a certain tag is, if a glance is enough for it. Told by bits and not by an enum: a jump to one of eight places is foreseen much worse than
/// a few branches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    sight: u8,
    /// Bytes of a number of fixed size, or of an id.
    width: u8,
    /// The bit that tells it apart from others that are given once; 0 for those that may be given again.
    once: u8,
}

/// An attribute.
const PAIR: u8 = 1;
/// A number of fixed size.
const FIXED: u8 = 2;
const TEXT: u8 = 4;
const BYTES_OF_ANY_KIND: u8 = 8;
const NUMBER: u8 = 16;
/// One that a record must have.
const ID: u8 = 32;
/// A value that is text.
const VALUE: u8 = 64;

/// Tags of one byte.
const TAGS: usize = 128;
/// By tag.
pub(crate) type Glances = [Glance; TAGS];

pub(super) const fn glances(fields: &[Known]) -> Glances {
    let mut all = [Glance { sight: 0, width: 0, once: 0 }; TAGS];
    let mut i = 0;
    while i < fields.len() {
        let (kind, sight, width) = match fields[i].shape {
            Shape::Varint => (VARINT, NUMBER, 0),
            Shape::Fixed64 => (FIXED64, FIXED, 8),
            Shape::Fixed32 => (FIXED32, FIXED, 4),
            Shape::Text => (BYTES, TEXT, 0),
            Shape::Bytes => (BYTES, BYTES_OF_ANY_KIND, 0),
            Shape::TraceId => (BYTES, ID, 16),
            Shape::SpanId => (BYTES, ID, 8),
            Shape::Inner(_) if matches!(fields[i].times, Times::Attributes) => (BYTES, PAIR, 0),
            Shape::Inner(_) if matches!(fields[i].times, Times::Value(_)) => (BYTES, VALUE, 0),
            Shape::Key | Shape::Fixed64s | Shape::Varints | Shape::Inner(_) => (BYTES, 0, 0),
        };
        let once = match fields[i].times {
            Times::Once(bit) | Times::Value(bit) => 1 << bit,
            Times::Last | Times::Many | Times::Attributes => 0,
        };
        let tag = (fields[i].number() << 3 | kind) as usize;
        if tag < TAGS {
            all[tag] = Glance { sight, width, once };
        }
        i += 1;
    }
    all
}

/// What was found in a message so far.
#[derive(Default)]
pub(super) struct Found {
    /// Bits of what is given once.
    pub(super) seen: u8,
    /// Whether something was given again that has to be merged.
    pub(super) again: bool,
    pub(super) attributes: usize,
    /// 1 for a trace id, 2 for a span id.
    pub(super) ids: u8,
}

impl Found {
    pub(super) fn once(&mut self, bits: u8) {
        self.again |= self.seen & bits != 0;
        self.seen |= bits;
    }
}

/// The end of the field at `at`, if it is well. `bytes` end where the message does.
#[inline(always)]
pub(super) fn glance(
    message: &'static Message,
    bytes: &[u8],
    at: usize,
    key_bytes_max: usize,
    ascii: &mut Ascii,
    found: &mut Found,
) -> Option<usize> {
    let glance = message.glances.get(usize::from(*bytes.get(at)?))?;
    if glance.sight & PAIR != 0 {
        let end = pair(bytes, at, key_bytes_max, ascii)?;
        found.attributes += 1;
        return Some(end);
    }
    let rest = bytes.get(at + 1..)?;
    let end = if glance.sight & FIXED != 0 {
        at + 1 + usize::from(glance.width)
    } else if glance.sight & TEXT != 0 {
        let (length, start) = short(rest, at + 1)?;
        ascii.is_text(bytes, start, start + length)?
    } else if glance.sight & ID != 0 {
        id(rest, glance.width, found)?;
        at + 2 + usize::from(glance.width)
    } else if glance.sight & BYTES_OF_ANY_KIND != 0 {
        let (length, start) = short(rest, at + 1)?;
        start + length
    } else if glance.sight & NUMBER != 0 {
        match rest {
            [..0x80, ..] => at + 2,
            [_, ..0x80, ..] => at + 3,
            _ => return None,
        }
    } else if glance.sight & VALUE != 0 {
        let (length, start) = short(rest, at + 1)?;
        let [0x0a, value @ ..] = bytes.get(start..start + length)? else { return None };
        let (text, begin) = short(value, start + 1)?;
        if begin + text != start + length {
            return None;
        }
        ascii.is_text(bytes, begin, begin + text)?
    } else {
        return None;
    };
    if end > bytes.len() {
        return None;
    }
    if glance.once != 0 {
        found.once(glance.once);
    }
    Some(end)
}

/// Notes the id of a record, if it is one.
#[inline(always)]
fn id(rest: &[u8], width: u8, found: &mut Found) -> Option<()> {
    let (length, id) = rest.split_first()?;
    if *length != width {
        return None;
    }
    if width == 16 {
        found.ids = found.ids & !1 | u8::from(*id.first_chunk::<16>()? != [0; 16]);
    } else {
        found.ids = found.ids & !2 | u8::from(*id.first_chunk::<8>()? != [0; 8]) << 1;
    }
    Some(())
}

/// A length of one or two bytes, and where what is so long starts.
#[inline(always)]
fn short(rest: &[u8], at: usize) -> Option<(usize, usize)> {
    match rest {
        [length @ ..0x80, ..] => Some((usize::from(*length), at + 1)),
        [low, high @ ..0x80, ..] => Some((usize::from(*low & 0x7f) | usize::from(*high) << 7, at + 2)),
        _ => None,
    }
}

/// The end of a `KeyValue` whose tag is at `at`, as encoders write it: the key, then a scalar value, both shorter than 128 bytes.
#[inline(always)]
fn pair(bytes: &[u8], at: usize, key_bytes_max: usize, ascii: &mut Ascii) -> Option<usize> {
    let [_, length @ ..0x80, 0x0a, key @ ..0x80] = *bytes.get(at..)?.first_chunk::<4>()? else { return None };
    let (begin, end, key) = (at + 4, at + 2 + usize::from(length), usize::from(key));
    let value = begin + key;
    let [0x12, content @ ..0x80, kind, length] = *bytes.get(value..)?.first_chunk::<4>()? else { return None };
    if value + 2 + usize::from(content) != end || end > bytes.len() || key > key_bytes_max {
        return None;
    }
    if kind != 0x0a {
        return number(bytes, kind, begin, value, end, ascii);
    }
    if usize::from(length) + 2 != usize::from(content) {
        return None;
    }
    // Whatever lies between the texts is ASCII, too.
    if !ascii.covers(bytes, begin, end) {
        ascii.is_text(bytes, begin, value)?;
        ascii.is_text(bytes, value + 4, end)?;
    }
    Some(end)
}

/// The same, of one whose value is a number or a boolean. Apart, so that no jump is made of the kinds.
#[inline(never)]
fn number(bytes: &[u8], kind: u8, begin: usize, value: usize, end: usize, ascii: &mut Ascii) -> Option<usize> {
    let is_number = if kind == 0x21 {
        end == value + 11
    } else {
        matches!(kind, 0x10 | 0x18) && matches!(varint(bytes, value + 3), Ok((_, last)) if last == end)
    };
    if is_number { ascii.is_text(bytes, begin, value).map(|_| end) } else { None }
}

/// A range that is known to be ASCII. Texts lie one behind the other, so a look at one mostly serves the next ones as well.
#[derive(Debug, Default)]
pub(super) struct Ascii {
    from: usize,
    until: usize,
}

impl Ascii {
    /// The end of a text that is UTF-8.
    #[inline(always)]
    fn is_text(&mut self, bytes: &[u8], start: usize, end: usize) -> Option<usize> {
        (self.covers(bytes, start, end) || is_utf8(bytes.get(start..end)?)).then_some(end)
    }

    /// Whether these bytes are ASCII.
    #[inline(always)]
    fn covers(&mut self, bytes: &[u8], start: usize, end: usize) -> bool {
        self.from <= start && end <= self.until || self.look(bytes, start, end)
    }

    #[inline(never)]
    fn look(&mut self, bytes: &[u8], start: usize, end: usize) -> bool {
        if !(self.from..=self.until).contains(&start) {
            (self.from, self.until) = (start, start);
        }
        let mut rest = bytes.get(self.until..).unwrap_or_default();
        while let Some((block, more)) = rest.split_first_chunk::<32>().filter(|(block, _)| block.is_ascii()) {
            self.until += block.len();
            rest = more;
        }
        while let Some((eight, more)) = rest.split_first_chunk::<8>() {
            let high = u64::from_le_bytes(*eight) & 0x8080_8080_8080_8080;
            if high != 0 {
                self.until += high.trailing_zeros() as usize / 8;
                return end <= self.until;
            }
            self.until += eight.len();
            rest = more;
        }
        self.until += rest.iter().take_while(|byte| byte.is_ascii()).count();
        end <= self.until
    }
}

#[inline]
pub(super) fn is_utf8(text: &[u8]) -> bool {
    text.is_ascii() || simdutf8::basic::from_utf8(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_to_be_ascii_never_reaches_over_a_byte_that_is_not() {
        for length in 0..100 {
            for bad in 0..length {
                let mut bytes = vec![b'a'; length];
                bytes[bad] = 0x80;
                let mut ascii = Ascii::default();
                for (start, end) in (0..=length).flat_map(|start| (start..=length).step_by(7).map(move |end| (start, end))) {
                    assert_eq!(ascii.covers(&bytes, start, end), !(start..end).contains(&bad), "{length} {bad} {start}..{end}");
                }
            }
        }
    }
}
