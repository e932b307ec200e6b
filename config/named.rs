//! One named node: its shorthands (`otlp: {}`, `otlp:`, `app: otlp`), its `inputs`, and what is left for its type.

use crate::{
    Fault, Input, NamedNode, Node, Place, Placed, Value,
    graph::OnFull,
    nearest,
    node::{Key, Text},
    read,
};

/// Reads the entry `key: node` of a section. None if it is not a node at all.
pub(crate) fn named(section: &str, key: &Key, node: &Node, faults: &mut Vec<Fault>) -> Option<NamedNode> {
    let (name, name_place) = key;
    check_name(name, *name_place, faults);
    let mut body: Vec<(Key, Node)> = match &node.value {
        Value::Map(entries) => entries.clone(),
        Value::Null | Value::Text(_) => Vec::new(),
        Value::Broken(fault) => {
            faults.push(Fault::clone(fault));
            return None;
        }
        Value::List(_) => {
            faults.push(Fault::at(node.place, format!("`{name}` is a list; expected a map")).help(format!("write `{name}: {{ … }}`")));
            return None;
        }
    };
    let type_word = match &node.value {
        Value::Text(_) => text(node, "type", *name_place, faults),
        _ => take(&mut body, "type").and_then(|(key, node)| text(&node, "type", key.1, faults)),
    };
    let type_word = type_word.unwrap_or_else(|| Placed::<String>::own_name(name, *name_place));
    let inputs = inputs(section, key, &mut body, faults);
    let on_full = take(&mut body, "on_full").and_then(|(key, node)| on_full(section, &key, &node, faults));
    let place = if matches!(node.value, Value::Map(_)) { node.place } else { *name_place };
    let body = Node { value: Value::Map(body), place };
    Some(NamedNode { name: name.clone(), name_place: *name_place, type_word, inputs, on_full, body })
}

fn take(body: &mut Vec<(Key, Node)>, word: &str) -> Option<(Key, Node)> {
    let at = body.iter().position(|((key, _), _)| key == word)?;
    Some(body.remove(at))
}

/// Names stand in metrics, addresses and `inputs`, where a dot starts a port.
fn check_name(name: &str, place: Place, faults: &mut Vec<Fault>) {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(good) {
        return;
    }
    let mut better: String = name.to_lowercase().chars().map(|c| if good(c) { c } else { '_' }).collect();
    if !better.starts_with(|c: char| c.is_ascii_lowercase()) {
        better.insert_str(0, "n_");
    }
    let what = format!("`{name}` is no name: a small letter, then small letters, digits, `_` and `-`");
    faults.push(Fault::at(place, what).help(format!("write `{better}`")));
}

/// A text with its place, or the fault that says what stands there instead.
fn text(node: &Node, word: &str, key_place: Place, faults: &mut Vec<Fault>) -> Option<Placed<String>> {
    match read::<Placed<String>>(node) {
        Ok(text) => Some(text),
        Err(_) if matches!(&node.value, Value::Null) => {
            faults.push(Fault::at(key_place, format!("`{word}` is empty")));
            None
        }
        Err(more) => {
            faults.extend(more);
            None
        }
    }
}

fn inputs(section: &str, (name, name_place): &Key, body: &mut Vec<(Key, Node)>, faults: &mut Vec<Fault>) -> Vec<Input> {
    let mut found = take(body, "inputs");
    if section == "sources" {
        if let Some((key, _)) = found {
            faults.push(
                Fault::at(key.1, format!("`{name}` is a source: it has no inputs"))
                    .help("leave `inputs` out, or move the node to `processors` or `sinks`"),
            );
        }
        return Vec::new();
    }
    if found.is_none() {
        let slip = body.iter().position(|((key, _), _)| key == "from" || nearest(key, ["inputs"]).is_some());
        found = slip.map(|at| body.remove(at));
        if let Some((key, _)) = &found {
            faults.push(Fault::at(key.1, format!("unknown key `{}`", key.0)).help("did you mean `inputs`?"));
        }
    }
    let Some((key, node)) = found else {
        faults.push(Fault::at(*name_place, format!("`{name}` has no `inputs`")).help("name the nodes it reads: `inputs: [otlp]`"));
        return Vec::new();
    };
    let items = match &node.value {
        Value::List(items) if !items.is_empty() => items.as_slice(),
        Value::Text(_) | Value::Broken(_) => std::slice::from_ref(&node),
        Value::List(_) | Value::Null => {
            faults.push(Fault::at(key.1, format!("`inputs` of `{name}` is empty")).help("name the nodes it reads: `inputs: [otlp]`"));
            return Vec::new();
        }
        Value::Map(_) => {
            faults.push(Fault::at(node.place, "expected a list, found a map").help("name the nodes it reads: `inputs: [otlp]`"));
            return Vec::new();
        }
    };
    items.iter().filter_map(|item| input(item, key.1, faults)).collect()
}

fn input(item: &Node, key_place: Place, faults: &mut Vec<Fault>) -> Option<Input> {
    let written = text(item, "inputs", key_place, faults)?;
    let place = match &item.value {
        Value::Text(text) => content(text, item.place),
        _ => item.place,
    };
    let whole = written.into_inner();
    let (node, port) = match whole.split_once('.') {
        Some((node, port)) => (node, Some(port)),
        None => (whole.as_str(), None),
    };
    let word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*'));
    if !word(node) || !port.is_none_or(word) {
        let fault = Fault::at(place, format!("`{whole}` is no input"));
        faults.push(fault.help("write a node's name, or `name.signal` or `name.output`; several stand in a list"));
        return None;
    }
    Some(Input { node: node.to_owned(), port: port.map(str::to_owned), place })
}

/// The place without the quotes.
fn content(text: &Text, place: Place) -> Place {
    match (text.offsets.file(0), text.offsets.file(text.text.len())) {
        (Some(start), Some(end)) if start < end => Place { start, end },
        _ => place,
    }
}

fn on_full(section: &str, key: &Key, node: &Node, faults: &mut Vec<Fault>) -> Option<(OnFull, Place)> {
    if section != "sinks" {
        faults.push(Fault::at(key.1, "`on_full` belongs to a sink").help("a source waits when what reads it is full"));
        return None;
    }
    let word = text(node, "on_full", key.1, faults)?;
    let said = |what: OnFull| Some((what, word.place()));
    match word.as_str() {
        "spill" => said(OnFull::Spill),
        "block" => said(OnFull::Block),
        "drop" => said(OnFull::Drop),
        other => {
            let help = crate::words::advice(other, &["spill", "block", "drop"]);
            faults.push(Fault { help, ..word.fault(format!("unknown word `{other}`")) });
            None
        }
    }
}
