//! OTLP/JSON to protobuf, in one pass over the text and by the table in `tables`.

use super::{
    MESSAGES_DEEP_MAX, number,
    reader::{Bracket, Reader, Wrong},
    schema::{Field, Kind, Message, Names, Often},
};
use crate::{
    Malformed,
    wire::{BYTES, put_tag, put_varint},
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use std::fmt::Write as _;

const BASE64_CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, BASE64_CONFIG);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, BASE64_CONFIG);

/// The request as protobuf.
pub(super) fn request(message: &'static Message, json: &[u8]) -> Result<Vec<u8>, Malformed> {
    let text = simdutf8::compat::from_utf8(json).map_err(|e| Malformed {
        path: "request".to_owned(),
        offset: e.valid_up_to(),
        what: "this is not UTF-8".to_owned(),
    })?;
    let mut encoder = Encoder { json: Reader::new(text), out: Vec::with_capacity(json.len() / 2), path: Vec::new(), deep: 0 };
    let done = encoder.message(message).and_then(|()| encoder.json.finish());
    match done {
        Ok(()) => Ok(encoder.out),
        Err(Wrong { offset, what }) => Err(Malformed { path: written(&encoder.path), offset, what: what.into_owned() }),
    }
}

/// A step from the request down to a value.
enum Step {
    Field(&'static str),
    Element(usize),
}

/// `resourceSpans[0].scopeSpans[1].spans[3].traceId`; `request` for the whole.
fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        let dot = if text.is_empty() { "" } else { "." };
        let done = match step {
            Step::Field(name) => write!(text, "{dot}{name}"),
            Step::Element(n) => write!(text, "[{n}]"),
        };
        debug_assert!(done.is_ok(), "a String takes everything");
    }
    if text.is_empty() { "request".to_owned() } else { text }
}

struct Encoder<'a> {
    json: Reader<'a>,
    out: Vec<u8>,
    /// Where the reader is. Steps are left in it on an error, which is how the error gets its path.
    path: Vec<Step>,
    deep: usize,
}

type Done = Result<(), Wrong>;

impl Encoder<'_> {
    /// A message's fields, without tag and length.
    fn message(&mut self, message: &'static Message) -> Done {
        if self.deep == MESSAGES_DEEP_MAX {
            return Err(Wrong {
                offset: self.json.offset(),
                what: "nested too deeply; a value may hold 64 levels of arrays and maps".into(),
            });
        }
        self.deep += 1;
        self.json.open(Bracket::Object)?;
        let mut first = true;
        while self.json.next(Bracket::Object, &mut first)? {
            let key = self.json.key()?;
            match message.field(&key) {
                Some(field) => {
                    self.path.push(Step::Field(field.name));
                    self.field(field)?;
                    self.path.pop();
                }
                None => self.json.skip()?,
            }
        }
        self.deep -= 1;
        Ok(())
    }

    fn field(&mut self, field: &'static Field) -> Done {
        if self.json.null()? {
            return Ok(());
        }
        match field.often {
            Often::Once => {
                put_tag(&mut self.out, field.number, field.kind.wire_type());
                self.value(field.kind)
            }
            Often::Repeated if field.kind.wire_type() == BYTES => self.elements(|encoder| {
                put_tag(&mut encoder.out, field.number, BYTES);
                if encoder.json.null()? {
                    put_varint(&mut encoder.out, 0);
                    return Ok(());
                }
                encoder.value(field.kind)
            }),
            Often::Repeated => {
                put_tag(&mut self.out, field.number, BYTES);
                self.delimited(|encoder| encoder.elements(|encoder| encoder.value(field.kind)))
            }
        }
    }

    /// Each element of an array.
    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Done) -> Done {
        self.json.open(Bracket::Array)?;
        let mut first = true;
        let mut n = 0;
        while self.json.next(Bracket::Array, &mut first)? {
            self.path.push(Step::Element(n));
            element(self)?;
            self.path.pop();
            n += 1;
        }
        Ok(())
    }

    /// A value without its tag.
    fn value(&mut self, kind: Kind) -> Done {
        match kind {
            Kind::Text => {
                let text = self.json.string()?;
                self.bytes(text.as_bytes());
            }
            Kind::Id => self.id()?,
            Kind::Base64 => self.base64()?,
            Kind::Bool => {
                let yes = self.json.boolean()?;
                self.out.push(u8::from(yes));
            }
            Kind::Double => self.double()?,
            Kind::Enum(names) => self.enumerated(names)?,
            Kind::Message(message) => self.delimited(|encoder| encoder.message(message))?,
            // Protobuf writes a negative int32 as if it were 64 bits long.
            Kind::Int32 => self.integer::<i32>().map(|n| put_varint(&mut self.out, i64::from(n).cast_unsigned()))?,
            Kind::Int64 => self.integer::<i64>().map(|n| put_varint(&mut self.out, n.cast_unsigned()))?,
            Kind::Uint32 => self.integer::<u32>().map(|n| put_varint(&mut self.out, u64::from(n)))?,
            Kind::Uint64 => self.integer::<u64>().map(|n| put_varint(&mut self.out, n))?,
            Kind::Sint32 => self.integer::<i32>().map(|n| put_varint(&mut self.out, u64::from(((n << 1) ^ (n >> 31)).cast_unsigned())))?,
            Kind::Fixed32 => self.integer::<u32>().map(|n| self.out.extend(n.to_le_bytes()))?,
            Kind::Fixed64 => self.integer::<u64>().map(|n| self.out.extend(n.to_le_bytes()))?,
            Kind::Sfixed64 => self.integer::<i64>().map(|n| self.out.extend(n.to_le_bytes()))?,
        }
        Ok(())
    }

    fn integer<T: TryFrom<i128> + Bounds>(&mut self) -> Result<T, Wrong> {
        let offset = self.json.offset();
        let text = match self.json.peek() {
            Some(b'"') => self.json.string()?,
            Some(b'-' | b'0'..=b'9') => self.json.number()?.into(),
            _ => return Err(self.json.expected("a whole number, or one in a string")),
        };
        let number = number::whole(&text).ok_or_else(|| Wrong { offset, what: format!("`{}` is no whole number", short(&text)).into() })?;
        T::try_from(number)
            .map_err(|_| Wrong { offset, what: format!("{} is out of range; this field takes {}", short(&text), T::BOUNDS).into() })
    }

    fn double(&mut self) -> Done {
        let offset = self.json.offset();
        let text = match self.json.peek() {
            Some(b'"') => self.json.string()?,
            Some(b'-' | b'0'..=b'9') => self.json.number()?.into(),
            _ => return Err(self.json.expected("a number, or \"NaN\", \"Infinity\", \"-Infinity\"")),
        };
        let number = number::double(&text)
            .ok_or_else(|| Wrong { offset, what: format!("`{}` is no number a double can hold", short(&text)).into() })?;
        self.out.extend(number.to_le_bytes());
        Ok(())
    }

    fn enumerated(&mut self, names: Names) -> Done {
        let offset = self.json.offset();
        let number = if self.json.peek() == Some(b'"') {
            let name = self.json.string()?;
            let known = (names.number_of)(&name).or_else(|| name.parse().ok());
            known.ok_or_else(|| Wrong {
                offset,
                what: format!("`{}` is not in this enum; write its number, or a name such as {}", short(&name), names.example).into(),
            })?
        } else {
            self.integer::<i32>()?
        };
        put_varint(&mut self.out, i64::from(number).cast_unsigned());
        Ok(())
    }

    /// An id; how many bytes it may have is for `check` to say, which cuts out the one record instead of refusing all.
    fn id(&mut self) -> Done {
        let offset = self.json.offset();
        let hex = self.json.string()?;
        let digits = hex.as_bytes();
        if digits.len() % 2 == 1 || !digits.iter().all(u8::is_ascii_hexdigit) {
            let what =
                format!("`{}` is not hex; OTLP/JSON writes a trace id as 32 hex digits and a span id as 16, not in base64", short(&hex));
            return Err(Wrong { offset, what: what.into() });
        }
        put_varint(&mut self.out, digits.len() as u64 / 2);
        let digit = |c: u8| if c.is_ascii_digit() { c - b'0' } else { (c | 0x20) - b'a' + 10 };
        self.out.extend(digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])));
        Ok(())
    }

    fn base64(&mut self) -> Done {
        let offset = self.json.offset();
        let text = self.json.string()?;
        let engine = if text.contains(['-', '_']) { &BASE64_URL } else { &BASE64 };
        let bytes =
            engine.decode(text.as_bytes()).map_err(|e| Wrong { offset, what: format!("bytes are written in base64: {e}").into() })?;
        self.bytes(&bytes);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        put_varint(&mut self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// What `write` writes, with its length before it. The length is known only afterwards, so what was written moves up by the one to five bytes it takes.
    fn delimited(&mut self, write: impl FnOnce(&mut Self) -> Done) -> Done {
        let start = self.out.len();
        write(self)?;
        let end = self.out.len();
        put_varint(&mut self.out, (end - start) as u64);
        let length_bytes = self.out.len() - end;
        self.out[start..].rotate_right(length_bytes);
        Ok(())
    }
}

/// The numbers a field takes, in words.
trait Bounds {
    const BOUNDS: &'static str;
}

impl Bounds for i32 {
    const BOUNDS: &'static str = "-2147483648 to 2147483647";
}

impl Bounds for u32 {
    const BOUNDS: &'static str = "0 to 4294967295";
}

impl Bounds for i64 {
    const BOUNDS: &'static str = "-9223372036854775808 to 9223372036854775807";
}

impl Bounds for u64 {
    const BOUNDS: &'static str = "0 to 18446744073709551615";
}

/// The first 40 characters, for an error text.
fn short(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(end, _)| &text[..end])
}
