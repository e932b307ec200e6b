//! Whatever the lanes and the requests are, all together count every record once, and each series is one.

use crate::{
    kit::{SECOND, at, id, promise, span, spans},
    span_metrics::SpanMetrics,
};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{Metric, metric::Data, number_data_point::Value},
};
use pipeline::{
    Flush, Held, Pool, Processor, Reason,
    testing::{Collected, advance, build_in, flush, run},
};
use proptest::prelude::*;
use prost::Message;
use signal::{Ack, Kinds, Signal, Time};
use std::{collections::BTreeMap, path::Path, sync::atomic::Ordering};

fn lanes(body: &str, lanes: usize) -> Vec<Box<dyn Processor>> {
    let pool = Pool::default();
    (0..lanes).map(|_| build_in::<SpanMetrics>(body, Kinds::SPANS, Path::new("/"), &pool).unwrap()).collect()
}

/// All metrics that were sent, call by call, each with the services that it is of.
fn metrics(calls: &[Collected]) -> Vec<Metric> {
    let batches = calls.iter().flat_map(|call| &call.sent).flat_map(|(_, flow)| flow.batches());
    let requests =
        batches.flat_map(|batch| batch.chunks()).map(|chunk| ExportMetricsServiceRequest::decode(chunk.bytes().bytes().clone()).unwrap());
    requests.flat_map(|request| request.resource_metrics).flat_map(|of| of.scope_metrics).flat_map(|of| of.metrics).collect()
}

/// By metric, labels and time: the value of a sum, the count of a histogram.
type Points = BTreeMap<(String, String, u64), f64>;

fn points(calls: &[Collected]) -> Points {
    let mut points = Points::new();
    for metric in metrics(calls) {
        let mut put = |labels: String, time: u64, value: f64| {
            let twice = points.insert((metric.name.clone(), labels, time), value);
            assert_eq!(twice, None, "one point a series and time");
        };
        match metric.data.unwrap() {
            Data::Sum(sum) => sum.data_points.iter().for_each(|point| {
                let value = match point.value {
                    Some(Value::AsDouble(value)) => value,
                    _ => f64::NAN,
                };
                put(format!("{:?}", point.attributes), point.time_unix_nano, value);
            }),
            Data::ExponentialHistogram(histogram) => histogram.data_points.iter().for_each(|point| {
                let buckets: u64 = point.positive.iter().flat_map(|side| &side.bucket_counts).sum();
                assert_eq!(buckets + point.zero_count, point.count);
                put(format!("{:?}", point.attributes), point.time_unix_nano, point.count as f64);
            }),
            other => panic!("{other:?}"),
        }
    }
    points
}

/// The last value of each series; with deltas the sum of all.
fn totals(points: &Points, body: &str) -> BTreeMap<(String, String), f64> {
    let mut totals = BTreeMap::new();
    for ((name, labels, _), value) in points {
        let total = totals.entry((name.clone(), labels.clone())).or_insert(0.0);
        *total = if body.contains("delta") { *total + value } else { *value };
    }
    totals
}

/// Spans of one request: trace, span, and how often they stand for others.
type Request = (u64, Vec<(u8, u8)>);

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let request = (0..40_u64, prop::collection::vec((0..4_u8, 1..5_u8), 1..6));
    prop::collection::vec(request, 1..25).prop_map(|mut requests| {
        requests.sort_by_key(|(second, _)| *second);
        requests
    })
}

/// Calls each lane as a reader would: every lane hears of every time, and requests go round.
fn play(parts: &mut [Box<dyn Processor>], requests: &[Request]) -> Vec<Collected> {
    let mut calls = Vec::new();
    for (n, (second, of)) in requests.iter().enumerate() {
        for part in parts.iter_mut() {
            calls.extend(advance(part.as_mut(), at(*second)));
        }
        let of = of.iter().map(|(trace, number)| span(*trace, *number, 0, if number % 2 == 0 { "" } else { "failed" })).collect();
        let lane = n % parts.len();
        calls.push(run(parts[lane].as_mut(), spans("shop", of, Ack::none()), at(*second)));
    }
    for part in parts.iter_mut() {
        calls.extend(advance(part.as_mut(), at(61)));
    }
    calls.extend(parts.iter_mut().map(|part| flush(part.as_mut(), Flush::Last, at(61), usize::MAX)));
    calls
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn all_calls_are_the_spans_that_came_in_whatever_lanes_they_were_in(
        requests in requests(),
        body in prop::sample::select(vec!["{}", "temporality: delta", "series_max: 2", "{ temporality: delta, series_max: 1, interval: 7s }"]),
    ) {
        let spans: usize = requests.iter().map(|(_, spans)| spans.len()).sum();
        let mut told = Vec::new();
        for number in [1, 2, 4] {
            let mut parts = lanes(body, number);
            let calls = play(&mut parts, &requests);
            for call in &calls {
                prop_assert_eq!(call.unaccounted(Signal::Traces), 0);
                prop_assert_eq!(call.unaccounted(Signal::Metrics), 0);
            }
            let measured: usize = calls.iter().map(|call| call.discarded(Signal::Traces, Reason::MEASURED)).sum();
            prop_assert_eq!(measured, spans);
            prop_assert!(parts.iter().all(|part| part.held() == Held::NONE));
            let totals = totals(&points(&calls), body);
            let of = |name: &str| totals.iter().filter(|((metric, _), _)| metric == name).map(|(_, value)| value).sum::<f64>();
            prop_assert_eq!(of("traces_spanmetrics_calls_total"), spans as f64);
            prop_assert_eq!(of("traces_spanmetrics_latency"), spans as f64);
            told.push(totals);
        }
        if !body.contains("series_max") {
            prop_assert_eq!(&told[0], &told[1]);
            prop_assert_eq!(&told[0], &told[2]);
        }
    }
}

#[test]
fn a_request_is_settled_with_the_points_of_its_spans_and_not_before() {
    let [mut one, mut other] = <[Box<dyn Processor>; 2]>::try_from(lanes("{}", 2)).ok().unwrap();
    let ((first, first_kept), (second, second_kept)) = (promise(), promise());
    run(one.as_mut(), spans("shop", vec![span(1, 1, 0, "")], first), at(0));
    run(other.as_mut(), spans("shop", vec![span(2, 1, 0, "")], second), at(3));
    let kept = || [&first_kept, &second_kept].map(|kept| kept.load(Ordering::SeqCst));
    assert_eq!(one.held().spans, 1);
    let nothing = advance(one.as_mut(), at(15));
    assert_eq!((nothing[0].count(Signal::Metrics), kept()), (0, [false, false]), "the other lane has not come yet");
    let sent = advance(other.as_mut(), at(15));
    assert_eq!((sent[0].count(Signal::Metrics), kept()), (3, [false, false]));
    drop((nothing, sent));
    assert_eq!(kept(), [true, true]);
}

#[test]
fn a_lane_that_fell_keeps_nobody_waiting() {
    let mut parts = lanes("{}", 2);
    for part in &mut parts {
        run(part.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    }
    drop(parts.pop());
    let sent = advance(parts[0].as_mut(), at(15));
    assert_eq!(totals(&points(&sent), "").values().filter(|value| **value == 1.0).count(), 2);
}

#[test]
fn a_series_of_which_nothing_comes_ends_and_then_nothing_is_due() {
    let mut part = lanes("stale_after: 30s", 1).remove(0);
    run(part.as_mut(), spans("shop", vec![span(1, 1, 0, "")], Ack::none()), at(0));
    let calls = advance(part.as_mut(), at(3_600));
    let calls_total: Vec<_> = metrics(&calls).into_iter().filter(|metric| metric.name == "traces_spanmetrics_calls_total").collect();
    let told = calls_total.iter().map(|metric| match &metric.data {
        Some(Data::Sum(sum)) => (sum.data_points[0].time_unix_nano / SECOND - at(0).0 / SECOND, sum.data_points[0].flags),
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), [(15, 0), (30, 0), (45, 1)]);
    assert_eq!((part.due(), part.held().bytes), (None, 0));
}

#[test]
fn counts_go_on_in_the_next_graph_and_begin_anew_where_labels_differ() {
    let pool = Pool::default();
    let make = |body: &str| build_in::<SpanMetrics>(body, Kinds::SPANS, Path::new("/"), &pool).unwrap();
    let mut old = make("{}");
    run(old.as_mut(), spans("shop", vec![span(1, 2, 0, "")], Ack::none()), at(0));
    let mut other = make("dimensions: [http.route]");
    let refused = other.adopt(old.release().unwrap()).unwrap_err();
    assert!(old.adopt(refused).is_ok(), "it takes back what it released");
    let mut new = make("{}");
    new.adopt(old.release().unwrap()).unwrap();
    assert_eq!((old.held(), old.due(), new.held().spans, new.due()), (Held::NONE, None, 1, Some(at(15))));
    drop(old);
    run(new.as_mut(), spans("shop", vec![span(1, 2, 0, "")], Ack::none()), at(1));
    let totals = totals(&points(&advance(new.as_mut(), at(15))), "");
    assert!(totals.iter().any(|((name, _), value)| name.ends_with("calls_total") && *value == 2.0), "{totals:?}");
}

#[test]
fn a_span_stands_for_those_that_were_sampled_away() {
    let mut part = lanes("{}", 1).remove(0);
    let sampled = |n: u8, state: &str| opentelemetry_proto::tonic::trace::v1::Span { trace_state: state.to_owned(), ..span(n, 2, 0, "") };
    let of = vec![sampled(1, "ot=th:c"), sampled(2, "ot=th:8"), sampled(3, "")];
    run(part.as_mut(), spans("shop", of, Ack::none()), at(0));
    let calls = advance(part.as_mut(), at(15));
    let counted = totals(&points(&calls), "");
    let of = |name: &str| counted.iter().find(|((metric, _), _)| metric == name).map(|(_, value)| *value);
    assert_eq!(of("traces_spanmetrics_calls_total"), Some(7.0));
    assert_eq!(of("traces_spanmetrics_latency"), Some(7.0));
}

#[test]
fn a_point_names_the_slowest_and_the_last_span() {
    let mut part = lanes("{}", 1).remove(0);
    let of = |trace: u8, ms: u64, ends: u64| {
        let end = at(0).0 + ends * 1_000_000;
        opentelemetry_proto::tonic::trace::v1::Span {
            start_time_unix_nano: end - ms * 1_000_000,
            end_time_unix_nano: end,
            ..span(trace, 2, 0, "")
        }
    };
    run(part.as_mut(), spans("shop", vec![of(1, 900, 1_000), of(2, 5, 1_400), of(3, 20, 1_200)], Ack::none()), at(2));
    let histogram = metrics(&advance(part.as_mut(), at(30))).into_iter().find(|metric| metric.name == "traces_spanmetrics_latency");
    let Some(Data::ExponentialHistogram(histogram)) = histogram.unwrap().data else { panic!() };
    let named: Vec<_> = histogram.data_points[0].exemplars.iter().map(|exemplar| exemplar.trace_id.clone()).collect();
    assert_eq!(named, [id(1).0.to_vec(), id(2).0.to_vec()]);
}

#[test]
fn a_flood_of_promises_is_let_go_before_the_interval_ends() {
    let mut part = lanes("{}", 1).remove(0);
    let mut sent = 0;
    for n in 0..90_000_u64 {
        let call = run(part.as_mut(), spans("shop", vec![span(1, 2, 0, "")], promise().0), Time(at(0).0 + n));
        sent += call.count(Signal::Metrics);
    }
    assert!(sent > 0 && part.held().spans < 1 << 15, "{sent} {:?}", part.held());
}

#[test]
fn too_short_an_interval_and_a_label_that_is_taken_are_refused_where_they_stand() {
    let refused = |body: &str| match pipeline::testing::build::<SpanMetrics>(body, Kinds::SPANS) {
        Ok(_) => panic!("{body} was taken"),
        Err(faults) => faults.iter().map(|fault| fault.what.clone()).collect::<Vec<_>>(),
    };
    let said = refused("{ interval: 10ms, dimensions: [http.route, http_route, service] }");
    assert_eq!(
        said,
        ["`http_route` is a label already", "`service` is a label already", "`interval: 10ms` is too short; write at least `1s`"]
    );
}
