//! What logs and spans of a trace tell each other, which logs are joined by what, and which are not.

use super::correlate;
use crate::kit::{at, attribute, id, log, logs, span, spans, traces};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::LogRecord,
    trace::v1::Span,
};
use pipeline::{
    Tally,
    testing::{advance, run},
};
use signal::{Ack, Item, Part, Signal, TraceId, Value};

fn pair(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn text(value: &str) -> Option<Value> {
    Some(Value::from(value))
}

#[test]
fn a_log_learns_its_route_from_the_span_that_serves_the_request_above_its_own() {
    let mut part = correlate("{}");
    let server = Span { attributes: vec![pair("http.route", "/cart"), pair("http.request.method", "GET")], ..span(1, 1, 0, "") };
    let inner = Span { kind: 1, attributes: vec![pair("rpc.method", "Charge")], ..span(1, 2, 1, "") };
    run(part.as_mut(), spans("shop", vec![server, inner], Ack::none()), at(0));
    let spanless = LogRecord { span_id: Vec::new(), ..log(1, 1, 9, "no span") };
    run(part.as_mut(), logs("shop", vec![log(1, 2, 9, "inner"), spanless], Ack::none()), at(0));
    let closed = traces(advance(part.as_mut(), at(9)));
    let logs = &closed[0].logs;
    assert_eq!(attribute(logs, 0, "span.name"), text("span 2"));
    assert_eq!(attribute(logs, 0, "http.route"), text("/cart"));
    assert_eq!(attribute(logs, 0, "rpc.method"), text("Charge"));
    assert_eq!((attribute(logs, 1, "span.name"), attribute(logs, 1, "http.route")), (None, text("/cart")));
    assert_eq!((attribute(logs, 0, "correlation.method"), attribute(logs, 1, "correlation.method")), (text("span_id"), text("trace_id")));
    assert_eq!(attribute(logs, 0, "correlation.confidence"), Some(Value::Double(1.0)));
}

#[test]
fn a_log_without_a_service_learns_whose_it_is_from_its_span() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    run(part.as_mut(), logs("", vec![log(1, 1, 9, "who am I")], Ack::none()), at(0));
    let closed = traces(advance(part.as_mut(), at(9)));
    assert_eq!(closed[0].logs.records().next().unwrap().resource.service(), "shop");
}

#[test]
fn the_root_has_the_sums_and_a_failing_span_its_first_error() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, ""), span(1, 2, 1, "no")], Ack::none()), at(0));
    let error = LogRecord { attributes: vec![pair("exception.type", "NoMoney")], ..log(1, 2, 17, "declined") };
    run(part.as_mut(), logs("pay", vec![error, log(1, 2, 9, "tried")], Ack::none()), at(0));
    run(part.as_mut(), logs("shop", vec![log(1, 1, 9, "ordered")], Ack::none()), at(0));
    let closed = traces(advance(part.as_mut(), at(9)));
    let spans = &closed[0].spans;
    assert_eq!(attribute(spans, 0, "trace.log_count"), Some(Value::Int(3)));
    assert_eq!(attribute(spans, 0, "trace.log_error_count"), Some(Value::Int(1)));
    assert_eq!(attribute(spans, 0, "log.services"), Some(Value::List(vec!["pay".into(), "shop".into()])));
    assert_eq!(attribute(spans, 1, "log.first_error.type"), text("NoMoney"));
    assert_eq!(attribute(spans, 1, "trace.log_count"), None);
}

#[test]
fn severe_logs_become_events_of_their_spans_and_stay_logs() {
    let mut part = correlate("embed_events: { max: 2, max_bytes: 16B }");
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    let bodies = ["one", "two", "a long story without an end", "four"];
    let named = |(n, body): (usize, &&str)| LogRecord {
        event_name: if n == 1 { "cart.lost".to_owned() } else { String::new() },
        ..log(1, 1, if n == 0 { 9 } else { 17 }, body)
    };
    run(part.as_mut(), logs("shop", bodies.iter().enumerate().map(named).collect(), Ack::none()), at(0));
    let closed = traces(advance(part.as_mut(), at(9)));
    assert_eq!(closed[0].logs.len(), 4);
    let record = closed[0].spans.records().next().unwrap();
    let Item::Span(span) = record.item else { panic!() };
    let told = |event: signal::view::Event<'_>| {
        let text = |key: &str| event.attributes().get(key).and_then(|value| value.text()).unwrap_or_default().to_owned();
        (event.name().to_owned(), event.time(), text("log.severity"), text("log.message"))
    };
    let expected = [("cart.lost", "two"), ("log", "a long story wit")]
        .map(|(name, message)| (name.to_owned(), at(0).0, "ERROR".to_owned(), message.to_owned()));
    assert_eq!(span.events().map(told).collect::<Vec<_>>(), expected);
}

#[test]
fn a_log_that_says_that_no_span_will_come_waits_for_none() {
    let mut part = correlate("{}");
    let unsampled = |body: &str| LogRecord { attributes: vec![pair("trace_flags", "00")], ..log(1, 1, 9, body) };
    let out = run(part.as_mut(), logs("shop", vec![unsampled("one"), unsampled("two")], Ack::none()), at(0));
    assert_eq!((out.tallied(Tally::Traces, "unsampled_upstream"), out.tallied(Tally::Logs, "unsampled_upstream")), (1, 2));
    let closed = traces([out]);
    assert_eq!((closed[0].part, closed[0].logs.len()), (Part::Whole, 2));
    assert_eq!(attribute(&closed[0].logs, 1, "correlation.state"), text("unsampled_upstream"));
    let more = traces([run(part.as_mut(), logs("shop", vec![unsampled("three")], Ack::none()), at(1))]);
    assert_eq!((more[0].part, attribute(&more[0].logs, 0, "correlation.state")), (Part::Late, text("unsampled_upstream")));
    assert_eq!(part.held(), pipeline::Held::NONE);
}

#[test]
fn an_unsampled_log_of_a_trace_that_is_here_is_joined() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    let unsampled = LogRecord { attributes: vec![pair("trace_flags", "00")], ..log(1, 1, 9, "hello") };
    run(part.as_mut(), logs("shop", vec![unsampled], Ack::none()), at(0));
    let closed = traces(advance(part.as_mut(), at(9)));
    assert_eq!(attribute(&closed[0].logs, 0, "correlation.state"), text("joined"));
}

#[test]
fn digits_that_nothing_names_are_an_id_only_of_a_trace_that_is_open() {
    let mut part = correlate("{}");
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    let line = |trace: TraceId| log(0, 0, 9, &format!("charged {trace} twice"));
    let out = run(part.as_mut(), logs("shop", vec![line(id(1)), line(id(2))], Ack::none()), at(0));
    assert_eq!(out.count(Signal::Logs), 1, "what is no trace passes");
    let closed = traces(advance(part.as_mut(), at(9)));
    assert_eq!(attribute(&closed[0].logs, 0, "correlation.method"), text("probe"));
    assert_eq!(attribute(&closed[0].logs, 0, "correlation.state"), text("joined"));
}

#[test]
fn half_an_id_finds_its_trace_and_fits_none_where_it_fits_two() {
    let mut part = correlate("{}");
    let high = |byte: u8| {
        let mut id = id(7).0;
        id[0] = byte;
        id.to_vec()
    };
    let half = || LogRecord { attributes: vec![pair("dd.trace_id", "7")], ..log(0, 0, 9, "half") };
    run(part.as_mut(), spans("shop", vec![Span { trace_id: high(1), ..span(7, 1, 0, "") }], Ack::none()), at(0));
    assert_eq!(run(part.as_mut(), logs("shop", vec![half()], Ack::none()), at(0)).count(Signal::Logs), 0);
    run(part.as_mut(), spans("shop", vec![Span { trace_id: high(2), ..span(7, 2, 0, "") }], Ack::none()), at(1));
    let out = run(part.as_mut(), logs("shop", vec![half()], Ack::none()), at(1));
    assert_eq!((out.count(Signal::Logs), out.tallied(Tally::Logs, "ambiguous")), (1, 1));
    let closed = traces(advance(part.as_mut(), at(9)));
    assert_eq!(closed.iter().map(|trace| (trace.spans.len(), trace.logs.len())).collect::<Vec<_>>(), [(1, 1), (1, 0)]);
    assert_eq!(attribute(&closed[0].logs, 0, "correlation.method"), text("id64"));
    assert_eq!(closed[0].id.0[0], 1);
}
