//! Random requests of all three signals: prost to JSON and back is what it was.

use super::{of_protobuf, to_protobuf};
use crate::{Checked, Signal};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric,
        number_data_point, summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, Link},
    },
};
use proptest::{collection::vec, option, prelude::*};
use prost::Message;

/// Any double but NaN, which is not equal to itself.
fn double() -> impl Strategy<Value = f64> + Clone {
    any::<f64>().prop_map(|f| if f.is_nan() { f64::NEG_INFINITY } else { f })
}

fn id() -> impl Strategy<Value = Vec<u8>> + Clone {
    vec(any::<u8>(), 0..17)
}

fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![any::<String>(), "[\\x00-\\x20\"\\\\/]{0,6}"]
}

fn value() -> impl Strategy<Value = AnyValue> {
    use any_value::Value::{
        ArrayValue as List, BoolValue, BytesValue, DoubleValue, IntValue, KvlistValue, StringValue, StringValueStrindex,
    };
    let leaf = prop_oneof![
        Just(None),
        text().prop_map(|t| Some(StringValue(t))),
        any::<bool>().prop_map(|b| Some(BoolValue(b))),
        any::<i64>().prop_map(|i| Some(IntValue(i))),
        double().prop_map(|f| Some(DoubleValue(f))),
        vec(any::<u8>(), 0..9).prop_map(|b| Some(BytesValue(b))),
        any::<i32>().prop_map(|i| Some(StringValueStrindex(i))),
    ];
    leaf.prop_map(|value| AnyValue { value }).prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| AnyValue { value: Some(List(ArrayValue { values })) }),
            vec((text(), option::of(inner), any::<i32>()), 0..3).prop_map(|pairs| {
                let values = pairs.into_iter().map(|(key, value, key_strindex)| KeyValue { key, value, key_strindex }).collect();
                AnyValue { value: Some(KvlistValue(KeyValueList { values })) }
            }),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((text(), option::of(value())).prop_map(|(key, value)| KeyValue { key, value, key_strindex: 0 }), 0..3)
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    let entity = (text(), vec(text(), 0..3)).prop_map(|(text, keys)| EntityRef {
        schema_url: text.clone(),
        r#type: text,
        id_keys: keys.clone(),
        description_keys: keys,
    });
    let resource = (attributes(), any::<u32>(), vec(entity, 0..2));
    option::of(resource.prop_map(|(attributes, dropped_attributes_count, entity_refs)| Resource {
        attributes,
        dropped_attributes_count,
        entity_refs,
    }))
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    option::of((text(), text(), attributes(), any::<u32>()).prop_map(|(name, version, attributes, dropped_attributes_count)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count }
    }))
}

fn span() -> impl Strategy<Value = Span> {
    let event = (any::<u64>(), text(), attributes(), any::<u32>()).prop_map(|(time_unix_nano, name, attributes, n)| Event {
        time_unix_nano,
        name,
        attributes,
        dropped_attributes_count: n,
    });
    let link = (id(), id(), text(), attributes(), any::<u32>()).prop_map(|(trace_id, span_id, trace_state, attributes, n)| Link {
        trace_id,
        span_id,
        trace_state,
        attributes,
        dropped_attributes_count: n,
        flags: n,
    });
    let status = (text(), any::<i32>()).prop_map(|(message, code)| Status { message, code });
    let head = (id(), id(), id(), text(), text(), any::<i32>());
    let rest = (any::<(u64, u64, u32, u32)>(), attributes(), vec(event, 0..3), vec(link, 0..3), option::of(status));
    (head, rest).prop_map(|((trace_id, span_id, parent_span_id, trace_state, name, kind), (n, attributes, events, links, status))| Span {
        trace_id,
        span_id,
        trace_state,
        parent_span_id,
        flags: n.2,
        name,
        kind,
        start_time_unix_nano: n.0,
        end_time_unix_nano: n.1,
        attributes,
        dropped_attributes_count: n.3,
        events,
        dropped_events_count: n.2,
        links,
        dropped_links_count: n.3,
        status,
    })
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    (any::<(u64, u64, i32, u32, u32)>(), text(), option::of(value()), attributes(), id(), id(), text()).prop_map(
        |(n, severity_text, body, attributes, trace_id, span_id, event_name)| LogRecord {
            time_unix_nano: n.0,
            observed_time_unix_nano: n.1,
            severity_number: n.2,
            severity_text,
            body,
            attributes,
            dropped_attributes_count: n.3,
            flags: n.4,
            trace_id,
            span_id,
            event_name,
        },
    )
}

fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    let value = prop_oneof![double().prop_map(exemplar::Value::AsDouble), any::<i64>().prop_map(exemplar::Value::AsInt)];
    let exemplar = (attributes(), any::<u64>(), option::of(value), id(), id());
    vec(
        exemplar.prop_map(|(filtered_attributes, time_unix_nano, value, span_id, trace_id)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        }),
        0..2,
    )
}

fn number_points() -> impl Strategy<Value = Vec<NumberDataPoint>> {
    use number_data_point::Value::{AsDouble, AsInt};
    let value = prop_oneof![double().prop_map(AsDouble), any::<i64>().prop_map(AsInt)];
    let point = (attributes(), any::<(u64, u64, u32)>(), exemplars(), option::of(value));
    vec(
        point.prop_map(|(attributes, n, exemplars, value)| NumberDataPoint {
            attributes,
            start_time_unix_nano: n.0,
            time_unix_nano: n.1,
            exemplars,
            flags: n.2,
            value,
        }),
        0..3,
    )
}

fn histogram_point() -> impl Strategy<Value = HistogramDataPoint> {
    let doubles = (option::of(double()), option::of(double()), option::of(double()), vec(double(), 0..4));
    (attributes(), any::<(u64, u64, u64, u32)>(), doubles, vec(any::<u64>(), 0..4), exemplars()).prop_map(
        |(attributes, n, (sum, min, max, explicit_bounds), bucket_counts, exemplars)| HistogramDataPoint {
            attributes,
            start_time_unix_nano: n.0,
            time_unix_nano: n.1,
            count: n.2,
            sum,
            bucket_counts,
            explicit_bounds,
            exemplars,
            flags: n.3,
            min,
            max,
        },
    )
}

fn exponential_point() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    let buckets =
        || option::of((any::<i32>(), vec(any::<u64>(), 0..4)).prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts }));
    let doubles = (option::of(double()), option::of(double()), option::of(double()), double());
    (attributes(), any::<(u64, u64, u64, u64, i32, u32)>(), doubles, buckets(), buckets(), exemplars()).prop_map(
        |(attributes, n, (sum, min, max, zero_threshold), positive, negative, exemplars)| ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: n.0,
            time_unix_nano: n.1,
            count: n.2,
            sum,
            scale: n.4,
            zero_count: n.3,
            positive,
            negative,
            flags: n.5,
            exemplars,
            min,
            max,
            zero_threshold,
        },
    )
}

fn summary_point() -> impl Strategy<Value = SummaryDataPoint> {
    let quantile = (double(), double()).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    (attributes(), any::<(u64, u64, u64, u32)>(), double(), vec(quantile, 0..3)).prop_map(|(attributes, n, sum, quantile_values)| {
        SummaryDataPoint { attributes, start_time_unix_nano: n.0, time_unix_nano: n.1, count: n.2, sum, quantile_values, flags: n.3 }
    })
}

fn metric() -> impl Strategy<Value = Metric> {
    use metric::Data;
    let data =
        prop_oneof![
            number_points().prop_map(|data_points| Data::Gauge(Gauge { data_points })),
            (number_points(), any::<i32>(), any::<bool>()).prop_map(|(data_points, aggregation_temporality, is_monotonic)| Data::Sum(
                Sum { data_points, aggregation_temporality, is_monotonic }
            )),
            (vec(histogram_point(), 0..3), any::<i32>())
                .prop_map(|(data_points, aggregation_temporality)| Data::Histogram(Histogram { data_points, aggregation_temporality })),
            (vec(exponential_point(), 0..3), any::<i32>()).prop_map(|(data_points, aggregation_temporality)| Data::ExponentialHistogram(
                ExponentialHistogram { data_points, aggregation_temporality }
            )),
            vec(summary_point(), 0..3).prop_map(|data_points| Data::Summary(Summary { data_points })),
        ];
    (text(), text(), text(), attributes(), option::of(data)).prop_map(|(name, description, unit, metadata, data)| Metric {
        name,
        description,
        unit,
        metadata,
        data,
    })
}

fn comes_back<M: Message + Default + PartialEq + std::fmt::Debug>(signal: Signal, request: &M) -> Result<(), TestCaseError> {
    let json = of_protobuf(signal, &Checked(request.encode_to_vec().into()));
    prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "not JSON: {json}");
    let back = to_protobuf(signal, json.as_bytes()).map_err(|e| TestCaseError::fail(format!("{e}\n{json}")))?;
    let back = M::decode(back).map_err(|e| TestCaseError::fail(format!("{e}\n{json}")))?;
    prop_assert_eq!(&back, request, "{}", json);
    Ok(())
}

proptest! {
    #[test]
    fn any_traces_come_back_from_json(spans in vec(span(), 0..3), resource in resource(), scope in scope(), url in text()) {
        let scope_spans = vec![ScopeSpans { scope, spans, schema_url: url.clone() }];
        let group = ResourceSpans { resource, scope_spans, schema_url: url };
        comes_back(Signal::Traces, &ExportTraceServiceRequest { resource_spans: vec![group.clone(), group] })?;
    }

    #[test]
    fn any_logs_come_back_from_json(log_records in vec(log_record(), 0..3), resource in resource(), scope in scope(), url in text()) {
        let scope_logs = vec![ScopeLogs { scope, log_records, schema_url: url.clone() }];
        let group = ResourceLogs { resource, scope_logs, schema_url: url };
        comes_back(Signal::Logs, &ExportLogsServiceRequest { resource_logs: vec![group] })?;
    }

    #[test]
    fn any_metrics_come_back_from_json(metrics in vec(metric(), 0..3), resource in resource(), scope in scope(), url in text()) {
        let scope_metrics = vec![ScopeMetrics { scope, metrics, schema_url: url.clone() }];
        let group = ResourceMetrics { resource, scope_metrics, schema_url: url };
        comes_back(Signal::Metrics, &ExportMetricsServiceRequest { resource_metrics: vec![group] })?;
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in "[\\[\\]{}\",:a-z0-9\\\\.eE+-]{0,40}") {
        for signal in Signal::ALL {
            let ours = to_protobuf(signal, text.as_bytes());
            if serde_json::from_str::<serde_json::Value>(&text).is_err() {
                prop_assert!(ours.is_err(), "taken, though serde_json does not: {}", text);
            }
        }
    }
}
