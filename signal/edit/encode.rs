//! Values as `AnyValue` and `KeyValue` messages.

use crate::{
    Value,
    wire::{close, open, put_bytes, put_fixed64, put_uint},
};

/// Levels of arrays and maps that are written. A map takes three levels of messages, of which readers take 100.
pub(super) const NESTING_MAX: usize = 30;

/// A guess at the size of a nested message, so that `close` seldom has to move its bytes.
const NESTED_BYTES: usize = 100;

/// Writes the content of an `AnyValue`.
pub(super) fn put_any(out: &mut Vec<u8>, value: &Value) {
    put_nested(out, value, 0);
}

/// Writes the content of a `KeyValue`.
pub(super) fn put_pair(out: &mut Vec<u8>, key: &str, value: &Value) {
    put_pair_within(out, key, value, 0);
}

/// Writes an event as a field of a span.
pub(super) fn put_event(out: &mut Vec<u8>, time: u64, name: &str, attributes: &[(&str, Value)]) {
    let event = open(out, 11, NESTED_BYTES);
    put_fixed64(out, 1, time);
    put_bytes(out, 2, name.as_bytes());
    for (key, value) in attributes {
        let pair = open(out, 3, NESTED_BYTES);
        put_pair(out, key, value);
        close(out, pair);
    }
    close(out, event);
}

fn put_pair_within(out: &mut Vec<u8>, key: &str, value: &Value, level: usize) {
    put_bytes(out, 1, key.as_bytes());
    let slot = open(out, 2, NESTED_BYTES);
    put_nested(out, value, level);
    close(out, slot);
}

/// Recurses `NESTING_MAX` deep at the most.
fn put_nested(out: &mut Vec<u8>, value: &Value, level: usize) {
    match value {
        Value::Empty => {}
        Value::Text(text) => put_bytes(out, 1, text.as_bytes()),
        Value::Bool(value) => put_uint(out, 2, u64::from(*value)),
        Value::Int(value) => put_uint(out, 3, value.cast_unsigned()),
        Value::Double(value) => put_fixed64(out, 4, value.to_bits()),
        Value::Bytes(bytes) => put_bytes(out, 7, bytes),
        Value::List(_) | Value::Map(_) if level == NESTING_MAX => {}
        Value::List(list) => {
            let slot = open(out, 5, NESTED_BYTES);
            for value in list {
                let element = open(out, 1, NESTED_BYTES);
                put_nested(out, value, level + 1);
                close(out, element);
            }
            close(out, slot);
        }
        Value::Map(map) => {
            let slot = open(out, 6, NESTED_BYTES);
            for (key, value) in map {
                let pair = open(out, 1, NESTED_BYTES);
                put_pair_within(out, key, value, level + 1);
                close(out, pair);
            }
            close(out, slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Any;

    #[test]
    fn a_value_is_read_as_it_was_written() {
        let map = vec![("a".to_owned(), Value::Int(-1)), ("long".to_owned(), Value::Text("x".repeat(300))), ("e".to_owned(), Value::Empty)];
        let all =
            Value::List(vec![Value::Bool(true), Value::Double(0.5), Value::Bytes(vec![0, 255]), Value::Map(map), Value::List(Vec::new())]);
        let mut out = Vec::new();
        put_any(&mut out, &all);
        assert_eq!(Any::of(&out).to_value(), all);
    }

    #[test]
    fn a_value_is_cut_off_where_readers_would_stop() {
        let deep = |levels: usize| (0..levels).fold(Value::Empty, |inside, _| Value::Map(vec![("k".to_owned(), inside)]));
        let mut out = Vec::new();
        put_any(&mut out, &deep(50));
        assert_eq!(Any::of(&out).to_value(), deep(NESTING_MAX));
    }
}
