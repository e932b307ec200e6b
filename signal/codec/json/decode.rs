//! Protobuf to OTLP/JSON by the table in `tables`. Reads checked bytes; should they be broken all the same, the JSON ends early but is well formed.

use super::{
    MESSAGES_DEEP_MAX,
    escape::write_text,
    number,
    schema::{Field, Kind, Message, Often},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use prost::encoding::{WireType, decode_key, decode_varint};
use std::fmt::Write as _;

/// The request as one JSON object.
pub(super) fn request(message: &'static Message, bytes: &[u8]) -> String {
    let mut decoder = Decoder { out: String::with_capacity(bytes.len() * 2), deep: 0 };
    decoder.message(message, bytes);
    decoder.out
}

/// A field's value as it lies in the bytes.
#[derive(Clone, Copy)]
enum Raw<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

struct Decoder {
    out: String,
    deep: usize,
}

impl Decoder {
    fn message(&mut self, message: &'static Message, mut bytes: &[u8]) {
        let mut raws = Vec::new();
        while self.deep < MESSAGES_DEEP_MAX
            && let Some(raw) = next_field(&mut bytes)
        {
            raws.push(raw);
        }
        self.deep += 1;
        self.out.push('{');
        let mut comma = "";
        for field in message.fields {
            let mut of_field = raws.iter().filter(|(number, _)| *number == field.number).map(|(_, raw)| *raw).peekable();
            if of_field.peek().is_none() {
                continue;
            }
            self.push(format_args!("{comma}\"{}\":", field.name));
            comma = ",";
            match field.often {
                Often::Once => self.once(field, of_field),
                Often::Repeated => self.repeated(field, of_field),
            }
        }
        self.out.push('}');
        self.deep -= 1;
    }

    /// Of a field written several times the last one counts.
    fn once<'a>(&mut self, field: &Field, raws: impl Iterator<Item = Raw<'a>>) {
        match raws.last() {
            Some(raw) => self.value(field.kind, raw),
            None => self.out.push_str("null"),
        }
    }

    fn repeated<'a>(&mut self, field: &Field, raws: impl Iterator<Item = Raw<'a>>) {
        let mut before = "[";
        let mut element = |raw| {
            self.out.push_str(std::mem::replace(&mut before, ","));
            self.value(field.kind, raw);
        };
        for raw in raws {
            match (raw, wire_type_packed(field.kind)) {
                (Raw::Bytes(mut packed), Some(wire_type)) => {
                    while let Some(raw) = next_value(wire_type, &mut packed) {
                        element(raw);
                    }
                }
                _ => element(raw),
            }
        }
        self.out.push_str(if before == "[" { "[]" } else { "]" });
    }

    fn value(&mut self, kind: Kind, raw: Raw<'_>) {
        match (kind, raw) {
            (Kind::Message(message), Raw::Bytes(bytes)) => self.message(message, bytes),
            (Kind::Text, Raw::Bytes(text)) => write_text(&String::from_utf8_lossy(text), &mut self.out),
            (Kind::Id, Raw::Bytes(id)) => {
                self.out.push('"');
                id.iter().for_each(|byte| self.push(format_args!("{byte:02x}")));
                self.out.push('"');
            }
            (Kind::Base64, Raw::Bytes(bytes)) => {
                self.out.push('"');
                BASE64_STANDARD.encode_string(bytes, &mut self.out);
                self.out.push('"');
            }
            (Kind::Bool, Raw::Varint(n)) => self.out.push_str(if n == 0 { "false" } else { "true" }),
            // Protobuf's 32-bit kinds are the low half of the varint.
            (Kind::Int32 | Kind::Enum(_), Raw::Varint(n)) => self.push(format_args!("{}", n as u32 as i32)),
            (Kind::Uint32, Raw::Varint(n)) => self.push(format_args!("{}", n as u32)),
            (Kind::Sint32, Raw::Varint(n)) => self.push(format_args!("{}", (n as u32 >> 1) as i32 ^ -((n & 1) as i32))),
            (Kind::Fixed32, Raw::Fixed32(n)) => self.push(format_args!("{n}")),
            (Kind::Uint64, Raw::Varint(n)) | (Kind::Fixed64, Raw::Fixed64(n)) => self.push(format_args!("\"{n}\"")),
            (Kind::Int64, Raw::Varint(n)) | (Kind::Sfixed64, Raw::Fixed64(n)) => self.push(format_args!("\"{}\"", n.cast_signed())),
            (Kind::Double, Raw::Fixed64(n)) => number::write_double(f64::from_bits(n), &mut self.out),
            _ => self.out.push_str("null"),
        }
    }

    fn push(&mut self, what: std::fmt::Arguments<'_>) {
        let written = self.out.write_fmt(what);
        debug_assert!(written.is_ok(), "a String takes everything");
    }
}

/// The next field's number and value; none at the end.
fn next_field<'a>(bytes: &mut &'a [u8]) -> Option<(u32, Raw<'a>)> {
    if bytes.is_empty() {
        return None;
    }
    let (number, wire_type) = decode_key(bytes).ok()?;
    Some((number, next_value(wire_type, bytes)?))
}

fn next_value<'a>(wire_type: WireType, bytes: &mut &'a [u8]) -> Option<Raw<'a>> {
    match wire_type {
        WireType::Varint => decode_varint(bytes).ok().map(Raw::Varint),
        WireType::ThirtyTwoBit => bytes.split_off(..4)?.try_into().ok().map(|four| Raw::Fixed32(u32::from_le_bytes(four))),
        WireType::SixtyFourBit => bytes.split_off(..8)?.try_into().ok().map(|eight| Raw::Fixed64(u64::from_le_bytes(eight))),
        WireType::LengthDelimited => {
            let length = usize::try_from(decode_varint(bytes).ok()?).ok()?;
            bytes.split_off(..length).map(Raw::Bytes)
        }
        WireType::StartGroup | WireType::EndGroup => None,
    }
}

/// How each element of a packed list is written; none for kinds that are never packed.
fn wire_type_packed(kind: Kind) -> Option<WireType> {
    Some(kind.wire_type()).filter(|wire_type| *wire_type != WireType::LengthDelimited)
}
