//! The sink against a server on a real socket that keeps what it gets and answers as told.

mod balanced;

use super::*;
use bytes::Bytes;
use http::{Request, Response, Uri, header::CONTENT_ENCODING};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use net::{Code, Listener, Status, Transport, body, coding, grpc, serve};
use pipeline::{Why, testing::build};
use signal::{
    Ack, Batch, Chunk, Flow, Limits, Ordinals, Signal, Time, check,
    codec::{answer, json},
};
use std::{convert::Infallible, net::SocketAddr, sync::Arc};
use tokio::{sync::mpsc, task::JoinSet};

/// What a server got: path, headers, inflated request.
struct Got {
    path: String,
    headers: HeaderMap,
    request: Bytes,
}

struct Server {
    address: SocketAddr,
    got: mpsc::Receiver<Got>,
    _task: JoinSet<()>,
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Answers every call with `says`, and every post with its HTTP likeness.
async fn serving(says: Result<Bytes, Status>) -> Server {
    let listener: Listener = net::listen("127.0.0.1:0").await.unwrap();
    let address = listener.address();
    let (tell, got) = mpsc::channel(64);
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let (tell, says) = (tell.clone(), says.clone());
        async move { Ok::<_, Infallible>(answered(request, says, tell).await) }
    });
    let mut task = JoinSet::new();
    task.spawn(async move { net::serve(&listener, Transport::Plain, service, serve::Limits::default(), std::future::pending()).await });
    Server { address, got, _task: task }
}

async fn answered(request: Request<Incoming>, says: Result<Bytes, Status>, tell: mpsc::Sender<Got>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let limits = body::Limits::default();
    let path = Uri::path(&head.uri).to_owned();
    if path.ends_with("/Export") {
        let headers = head.headers.clone();
        let serve = async move |request, ()| {
            tell.send(Got { path, headers, request }).await.unwrap();
            says
        };
        let refuse = |_: &(), error: body::ReadError| Status::new(error.code(), error.to_string());
        let answer = grpc::unary(Request::from_parts(head, body), Arc::new(limits), (), |(), _| Ok(()), refuse, serve).await;
        return answer.map(|body| BodyExt::boxed_unsync(body.map_err(|status| unreachable!("{status}"))));
    }
    let wire = body::read(&head.extensions, body, &limits, &mut |_| Ok(())).await.unwrap();
    let coding = Coding::of_header(head.headers.get(CONTENT_ENCODING)).unwrap();
    let request = coding::inflate(coding, wire, &limits, &mut |_| Ok(())).await.unwrap();
    tell.send(Got { path, headers: head.headers, request }).await.unwrap();
    let (status, body) = match says {
        Ok(body) => (200, body),
        Err(status) => (if status.code() == Code::Unavailable { 503 } else { 400 }, Bytes::copy_from_slice(status.details())),
    };
    Response::builder().status(status).header("retry-after", "4").body(Full::new(body).boxed_unsync()).unwrap()
}

fn chunk(name: &str) -> Chunk {
    let span = serde_json::json!({ "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": name });
    let request = serde_json::json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] }).to_string();
    let raw = json::to_protobuf(Signal::Traces, request.as_bytes()).unwrap();
    let (checked, counts) = check(Signal::Traces, raw, &Limits::default()).unwrap();
    Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(0))
}

fn parcel() -> Parcel {
    let mut batch = Batch::new(Signal::Traces, chunk("one"), Ack::none());
    batch.absorb(Batch::new(Signal::Traces, chunk("two"), Ack::none()));
    Parcel { flow: Flow::Batch(batch) }
}

fn sink(config: &str) -> Box<dyn Sink> {
    build::<Otlp>(config, Kinds::RECORDS).unwrap_or_else(|faults| panic!("{faults:?}"))
}

#[tokio::test]
async fn chunks_arrive_as_one_request_over_both_protocols_and_all_compressions() {
    let mut server = serving(Ok(Bytes::new())).await;
    let whole = [chunk("one"), chunk("two")].map(|chunk| chunk.bytes().bytes().to_vec()).concat();
    let grpc = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    for (protocol, path) in [("grpc", grpc), ("http", "/v1/traces")] {
        for compression in ["none", "gzip", "zstd"] {
            let endpoint = format!("endpoint: http://{}", server.address);
            let sink = sink(&format!("{endpoint}\nprotocol: {protocol}\ncompression: {compression}\nheaders: {{ x-tenant: shop }}\n"));
            sink.deliver(&parcel()).await.unwrap();
            let got = server.got.recv().await.unwrap();
            assert_eq!((&*got.path, got.headers["x-tenant"].to_str().unwrap()), (path, "shop"));
            assert!(got.request == whole, "{protocol} {compression}");
            sink.probe().await.unwrap();
            assert!(server.got.recv().await.unwrap().request.is_empty());
        }
    }
}

#[tokio::test]
async fn refusals_keep_the_words_and_the_time_of_the_server() {
    let retry = Some(std::time::Duration::from_millis(2_500));
    let details = answer::Status { code: 14, message: "going down".into(), retry }.encode();
    let server = serving(Err(Status::with_details(Code::Unavailable, "going down", details))).await;
    let over = |protocol: &str| sink(&format!("endpoint: http://{}\nprotocol: {protocol}\n", server.address));
    let grpc = over("grpc").deliver(&parcel()).await.unwrap_err();
    assert_eq!(grpc, Refusal::Later { after: retry, why: Why("Unavailable: going down".into()) });
    let http = over("http").deliver(&parcel()).await.unwrap_err();
    let after = Some(std::time::Duration::from_secs(4));
    assert_eq!(http, Refusal::Later { after, why: Why("HTTP 503 Service Unavailable: going down".into()) });

    let server = serving(Ok(answer::response(1, "span without id"))).await;
    let refused = sink(&format!("endpoint: http://{}", server.address)).deliver(&parcel()).await.unwrap_err();
    assert_eq!(refused, Refusal::Partly { records: 1, why: Why("span without id".into()) });
}

#[tokio::test]
async fn who_cannot_be_reached_is_asked_again_later() {
    for protocol in ["grpc", "http"] {
        let refused = sink(&format!("endpoint: http://127.0.0.1:9\nprotocol: {protocol}\n")).deliver(&parcel()).await.unwrap_err();
        let Refusal::Later { after: None, why } = refused else { panic!("{refused:?}") };
        assert!(why.0.contains("127.0.0.1:9 did not answer (Connection refused"), "{}", why.0);
    }
}

#[test]
fn what_is_no_endpoint_or_header_is_said() {
    let table = [
        ("endpoint: gateway:4317", "`gateway:4317` is no URL to send OTLP to"),
        ("endpoint: http://x:4317/path\nprotocol: grpc\n", "an endpoint for gRPC has no path"),
        ("endpoint: http://x:4317\nheaders: { 'a b': c }\n", "`a b` is no name of a header"),
        ("endpoint: http://x:4317\ntls: { ca: ca.pem }\n", "`tls` is set, but the address is not"),
        ("endpoint: https://x:4317\ntls: { cert: a.pem }\n", "`cert` is shown with its `key`; set both"),
        ("endpoint: https://x:4317\ntls: { server_name: 'a b' }\n", "`a b` is no name of a server"),
        ("endpoint: https://x:4317\ntls: { ca: /no/such.pem }\n", "/no/such.pem: there is no such file"),
        ("endpoint: http://x:4317\nauth: { bearer: \"a\\nb\" }\n", "it has characters that no header can hold"),
    ];
    for (config, said) in table {
        let faults = build::<Otlp>(config, Kinds::RECORDS).err().unwrap();
        assert_eq!(faults[0].what, said);
    }
}

#[tokio::test]
async fn the_protocol_follows_from_the_endpoint() {
    for (endpoint, opened) in
        [("http://x:4318", "OTLP/HTTP to x:4318"), ("https://x/otlp", "OTLP/HTTP to x:443"), ("http://x:4317", "OTLP/gRPC to x:4317")]
    {
        assert_eq!(sink(&format!("endpoint: {endpoint}")).open().await.unwrap()[0].what, opened);
    }
}
