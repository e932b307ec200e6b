//! A value that remembers where it stood, for faults that show only in `build`, such as those of an expression.

use crate::{Fault, Offsets, Place, Source};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};
use std::{
    borrow::Cow,
    fmt,
    marker::PhantomData,
    ops::{Deref, Range},
    sync::Arc,
};

/// The newtype name by which `reader.rs` knows that a place is asked for.
pub(crate) const MARK: &str = "$placed";

/// A value with its place and, for text, where each byte of it stands. Null and blank text are refused as empty.
///
/// A hand-written `Deserialize` that takes several forms (text, list, map) reads `Placed<ItsForms>` and narrows it with `map`.
#[derive(Clone, Debug, Default)]
pub struct Placed<T> {
    value: T,
    /// None: no file holds it.
    place: Option<Place>,
    offsets: Offsets,
}

impl<T> Placed<T> {
    /// A value that no file holds, as built-in rules have it.
    #[must_use]
    pub fn nowhere(value: T) -> Placed<T> {
        Placed { value, place: None, offsets: Offsets::default() }
    }

    /// Where it stood; the start of the file for a value that no file holds.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place.unwrap_or_default()
    }

    /// The value alone.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Another value at the same place.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Placed<U> {
        Placed { value: change(self.value), place: self.place, offsets: self.offsets }
    }

    /// An error at the whole value.
    #[must_use]
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        match self.place {
            Some(place) => Fault::at(place, what),
            None => Fault::at(Place::default(), what).within(&built_in("")),
        }
    }
}

impl Placed<String> {
    /// A node's name where it stands for its type.
    pub(crate) fn own_name(name: &str, place: Place) -> Placed<String> {
        Placed { value: name.to_owned(), place: Some(place), offsets: Offsets::default() }
    }

    /// An error at a byte range of the decoded text, mapped back through quotes, escapes, folds, indents and `${…}`.
    /// For a text that no file holds, the text itself is shown.
    #[must_use]
    pub fn fault_in(&self, range: Range<usize>, what: impl Into<String>) -> Fault {
        let start = range.start.min(self.value.len());
        let end = range.end.clamp(start, self.value.len());
        match (self.offsets.file(start), self.offsets.file(end)) {
            (Some(start), Some(end)) => Fault::at(Place { start, end: end.max(start) }, what),
            _ if self.place.is_some() => self.fault(what),
            _ => {
                let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                Fault::at(Place { start: byte(start), end: byte(end) }, what).within(&built_in(&self.value))
            }
        }
    }
}

fn built_in(text: &str) -> Arc<Source> {
    Arc::new(Source::new("built-in", text.to_owned()))
}

impl<T> Deref for Placed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_newtype_struct(MARK, Parts(PhantomData))
    }
}

struct Parts<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
    type Value = Placed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    /// Any other format than ours has no places.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Placed<T>, D::Error> {
        T::deserialize(from).map(Placed::nowhere)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Placed<T>, A::Error> {
        let gone = || A::Error::custom("a place is missing");
        let start = parts.next_element()?.ok_or_else(gone)?;
        let end = parts.next_element()?.ok_or_else(gone)?;
        let offsets: Vec<u32> = parts.next_element()?.ok_or_else(gone)?;
        let value = parts.next_element()?.ok_or_else(gone)?;
        Ok(Placed { value, place: Some(Place { start, end }), offsets: Offsets::from_numbers(&offsets) })
    }
}

impl<T: Serialize> Serialize for Placed<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(to)
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
