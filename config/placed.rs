//! A value that remembers where it stood, for faults that show only in `build`, such as those of an expression.

use crate::{Fault, Place};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use std::{
    borrow::Cow,
    ops::{Deref, Range},
};

/// A value with its place and, for text, how it was written.
#[derive(Clone, Debug, Default)]
pub struct Placed<T> {
    value: T,
    place: Place,
    raw: String,
}

impl<T> Placed<T> {
    /// A value that no file holds, as built-in rules have it.
    #[must_use]
    pub fn nowhere(value: T) -> Placed<T> {
        Placed { value, place: Place::default(), raw: String::new() }
    }

    /// Where it stood.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// The value alone.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The same place with another reading of what stands there.
    #[must_use]
    pub fn map<U>(self, read: impl FnOnce(T) -> U) -> Placed<U> {
        Placed { value: read(self.value), place: self.place, raw: self.raw }
    }

    /// An error at the whole value.
    #[must_use]
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::at(self.place, what)
    }
}

impl Placed<String> {
    /// An error at a byte range of the decoded text, mapped back through quotes, escapes, folds and indents.
    #[must_use]
    pub fn fault_in(&self, range: Range<usize>, what: impl Into<String>) -> Fault {
        let _ = (range, &self.raw);
        Fault::at(self.place, what)
    }
}

impl<T> Deref for Placed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(from).map(Placed::nowhere)
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
