//! A line's body: a map where the line is a JSON object, else its text.

use crate::Value;
use serde_json::Value as Json;

/// Levels that become maps and arrays; what lies deeper stays JSON text, so that `check` takes the record.
const LEVELS_MAX: usize = 32;

pub(super) fn of(line: &str) -> Value {
    let is_object = line.trim_start().starts_with('{') && line.ends_with('}');
    let json = is_object.then(|| serde_json::from_str::<Json>(line).ok()).flatten();
    json.map_or_else(|| Value::Text(line.to_owned()), |json| value_of(json, 0))
}

pub(super) fn value_of(json: Json, level: usize) -> Value {
    match json {
        Json::Null => Value::Empty,
        Json::Bool(it) => Value::Bool(it),
        Json::String(text) => Value::Text(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            // Above i64 a double would lose digits: it is more likely an id than an amount.
            (None, Some(double)) if !number.is_u64() => Value::Double(double),
            _ => Value::Text(number.to_string()),
        },
        Json::Array(_) | Json::Object(_) if level == LEVELS_MAX => Value::Text(json.to_string()),
        Json::Array(list) => Value::List(list.into_iter().map(|json| value_of(json, level + 1)).collect()),
        Json::Object(map) => Value::Map(map.into_iter().map(|(key, json)| (key, value_of(json, level + 1))).collect()),
    }
}
