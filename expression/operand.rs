//! A value in a condition as it lies in the bytes, and how two of them compare. Nothing here fails: what cannot be compared is neither equal nor ordered.

use signal::view::{Any, Attributes, List};
use std::{borrow::Cow, cmp::Ordering, sync::Arc};

/// A value. Borrowed from the record wherever it lies there.
#[derive(Clone, Debug)]
pub(crate) enum Operand<'a> {
    /// There is none.
    Missing,
    /// It is there and nothing is in it.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// A trace or span id.
    Id(Hex),
    /// Bytes that may be text.
    Bytes(&'a [u8]),
    /// Nanoseconds since the epoch.
    Time(u64),
    /// A list.
    List(Elements<'a>),
    /// A map.
    Map(Attributes<'a>),
    /// A field that consists of others, such as `.root`.
    Parts,
    /// A list or a map that VRL made.
    Made(Box<vrl::value::Value>),
}

/// The elements of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Elements<'a> {
    /// Of an attribute or a body.
    Any(List<'a>),
    /// Of `.services`.
    Names(&'a [Arc<str>]),
    /// Events or links, of which only their number is asked here.
    Counted(usize),
}

/// An id in lower-case hex, without allocating.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hex {
    digits: [u8; 32],
    len: usize,
}

impl Hex {
    /// Writes at most 16 bytes out.
    pub(crate) fn of(bytes: &[u8]) -> Hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Hex { digits, len: (bytes.len() * 2).min(32) }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.digits[..self.len]).unwrap_or_default()
    }
}

impl<'a> Operand<'a> {
    /// Text that is borrowed.
    pub(crate) fn text(text: &'a str) -> Operand<'a> {
        Operand::Text(Cow::Borrowed(text))
    }

    /// As it lies in an attribute or a body.
    pub(crate) fn of_any(any: Any<'a>) -> Operand<'a> {
        match any {
            Any::Empty => Operand::Null,
            Any::Text(text) => Operand::text(text),
            Any::Bool(is) => Operand::Bool(is),
            Any::Int(number) => Operand::Int(number),
            Any::Double(number) => Operand::Float(number),
            Any::Bytes(bytes) => Operand::Bytes(bytes),
            Any::List(list) => Operand::List(Elements::Any(list)),
            Any::Map(map) => Operand::Map(map),
        }
    }

    /// What VRL gave.
    pub(crate) fn of_vrl(value: vrl::value::Value) -> Operand<'a> {
        use vrl::value::Value;
        match value {
            Value::Null => Operand::Null,
            Value::Boolean(is) => Operand::Bool(is),
            Value::Integer(number) => Operand::Int(number),
            Value::Float(number) => Operand::Float(number.into_inner()),
            Value::Timestamp(at) => Operand::Time(at.timestamp_nanos_opt().and_then(|n| u64::try_from(n).ok()).unwrap_or_default()),
            Value::Bytes(_) | Value::String(_) | Value::Regex(_) => {
                Operand::Text(Cow::Owned(value.to_str_lossy().unwrap_or_default().into_owned()))
            }
            Value::Object(_) | Value::Array(_) => Operand::Made(Box::new(value)),
        }
    }

    /// The operand, or `Missing` for none.
    pub(crate) fn or_missing(found: Option<Operand<'a>>) -> Operand<'a> {
        found.unwrap_or(Operand::Missing)
    }

    /// As text, if it is text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Operand::Text(text) => Some(text),
            Operand::Id(hex) => Some(hex.text()),
            Operand::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Whether it is missing or null.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Operand::Missing | Operand::Null)
    }

    /// Whether it is `true`.
    pub(crate) fn is_true(&self) -> bool {
        matches!(self, Operand::Bool(true))
    }

    /// `==`: null equals null and missing, numbers of both kinds meet, everything else needs equal types.
    pub(crate) fn equals(&self, other: &Operand<'_>) -> bool {
        match (self, other) {
            (a, b) if a.is_null() || b.is_null() => a.is_null() && b.is_null(),
            (Operand::Bool(a), Operand::Bool(b)) => a == b,
            (Operand::Made(a), Operand::Made(b)) => a == b,
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    /// How they are ordered: numbers, texts and times among themselves, nothing else.
    pub(crate) fn order(&self, other: &Operand<'_>) -> Option<Ordering> {
        match (self, other) {
            (Operand::Int(a), Operand::Int(b)) => Some(a.cmp(b)),
            (Operand::Time(a), Operand::Time(b)) => Some(a.cmp(b)),
            (Operand::Int(_) | Operand::Float(_), Operand::Int(_) | Operand::Float(_)) => self.as_float()?.partial_cmp(&other.as_float()?),
            _ => Some(self.as_bytes()?.cmp(other.as_bytes()?)),
        }
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Operand::Bytes(bytes) => Some(bytes),
            _ => self.as_text().map(str::as_bytes),
        }
    }

    /// As a number with a fraction, if it is a number.
    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "as VRL compares whole numbers with fractions")]
            Operand::Int(number) => Some(*number as f64),
            Operand::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// Bytes of a text, elements of a list, keys of a map.
    pub(crate) fn length(&self) -> Option<usize> {
        match self {
            Operand::List(Elements::Any(list)) => Some(list.iter().count()),
            Operand::List(Elements::Names(names)) => Some(names.len()),
            Operand::List(Elements::Counted(count)) => Some(*count),
            Operand::Map(map) => Some(map.iter().count()),
            Operand::Made(value) => match value.as_ref() {
                vrl::value::Value::Array(list) => Some(list.len()),
                vrl::value::Value::Object(map) => Some(map.len()),
                _ => None,
            },
            _ => self.as_bytes().map(<[u8]>::len),
        }
    }

    /// Whether it is a list that has `item`.
    pub(crate) fn includes(&self, item: &Operand<'_>) -> bool {
        match self {
            Operand::List(Elements::Any(list)) => list.iter().any(|e| Operand::of_any(e).equals(item)),
            Operand::List(Elements::Names(names)) => item.as_text().is_some_and(|text| names.iter().any(|n| &**n == text)),
            Operand::Made(value) => value.as_array().is_some_and(|list| list.iter().any(|e| Operand::of_vrl(e.clone()).equals(item))),
            _ => false,
        }
    }

    /// As text for people and labels: text as it is, numbers, booleans and times written out; none for what has no single text.
    pub(crate) fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Operand::Text(text) => Some(text),
            Operand::Id(hex) => Some(Cow::Owned(hex.text().to_owned())),
            Operand::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Operand::Bool(is) => Some(Cow::Borrowed(if is { "true" } else { "false" })),
            Operand::Int(number) => Some(Cow::Owned(number.to_string())),
            Operand::Float(number) => Some(Cow::Owned(number.to_string())),
            Operand::Time(nanos) => Some(Cow::Owned(time(nanos).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))),
            Operand::List(Elements::Any(list)) => Some(Cow::Owned(Any::List(list).display())),
            Operand::List(Elements::Names(names)) => Some(Cow::Owned(names.join(","))),
            Operand::Map(map) => Some(Cow::Owned(Any::Map(map).display())),
            Operand::Made(value) => Some(Cow::Owned(value.to_string())),
            Operand::Missing | Operand::Null | Operand::Parts | Operand::List(Elements::Counted(_)) => None,
        }
    }
}

/// Nanoseconds as the calendar's time; far beyond our time it stops in the year 2262.
pub(crate) fn time(nanos: u64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}
