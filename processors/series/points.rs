//! Series written as OTLP metrics.

use super::{Family, Histogram, Resource, Temporality, exemplars::Exemplar, histogram::Counted, key, table::Series};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        self as otlp, AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, exponential_histogram_data_point::Buckets, metric, number_data_point,
    },
    resource::v1,
};
use prost::Message;
use signal::Time;

/// Series of one request at the most: a flow is then some hundred kilobytes.
const SERIES_A_REQUEST: usize = 1_000;
/// `DataPointFlags`: the series has ended.
const NO_RECORDED_VALUE: u32 = 1;

/// What the points of one moment have in common.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Time,
    pub(super) temporality: Temporality,
}

/// Whether a series goes on after this point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Going {
    On,
    /// Its last point says that it has ended.
    Ended,
}

/// Encoded requests. `series` in the order of their keys, so that those of one service are neighbours.
pub(super) fn requests(families: &[Family], series: &mut [(&[u8], &mut Series, Going)], moment: Moment) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    for some in series.chunks_mut(SERIES_A_REQUEST) {
        let groups = some.chunk_by_mut(|(one, ..), (other, ..)| owner(families, one) == owner(families, other));
        let resource_metrics: Vec<ResourceMetrics> = groups.filter_map(|group| of_group(families, group, moment)).collect();
        if !resource_metrics.is_empty() {
            requests.push(ExportMetricsServiceRequest { resource_metrics }.encode_to_vec());
        }
    }
    requests
}

/// The family, and the service if the points are from one.
fn owner<'a>(families: &[Family], key: &'a [u8]) -> (usize, Option<&'a str>) {
    let number = key::family(key);
    let by_label = families.get(number).is_some_and(|family| family.resource == Resource::FirstLabel);
    (number, if by_label { key::values(key).and_then(|values| values.first().copied()) } else { None })
}

fn of_group(families: &[Family], group: &mut [(&[u8], &mut Series, Going)], moment: Moment) -> Option<ResourceMetrics> {
    let (number, service) = group.first().map(|(key, ..)| owner(families, key))?;
    let family = families.get(number)?;
    let mut metrics = Vec::new();
    for (at, measure) in family.sums.iter().enumerate() {
        let points = group.iter_mut().filter_map(|(key, series, going)| sum_point(family, key, series, at, *going, moment)).collect();
        let sum = Sum { data_points: points, aggregation_temporality: temporality(moment), is_monotonic: true };
        if !sum.data_points.is_empty() {
            metrics.push(metric_of(measure.name, measure.description, metric::Data::Sum(sum)));
        }
    }
    for (at, measure) in family.histograms.iter().enumerate() {
        let points = group.iter_mut().filter_map(|(key, series, going)| histogram_point(family, key, series, at, *going, moment)).collect();
        let histogram = ExponentialHistogram { data_points: points, aggregation_temporality: temporality(moment) };
        if !histogram.data_points.is_empty() {
            metrics.push(metric_of(measure.name, measure.description, metric::Data::ExponentialHistogram(histogram)));
        }
    }
    let scope = InstrumentationScope { name: "kansoku".to_owned(), ..InstrumentationScope::default() };
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }];
    let attributes = service.filter(|service| !service.is_empty()).map(|service| text("service.name", service));
    let resource = v1::Resource { attributes: attributes.into_iter().collect(), ..v1::Resource::default() };
    let any = scope_metrics.iter().any(|scope| !scope.metrics.is_empty());
    any.then(|| ResourceMetrics { resource: Some(resource), scope_metrics, ..ResourceMetrics::default() })
}

/// Without a unit: Prometheus would write it into the name.
fn metric_of(name: &str, description: &str, data: metric::Data) -> Metric {
    Metric { name: name.to_owned(), description: description.to_owned(), data: Some(data), ..Metric::default() }
}

fn temporality(moment: Moment) -> i32 {
    match moment.temporality {
        Temporality::Cumulative => AggregationTemporality::Cumulative as i32,
        Temporality::Delta => AggregationTemporality::Delta as i32,
    }
}

/// None for a metric of which this series has nothing to tell.
fn sum_point(family: &Family, key: &[u8], series: &mut Series, at: usize, going: Going, moment: Moment) -> Option<NumberDataPoint> {
    let start = series.start.0;
    let sum = series.cells.sums.get_mut(at)?;
    let told = *sum;
    if moment.temporality == Temporality::Delta {
        *sum = 0.0;
    }
    let (value, flags) = match going {
        Going::On => (Some(number_data_point::Value::AsDouble(told)), 0),
        Going::Ended => (None, NO_RECORDED_VALUE),
    };
    (told > 0.0).then(|| NumberDataPoint {
        attributes: labels(family, key),
        start_time_unix_nano: start,
        time_unix_nano: moment.at.0,
        value,
        flags,
        exemplars: Vec::new(),
    })
}

fn histogram_point(
    family: &Family,
    key: &[u8],
    series: &mut Series,
    at: usize,
    going: Going,
    moment: Moment,
) -> Option<ExponentialHistogramDataPoint> {
    let start = series.start.0;
    let histogram = series.cells.histograms.get_mut(at)?;
    let exemplars = histogram.exemplars.take().map(exemplar).collect();
    let counted = told(histogram, moment.temporality);
    let point = ExponentialHistogramDataPoint {
        attributes: labels(family, key),
        start_time_unix_nano: start,
        time_unix_nano: moment.at.0,
        ..ExponentialHistogramDataPoint::default()
    };
    (counted.count() > 0).then(|| match going {
        Going::Ended => ExponentialHistogramDataPoint { flags: NO_RECORDED_VALUE, ..point },
        Going::On => ExponentialHistogramDataPoint {
            count: counted.count(),
            sum: Some(counted.sum),
            scale: counted.scale,
            zero_count: counted.zero,
            positive: Some(Buckets { offset: counted.offset, bucket_counts: counted.buckets }),
            exemplars,
            ..point
        },
    })
}

fn told(histogram: &mut Histogram, temporality: Temporality) -> Counted {
    match temporality {
        Temporality::Cumulative => histogram.counted(),
        Temporality::Delta => histogram.take(),
    }
}

fn exemplar(of: Exemplar) -> otlp::Exemplar {
    otlp::Exemplar {
        time_unix_nano: of.time.0,
        span_id: of.span.0.to_vec(),
        trace_id: of.trace.0.to_vec(),
        value: Some(otlp::exemplar::Value::AsDouble(of.seconds)),
        ..otlp::Exemplar::default()
    }
}

/// A label without a value is left out.
fn labels(family: &Family, key: &[u8]) -> Vec<KeyValue> {
    let Some(values) = key::values(key) else {
        let yes = AnyValue { value: Some(any_value::Value::BoolValue(true)) };
        return vec![KeyValue { key: "otel.metric.overflow".to_owned(), value: Some(yes), ..KeyValue::default() }];
    };
    let pairs = family.labels.iter().zip(values).filter(|(_, value)| !value.is_empty());
    pairs.map(|(label, value)| text(label, value)).collect()
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}
