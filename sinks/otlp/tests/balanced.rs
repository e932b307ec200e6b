//! Several gateways: who gets what, what moves when one comes or goes, and what becomes of the part of one that does not take it.

use super::*;
use crate::otlp::members::Members;
use kit::dns;
use net::Silence;
use pipeline::GatewayState;
use signal::{Key, TraceId};
use std::{collections::BTreeSet, time::Duration};

fn span(trace: u64) -> serde_json::Value {
    serde_json::json!({ "traceId": format!("{:032x}", trace + 1), "spanId": "b7ad6b7169203331", "name": trace.to_string() })
}

fn parcel_of(signal: Signal, request: &serde_json::Value) -> Parcel {
    let raw = json::to_protobuf(signal, request.to_string().as_bytes()).unwrap();
    let (checked, counts) = check(signal, raw, &Limits::default()).unwrap();
    let chunk = Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(0));
    Parcel { flow: Flow::Batch(Batch::new(signal, chunk, Ack::none())) }
}

fn spans(traces: impl IntoIterator<Item = u64>) -> Parcel {
    let spans: Vec<_> = traces.into_iter().map(span).collect();
    parcel_of(Signal::Traces, &serde_json::json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] }))
}

fn logs(texts: &[String]) -> Parcel {
    let logs: Vec<_> = texts.iter().map(|text| serde_json::json!({ "body": { "stringValue": text } })).collect();
    parcel_of(Signal::Logs, &serde_json::json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": logs }] }] }))
}

/// The traces and texts in what a server got so far.
fn taken(server: &mut Server) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(got) = server.got.try_recv() {
        let signal = if got.path.contains("logs") || got.path.contains("Logs") { Signal::Logs } else { Signal::Traces };
        let (checked, counts) = check(signal, got.request, &Limits::default()).unwrap();
        let chunk = Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(0));
        for record in chunk.records(signal) {
            all.push(match record.item {
                signal::Item::Span(span) => span.name().to_owned(),
                signal::Item::Log(log) => log.message().unwrap_or_default().to_owned(),
                signal::Item::Point(..) => unreachable!("none was sent"),
            });
        }
    }
    all
}

fn listed(servers: &[&Server], protocol: &str) -> Box<dyn Sink> {
    let urls: Vec<String> = servers.iter().map(|server| format!("http://{}", server.address)).collect();
    sink(&format!("endpoint: [{}]\nprotocol: {protocol}\nbalance: trace_id\n", urls.join(", ")))
}

#[tokio::test]
async fn a_trace_and_its_logs_are_at_one_gateway_and_every_gateway_has_its_share() {
    for protocol in ["grpc", "http"] {
        let [mut a, mut b, mut c] = [serving(Ok(Bytes::new())).await, serving(Ok(Bytes::new())).await, serving(Ok(Bytes::new())).await];
        let sink = listed(&[&a, &b, &c], protocol);
        sink.deliver(&spans(0..300)).await.unwrap();
        sink.deliver(&spans((0..300).rev())).await.unwrap();
        let texts: Vec<String> = (0..300).map(|trace| format!("trace_id={:032x} span_id=b7ad6b7169203331 done", trace + 1)).collect();
        sink.deliver(&logs(&texts)).await.unwrap();
        let mut seen = BTreeSet::new();
        for server in [&mut a, &mut b, &mut c] {
            let all = taken(server);
            let of_spans: Vec<&String> = all.iter().filter(|text| !text.contains("trace_id")).collect();
            let traces: BTreeSet<u64> = of_spans.iter().map(|name| name.parse().unwrap()).collect();
            let of_logs = all.iter().filter_map(|text| u64::from_str_radix(text.strip_prefix("trace_id=")?.split(' ').next()?, 16).ok());
            let of_logs = of_logs.map(|id| id - 1);
            assert!(traces.len() > 60 && of_spans.len() == 2 * traces.len(), "{protocol}: {} of 300", traces.len());
            assert_eq!(of_logs.collect::<BTreeSet<_>>(), traces);
            assert!(traces.is_disjoint(&seen));
            seen.extend(traces);
        }
        assert_eq!(seen.len(), 300);
        let status = sink.gateways().unwrap();
        assert_eq!(status.each.iter().map(|gateway| gateway.records).sum::<u64>(), 900);
        assert!(status.each.iter().all(|gateway| gateway.state == GatewayState::Up));
    }
}

#[tokio::test]
async fn logs_without_a_trace_go_to_each_in_turn() {
    let [mut a, mut b] = [serving(Ok(Bytes::new())).await, serving(Ok(Bytes::new())).await];
    let sink = listed(&[&a, &b], "grpc");
    for n in 0..6 {
        sink.deliver(&logs(&[format!("line {n}")])).await.unwrap();
    }
    assert_eq!((taken(&mut a).len(), taken(&mut b).len()), (3, 3));
}

#[tokio::test]
async fn the_part_of_a_dead_gateway_goes_to_the_others_at_once_and_nothing_goes_twice() {
    let [mut a, mut b, c] = [serving(Ok(Bytes::new())).await, serving(Ok(Bytes::new())).await, serving(Ok(Bytes::new())).await];
    let sink = listed(&[&a, &b, &c], "grpc");
    drop(c);
    let Err(Refusal::Rest { rest, rejected: 0, after, why }) = sink.deliver(&spans(0..90)).await else { panic!("a third is left") };
    assert_eq!(after, Some(Duration::ZERO));
    assert!(why.0.contains("did not answer"), "{}", why.0);
    sink.deliver(&rest).await.unwrap();
    // And from now on without a detour.
    sink.deliver(&spans(90..180)).await.unwrap();
    let mut all: Vec<u64> = [taken(&mut a), taken(&mut b)].concat().iter().map(|name| name.parse().unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..180).collect::<Vec<_>>());
    let status = sink.gateways().unwrap();
    assert_eq!(status.each.iter().filter(|gateway| gateway.state == GatewayState::Down).count(), 1);
    assert_eq!(status.moved_traces, rest.flow.len() as u64, "they may have been begun there");
}

#[tokio::test]
async fn what_one_gateway_puts_off_or_refuses_is_all_that_is_handed_back() {
    let [mut a, b] = [serving(Ok(Bytes::new())).await, serving(Err(Status::new(Code::Unavailable, "busy"))).await];
    let sink = listed(&[&a, &b], "grpc");
    let Err(Refusal::Rest { rest, after: None, why, .. }) = sink.deliver(&spans(0..60)).await else { panic!("half is left") };
    assert_eq!(why, Why(format!("{}: Unavailable: busy", b.address)));
    assert_eq!(taken(&mut a).len() + rest.flow.len(), 60);
    let alone = sink.deliver(&rest).await.unwrap_err();
    assert_eq!(alone, Refusal::Later { after: None, why: Why(format!("{}: Unavailable: busy", b.address)) });

    let b = serving(Err(Status::new(Code::InvalidArgument, "no"))).await;
    let sink = listed(&[&a, &b], "http");
    let Err(Refusal::Rest { rest, after, .. }) = sink.deliver(&spans(0..60)).await else { panic!("half is left") };
    assert_eq!(after, Some(Duration::ZERO), "alone it shows what is wrong with it");
    assert!(matches!(sink.deliver(&rest).await, Err(Refusal::Never { .. })));

    let [b, c] = [serving(Ok(answer::response(2, "no ids"))).await, serving(Err(Status::new(Code::Unavailable, "busy"))).await];
    let refused = listed(&[&a, &b], "grpc").deliver(&spans(0..60)).await.unwrap_err();
    assert_eq!(refused, Refusal::Partly { records: 2, why: Why(format!("{}: no ids", b.address)) });
    let refused = listed(&[&a, &b, &c], "grpc").deliver(&spans(0..60)).await.unwrap_err();
    assert!(matches!(refused, Refusal::Rest { rejected: 2, after: None, .. }), "{refused:?}");
    let never = serving(Err(Status::new(Code::InvalidArgument, "no"))).await;
    let refused = listed(&[&never, &c], "grpc").deliver(&spans(0..60)).await.unwrap_err();
    assert!(matches!(refused, Refusal::Later { .. }), "what was put off is none the worse for what was refused: {refused:?}");
}

#[tokio::test]
async fn the_addresses_of_a_name_are_gateways_as_they_come_and_go() {
    let names = dns::Server::start();
    let mut first = serving(Ok(Bytes::new())).await;
    let port = first.address.port();
    let sink = sink(&format!("endpoint: dns://{}/gateway.example:{port}\nbalance: trace_id\n", names.address()));
    let Err(Refusal::Later { why, .. }) = sink.deliver(&spans(0..9)).await else { panic!("nobody is there") };
    assert_eq!(why.0, "`gateway.example` cannot be looked up (there is no such name)");
    names.set("gateway.example", &["127.0.0.1"]);
    let (stop, stopped) = pipeline::Stop::pair();
    let drive = async {
        while sink.deliver(&spans(0..9)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(taken(&mut first).len(), 9);
        names.set("gateway.example", &["127.0.0.9"]);
        while sink.gateways().unwrap().each.len() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sink.deliver(&spans(0..9)).await.unwrap();
        assert_eq!(taken(&mut first).len(), 9, "what was begun there ends there");
        let states: Vec<GatewayState> = sink.gateways().unwrap().each.iter().map(|gateway| gateway.state).collect();
        assert_eq!(states, [GatewayState::Leaving, GatewayState::Up]);
        assert!(sink.deliver(&spans(9..18)).await.is_err(), "nobody listens on the other address");
        stop.send_replace(true);
    };
    let (ended, ()) = futures::future::join(sink.run(stopped), drive).await;
    ended.unwrap();
}

fn members(urls: &[&str], members: &mut Members) {
    let form = |at: &At| {
        let client = net::Client::new(net::Protocol::Grpc, at.url()).unwrap();
        let headers = HeaderMap::new();
        let dial =
            wire::dial(net::Protocol::Grpc, &config::Placed::nowhere(String::new()), at.url(), None, std::path::Path::new("/")).unwrap().0;
        let timeout = Duration::from_secs(1);
        let form = Arc::new(Form { protocol: net::Protocol::Grpc, coding: Coding::Identity, headers, timeout, dial });
        Some(Sender::new(&form, at.url(), client))
    };
    members.are(urls.iter().map(|url| At::Url(url.parse().unwrap())).collect(), form);
}

fn owners(all: &mut Members, traces: std::ops::Range<u64>) -> Vec<String> {
    let places: Vec<String> = all.members().map(|member| member.place.clone()).collect();
    traces.map(|trace| places[all.owner(Key::Trace(TraceId(u128::from(trace).to_be_bytes())))].clone()).collect()
}

const THREE: [&str; 3] = ["http://10.0.0.1:4317", "http://10.0.0.2:4317", "http://10.0.0.3:4317"];

#[tokio::test(start_paused = true)]
async fn a_gateway_that_comes_or_goes_moves_only_its_share_and_no_open_trace() {
    let mut all = Members::new(Remembered::new(Duration::from_secs(30), 1 << 20));
    members(&THREE, &mut all);
    let before = owners(&mut all, 0..1_000);
    // Whoever comes to other numbers in another version splits traces.
    assert_eq!(before[..6].iter().map(|place| &place[7..8]).collect::<String>(), "121122");
    members(&THREE[..2], &mut all);
    assert_eq!(owners(&mut all, 0..1_000), before, "the open ones stay");
    tokio::time::advance(Duration::from_secs(61)).await;
    let with_two = owners(&mut all, 0..1_000);
    for (trace, (before, after)) in before.iter().zip(&with_two).enumerate() {
        assert!(before == after || before == "10.0.0.3:4317", "trace {trace} moved from {before} to {after}");
    }
    members(&["http://10.0.0.2:4317", "http://10.0.0.1:4317", "http://10.0.0.3:4317"], &mut all);
    assert_eq!(owners(&mut all, 0..1_000), with_two, "the open ones stay");
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(owners(&mut all, 0..1_000), before, "and all is as it was");
    assert_eq!(all.status().moved_traces, 0);
}

#[tokio::test(start_paused = true)]
async fn open_traces_leave_a_gateway_that_is_down_once_and_are_counted() {
    let mut all = Members::new(Remembered::new(Duration::from_secs(30), 1 << 20));
    members(&THREE, &mut all);
    let before = owners(&mut all, 0..1_000);
    let third = Arc::clone(all.members().nth(2).unwrap());
    all.was_silent(&third, Silence::Late);
    assert_eq!(owners(&mut all, 0..1_000), before, "one late answer is no death");
    all.was_silent(&third, Silence::Unreached);
    let meanwhile = owners(&mut all, 0..1_000);
    assert!(!meanwhile.contains(&third.place));
    assert_eq!(all.status().moved_traces, before.iter().filter(|place| **place == third.place).count() as u64);
    all.is_up(&third, true);
    assert_eq!(owners(&mut all, 0..1_000), meanwhile, "what has moved stays where it is now");
    assert!(owners(&mut all, 1_000..2_000).contains(&third.place));
    for member in all.members().cloned().collect::<Vec<_>>() {
        all.was_silent(&member, Silence::Unreached);
    }
    assert!(!all.is_empty() && !all.any_is_up(), "where none answers, each is asked");
}

#[tokio::test]
async fn a_reload_keeps_who_has_what() {
    let [mut a, mut b, c] = [serving(Ok(Bytes::new())).await, serving(Ok(Bytes::new())).await, serving(Ok(Bytes::new())).await];
    let two = listed(&[&a, &b], "grpc");
    two.deliver(&spans(0..100)).await.unwrap();
    let before = [taken(&mut a), taken(&mut b)];
    let three = listed(&[&c, &b, &a], "grpc");
    three.adopt(two.release().unwrap());
    three.deliver(&spans(0..100)).await.unwrap();
    assert_eq!([taken(&mut a), taken(&mut b)], before);
    three.deliver(&spans(100..200)).await.unwrap();
    let one = listed(&[&a, &b], "grpc");
    one.adopt(three.release().unwrap());
    one.deliver(&spans(0..200)).await.unwrap();
    let states: Vec<_> = one.gateways().unwrap().each.iter().map(|gateway| (gateway.state, gateway.records > 0)).collect();
    assert_eq!(states, [(GatewayState::Up, true), (GatewayState::Up, true), (GatewayState::Leaving, true)]);
}
