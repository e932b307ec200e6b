//! Who is asked: a record or a closed trace, and how each leaf of the table is read from it. What a kind does not have is missing.

use crate::{
    fields::Leaf,
    operand::{Elements, Hex, Operand},
};
use signal::{
    Facts, Item, Kinds, Record, Trace,
    view::{Any, Attributes, LogRecord, Metric, Number, Point, Span, Status, Temporality},
};

/// A record or a closed trace.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'p, 'a> {
    /// A span, a log record or a metric point.
    Record(&'p Record<'a>),
    /// A closed trace.
    Trace(&'a Trace),
}

impl<'a> Subject<'_, 'a> {
    /// Its kind.
    pub(crate) fn kind(&self) -> Kinds {
        match self {
            Subject::Record(record) => Kinds::of(record.signal()),
            Subject::Trace(_) => Kinds::TRACES,
        }
    }

    /// Reads one leaf.
    pub(crate) fn read(&self, leaf: Leaf) -> Operand<'a> {
        match self {
            Subject::Record(record) => of_record(record, leaf),
            Subject::Trace(trace) => of_trace(trace, leaf),
        }
    }
}

fn of_record<'a>(record: &Record<'a>, leaf: Leaf) -> Operand<'a> {
    match leaf {
        Leaf::Service => Operand::text(record.resource.service()),
        Leaf::ScopeName => Operand::text(record.scope.name()),
        Leaf::ScopeVersion => Operand::text(record.scope.version()),
        Leaf::Resource => Operand::Map(record.resource.attributes()),
        Leaf::Attributes => Operand::Map(record.attributes()),
        Leaf::HttpRoute => route(record.attributes()),
        Leaf::HttpStatus => status(record.attributes()),
        _ => match &record.item {
            Item::Span(span) => of_span(span, leaf),
            Item::Log(log) => of_log(log, leaf),
            Item::Point(metric, point) => of_point(metric, point, leaf),
        },
    }
}

fn of_span<'a>(span: &Span<'a>, leaf: Leaf) -> Operand<'a> {
    match leaf {
        Leaf::Name => Operand::text(span.name()),
        Leaf::TraceId => Operand::Id(Hex::of(&span.trace_id().0)),
        Leaf::SpanId => Operand::Id(Hex::of(&span.span_id().0)),
        Leaf::ParentSpanId => Operand::or_missing(span.parent_span_id().map(|id| Operand::Id(Hex::of(&id.0)))),
        Leaf::IsRoot => Operand::Bool(span.parent_span_id().is_none()),
        Leaf::TraceState => Operand::text(span.trace_state()),
        Leaf::Sampled => Operand::Bool(span.flags() & 1 == 1),
        Leaf::Kind => Operand::text(span.kind().word()),
        Leaf::Status => Operand::text(span.status().word()),
        Leaf::StatusMessage => Operand::text(span.status_message()),
        Leaf::Error => Operand::Bool(span.status() == Status::Error),
        Leaf::StartTime => Operand::Time(span.start()),
        Leaf::EndTime => Operand::Time(span.end()),
        Leaf::DurationMs => Operand::Float(span.duration_ms()),
        Leaf::Events => Operand::List(Elements::Counted(span.events().count())),
        Leaf::Links => Operand::List(Elements::Counted(span.links().count())),
        _ => Operand::Missing,
    }
}

fn of_log<'a>(log: &LogRecord<'a>, leaf: Leaf) -> Operand<'a> {
    match leaf {
        Leaf::TraceId => Operand::or_missing(log.trace_id().map(|id| Operand::Id(Hex::of(&id.0)))),
        Leaf::SpanId => Operand::or_missing(log.span_id().map(|id| Operand::Id(Hex::of(&id.0)))),
        Leaf::Sampled => Operand::or_missing(log.trace_id().map(|_| Operand::Bool(log.flags() & 1 == 1))),
        Leaf::Error => Operand::Bool(log.is_error()),
        Leaf::Time => Operand::Time(log.time()),
        Leaf::Severity => Operand::text(log.severity()),
        Leaf::SeverityNumber => Operand::Int(log.severity_number().into()),
        Leaf::SeverityText => Operand::text(log.severity_text()),
        Leaf::Body => Operand::or_missing(log.body().map(Operand::of_any)),
        Leaf::Message => Operand::or_missing(log.message().map(Operand::text)),
        Leaf::EventName => Operand::text(log.event_name()),
        _ => Operand::Missing,
    }
}

fn of_point<'a>(metric: &Metric<'a>, point: &Point<'a>, leaf: Leaf) -> Operand<'a> {
    let float = |number: Option<f64>| Operand::or_missing(number.map(Operand::Float));
    match leaf {
        Leaf::Name => Operand::text(metric.name()),
        Leaf::Unit => Operand::text(metric.unit()),
        Leaf::Type => Operand::text(metric.kind().word()),
        Leaf::Temporality => Operand::or_missing(metric.temporality().map(|t| Operand::text(temporality(t)))),
        Leaf::Monotonic => Operand::or_missing(metric.monotonic().map(Operand::Bool)),
        Leaf::StartTime => Operand::or_missing(Some(point.start_time()).filter(|t| *t > 0).map(Operand::Time)),
        Leaf::Time => Operand::Time(point.time()),
        Leaf::Value => match point.value() {
            Some(Number::Int(number)) => Operand::Int(number),
            Some(Number::Double(number)) => Operand::Float(number),
            None => Operand::Missing,
        },
        Leaf::Count => Operand::or_missing(point.count().map(|n| Operand::Int(i64::try_from(n).unwrap_or(i64::MAX)))),
        Leaf::Sum => float(point.sum()),
        Leaf::Min => float(point.min()),
        Leaf::Max => float(point.max()),
        _ => Operand::Missing,
    }
}

fn temporality(of: Temporality) -> &'static str {
    match of {
        Temporality::Unspecified => "unspecified",
        Temporality::Delta => "delta",
        Temporality::Cumulative => "cumulative",
    }
}

fn of_trace(trace: &Trace, leaf: Leaf) -> Operand<'_> {
    let facts: &Facts = &trace.facts;
    match leaf {
        Leaf::TraceId => Operand::Id(Hex::of(&trace.id.0)),
        Leaf::Error => Operand::Bool(facts.error()),
        Leaf::StartTime => Operand::Time(facts.start.0),
        Leaf::EndTime => Operand::Time(facts.end.0),
        Leaf::DurationMs => Operand::Float(facts.duration_ms()),
        Leaf::SpanCount => Operand::Int(facts.span_count.into()),
        Leaf::LogCount => Operand::Int(facts.log_count.into()),
        Leaf::ErrorSpanCount => Operand::Int(facts.error_span_count.into()),
        Leaf::ErrorLogCount => Operand::Int(facts.error_log_count.into()),
        Leaf::Services => Operand::List(Elements::Names(&facts.services)),
        Leaf::ClosedBy => Operand::text(facts.closed_by.word()),
        Leaf::FirstError | Leaf::FirstErrorService | Leaf::FirstErrorSpan | Leaf::FirstErrorMessage => of_first_error(facts, leaf),
        Leaf::TraceState => Operand::text(first_span(trace).map_or("", |span| span.trace_state())),
        Leaf::RootAttributes => Operand::or_missing(root_attributes(trace).map(Operand::Map)),
        Leaf::HttpRoute => root_attributes(trace).map_or(Operand::Missing, route),
        Leaf::HttpStatus => root_attributes(trace).map_or(Operand::Missing, status),
        _ => of_root(facts, leaf),
    }
}

fn of_root(facts: &Facts, leaf: Leaf) -> Operand<'_> {
    let Some(root) = &facts.root else { return Operand::Missing };
    match leaf {
        Leaf::Root => Operand::Parts,
        Leaf::RootService => Operand::text(&root.service),
        Leaf::RootName => Operand::text(&root.name),
        Leaf::RootKind => Operand::text(root.kind.word()),
        Leaf::RootStatus => Operand::text(root.status.word()),
        Leaf::RootDurationMs => Operand::Float(root.duration_ms),
        _ => Operand::Missing,
    }
}

fn of_first_error(facts: &Facts, leaf: Leaf) -> Operand<'_> {
    let Some(first) = &facts.first_error else { return Operand::Missing };
    match leaf {
        Leaf::FirstError => Operand::Parts,
        Leaf::FirstErrorService => Operand::text(&first.service),
        Leaf::FirstErrorSpan => Operand::text(&first.span),
        Leaf::FirstErrorMessage => Operand::or_missing(first.message.as_deref().map(Operand::text)),
        _ => Operand::Missing,
    }
}

/// The root span, which lies among the trace's spans.
fn root_span(trace: &Trace) -> Option<Span<'_>> {
    let id = trace.facts.root.as_ref()?.span_id;
    spans(trace).find(|span| span.span_id() == id)
}

/// The root span, or else the first that arrived.
fn first_span(trace: &Trace) -> Option<Span<'_>> {
    root_span(trace).or_else(|| spans(trace).next())
}

fn spans(trace: &Trace) -> impl Iterator<Item = Span<'_>> {
    trace.spans.records().filter_map(|record| match record.item {
        Item::Span(span) => Some(span),
        _ => None,
    })
}

fn root_attributes(trace: &Trace) -> Option<Attributes<'_>> {
    root_span(trace).map(|span| span.attributes())
}

fn route(attributes: Attributes<'_>) -> Operand<'_> {
    Operand::or_missing(attributes.get("http.route").and_then(|v| v.text()).map(Operand::text))
}

fn status(attributes: Attributes<'_>) -> Operand<'_> {
    let found = attributes.get("http.response.status_code").or_else(|| attributes.get("http.status_code"));
    match found {
        Some(Any::Int(code)) => Operand::Int(code),
        Some(Any::Text(code)) => Operand::or_missing(code.parse().ok().map(Operand::Int)),
        _ => Operand::Missing,
    }
}
