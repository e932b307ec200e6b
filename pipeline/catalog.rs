//! A component as a value, so that a plain list is the catalogue.

use crate::{BuildContext, Component, Observer, Processor, Shape, Sink, Source};
use config::{Fault, Node};
use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde::{Deserialize, Serialize};
use signal::Kinds;
use std::path::PathBuf;

/// A component that was read, its type forgotten.
pub trait Recipe<R: ?Sized>: Send + Sync {
    /// See `Component::shape`.
    fn shape(&self, takes: Kinds) -> Shape;
    /// See `Component::build`.
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<R>, Vec<Fault>>;
    /// See `Component::rests_on`.
    fn rests_on(&self, context: &BuildContext<'_>) -> Vec<PathBuf>;
    /// See `Component::observer`.
    fn observer(&self, context: &BuildContext<'_>) -> Option<Box<dyn Observer>>;
    /// See `Component::warnings`.
    fn warnings(&self, context: &BuildContext<'_>) -> Vec<Fault>;
}

impl<C: Component> Recipe<C::Runs> for C {
    fn shape(&self, takes: Kinds) -> Shape {
        Component::shape(self, takes)
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<C::Runs>, Vec<Fault>> {
        Component::build(self, context)
    }
    fn rests_on(&self, context: &BuildContext<'_>) -> Vec<PathBuf> {
        Component::rests_on(self, context)
    }
    fn observer(&self, context: &BuildContext<'_>) -> Option<Box<dyn Observer>> {
        Component::observer(self, context)
    }
    fn warnings(&self, context: &BuildContext<'_>) -> Vec<Fault> {
        Component::warnings(self, context)
    }
}

/// A component that was read.
pub enum Spec {
    /// A source.
    Source(Box<dyn Recipe<dyn Source>>),
    /// A processor.
    Processor(Box<dyn Recipe<dyn Processor>>),
    /// A sink.
    Sink(Box<dyn Recipe<dyn Sink>>),
}

/// Which of the three maps a component belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `sources:`
    Source,
    /// `processors:`
    Processor,
    /// `sinks:`
    Sink,
}

impl Kind {
    /// The word in metrics and messages: `source`, `processor`, `sink`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Source => "source",
            Kind::Processor => "processor",
            Kind::Sink => "sink",
        }
    }
}

/// A line of the catalogue.
pub struct Entry {
    /// Which map.
    pub kind: Kind,
    /// The word after `type:`.
    pub type_name: &'static str,
    /// A body that works.
    pub example: &'static str,
    /// The schema of its body.
    pub schema: fn() -> Schema,
    /// Reads its body.
    pub read: fn(&Node) -> Result<Spec, Vec<Fault>>,
    /// Reads as much of its body as can be read, for finding more faults in it (`config::read_around`).
    pub read_around: fn(&Node) -> (Option<Spec>, Vec<Fault>),
}

/// The two ways to read a body.
type Readers = (fn(&Node) -> Result<Spec, Vec<Fault>>, fn(&Node) -> (Option<Spec>, Vec<Fault>));

const fn entry<C: Component>(kind: Kind, (read, read_around): Readers) -> Entry {
    Entry { kind, type_name: C::TYPE, example: C::EXAMPLE, schema: schema_of::<C>, read, read_around }
}

fn around<C: Component>(node: &Node, spec: fn(C) -> Spec) -> (Option<Spec>, Vec<Fault>) {
    let (read, faults) = config::read_around::<C>(node);
    (read.map(spec), faults)
}

/// Lists a source.
#[must_use]
pub const fn source<C: Component<Runs = dyn Source>>() -> Entry {
    entry::<C>(
        Kind::Source,
        (|node| Ok(Spec::Source(Box::new(config::read::<C>(node)?))), |node| around::<C>(node, |read| Spec::Source(Box::new(read)))),
    )
}

/// Lists a processor.
#[must_use]
pub const fn processor<C: Component<Runs = dyn Processor>>() -> Entry {
    entry::<C>(
        Kind::Processor,
        (|node| Ok(Spec::Processor(Box::new(config::read::<C>(node)?))), |node| around::<C>(node, |read| Spec::Processor(Box::new(read)))),
    )
}

/// Lists a sink.
#[must_use]
pub const fn sink<C: Component<Runs = dyn Sink>>() -> Entry {
    entry::<C>(
        Kind::Sink,
        (|node| Ok(Spec::Sink(Box::new(config::read::<C>(node)?))), |node| around::<C>(node, |read| Spec::Sink(Box::new(read)))),
    )
}

fn schema_of<C: Component>() -> Schema {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<C>();
    close(&mut schema);
    schema
}

/// The reader refuses unknown keys everywhere; this makes a schema say so without an attribute on each struct.
pub(crate) fn close(schema: &mut Schema) {
    let close_one = |schema: &mut Schema| {
        if schema.get("type").is_some_and(|t| t == "object") && schema.get("additionalProperties").is_none() {
            schema.insert("additionalProperties".into(), false.into());
        }
    };
    RecursiveTransform(close_one).transform(schema);
}
