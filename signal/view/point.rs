//! Data points of the five kinds of metric, their buckets, quantiles and exemplars.

use super::{Attributes, MetricType};
use crate::{
    SpanId, TraceId,
    wire::{Fields, Wire, every, fixed64s, last, varints},
};

/// A point's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
}

/// A data point of any type; what its type does not have is none or empty. Its small fields are found in one scan when the view is made.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    bytes: &'a [u8],
    kind: MetricType,
    start: u64,
    time: u64,
    flags: u32,
    value: Option<Number>,
    count: Option<u64>,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

impl<'a> Point<'a> {
    pub(crate) fn of(kind: MetricType, bytes: &'a [u8]) -> Point<'a> {
        use MetricType::{ExponentialHistogram, Gauge, Histogram, Sum, Summary};
        let count = (!matches!(kind, Gauge | Sum)).then_some(0);
        let sum = (kind == Summary).then_some(0.0);
        let mut point = Point { bytes, kind, start: 0, time: 0, flags: 0, value: None, count, sum, min: None, max: None };
        for field in Fields::of(bytes) {
            match (kind, field.number, field.value) {
                (_, 2, Wire::Fixed64(time)) => point.start = time,
                (_, 3, Wire::Fixed64(time)) => point.time = time,
                (Gauge | Sum | Summary, 8, Wire::Varint(flags)) | (Histogram | ExponentialHistogram, 10, Wire::Varint(flags)) => {
                    point.flags = flags as u32;
                }
                (Gauge | Sum, 4, Wire::Fixed64(bits)) => point.value = Some(Number::Double(f64::from_bits(bits))),
                (Gauge | Sum, 6, Wire::Fixed64(bits)) => point.value = Some(Number::Int(bits.cast_signed())),
                (Histogram | ExponentialHistogram | Summary, 4, Wire::Fixed64(count)) => point.count = Some(count),
                (Histogram | ExponentialHistogram | Summary, 5, Wire::Fixed64(bits)) => point.sum = Some(f64::from_bits(bits)),
                (Histogram, 11, Wire::Fixed64(bits)) | (ExponentialHistogram, 12, Wire::Fixed64(bits)) => {
                    point.min = Some(f64::from_bits(bits));
                }
                (Histogram, 12, Wire::Fixed64(bits)) | (ExponentialHistogram, 13, Wire::Fixed64(bits)) => {
                    point.max = Some(f64::from_bits(bits));
                }
                _ => {}
            }
        }
        point
    }
    /// The type of its metric.
    #[must_use]
    pub fn kind(&self) -> MetricType {
        self.kind
    }
    /// When its interval began, in nanoseconds; 0 is unknown.
    #[must_use]
    pub fn start_time(&self) -> u64 {
        self.start
    }
    /// When it was taken, in nanoseconds.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.time
    }
    /// Bit 0: no recorded value (a stale marker).
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.flags
    }
    /// Gauges and sums.
    #[must_use]
    pub fn value(&self) -> Option<Number> {
        self.value
    }
    /// Histograms and summaries.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.count
    }
    /// Summaries, and histograms where given.
    #[must_use]
    pub fn sum(&self) -> Option<f64> {
        self.sum
    }
    /// Histograms, where given.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.min
    }
    /// Histograms, where given.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.max
    }
    /// Its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: attributes_field(self.kind) }
    }
    /// Counts per bucket of a histogram with explicit bounds.
    pub fn bucket_counts(&self) -> impl Iterator<Item = u64> + use<'a> {
        fixed64s(self.only(MetricType::Histogram), 6)
    }
    /// Upper bounds of a histogram's buckets but the last.
    pub fn explicit_bounds(&self) -> impl Iterator<Item = f64> + use<'a> {
        fixed64s(self.only(MetricType::Histogram), 7).map(f64::from_bits)
    }
    /// Quantile and value of a summary.
    pub fn quantiles(&self) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        every(self.only(MetricType::Summary), 6).map(|bytes| (double(bytes, 1), double(bytes, 2)))
    }
    /// The buckets of an exponential histogram; none for other types.
    #[must_use]
    pub fn exponential(&self) -> Option<Exponential<'a>> {
        (self.kind == MetricType::ExponentialHistogram).then(|| Exponential::of(self.bytes))
    }
    /// Examples of what was measured; summaries have none.
    pub fn exemplars(&self) -> impl Iterator<Item = Exemplar<'a>> + use<'a> {
        let (bytes, number) = match self.kind {
            MetricType::Gauge | MetricType::Sum => (self.bytes, 5),
            MetricType::Histogram => (self.bytes, 8),
            MetricType::ExponentialHistogram => (self.bytes, 11),
            MetricType::Summary => ([].as_slice(), 0),
        };
        every(bytes, number).map(|bytes| Exemplar { bytes })
    }
    /// The encoded message.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn only(&self, kind: MetricType) -> &'a [u8] {
        if self.kind == kind { self.bytes } else { &[] }
    }
}

/// The field of a point's attributes, which differs from type to type.
pub(crate) const fn attributes_field(kind: MetricType) -> u32 {
    match kind {
        MetricType::Gauge | MetricType::Sum | MetricType::Summary => 7,
        MetricType::Histogram => 9,
        MetricType::ExponentialHistogram => 1,
    }
}

fn double(bytes: &[u8], number: u32) -> f64 {
    f64::from_bits(fixed64s(bytes, number).last().unwrap_or(0))
}

/// What only an exponential histogram has. Bucket `i` of `positive` holds values in (base^(offset+i), base^(offset+i+1)], base = 2^(2^-scale).
#[derive(Clone, Copy, Debug)]
pub struct Exponential<'a> {
    /// Resolution; greater is finer.
    pub scale: i32,
    /// Values that count as zero.
    pub zero_count: u64,
    /// How far from zero they may lie.
    pub zero_threshold: f64,
    /// Buckets above zero.
    pub positive: Buckets<'a>,
    /// Buckets below zero.
    pub negative: Buckets<'a>,
}

impl<'a> Exponential<'a> {
    fn of(bytes: &'a [u8]) -> Exponential<'a> {
        let none = Buckets { bytes: &[] };
        let mut all = Exponential { scale: 0, zero_count: 0, zero_threshold: 0.0, positive: none, negative: none };
        for field in Fields::of(bytes) {
            match (field.number, field.value) {
                (6, Wire::Varint(value)) => all.scale = unzigzag(value),
                (7, Wire::Fixed64(count)) => all.zero_count = count,
                (8, Wire::Bytes(bytes)) => all.positive = Buckets { bytes },
                (9, Wire::Bytes(bytes)) => all.negative = Buckets { bytes },
                (14, Wire::Fixed64(bits)) => all.zero_threshold = f64::from_bits(bits),
                _ => {}
            }
        }
        all
    }
}

/// One side of an exponential histogram.
#[derive(Clone, Copy, Debug)]
pub struct Buckets<'a> {
    bytes: &'a [u8],
}

impl<'a> Buckets<'a> {
    /// The index of the first bucket.
    #[must_use]
    pub fn offset(&self) -> i32 {
        Fields::of(self.bytes).fold(0, |found, field| match (field.number, field.value) {
            (1, Wire::Varint(value)) => unzigzag(value),
            _ => found,
        })
    }
    /// Counts, from `offset` on.
    pub fn counts(&self) -> impl Iterator<Item = u64> + use<'a> {
        varints(self.bytes, 2)
    }
}

/// `sint32`: the low 32 bits count.
fn unzigzag(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// An example of what was measured, with the span it was measured in.
#[derive(Clone, Copy, Debug)]
pub struct Exemplar<'a> {
    bytes: &'a [u8],
}

impl<'a> Exemplar<'a> {
    /// When, in nanoseconds.
    #[must_use]
    pub fn time(&self) -> u64 {
        fixed64s(self.bytes, 2).last().unwrap_or(0)
    }
    /// What was measured.
    #[must_use]
    pub fn value(&self) -> Option<Number> {
        Fields::of(self.bytes).fold(None, |found, field| match (field.number, field.value) {
            (3, Wire::Fixed64(bits)) => Some(Number::Double(f64::from_bits(bits))),
            (6, Wire::Fixed64(bits)) => Some(Number::Int(bits.cast_signed())),
            _ => found,
        })
    }
    /// The trace it was measured in.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        TraceId::of_bytes(last(self.bytes, 5))
    }
    /// The span it was measured in.
    #[must_use]
    pub fn span_id(&self) -> Option<SpanId> {
        SpanId::of_bytes(last(self.bytes, 4))
    }
    /// The attributes that the point itself does not have.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, field: 7 }
    }
}
