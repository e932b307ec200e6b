//! Our values as prost structs, for whoever makes telemetry instead of passing it on.

use crate::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value};

/// A value as OTLP's `AnyValue`.
#[must_use]
pub fn any_value(value: Value) -> AnyValue {
    use any_value::Value as Any;
    let value = match value {
        Value::Empty => None,
        Value::Text(text) => Some(Any::StringValue(text)),
        Value::Bool(it) => Some(Any::BoolValue(it)),
        Value::Int(number) => Some(Any::IntValue(number)),
        Value::Double(number) => Some(Any::DoubleValue(number)),
        Value::Bytes(bytes) => Some(Any::BytesValue(bytes)),
        Value::List(list) => Some(Any::ArrayValue(ArrayValue { values: list.into_iter().map(any_value).collect() })),
        Value::Map(map) => Some(Any::KvlistValue(KeyValueList { values: attributes(map) })),
    };
    AnyValue { value }
}

/// One attribute.
#[must_use]
pub fn attribute(key: impl Into<String>, value: impl Into<Value>) -> KeyValue {
    KeyValue { key: key.into(), value: Some(any_value(value.into())), key_strindex: 0 }
}

/// Attributes, in the order given.
#[must_use]
pub fn attributes(pairs: Vec<(String, Value)>) -> Vec<KeyValue> {
    pairs.into_iter().map(|(key, value)| attribute(key, value)).collect()
}
