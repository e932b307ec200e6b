//! What stands around a record.

use super::Attributes;
use crate::wire::{Fields, Wire, last, text};

/// The entity that sent records. `bytes` is the `Resource` message, empty when none was written. Two are equal when their bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resource<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) schema_url: &'a str,
}

impl<'a> Resource<'a> {
    /// Finds it in the fields of its group, where it may stand behind the records.
    pub(crate) fn of_group(fields: Fields<'a>) -> Resource<'a> {
        let (bytes, schema_url) = head(fields);
        Resource { bytes, schema_url }
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 1 }
    }
    /// `service.name`, or nothing.
    #[must_use]
    pub fn service(&self) -> &'a str {
        self.attributes().get("service.name").and_then(|v| v.text()).unwrap_or_default()
    }
    /// The encoded message: equal bytes are an equal resource.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
    /// The schema URL of the resource's group.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        self.schema_url
    }
}

/// The instrumentation scope. `bytes` is the `InstrumentationScope` message, empty when none was written. Two are equal when their bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) schema_url: &'a str,
}

impl<'a> Scope<'a> {
    /// Finds it in the fields of its group, where it may stand behind the records.
    pub(crate) fn of_group(fields: Fields<'a>) -> Scope<'a> {
        let (bytes, schema_url) = head(fields);
        Scope { bytes, schema_url }
    }
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        text(last(self.bytes, 1))
    }
    /// Its version.
    #[must_use]
    pub fn version(&self) -> &'a str {
        text(last(self.bytes, 2))
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 3 }
    }
    /// The encoded message.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
    /// The schema URL of the scope's group.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        self.schema_url
    }
}

/// Fields 1 and 3, which resource groups and scope groups have in common: the message and the schema URL. Looked for once a group, since asking every record would be quadratic.
fn head<'a>(fields: Fields<'a>) -> (&'a [u8], &'a str) {
    let (mut message, mut schema_url) = ([].as_slice(), [].as_slice());
    for field in fields {
        match (field.number, field.value) {
            (1, Wire::Bytes(bytes)) => message = bytes,
            (3, Wire::Bytes(bytes)) => schema_url = bytes,
            _ => {}
        }
    }
    (message, text(schema_url))
}
