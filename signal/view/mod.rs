//! Lazy views over `Checked` bytes: resource, scope, record, attributes. They borrow, allocate nothing and cannot fail.

mod any;
mod log;
mod metric;
mod point;
mod resource;
mod span;
#[cfg(test)]
mod view_test;
mod walk;

pub(crate) use any::Pair;
pub use any::{Any, Attributes, List};
pub use log::LogRecord;
pub use metric::{Metric, MetricType, Temporality};
pub(crate) use point::attributes_field;
pub use point::{Buckets, Exemplar, Exponential, Number, Point};
pub use resource::{Resource, Scope};
pub(crate) use span::trace_of;
pub use span::{Event, Link, Span, SpanKind, Status};
pub(crate) use walk::{Frame, Walk};

use crate::Signal;

/// One record with what stands around it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Who sent it.
    pub resource: Resource<'a>,
    /// Which library made it.
    pub scope: Scope<'a>,
    /// The record itself.
    pub item: Item<'a>,
}

/// A record of any signal.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A span.
    Span(Span<'a>),
    /// A log record.
    Log(LogRecord<'a>),
    /// A data point and the metric it belongs to.
    Point(Metric<'a>, Point<'a>),
}

impl<'a> Record<'a> {
    /// Its signal.
    #[must_use]
    pub fn signal(&self) -> Signal {
        match self.item {
            Item::Span(_) => Signal::Traces,
            Item::Log(_) => Signal::Logs,
            Item::Point(..) => Signal::Metrics,
        }
    }

    /// The record's own attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        match self.item {
            Item::Span(span) => span.attributes(),
            Item::Log(log) => log.attributes(),
            Item::Point(_, point) => point.attributes(),
        }
    }
}
