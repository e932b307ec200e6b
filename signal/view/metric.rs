//! A metric: what its data points share.

use super::{Attributes, Point};
use crate::wire::{Field, Fields, Wire, every, text};

/// Which of the five kinds of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricType {
    /// Last value.
    Gauge,
    /// Sum.
    Sum,
    /// Histogram with explicit bounds.
    Histogram,
    /// Exponential histogram.
    ExponentialHistogram,
    /// Summary.
    Summary,
}

impl MetricType {
    /// The type that this field of `Metric` stands for.
    pub(crate) const fn of_field(number: u32) -> Option<MetricType> {
        match number {
            5 => Some(MetricType::Gauge),
            7 => Some(MetricType::Sum),
            9 => Some(MetricType::Histogram),
            10 => Some(MetricType::ExponentialHistogram),
            11 => Some(MetricType::Summary),
            _ => None,
        }
    }

    /// The field of `Metric` that stands for the type.
    pub(crate) const fn field(self) -> u32 {
        match self {
            MetricType::Gauge => 5,
            MetricType::Sum => 7,
            MetricType::Histogram => 9,
            MetricType::ExponentialHistogram => 10,
            MetricType::Summary => 11,
        }
    }

    /// The word of config/reference/fields.md.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            MetricType::Gauge => "gauge",
            MetricType::Sum => "sum",
            MetricType::Histogram => "histogram",
            MetricType::ExponentialHistogram => "exponential_histogram",
            MetricType::Summary => "summary",
        }
    }
}

/// Whether points count from a fixed start or from the point before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Temporality {
    /// Not said.
    Unspecified,
    /// Since the point before.
    Delta,
    /// Since the start.
    Cumulative,
}

impl Temporality {
    /// `AggregationTemporality`'s number.
    pub(crate) const fn number(self) -> u64 {
        match self {
            Temporality::Unspecified => 0,
            Temporality::Delta => 1,
            Temporality::Cumulative => 2,
        }
    }

    /// An enum is an `int32` on the wire: the low 32 bits count, whatever was written.
    fn of_number(number: u64) -> Temporality {
        match number as u32 {
            1 => Temporality::Delta,
            2 => Temporality::Cumulative,
            _ => Temporality::Unspecified,
        }
    }
}

/// A metric; its points share its name, unit and type. All of it but the points is found in one scan when the view is made.
#[derive(Clone, Copy, Debug)]
pub struct Metric<'a> {
    pub(crate) bytes: &'a [u8],
    /// The message that holds the points.
    pub(crate) data: &'a [u8],
    name: &'a [u8],
    description: &'a [u8],
    unit: &'a [u8],
    kind: MetricType,
    temporality: Temporality,
    monotonic: bool,
}

impl<'a> Metric<'a> {
    /// The view, and the field in which its data lies; none for a metric without data.
    pub(crate) fn of(fields: Fields<'a>, bytes: &'a [u8]) -> Option<(Metric<'a>, Field<'a>)> {
        let (mut name, mut description, mut unit, mut found) = ([].as_slice(), [].as_slice(), [].as_slice(), None);
        for field in fields {
            match (field.number, field.value) {
                (1, Wire::Bytes(text)) => name = text,
                (2, Wire::Bytes(text)) => description = text,
                (3, Wire::Bytes(text)) => unit = text,
                (number, Wire::Bytes(data)) => {
                    if let Some(kind) = MetricType::of_field(number) {
                        found = Some((kind, data, field));
                    }
                }
                _ => {}
            }
        }
        let (kind, data, field) = found?;
        let mut metric = Metric { bytes, data, name, description, unit, kind, temporality: Temporality::Unspecified, monotonic: false };
        if matches!(kind, MetricType::Sum | MetricType::Histogram | MetricType::ExponentialHistogram) {
            for field in Fields::of(data) {
                match (field.number, field.value) {
                    (2, Wire::Varint(number)) => metric.temporality = Temporality::of_number(number),
                    (3, Wire::Varint(number)) => metric.monotonic = number != 0,
                    _ => {}
                }
            }
        }
        Some((metric, field))
    }
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        text(self.name)
    }
    /// What it means.
    #[must_use]
    pub fn description(&self) -> &'a str {
        text(self.description)
    }
    /// Its unit.
    #[must_use]
    pub fn unit(&self) -> &'a str {
        text(self.unit)
    }
    /// Its type. A metric without data has no points and never reaches a `Record`.
    #[must_use]
    pub fn kind(&self) -> MetricType {
        self.kind
    }
    /// Sums and histograms only.
    #[must_use]
    pub fn temporality(&self) -> Option<Temporality> {
        match self.kind {
            MetricType::Sum | MetricType::Histogram | MetricType::ExponentialHistogram => Some(self.temporality),
            MetricType::Gauge | MetricType::Summary => None,
        }
    }
    /// Sums only.
    #[must_use]
    pub fn monotonic(&self) -> Option<bool> {
        (self.kind == MetricType::Sum).then_some(self.monotonic)
    }
    /// What else is said about it; not part of its identity.
    #[must_use]
    pub fn metadata(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 12 }
    }
    /// Its points.
    pub fn points(&self) -> impl Iterator<Item = Point<'a>> + use<'a> {
        let kind = self.kind;
        every(self.data, 1).map(move |bytes| Point::of(kind, bytes))
    }
    /// The encoded message, all points included.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
