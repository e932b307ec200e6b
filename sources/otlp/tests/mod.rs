//! The source in a real pipeline, on real sockets, against every bad request we know of.

mod grpc;
mod http;

use crate::trial::{Trial, start};
use bytes::Bytes;
use net::{Coding, coding};
use signal::{Signal, codec::json};

/// A source on free ports, with a limit that a bomb in a test can reach.
const OTLP: &str = "otlp: { grpc: { listen: 127.0.0.1:0 }, http: { listen: 127.0.0.1:0, cors: { origins: ['https://shop.example.com'] } }, limits: { inflated: 2MiB } }";

async fn trial() -> Trial {
    start("", OTLP).await.unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// One span; `n` tells requests apart, since a repeated one is taken once.
fn span_json(n: usize) -> String {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169{n:06x}","name":"a"}}]}}]}}]}}"#
    )
}

fn span(n: usize) -> Bytes {
    json::to_protobuf(Signal::Traces, span_json(n).as_bytes()).unwrap()
}

/// Zeros that are small on the wire and over the limit once inflated.
fn bomb(coding: Coding) -> Bytes {
    coding::compress(coding, &[Bytes::from(vec![0; 3 << 20])]).unwrap()
}

#[tokio::test]
async fn a_port_in_use_says_what_to_set() {
    let taken = net::listen("127.0.0.1:0").await.unwrap();
    let yaml = |key: &str| format!("edge: {{ type: otlp, {key}: {{ listen: {} }} }}", taken.address());
    for (key, other) in [("grpc", "http"), ("http", "grpc")] {
        let source = yaml(key).replace("} }", &format!("}}, {other}: {{ listen: off }} }}"));
        let faults = start("", &source).await.err().expect("the port is taken");
        assert_eq!(faults[0].what, format!("{} is in use; set sources.edge.{key}.listen", taken.address()));
        assert!(faults[0].place.start > 0);
    }
}

#[tokio::test]
async fn two_doors_on_one_address_are_told_apart() {
    let free = net::listen("127.0.0.1:0").await.unwrap().address();
    let both = format!("edge: {{ type: otlp, grpc: {{ listen: {free} }}, http: {{ listen: {free} }} }}");
    let faults = start("", &both).await.err().expect("one address for two");
    assert_eq!(faults[0].what, format!("{free} is already listened on by sources.edge.grpc; set sources.edge.http.listen"));
}

#[tokio::test]
async fn a_door_can_be_shut_but_not_both() {
    let trial =
        start("", "otlp: { grpc: { listen: off }, http: { listen: 127.0.0.1:0 } }").await.map_err(|faults| format!("{faults:?}")).unwrap();
    assert_eq!(trial.running.opened().iter().filter(|(_, opened)| opened.does == "listens").count(), 1);
    let faults = start("", "otlp: { grpc: { listen: off }, http: { listen: off } }").await.err().expect("nothing could come in");
    assert_eq!(faults[0].what, "`otlp` has both `grpc` and `http` off, so nothing can come in");
    let faults = start("", "otlp: { http: { cors: { origins: [shop] } } }").await.err().expect("no origin");
    assert_eq!(faults[0].what, "`shop` is no origin");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_said_at_their_place() {
    let tls = "tls: { cert: /no/cert.pem, key: /no/key.pem }";
    let both = format!("otlp: {{ grpc: {{ listen: 127.0.0.1:0, {tls} }}, http: {{ listen: 127.0.0.1:0, {tls} }} }}");
    let faults = start("", &both).await.err().expect("no such files");
    assert_eq!(faults.iter().map(|fault| &*fault.what).collect::<Vec<_>>(), ["/no/cert.pem: there is no such file"; 2]);
}
