//! Protobuf to OTLP/JSON by the table in `tables`. Reads checked bytes; should they be broken all the same, the JSON ends early but is well formed.

use super::{
    MESSAGES_DEEP_MAX,
    escape::write_text,
    number,
    schema::{Field, Kind, Message, Often},
};
use crate::wire::{FIXED64, Fields, VARINT, Wire, fixed64s, text, varints};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::fmt::Write as _;

/// The request as one JSON object.
pub(super) fn request(message: &'static Message, bytes: &[u8]) -> String {
    let mut decoder = Decoder { out: String::with_capacity(bytes.len() * 2), deep: 0 };
    decoder.message(message, bytes);
    decoder.out
}

struct Decoder {
    out: String,
    deep: usize,
}

impl Decoder {
    fn message(&mut self, message: &'static Message, bytes: &[u8]) {
        let bytes = if self.deep < MESSAGES_DEEP_MAX { bytes } else { &[] };
        self.deep += 1;
        self.out.push('{');
        let empty = self.out.len();
        for field in message.fields {
            let comma = if self.out.len() > empty { "," } else { "" };
            match field.often {
                // Of a field written several times the last one counts.
                Often::Once => {
                    if let Some(value) = values(bytes, field).last() {
                        self.push(format_args!("{comma}\"{}\":", field.name));
                        self.value(field.kind, value);
                    }
                }
                Often::Repeated => self.repeated(comma, field, bytes),
            }
        }
        self.out.push('}');
        self.deep -= 1;
    }

    fn repeated(&mut self, comma: &str, field: &Field, bytes: &[u8]) {
        let mut n = 0;
        let mut element = |value| {
            match n {
                0 => self.push(format_args!("{comma}\"{}\":[", field.name)),
                _ => self.out.push(','),
            }
            self.value(field.kind, value);
            n += 1;
        };
        match field.kind.wire_type() {
            VARINT => varints(bytes, field.number).for_each(|number| element(Wire::Varint(number))),
            FIXED64 => fixed64s(bytes, field.number).for_each(|number| element(Wire::Fixed64(number))),
            _ => values(bytes, field).for_each(element),
        }
        if n > 0 {
            self.out.push(']');
        }
    }

    fn value(&mut self, kind: Kind, value: Wire<'_>) {
        match (kind, value) {
            (Kind::Message(message), Wire::Bytes(bytes)) => self.message(message, bytes),
            (Kind::Text, Wire::Bytes(content)) => write_text(text(content), &mut self.out),
            (Kind::Id, Wire::Bytes(id)) => {
                self.out.push('"');
                id.iter().for_each(|byte| self.push(format_args!("{byte:02x}")));
                self.out.push('"');
            }
            (Kind::Base64, Wire::Bytes(bytes)) => {
                self.out.push('"');
                BASE64_STANDARD.encode_string(bytes, &mut self.out);
                self.out.push('"');
            }
            (Kind::Bool, Wire::Varint(n)) => self.out.push_str(if n == 0 { "false" } else { "true" }),
            // Protobuf's 32-bit kinds are the low half of the varint.
            (Kind::Int32 | Kind::Enum(_), Wire::Varint(n)) => self.push(format_args!("{}", n as u32 as i32)),
            (Kind::Uint32, Wire::Varint(n)) => self.push(format_args!("{}", n as u32)),
            (Kind::Sint32, Wire::Varint(n)) => self.push(format_args!("{}", (n as u32 >> 1) as i32 ^ -((n & 1) as i32))),
            (Kind::Fixed32, Wire::Fixed32(n)) => self.push(format_args!("{n}")),
            (Kind::Uint64, Wire::Varint(n)) | (Kind::Fixed64, Wire::Fixed64(n)) => self.push(format_args!("\"{n}\"")),
            (Kind::Int64, Wire::Varint(n)) | (Kind::Sfixed64, Wire::Fixed64(n)) => self.push(format_args!("\"{}\"", n.cast_signed())),
            (Kind::Double, Wire::Fixed64(n)) => number::write_double(f64::from_bits(n), &mut self.out),
            _ => self.out.push_str("null"),
        }
    }

    fn push(&mut self, what: std::fmt::Arguments<'_>) {
        let written = self.out.write_fmt(what);
        debug_assert!(written.is_ok(), "a String takes everything");
    }
}

/// What is written for a field, in written order.
fn values<'a>(bytes: &'a [u8], field: &Field) -> impl Iterator<Item = Wire<'a>> {
    let number = field.number;
    Fields::of(bytes).filter(move |field| field.number == number).map(|field| field.value)
}
