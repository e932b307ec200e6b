//! Requests as people and SDKs write them, and what is said about those that cannot be read.

use super::{of_protobuf, to_protobuf};
use crate::{Checked, Signal};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, any_value::Value},
    logs::v1::LogRecord,
    metrics::v1::{metric::Data, number_data_point},
    trace::v1::Span,
};
use prost::Message;

fn spans(json: &str) -> Vec<Span> {
    let bytes = to_protobuf(Signal::Traces, json.as_bytes()).unwrap();
    let request = ExportTraceServiceRequest::decode(bytes).unwrap();
    request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
}

fn span(fields: &str) -> Span {
    spans(&format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#)).remove(0)
}

fn log(fields: &str) -> LogRecord {
    let json = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{fields}}}]}}]}}]}}"#);
    let bytes = to_protobuf(Signal::Logs, json.as_bytes()).unwrap();
    ExportLogsServiceRequest::decode(bytes).unwrap().resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0)
}

fn body(value: &str) -> Option<Value> {
    log(&format!(r#""body":{value}"#)).body.and_then(|body| body.value)
}

/// The whole error text for a request with one span of these fields.
fn refusal(fields: &str) -> String {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{}},{{{fields}}}]}}]}}]}}"#);
    to_protobuf(Signal::Traces, json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_specification_s_trace_example_is_read() {
    let json = r#"{ "resourceSpans": [ {
        "resource": { "attributes": [ { "key": "service.name", "value": { "stringValue": "my.service" } } ] },
        "scopeSpans": [ {
          "scope": { "name": "my.library", "version": "1.0.0", "attributes": [ { "key": "my.scope.attribute", "value": { "stringValue": "some scope attribute" } } ] },
          "spans": [ {
              "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "parentSpanId": "EEE19B7EC3C1B173",
              "name": "I'm a server span", "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000", "kind": 2,
              "attributes": [ { "key": "my.span.attr", "value": { "stringValue": "some value" } } ] } ] } ] } ] }"#;
    let span = spans(json).remove(0);
    assert_eq!(span.trace_id, [0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c]);
    assert_eq!(span.parent_span_id, [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x73]);
    assert_eq!((span.name.as_str(), span.kind, span.end_time_unix_nano), ("I'm a server span", 2, 1_544_712_661_000_000_000));
    assert_eq!(span.attributes[0].value.as_ref().unwrap().value, Some(Value::StringValue("some value".into())));
}

#[test]
fn the_specification_s_log_example_is_read() {
    let log = log(
        r#""timeUnixNano": "1544712660300000000", "observedTimeUnixNano": "1544712660300000000", "severityNumber": 10, "severityText": "Information",
        "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "body": { "stringValue": "Example log record" }, "attributes": [
        { "key": "boolean.attribute", "value": { "boolValue": true } }, { "key": "int.attribute", "value": { "intValue": "10" } },
        { "key": "double.attribute", "value": { "doubleValue": 637.704 } },
        { "key": "array.attribute", "value": { "arrayValue": { "values": [ { "stringValue": "many" }, { "stringValue": "values" } ] } } },
        { "key": "map.attribute", "value": { "kvlistValue": { "values": [ { "key": "some.map.key", "value": { "stringValue": "some value" } } ] } } } ]"#,
    );
    assert_eq!((log.severity_number, log.severity_text.as_str()), (10, "Information"));
    let values: Vec<_> = log.attributes.into_iter().map(|a| a.value.unwrap().value.unwrap()).collect();
    assert_eq!(&values[..3], [Value::BoolValue(true), Value::IntValue(10), Value::DoubleValue(637.704)]);
    let Value::ArrayValue(list) = &values[3] else { panic!("{values:?}") };
    assert_eq!(list.values[1].value, Some(Value::StringValue("values".into())));
    let Value::KvlistValue(map) = &values[4] else { panic!("{values:?}") };
    assert_eq!(map.values[0].key, "some.map.key");
}

#[test]
fn the_specification_s_metric_example_is_read() {
    let json = r#"{ "resourceMetrics": [ { "scopeMetrics": [ { "metrics": [
        { "name": "my.counter", "unit": "1", "description": "I am a Counter", "sum": { "aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [
            { "asDouble": 5, "startTimeUnixNano": "1544712660300000000", "timeUnixNano": "1544712660300000000" } ] } },
        { "name": "my.histogram", "histogram": { "aggregationTemporality": 1, "dataPoints": [
            { "count": "2", "sum": 2, "bucketCounts": ["1","1"], "explicitBounds": [1], "min": 0, "max": 2 } ] } },
        { "name": "my.exponential.histogram", "exponentialHistogram": { "aggregationTemporality": 1, "dataPoints": [
            { "count": "3", "sum": 10, "scale": 0, "zeroCount": "1", "positive": { "offset": 1, "bucketCounts": ["0","2"] }, "zeroThreshold": 0 } ] } }
        ] } ] } ] }"#;
    let bytes = to_protobuf(Signal::Metrics, json.as_bytes()).unwrap();
    let mut request = ExportMetricsServiceRequest::decode(bytes).unwrap();
    let mut data = request.resource_metrics.remove(0).scope_metrics.remove(0).metrics.into_iter().filter_map(|m| m.data);
    let Some(Data::Sum(sum)) = data.next() else { panic!("a sum") };
    assert!(sum.is_monotonic && sum.data_points[0].value == Some(number_data_point::Value::AsDouble(5.0)));
    let Some(Data::Histogram(histogram)) = data.next() else { panic!("a histogram") };
    let point = &histogram.data_points[0];
    assert_eq!((point.count, point.sum, &point.bucket_counts[..], &point.explicit_bounds[..]), (2, Some(2.0), &[1, 1][..], &[1.0][..]));
    assert_eq!((point.min, point.max), (Some(0.0), Some(2.0)));
    let Some(Data::ExponentialHistogram(histogram)) = data.next() else { panic!("an exponential histogram") };
    let positive = histogram.data_points[0].positive.as_ref().unwrap();
    assert_eq!((positive.offset, &positive.bucket_counts[..]), (1, &[0, 2][..]));
}

#[test]
fn numbers_are_read_as_strings_and_as_numbers() {
    assert_eq!(span(r#""startTimeUnixNano": 1544712660000000001"#).start_time_unix_nano, 1_544_712_660_000_000_001);
    assert_eq!(span(r#""startTimeUnixNano": "18446744073709551615""#).start_time_unix_nano, u64::MAX);
    assert_eq!(span(r#""droppedLinksCount": 1.5e1"#).dropped_links_count, 15);
    assert_eq!(body(r#"{"intValue": "-9223372036854775808"}"#), Some(Value::IntValue(i64::MIN)));
    assert_eq!(body(r#"{"doubleValue": "-Infinity"}"#), Some(Value::DoubleValue(f64::NEG_INFINITY)));
    assert_eq!(body(r#"{"doubleValue": "1e-3"}"#), Some(Value::DoubleValue(0.001)));
    assert!(matches!(body(r#"{"doubleValue": "NaN"}"#), Some(Value::DoubleValue(f)) if f.is_nan()));
}

#[test]
fn enums_are_read_by_number_and_by_name() {
    assert_eq!(span(r#""kind": "SPAN_KIND_CLIENT", "status": {"code": "STATUS_CODE_ERROR"}"#).status.unwrap().code, 2);
    assert_eq!(span(r#""kind": "SPAN_KIND_CLIENT""#).kind, 3);
    assert_eq!(log(r#""severityNumber": "SEVERITY_NUMBER_ERROR2""#).severity_number, 18);
    assert_eq!(log(r#""severityNumber": 99"#).severity_number, 99);
}

#[test]
fn bytes_are_read_in_either_alphabet_with_and_without_padding() {
    for written in ["+/8=", "+/8", "-_8=", "-_8"] {
        assert_eq!(body(&format!(r#"{{"bytesValue":"{written}"}}"#)), Some(Value::BytesValue(vec![0xfb, 0xff])), "{written}");
    }
}

#[test]
fn unknown_fields_are_passed_over_and_null_is_the_default() {
    let span = span(r#""new": {"a": [1, {"b": null}, "\u00e9"], "c": {}}, "name": null, "events": null, "kind": 1, "links": []"#);
    assert_eq!((span.name.as_str(), span.kind, span.events.len()), ("", 1, 0));
}

#[test]
fn snake_case_is_read_too() {
    assert_eq!(span(r#""dropped_links_count": 7"#).dropped_links_count, 7);
}

#[test]
fn escapes_are_read_and_half_a_surrogate_is_replaced() {
    let text = |json: &str| body(&format!(r#"{{"stringValue":"{json}"}}"#));
    assert_eq!(text(r#"a\n\t\"\\\/\u00e9\ud83d\ude00"#), Some(Value::StringValue("a\n\t\"\\/é😀".into())));
    assert_eq!(text(r"\ud83dx\ude00\ud83d\u0041"), Some(Value::StringValue("\u{fffd}x\u{fffd}\u{fffd}A".into())));
}

#[test]
fn an_empty_request_is_empty() {
    assert!(to_protobuf(Signal::Logs, b" {} ").unwrap().is_empty());
    assert_eq!(of_protobuf(Signal::Logs, &Checked::default()), "{}");
}

#[test]
fn json_is_written_as_the_specification_says() {
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","flags":257,"name":"a\"\u0001","kind":2,"startTimeUnixNano":"1544712660000000000","attributes":[{"key":"d","value":{"doubleValue":1.0}},{"key":"b","value":{"bytesValue":"+/8="}},{"key":"none","value":{}}],"status":{"code":2}}]}]}]}"#;
    let bytes = to_protobuf(Signal::Traces, json.as_bytes()).unwrap();
    assert_eq!(of_protobuf(Signal::Traces, &Checked(bytes)), json);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let place = "resourceSpans[0].scopeSpans[0].spans[1]";
    let before = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{},{"#.len();
    for (fields, field, offset, what) in [
        (
            r#""traceId":"xyz""#,
            ".traceId",
            10,
            "`xyz` is not hex; OTLP/JSON writes a trace id as 32 hex digits and a span id as 16, not in base64",
        ),
        (r#""name":5"#, ".name", 7, "expected a string, found a number"),
        (r#""startTimeUnixNano":-1"#, ".startTimeUnixNano", 20, "-1 is out of range; this field takes 0 to 18446744073709551615"),
        (r#""startTimeUnixNano":"soon""#, ".startTimeUnixNano", 20, "`soon` is no whole number"),
        (r#""kind":"SERVER""#, ".kind", 7, "`SERVER` is not in this enum; write its number, or a name such as SPAN_KIND_SERVER"),
        (r#""events":{}"#, ".events", 9, "expected an array, found an object"),
        (r#""events":[{},{"name":true}]"#, ".events[1].name", 21, "expected a string, found a boolean"),
        (r#""status":[]"#, ".status", 9, "expected an object, found an array"),
        (r#""name":"a" "kind":1"#, "", 11, "expected `,` or `}`, found a string"),
        (r#""name":"\x""#, ".name", 8, "JSON has no such escape"),
        ("\"name\":\"a\nb\"", ".name", 9, "a control character in a string has to be escaped"),
        (r#""new":["\u12"]"#, "", 8, "JSON has no such escape"),
        (r#""kind":01"#, ".kind", 7, "this is no JSON number"),
        (r#""name":"#, ".name", 7, "expected a string, found '}'"),
    ] {
        let refusal = refusal(fields);
        assert_eq!(refusal, format!("{place}{field} at byte {}: {what}", before + offset), "for {fields}");
    }
}

#[test]
fn a_text_that_ends_early_or_is_no_json_is_told() {
    let refusal = |text: &[u8]| to_protobuf(Signal::Traces, text).unwrap_err().to_string();
    assert_eq!(refusal(b""), "request at byte 0: expected an object, found the end of the text");
    assert_eq!(refusal(b"[]"), "request at byte 0: expected an object, found an array");
    assert_eq!(refusal(b"{} x"), "request at byte 3: expected the end of the text, found 'x'");
    assert_eq!(refusal(br#"{"resourceSpans":[{"#), "resourceSpans[0] at byte 19: expected a string, found the end of the text");
    assert_eq!(refusal(b"{\"a\":\"\xff\"}"), "request at byte 6: this is not UTF-8");
    assert_eq!(refusal(br#"{"a":"b"#), "request at byte 5: this string does not end");
}

fn nested(levels: usize) -> String {
    let (open, close) = (r#"{"kvlistValue":{"values":[{"value":"#, "}]}}");
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{}{{}}{}}}]}}]}}]}}"#, open.repeat(levels), close.repeat(levels))
}

#[test]
fn a_value_of_64_levels_is_read_and_written_and_a_deeper_one_is_refused() {
    let json = nested(64);
    let bytes = to_protobuf(Signal::Logs, json.as_bytes()).unwrap();
    assert_eq!(of_protobuf(Signal::Logs, &Checked(bytes)), json);
    let refusal = to_protobuf(Signal::Logs, nested(100_000).as_bytes()).unwrap_err();
    assert!(refusal.what.starts_with("nested too deeply"), "{refusal}");
}

#[test]
fn brackets_of_any_depth_in_an_unknown_field_do_no_harm() {
    let json = format!(r#"{{"new":{}{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert!(to_protobuf(Signal::Logs, json.as_bytes()).unwrap().is_empty());
}

#[test]
fn an_element_that_is_null_is_an_empty_one() {
    let value = body(r#"{"arrayValue":{"values":[null,{"intValue":1}]}}"#);
    let Some(Value::ArrayValue(list)) = value else { panic!("{value:?}") };
    assert_eq!(list.values, [AnyValue { value: None }, AnyValue { value: Some(Value::IntValue(1)) }]);
}
