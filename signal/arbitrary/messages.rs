//! Random OTLP messages that keep to the rules: ids are there, enums may be unknown, keys may repeat.

use super::{Draw, flat::Proto};
use crate::Signal;
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric::Data,
        number_data_point, summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, Link},
    },
};

/// A request of this signal.
pub(crate) fn request(draw: &mut Draw, signal: Signal) -> Proto {
    match signal {
        Signal::Traces => Proto::Traces(ExportTraceServiceRequest { resource_spans: draw.many(3, resource_spans) }),
        Signal::Logs => Proto::Logs(ExportLogsServiceRequest { resource_logs: draw.many(3, resource_logs) }),
        Signal::Metrics => Proto::Metrics(ExportMetricsServiceRequest { resource_metrics: draw.many(3, resource_metrics) }),
    }
}

fn some<T>(draw: &mut Draw, make: impl FnOnce(&mut Draw) -> T) -> Option<T> {
    draw.chance(80).then(|| make(draw))
}

fn id(draw: &mut Draw, length: usize) -> Vec<u8> {
    (0..length).map(|_| draw.byte() | 1).collect()
}

/// Right ones, none, and wrong ones.
fn optional_id(draw: &mut Draw, length: usize) -> Vec<u8> {
    let length = draw.pick(&[length, 0, length, 3]);
    if draw.chance(10) { vec![0; length] } else { id(draw, length) }
}

fn resource_spans(draw: &mut Draw) -> ResourceSpans {
    ResourceSpans { resource: some(draw, resource), scope_spans: draw.many(3, scope_spans), schema_url: url(draw) }
}

fn scope_spans(draw: &mut Draw) -> ScopeSpans {
    ScopeSpans { scope: some(draw, scope), spans: draw.many(4, span), schema_url: url(draw) }
}

fn resource_logs(draw: &mut Draw) -> ResourceLogs {
    ResourceLogs { resource: some(draw, resource), scope_logs: draw.many(3, scope_logs), schema_url: url(draw) }
}

fn scope_logs(draw: &mut Draw) -> ScopeLogs {
    ScopeLogs { scope: some(draw, scope), log_records: draw.many(4, log), schema_url: url(draw) }
}

fn resource_metrics(draw: &mut Draw) -> ResourceMetrics {
    ResourceMetrics { resource: some(draw, resource), scope_metrics: draw.many(3, scope_metrics), schema_url: url(draw) }
}

fn scope_metrics(draw: &mut Draw) -> ScopeMetrics {
    ScopeMetrics { scope: some(draw, scope), metrics: draw.many(3, metric), schema_url: url(draw) }
}

fn url(draw: &mut Draw) -> String {
    draw.pick(&["", "https://opentelemetry.io/schemas/1.30.0"]).to_owned()
}

fn resource(draw: &mut Draw) -> Resource {
    let entity = |draw: &mut Draw| EntityRef { r#type: draw.text(), id_keys: draw.many(2, Draw::text), ..Default::default() };
    Resource { attributes: pairs(draw, 0), dropped_attributes_count: draw.number() as u32, entity_refs: draw.many(1, entity) }
}

fn scope(draw: &mut Draw) -> InstrumentationScope {
    let (name, version) = (draw.text(), draw.text());
    InstrumentationScope { name, version, attributes: pairs(draw, 0), dropped_attributes_count: draw.number() as u32 }
}

fn pairs(draw: &mut Draw, level: usize) -> Vec<KeyValue> {
    draw.many(4, |draw| KeyValue {
        key: draw.pick(&["http.route", "service.name", "a", "", "ü", "message", "k8s.pod.name"]).to_owned(),
        value: some(draw, |draw| any(draw, level)),
        key_strindex: 0,
    })
}

/// A value that holds others only down to the third level.
pub(crate) fn any(draw: &mut Draw, level: usize) -> AnyValue {
    let value = match draw.below(if level < 3 { 9 } else { 7 }) {
        0 => return AnyValue { value: None },
        1 => Value::StringValue(draw.text()),
        2 => Value::BoolValue(draw.chance(50)),
        3 => Value::IntValue(draw.number().cast_signed()),
        4 => Value::DoubleValue(draw.double()),
        5 => Value::BytesValue(draw.many(5, Draw::byte)),
        6 => Value::StringValueStrindex(draw.number() as i32),
        7 => Value::ArrayValue(ArrayValue { values: draw.many(3, |draw| any(draw, level + 1)) }),
        _ => Value::KvlistValue(KeyValueList { values: pairs(draw, level + 1) }),
    };
    AnyValue { value: Some(value) }
}

fn span(draw: &mut Draw) -> Span {
    Span {
        trace_id: id(draw, 16),
        span_id: id(draw, 8),
        trace_state: draw.text(),
        parent_span_id: optional_id(draw, 8),
        flags: draw.number() as u32,
        name: draw.text(),
        kind: draw.pick(&[0, 1, 2, 3, 4, 5, 6, -1]),
        start_time_unix_nano: draw.number(),
        end_time_unix_nano: draw.number(),
        attributes: pairs(draw, 0),
        dropped_attributes_count: draw.number() as u32,
        events: draw.many(2, |draw| Event {
            time_unix_nano: draw.number(),
            name: draw.text(),
            attributes: pairs(draw, 1),
            dropped_attributes_count: draw.number() as u32,
        }),
        links: draw.many(2, |draw| Link {
            trace_id: optional_id(draw, 16),
            span_id: optional_id(draw, 8),
            trace_state: draw.text(),
            attributes: pairs(draw, 1),
            ..Default::default()
        }),
        status: some(draw, |draw| Status { message: draw.text(), code: draw.pick(&[0, 1, 2, 3, -1]) }),
        ..Default::default()
    }
}

fn log(draw: &mut Draw) -> LogRecord {
    LogRecord {
        time_unix_nano: draw.number(),
        observed_time_unix_nano: draw.number(),
        severity_number: draw.pick(&[0, 1, 9, 17, 24, 25, 300, -1]),
        severity_text: draw.text(),
        body: some(draw, |draw| any(draw, 0)),
        attributes: pairs(draw, 0),
        dropped_attributes_count: draw.number() as u32,
        flags: draw.number() as u32,
        trace_id: optional_id(draw, 16),
        span_id: optional_id(draw, 8),
        event_name: draw.text(),
    }
}

fn metric(draw: &mut Draw) -> Metric {
    let aggregation_temporality = draw.pick(&[0, 1, 2, 3]);
    let data = match draw.below(6) {
        0 => Some(Data::Gauge(Gauge { data_points: draw.many(3, number_point) })),
        1 => Some(Data::Sum(Sum { data_points: draw.many(3, number_point), aggregation_temporality, is_monotonic: draw.chance(50) })),
        2 => Some(Data::Histogram(Histogram { data_points: draw.many(3, histogram_point), aggregation_temporality })),
        3 => {
            let data_points = draw.many(3, exponential_point);
            Some(Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality }))
        }
        4 => Some(Data::Summary(Summary { data_points: draw.many(3, summary_point) })),
        _ => None,
    };
    let (name, description, unit) = (draw.text(), draw.text(), draw.pick(&["", "s", "By"]).to_owned());
    Metric { name, description, unit, metadata: pairs(draw, 2), data }
}

fn number_point(draw: &mut Draw) -> NumberDataPoint {
    NumberDataPoint {
        attributes: pairs(draw, 1),
        start_time_unix_nano: draw.number(),
        time_unix_nano: draw.number(),
        exemplars: draw.many(2, exemplar),
        flags: draw.number() as u32,
        value: match draw.below(3) {
            0 => None,
            1 => Some(number_data_point::Value::AsDouble(draw.double())),
            _ => Some(number_data_point::Value::AsInt(draw.number().cast_signed())),
        },
    }
}

fn histogram_point(draw: &mut Draw) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: pairs(draw, 1),
        start_time_unix_nano: draw.number(),
        time_unix_nano: draw.number(),
        count: draw.number(),
        sum: some(draw, Draw::double),
        bucket_counts: draw.many(5, Draw::number),
        explicit_bounds: draw.many(5, Draw::double),
        exemplars: draw.many(2, exemplar),
        flags: draw.number() as u32,
        min: some(draw, Draw::double),
        max: some(draw, Draw::double),
    }
}

fn exponential_point(draw: &mut Draw) -> ExponentialHistogramDataPoint {
    let buckets = |draw: &mut Draw| Buckets { offset: draw.number() as i32, bucket_counts: draw.many(5, Draw::number) };
    ExponentialHistogramDataPoint {
        attributes: pairs(draw, 1),
        start_time_unix_nano: draw.number(),
        time_unix_nano: draw.number(),
        count: draw.number(),
        sum: some(draw, Draw::double),
        scale: draw.number() as i32,
        zero_count: draw.number(),
        positive: some(draw, buckets),
        negative: some(draw, buckets),
        flags: draw.number() as u32,
        exemplars: draw.many(2, exemplar),
        min: some(draw, Draw::double),
        max: some(draw, Draw::double),
        zero_threshold: draw.double(),
    }
}

fn summary_point(draw: &mut Draw) -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: pairs(draw, 1),
        start_time_unix_nano: draw.number(),
        time_unix_nano: draw.number(),
        count: draw.number(),
        sum: draw.double(),
        quantile_values: draw.many(3, |draw| ValueAtQuantile { quantile: draw.double(), value: draw.double() }),
        flags: draw.number() as u32,
    }
}

fn exemplar(draw: &mut Draw) -> Exemplar {
    Exemplar {
        filtered_attributes: pairs(draw, 2),
        time_unix_nano: draw.number(),
        span_id: optional_id(draw, 8),
        trace_id: optional_id(draw, 16),
        value: match draw.below(3) {
            0 => None,
            1 => Some(exemplar::Value::AsDouble(draw.double())),
            _ => Some(exemplar::Value::AsInt(draw.number().cast_signed())),
        },
    }
}
