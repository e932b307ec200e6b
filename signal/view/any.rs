//! Attribute values and lists of attributes.

use crate::Value;

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
    /// The text, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        if let Any::Text(text) = self { Some(text) } else { None }
    }
    /// A copy that owns what it holds.
    #[must_use]
    pub fn to_value(&self) -> Value {
        todo!()
    }
    /// As text for people: text as it is, numbers and booleans written out, bytes in base64, arrays and maps as JSON.
    #[must_use]
    pub fn display(&self) -> String {
        todo!()
    }
}

/// The elements of an array.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> List<'a> {
    /// Each element.
    pub fn iter(&self) -> impl Iterator<Item = Any<'a>> + use<'a> {
        std::iter::empty()
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
        std::iter::empty()
    }
    /// The value of the first pair with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Any<'a>> {
        self.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
    }
}
