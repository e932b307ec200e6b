//! A condition: as written, then compiled. Only the compiled one can be asked.

use config::{Fault, Placed};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, Record, Time, Trace};

/// A condition as written. It says nothing until compiled, so a fault in it cannot be forgotten.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Condition(pub(crate) Placed<String>);

impl Condition {
    /// A condition of our own, which no file holds.
    #[must_use]
    pub fn built_in(text: &str) -> Condition {
        Condition(Placed::nowhere(text.to_owned()))
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Compiles it for every kind in `takes`, or says at which place of the file it is wrong.
    pub fn compile(&self, takes: Kinds) -> Result<Predicate, Vec<Fault>> {
        let _ = takes;
        todo!()
    }
}

/// A compiled condition. It has no state, so that one serves all lanes.
#[derive(Clone, Debug)]
pub struct Predicate {}

impl Predicate {
    /// The kinds that have at least one of the condition's fields; the others it can say nothing about.
    #[must_use]
    pub fn concerns(&self) -> Kinds {
        todo!()
    }
    /// Whether the record meets it.
    #[must_use]
    pub fn meets(&self, record: &Record<'_>, now: Time) -> bool {
        let _ = (record, now);
        todo!()
    }
    /// Whether the closed trace meets it.
    #[must_use]
    pub fn meets_trace(&self, trace: &Trace, now: Time) -> bool {
        let _ = (trace, now);
        todo!()
    }
    /// Whether it can never be false or never be true for a kind, as a rule after a catch-all wants to know: `Some(true)` for a condition like `true`.
    #[must_use]
    pub fn constant(&self) -> Option<bool> {
        todo!()
    }
}

/// What `drop:` and `keep:` take: one condition, a list of which any counts, or a map with one (or a list) per signal.
#[derive(Clone, Debug)]
pub struct Conditions {}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let _ = from;
        todo!()
    }
}

impl JsonSchema for Conditions {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Conditions".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        todo!()
    }
}

impl Conditions {
    /// Compiles all of them; a signal without a condition, or with none of the condition's fields, is not asked.
    pub fn compile(&self, takes: Kinds) -> Result<Predicates, Vec<Fault>> {
        let _ = takes;
        todo!()
    }
}

/// Compiled conditions, any of which counts.
#[derive(Clone, Debug)]
pub struct Predicates {}

impl Predicates {
    /// Whether any condition of the record's signal is met; none if the signal is not asked, so that it passes untouched.
    #[must_use]
    pub fn meets(&self, record: &Record<'_>, now: Time) -> Option<bool> {
        let _ = (record, now);
        todo!()
    }
    /// The kinds that are asked.
    #[must_use]
    pub fn concerns(&self) -> Kinds {
        todo!()
    }
}
