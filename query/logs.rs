//! Log lines.

use crate::{
    Attribute, Error, Times, When,
    filter::{json, object, text_equals},
};
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use store::{Filter, Ints, Order, Scan, Store, Table, Texts};

/// Which log lines.
#[derive(Clone, Debug)]
pub struct LogQuery {
    /// When.
    pub times: Times,
    /// Of this service.
    pub service: Option<String>,
    /// Of this level or above; a word of config/reference/fields.md, in either case.
    pub level_min: Option<String>,
    /// Whose body contains this.
    pub text: Option<String>,
    /// Of the trace with this id, or whose id starts with these digits.
    pub trace: Option<String>,
    /// That have all of these.
    pub attributes: Vec<Attribute>,
    /// Which of them, if there are more than `limit`.
    pub order: LogOrder,
    /// Lines at the most.
    pub limit: usize,
}

/// Which lines come when there are more than fit, and in which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogOrder {
    /// The newest, newest first.
    #[default]
    Newest,
    /// The oldest, oldest first.
    Oldest,
}

impl Default for LogQuery {
    fn default() -> LogQuery {
        LogQuery {
            times: Times::default(),
            service: None,
            level_min: None,
            text: None,
            trace: None,
            attributes: Vec::new(),
            order: LogOrder::Newest,
            limit: 100,
        }
    }
}

/// A log record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct LogLine {
    /// When it happened, or else was observed.
    pub time: When,
    /// TRACE, DEBUG, INFO, WARN, ERROR, FATAL, or empty.
    pub severity: String,
    /// As the application wrote the level.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub severity_text: String,
    /// Its service.
    pub service: String,
    /// The body's text, or its `message` or `msg`, or the body as JSON.
    pub message: String,
    /// The body, if it is more than a text.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub body: serde_json::Value,
    /// The event's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event_name: String,
    /// Its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Its span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// Its attributes.
    pub attributes: serde_json::Value,
    /// Its resource's attributes.
    pub resource: serde_json::Value,
}

impl LogLine {
    /// Whether its level is ERROR or FATAL, as `signal`'s `LogRecord::is_error` has it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self.severity.as_str(), "ERROR" | "FATAL")
    }
}

const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// The lines that match.
///
/// # Errors
/// The store cannot be read, or the level does not exist.
pub fn logs(store: &Store, query: &LogQuery) -> Result<Vec<LogLine>, Error> {
    let mut filters = Vec::new();
    filters.extend(query.service.as_ref().map(|service| text_equals("service", service)));
    if let Some(level) = &query.level_min {
        let least = LEVELS.iter().position(|l| l.eq_ignore_ascii_case(level)).ok_or_else(|| Error::NoLevel(level.clone()))?;
        filters.push(Filter::AnyOf(LEVELS.iter().skip(least).map(|l| text_equals("severity", l)).collect()));
    }
    filters.extend(query.text.as_ref().map(|text| Filter::Contains("body".to_owned(), text.clone())));
    filters.extend(
        query.trace.as_ref().map(|id| signal::TraceId::of_hex(id).map_or_else(|| Filter::TraceIdPrefix(id.clone()), Filter::TraceId)),
    );
    filters.extend(query.attributes.iter().map(Attribute::filter));
    let order = match query.order {
        LogOrder::Newest => Order::Newest,
        LogOrder::Oldest => Order::Oldest,
    };
    let scan = Scan { from: query.times.from, to: query.times.to, filters, order, limit: query.limit, ..Scan::of(Table::Logs) };
    lines(store, &scan)
}

pub(crate) fn lines(store: &Store, scan: &Scan) -> Result<Vec<LogLine>, Error> {
    let mut lines = Vec::new();
    for batch in store.scan(scan)? {
        read(&batch?, &mut lines);
    }
    Ok(lines)
}

fn read(batch: &RecordBatch, lines: &mut Vec<LogLine>) {
    let text = |name: &str| Texts::of(batch, name);
    let (time, severity, severity_text, service) =
        (Ints::of(batch, "time_unix_nano"), text("severity"), text("severity_text"), text("service"));
    let (body, body_type, event_name) = (text("body"), text("body_type"), text("event_name"));
    let (trace, span, attributes, resource) = (text("trace_id"), text("span_id"), text("attributes"), text("resource"));
    let owned = |texts: &Texts<'_>, row: usize| texts.get(row).unwrap_or_default().to_owned();
    for row in 0..batch.num_rows() {
        let structured = if body_type.get(row).is_some() { json(body.get(row)) } else { serde_json::Value::Null };
        let message = ["message", "msg"].iter().find_map(|key| structured.get(key)?.as_str());
        lines.push(LogLine {
            time: When(time.time(row)),
            severity: owned(&severity, row),
            severity_text: owned(&severity_text, row),
            service: owned(&service, row),
            message: message.map_or_else(|| owned(&body, row), str::to_owned),
            body: structured,
            event_name: owned(&event_name, row),
            trace_id: trace.get(row).map(str::to_owned),
            span_id: span.get(row).map(str::to_owned),
            attributes: object(attributes.get(row)),
            resource: object(resource.get(row)),
        });
    }
}
