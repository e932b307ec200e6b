//! Random edits, done both to an `Edit` and to a decoded record.

use super::{
    Draw,
    flat::{Flat, FlatItem},
    messages::any,
};
use crate::{Edit, SpanId, TraceId, Value, view::Any};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;

/// One call of an `Edit`'s method.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Set(&'static str, AnyValue),
    Remove(&'static str),
    SetResource(&'static str, AnyValue),
    RemoveResource(&'static str),
    Name(String),
    Status(u8, Option<String>),
    SeverityNumber(u8),
    SeverityText(String),
    Body(AnyValue),
    Time(u64),
    TraceState(String),
    Ids(TraceId, Option<SpanId>),
    Discard,
}

/// Mostly none, else a few. Keys and resource values come from a small set, so that they meet.
pub(crate) fn changes(draw: &mut Draw) -> Vec<Change> {
    if draw.chance(50) {
        return Vec::new();
    }
    draw.many(4, |draw| {
        let key = draw.pick(&["http.route", "service.name", "a", "new", ""]);
        match draw.below(14) {
            0 | 1 => Change::Set(key, any(draw, 1)),
            2 => Change::Remove(key),
            3 => Change::SetResource(key, any(draw, 9)),
            4 => Change::SetResource("env", super::pair("", draw.pick(&["x", "y"])).value.unwrap()),
            5 => Change::RemoveResource(key),
            6 => Change::Name(draw.pick(&["renamed", "other", ""]).to_owned()),
            7 => Change::Status(draw.pick(&[0, 1, 2]), draw.chance(50).then(|| draw.text())),
            8 => Change::SeverityNumber(draw.pick(&[0, 9, 24])),
            9 => Change::SeverityText(draw.text()),
            10 => Change::Body(any(draw, 1)),
            11 => Change::Time(draw.number()),
            12 => Change::TraceState(draw.text()),
            _ if draw.chance(50) => Change::Ids(TraceId([draw.byte(); 16]), draw.chance(50).then(|| SpanId([draw.byte(); 8]))),
            _ => Change::Discard,
        }
    })
}

fn value(any: &AnyValue) -> Value {
    Any::of(&any.encode_to_vec()).to_value()
}

impl Change {
    pub(crate) fn note(&self, edit: &mut Edit) {
        match self {
            Change::Set(key, any) => edit.set_attribute(key, value(any)),
            Change::Remove(key) => edit.remove_attribute(key),
            Change::SetResource(key, any) => edit.set_resource_attribute(key, value(any)),
            Change::RemoveResource(key) => edit.remove_resource_attribute(key),
            Change::Name(name) => edit.set_name(name),
            Change::Status(code, message) => edit.set_status(*code, message.as_deref()),
            Change::SeverityNumber(number) => edit.set_severity_number(*number),
            Change::SeverityText(text) => edit.set_severity_text(text),
            Change::Body(any) => edit.set_body(value(any)),
            Change::Time(time) => edit.set_time(*time),
            Change::TraceState(state) => edit.set_trace_state(state),
            Change::Ids(trace, span) => edit.set_ids(*trace, *span),
            Change::Discard => edit.discard(),
        }
    }
}

/// The record after the changes; none when it is discarded. Of several changes of one key the last counts, in the place of the first.
pub(crate) fn changed(mut flat: Flat, changes: &[Change]) -> Option<Flat> {
    let (mut own, mut shared) = (Vec::new(), Vec::new());
    for change in changes {
        match (change, &mut flat.item) {
            (Change::Discard, _) => return None,
            (Change::Set(key, any), _) => ask(&mut own, key, Some(any)),
            (Change::Remove(key), _) => ask(&mut own, key, None),
            (Change::SetResource(key, any), _) => ask(&mut shared, key, Some(any)),
            (Change::RemoveResource(key), _) => ask(&mut shared, key, None),
            (Change::Name(name), FlatItem::Span(span)) => span.name.clone_from(name),
            (Change::Name(name), FlatItem::Point(metric)) => metric.name.clone_from(name),
            (Change::Status(code, message), FlatItem::Span(span)) => {
                let status = span.status.get_or_insert_default();
                status.code = i32::from(*code);
                status.message = message.clone().unwrap_or(std::mem::take(&mut status.message));
            }
            (Change::TraceState(state), FlatItem::Span(span)) => span.trace_state.clone_from(state),
            (Change::SeverityNumber(number), FlatItem::Log(log)) => log.severity_number = i32::from(*number),
            (Change::SeverityText(text), FlatItem::Log(log)) => log.severity_text.clone_from(text),
            (Change::Body(any), FlatItem::Log(log)) => log.body = Some(plain(any)),
            (Change::Time(time), FlatItem::Log(log)) => log.time_unix_nano = *time,
            (Change::Ids(trace, span), FlatItem::Log(log)) => {
                log.trace_id = trace.0.to_vec();
                log.span_id = span.map_or(std::mem::take(&mut log.span_id), |id| id.0.to_vec());
            }
            _ => {}
        }
    }
    apply(flat.attributes(), &own);
    apply(&mut flat.resource.attributes, &shared);
    Some(flat)
}

type Asks<'a> = Vec<(&'static str, Option<&'a AnyValue>)>;

fn ask<'a>(asks: &mut Asks<'a>, key: &'static str, any: Option<&'a AnyValue>) {
    match asks.iter_mut().find(|(k, _)| *k == key) {
        Some(ask) => ask.1 = any,
        None => asks.push((key, any)),
    }
}

fn apply(pairs: &mut Vec<KeyValue>, asks: &Asks<'_>) {
    for (key, any) in asks {
        let first = pairs.iter().position(|pair| pair.key == *key);
        let mut n = 0;
        pairs.retain(|pair| {
            n += 1;
            pair.key != *key || (any.is_some() && Some(n - 1) == first)
        });
        let Some(any) = any else { continue };
        let pair = KeyValue { key: (*key).to_owned(), value: Some(plain(any)), key_strindex: 0 };
        match pairs.iter_mut().find(|pair| pair.key == *key) {
            Some(old) => *old = pair,
            None => pairs.push(pair),
        }
    }
}

/// As a `Value` can hold it: an index into a string table becomes empty, and a pair always has a value.
fn plain(any: &AnyValue) -> AnyValue {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Proto;
    let value = match any.value.clone() {
        Some(Proto::StringValueStrindex(_)) => None,
        Some(Proto::ArrayValue(mut array)) => {
            array.values = array.values.iter().map(plain).collect();
            Some(Proto::ArrayValue(array))
        }
        Some(Proto::KvlistValue(mut map)) => {
            for pair in &mut map.values {
                pair.value = Some(plain(&pair.value.clone().unwrap_or_default()));
            }
            Some(Proto::KvlistValue(map))
        }
        other => other,
    };
    AnyValue { value }
}
