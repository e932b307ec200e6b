//! Views agree with prost, field by field, on random messages in usual and unusual encodings.

use super::*;
use crate::{
    SpanId, TraceId,
    arbitrary::{
        Draw, batch,
        flat::{Flat, FlatItem, Proto},
        messages::request,
        unusual::unusual,
    },
};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::LogRecord as ProtoLog,
    metrics::v1::{Exemplar as ProtoExemplar, Metric as ProtoMetric, exemplar, metric::Data, number_data_point},
    trace::v1::Span as ProtoSpan,
};
use proptest::prelude::*;

fn any_agrees(view: Any<'_>, proto: Option<&AnyValue>) {
    match (view, proto.and_then(|any| any.value.as_ref())) {
        (Any::Empty, None | Some(Value::StringValueStrindex(_))) => {}
        (Any::Text(view), Some(Value::StringValue(proto))) => assert_eq!(view, proto),
        (Any::Bool(view), Some(Value::BoolValue(proto))) => assert_eq!(view, *proto),
        (Any::Int(view), Some(Value::IntValue(proto))) => assert_eq!(view, *proto),
        (Any::Double(view), Some(Value::DoubleValue(proto))) => assert_eq!(view.to_bits(), proto.to_bits()),
        (Any::Bytes(view), Some(Value::BytesValue(proto))) => assert_eq!(view, proto),
        (Any::List(view), Some(Value::ArrayValue(proto))) => {
            assert_eq!(view.iter().count(), proto.values.len());
            view.iter().zip(&proto.values).for_each(|(view, proto)| any_agrees(view, Some(proto)));
        }
        (Any::Map(view), Some(Value::KvlistValue(proto))) => pairs_agree(view, &proto.values),
        (view, proto) => panic!("{view:?} is not {proto:?}"),
    }
}

fn pairs_agree(view: Attributes<'_>, proto: &[KeyValue]) {
    assert_eq!(view.iter().count(), proto.len());
    for ((key, value), pair) in view.iter().zip(proto) {
        assert_eq!(key, pair.key);
        any_agrees(value, pair.value.as_ref());
        let first = proto.iter().find(|p| p.key == key).unwrap();
        any_agrees(view.get(key).unwrap(), first.value.as_ref());
    }
    assert!(view.get("no such key").is_none());
}

fn span_agrees(view: &Span<'_>, proto: &ProtoSpan) {
    assert_eq!(view.trace_id().0.as_slice(), proto.trace_id);
    assert_eq!(view.span_id().0.as_slice(), proto.span_id);
    assert_eq!(view.parent_span_id(), SpanId::of_bytes(&proto.parent_span_id));
    assert_eq!((view.name(), view.trace_state()), (proto.name.as_str(), proto.trace_state.as_str()));
    assert_eq!((view.flags(), view.start(), view.end()), (proto.flags, proto.start_time_unix_nano, proto.end_time_unix_nano));
    let status = proto.status.clone().unwrap_or_default();
    assert_eq!(view.status_message(), status.message);
    assert_eq!(view.status() as i32, if (0..3).contains(&status.code) { status.code } else { 0 });
    assert_eq!(view.kind() as i32, if (0..6).contains(&proto.kind) { proto.kind } else { 0 });
    assert_eq!((view.events().count(), view.links().count()), (proto.events.len(), proto.links.len()));
    for (view, proto) in view.events().zip(&proto.events) {
        assert_eq!((view.time(), view.name()), (proto.time_unix_nano, proto.name.as_str()));
        pairs_agree(view.attributes(), &proto.attributes);
    }
    for (view, proto) in view.links().zip(&proto.links) {
        assert_eq!(view.trace_id(), TraceId::of_bytes(&proto.trace_id));
        assert_eq!(view.span_id(), SpanId::of_bytes(&proto.span_id));
        assert_eq!(view.trace_state(), proto.trace_state);
        pairs_agree(view.attributes(), &proto.attributes);
    }
}

fn log_agrees(view: &LogRecord<'_>, proto: &ProtoLog) {
    let time = if proto.time_unix_nano == 0 { proto.observed_time_unix_nano } else { proto.time_unix_nano };
    assert_eq!((view.time(), view.observed_time(), view.flags()), (time, proto.observed_time_unix_nano, proto.flags));
    assert_eq!(i32::from(view.severity_number()), if (0..25).contains(&proto.severity_number) { proto.severity_number } else { 0 });
    assert_eq!((view.severity_text(), view.event_name()), (proto.severity_text.as_str(), proto.event_name.as_str()));
    assert_eq!(view.body().is_some(), proto.body.is_some());
    any_agrees(view.body().unwrap_or(Any::Empty), proto.body.as_ref());
    assert_eq!(view.trace_id(), TraceId::of_bytes(&proto.trace_id));
    assert_eq!(view.span_id(), SpanId::of_bytes(&proto.span_id));
}

fn exemplars_agree(view: &Point<'_>, proto: &[ProtoExemplar]) {
    assert_eq!(view.exemplars().count(), proto.len());
    for (view, proto) in view.exemplars().zip(proto) {
        assert_eq!(view.time(), proto.time_unix_nano);
        assert_eq!((view.trace_id(), view.span_id()), (TraceId::of_bytes(&proto.trace_id), SpanId::of_bytes(&proto.span_id)));
        let value = proto.value.map(|value| match value {
            exemplar::Value::AsInt(value) => Number::Int(value),
            exemplar::Value::AsDouble(value) => Number::Double(value),
        });
        assert_eq!(view.value(), value);
        pairs_agree(view.attributes(), &proto.filtered_attributes);
    }
}

type Shared = (u64, u64, u32, Option<Number>, Option<u64>, Option<f64>, Option<f64>, Option<f64>);

fn metric_agrees(metric: &Metric<'_>, view: &Point<'_>, proto: &ProtoMetric) {
    assert_eq!(
        (metric.name(), metric.description(), metric.unit()),
        (proto.name.as_str(), proto.description.as_str(), proto.unit.as_str())
    );
    let number = |value: Option<number_data_point::Value>| {
        value.map(|value| match value {
            number_data_point::Value::AsInt(value) => Number::Int(value),
            number_data_point::Value::AsDouble(value) => Number::Double(value),
        })
    };
    let (mut temporality, mut monotonic) = (None, None);
    let shared: Shared = match proto.data.as_ref().unwrap() {
        Data::Gauge(all) => {
            let p = &all.data_points[0];
            exemplars_agree(view, &p.exemplars);
            (p.start_time_unix_nano, p.time_unix_nano, p.flags, number(p.value), None, None, None, None)
        }
        Data::Sum(all) => {
            let p = &all.data_points[0];
            (temporality, monotonic) = (Some(all.aggregation_temporality), Some(all.is_monotonic));
            exemplars_agree(view, &p.exemplars);
            (p.start_time_unix_nano, p.time_unix_nano, p.flags, number(p.value), None, None, None, None)
        }
        Data::Histogram(all) => {
            let p = &all.data_points[0];
            temporality = Some(all.aggregation_temporality);
            exemplars_agree(view, &p.exemplars);
            assert_eq!(view.bucket_counts().collect::<Vec<u64>>(), p.bucket_counts);
            assert_eq!(view.explicit_bounds().collect::<Vec<f64>>(), p.explicit_bounds);
            (p.start_time_unix_nano, p.time_unix_nano, p.flags, None, Some(p.count), p.sum, p.min, p.max)
        }
        Data::ExponentialHistogram(all) => {
            let p = &all.data_points[0];
            temporality = Some(all.aggregation_temporality);
            exemplars_agree(view, &p.exemplars);
            let found = view.exponential().unwrap();
            assert_eq!((found.scale, found.zero_count, found.zero_threshold), (p.scale, p.zero_count, p.zero_threshold));
            for (view, proto) in [(found.positive, &p.positive), (found.negative, &p.negative)] {
                let proto = proto.clone().unwrap_or_default();
                assert_eq!((view.offset(), view.counts().collect::<Vec<u64>>()), (proto.offset, proto.bucket_counts));
            }
            (p.start_time_unix_nano, p.time_unix_nano, p.flags, None, Some(p.count), p.sum, p.min, p.max)
        }
        Data::Summary(all) => {
            let p = &all.data_points[0];
            let quantiles: Vec<(f64, f64)> = p.quantile_values.iter().map(|q| (q.quantile, q.value)).collect();
            assert_eq!(view.quantiles().collect::<Vec<(f64, f64)>>(), quantiles);
            (p.start_time_unix_nano, p.time_unix_nano, p.flags, None, Some(p.count), Some(p.sum), None, None)
        }
    };
    let found = (view.start_time(), view.time(), view.flags(), view.value(), view.count(), view.sum(), view.min(), view.max());
    assert_eq!(found, shared);
    assert_eq!(metric.temporality().map(|t| t as i32), temporality);
    assert_eq!(metric.monotonic(), monotonic);
}

fn agrees(view: &Record<'_>, mut flat: Flat) {
    assert_eq!((view.resource.schema_url(), view.scope.schema_url()), (flat.resource_url.as_str(), flat.scope_url.as_str()));
    assert_eq!((view.scope.name(), view.scope.version()), (flat.scope.name.as_str(), flat.scope.version.as_str()));
    pairs_agree(view.resource.attributes(), &flat.resource.attributes);
    pairs_agree(view.scope.attributes(), &flat.scope.attributes);
    pairs_agree(view.attributes(), flat.attributes());
    match (&view.item, &flat.item) {
        (Item::Span(view), FlatItem::Span(proto)) => span_agrees(view, proto),
        (Item::Log(view), FlatItem::Log(proto)) => log_agrees(view, proto),
        (Item::Point(metric, point), FlatItem::Point(proto)) => metric_agrees(metric, point, proto),
        (view, proto) => panic!("{view:?} is not {proto:?}"),
    }
}

fn all_agree(signal: Signal, raw: Vec<u8>) {
    let flat = Proto::decode(signal, &raw).unwrap().flat();
    let batch = batch(signal, raw);
    assert_eq!((batch.len(), batch.records().count()), (flat.len(), flat.len()));
    batch.records().zip(flat).for_each(|(view, flat)| agrees(&view, flat));
}

proptest! {
    #[test]
    fn views_agree_with_prost(mut draw in Draw::of(3_000)) {
        for signal in Signal::ALL {
            all_agree(signal, request(&mut draw, signal).encode());
        }
    }

    #[test]
    fn views_agree_with_prost_on_unusual_encodings(mut draw in Draw::of(4_000)) {
        for signal in Signal::ALL {
            let proto = request(&mut draw, signal);
            let raw = unusual(&mut draw, signal, &proto.encode());
            prop_assert_eq!(&Proto::decode(signal, &raw).unwrap(), &proto);
            all_agree(signal, raw);
        }
    }
}
