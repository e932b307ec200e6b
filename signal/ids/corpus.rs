//! Lines as loggers, agents and proxies write them, and look-alikes: `tests/data/ids` has what is found on each.

use super::{candidate, find};
use crate::view::LogRecord;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value as Any},
    logs::v1::LogRecord as Proto,
};
use prost::Message as _;
use serde::Deserialize;
use serde_json::{Map, Value};

const WRITTEN: &str = include_str!("../../tests/data/ids/written.jsonl");
const LOOK_ALIKES: &str = include_str!("../../tests/data/ids/look_alikes.jsonl");

/// A line of the corpus: a log, and what is to be found on it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(alias = "why")]
    source: String,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    trace_id: String,
    #[serde(default)]
    span_id: String,
    trace: Option<String>,
    span: Option<String>,
    form: Option<String>,
    place: Option<String>,
    candidate: Option<String>,
}

impl Line {
    fn log(&self) -> Vec<u8> {
        let id = |hex: &str| (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        let body = Some(any(&self.body));
        Proto { body, attributes: pairs(&self.attributes), trace_id: id(&self.trace_id), span_id: id(&self.span_id), ..Proto::default() }
            .encode_to_vec()
    }
}

fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(value) => Some(Any::BoolValue(*value)),
        Value::Number(number) => {
            number.as_u64().map(u64::cast_signed).or_else(|| number.as_i64()).map(Any::IntValue).or(number.as_f64().map(Any::DoubleValue))
        }
        Value::String(text) => Some(Any::StringValue(text.clone())),
        Value::Array(list) => Some(Any::ArrayValue(ArrayValue { values: list.iter().map(any).collect() })),
        Value::Object(map) => Some(Any::KvlistValue(KeyValueList { values: pairs(map) })),
    };
    AnyValue { value }
}

fn pairs(map: &Map<String, Value>) -> Vec<KeyValue> {
    map.iter().map(|(key, value)| KeyValue { key: key.clone(), value: Some(any(value)), key_strindex: 0 }).collect()
}

fn lines(corpus: &str) -> Vec<Line> {
    let lines = corpus.lines().enumerate();
    lines.map(|(n, line)| serde_json::from_str(line).unwrap_or_else(|wrong| panic!("line {}: {wrong}", n + 1))).collect()
}

#[test]
fn every_form_that_is_written_is_found_and_named() {
    let mut missed = Vec::new();
    for line in lines(WRITTEN) {
        let expected = (line.trace.clone(), line.span.clone(), line.form.clone(), line.place.clone());
        let found = find(&LogRecord::of(&line.log())).map_or((None, None, None, None), |found| {
            let word = |word: &str| Some(word.to_owned());
            let span = found.span.map(|span| span.to_string());
            (Some(found.trace.to_string()), span, word(found.form.word()), word(found.place.word()))
        });
        if found != expected {
            missed.push(format!("{}: {found:?} instead of {expected:?} in {} {:?}", line.source, line.body, line.attributes));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn no_look_alike_is_taken_and_bare_digits_are_only_a_candidate() {
    let mut taken = Vec::new();
    for line in lines(LOOK_ALIKES) {
        let bytes = line.log();
        let log = LogRecord::of(&bytes);
        let (found, candidate) = (find(&log), candidate(&log).map(|id| id.to_string()));
        if found.is_some() || candidate != line.candidate {
            taken.push(format!("{}: {found:?}, candidate {candidate:?} instead of {:?} in {}", line.source, line.candidate, line.body));
        }
    }
    assert!(taken.is_empty(), "{}", taken.join("\n"));
}
