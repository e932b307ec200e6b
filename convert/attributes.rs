//! The processors that change attributes of records and of resources.

use crate::{
    nodes::Body,
    notes::Notes,
    ottl::{literal, pattern},
    written::{Keys, scalar},
    yaml::Yaml,
};
use config::{Node, Place, Value};

/// Whose attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Record,
    Resource,
}

/// A program that does what its actions do, in their order.
pub(crate) fn convert(id: &str, node: &Node, whose: Whose, notes: &mut Notes) -> Vec<Body> {
    let mut keys = Keys::of(node, format!("processors.{id}"));
    let (list, map) = match whose {
        Whose::Record => ("actions", ".attributes"),
        Whose::Resource => ("attributes", ".resource"),
    };
    let mut lines = Vec::new();
    if let Some(Value::List(actions)) = keys.take(list).map(|node| &node.value) {
        for action in actions {
            let mut action = Keys::of(action, format!("processors.{id}.{list}"));
            match program(&mut action, map) {
                Ok(more) => {
                    lines.extend(more);
                    action.finish(notes, "write it in the program of this `transform`");
                }
                Err((place, why)) => {
                    notes.left_out(place, format!("an action of `processors.{id}`: {why}"), "write it in the program of this `transform`")
                }
            }
        }
    }
    for key in ["include", "exclude"] {
        if let Some(node) = keys.take(key) {
            let what = format!("`processors.{id}.{key}`: here it changes every record that comes");
            notes.left_out(node.place, what, "a condition in the program: if .service == \"shop\" { … }");
        }
    }
    keys.finish(notes, "leave it out");
    if lines.is_empty() { Vec::new() } else { vec![Body::new("transform", [("vrl", Some(vrl(&lines)))])] }
}

/// A program in one line or in several.
pub(crate) fn vrl(lines: &[String]) -> Yaml {
    match lines {
        [one] => Yaml::text(one),
        many => Yaml::Block(many.join("\n")),
    }
}

fn program(action: &mut Keys<'_>, map: &str) -> Result<Vec<String>, (Place, String)> {
    let place = action.place;
    let fail = |why: String| (place, why);
    let verb = action.text("action").unwrap_or_default();
    let key = action.text("key").unwrap_or_default();
    if verb != "extract" && action.take("pattern").is_some() {
        return Err((place, "keys cannot be told by a pattern here".to_owned()));
    }
    let field = format!("{map}.{}", literal(&key));
    let value = value(action, map).map_err(fail)?;
    let set = |guard: &str| match &value {
        Some((value, None)) if guard.is_empty() => Ok(vec![format!("{field} = {value}")]),
        Some((value, None)) => Ok(vec![format!("if {guard} {{ {field} = {value} }}")]),
        Some((value, Some(from))) => {
            let both = if guard.is_empty() { String::new() } else { format!("{guard} && ") };
            Ok(vec![format!("if {both}exists({from}) {{ {field} = {value} }}")])
        }
        None => Err(fail(format!("`{verb}` of `{key}` has no value that is known here"))),
    };
    match verb.as_str() {
        "insert" => set(&format!("!exists({field})")),
        "update" => set(&format!("exists({field})")),
        "upsert" => set(""),
        "delete" => Ok(vec![format!("del({field})")]),
        "hash" => Err(fail(format!("nothing is hashed here, so `{key}` stays as it is; where it must not be kept, write `del({field})`"))),
        "convert" => {
            let function = match action.text("converted_type").as_deref() {
                Some("int") => "to_int",
                Some("double") => "to_float",
                Some("string") => "to_string",
                other => return Err(fail(format!("there is no conversion to `{}`", other.unwrap_or_default()))),
            };
            Ok(vec![format!("if exists({field}) {{ {field} = {function}({field}) ?? {field} }}")])
        }
        "extract" => {
            let text = action.text("pattern").unwrap_or_default();
            let literal_pattern = pattern(&text).map_err(fail)?;
            let mut lines = vec![format!("parsed, error = parse_regex({field}, {literal_pattern})")];
            let fields: Vec<String> = groups(&text).map(|group| format!("{map}.{} = parsed.{group}", literal(group))).collect();
            lines.push(format!("if error == null {{ {} }}", fields.join("; ")));
            Ok(lines)
        }
        other => Err(fail(format!("there is no counterpart of `{other}`"))),
    }
}

/// What is set, and the field that it is taken from if it is one.
fn value(action: &mut Keys<'_>, map: &str) -> Result<Option<(String, Option<String>)>, String> {
    if let Some(node) = action.take("value") {
        let Some(text) = scalar(node) else { return Err("a value that is no single one is not understood".to_owned()) };
        let plain = matches!(&node.value, Value::Text(written) if written.plain);
        let number = text.parse::<f64>().is_ok_and(f64::is_finite) || text == "true" || text == "false";
        return Ok(Some((if plain && number { text } else { literal(&text) }, None)));
    }
    if let Some(from) = action.text("from_attribute") {
        let record = format!(".attributes.{}", literal(&from));
        let field = if map == ".attributes" { record } else { format!("{map}.{}", literal(&from)) };
        return Ok(Some((field.clone(), Some(field))));
    }
    match action.text("from_context") {
        Some(context) => Err(format!("what a client says of itself (`{context}`) is not kept here")),
        None => Ok(None),
    }
}

/// The names of a pattern's groups.
fn groups(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split("(?P<").skip(1).filter_map(|rest| rest.split_once('>').map(|(name, _)| name))
}
