//! What most fields are, seen in one glance: a tag of one byte, a short length, text in ASCII. Everything else goes the long way (`pass.rs`), which alone says
//! what is wrong.

use super::schema::{Known, Message, Shape, Times};
use crate::wire::{BYTES, FIXED32, FIXED64, VARINT, varint};

/// What a field with a certain tag is, if a glance is enough for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    sight: Sight,
    /// The bit that tells it apart from others that are given once; 0 for those that may be given again.
    once: u8,
}

#[derive(Clone, Copy, Debug)]
enum Sight {
    /// It has to be looked at.
    None,
    Varint,
    Fixed64,
    Fixed32,
    Text,
    Bytes,
    TraceId,
    SpanId,
    /// An attribute.
    Pair,
    /// A value that is text.
    Any,
}

/// Tags of one byte.
const TAGS: usize = 128;
/// By tag.
pub(crate) type Glances = [Glance; TAGS];

pub(super) const fn glances(fields: &[Known]) -> Glances {
    let mut all = [Glance { sight: Sight::None, once: 0 }; TAGS];
    let mut i = 0;
    while i < fields.len() {
        let (kind, sight) = match fields[i].shape {
            Shape::Varint => (VARINT, Sight::Varint),
            Shape::Fixed64 => (FIXED64, Sight::Fixed64),
            Shape::Fixed32 => (FIXED32, Sight::Fixed32),
            Shape::Text => (BYTES, Sight::Text),
            Shape::Bytes => (BYTES, Sight::Bytes),
            Shape::TraceId => (BYTES, Sight::TraceId),
            Shape::SpanId => (BYTES, Sight::SpanId),
            Shape::Inner(_) if matches!(fields[i].times, Times::Attributes) => (BYTES, Sight::Pair),
            Shape::Inner(_) if matches!(fields[i].times, Times::Value(_)) => (BYTES, Sight::Any),
            Shape::Key | Shape::Fixed64s | Shape::Varints | Shape::Inner(_) => (BYTES, Sight::None),
        };
        let once = match fields[i].times {
            Times::Once(bit) | Times::Value(bit) => 1 << bit,
            Times::Last | Times::Many | Times::Attributes => 0,
        };
        let tag = (fields[i].number() << 3 | kind) as usize;
        if tag < TAGS {
            all[tag] = Glance { sight, once };
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
    let (tag, rest) = bytes.get(at..)?.split_first()?;
    let glance = message.glances.get(usize::from(*tag))?;
    // Most fields are attributes, and a branch of their own is foreseen better.
    if matches!(glance.sight, Sight::Pair) {
        let end = pair(bytes, rest, at, key_bytes_max, ascii)?;
        found.attributes += 1;
        return Some(end);
    }
    let end = match glance.sight {
        Sight::None | Sight::Pair => return None,
        Sight::Fixed64 => at + 9,
        Sight::Fixed32 => at + 5,
        Sight::Varint => match rest {
            [..0x80, ..] => at + 2,
            [_, ..0x80, ..] => at + 3,
            _ => return None,
        },
        Sight::Text => {
            let (length, start) = short(rest, at + 1)?;
            ascii.is_text(bytes, start, start + length)?
        }
        Sight::Any => {
            let (length, start) = short(rest, at + 1)?;
            let [0x0a, value @ ..] = bytes.get(start..start + length)? else { return None };
            let (text, begin) = short(value, start + 1)?;
            if begin + text != start + length {
                return None;
            }
            ascii.is_text(bytes, begin, begin + text)?
        }
        Sight::Bytes => {
            let (length, start) = short(rest, at + 1)?;
            start + length
        }
        Sight::TraceId => {
            let [16, id @ ..] = rest else { return None };
            found.ids = found.ids & !1 | u8::from(*id.first_chunk::<16>()? != [0; 16]);
            at + 18
        }
        Sight::SpanId => {
            let [8, id @ ..] = rest else { return None };
            found.ids = found.ids & !2 | u8::from(*id.first_chunk::<8>()? != [0; 8]) << 1;
            at + 10
        }
    };
    if end > bytes.len() {
        return None;
    }
    found.once(glance.once);
    Some(end)
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
fn pair(bytes: &[u8], rest: &[u8], at: usize, key_bytes_max: usize, ascii: &mut Ascii) -> Option<usize> {
    let [length @ ..0x80, rest @ ..] = rest else { return None };
    let [0x0a, key @ ..0x80, rest @ ..] = rest.get(..usize::from(*length))? else { return None };
    let key = usize::from(*key);
    let [0x12, value @ ..0x80, any @ ..] = rest.get(key..)? else { return None };
    if any.len() != usize::from(*value) || key > key_bytes_max {
        return None;
    }
    let (begin, end) = (at + 4, at + 2 + usize::from(*length));
    match any {
        // Whatever lies between the texts is ASCII, too.
        [0x0a, length @ ..0x80, text @ ..] if text.len() == usize::from(*length) => {
            if !ascii.covers(bytes, begin, end) {
                ascii.is_text(bytes, begin, begin + key)?;
                ascii.is_text(bytes, end - text.len(), end)?;
            }
        }
        [0x10 | 0x18, number @ ..] if matches!(varint(number, 0), Ok((_, end)) if end == number.len()) => {
            ascii.is_text(bytes, begin, begin + key)?;
        }
        [0x21, double @ ..] if double.len() == 8 => {
            ascii.is_text(bytes, begin, begin + key)?;
        }
        _ => return None,
    }
    Some(end)
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
        self.until += rest.iter().take(32).take_while(|byte| byte.is_ascii()).count();
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
