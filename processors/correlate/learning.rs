//! What is learned of a trace record by record, so that nothing has to be read again when it closes.

use super::span_ids::SpanIds;
use signal::{
    Batch, ClosedBy, Facts, FirstError, Item, Record, Root, SpanId, Time, ids, text, view::LogRecord, view::Resource, view::Span,
    view::Status,
};
use std::sync::Arc;

/// Bytes of a first error's message.
const MESSAGE_BYTES_MAX: usize = 256;
/// Services remembered of one trace.
const SERVICES_MAX: usize = 256;

/// The facts of a trace in the making.
#[derive(Default)]
pub(super) struct Learning {
    spans: Range,
    logs: Range,
    pub(super) span_count: u32,
    pub(super) log_count: u32,
    error_span_count: u32,
    error_log_count: u32,
    services: Vec<Arc<str>>,
    root: Option<Root>,
    first_error: Option<(u64, FirstError)>,
    /// The span of the log that is the first error; its name may not be known yet.
    first_error_span: Option<SpanId>,
    seen: SpanIds,
    missing: SpanIds,
    pub(super) complete_since: Option<Time>,
}

/// From the earliest to the latest of some times.
#[derive(Default)]
struct Range {
    start: Option<u64>,
    end: u64,
}

impl Range {
    fn cover(&mut self, start: u64, end: u64) {
        self.start = Some(self.start.map_or(start, |earliest| earliest.min(start)));
        self.end = self.end.max(end);
    }
}

impl Learning {
    /// `service` is that of the record's resource.
    pub(super) fn learn(&mut self, record: &Record<'_>, service: &Arc<str>, now: Time) {
        self.service(service);
        match &record.item {
            Item::Span(span) => self.span(span, &record.resource, now),
            Item::Log(log) => self.log(log, &record.resource, now),
            Item::Point(..) => {}
        }
    }

    fn service(&mut self, service: &Arc<str>) {
        if !service.is_empty()
            && self.services.len() < SERVICES_MAX
            && !self.services.iter().any(|s| Arc::ptr_eq(s, service) || s == service)
        {
            self.services.push(Arc::clone(service));
        }
    }

    fn span(&mut self, span: &Span<'_>, resource: &Resource<'_>, now: Time) {
        self.span_count = self.span_count.saturating_add(1);
        self.spans.cover(span.start(), span.end());
        self.missing.remove(&span.span_id());
        self.seen.insert(span.span_id());
        match span.parent_span_id() {
            Some(parent) if !self.seen.contains(&parent) => self.missing.insert(parent),
            Some(_) => {}
            None => self.root = Some(root_of(span, resource)),
        }
        if span.status() == Status::Error {
            self.error_span_count = self.error_span_count.saturating_add(1);
            // The innermost failure ends first, so the earliest end is where it began.
            let message = Some(span.status_message()).filter(|m| !m.is_empty());
            if self.error(span.end(), resource.service(), span.name(), message) {
                self.first_error_span = None;
            }
        }
        let complete = self.root.is_some() && self.missing.is_empty();
        self.complete_since = if complete { Some(self.complete_since.unwrap_or(now)) } else { None };
    }

    fn log(&mut self, log: &LogRecord<'_>, resource: &Resource<'_>, now: Time) {
        self.log_count = self.log_count.saturating_add(1);
        // A log that says no time at all happened when it arrived.
        let time = if log.time() == 0 { now.0 } else { log.time() };
        self.logs.cover(time, time);
        if log.is_error() {
            self.error_log_count = self.error_log_count.saturating_add(1);
            if self.error(time, resource.service(), "", log.message()) {
                self.first_error_span = ids::find(log).and_then(|found| found.span);
            }
        }
    }

    /// Whether this is the earliest error so far.
    fn error(&mut self, at: u64, service: &str, span: &str, message: Option<&str>) -> bool {
        let first = self.first_error.as_ref().is_none_or(|(earliest, _)| at < *earliest);
        if first {
            let cut = |text: &str| text::head(text, MESSAGE_BYTES_MAX).to_owned();
            self.first_error = Some((at, FirstError { service: cut(service), span: cut(span), message: message.map(cut) }));
        }
        first
    }

    /// The facts of the trace whose spans are `spans`.
    pub(super) fn facts(mut self, first: Time, last: Time, closed_by: ClosedBy, spans: &Batch) -> Facts {
        if let (Some(of), Some((_, error))) = (self.first_error_span, &mut self.first_error) {
            let named = |record: Record<'_>| match record.item {
                Item::Span(span) if span.span_id() == of => Some(span.name().to_owned()),
                _ => None,
            };
            error.span = spans.records().find_map(named).unwrap_or_default();
        }
        let range = if self.span_count > 0 { &self.spans } else { &self.logs };
        Facts {
            first_arrival: first,
            last_arrival: last,
            start: Time(range.start.unwrap_or(0)),
            end: Time(range.end),
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
