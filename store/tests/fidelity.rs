//! Random OTLP in, every record out once with all its fields: compared with what prost says, in memory and again in files.

use super::sample::{batch, column, open};
use crate::{Scan, Store, Table};
use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::Float64Type,
    util::display::array_value_to_string,
};
use journal::{Disk, simulated::SimulatedDisk};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData, span::Event, span::Link},
};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value as Json, json};
use signal::{Flow, Signal};
use std::{collections::BTreeMap, path::Path, sync::Arc};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "\\PC{0,12}".prop_map(Value::StringValue),
        Just(Value::StringValue("a\"b\\c\n\u{1}".into())),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        (-1000_i32..1000).prop_map(|n| Value::DoubleValue(f64::from(n) / 8.0)),
        Just(Value::DoubleValue(f64::INFINITY)),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Value::BytesValue),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let any = |v: Value| AnyValue { value: Some(v) };
        prop_oneof![
            prop::collection::vec(inner.clone().prop_map(any), 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            prop::collection::btree_map("[$a-c]{1,3}", inner, 0..3).prop_map(|map| Value::KvlistValue(KeyValueList { values: pairs(map) })),
        ]
    })
}

fn pairs(map: BTreeMap<String, Value>) -> Vec<KeyValue> {
    map.into_iter().map(|(key, value)| KeyValue { key, value: Some(AnyValue { value: Some(value) }), ..Default::default() }).collect()
}

pub(super) fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    prop::collection::btree_map(prop_oneof![3 => "[a-c]\\.[a-b]", 1 => "\\PC{1,6}"], value(), 0..6).prop_map(pairs)
}

pub(super) fn time() -> impl Strategy<Value = u64> {
    prop_oneof![0..i64::MAX as u64, 1_795_255_200_000_000_000..1_795_259_200_000_000_000_u64]
}

fn json_of(value: Option<&AnyValue>) -> Json {
    match value.and_then(|v| v.value.as_ref()) {
        Some(Value::StringValue(text)) => json!(text),
        Some(Value::BoolValue(flag)) => json!(flag),
        Some(Value::IntValue(number)) => json!(number),
        Some(Value::DoubleValue(number)) if number.is_finite() => json!(number),
        Some(Value::DoubleValue(_)) => json!({ "$double": "Infinity" }),
        Some(Value::BytesValue(bytes)) => json!({ "$bytes": base64(bytes) }),
        Some(Value::ArrayValue(list)) => list.values.iter().map(|v| json_of(Some(v))).collect(),
        Some(Value::KvlistValue(map)) => {
            let object = object(&map.values);
            if map.values.first().is_some_and(|kv| kv.key.starts_with('$')) { json!({ "$map": object }) } else { object }
        }
        _ => Json::Null,
    }
}

fn base64(bytes: &[u8]) -> String {
    let letters: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).rev().map(move |n| b >> n & 1)).collect();
    let mut text: String =
        bits.chunks(6).map(|six| letters[six.iter().enumerate().fold(0, |n, (at, bit)| n | usize::from(*bit) << (5 - at))]).collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

pub(super) fn object(attributes: &[KeyValue]) -> Json {
    Json::Object(attributes.iter().map(|kv| (kv.key.clone(), json_of(kv.value.as_ref()))).collect())
}

pub(super) fn maybe(text: &str) -> Json {
    if text.is_empty() { Json::Null } else { json!(text) }
}

pub(super) fn list(all: Vec<Json>) -> Json {
    if all.is_empty() { Json::Null } else { Json::Array(all) }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) fn filled(object: Json) -> Json {
    if object.as_object().is_some_and(serde_json::Map::is_empty) { Json::Null } else { object }
}

/// The rows of a table, but one column, as JSON objects without nulls, sorted; JSON columns parsed.
pub(super) fn rows(store: &Store, table: Table, without: &str) -> Vec<String> {
    let mut all = Vec::new();
    for batch in store.scan(&Scan::of(table)).unwrap() {
        let batch: RecordBatch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let mut object = BTreeMap::new();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                if column.is_null(row) || field.name() == without {
                    continue;
                }
                if let Some(doubles) = column.as_primitive_opt::<Float64Type>() {
                    object.insert(field.name().clone(), bits(doubles.value(row)));
                    continue;
                }
                let text = array_value_to_string(column, row).unwrap();
                let parsed = ["attributes", "resource", "scope_attributes", "events", "links", "other", "buckets", "exemplars"]
                    .contains(&field.name().as_str());
                object.insert(field.name().clone(), if parsed { serde_json::from_str(&text).unwrap() } else { json!(text) });
            }
            all.push(sorted(&json!(object)));
        }
    }
    all.sort();
    all
}

/// A double that is only equal to itself.
pub(super) fn bits(double: f64) -> Json {
    json!(format!("{double:?} {:x}", double.to_bits()))
}

/// Text of a value with the keys of its objects in order.
fn sorted(value: &Json) -> String {
    match value {
        Json::Object(map) => {
            let map: BTreeMap<&String, String> = map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, sorted(v))).collect();
            format!("{map:?}")
        }
        Json::Array(list) => format!("{:?}", list.iter().map(sorted).collect::<Vec<_>>()),
        other => other.to_string(),
    }
}

prop_compose! {
    fn span()(
        ids in any::<([u8; 16], [u8; 8], Option<[u8; 8]>)>(), texts in prop::collection::vec("\\PC{0,8}", 5), kind in 0..6_i32, status in 0..3_i32,
        times in (time(), time(), time()), attributes in attributes(), more in attributes(), counts in any::<(u32, u32, u32, u32)>(),
        parts in (0..3_usize, 0..3_usize),
    ) -> Span {
        let [state, name, message, event, link_state]: [String; 5] = texts.try_into().unwrap();
        let filled = |mut id: Vec<u8>| { id[0] |= 1; id };
        Span {
            trace_id: filled(ids.0.to_vec()), span_id: filled(ids.1.to_vec()), parent_span_id: ids.2.map(|p| filled(p.to_vec())).unwrap_or_default(),
            trace_state: state, name, kind, start_time_unix_nano: times.0, end_time_unix_nano: times.1, attributes,
            events: vec![Event { time_unix_nano: times.2, name: event, attributes: more.clone(), dropped_attributes_count: counts.0 }; parts.0],
            links: vec![Link { trace_id: vec![7; 16], span_id: vec![8; 8], trace_state: link_state, attributes: more, dropped_attributes_count: counts.1, flags: counts.2 }; parts.1],
            status: Some(Status { message, code: status }), flags: counts.3,
            dropped_attributes_count: counts.0, dropped_events_count: counts.1, dropped_links_count: counts.2,
        }
    }
}

pub(super) fn around(resource: &Resource, scope: &InstrumentationScope, other: Json) -> Json {
    let service = resource.attributes.iter().find(|kv| kv.key == "service.name").map(|kv| json_of(kv.value.as_ref())).unwrap_or(Json::Null);
    let mut other = other;
    other["resource_schema_url"] = json!("urn:r");
    other["scope_dropped_attributes_count"] = json!(scope.dropped_attributes_count);
    json!({
        "service": service, "scope_name": maybe(&scope.name), "scope_version": maybe(&scope.version),
        "resource": filled(object(&resource.attributes)), "scope_attributes": filled(object(&scope.attributes)), "other": without_zeros(other),
    })
}

fn without_zeros(value: Json) -> Json {
    let Json::Object(map) = value else { return value };
    Json::Object(map.into_iter().filter(|(_, v)| *v != json!(0)).collect())
}

pub(super) fn merged(mut row: Json, more: Json) -> String {
    if let (Some(row), Json::Object(more)) = (row.as_object_mut(), more) {
        row.extend(more);
    }
    sorted(&row)
}

fn expected_span(resource: &Resource, scope: &InstrumentationScope, span: &Span) -> String {
    let event = |e: &Event| {
        let mut row = json!({ "time_unix_nano": e.time_unix_nano, "name": e.name, "attributes": object(&e.attributes), "dropped_attributes_count": e.dropped_attributes_count });
        row = without_zeros(row);
        row["time_unix_nano"] = json!(e.time_unix_nano);
        row
    };
    let link = |l: &Link| {
        without_zeros(json!({
            "trace_id": hex(&l.trace_id), "span_id": hex(&l.span_id), "trace_state": l.trace_state, "attributes": object(&l.attributes),
            "dropped_attributes_count": l.dropped_attributes_count, "flags": l.flags,
        }))
    };
    let status = span.status.clone().unwrap_or_default();
    let row = json!({
        "trace_id": hex(&span.trace_id), "span_id": hex(&span.span_id), "parent_span_id": maybe(&hex(&span.parent_span_id)),
        "trace_state": maybe(&span.trace_state), "flags": span.flags.to_string(), "name": maybe(&span.name),
        "kind": (["unspecified", "internal", "server", "client", "producer", "consumer"][span.kind as usize]),
        "start_time_unix_nano": span.start_time_unix_nano.to_string(),
        "duration_nano": (span.end_time_unix_nano as i64 - span.start_time_unix_nano as i64).to_string(),
        "status": (["unset", "ok", "error"][status.code as usize]), "status_message": maybe(&status.message), "attributes": filled(object(&span.attributes)),
        "events": list(span.events.iter().map(event).collect()), "links": list(span.links.iter().map(link).collect()),
    });
    let other = json!({
        "dropped_attributes_count": span.dropped_attributes_count, "dropped_events_count": span.dropped_events_count, "dropped_links_count": span.dropped_links_count,
    });
    merged(row, around(resource, scope, other))
}

pub(super) fn both_ways(
    signal: Signal,
    table: Table,
    without: &str,
    request: Vec<u8>,
    mut expected: Vec<String>,
) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = open(&disk, Path::new("/data/store"));
    runtime.block_on(store.append(&Flow::Batch(batch(signal, request, None)))).unwrap();
    expected.sort();
    prop_assert_eq!(rows(&store, table, without), expected.clone(), "in memory");
    store.flush().unwrap();
    prop_assert_eq!(store.stats().memory_bytes, 0);
    prop_assert_eq!(rows(&store, table, without), expected, "in files");
    Ok(())
}

pub(super) fn surroundings() -> impl Strategy<Value = (Resource, InstrumentationScope)> {
    (attributes(), attributes(), "\\PC{0,5}", 0..3_u32).prop_map(|(of_resource, of_scope, name, dropped)| {
        let scope = InstrumentationScope { name, version: "1".into(), attributes: of_scope, dropped_attributes_count: dropped };
        (Resource { attributes: of_resource, ..Default::default() }, scope)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_field_of_a_span_survives((resource, scope) in surroundings(), spans in prop::collection::vec(span(), 1..6)) {
        let expected = spans.iter().map(|s| expected_span(&resource, &scope, s)).collect();
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
        let data = TracesData { resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, schema_url: "urn:r".into() }] };
        both_ways(Signal::Traces, Table::Spans, "", data.encode_to_vec(), expected)?;
    }

    #[test]
    fn every_field_of_a_log_survives(
        (resource, scope) in surroundings(), body in prop::option::of(value()), more in attributes(), times in (time(), time()),
        severity in 0..25_i32, ids in any::<bool>(), counts in any::<(u32, u32)>(), word in "[a-z]{0,4}",
    ) {
        let severities = ["", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
        let trace = if ids { vec![9; 16] } else { vec![] };
        let log = LogRecord {
            time_unix_nano: times.0 | 1, observed_time_unix_nano: times.1 | 1, severity_number: severity, severity_text: String::new(), event_name: word.clone(),
            body: body.clone().map(|v| AnyValue { value: Some(v) }), attributes: more.clone(), dropped_attributes_count: counts.0, flags: counts.1,
            trace_id: trace.clone(), span_id: if ids { vec![3; 8] } else { vec![] },
        };
        let text = matches!(body, Some(Value::StringValue(_)));
        let in_json = body.clone().map(|v| json_of(Some(&AnyValue { value: Some(v) })));
        let row = json!({
            "time_unix_nano": log.time_unix_nano.to_string(), "observed_time_unix_nano": log.observed_time_unix_nano.to_string(),
            "severity_number": severity.to_string(), "severity": maybe(severities[((severity + 3) / 4) as usize]), "event_name": maybe(&word),
            "body_type": if body.is_none() || text { Json::Null } else { json!("json") },
            "trace_id": maybe(&hex(&trace)), "span_id": if ids { json!("0303030303030303") } else { Json::Null },
            "flags": counts.1.to_string(), "attributes": filled(object(&more)),
        });
        let expected = merged(row, around(&resource, &scope, json!({ "dropped_attributes_count": counts.0 })));
        let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records: vec![log], ..Default::default() }];
        let data = LogsData { resource_logs: vec![ResourceLogs { resource: Some(resource), scope_logs, schema_url: "urn:r".into() }] };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
        let store = open(&disk, Path::new("/data/store"));
        runtime.block_on(store.append(&Flow::Batch(batch(Signal::Logs, data.encode_to_vec(), None)))).unwrap();
        for place in ["memory", "files"] {
            let body_read = column(&store, Table::Logs, "body").remove(0);
            let body_wanted = match &in_json {
                None => "null".to_owned(),
                Some(Json::String(text)) if text.is_empty() || text == "null" => body_read.clone(),
                Some(Json::String(text)) => text.clone(),
                Some(other) => sorted(other),
            };
            let body_read = if text || in_json.is_none() { body_read } else { sorted(&serde_json::from_str(&body_read).unwrap()) };
            prop_assert_eq!(body_read, body_wanted, "body in {}", place);
            let rest: Vec<String> = rows(&store, Table::Logs, "body");
            prop_assert_eq!(rest, vec![expected.clone()], "in {}", place);
            store.flush().unwrap();
        }
    }
}
