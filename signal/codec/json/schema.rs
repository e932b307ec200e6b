//! What a table of OTLP's messages consists of. The tables themselves are in `tables`.

use crate::wire::{BYTES, FIXED32, FIXED64, VARINT};

/// A message and its fields, in the order in which JSON is written.
pub(super) struct Message {
    pub(super) fields: &'static [Field],
}

/// A field of a message.
pub(super) struct Field {
    /// In lowerCamelCase.
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) often: Often,
}

/// How often a field may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Often {
    Once,
    Repeated,
}

/// What a field holds, which decides both its JSON form and its wire type.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// Bytes written in hex: trace and span ids.
    Id,
    /// Bytes written in base64.
    Base64,
    Bool,
    Int32,
    Uint32,
    Sint32,
    Fixed32,
    Int64,
    Uint64,
    Fixed64,
    Sfixed64,
    Double,
    Enum(Names),
    Message(&'static Message),
}

/// The names of an enum's numbers.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub(super) number_of: fn(&str) -> Option<i32>,
    /// One of them, for error texts.
    pub(super) example: &'static str,
}

impl Kind {
    /// The wire type of one value of it.
    pub(super) fn wire_type(self) -> u32 {
        match self {
            Kind::Text | Kind::Id | Kind::Base64 | Kind::Message(_) => BYTES,
            Kind::Bool | Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Int64 | Kind::Uint64 | Kind::Enum(_) => VARINT,
            Kind::Fixed32 => FIXED32,
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => FIXED64,
        }
    }
}

impl Message {
    /// The field of this JSON name, which may also be written in snake_case.
    pub(super) fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.name == key).or_else(|| self.fields.iter().find(|f| f.is_in_snake_case(key)))
    }
}

impl Field {
    fn is_in_snake_case(&self, key: &str) -> bool {
        let snake = self.name.bytes().flat_map(|c| [c.is_ascii_uppercase().then_some(b'_'), Some(c.to_ascii_lowercase())]).flatten();
        snake.eq(key.bytes())
    }
}
