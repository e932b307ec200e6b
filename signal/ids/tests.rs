//! Which forms are found, and which look-alikes are not.

use super::*;
use crate::Value;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue},
    logs::v1::LogRecord as Proto,
};
use prost::Message as _;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn any(value: Value) -> AnyValue {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList, any_value::Value as Any};
    let value = match value {
        Value::Empty => None,
        Value::Text(text) => Some(Any::StringValue(text)),
        Value::Bool(b) => Some(Any::BoolValue(b)),
        Value::Int(i) => Some(Any::IntValue(i)),
        Value::Double(f) => Some(Any::DoubleValue(f)),
        Value::Bytes(b) => Some(Any::BytesValue(b)),
        Value::List(list) => Some(Any::ArrayValue(ArrayValue { values: list.into_iter().map(any).collect() })),
        Value::Map(map) => Some(Any::KvlistValue(KeyValueList { values: pairs(map) })),
    };
    AnyValue { value }
}

fn pairs(map: Vec<(String, Value)>) -> Vec<KeyValue> {
    map.into_iter().map(|(key, value)| KeyValue { key, value: Some(any(value)), key_strindex: 0 }).collect()
}

fn map(pairs: &[(&str, Value)]) -> Vec<(String, Value)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn found(attributes: Vec<(String, Value)>, body: Value) -> Option<Found> {
    let bytes = Proto { attributes: pairs(attributes), body: Some(any(body)), ..Proto::default() }.encode_to_vec();
    find(&LogRecord::of(&bytes))
}

/// As `trace span`, for tables.
fn written(found: Option<Found>) -> String {
    match found {
        None => "nothing".to_owned(),
        Some(Found { trace, span: None, .. }) => format!("{trace}"),
        Some(Found { trace, span: Some(span), .. }) => format!("{trace} {span}"),
    }
}

#[test]
fn otlp_s_fields_come_first() {
    let log =
        Proto { trace_id: vec![1; 16], span_id: vec![2; 8], attributes: pairs(map(&[("trace_id", TRACE.into())])), ..Proto::default() };
    let bytes = log.encode_to_vec();
    let expected = Found { trace: TraceId([1; 16]), span: Some(SpanId([2; 8])), form: Form::Otlp, place: Place::Field };
    assert_eq!(find(&LogRecord::of(&bytes)), Some(expected));
}

#[test]
fn known_keys_are_found_in_attributes_and_in_a_body() {
    let both = format!("{TRACE} {SPAN}");
    for (trace, span) in [
        ("trace_id", "span_id"),
        ("traceId", "spanId"),
        ("TraceID", "SpanID"),
        ("trace.id", "span.id"),
        ("trace.id", "transaction.id"),
        ("otelTraceID", "otelSpanID"),
        ("mdc.traceId", "mdc.spanId"),
        ("contextMap.trace_id", "contextMap.span_id"),
        ("operation_Id", "operation_ParentId"),
        ("dd.trace_id", "dd.span_id"),
        ("X-B3-TraceId", "X-B3-SpanId"),
    ] {
        let keys = map(&[("level", "info".into()), (span, SPAN.into()), (trace, TRACE.into())]);
        assert_eq!(written(found(keys.clone(), Value::Empty)), both, "{trace} in attributes");
        assert_eq!(written(found(vec![], Value::Map(keys))), both, "{trace} in the body");
    }
}

#[test]
fn nested_maps_are_looked_into() {
    let id = |trace: &str, span: &str| {
        vec![("trace".to_owned(), Value::Map(map(&[("id", trace.into())]))), ("span".to_owned(), Value::Map(map(&[("id", span.into())])))]
    };
    assert_eq!(written(found(vec![], Value::Map(id(TRACE, SPAN)))), format!("{TRACE} {SPAN}"));
    let datadog = Value::Map(map(&[("dd.trace_id", "8448765234567890123".into()), ("dd.span_id", "12".into())]));
    assert_eq!(written(found(map(&[("contextMap", datadog)]), Value::Empty)), "000000000000000075400b37a516c4cb 000000000000000c");
}

#[test]
fn datadog_s_decimals_are_read() {
    let datadog = |trace: Value, span: Value| {
        written(found(map(&[("dd", Value::Map(map(&[("trace_id", trace), ("span_id", span)])))]), Value::Empty))
    };
    assert_eq!(datadog("18446744073709551615".into(), "1".into()), "0000000000000000ffffffffffffffff 0000000000000001");
    assert_eq!(datadog(Value::Int(255), Value::Int(-1)), "000000000000000000000000000000ff ffffffffffffffff");
    assert_eq!(datadog("340282366920938463463374607431768211455".into(), "0".into()), "ffffffffffffffffffffffffffffffff");
    assert_eq!(datadog("340282366920938463463374607431768211456".into(), "1".into()), "nothing");
    assert_eq!(datadog("0".into(), "0".into()), "nothing");
}

#[test]
fn a_span_is_not_taken_from_another_family_than_its_trace() {
    let keys = map(&[("dd.trace_id", "7".into()), ("dd.span_id", "8".into()), ("trace_id", TRACE.into())]);
    assert_eq!(written(found(keys, Value::Empty)), TRACE);
}

#[test]
fn header_values_are_read() {
    let both = format!("{TRACE} {SPAN}");
    for (key, value, expected) in [
        ("traceparent", format!("00-{TRACE}-{SPAN}-01"), both.as_str()),
        ("traceparent", format!("cc-{TRACE}-{SPAN}-01-more"), &both),
        ("b3", format!("{TRACE}-{SPAN}-1-{SPAN}"), &both),
        ("b3", format!("{SPAN}-{SPAN}"), "000000000000000000f067aa0ba902b7 00f067aa0ba902b7"),
        ("X-B3-TraceId", TRACE.to_owned(), TRACE),
        ("x-amzn-trace-id", format!("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent={SPAN};Sampled=1"), &both),
        (
            "x-amzn-trace-id",
            format!("Self=1-5bf92f35-77b34da6a3ce929d0e0e4736;Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent={SPAN}"),
            &both,
        ),
        ("xray_trace_id", "1-4bf92f35-77b34da6a3ce929d0e0e4736".to_owned(), TRACE),
        ("uber-trace-id", "a3ce929d0e0e4736:f067aa0ba902b7:0:1".to_owned(), "0000000000000000a3ce929d0e0e4736 00f067aa0ba902b7"),
        ("X-Cloud-Trace-Context", format!("{TRACE}/67667974448284343;o=1"), &both),
        ("logging.googleapis.com/trace", format!("projects/shop/traces/{TRACE}"), TRACE),
    ] {
        assert_eq!(written(found(map(&[(key, value.as_str().into())]), Value::Empty)), expected, "{key}: {value}");
    }
    let captured = Value::List(vec![Value::Text(format!("00-{TRACE}-{SPAN}-01"))]);
    let found = found(map(&[("http.request.header.traceparent", captured)]), Value::Empty);
    assert_eq!((written(found), found.map(|f| f.form)), (both, Some(Form::Traceparent)));
}

#[test]
fn a_key_goes_before_a_header_and_a_header_before_text() {
    let header = ("traceparent", Value::Text(format!("00-{}-{SPAN}-01", "a".repeat(32))));
    let form = |attributes: &[(&str, Value)]| {
        found(map(attributes), Value::Text(format!("trace_id={TRACE}"))).map(|f| (f.form.word(), f.place.word()))
    };
    assert_eq!(form(&[header.clone(), ("trace_id", TRACE.into())]), Some(("key", "attributes")));
    assert_eq!(form(&[header]), Some(("traceparent", "attributes")));
    assert_eq!(form(&[("md5", TRACE.into())]), Some(("key", "text")));
}

#[test]
fn ids_are_found_in_text() {
    let both = format!("{TRACE} {SPAN}");
    for text in [
        format!("trace_id={TRACE} span_id={SPAN} GET /cart"),
        format!("2024-05-01 ERROR [main] c.e.Cart trace_id={TRACE}, span_id={SPAN}: boom"),
        format!("level=info msg=\"paid\" traceID=\"{TRACE}\" spanID=\"{SPAN}\""),
        format!("failed (TraceId: {TRACE}; SpanId: {SPAN})"),
        format!("trace_id={TRACE};span_id={SPAN};"),
        format!("Trace ID: {TRACE}, Span ID: {SPAN}."),
        format!("TRACE_ID={TRACE} SPAN_ID={SPAN}"),
        format!("INFO [{TRACE}-{SPAN}] started"),
        format!("INFO [cart-service,{TRACE},{SPAN}] 1 --- [nio-8080] started"),
        format!("INFO [cart-service,{TRACE},{SPAN},true] started"),
        format!("INFO [cart-service,{TRACE}-{SPAN}] started"),
        format!("[x] [ ] INFO [,{TRACE},{SPAN}] started"),
        format!("got traceparent: 00-{TRACE}-{SPAN}-01"),
        format!("calling with 00-{TRACE}-{SPAN}-01, then waiting"),
        format!("GET / Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent={SPAN};Sampled=1 200"),
        format!("x-b3-traceid: {TRACE} x-b3-spanid: {SPAN}"),
        format!("ключ trace_id={TRACE} span_id={SPAN} конец"),
        format!(r#"{{"msg":"a \" b","trace_id":"{TRACE}","span_id":"{SPAN}"}}"#),
        format!(r#"{{"a":[1,{{}}],"n":null,"trace":{{"id":"{TRACE}"}},"span":{{"id":"{SPAN}"}}}}"#),
        format!(r#"{{"spanId":"{SPAN}","traceId":"{TRACE}","cut":"off in the mi"#),
        format!(r#"prefix {{"traceId":"{TRACE}","spanId":"{SPAN}"}}"#),
        format!(r#"{{"log":"{{\"traceId\":\"{TRACE}\",\"spanId\":\"{SPAN}\"}}"}}"#),
    ] {
        assert_eq!(written(find_in_text(&text)), both, "{text}");
    }
    assert_eq!(written(find_in_text(&format!("see projects/shop/traces/{TRACE}."))), TRACE);
    let datadog = "[dd.service=cart dd.env=prod dd.trace_id=255 dd.span_id=16] paid";
    assert_eq!(written(find_in_text(datadog)), "000000000000000000000000000000ff 0000000000000010");
    let datadog = r#"{"dd":{"trace_id":255,"span_id":"16"},"message":"paid"}"#;
    assert_eq!(written(find_in_text(datadog)), "000000000000000000000000000000ff 0000000000000010");
    let message = Value::Map(map(&[("message", Value::Text(format!("trace_id={TRACE}")))]));
    assert_eq!(found(vec![], message).map(|f| f.place), Some(Place::Text));
}

#[test]
fn look_alikes_are_not_taken() {
    let zeros = "0".repeat(32);
    for text in [
        TRACE.to_owned(),
        format!("md5={TRACE}"),
        format!("etag \"{TRACE}\" request_id={TRACE} session: {SPAN}"),
        format!("retrace_id={TRACE} trace_idx={TRACE} parent_trace_id={TRACE} brace={TRACE}"),
        "trace_id=4bf92f35-77b3-4da6-a3ce-929d0e0e4736".to_owned(),
        format!("trace_id={TRACE}0"),
        format!("trace_id={zeros}"),
        format!("trace_id=null span_id={SPAN}"),
        format!("trace_id {TRACE}"),
        "trace_id=12345".to_owned(),
        format!("span_id={SPAN}"),
        format!("operation_id={SPAN} trace={TRACE}"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("a00-{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}-012"),
        format!("00-{zeros}-{SPAN}-01"),
        "Root=1-4bf92f35-77b34da6".to_owned(),
        "[2024-05-01,1234567890123456,1234567890123456] [1-2] [a,b,c]".to_owned(),
        format!("[{SPAN}-{SPAN}] [{TRACE}] [{TRACE},{TRACE}]"),
        format!("[a,{TRACE},{SPAN},true,more]"),
        format!("projects/a/b/traces/{TRACE}"),
        format!("{} trace_id={TRACE}", "long ".repeat(4_000)),
        "TRACE: entering race condition".to_owned(),
        "trace_id=".to_owned(),
        "trace".to_owned(),
        "[".repeat(100),
        "{\"a\":".repeat(100),
    ] {
        assert_eq!(written(find_in_text(&text)), "nothing", "{text}");
    }
    let keys =
        map(&[("uuid", TRACE.into()), ("trace_id", Value::Int(5)), ("trace", TRACE.into()), ("b3", "0".into()), ("span_id", SPAN.into())]);
    assert_eq!(found(keys, Value::Empty), None);
}

#[test]
fn a_64_bit_id_meets_the_128_bit_id_that_it_is_the_low_half_of() {
    let id = |hex| TraceId::of_hex_or_half(hex).unwrap();
    let (whole, half) = (id(TRACE), id("a3ce929d0e0e4736"));
    assert_eq!((half.high(), half.low()), (0, whole.low()));
    assert!(whole.meets(&half) && half.meets(&whole) && whole.meets(&whole));
    assert!(!whole.meets(&id("4bf92f3577b34da7a3ce929d0e0e4736")) && !half.meets(&id("a3ce929d0e0e4737")));
    assert_eq!(["", "0", "0000000000000000", "a3ce929d0e0e473g"].map(TraceId::of_hex_or_half), [None; 4]);
}

proptest::proptest! {
    #[test]
    fn what_any_text_gives_is_an_id(text in "(?s)(.{0,8}|trace_?id|span|00-|Root=1-|NR-LINKING|b3|\\[|\\]|,|=|:|\"|\\{|\\||[0-9a-f]{32}|[0-9a-f]{16}|projects/){0,12}") {
        let found = find_in_text(&text).map(|found| (found.trace, found.span));
        proptest::prop_assert!(found.is_none_or(|(trace, span)| trace != TraceId::default() && span != Some(SpanId::default())));
        proptest::prop_assert_ne!(candidate_in_text(&text), Some(TraceId::default()));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let log = LogRecord::of(&bytes);
        let (found, candidate) = (find(&log), candidate(&log));
        proptest::prop_assert!(found.is_none_or(|found| found.trace != TraceId::default()) && candidate != Some(TraceId::default()));
        let text = String::from_utf8_lossy(&bytes);
        proptest::prop_assert!(find_in_text(&text).is_none_or(|found| found.trace != TraceId::default()));
    }

    #[test]
    fn an_id_is_found_whatever_stands_around_it(before in "[^{]{0,40}", after in ".{0,40}", trace in "[1-9a-f][0-9a-f]{31}", span in "[1-9a-f][0-9a-f]{15}") {
        let text = format!("{before} trace_id={trace} span_id={span} {after}");
        // Only a line that is JSON or names a trace before this one may say otherwise.
        let named = find_in_text(&before).is_some();
        proptest::prop_assert!(named || written(find_in_text(&text)) == format!("{trace} {span}"), "{text}");
    }
}
