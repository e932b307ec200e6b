//! Which series a point belongs to: XXH3-128 of what tells it from others, as FORMAT.md spells it out.

use crate::{
    column::{Texts, flag},
    json,
};
use arrow::array::{Array, ArrayRef, RecordBatch, StringBuilder};
use std::sync::Arc;

/// Between texts; no byte of UTF-8.
const END: u8 = 0xff;

/// The bytes that a series id is the hash of, in the making; kept to be used again.
#[derive(Default)]
pub(crate) struct Identity {
    bytes: Vec<u8>,
}

impl Identity {
    /// Begins the next series.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(END);
    }

    /// Adds a JSON object, by its keys in order.
    pub(crate) fn object(&mut self, object: &str) {
        let mut pairs: Vec<(&str, &str)> = json::pairs(object).collect();
        if !pairs.is_sorted_by_key(|(key, _)| *key) {
            pairs.sort_by_key(|(key, _)| *key);
        }
        for (key, value) in pairs {
            self.bytes.extend_from_slice(key.as_bytes());
            self.bytes.push(b':');
            self.bytes.extend_from_slice(value.as_bytes());
            self.bytes.push(b',');
        }
        self.bytes.push(END);
    }

    /// Adds what another one has.
    pub(crate) fn all_of(&mut self, other: &Identity) {
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// The id.
    pub(crate) fn id(&self) -> u128 {
        xxhash_rust::xxh3::xxh3_128(&self.bytes)
    }
}

/// The columns that an id is made of.
pub(crate) const IDENTITY: [&str; 10] =
    ["name", "unit", "type", "temporality", "monotonic", "attributes", "scope_name", "scope_version", "scope_attributes", "resource"];

/// The ids of the rows of a file that has none (format 1), whose attributes and resource are these in whole.
pub(crate) fn ids(batch: &RecordBatch, attributes: &dyn Array, resource: &dyn Array) -> ArrayRef {
    let first = ["name", "unit", "type", "temporality"].map(|name| Texts::of(batch, name));
    let scope = ["scope_name", "scope_version"].map(|name| Texts::of(batch, name));
    let scope_attributes = Texts::of(batch, "scope_attributes");
    let (attributes, resource) = (Texts::in_array(attributes), Texts::in_array(resource));
    let mut ids = StringBuilder::with_capacity(batch.num_rows(), 32 * batch.num_rows());
    let mut series = Identity::default();
    for row in 0..batch.num_rows() {
        series.clear();
        first.iter().for_each(|column| series.text(column.get(row).unwrap_or_default()));
        series.text(word(flag(batch, "monotonic", row)));
        series.object(attributes.get(row).unwrap_or_default());
        scope.iter().for_each(|column| series.text(column.get(row).unwrap_or_default()));
        series.object(scope_attributes.get(row).unwrap_or_default());
        series.object(resource.get(row).unwrap_or_default());
        ids.append_value(format!("{:032x}", series.id()));
    }
    Arc::new(ids.finish())
}

/// How `monotonic` stands in an identity.
pub(crate) fn word(monotonic: Option<bool>) -> &'static str {
    match monotonic {
        None => "",
        Some(false) => "false",
        Some(true) => "true",
    }
}
