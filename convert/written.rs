//! Reading a tree that another tool defines: each key is taken once, and what nobody took is said.

use crate::{notes::Notes, yaml::Yaml};
use config::{Node, Period, Place, Value};

/// The keys of a map that were not taken yet.
pub(crate) struct Keys<'a> {
    /// As in `receivers.otlp.protocols`.
    pub(crate) path: String,
    pub(crate) place: Place,
    entries: Vec<(&'a str, Place, &'a Node)>,
}

impl<'a> Keys<'a> {
    /// Of a map; anything else has none.
    pub(crate) fn of(node: &'a Node, path: impl Into<String>) -> Keys<'a> {
        let entries = match &node.value {
            Value::Map(entries) => entries.iter().map(|((key, place), node)| (key.as_str(), *place, node)).collect(),
            Value::Null | Value::Text(_) | Value::List(_) | Value::Broken(_) => Vec::new(),
        };
        Keys { path: path.into(), place: node.place, entries }
    }

    /// Of a map that is not written.
    pub(crate) fn none(path: String) -> Keys<'a> {
        Keys { path, place: Place::default(), entries: Vec::new() }
    }

    /// A key with the keys that it is under.
    fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key, and where the key stands.
    pub(crate) fn take(&mut self, key: &str) -> Option<&'a Node> {
        let at = self.entries.iter().position(|(name, ..)| *name == key)?;
        Some(self.entries.remove(at).2)
    }

    /// Where a key stands, which stays.
    pub(crate) fn place_of(&self, key: &str) -> Option<Place> {
        self.entries.iter().find(|(name, ..)| *name == key).map(|(_, place, _)| *place)
    }

    /// The keys under a key.
    pub(crate) fn under(&mut self, key: &str) -> Option<Keys<'a>> {
        let path = self.at(key);
        self.take(key).map(|node| Keys::of(node, path))
    }

    /// A scalar, its references to the environment as we write them.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        self.take(key).and_then(scalar)
    }

    /// A number; what is none is said.
    pub(crate) fn number(&mut self, key: &str, notes: &mut Notes) -> Option<f64> {
        self.read(key, |text| text.parse().ok(), "is no number that could be read here", "write the number itself", notes)
    }

    /// A length of time as we write it; what is none is said.
    pub(crate) fn period(&mut self, key: &str, notes: &mut Notes) -> Option<Period> {
        self.read(key, |text| Period::parse(text).ok(), "is no length of time that could be read here", "write it like `10s`", notes)
    }

    /// Whether a key says `true`; what says neither is said.
    pub(crate) fn switch(&mut self, key: &str, notes: &mut Notes) -> Option<bool> {
        self.read(key, |text| text.parse().ok(), "is neither `true` nor `false` here", "write which of both it is", notes)
    }

    fn read<T>(&mut self, key: &str, parse: impl Fn(&str) -> Option<T>, what: &str, help: &str, notes: &mut Notes) -> Option<T> {
        let path = self.at(key);
        let node = self.take(key)?;
        let read = scalar(node).and_then(|text| parse(&text));
        if read.is_none() {
            notes.left_out(node.place, format!("`{path}` {what}"), help);
        }
        read
    }

    /// One of these words, else the first of them; what is none of them is said.
    pub(crate) fn word(&mut self, key: &str, words: &[&'static str], notes: &mut Notes) -> &'static str {
        let path = self.at(key);
        let first = words.first().copied().unwrap_or_default();
        let Some(node) = self.take(key) else { return first };
        let text = scalar(node).unwrap_or_default();
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            notes.left_out(node.place, format!("`{path}: {text}` has no counterpart"), format!("what is known is {}", words.join(", ")));
        }
        found.unwrap_or(first)
    }

    /// Says of these keys that they need no counterpart, and why.
    pub(crate) fn needless(&mut self, keys: &[&str], why: &str, notes: &mut Notes) {
        self.each(keys, |path, place| notes.needless(place, path, why));
    }

    /// Says of these keys that here it is done in another way.
    pub(crate) fn differs(&mut self, keys: &[&str], why: &str, instead: &str, notes: &mut Notes) {
        self.each(keys, |path, place| notes.differs(place, format!("`{path}`: {why}"), instead));
    }

    /// Says that here it is done in another way, unless the key says one of these.
    pub(crate) fn unless(&mut self, key: &str, same: &[&str], why: &str, instead: &str, notes: &mut Notes) {
        let Some((path, place)) = self.other_than(key, same) else { return };
        notes.differs(place, format!("`{path}`: {why}"), instead);
    }

    /// Says that it has no counterpart, unless the key says one of these.
    pub(crate) fn refuse_unless(&mut self, key: &str, same: &[&str], why: &str, instead: &str, notes: &mut Notes) {
        let Some((path, place)) = self.other_than(key, same) else { return };
        notes.left_out(place, format!("`{path}`: {why}"), instead);
    }

    fn other_than(&mut self, key: &str, same: &[&str]) -> Option<(String, Place)> {
        let node = self.take(key)?;
        let is_same = scalar(node).is_some_and(|text| same.contains(&text.as_str()));
        (!is_same).then(|| (self.at(key), node.place))
    }

    /// A map of texts; what is none is said.
    pub(crate) fn texts_of(&mut self, key: &str, notes: &mut Notes) -> Option<Yaml> {
        let mut keys = self.under(key)?;
        let path = keys.path.clone();
        let mut pairs = Vec::new();
        for (name, place, node) in keys.drain() {
            match scalar(node) {
                Some(text) => pairs.push((name.to_owned(), Yaml::Text(text))),
                None => notes.left_out(place, format!("`{path}.{name}` is no text that could be read here"), "write it in one line"),
            }
        }
        Some(Yaml::Map(pairs))
    }

    fn each(&mut self, keys: &[&str], mut say: impl FnMut(&str, Place)) {
        for key in keys {
            let Some(at) = self.entries.iter().position(|(name, ..)| name == key) else { continue };
            let (name, place, _) = self.entries.remove(at);
            say(&self.at(name), place);
        }
    }

    /// Every entry.
    pub(crate) fn drain(&mut self) -> Vec<(&'a str, Place, &'a Node)> {
        std::mem::take(&mut self.entries)
    }

    /// Says of every key that is left that it has no counterpart.
    pub(crate) fn finish(self, notes: &mut Notes, instead: &str) {
        for (key, place, _) in &self.entries {
            notes.left_out(*place, format!("`{}` has no counterpart", self.at(key)), instead);
        }
    }
}

/// The text of a scalar, with references as we write them.
pub(crate) fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(references(&text.text)),
        Value::Null | Value::List(_) | Value::Map(_) | Value::Broken(_) => None,
    }
}

/// An id where it is named.
pub(crate) type Named = (String, Place);

/// Each item of a list, or a scalar as the only item.
pub(crate) fn items(node: Option<&Node>) -> Vec<Named> {
    match node.map(|node| (&node.value, node)) {
        Some((Value::List(items), _)) => items.iter().filter_map(|item| Some((scalar(item)?, item.place))).collect(),
        Some((Value::Text(_), node)) => scalar(node).map(|text| (text, node.place)).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The texts alone.
pub(crate) fn texts(node: Option<&Node>) -> Vec<String> {
    items(node).into_iter().map(|(text, _)| text).collect()
}

/// `${NAME}` becomes `${env:NAME}`, and `$$` is a `$`.
fn references(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        rest = if let Some(after) = after.strip_prefix("$$") {
            out.push_str(if after.starts_with('{') { "$$" } else { "$" });
            after
        } else if let Some(name) = after.strip_prefix("${").filter(|after| after.split('}').next().is_some_and(|name| !name.contains(':')))
        {
            out.push_str("${env:");
            name
        } else if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else {
            after
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::references;

    #[test]
    fn references_to_the_environment_are_written_as_ours() {
        for (theirs, ours) in [
            ("${env:PORT}", "${env:PORT}"),
            ("${env:PORT:-4317}", "${env:PORT:-4317}"),
            ("a${PORT}b", "a${env:PORT}b"),
            ("cost: 5$$", "cost: 5$"),
            ("$${literal}", "$${literal}"),
            ("${file:/run/token}", "${file:/run/token}"),
        ] {
            assert_eq!(references(theirs), ours);
        }
    }
}
