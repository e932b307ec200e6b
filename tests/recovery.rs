//! How well logs without ids find their trace: ids are deleted from the instrumented shop's logs, guessed again by pod and time, and compared with what was deleted.
//! `cargo test --test recovery -- --ignored --nocapture` prints precision and recall over how many requests were under way at once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and this one is run for its table")]

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, any_value::Value as Proto},
    logs::v1::LogRecord,
};
use pipeline::{Flush, testing};
use processors::correlate::Correlate;
use prost::Message;
use signal::{Ack, Batch, Chunk, Flow, Item, Kinds, Limits, Ordinals, Origin, Signal, SpanId, Time, TraceId, Value, check, ids};
use std::{collections::HashMap, time::Duration};

const OPENED: Time = Time(1_750_000_000_000_000_000);

/// By the request that a log came in, and its number there.
type Truth = HashMap<(u64, u32), (TraceId, Option<SpanId>)>;

fn batch(signal: Signal, position: u64, request: bytes::Bytes, now: Time) -> Batch {
    let (checked, counts) = check(signal, request, &Limits::default()).unwrap();
    let origin = Some(Origin { log: 1, position });
    Batch::new(signal, Chunk::new(checked, counts.records, origin, Ordinals::From(0), now), Ack::none())
}

/// Removes what says a trace or a span from a log.
fn strip(log: &mut LogRecord, trace: TraceId, span: Option<SpanId>) {
    log.trace_id.clear();
    log.span_id.clear();
    log.attributes.retain(|pair| !matches!(pair.key.as_str(), "trace_id" | "span_id"));
    if let Some(AnyValue { value: Some(Proto::StringValue(text)) }) = &mut log.body {
        *text = text.replace(&trace.to_string(), "");
        *text = span.map_or(text.clone(), |span| text.replace(&span.to_string(), ""));
    }
}

/// Whether a request is among so many of a hundred, by its trace.
fn is_traced(trace: TraceId, percent: u64) -> bool {
    trace.low() % 100 < percent
}

/// What the shop says when so many of a hundred requests are traced, without ids on its logs, and what they were.
fn without_ids(traces_per_second: u32, percent: u64) -> (Vec<(Time, Batch)>, Truth) {
    let mut truth = Truth::new();
    let length = Duration::from_secs((3_000 / u64::from(traces_per_second)).clamp(10, 300));
    let mut batches = Vec::new();
    for (position, (now, signal, mut request)) in sources::generate::said(traces_per_second, 7, OPENED, length).into_iter().enumerate() {
        let position = position as u64;
        if signal == Signal::Logs {
            let found: Vec<_> = batch(signal, position, request.clone(), now)
                .records()
                .map(|record| match record.item {
                    Item::Log(log) => ids::find(&log).unwrap(),
                    _ => panic!("a request of logs"),
                })
                .collect();
            let mut logs = ExportLogsServiceRequest::decode(request).unwrap();
            let records = logs.resource_logs.iter_mut().flat_map(|group| &mut group.scope_logs).flat_map(|scope| &mut scope.log_records);
            for (ordinal, (log, found)) in records.zip(found).enumerate() {
                strip(log, found.trace, found.span);
                truth.insert((position, u32::try_from(ordinal).unwrap()), (found.trace, found.span));
            }
            request = logs.encode_to_vec().into();
        }
        let mut batch = batch(signal, position, request, now);
        batch.retain(|record| if let Item::Span(span) = record.item { is_traced(span.trace_id(), percent) } else { true });
        batches.push((now, batch));
    }
    (batches, truth)
}

#[derive(Default)]
struct Score {
    /// Of requests that were traced.
    logs: usize,
    joined: usize,
    right: usize,
    right_span: usize,
}

/// Compares what was guessed with what was deleted.
fn score(sent: &[Flow], truth: &Truth, percent: u64) -> Score {
    let mut score = Score::default();
    for batch in sent.iter().flat_map(Flow::batches).filter(|batch| batch.signal() == Signal::Logs) {
        for chunk in batch.chunks() {
            for (n, record) in chunk.records(Signal::Logs).enumerate() {
                let (trace, span) = truth[&(chunk.origin().unwrap().position, chunk.ordinal(n))];
                let get = |key: &str| match record.attributes().get(key).map(|value| value.to_value()) {
                    Some(Value::Text(text)) => Some(text),
                    _ => None,
                };
                score.logs += usize::from(is_traced(trace, percent));
                if let Some(guess) = get("correlation.trace_id") {
                    score.joined += 1;
                    score.right += usize::from(guess == trace.to_string());
                    score.right_span += usize::from(get("correlation.span_id") == span.map(|span| span.to_string()));
                }
            }
        }
    }
    score
}

/// How many server spans of its service are under way when a log is written, on average.
fn under_way(batches: &[(Time, Batch)]) -> f64 {
    let mut spans: HashMap<String, Vec<(u64, u64)>> = HashMap::new();
    for record in batches.iter().flat_map(|(_, batch)| batch.records()) {
        if let Item::Span(span) = record.item
            && span.kind() == signal::view::SpanKind::Server
        {
            spans.entry(record.resource.service().to_owned()).or_default().push((span.start(), span.end()));
        }
    }
    let (mut logs, mut sum) = (0_usize, 0_usize);
    for record in batches.iter().flat_map(|(_, batch)| batch.records()) {
        if let Item::Log(log) = record.item {
            logs += 1;
            let at = log.time();
            sum += spans[record.resource.service()].iter().filter(|(start, end)| (*start..=*end).contains(&at)).count();
        }
    }
    sum as f64 / logs as f64
}

fn recovered(traces_per_second: u32, percent: u64, settings: &str) -> (f64, Score) {
    let under_way = under_way(&without_ids(traces_per_second, 100).0);
    let (batches, truth) = without_ids(traces_per_second, percent);
    let mut part = testing::build::<Correlate>(settings, Kinds::RECORDS).unwrap();
    let mut sent = Vec::new();
    let mut last = OPENED;
    for (now, batch) in batches {
        last = now;
        for call in testing::advance(part.as_mut(), now) {
            sent.extend(call.sent);
        }
        sent.extend(testing::run(part.as_mut(), Flow::Batch(batch), now).sent);
    }
    for call in testing::advance(part.as_mut(), last.plus(Duration::from_secs(30))) {
        sent.extend(call.sent);
    }
    sent.extend(testing::flush(part.as_mut(), Flush::Last, last, usize::MAX).sent);
    let flows: Vec<Flow> = sent.into_iter().map(|(_, flow)| flow).collect();
    (under_way, score(&flows, &truth, percent))
}

#[test]
fn at_low_concurrency_most_logs_find_their_trace_again() {
    let (_, score) = recovered(1, 100, "infer: {}");
    assert!(score.joined * 10 >= score.logs * 7, "{} of {} joined", score.joined, score.logs);
    assert!(score.right * 100 >= score.joined * 97, "{} of {} right", score.right, score.joined);
}

#[test]
#[ignore = "a measurement"]
fn precision_and_recall_over_concurrency() {
    let settings = [
        (100, "infer: {}"),
        (100, "infer: { min_confidence: 50% }"),
        (100, "infer: { min_confidence: 20% }"),
        (50, "infer: {}"),
        (10, "infer: {}"),
    ];
    for (percent, settings) in settings {
        println!("{settings}, {percent} % of the requests traced");
        println!("{:>8} {:>10} {:>8} {:>10} {:>8} {:>8}", "visits/s", "under way", "logs", "precision", "recall", "span");
        for traces_per_second in [1, 3, 10, 30, 100, 300] {
            let (under_way, score) = recovered(traces_per_second, percent, settings);
            let share = |part: usize, of: usize| part as f64 * 100.0 / of.max(1) as f64;
            println!(
                "{traces_per_second:8} {under_way:10.2} {:8} {:8.1} % {:6.1} % {:6.1} %",
                score.logs,
                share(score.right, score.joined),
                share(score.right, score.logs),
                share(score.right_span, score.joined)
            );
        }
    }
}
