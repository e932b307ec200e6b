//! The written tree: what `yaml.rs` makes of a file, and `read.rs` a config struct of.

use crate::{Fault, Place, offsets::Offsets};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// What.
    pub value: Value,
    /// Where. A value that is not written has the place of its key.
    pub place: Place,
}

/// A key and where it stands.
pub type Key = (String, Place);

/// Where the text of a scalar comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// As written in the file.
    File,
    /// In part from `${…}`: may hold a secret.
    Partly,
    /// The whole of it from one `${…}`: may hold a secret, and may be a number even where quotes had to be written around it.
    Wholly,
}

/// A scalar.
#[derive(Clone, Debug)]
pub struct Text {
    /// Decoded, with `${…}` put in.
    pub text: String,
    /// Written without quotes, so it may still turn out to be a number or a boolean.
    pub plain: bool,
    /// As in the file.
    pub raw: String,
    /// Where each byte of `text` stands in the file.
    pub offsets: Offsets,
    /// Whether the file itself says it.
    pub origin: Origin,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing written.
    Null,
    /// A scalar.
    Text(Text),
    /// A list.
    List(Vec<Node>),
    /// A map, in written order.
    Map(Vec<(Key, Node)>),
    /// What cannot be read, and why. Whoever reads it gets this fault.
    Broken(Box<Fault>),
}

impl Node {
    /// The faults of all that is broken in here, for a node nobody reads.
    #[must_use]
    pub fn broken(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.collect_broken(&mut faults);
        faults
    }

    /// The recursion is bounded: `yaml.rs` reads no deeper tree than 64.
    fn collect_broken(&self, faults: &mut Vec<Fault>) {
        match &self.value {
            Value::Null | Value::Text(_) => {}
            Value::Broken(fault) if faults.contains(fault) => {}
            Value::Broken(fault) => faults.push(Fault::clone(fault)),
            Value::List(items) => items.iter().for_each(|item| item.collect_broken(faults)),
            Value::Map(entries) => entries.iter().for_each(|(_, value)| value.collect_broken(faults)),
        }
    }
}

impl Node {
    /// Whether the place lies within one scalar: what is said of it does not depend on what stands elsewhere.
    #[must_use]
    pub fn has_word_at(&self, place: Place) -> bool {
        match &self.value {
            Value::Null | Value::Broken(_) => false,
            Value::Text(_) => self.place.start <= place.start && place.end <= self.place.end,
            Value::List(items) => items.iter().any(|item| item.has_word_at(place)),
            Value::Map(entries) => entries.iter().any(|(_, value)| value.has_word_at(place)),
        }
    }

    /// Whether the map with a scalar at `place` also has the key `other`, readable or not.
    #[must_use]
    pub fn has_beside(&self, place: Place, other: &str) -> bool {
        match &self.value {
            Value::Null | Value::Broken(_) | Value::Text(_) => false,
            Value::List(items) => items.iter().any(|item| item.has_beside(place, other)),
            Value::Map(entries) if entries.iter().any(|(_, value)| value.place == place && matches!(value.value, Value::Text(_))) => {
                entries.iter().any(|((key, _), _)| key == other)
            }
            Value::Map(entries) => entries.iter().any(|(_, value)| value.has_beside(place, other)),
        }
    }
}

/// What a tree weighs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weight {
    pub(crate) nodes: usize,
    pub(crate) text_bytes: usize,
    pub(crate) depth: usize,
}

impl Node {
    /// All of it, with what aliases repeated.
    pub(crate) fn weight(&self) -> Weight {
        let mut whole = Weight { nodes: 1, text_bytes: 0, depth: 0 };
        let mut add = |key_bytes: usize, part: &Node| {
            let part = part.weight();
            whole.nodes += part.nodes;
            whole.text_bytes += part.text_bytes + key_bytes;
            whole.depth = whole.depth.max(part.depth);
        };
        match &self.value {
            Value::Null | Value::Broken(_) => {}
            Value::Text(text) => whole.text_bytes = text.text.len(),
            Value::List(items) => items.iter().for_each(|item| add(0, item)),
            Value::Map(entries) => entries.iter().for_each(|((key, _), value)| add(key.len(), value)),
        }
        whole.depth += 1;
        whole
    }
}
