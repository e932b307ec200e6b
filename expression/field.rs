//! One field of a record or a closed trace, such as `.service` or `.attributes."http.route"`: what `by:` takes.

use config::{Fault, Placed};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, Record, Trace};
use std::borrow::Cow;

/// A field as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Field(pub(crate) Placed<String>);

impl Field {
    /// A field of our own, which no file holds.
    #[must_use]
    pub fn built_in(text: &str) -> Field {
        Field(Placed::nowhere(text.to_owned()))
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The label it is known under: its path without the leading dot, `attributes` and `resource` left out (`.attributes."http.route"` is `http.route`).
    #[must_use]
    pub fn label(&self) -> String {
        todo!()
    }

    /// Finds out how to get it from every kind in `takes`, or says what is wrong with it.
    pub fn compile(&self, takes: Kinds) -> Result<Getter, Vec<Fault>> {
        let _ = takes;
        todo!()
    }
}

/// Gets the field as text; none where it is missing.
#[derive(Clone, Debug)]
pub struct Getter {}

impl Getter {
    /// From a record.
    #[must_use]
    pub fn get<'a>(&self, record: &Record<'a>) -> Option<Cow<'a, str>> {
        let _ = record;
        todo!()
    }
    /// From a closed trace.
    #[must_use]
    pub fn get_trace<'a>(&self, trace: &'a Trace) -> Option<Cow<'a, str>> {
        let _ = trace;
        todo!()
    }
}
