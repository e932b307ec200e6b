//! A metric and its data points.

use super::Attributes;

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
    /// The word of FIELDS.md.
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

/// A point's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
}

/// A metric; its points share its name, unit and type.
#[derive(Clone, Copy, Debug)]
pub struct Metric<'a> {
    pub(crate) bytes: &'a [u8],
}

macro_rules! todo_accessors {
    ($($(#[$doc:meta])* $name:ident -> $ty:ty;)*) => { $( $(#[$doc])* #[must_use] pub fn $name(&self) -> $ty { todo!() } )* };
}

impl<'a> Metric<'a> {
    todo_accessors! {
        /// Its name.
        name -> &'a str;
        /// What it means.
        description -> &'a str;
        /// Its unit.
        unit -> &'a str;
        /// Its type. A metric without data has no points and never reaches a `Record`.
        kind -> MetricType;
        /// Sums and histograms only.
        temporality -> Option<Temporality>;
        /// Sums only.
        monotonic -> Option<bool>;
    }
    /// Its points.
    pub fn points(&self) -> impl Iterator<Item = Point<'a>> + use<'a> {
        std::iter::empty()
    }
    /// The encoded message, all points included.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// A data point of any type; what its type does not have is none or empty.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) kind: MetricType,
}

impl<'a> Point<'a> {
    todo_accessors! {
        /// When its interval began, in nanoseconds; 0 is unknown.
        start_time -> u64;
        /// When it was taken, in nanoseconds.
        time -> u64;
        /// Bit 0: no recorded value (a stale marker).
        flags -> u32;
        /// Gauges and sums.
        value -> Option<Number>;
        /// Histograms and summaries.
        count -> Option<u64>;
        /// Histograms and summaries.
        sum -> Option<f64>;
        /// Histograms, where given.
        min -> Option<f64>;
        /// Histograms, where given.
        max -> Option<f64>;
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        todo!()
    }
    /// Counts per bucket of a histogram.
    pub fn bucket_counts(&self) -> impl Iterator<Item = u64> + use<'a> {
        std::iter::empty()
    }
    /// Upper bounds of a histogram's buckets but the last.
    pub fn explicit_bounds(&self) -> impl Iterator<Item = f64> + use<'a> {
        std::iter::empty()
    }
    /// Quantile and value of a summary.
    pub fn quantiles(&self) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        std::iter::empty()
    }
    /// The encoded message.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
