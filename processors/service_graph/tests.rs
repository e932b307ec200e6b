//! Who is paired with whom, who stands in for those that send no spans, and that every span ends once.

use super::ServiceGraph;
use crate::kit::{at, promise, span, spans};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    metrics::v1::{metric::Data, number_data_point::Value},
    trace::v1::Span,
};
use pipeline::{
    Flush, Held, Pool, Processor, Reason,
    testing::{Collected, advance, build, build_in, flush, run},
};
use proptest::prelude::*;
use prost::Message;
use signal::{Ack, Kinds, Signal};
use std::{collections::BTreeMap, path::Path, sync::atomic::Ordering};

const CLIENT: i32 = 3;
const SERVER: i32 = 2;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

fn graph(body: &str) -> Box<dyn Processor> {
    build::<ServiceGraph>(body, Kinds::SPANS).unwrap()
}

/// Of this kind, with attributes.
fn of(kind: i32, span: Span, attributes: &[(&str, &str)]) -> Span {
    let pair = |(key, value): &(&str, &str)| {
        let value = Some(AnyValue { value: Some(any_value::Value::StringValue((*value).to_owned())) });
        KeyValue { key: (*key).to_owned(), value, ..KeyValue::default() }
    };
    Span { kind, attributes: attributes.iter().map(pair).collect(), ..span }
}

/// The last of each series: `request_total shop pay = 2`, with the connection where it has one; of a histogram how many.
fn told(calls: &[Collected]) -> BTreeMap<String, f64> {
    let mut told = BTreeMap::new();
    let batches = calls.iter().flat_map(|call| &call.sent).flat_map(|(_, flow)| flow.batches());
    let requests =
        batches.flat_map(|batch| batch.chunks()).map(|chunk| ExportMetricsServiceRequest::decode(chunk.bytes().bytes().clone()).unwrap());
    for metric in requests.flat_map(|request| request.resource_metrics).flat_map(|of| of.scope_metrics).flat_map(|of| of.metrics) {
        let named = |attributes: &[KeyValue]| {
            let values = attributes.iter().filter_map(|pair| match &pair.value.as_ref()?.value {
                Some(any_value::Value::StringValue(text)) => Some(text.clone()),
                _ => None,
            });
            let name = metric.name.trim_start_matches("traces_service_graph_").to_owned();
            [name].into_iter().chain(values).collect::<Vec<_>>().join(" ")
        };
        match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => told.extend(sum.data_points.iter().map(|point| match point.value {
                Some(Value::AsDouble(value)) => (named(&point.attributes), value),
                _ => (named(&point.attributes), f64::NAN),
            })),
            Data::ExponentialHistogram(all) => told.extend(all.data_points.iter().map(|one| (named(&one.attributes), one.count as f64))),
            other => panic!("{other:?}"),
        }
    }
    told
}

fn assert_told(calls: &[Collected], expected: &[(&str, f64)]) {
    for call in calls {
        Signal::ALL.into_iter().for_each(|signal| assert_eq!(call.unaccounted(signal), 0));
    }
    assert_eq!(told(calls), expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect());
}

#[test]
fn a_client_and_a_server_are_an_edge_whichever_comes_first() {
    let mut part = graph("{}");
    run(
        part.as_mut(),
        spans("shop", vec![of(CLIENT, span(1, 2, 1, ""), &[]), of(CLIENT, span(2, 2, 1, "no answer"), &[])], Ack::none()),
        at(0),
    );
    run(part.as_mut(), spans("pay", vec![of(SERVER, span(1, 3, 2, ""), &[])], Ack::none()), at(1));
    run(part.as_mut(), spans("pay", vec![of(SERVER, span(2, 3, 2, ""), &[]), of(SERVER, span(3, 3, 2, ""), &[])], Ack::none()), at(5));
    run(part.as_mut(), spans("shop", vec![of(CLIENT, span(3, 2, 1, ""), &[]), of(1, span(3, 1, 0, ""), &[])], Ack::none()), at(9));
    let calls = advance(part.as_mut(), at(15));
    let expected = [("request_total shop pay", 3.0), ("request_failed_total shop pay", 1.0)];
    assert_told(&calls, &[&expected[..], &[("request_server_seconds shop pay", 3.0), ("request_client_seconds shop pay", 3.0)]].concat());
    assert_eq!(calls.iter().map(|call| call.discarded(Signal::Traces, Reason::MEASURED)).sum::<usize>(), 7);
}

#[test]
fn a_producer_and_a_consumer_are_joined_by_a_messaging_system() {
    let mut part = graph("{}");
    run(part.as_mut(), spans("shop", vec![of(PRODUCER, span(1, 2, 1, ""), &[("messaging.system", "kafka")])], Ack::none()), at(0));
    run(part.as_mut(), spans("mail", vec![of(CONSUMER, span(1, 3, 2, ""), &[("messaging.system", "kafka")])], Ack::none()), at(1));
    run(part.as_mut(), spans("shop", vec![of(PRODUCER, span(2, 2, 1, ""), &[("messaging.system", "kafka")])], Ack::none()), at(1));
    let expected = [
        ("request_total shop mail messaging_system", 1.0),
        ("request_server_seconds shop mail messaging_system", 1.0),
        ("request_client_seconds shop mail messaging_system", 1.0),
        ("request_total shop kafka messaging_system", 1.0),
        ("request_client_seconds shop kafka messaging_system", 1.0),
    ];
    assert_told(&advance(part.as_mut(), at(15)), &expected);
}

#[test]
fn a_database_is_a_node_at_once_and_another_peer_once_it_did_not_answer() {
    let mut part = graph("{}");
    let clients = vec![
        of(CLIENT, span(1, 2, 1, "deadlock"), &[("db.system", "postgresql"), ("db.name", "orders")]),
        of(CLIENT, span(1, 3, 1, ""), &[("db.system.name", "redis")]),
        of(CLIENT, span(1, 4, 1, ""), &[("db.system.name", "mysql"), ("server.address", "db-1")]),
        of(CLIENT, span(1, 5, 1, ""), &[("server.address", "api.bank.example")]),
        of(CLIENT, span(1, 6, 1, ""), &[("network.peer.address", "10.0.0.7"), ("network.peer.port", "81")]),
    ];
    run(part.as_mut(), spans("pay", clients, Ack::none()), at(0));
    run(part.as_mut(), spans("edge", vec![of(SERVER, span(1, 1, 0, ""), &[])], Ack::none()), at(0));
    assert_eq!(part.held().spans, 6);
    let expected = [
        ("request_total pay orders database", 1.0),
        ("request_failed_total pay orders database", 1.0),
        ("request_server_seconds pay orders database", 1.0),
        ("request_client_seconds pay orders database", 1.0),
        ("request_total pay redis database", 1.0),
        ("request_server_seconds pay redis database", 1.0),
        ("request_client_seconds pay redis database", 1.0),
        ("request_total pay db-1 database", 1.0),
        ("request_server_seconds pay db-1 database", 1.0),
        ("request_client_seconds pay db-1 database", 1.0),
        ("request_total pay api.bank.example virtual_node", 1.0),
        ("request_client_seconds pay api.bank.example virtual_node", 1.0),
        ("request_total pay 10.0.0.7:81 virtual_node", 1.0),
        ("request_client_seconds pay 10.0.0.7:81 virtual_node", 1.0),
        ("request_total user edge virtual_node", 1.0),
        ("request_server_seconds user edge virtual_node", 1.0),
    ];
    assert_told(&advance(part.as_mut(), at(15)), &expected);
}

#[test]
fn what_finds_no_other_half_is_unpaired_and_what_finds_no_room_is_dropped() {
    let mut part = graph("edges_max: 1");
    run(part.as_mut(), spans("shop", vec![of(CLIENT, span(1, 2, 1, ""), &[]), of(CLIENT, span(2, 2, 1, ""), &[])], Ack::none()), at(0));
    run(part.as_mut(), spans("pay", vec![of(SERVER, span(1, 3, 2, ""), &[])], Ack::none()), at(10));
    advance(part.as_mut(), at(10));
    run(part.as_mut(), spans("pay", vec![of(SERVER, span(3, 3, 2, ""), &[])], Ack::none()), at(10));
    let expected = [
        ("request_total shop pay", 1.0),
        ("request_server_seconds shop pay", 1.0),
        ("request_client_seconds shop pay", 1.0),
        ("dropped_spans_total shop", 1.0),
        ("unpaired_spans_total pay", 1.0),
    ];
    assert_told(&advance(part.as_mut(), at(30)), &expected);
}

#[test]
fn dimensions_are_of_the_side_they_came_with() {
    let mut part = graph("dimensions: [k8s.namespace.name]");
    run(part.as_mut(), spans("shop", vec![of(CLIENT, span(1, 2, 1, ""), &[("k8s.namespace.name", "front")])], Ack::none()), at(0));
    run(part.as_mut(), spans("pay", vec![of(SERVER, span(1, 3, 2, ""), &[("k8s.namespace.name", "bank")])], Ack::none()), at(0));
    assert_eq!(told(&advance(part.as_mut(), at(15))).get("request_total shop pay front bank"), Some(&1.0));
}

#[test]
fn a_span_that_waits_is_promised_until_its_edge_is_told_and_goes_on_in_the_next_graph() {
    let pool = Pool::default();
    let make = |body: &str| build_in::<ServiceGraph>(body, Kinds::SPANS, Path::new("/"), &pool).unwrap();
    let (mut old, (ack, kept)) = (make("{}"), promise());
    run(old.as_mut(), spans("shop", vec![of(CLIENT, span(1, 2, 1, ""), &[])], ack), at(0));
    let refused = make("temporality: delta").adopt(old.release().unwrap()).unwrap_err();
    assert!(old.adopt(refused).is_ok());
    let mut new = make("wait: 1m");
    assert!(new.adopt(old.release().unwrap()).is_ok());
    drop(old);
    run(new.as_mut(), spans("pay", vec![of(SERVER, span(1, 3, 2, ""), &[])], Ack::none()), at(5));
    let calls = advance(new.as_mut(), at(30));
    assert_eq!(told(&calls).get("request_total shop pay"), Some(&1.0));
    assert!(!kept.load(Ordering::SeqCst));
    drop(calls);
    assert!(kept.load(Ordering::SeqCst));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_span_ends_once_and_lanes_make_no_difference(
        requests in prop::collection::vec((0..30_u64, prop::collection::vec((0..9_u8, 1..6_u8, 0..6_u8, 1..6_i32), 1..6)), 1..25),
    ) {
        let mut requests = requests;
        requests.sort_by_key(|(second, _)| *second);
        let spans_in: usize = requests.iter().map(|(_, spans)| spans.len()).sum();
        let mut totals = Vec::new();
        for lanes in [1_usize, 4] {
            let pool = Pool::default();
            let mut parts: Vec<_> = (0..lanes).map(|_| build_in::<ServiceGraph>("{}", Kinds::SPANS, Path::new("/"), &pool).unwrap()).collect();
            let mut calls = Vec::new();
            for (second, all) in &requests {
                for (number, part) in parts.iter_mut().enumerate() {
                    calls.extend(advance(part.as_mut(), at(*second)));
                    // Of each trace in one lane, as behind the exchange.
                    let mine = all.iter().filter(|(trace, ..)| usize::from(*trace) % lanes == number);
                    let mine: Vec<Span> = mine.map(|(trace, n, parent, kind)| of(*kind, span(*trace, *n, *parent, ""), &[("peer.service", "bank")])).collect();
                    if !mine.is_empty() {
                        calls.push(run(part.as_mut(), spans("shop", mine, Ack::none()), at(*second)));
                    }
                }
            }
            for part in &mut parts {
                calls.extend(advance(part.as_mut(), at(45)));
            }
            calls.extend(parts.iter_mut().map(|part| flush(part.as_mut(), Flush::Last, at(45), usize::MAX)));
            for call in &calls {
                prop_assert_eq!(call.unaccounted(Signal::Traces), 0);
            }
            prop_assert!(parts.iter().all(|part| part.held() == Held::NONE));
            prop_assert_eq!(calls.iter().map(|call| call.discarded(Signal::Traces, Reason::MEASURED)).sum::<usize>(), spans_in);
            totals.push(told(&calls));
        }
        prop_assert_eq!(&totals[0], &totals[1]);
    }
}
