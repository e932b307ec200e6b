//! OTLP messages for tests: fixed ones, and generators of random ones.

use crate::{Checked, Limits, Signal, check};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;

/// An attribute whose value is text.
pub(crate) fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }), ..Default::default() }
}

/// So many spans, `span 0` and on, in two resources of one scope each.
pub(crate) fn spans(count: usize) -> ExportTraceServiceRequest {
    let span = |n: usize| Span {
        trace_id: vec![1; 16],
        span_id: (n as u64 + 1).to_be_bytes().to_vec(),
        name: format!("span {n}"),
        attributes: vec![pair("http.route", "/a")],
        ..Default::default()
    };
    let group = |service: &str, numbers: std::ops::Range<usize>| ResourceSpans {
        resource: Some(Resource { attributes: vec![pair("service.name", service)], ..Default::default() }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope { name: "scope".into(), ..Default::default() }),
            spans: numbers.map(span).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let half = count / 2;
    ExportTraceServiceRequest { resource_spans: vec![group("shop", 0..half), group("cart", half..count)] }
}

/// A request of spans that passes `check` as a whole.
pub(crate) fn checked(request: &ExportTraceServiceRequest) -> Checked {
    check(Signal::Traces, request.encode_to_vec().into(), &Limits::default()).unwrap().0
}
