//! Makes a closed trace of an open one: its facts, and its records in as few pieces as their identity allows, copied once into one allocation.

use super::{
    closed::Before,
    open::{ERROR, Fate, LOCAL, LOG, Open, ROOT},
    sources::Sources,
    state::State,
};
use signal::{
    Ack, Batch, Chunk, ClosedBy, Facts, FirstError, Ordinals, Part, Root, Segments, Signal, SpanId, Time, Trace,
    segments::{Under, Waiting, requests},
    text,
};
use smallvec::SmallVec;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Bytes of a first error's message.
const MESSAGE_BYTES_MAX: usize = 256;
/// Services remembered of one trace.
const SERVICES_MAX: usize = 256;
/// So many records of a chunk are put in order by looking through them.
const FEW: usize = 48;

/// A closed trace, with what its records are to learn of each other still to come.
pub(super) struct Closed {
    pub(super) trace: Trace,
    pub(super) state: State,
    /// Of its logs, in their order.
    pub(super) logs: Vec<LogNote>,
    /// Its root or, where that was not seen, a span whose parent was not.
    pub(super) root: Option<SpanId>,
    /// The `http.route` of the root where there is one.
    pub(super) route: Box<str>,
    /// Of a late part: what is known of the trace that it comes too late for.
    pub(super) before: Before,
    /// The service of a span that lacks a parent from its own process, of a trace that closed in its time.
    pub(super) lacking: Option<Arc<str>>,
}

/// What is known of a log since it came.
pub(super) struct LogNote {
    pub(super) span: Option<SpanId>,
    pub(super) flags: u32,
}

type Records<'a> = SmallVec<[Waiting<'a>; 12]>;

/// What an open trace is once it is closed.
pub(super) fn closed(open: &Open, segments: &Segments, sources: &Sources, (part, closed_by): (Part, ClosedBy)) -> Closed {
    let part = if open.fate == Fate::Truncated { Part::Early } else { part };
    let (mut spans, mut logs) = (Records::new(), Records::new());
    let (mut services, mut acks) = (Vec::new(), SmallVec::<[&Ack; 4]>::new());
    let (mut source, mut under) = (None, None);
    for record in segments.records(&open.chain) {
        if source != Some(record.note.source) {
            source = Some(record.note.source);
            acks.extend(sources.get(record.note.source).map(|source| &source.ack));
        }
        if under != Some(record.under) {
            under = Some(record.under);
            add_service(&mut services, record.heading.service());
        }
        if record.note.flags & LOG == 0 { spans.push(record) } else { logs.push(record) }
    }
    let root_span = if open.has_root { spans.iter().rfind(|span| span.note.flags & ROOT != 0) } else { None };
    let route = root_span.map_or_else(Box::default, route);
    let facts = Facts {
        first_arrival: open.first,
        last_arrival: open.last,
        start: Time(if open.range.start == u64::MAX { 0 } else { open.range.start }),
        end: Time(open.range.end),
        span_count: open.spans,
        log_count: open.logs,
        error_span_count: open.error_spans,
        error_log_count: open.error_logs,
        services,
        root: root_span.map(root),
        first_error: if open.error_spans + open.error_logs > 0 { first_error(&spans, &logs, sources) } else { None },
        closed_by,
    };
    let root = if logs.is_empty() { None } else { root_id(root_span, &spans) };
    let in_time = part == Part::Whole && matches!(closed_by, ClosedBy::Idle | ClosedBy::First);
    let lacking = if in_time { lacking(&spans) } else { None };
    let ack = Ack::of_all(acks.into_iter());
    let spans = batch(Signal::Traces, &mut spans, sources, &ack);
    let batch_of_logs = batch(Signal::Logs, &mut logs, sources, &ack);
    let logs: Vec<LogNote> = logs.iter().map(|log| LogNote { span: span_id(log.note.span), flags: log.note.flags }).collect();
    let state = State::of(part, spans.is_empty(), &logs);
    let trace = Trace {
        id: open.id,
        part,
        spans,
        logs: batch_of_logs,
        facts: Arc::new(facts),
        decision: None,
        pinned: false,
        stateless: !open.has_state,
    };
    Closed { trace, state, logs, root, route, before: Before::default(), lacking }
}

/// A span whose parent is of its own process and was not seen.
fn lacking(spans: &[Waiting<'_>]) -> Option<Arc<str>> {
    let mut local = spans.iter().filter(|span| span.note.flags & LOCAL != 0);
    let service = |span: &Waiting<'_>| Arc::clone(span.heading.service());
    if spans.len() <= FEW {
        return local.find(|span| !spans.iter().any(|other| other.note.span == span.note.parent)).map(service);
    }
    let seen: HashSet<u64> = spans.iter().map(|span| span.note.span).collect();
    local.find(|span| !seen.contains(&span.note.parent)).map(service)
}

/// Whose parent is the earliest that was not seen: the root, or where the trace begins for us.
fn root_id(root: Option<&Waiting<'_>>, spans: &[Waiting<'_>]) -> Option<SpanId> {
    let first = || spans.iter().find(|span| span.note.flags & LOCAL == 0).or(spans.first());
    root.or_else(first).and_then(|span| span_id(span.note.span))
}

fn span_id(number: u64) -> Option<SpanId> {
    SpanId::of_bytes(&number.to_be_bytes())
}

fn add_service(services: &mut Vec<Arc<str>>, service: &Arc<str>) {
    let known = |one: &Arc<str>| Arc::ptr_eq(one, service) || one == service;
    if !service.is_empty() && services.len() < SERVICES_MAX && !services.iter().any(known) {
        services.push(Arc::clone(service));
    }
}

fn root(record: &Waiting<'_>) -> Root {
    let span = record.span();
    Root {
        service: Arc::clone(record.heading.service()),
        name: span.name().to_owned(),
        kind: span.kind(),
        status: span.status(),
        duration_ms: span.duration_ms(),
        span_id: span.span_id(),
    }
}

fn route(root: &Waiting<'_>) -> Box<str> {
    root.span().attributes().get("http.route").and_then(|route| route.text()).unwrap_or_default().into()
}

/// The earliest of the errors. The innermost failure ends first, so that the earliest end of a failed span is where it began.
fn first_error(spans: &[Waiting<'_>], logs: &[Waiting<'_>], sources: &Sources) -> Option<FirstError> {
    let is_error = |record: &&Waiting<'_>| record.note.flags & ERROR != 0;
    let of_span = spans.iter().filter(is_error).map(|record| (record.span().end(), record)).min_by_key(|(at, _)| *at);
    let time = |record: &Waiting<'_>| match record.log().time() {
        0 => sources.get(record.note.source).map_or(0, |source| source.taken.0),
        time => time,
    };
    let of_log = logs.iter().filter(is_error).map(|record| (time(record), record)).min_by_key(|(at, _)| *at);
    let cut = |text: &str| text::head(text, MESSAGE_BYTES_MAX).to_owned();
    match (of_span, of_log) {
        (Some((at, record)), other) if other.is_none_or(|(time, _)| at <= time) => {
            let span = record.span();
            let message = Some(span.status_message()).filter(|message| !message.is_empty());
            Some(FirstError { service: cut(record.heading.service()), span: cut(span.name()), message: message.map(cut) })
        }
        (_, Some((_, record))) => {
            let of = record.note.span;
            let named = spans.iter().find(|span| of != 0 && span.note.span == of).map(|span| span.span().name().to_owned());
            Some(FirstError {
                service: cut(record.heading.service()),
                span: named.unwrap_or_default(),
                message: record.log().message().map(cut),
            })
        }
        (_, None) => None,
    }
}

/// The batch of these records, which are put in its order: a chunk for each request of the journal, and one for all that came in without one.
fn batch(signal: Signal, records: &mut [Waiting<'_>], sources: &Sources, ack: &Ack) -> Batch {
    let mut all = Batch::empty(signal);
    if records.is_empty() {
        return all;
    }
    let origin = |record: &Waiting<'_>| sources.get(record.note.source).and_then(|source| source.origin);
    let is_one = |a: &Waiting<'_>, b: &Waiting<'_>| a.note.source == b.note.source || origin(a).is_none() && origin(b).is_none();
    records.chunk_by_mut(is_one).for_each(order);
    let parts: SmallVec<[&[Waiting<'_>]; 4]> = records.chunk_by(is_one).collect();
    for (part, bytes) in parts.iter().zip(requests(&parts)) {
        let Some(source) = part.first().and_then(|first| sources.get(first.note.source)) else { continue };
        // What has no origin has no identity that an ordinal would belong to.
        let ordinals =
            if source.origin.is_none() { Ordinals::From(0) } else { Ordinals::of(part.iter().map(|record| record.note.ordinal)) };
        all.absorb(Batch::new(
            signal,
            Chunk::new(bytes, part.len(), source.origin, ordinals, source.arrived).written_before(source.before.as_deref().copied()),
            Ack::none(),
        ));
    }
    all.promise(ack.clone());
    all
}

/// Puts records under one heading beside each other, behind the first of them.
fn order(records: &mut [Waiting<'_>]) {
    if records.len() > FEW {
        let mut ranks = HashMap::<Under, usize>::new();
        for record in records.iter() {
            let next = ranks.len();
            ranks.entry(record.under).or_insert(next);
        }
        records.sort_by_key(|record| ranks.get(&record.under).copied());
        return;
    }
    let mut start = 0;
    while let Some(under) = records.get(start).map(|record| record.under) {
        start += 1;
        let behind = start;
        for at in behind..records.len() {
            if records.get(at).is_some_and(|record| record.under == under)
                && let Some(between) = records.get_mut(start..=at)
            {
                between.rotate_right(1);
                start += 1;
            }
        }
    }
}
