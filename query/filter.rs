//! What questions have in common: a range of time, and attributes that must have a value.

use store::{Filter, Scalar};

/// From (inclusive) to (exclusive), in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The first.
    pub from: u64,
    /// One past the last; `u64::MAX` is no bound.
    pub to: u64,
}

impl Default for Times {
    fn default() -> Times {
        Times { from: 0, to: u64::MAX }
    }
}

/// An attribute and its value as text; numbers and booleans are compared by what they are written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The key: of the record, or else of its resource.
    pub key: String,
    /// The value.
    pub value: String,
}

impl Attribute {
    pub(crate) fn filter(&self) -> Filter {
        let at = |place: &str| Filter::Equals(format!("{place}.{}", self.key), Scalar::Text(self.value.clone()));
        Filter::AnyOf(vec![at("attributes"), at("resource")])
    }
}

pub(crate) fn text_equals(column: &str, value: &str) -> Filter {
    Filter::Equals(column.to_owned(), Scalar::Text(value.to_owned()))
}

/// JSON text of the store as a value; text that is no JSON (nested too deep for the parser) stays text.
pub(crate) fn json(text: Option<&str>) -> serde_json::Value {
    let Some(text) = text else { return serde_json::Value::Null };
    serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.to_owned()))
}

/// As `json`, for a column of attributes: no attributes are an empty object.
pub(crate) fn object(text: Option<&str>) -> serde_json::Value {
    json(Some(text.unwrap_or("{}")))
}
