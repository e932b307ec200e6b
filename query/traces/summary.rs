//! A trace in one line: from its row, from several rows, or from its spans.

use super::TraceQuery;
use crate::{When, spans::SpanRow};
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use signal::threshold;
use std::time::Duration;
use store::{Ints, Texts, column::flag};

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
    /// The least R of the traces that it keeps, as `th` in tracestate has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
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

/// The summary in a row of the table.
pub(super) fn read(batch: &RecordBatch, row: usize) -> TraceSummary {
    let text = |name: &str| Texts::of(batch, name).get(row).map(str::to_owned);
    let count = |name: &str| Ints::of(batch, name).get(row).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let late = text("part").as_deref() == Some("late");
    let first_error = text("first_error_service").map(|service| ErrorSeen {
        service,
        span: text("first_error_span").unwrap_or_default(),
        message: text("first_error_message"),
    });
    let threshold = Ints::of(batch, "threshold").get(row).and_then(|t| u64::try_from(t).ok());
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
        kept_share: threshold.map(threshold::share),
        threshold: threshold.filter(|t| *t < signal::Decision::DROP).map(threshold::encode),
        pinned: flag(batch, "pinned", row) == Some(true),
        late_count: if late { count("span_count") + count("log_count") } else { 0 },
    }
}

impl TraceSummary {
    /// Takes in another part of the same trace.
    pub(super) fn absorb(&mut self, other: TraceSummary) {
        let last = self.start.plus_ms(self.duration_ms).max(other.start.plus_ms(other.duration_ms));
        if other.late_count == 0 {
            // The part that was closed says what the trace is.
            (self.closed_by, self.rule) = (other.closed_by, other.rule);
            (self.kept_share, self.threshold) = (other.kept_share, other.threshold);
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
            threshold: None,
            pinned: false,
            late_count: 0,
        }
    }

    /// Whether it is asked for; attributes are not looked at, since spans have them.
    pub(super) fn matches(&self, query: &TraceQuery) -> bool {
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
