//! Attribute values and lists of attributes.

use crate::{
    Value,
    wire::{Fields, Wire, every, text},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write;

/// A value as it lies in the bytes.
#[derive(Clone, Copy, Debug)]
pub enum Any<'a> {
    /// Nothing set.
    Empty,
    /// Text.
    Text(&'a str),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// An array.
    List(List<'a>),
    /// A map.
    Map(Attributes<'a>),
}

impl<'a> Any<'a> {
    /// Reads an `AnyValue` message.
    pub(crate) fn of(bytes: &'a [u8]) -> Any<'a> {
        // Most values are short texts.
        if let [0x0a, length @ ..0x80, content @ ..] = bytes
            && content.len() == usize::from(*length)
        {
            return Any::Text(text(content));
        }
        let mut any = Any::Empty;
        for field in Fields::of(bytes) {
            any = match (field.number, field.value) {
                (1, Wire::Bytes(content)) => Any::Text(text(content)),
                (2, Wire::Varint(value)) => Any::Bool(value != 0),
                (3, Wire::Varint(value)) => Any::Int(value.cast_signed()),
                (4, Wire::Fixed64(value)) => Any::Double(f64::from_bits(value)),
                (5, Wire::Bytes(bytes)) => Any::List(List { bytes }),
                (6, Wire::Bytes(bytes)) => Any::Map(Attributes { bytes, field: 1 }),
                (7, Wire::Bytes(content)) => Any::Bytes(content),
                (8, Wire::Varint(_)) => Any::Empty,
                _ => any,
            };
        }
        any
    }

    /// The text, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        if let Any::Text(text) = self { Some(text) } else { None }
    }

    /// A copy that owns what it holds.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match *self {
            Any::Empty => Value::Empty,
            Any::Text(text) => Value::Text(text.to_owned()),
            Any::Bool(value) => Value::Bool(value),
            Any::Int(value) => Value::Int(value),
            Any::Double(value) => Value::Double(value),
            Any::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Any::List(list) => Value::List(list.iter().map(|any| any.to_value()).collect()),
            Any::Map(map) => Value::Map(map.iter().map(|(key, any)| (key.to_owned(), any.to_value())).collect()),
        }
    }

    /// As text for people: text as it is, numbers and booleans written out, bytes in base64, arrays and maps as JSON.
    #[must_use]
    pub fn display(&self) -> String {
        let mut out = String::new();
        match *self {
            Any::Empty => {}
            Any::Text(text) => out.push_str(text),
            Any::Bytes(bytes) => put_base64(&mut out, bytes),
            Any::Bool(_) | Any::Int(_) | Any::Double(_) | Any::List(_) | Any::Map(_) => self.put_json(&mut out),
        }
        out
    }

    /// Nests no deeper than `check` allowed.
    fn put_json(&self, out: &mut String) {
        match *self {
            Any::Empty => out.push_str("null"),
            Any::Text(text) => put_quoted(out, text),
            Any::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Any::Int(value) => put(out, value),
            Any::Double(value) => put(out, value),
            Any::Bytes(bytes) => {
                out.push('"');
                put_base64(out, bytes);
                out.push('"');
            }
            Any::List(list) => {
                out.push('[');
                for (i, any) in list.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    any.put_json(out);
                }
                out.push(']');
            }
            Any::Map(map) => {
                out.push('{');
                for (i, (key, any)) in map.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    put_quoted(out, key);
                    out.push(':');
                    any.put_json(out);
                }
                out.push('}');
            }
        }
    }
}

#[expect(clippy::expect_used, reason = "writing to a String cannot fail")]
fn put(out: &mut String, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("a String takes all");
}

fn put_quoted(out: &mut String, text: &str) {
    put(out, serde_json::Value::from(text));
}

fn put_base64(out: &mut String, bytes: &[u8]) {
    STANDARD.encode_string(bytes, out);
}

/// The elements of an array.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> List<'a> {
    /// Each element.
    pub fn iter(&self) -> impl Iterator<Item = Any<'a>> + use<'a> {
        every(self.bytes, 1).map(Any::of)
    }
}

/// Keys and values, in written order. Finds them by scanning the message `bytes` for the repeated field `field`.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) field: u32,
}

impl<'a> Attributes<'a> {
    /// Each pair; a key written twice comes twice.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Any<'a>)> + use<'a> {
        every(self.bytes, self.field).map(|bytes| {
            let pair = Pair::of(bytes);
            (text(pair.key), Any::of(pair.value))
        })
    }

    /// The value of the first pair with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Any<'a>> {
        let mut fields = Fields::of(self.bytes);
        while let Some((_, bytes)) = fields.next_bytes(self.field) {
            let pair = Pair::of(bytes);
            if pair.key == key.as_bytes() {
                return Some(Any::of(pair.value));
            }
        }
        None
    }
}

/// A `KeyValue` message taken apart, its value still encoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pair<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl<'a> Pair<'a> {
    /// Reads it as encoders write it: the key, then the value, both shorter than 128 bytes. None for all others, which `of` reads as well.
    #[inline]
    pub(crate) fn usual(bytes: &'a [u8]) -> Option<Pair<'a>> {
        let [0x0a, length @ ..0x80, rest @ ..] = bytes else { return None };
        let (key, [0x12, length @ ..0x80, value @ ..]) = rest.split_at_checked(usize::from(*length))? else { return None };
        (value.len() == usize::from(*length)).then_some(Pair { key, value })
    }

    #[inline]
    pub(crate) fn of(bytes: &'a [u8]) -> Pair<'a> {
        if let Some(pair) = Pair::usual(bytes) {
            return pair;
        }
        let mut pair = Pair::default();
        for field in Fields::of(bytes) {
            match (field.number, field.value) {
                (1, Wire::Bytes(key)) => pair.key = key,
                (2, Wire::Bytes(value)) => pair.value = value,
                _ => {}
            }
        }
        pair
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value as Proto};
    use prost::Message;

    fn any(value: Proto) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn a_value_is_shown_as_people_write_it() {
        let shown = |value: Proto| Any::of(&any(value).encode_to_vec()).display();
        assert_eq!(shown(Proto::StringValue("a \"b\"".into())), "a \"b\"");
        assert_eq!(shown(Proto::IntValue(-3)), "-3");
        assert_eq!(shown(Proto::DoubleValue(0.5)), "0.5");
        assert_eq!(shown(Proto::BoolValue(true)), "true");
        assert_eq!(shown(Proto::BytesValue(b"any carnal pleas".to_vec())), "YW55IGNhcm5hbCBwbGVhcw==");
        assert_eq!(shown(Proto::BytesValue(b"\xff\xfe".to_vec())), "//4=");
        let list = ArrayValue { values: vec![any(Proto::StringValue("x\n".into())), any(Proto::IntValue(1)), AnyValue::default()] };
        let pair = KeyValue { key: "k".into(), value: Some(any(Proto::ArrayValue(list))), ..Default::default() };
        assert_eq!(shown(Proto::KvlistValue(KeyValueList { values: vec![pair] })), r#"{"k":["x\n",1,null]}"#);
    }

    #[test]
    fn nothing_set_is_empty() {
        assert!(matches!(Any::of(&[]), Any::Empty));
        assert_eq!(Any::Empty.display(), "");
    }
}
