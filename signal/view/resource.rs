//! What stands around a record.

use super::Attributes;

/// The entity that sent records. `bytes` is the `Resource` message, empty when none was written.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) schema_url: &'a str,
}

impl<'a> Resource<'a> {
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

/// The instrumentation scope. `bytes` is the `InstrumentationScope` message, empty when none was written.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) schema_url: &'a str,
}

impl<'a> Scope<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        todo!()
    }
    /// Its version.
    #[must_use]
    pub fn version(&self) -> &'a str {
        todo!()
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
