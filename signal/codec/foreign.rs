//! What others than OpenTelemetry put into queues, one message at a time, as log records: text, JSON, syslog, and what clouds export of themselves.

mod syslog;
#[cfg(test)]
mod tests;

use super::{
    line::{LineLogs, When, json_value, rfc3339},
    message::{any_value, attribute, attributes},
};
use crate::{Malformed, Time, Value};
use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message as _;
use serde_json::Value as Json;
use std::borrow::Cow;

/// Keys that hold the time, in the order in which they are asked.
const TIMES: [&str; 6] = ["@timestamp", "timestamp", "time", "ts", "eventTime", "date"];

/// A message that is text: one record, however many lines it has. None where it is blank.
#[must_use]
pub fn text(message: &[u8], read: Time) -> Option<Bytes> {
    let mut logs = LineLogs::new(Vec::new());
    logs.push_with(&String::from_utf8_lossy(message), When { said: Time(0), read }, []);
    logs.take()
}

/// A message that is a JSON object, or a list of them: a record each, with the object as its body. Its level and its time are those that the usual keys say.
///
/// # Errors
/// It is no such thing.
pub fn json(message: &[u8], read: Time) -> Result<Option<Bytes>, Malformed> {
    let parsed: Json = serde_json::from_slice(message).map_err(|error| no_json(message, &error))?;
    let objects = match parsed {
        Json::Array(list) => list,
        one => vec![one],
    };
    let records = objects.into_iter().map(|object| record_of(object, read)).collect::<Result<Vec<_>, _>>()?;
    Ok(request([(Vec::new(), records)]))
}

/// A message of syslog, by RFC 5424 or RFC 3164; what is neither is taken as text.
#[must_use]
pub fn syslog(message: &[u8], read: Time) -> Option<Bytes> {
    let message = String::from_utf8_lossy(message);
    let Some(said) = syslog::of(message.trim_end()) else { return text(message.as_bytes(), read) };
    let (resource, record) = said.into_record(read);
    request([(resource, vec![record])])
}

/// A message in which a cloud exports what it noted of its own resources: an object with a list `records` (Azure's diagnostic settings; `Records` as CloudTrail has
/// it), each of which becomes a record.
///
/// # Errors
/// It has no such list.
pub fn records(message: &[u8], read: Time) -> Result<Option<Bytes>, Malformed> {
    let parsed: Json = serde_json::from_slice(message).map_err(|error| no_json(message, &error))?;
    let list = match parsed {
        Json::Object(mut map) => map.remove("records").or_else(|| map.remove("Records")),
        _ => None,
    };
    let Some(Json::Array(list)) = list else { return Err(malformed("it is no object with a list `records`")) };
    let mut groups: Vec<(Option<String>, Vec<LogRecord>)> = Vec::new();
    for object in list {
        let resource = object.get("resourceId").and_then(Json::as_str).map(str::to_owned);
        let record = record_of(object, read)?;
        match groups.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, records)) => records.push(record),
            None => groups.push((resource, vec![record])),
        }
    }
    let named = |resource: Option<String>| {
        resource.map_or_else(Vec::new, |id| {
            vec![("cloud.provider".to_owned(), "azure".into()), ("cloud.resource_id".to_owned(), Value::Text(id))]
        })
    };
    Ok(request(groups.into_iter().map(|(resource, records)| (named(resource), records))))
}

fn malformed(what: impl Into<String>) -> Malformed {
    Malformed { path: "message".to_owned(), offset: 0, what: what.into() }
}

fn no_json(message: &[u8], error: &serde_json::Error) -> Malformed {
    // A map or a list of MessagePack, which Fluent Bit writes unless told otherwise.
    if matches!(message.first(), Some(0x80..=0x9f | 0xdc..=0xdf)) {
        return malformed("it looks like MessagePack, which is not read; have it written as JSON (Fluent Bit: `format json`)");
    }
    malformed(format!("it is no JSON: {error}"))
}

fn record_of(object: Json, read: Time) -> Result<LogRecord, Malformed> {
    let Json::Object(map) = &object else { return Err(malformed("it is JSON, but no object and no list of objects")) };
    let said = TIMES.iter().find_map(|key| time_of(map.get(*key)?)).unwrap_or_default();
    let (body, severity) = json_value(object);
    Ok(LogRecord {
        time_unix_nano: said.0,
        observed_time_unix_nano: read.0,
        severity_number: severity.0,
        severity_text: severity.1,
        body: Some(any_value(body)),
        ..LogRecord::default()
    })
}

/// A time as text by RFC 3339, or as a number since 1970, whose size says of what.
fn time_of(value: &Json) -> Option<Time> {
    if let Some(text) = value.as_str() {
        return rfc3339(text);
    }
    let number = value.as_f64().filter(|number| *number > 0.0)?;
    let scale = match number {
        n if n < 1e11 => 1e9,
        n if n < 1e14 => 1e6,
        n if n < 1e17 => 1e3,
        n if n < 1.8e19 => 1.0,
        _ => return None,
    };
    // Whole numbers are exact; a double of our days is to a microsecond.
    let whole = value.as_u64().map(|whole| whole.saturating_mul(scale as u64));
    Some(Time(whole.unwrap_or_else(|| ((number * scale / 1e3).round() as u64).saturating_mul(1_000))))
}

fn request(groups: impl IntoIterator<Item = (Vec<(String, Value)>, Vec<LogRecord>)>) -> Option<Bytes> {
    let resource_logs: Vec<ResourceLogs> = groups
        .into_iter()
        .filter(|(_, log_records)| !log_records.is_empty())
        .map(|(resource, log_records)| ResourceLogs {
            resource: Some(Resource { attributes: attributes(resource), ..Resource::default() }),
            scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        })
        .collect();
    (!resource_logs.is_empty()).then(|| ExportLogsServiceRequest { resource_logs }.encode_to_vec().into())
}

/// A word of syslog where it is not the mark for nothing.
fn word(word: &str) -> Option<Cow<'_, str>> {
    (!word.is_empty() && word != "-").then_some(Cow::Borrowed(word))
}
