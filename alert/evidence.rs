//! What an alert shows of what set it off: the trace id, the failing path through the services, and the log lines on it.

use query::When;
use serde::{Deserialize, Serialize};
use signal::{Item, Record, SpanId, Trace, ids, text::head, view::Status};
use std::{cmp::Reverse, collections::HashMap};

/// Log lines an alert carries.
const LINES_MAX: usize = 5;
/// Bytes of a log line an alert carries, cut at a character.
const LINE_BYTES_MAX: usize = 256;
/// Steps of a path; a trace whose parents form a ring ends here.
const STEPS_MAX: usize = 64;

/// One thing that set an alert off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The trace, in hex, if it has one.
    pub trace_id: Option<String>,
    /// From the root to where it failed, or through the slowest spans: `service: span`.
    pub path: Vec<String>,
    /// The first error, in words.
    pub error: Option<String>,
    /// Log lines, the worst first, then the earliest.
    pub logs: Vec<Line>,
}

/// A log line of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When it happened.
    pub time: When,
    /// Its level; empty if not known.
    pub severity: String,
    /// Who wrote it.
    pub service: String,
    /// What it says.
    pub message: String,
}

impl Evidence {
    /// Of a closed trace.
    #[must_use]
    pub fn of_trace(trace: &Trace) -> Evidence {
        let mut logs: Vec<(u8, Line)> = trace.logs.records().filter_map(|record| line(&record)).collect();
        logs.sort_by(|(a, x), (b, y)| b.cmp(a).then(x.time.cmp(&y.time)));
        Evidence {
            trace_id: Some(trace.id.to_string()),
            path: path(trace),
            error: trace.facts.first_error.as_ref().and_then(|error| error.message.clone()),
            logs: logs.into_iter().take(LINES_MAX).map(|(_, line)| line).collect(),
        }
    }

    /// Of a lone record.
    #[must_use]
    pub fn of_record(record: &Record<'_>) -> Evidence {
        match &record.item {
            Item::Span(span) => Evidence {
                trace_id: Some(span.trace_id().to_string()),
                path: vec![step(record.resource.service(), span.name())],
                error: Some(span.status_message()).filter(|m| !m.is_empty()).map(str::to_owned),
                logs: Vec::new(),
            },
            Item::Log(log) => Evidence {
                trace_id: ids::find(log).map(|found| found.trace.to_string()),
                logs: line(record).into_iter().map(|(_, line)| line).collect(),
                ..Evidence::default()
            },
            Item::Point(metric, _) => Evidence { path: vec![step(record.resource.service(), metric.name())], ..Evidence::default() },
        }
    }
}

fn step(service: &str, name: &str) -> String {
    if service.is_empty() { name.to_owned() } else { format!("{service}: {name}") }
}

fn line(record: &Record<'_>) -> Option<(u8, Line)> {
    let Item::Log(log) = &record.item else { return None };
    let text = log.message().map_or_else(|| log.body().map(|body| body.display()).unwrap_or_default(), said);
    let line = Line {
        time: When(log.time()),
        severity: log.severity().to_owned(),
        service: record.resource.service().to_owned(),
        message: head(&text, LINE_BYTES_MAX).to_owned(),
    };
    let level = ["", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].iter().position(|l| *l == line.severity).unwrap_or(0);
    Some((u8::try_from(level).unwrap_or(0), line))
}

/// What a line says: of JSON that an application logged as text, its message.
fn said(text: &str) -> String {
    let logged: Option<serde_json::Value> = text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
    let message = logged.as_ref().and_then(|logged| ["message", "msg"].iter().find_map(|key| logged.get(key)?.as_str()));
    message.unwrap_or(text).to_owned()
}

struct Step {
    parent: Option<SpanId>,
    said: String,
    end: u64,
    length: u64,
    failed: bool,
}

/// From the root to the span that failed first; where none failed, down the longest child each time.
fn path(trace: &Trace) -> Vec<String> {
    let of_span = |record: Record<'_>| match &record.item {
        Item::Span(span) => {
            let said = step(record.resource.service(), span.name());
            let length = span.end().saturating_sub(span.start());
            let failed = span.status() == Status::Error;
            Some((span.span_id(), Step { parent: span.parent_span_id(), said, end: span.end(), length, failed }))
        }
        _ => None,
    };
    let steps: HashMap<SpanId, Step> = trace.spans.records().filter_map(of_span).collect();
    // Of a call and its caller that end at the same nanosecond, the call failed first.
    let failed = steps.iter().filter(|(_, s)| s.failed).min_by_key(|(id, s)| (s.end, Reverse(depth(&steps, s)), **id)).map(|(id, _)| *id);
    let last = failed.or_else(|| slowest_leaf(&steps));
    let mut path = Vec::new();
    let mut at = last;
    while let Some(step) = at.and_then(|id| steps.get(&id)).filter(|_| path.len() < STEPS_MAX) {
        path.push(step.said.clone());
        at = step.parent;
    }
    path.reverse();
    path
}

/// Steps above this one that were seen.
fn depth(steps: &HashMap<SpanId, Step>, step: &Step) -> usize {
    std::iter::successors(Some(step), |step| steps.get(&step.parent?)).take(STEPS_MAX).count()
}

fn slowest_leaf(steps: &HashMap<SpanId, Step>) -> Option<SpanId> {
    let longest = |parent: Option<SpanId>| {
        let child = |step: &Step| step.parent.filter(|p| steps.contains_key(p)) == parent;
        steps.iter().filter(|(_, s)| child(s)).max_by_key(|(id, s)| (s.length, **id)).map(|(id, _)| *id)
    };
    let mut leaf = longest(None)?;
    for _ in 0..STEPS_MAX {
        match longest(Some(leaf)) {
            Some(child) => leaf = child,
            None => break,
        }
    }
    Some(leaf)
}
