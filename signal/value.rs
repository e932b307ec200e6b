//! An attribute value that owns what it holds; what edits and codecs write. Reading never makes one.

/// The cases of OTLP's `AnyValue`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// An `AnyValue` with nothing set.
    #[default]
    Empty,
    /// Text.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// An array.
    List(Vec<Value>),
    /// A map; keys in written order, as OTLP keeps them.
    Map(Vec<(String, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}
