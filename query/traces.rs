//! The list of traces, one line each: from the summaries of closed traces, or from spans where nothing closed them.

use crate::{
    Attribute, Error, Times, When,
    filter::text_equals,
    spans::{self, SpanRow},
};
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use store::{Filter, Ints, Order, Scalar, Scan, Store, Table, Texts, column::flag};

/// Summaries looked at, at the most, where the answer is chosen from them by their spans.
const LOOKED_AT_MAX: usize = 10_000;

/// Which traces.
#[derive(Clone, Debug)]
pub struct TraceQuery {
    /// When they started.
    pub times: Times,
    /// That this service took part in.
    pub service: Option<String>,
    /// How they ended.
    pub outcome: Option<Outcome>,
    /// With this in the root's name, or in the first error's span or message.
    pub text: Option<String>,
    /// At least this long.
    pub duration_min: Option<Duration>,
    /// At most this long.
    pub duration_max: Option<Duration>,
    /// With a span that has all of these.
    pub attributes: Vec<Attribute>,
    /// Traces at the most, newest first.
    pub limit: usize,
}

impl Default for TraceQuery {
    fn default() -> TraceQuery {
        TraceQuery {
            times: Times::default(),
            service: None,
            outcome: None,
            text: None,
            duration_min: None,
            duration_max: None,
            attributes: Vec::new(),
            limit: 20,
        }
    }
}

/// How a trace ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No span and no log reported an error.
    Ok,
    /// One did.
    Error,
}

/// A trace in one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct TraceSummary {
    /// 32 hex digits.
    pub trace_id: String,
    /// Its first start.
    pub start: When,
    /// Last end minus first start.
    pub duration_ms: f64,
    /// How it ended.
    pub status: Outcome,
    /// The service of its root span; none if that was not seen.
    pub root_service: Option<String>,
    /// The name of its root span.
    pub root_name: Option<String>,
    /// Every service in it.
    pub services: Vec<String>,
    /// Spans.
    pub span_count: u64,
    /// Log records.
    pub log_count: u64,
    /// Spans that failed.
    pub error_span_count: u64,
    /// Log records of level ERROR and above.
    pub error_log_count: u64,
    /// What went wrong first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<ErrorSeen>,
    /// What closed it; none for a trace that nothing closed (no `correlate` before the store).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<String>,
    /// The sampling rule that kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The share of such traces that the rule keeps, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_share: Option<f64>,
    /// Whether an alert asked that it be kept.
    #[serde(default)]
    pub pinned: bool,
    /// Records that came after the trace was closed; they are in the counts.
    #[serde(default)]
    pub late_count: u64,
}

/// The first thing that went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct ErrorSeen {
    /// Where.
    pub service: String,
    /// In which span.
    pub span: String,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The traces that match, newest first.
///
/// # Errors
/// The store cannot be read.
pub fn traces(store: &Store, query: &TraceQuery) -> Result<Vec<TraceSummary>, Error> {
    let within = Scan { from: query.times.from, to: query.times.to, order: Order::Newest, ..Scan::of(Table::Traces) };
    let any = Scan { limit: 1, order: Order::Any, columns: Some(vec!["trace_id".to_owned()]), ..within.clone() };
    if store.scan(&any)?.next().transpose()?.is_none() {
        return from_spans(store, query);
    }
    // Parts of one trace are rows of their own, so more rows than traces may be needed.
    let limit = if query.attributes.is_empty() { query.limit.saturating_mul(2) } else { LOOKED_AT_MAX.max(query.limit) };
    let mut found = read_all(store, &Scan { filters: filters(query), limit, ..within })?;
    if !query.attributes.is_empty() {
        let filters = query.attributes.iter().map(Attribute::filter).collect();
        let spans = Scan { filters, columns: Some(vec!["trace_id".to_owned()]), ..Scan::of(Table::Spans) };
        let mut ids = HashSet::new();
        for batch in store.scan(&spans)? {
            let batch = batch?;
            let column = Texts::of(&batch, "trace_id");
            ids.extend((0..batch.num_rows()).filter_map(|row| column.get(row)).map(str::to_owned));
        }
        found.retain(|summary| ids.contains(&summary.trace_id));
    }
    found.truncate(query.limit);
    Ok(found)
}

fn filters(query: &TraceQuery) -> Vec<Filter> {
    let mut filters = Vec::new();
    let contains = |column: &str, text: &str| Filter::Contains(column.to_owned(), text.to_owned());
    // `services` is a JSON list, in which a whole name stands between quotes.
    filters.extend(query.service.as_ref().map(|service| contains("services", &serde_json::Value::from(service.as_str()).to_string())));
    filters.extend(query.outcome.map(|o| Filter::Equals("error".to_owned(), Scalar::Flag(o == Outcome::Error))));
    filters.extend(
        query
            .text
            .as_ref()
            .map(|text| Filter::AnyOf(["root_name", "first_error_span", "first_error_message"].map(|c| contains(c, text)).to_vec())),
    );
    let nanos = |d: Duration| Scalar::Int(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
    filters.extend(query.duration_min.map(|d| Filter::AtLeast("duration_nano".to_owned(), nanos(d))));
    filters.extend(query.duration_max.map(|d| Filter::AtMost("duration_nano".to_owned(), nanos(d))));
    filters
}

/// Summaries in the order of the scan; the parts of a trace as one.
pub(crate) fn read_all(store: &Store, scan: &Scan) -> Result<Vec<TraceSummary>, Error> {
    let mut found: Vec<TraceSummary> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for batch in store.scan(scan)? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let summary = read(&batch, row);
            match places.get(&summary.trace_id) {
                Some(at) => found[*at].absorb(summary),
                None => {
                    places.insert(summary.trace_id.clone(), found.len());
                    found.push(summary);
                }
            }
        }
    }
    Ok(found)
}

fn read(batch: &RecordBatch, row: usize) -> TraceSummary {
    let text = |name: &str| Texts::of(batch, name).get(row).map(str::to_owned);
    let count = |name: &str| Ints::of(batch, name).get(row).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let late = text("part").as_deref() == Some("late");
    let first_error = text("first_error_service").map(|service| ErrorSeen {
        service,
        span: text("first_error_span").unwrap_or_default(),
        message: text("first_error_message"),
    });
    let duration = Ints::of(batch, "duration_nano").get(row).unwrap_or(0);
    TraceSummary {
        trace_id: text("trace_id").unwrap_or_default(),
        start: When(Ints::of(batch, "start_time_unix_nano").time(row)),
        duration_ms: duration.max(0) as f64 / 1e6,
        status: if flag(batch, "error", row) == Some(true) { Outcome::Error } else { Outcome::Ok },
        root_service: text("root_service"),
        root_name: text("root_name"),
        services: text("services").and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
        span_count: count("span_count"),
        log_count: count("log_count"),
        error_span_count: count("error_span_count"),
        error_log_count: count("error_log_count"),
        first_error,
        closed_by: text("closed_by"),
        rule: text("rule"),
        kept_share: Ints::of(batch, "threshold").get(row).map(|t| 1.0 - t as f64 / (1_u64 << 56) as f64),
        pinned: flag(batch, "pinned", row) == Some(true),
        late_count: if late { count("span_count") + count("log_count") } else { 0 },
    }
}

impl TraceSummary {
    /// Takes in another part of the same trace.
    fn absorb(&mut self, other: TraceSummary) {
        let last = self.start.plus_ms(self.duration_ms).max(other.start.plus_ms(other.duration_ms));
        if other.late_count == 0 {
            // The part that was closed says what the trace is.
            (self.closed_by, self.rule, self.kept_share) = (other.closed_by, other.rule, other.kept_share);
        }
        self.start = self.start.min(other.start);
        self.duration_ms = last.saturating_sub(self.start.0) as f64 / 1e6;
        if other.status == Outcome::Error {
            self.status = Outcome::Error;
        }
        self.root_service = self.root_service.take().or(other.root_service);
        self.root_name = self.root_name.take().or(other.root_name);
        let new = other.services.into_iter().filter(|s| !self.services.contains(s)).collect::<Vec<_>>();
        self.services.extend(new);
        self.span_count += other.span_count;
        self.log_count += other.log_count;
        self.error_span_count += other.error_span_count;
        self.error_log_count += other.error_log_count;
        self.first_error = self.first_error.take().or(other.first_error);
        self.pinned |= other.pinned;
        self.late_count += other.late_count;
    }

    /// What spans alone tell of their trace.
    pub(crate) fn of_spans(trace_id: &str, spans: &[SpanRow]) -> TraceSummary {
        let start = spans.iter().map(|s| s.start).min().unwrap_or_default();
        let end = spans.iter().map(SpanRow::end).max().unwrap_or(0);
        let root = spans.iter().find(|s| s.parent_span_id.is_none());
        let failed = spans.iter().filter(|s| s.status == "error");
        let first = failed.clone().min_by_key(|s| s.start);
        let mut services: Vec<String> = Vec::new();
        for span in spans.iter().filter(|s| !s.service.is_empty()) {
            if !services.contains(&span.service) {
                services.push(span.service.clone());
            }
        }
        TraceSummary {
            trace_id: trace_id.to_owned(),
            start,
            duration_ms: end.saturating_sub(start.0) as f64 / 1e6,
            status: if first.is_some() { Outcome::Error } else { Outcome::Ok },
            root_service: root.map(|r| r.service.clone()),
            root_name: root.map(|r| r.name.clone()),
            services,
            span_count: spans.len() as u64,
            log_count: 0,
            error_span_count: failed.count() as u64,
            error_log_count: 0,
            first_error: first.map(|s| ErrorSeen { service: s.service.clone(), span: s.name.clone(), message: s.message() }),
            closed_by: None,
            rule: None,
            kept_share: None,
            pinned: false,
            late_count: 0,
        }
    }

    fn matches(&self, query: &TraceQuery) -> bool {
        let text = |text: &String| {
            let error = self.first_error.as_ref();
            let all = [self.root_name.as_deref(), error.map(|e| e.span.as_str()), error.and_then(|e| e.message.as_deref())];
            all.into_iter().flatten().any(|t| t.contains(text.as_str()))
        };
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        query.service.as_ref().is_none_or(|s| self.services.contains(s))
            && query.outcome.is_none_or(|o| o == self.status)
            && query.text.as_ref().is_none_or(text)
            && query.duration_min.is_none_or(|d| self.duration_ms >= ms(d))
            && query.duration_max.is_none_or(|d| self.duration_ms <= ms(d))
    }
}

/// Without summaries: the newest spans that match lead to their traces, which are read whole.
fn from_spans(store: &Store, query: &TraceQuery) -> Result<Vec<TraceSummary>, Error> {
    let mut filters: Vec<Filter> = query.attributes.iter().map(Attribute::filter).collect();
    filters.extend(query.service.as_ref().map(|service| text_equals("service", service)));
    if query.outcome == Some(Outcome::Error) {
        filters.push(text_equals("status", "error"));
    }
    let columns = Some(vec!["trace_id".to_owned()]);
    let scan = Scan {
        from: query.times.from,
        to: query.times.to,
        filters,
        columns,
        order: Order::Newest,
        limit: LOOKED_AT_MAX,
        ..Scan::of(Table::Spans)
    };
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    for batch in store.scan(&scan)? {
        let batch = batch?;
        let ids = Texts::of(&batch, "trace_id");
        for id in (0..batch.num_rows()).filter_map(|row| ids.get(row)) {
            if found.len() >= query.limit {
                return Ok(found);
            }
            if seen.insert(id.to_owned())
                && let Some(trace) = signal::TraceId::of_hex(id)
            {
                let summary = TraceSummary::of_spans(id, &spans::of_trace(store, trace)?);
                found.extend(Some(summary).filter(|s| s.matches(query)));
            }
        }
    }
    Ok(found)
}
