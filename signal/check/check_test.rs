//! What `check` lets through, cuts and refuses.

use super::*;
use crate::{
    arbitrary::{pair, spans},
    wire::put_bytes,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value};

fn run(request: &ExportTraceServiceRequest, limits: &Limits) -> Result<(ExportTraceServiceRequest, Counts), Malformed> {
    let (checked, counts) = check(Signal::Traces, request.encode_to_vec().into(), limits)?;
    Ok((ExportTraceServiceRequest::decode(checked.0).unwrap(), counts))
}

fn nested(levels: usize) -> KeyValue {
    let inner = (0..levels).fold(pair("leaf", "x"), |inside, _| KeyValue {
        key: "k".into(),
        value: Some(AnyValue { value: Some(Value::KvlistValue(KeyValueList { values: vec![inside] })) }),
        ..Default::default()
    });
    KeyValue { key: "deep".into(), ..inner }
}

#[test]
fn what_is_well_is_given_back_as_it_came() {
    let raw = Bytes::from(spans(4).encode_to_vec());
    let (checked, counts) = check(Signal::Traces, raw.clone(), &Limits::default()).unwrap();
    assert_eq!(checked.0.as_ptr(), raw.as_ptr());
    assert_eq!(counts, Counts { records: 4, rejected: 0, why: None });
}

#[test]
fn a_fault_is_told_with_its_path_and_byte() {
    let mut raw = spans(4).encode_to_vec();
    let at = raw.windows(6).position(|w| w == b"span 1").unwrap();
    raw[at] = 0xff;
    let fault = check(Signal::Traces, raw.clone().into(), &Limits::default()).unwrap_err();
    assert_eq!(fault.path, "resource_spans[0].scope_spans[0].spans[1].name");
    assert_eq!(fault.offset, at - 2);
    assert_eq!(fault.what, "text that is not UTF-8");
    raw[at] = b's';
    raw[at - 2] = 5 << 3 | 5;
    let fault = check(Signal::Traces, raw.into(), &Limits::default()).unwrap_err();
    assert_eq!(fault.path, "resource_spans[0].scope_spans[0].spans[1].name");
    assert_eq!(fault.what, "wire type 5 where text (2) belongs");
}

#[test]
fn bytes_that_end_too_soon_are_refused() {
    let raw = spans(2).encode_to_vec();
    let fault = check(Signal::Traces, raw[..raw.len() - 1].to_vec().into(), &Limits::default()).unwrap_err();
    assert_eq!((fault.path.as_str(), fault.what.as_str()), ("resource_spans[1]", "a length that goes beyond the end"));
}

#[test]
fn spans_without_ids_are_cut_and_the_rest_goes_on() {
    let mut request = spans(6);
    let broken = &mut request.resource_spans[0].scope_spans[0].spans;
    broken[0].trace_id = vec![0; 16];
    broken[2].span_id = vec![1; 7];
    let (kept, counts) = run(&request, &Limits::default()).unwrap();
    request.resource_spans[0].scope_spans[0].spans.retain(|s| s.name == "span 1");
    assert_eq!(kept, request);
    assert_eq!((counts.records, counts.rejected), (4, 2));
    let cut = counts.why.unwrap();
    assert!(cut.in_json().starts_with("resourceSpans[0].scopeSpans[0].spans[0]: a span needs"), "{}", cut.in_json());
    let why = cut.to_string();
    assert!(why.starts_with("resource_spans[0].scope_spans[0].spans[0] at byte "), "{why}");
    assert!(why.ends_with("a span needs a trace_id of 16 bytes that are not all zero"), "{why}");
}

#[test]
fn a_record_over_a_limit_is_cut() {
    let many = |span: &mut opentelemetry_proto::tonic::trace::v1::Span| span.attributes = vec![pair("k", "v"); 1_025];
    let long = |span: &mut opentelemetry_proto::tonic::trace::v1::Span| span.attributes = vec![pair(&"k".repeat(1_025), "v")];
    let big = |span: &mut opentelemetry_proto::tonic::trace::v1::Span| span.name = "n".repeat(5 << 20);
    let deep = |span: &mut opentelemetry_proto::tonic::trace::v1::Span| span.attributes = vec![nested(70)];
    for (spoil, word) in
        [(&many as &dyn Fn(&mut _), "1025 attributes"), (&long, "a key of 1025"), (&big, "bytes, 4194304"), (&deep, "deep")]
    {
        let mut request = spans(2);
        spoil(&mut request.resource_spans[1].scope_spans[0].spans[0]);
        let (kept, counts) = run(&request, &Limits::default()).unwrap();
        assert_eq!(kept.resource_spans.len(), 1);
        assert_eq!((counts.records, counts.rejected), (1, 1));
        assert!(counts.why.as_ref().is_some_and(|why| why.what.contains(word)), "{:?}", counts.why);
    }
}

#[test]
fn a_resource_over_a_limit_costs_its_records() {
    let mut request = spans(7);
    request.resource_spans[0].scope_spans[0].spans[1].span_id.clear();
    let resource = request.resource_spans[0].resource.as_mut().unwrap();
    resource.attributes = vec![nested(70)];
    let (kept, counts) = run(&request, &Limits::default()).unwrap();
    assert_eq!(kept.resource_spans, request.resource_spans[1..]);
    assert_eq!((counts.records, counts.rejected), (4, 3));
}

#[test]
fn too_many_records_refuse_the_request() {
    let fault = run(&spans(5), &Limits { records_max: 4, ..Limits::default() }).unwrap_err();
    assert_eq!(fault.path, "resource_spans[1].scope_spans[0].spans[2]");
    assert_eq!(fault.what, "more than 4 records in a request");
}

#[test]
fn whatever_depth_passes_can_be_decoded() {
    for levels in 25..40 {
        let mut request = spans(2);
        request.resource_spans[0].scope_spans[0].spans[0].attributes = vec![nested(levels)];
        run(&request, &Limits::default()).unwrap();
    }
}

#[test]
fn what_is_given_in_pieces_is_put_together() {
    let request = spans(2);
    let resource =
        |attribute: KeyValue| opentelemetry_proto::tonic::resource::v1::Resource { attributes: vec![attribute], ..Default::default() };
    let mut group = request.resource_spans[0].encode_to_vec();
    let more = resource(pair("k8s.pod.name", "p")).encode_to_vec();
    put_bytes(&mut group, 1, &more);
    let mut raw = Vec::new();
    put_bytes(&mut raw, 1, &group);
    let (checked, counts) = check(Signal::Traces, raw.clone().into(), &Limits::default()).unwrap();
    assert_eq!(counts.records, 1);
    assert_eq!(checked.0, ExportTraceServiceRequest::decode(raw.as_slice()).unwrap().encode_to_vec());
    let mut walk = crate::view::Walk::new(Signal::Traces, &checked.0);
    let resource = walk.next().unwrap().resource;
    assert_eq!(resource.service(), "shop");
    assert_eq!(resource.attributes().get("k8s.pod.name").and_then(|v| v.text()), Some("p"));
}

#[test]
fn of_a_oneof_given_twice_the_last_counts() {
    let mut value = AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![AnyValue::default()] })) }.encode_to_vec();
    value.extend(AnyValue { value: Some(Value::IntValue(5)) }.encode_to_vec());
    value.extend(AnyValue { value: Some(Value::ArrayValue(ArrayValue::default())) }.encode_to_vec());
    let mut pair = KeyValue { key: "k".into(), ..Default::default() }.encode_to_vec();
    put_bytes(&mut pair, 2, &value);
    let mut span = spans(2).resource_spans.remove(0).scope_spans.remove(0).spans.remove(0).encode_to_vec();
    put_bytes(&mut span, 9, &pair);
    let raw = [2, 2, 1].iter().fold(span, |inner, number| {
        let mut outer = Vec::new();
        put_bytes(&mut outer, *number, &inner);
        outer
    });
    let (checked, _) = check(Signal::Traces, raw.into(), &Limits::default()).unwrap();
    let record = crate::view::Walk::new(Signal::Traces, &checked.0).next().unwrap();
    assert_eq!(record.attributes().get("k").unwrap().display(), "[]");
}

#[test]
fn endless_nesting_is_cut_and_not_followed() {
    let mut deep = Vec::new();
    for _ in 0..5_000 {
        let mut list = Vec::with_capacity(deep.len() + 5);
        put_bytes(&mut list, 1, &deep);
        deep.clear();
        put_bytes(&mut deep, 5, &list);
    }
    let mut log = Vec::new();
    put_bytes(&mut log, 5, &deep);
    let raw = [2, 2, 1].iter().fold(log, |inner, number| {
        let mut outer = Vec::new();
        put_bytes(&mut outer, *number, &inner);
        outer
    });
    let (checked, counts) = check(Signal::Logs, raw.into(), &Limits::default()).unwrap();
    assert_eq!((checked.0.len(), counts.records, counts.rejected), (0, 0, 1));
}
