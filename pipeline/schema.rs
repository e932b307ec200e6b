//! The JSON schema of pipeline files, put together from the config structs of the catalogue, for editors and other programs.

use crate::{
    Entry, Kind,
    catalog::close,
    settings::{Acknowledge, Delivery, Journal},
};
use config::{Bytes, Period};
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The schema of a whole file. `settings` are those at its top that other rooms read, such as `admin:`.
#[must_use]
pub fn of(catalogue: &[&[Entry]], settings: Vec<(&str, Schema)>) -> Value {
    let mut definitions = Map::new();
    let mut properties = Map::new();
    let memory = "What the process may use, such as `512MiB`; by default a share of what the cgroup or the machine has.";
    let drain = "How long a stop may take, by default `25s`: sources stop, what is held is closed, sinks finish.";
    properties.insert("journal".to_owned(), hoist("journal", generate::<Journal>(), &mut definitions));
    properties.insert("memory".to_owned(), described(generate::<Bytes>(), memory));
    properties.insert("drain".to_owned(), described(generate::<Period>(), drain));
    for (name, mut schema) in settings {
        close(&mut schema);
        properties.insert(name.to_owned(), hoist(name, schema.to_value(), &mut definitions));
    }
    for kind in [Kind::Source, Kind::Processor, Kind::Sink] {
        let entries: Vec<&Entry> = catalogue.iter().flat_map(|list| list.iter()).filter(|entry| entry.kind == kind).collect();
        properties.insert(format!("{}s", kind.word()), nodes(kind, &entries, &mut definitions));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kansoku pipeline",
        "type": "object",
        "properties": properties,
        "required": ["sources"],
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// A map of nodes: one that has the name of a type may leave `type` out, or be empty; any other has to say its type.
fn nodes(kind: Kind, entries: &[&Entry], definitions: &mut Map<String, Value>) -> Value {
    let (mut named, mut others) = (Map::new(), Vec::new());
    let words: Vec<&str> = entries.iter().map(|entry| entry.type_name).collect();
    let shorthand = json!({ "enum": words });
    others.push(shorthand.clone());
    for entry in entries {
        let definition = format!("{}_{}", kind.word(), entry.type_name);
        let mut schema = hoist(&definition, (entry.schema)().to_value(), definitions);
        add_common(&mut schema, kind, entry.type_name, definitions);
        definitions.insert(definition.clone(), schema);
        let reference = json!({ "$ref": format!("#/$defs/{definition}") });
        others.push(json!({ "allOf": [reference, { "required": ["type"] }] }));
        named.insert(entry.type_name.to_owned(), json!({ "anyOf": [{ "type": "null" }, shorthand, reference] }));
    }
    // A node may have a type's name and yet be of another type.
    for node in named.values_mut() {
        if let Some(choices) = node.get_mut("anyOf").and_then(Value::as_array_mut) {
            choices.extend(others.iter().skip(1).cloned());
        }
    }
    json!({ "type": ["object", "null"], "properties": named, "additionalProperties": { "anyOf": others } })
}

/// The keys that every node of a map has, whatever its type.
fn add_common(schema: &mut Value, kind: Kind, type_name: &str, definitions: &mut Map<String, Value>) {
    let Some(body) = schema.as_object_mut() else { return };
    let keys = body.entry("properties").or_insert_with(|| json!({}));
    let Some(keys) = keys.as_object_mut() else { return };
    keys.insert("type".to_owned(), json!({ "const": type_name, "description": "What it is; defaults to the node's name." }));
    match kind {
        Kind::Source => {
            let description = "What its yes to a client means; by default `durable` with a journal.";
            keys.insert("acknowledge".to_owned(), described(generate::<Acknowledge>(), description));
        }
        Kind::Processor | Kind::Sink => {
            let description = "Whom it reads: a node, or one of its signals or outputs, such as `otlp.traces`.";
            let inputs = json!({ "type": ["array", "string"], "items": { "type": "string" }, "description": description });
            keys.insert("inputs".to_owned(), inputs);
        }
    }
    if kind == Kind::Sink {
        let description = "What a full queue does: `spill` goes on to disk, `block` makes sources wait, `drop` discards and counts. By default `spill` where \
            there is a journal and the sink has no log of its own, else `block`.";
        keys.insert("on_full".to_owned(), json!({ "enum": ["spill", "block", "drop"], "description": description }));
        let delivery = hoist("delivery", generate::<Delivery>(), definitions);
        keys.insert("delivery".to_owned(), described(delivery, "How the sink is given what waits for it."));
    }
}

fn described(mut schema: Value, description: &str) -> Value {
    if let Some(body) = schema.as_object_mut() {
        body.remove("title");
        body.insert("description".to_owned(), description.into());
    }
    schema
}

fn generate<T: JsonSchema>() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    close(&mut schema);
    schema.remove("$schema");
    schema.to_value()
}

/// Moves a schema's own definitions to those of the whole, under names that start with `prefix`.
fn hoist(prefix: &str, mut schema: Value, definitions: &mut Map<String, Value>) -> Value {
    let Some(body) = schema.as_object_mut() else { return schema };
    body.remove("$schema");
    let own = body.remove("$defs");
    point(&mut schema, prefix);
    if let Some(Value::Object(own)) = own {
        for (name, mut definition) in own {
            point(&mut definition, prefix);
            definitions.insert(format!("{prefix}_{name}"), definition);
        }
    }
    schema
}

/// Lets every reference point to where `hoist` puts what it names. As deep as the config structs are nested.
fn point(schema: &mut Value, prefix: &str) {
    match schema {
        Value::Object(body) => {
            if let Some(Value::String(reference)) = body.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/$defs/{prefix}_{name}");
            }
            body.values_mut().for_each(|value| point(value, prefix));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| point(item, prefix)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
