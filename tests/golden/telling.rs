//! Records told in the notation of `in` blocks, and what became of those that did not arrive.

use alert::state::Transition;
use pipeline::Snapshot;
use signal::{Batch, Flow, Item, Part, Record, Signal, Trace, view::Number, view::SpanKind, view::Status};
use std::collections::BTreeMap;

/// A flow as lines: a closed trace begins with a line of its own.
pub(crate) fn lines(flow: &Flow) -> Vec<String> {
    match flow {
        Flow::Batch(batch) => batch_lines(batch),
        Flow::Traces(traces) => {
            traces.iter().flat_map(|trace| [vec![head(trace)], batch_lines(&trace.spans), batch_lines(&trace.logs)].concat()).collect()
        }
    }
}

fn head(trace: &Trace) -> String {
    let part = match trace.part {
        Part::Whole => "",
        Part::Early => "early part of ",
        Part::Late => "late part of ",
    };
    let decided = trace.decision.as_ref().map_or_else(String::new, |decision| format!(", kept by `{}`", decision.rule));
    let error = if trace.facts.error() { ", error" } else { "" };
    let closed = if trace.part == Part::Late { String::new() } else { format!(", closed by {}", trace.facts.closed_by.word()) };
    format!("{part}trace {}{closed}{error}{decided}", short(&trace.id.to_string()))
}

fn batch_lines(batch: &Batch) -> Vec<String> {
    batch.records().map(|record| line(&record)).collect()
}

fn line(record: &Record<'_>) -> String {
    let service = record.resource.service();
    let mut words = match record.item {
        Item::Span(span) => {
            let parent = span.parent_span_id().map_or_else(String::new, |id| format!("/{}", short(&id.to_string())));
            let ids = format!("span {} {}{parent}", short(&span.trace_id().to_string()), short(&span.span_id().to_string()));
            let mut words = vec![ids, service.to_owned(), format!("{:?}", span.name())];
            let length = std::time::Duration::from_nanos(span.end().saturating_sub(span.start()));
            words.extend((!length.is_zero()).then(|| config::Period(length).to_string()));
            words.extend((span.kind() != SpanKind::Unspecified).then(|| span.kind().word().to_owned()));
            words.extend((span.status() != Status::Unset).then(|| span.status().word().to_owned()));
            words.extend((!span.status_message().is_empty()).then(|| format!("{:?}", span.status_message())));
            words.extend((!span.trace_state().is_empty()).then(|| format!("tracestate={}", span.trace_state())));
            words.extend(span.events().map(|event| format!("event={}", quoted(event.name()))));
            words
        }
        Item::Log(log) => {
            let span = log.span_id().map_or_else(String::new, |id| format!("/{}", short(&id.to_string())));
            let ids = log.trace_id().map_or_else(|| "-".to_owned(), |id| short(&id.to_string()));
            let body = log.body().map_or_else(String::new, |body| body.display());
            let level = if log.severity().is_empty() { "-".to_owned() } else { log.severity().to_lowercase() };
            vec![format!("log {ids}{span}"), service.to_owned(), level, format!("{body:?}")]
        }
        Item::Point(metric, point) => {
            let value = match point.value() {
                Some(Number::Int(value)) => value.to_string(),
                Some(Number::Double(value)) => value.to_string(),
                None => "-".to_owned(),
            };
            let mut words = vec!["point".to_owned()];
            words.extend((!service.is_empty()).then(|| service.to_owned()));
            words.push(metric.name().to_owned());
            match point.count() {
                None => words.push(value),
                Some(count) => words.extend([format!("count={count}"), format!("sum={}", point.sum().unwrap_or_default())]),
            }
            let named = point.exemplars().filter_map(|one| Some((one.trace_id()?, one.span_id()?)));
            words.extend(named.map(|(trace, span)| format!("exemplar={}/{}", short(&trace.to_string()), short(&span.to_string()))));
            words
        }
    };
    words.extend(record.attributes().iter().map(|(key, value)| format!("{key}={}", quoted(&value.display()))));
    let resource = record.resource.attributes();
    words.extend(
        resource.iter().filter(|(key, _)| *key != "service.name").map(|(key, v)| format!("resource.{key}={}", quoted(&v.display()))),
    );
    words.join(" ")
}

fn quoted(value: &str) -> String {
    if value.is_empty() || value.contains([' ', '"']) { format!("{value:?}") } else { value.to_owned() }
}

/// The shortest digits of which an id is the repetition, if they are few.
fn short(id: &str) -> String {
    let repeats = |n: &usize| id.chars().eq(id.chars().take(*n).cycle().take(id.len()));
    let digits = (1..=4).find(repeats).unwrap_or(id.len());
    id[..digits].to_owned()
}

/// A transition of an alert; who fires says what receivers are told.
pub(crate) fn alert(alert: &alert::Alert) -> Vec<String> {
    let labels: String =
        alert.labels.iter().filter(|(key, _)| *key != "alertname").map(|(key, v)| format!(" {key}={}", quoted(v))).collect();
    let word = format!("{:?}", alert.transition).to_lowercase();
    let mut lines = vec![format!("{word} {}{labels}", alert.name)];
    if alert.transition == Transition::Firing {
        for (key, text) in &alert.annotations {
            let text = if key == "trace_id" { short(text) } else { text.replace('\n', "; ") };
            lines.push(format!("  {key}: {text}"));
        }
    }
    lines
}

/// Every count of the ledger that is no in or out: `kept: discarded 2 spans (filtered)`.
pub(crate) fn ledger(ledger: &Snapshot) -> Vec<String> {
    let mut told = Vec::new();
    for node in &ledger.nodes {
        for (signal, counts) in &node.signals {
            let mut tell = |fate: &str, whys: &BTreeMap<String, u64>| {
                told.extend(whys.iter().map(|(why, n)| format!("{}: {fate} {} ({why})", node.name, records(*signal, *n))));
            };
            tell("discarded", &counts.discarded);
            tell("rejected", &counts.rejected);
            tell("lost", &counts.lost);
            if counts.made > 0 {
                told.push(format!("{}: made {}", node.name, records(*signal, counts.made)));
            }
        }
    }
    told
}

fn records(signal: Signal, n: u64) -> String {
    let noun = match signal {
        Signal::Traces => "span",
        Signal::Logs => "log",
        Signal::Metrics => "point",
    };
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
