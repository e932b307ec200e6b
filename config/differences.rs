//! In what two files differ: their trees compared as they are written, without places.

use crate::{Graph, Input, NamedNode, Node, Place, Value, node::Key};

/// The nodes of one map whose names the other does not have.
pub fn without<'a>(nodes: &'a [NamedNode], other: &[NamedNode]) -> impl Iterator<Item = &'a NamedNode> {
    nodes.iter().filter(|node| !other.iter().any(|other| other.name == node.name))
}

/// The settings in which two graphs differ, of these words, with the keys in which each does.
#[must_use]
pub fn of_settings<'a>(old: &Graph, new: &Graph, words: &[&'a str]) -> Vec<(&'a str, Vec<String>)> {
    let nothing = Node { value: Value::Null, place: Place::default() };
    let of = |graph: &Graph, word: &str| {
        graph.settings.iter().find(|(other, ..)| other == word).map_or_else(|| nothing.clone(), |(.., node)| node.clone())
    };
    let mut found = Vec::new();
    for word in words.iter().copied() {
        let mut keys = Vec::new();
        of_trees(&of(old, word), &of(new, word), word, &mut keys);
        if !keys.is_empty() {
            found.push((word, keys));
        }
    }
    found
}

/// The keys in which two nodes of one name differ, as `kept.rules`.
#[must_use]
pub fn of_nodes(old: &NamedNode, new: &NamedNode) -> Vec<String> {
    let mut keys = Vec::new();
    let mut note = |differs: bool, key: &str| {
        if differs {
            keys.push(format!("{}.{key}", new.name));
        }
    };
    note(*old.type_word != *new.type_word, "type");
    note(read(&old.inputs) != read(&new.inputs), "inputs");
    note(old.on_full != new.on_full, "on_full");
    of_trees(&old.body, &new.body, &new.name, &mut keys);
    keys
}

fn read(inputs: &[Input]) -> Vec<(&str, Option<&str>)> {
    inputs.iter().map(|input| (input.node.as_str(), input.port.as_deref())).collect()
}

/// Notes where two trees differ, below `at`: as deep as both are maps. The recursion is bounded by the depth that the reader allows.
pub fn of_trees(old: &Node, new: &Node, at: &str, found: &mut Vec<String>) {
    let (Value::Map(old), Value::Map(new)) = (&old.value, &new.value) else {
        if !same(old, new) {
            found.push(at.to_owned());
        }
        return;
    };
    let before = found.len();
    for ((key, _), node) in new {
        match old.iter().find(|((other, _), _)| other == key) {
            Some((_, other)) => of_trees(other, node, &format!("{at}.{key}"), found),
            None => found.push(format!("{at}.{key}")),
        }
    }
    let gone = old.iter().filter(|((key, _), _)| !new.iter().any(|((other, _), _)| other == key));
    found.extend(gone.map(|((key, _), _)| format!("{at}.{key}")));
    let order = |entries: &[(Key, Node)]| entries.iter().map(|((key, _), _)| key.clone()).collect::<Vec<_>>();
    // In some maps the first that matches wins.
    if found.len() == before && order(old) != order(new) {
        found.push(at.to_owned());
    }
}

/// Whether two trees say the same, wherever they stand.
#[must_use]
pub fn same(old: &Node, new: &Node) -> bool {
    match (&old.value, &new.value) {
        (Value::Null, Value::Null) => true,
        (Value::Text(old), Value::Text(new)) => old.text == new.text && old.plain == new.plain,
        (Value::List(old), Value::List(new)) => old.len() == new.len() && old.iter().zip(new).all(|(old, new)| same(old, new)),
        (Value::Map(old), Value::Map(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|((old_key, old), (new_key, new))| old_key.0 == new_key.0 && same(old, new))
        }
        _ => false,
    }
}
