//! What is learned of a trace record by record, so that nothing has to be read again when it closes.

use signal::{ClosedBy, Facts, FirstError, Item, Record, Root, SpanId, Time, view::LogRecord, view::Resource, view::Span, view::Status};
use std::{collections::HashSet, sync::Arc};

/// Bytes of a first error's message.
const MESSAGE_BYTES_MAX: usize = 256;
/// Services remembered of one trace.
const SERVICES_MAX: usize = 256;
/// The severity number from which a log is an error.
const ERROR: u8 = 17;

/// The facts of a trace in the making.
#[derive(Default)]
pub(super) struct Learning {
    start: Option<u64>,
    end: u64,
    pub(super) span_count: u32,
    pub(super) log_count: u32,
    error_span_count: u32,
    error_log_count: u32,
    services: Vec<Arc<str>>,
    root: Option<Root>,
    first_error: Option<(u64, FirstError)>,
    seen: HashSet<SpanId>,
    missing: HashSet<SpanId>,
    pub(super) complete_since: Option<Time>,
}

impl Learning {
    pub(super) fn learn(&mut self, record: &Record<'_>, now: Time) {
        self.service(record.resource.service());
        match &record.item {
            Item::Span(span) => self.span(span, &record.resource, now),
            Item::Log(log) => self.log(log, &record.resource),
            Item::Point(..) => {}
        }
    }

    fn service(&mut self, service: &str) {
        if !service.is_empty() && self.services.len() < SERVICES_MAX && !self.services.iter().any(|s| **s == *service) {
            self.services.push(service.into());
        }
    }

    fn span(&mut self, span: &Span<'_>, resource: &Resource<'_>, now: Time) {
        self.span_count = self.span_count.saturating_add(1);
        self.start = Some(self.start.map_or(span.start(), |start| start.min(span.start())));
        self.end = self.end.max(span.end());
        self.missing.remove(&span.span_id());
        self.seen.insert(span.span_id());
        match span.parent_span_id() {
            Some(parent) if !self.seen.contains(&parent) => {
                self.missing.insert(parent);
            }
            Some(_) => {}
            None => self.root = Some(root_of(span, resource)),
        }
        if span.status() == Status::Error {
            self.error_span_count = self.error_span_count.saturating_add(1);
            // The innermost failure ends first, so the earliest end is where it began.
            let message = Some(span.status_message()).filter(|m| !m.is_empty());
            self.error(span.end(), resource.service(), span.name(), message);
        }
        let complete = self.root.is_some() && self.missing.is_empty();
        self.complete_since = if complete { Some(self.complete_since.unwrap_or(now)) } else { None };
    }

    fn log(&mut self, log: &LogRecord<'_>, resource: &Resource<'_>) {
        self.log_count = self.log_count.saturating_add(1);
        if self.span_count == 0 {
            self.start = Some(self.start.map_or(log.time(), |start| start.min(log.time())));
            self.end = self.end.max(log.time());
        }
        if log.severity_number() >= ERROR || matches!(log.severity(), "ERROR" | "FATAL") {
            self.error_log_count = self.error_log_count.saturating_add(1);
            self.error(log.time(), resource.service(), "", log.message());
        }
    }

    fn error(&mut self, at: u64, service: &str, span: &str, message: Option<&str>) {
        if self.first_error.as_ref().is_none_or(|(earliest, _)| at < *earliest) {
            let cut = |text: &str| text.get(..text.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or_default().to_owned();
            self.first_error = Some((at, FirstError { service: cut(service), span: cut(span), message: message.map(cut) }));
        }
    }

    pub(super) fn facts(self, first: Time, last: Time, closed_by: ClosedBy) -> Facts {
        Facts {
            first_arrival: first,
            last_arrival: last,
            start: Time(self.start.unwrap_or(0)),
            end: Time(self.end),
            span_count: self.span_count,
            log_count: self.log_count,
            error_span_count: self.error_span_count,
            error_log_count: self.error_log_count,
            services: self.services,
            root: self.root,
            first_error: self.first_error.map(|(_, error)| error),
            closed_by,
        }
    }
}

fn root_of(span: &Span<'_>, resource: &Resource<'_>) -> Root {
    Root {
        service: resource.service().to_owned(),
        name: span.name().to_owned(),
        kind: span.kind().word().to_owned(),
        status: span.status().word().to_owned(),
        duration_ms: span.duration_ms(),
        span_id: span.span_id(),
    }
}
