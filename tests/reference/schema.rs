//! Reads a JSON schema as schemars writes it: what a key is in words, what it defaults to, what stands under it.

use serde_json::{Map, Value};

/// One key of a config struct.
pub(crate) struct Key {
    /// From the node, as `close.idle` or `rules[].keep`.
    pub(crate) path: String,
    pub(crate) holds: String,
    pub(crate) default: String,
    pub(crate) description: String,
}

pub(crate) fn description(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ")
}

/// Every key of an object, and those under it.
pub(crate) fn keys(schema: &Value, root: &Value, prefix: &str) -> Vec<Key> {
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let mut keys = Vec::new();
    for (name, property) in schema["properties"].as_object().unwrap_or(&Map::new()) {
        let path = format!("{prefix}{name}");
        let (inner, word) = resolved(property, root);
        let default = match &property["default"] {
            Value::Null if required(name) => "required".to_owned(),
            Value::Null => String::new(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        keys.push(Key { path: path.clone(), holds: holds(inner, root, word), default, description: description(property) });
        keys.extend(self::keys(inner, root, &format!("{path}.")));
        if inner["type"].as_array().is_none() && inner["items"].is_object() {
            keys.extend(self::keys(resolved(&inner["items"], root).0, root, &format!("{path}[].")));
        }
    }
    keys
}

/// What a reference or an option is about, and its name where it has one.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> (&'a Value, &'a str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return (&root["$defs"][name], name.rsplit('_').next().unwrap_or_default());
    }
    let choices = schema["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    match choices {
        [one, null] if null["type"] == "null" => resolved(one, root),
        _ => (schema, ""),
    }
}

fn holds(schema: &Value, root: &Value, word: &str) -> String {
    match word {
        "Condition" => return "condition".to_owned(),
        "Conditions" => return "condition, list of them, or map per signal".to_owned(),
        "Endpoint" => return "text, or list of text".to_owned(),
        "Script" => return "VRL program".to_owned(),
        "Field" => return "field".to_owned(),
        _ => {}
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let words: Vec<String> = choices.iter().filter_map(|choice| Some(format!("`{}`", choice["const"].as_str()?))).collect();
        return words.join(", ");
    }
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    match types.first().copied().unwrap_or_default() {
        "string" if pattern.contains("ms|s") => "time, as `10s`",
        "string" if pattern.contains("KiB") => "size, as `64MiB`",
        "string" if pattern.contains('%') => "share, as `10%`",
        "string" => "text",
        "integer" => "whole number",
        "number" => "number",
        "boolean" => "`true` or `false`",
        "object" => "map",
        "array" => {
            let (item, word) = resolved(&schema["items"], root);
            return format!("list of {}", holds(item, root, word));
        }
        _ => "",
    }
    .to_owned()
}

/// Keys anywhere in a schema that say nothing of themselves.
pub(crate) fn undescribed(schema: &Value, path: &str) -> Vec<String> {
    let mut bare = Vec::new();
    if let Some(properties) = schema["properties"].as_object() {
        let named = |property: &Value| property["description"].as_str().is_some_and(|text| !text.is_empty());
        // Maps of nodes are told by their sections.
        let sections = path.is_empty()
            || path.ends_with("/properties/sources")
            || path.ends_with("/properties/processors")
            || path.ends_with("/properties/sinks");
        bare.extend(properties.iter().filter(|(_, property)| !sections && !named(property)).map(|(name, _)| format!("{path}/{name}")));
    }
    match schema {
        Value::Object(body) => bare.extend(body.iter().flat_map(|(key, value)| undescribed(value, &format!("{path}/{key}")))),
        Value::Array(items) => bare.extend(items.iter().flat_map(|item| undescribed(item, path))),
        _ => {}
    }
    bare
}
