//! Bad input over real sockets: each is refused in the words of its protocol, and after each a good request still goes through and is counted.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "refusals/crowd.rs"]
mod crowd;
#[path = "refusals/start.rs"]
mod start;

use kit::{
    Kansoku, grpc,
    http::{self, Answer},
    otlp::{self, End},
    until,
};
use std::{
    io::Write,
    net::{Shutdown, SocketAddr, TcpStream},
};

const PIPELINE: &str = "
admin: { listen: 127.0.0.1:0 }
sources:
  otlp:
    grpc: { listen: 127.0.0.1:0 }
    http: { listen: 127.0.0.1:0, cors: { origins: ['https://shop.example.com'] } }
    limits: { request: 64KiB, inflated: 1MiB }
sinks:
  out: { type: debug, inputs: [otlp] }
";
const TRACES: &str = "trace.v1.TraceService";
const PROTOBUF: &str = "application/x-protobuf";
/// As google.rpc.Code has them.
const INVALID_ARGUMENT: i32 = 3;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;

/// A kansoku under test, and how many good spans it was sent.
struct Subject {
    kansoku: Kansoku,
    sent: std::cell::Cell<u64>,
    _folder: tempfile::TempDir,
}

impl Subject {
    fn start() -> Subject {
        let folder = tempfile::tempdir().unwrap();
        Subject { kansoku: Kansoku::run(folder.path(), PIPELINE), sent: std::cell::Cell::new(0), _folder: folder }
    }

    /// One good request through each door, and a ledger that knows of all that were ever sent.
    fn is_well_after(&self, what: &str) {
        for door in ["HTTP", "gRPC"] {
            let number = self.sent.get();
            let request = otlp::spans([number], End::Well);
            if door == "HTTP" {
                let answer = http::post(self.kansoku.http(), "/v1/traces", PROTOBUF, &request);
                assert_eq!(answer.status, 200, "{door} after {what}: {}", answer.text());
            } else {
                let answer = grpc::export(self.kansoku.grpc(), TRACES, &request, None);
                assert_eq!(answer.status, 0, "{door} after {what}: {answer:?}");
            }
            self.sent.set(number + 1);
        }
        let sent = i64::try_from(self.sent.get()).unwrap();
        until("the sink has every good span and no other", || (self.kansoku.count("out", "traces", "out") == sent).then_some(()));
        let status = self.kansoku.status();
        assert_eq!(status["lost"], 0, "after {what}: {status}");
    }

    fn post(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        http::post(self.kansoku.http(), path, kind, body)
    }

    /// A body in a coding, over HTTP and over gRPC, each of which has to refuse it so.
    fn refuses_coded(&self, coding: &str, body: &[u8], status: u16, code: i32, word: &str) {
        let headers = [("content-type", PROTOBUF), ("content-encoding", coding)];
        let answer = http::send(self.kansoku.http(), "POST", "/v1/traces", &headers, body);
        assert_eq!(answer.status, status, "{coding}: {}", answer.text());
        assert!(answer.text().contains(word), "{coding}: {}", answer.text());
        let ended = grpc::export(self.kansoku.grpc(), TRACES, body, Some(coding).filter(|c| *c != "identity"));
        assert_eq!(ended.status, code, "{coding}: {ended:?}");
        assert!(!ended.details, "what can never be taken has no time to retry: {ended:?}");
    }
}

/// The message of a google.rpc.Status in JSON.
fn message(answer: &Answer) -> String {
    answer.json()["message"].as_str().unwrap_or_else(|| panic!("no message: {}", answer.text())).to_owned()
}

#[test]
fn malformed_protobuf_is_refused_with_the_field_and_the_byte() {
    let subject = Subject::start();
    let good = otlp::spans([7], End::Well);
    for (what, body) in
        [("cut short", good[..good.len() - 3].to_vec()), ("no message", b"\xff\xff\xff".to_vec()), ("text", b"hello, world".to_vec())]
    {
        let answer = subject.post("/v1/traces", PROTOBUF, &body);
        assert_eq!((answer.status, answer.header("content-type")), (400, Some(PROTOBUF)), "{what}: {}", answer.text());
        assert!(answer.text().contains("at byte "), "{what}: {}", answer.text());
        let ended = grpc::export(subject.kansoku.grpc(), TRACES, &body, None);
        assert_eq!(ended.status, INVALID_ARGUMENT, "{what}: {ended:?}");
        assert!(ended.message.contains("byte"), "{what}: {ended:?}");
        subject.is_well_after(what);
    }
    let cut = subject.post("/v1/traces", PROTOBUF, &good[..good.len() - 3]).text();
    assert!(cut.contains("resource_spans"), "the field is named: {cut}");
}

#[test]
fn malformed_json_is_refused_with_the_field_or_the_byte() {
    let subject = Subject::start();
    let deep = format!("{}1{}", "[".repeat(100_000 / 4), "]".repeat(100_000 / 4));
    for (what, body, word) in [
        ("cut short", r#"{"resourceSpans":[{"scopeSpans":"#, "byte"),
        ("a wrong id", r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}"#, "traceId"),
        ("a wrong type", r#"{"resourceSpans":[{"scopeSpans":[{"spans":"none"}]}]}"#, "spans"),
        ("no JSON", "hello", "byte"),
        ("too deep", &deep, "byte"),
    ] {
        let answer = subject.post("/v1/traces", "application/json", body.as_bytes());
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")), "{what}: {}", answer.text());
        assert!(message(&answer).contains(word), "{what}: `{word}` is not in {}", answer.text());
        subject.is_well_after(what);
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_costs_memory() {
    let subject = Subject::start();
    let noise: Vec<u8> = (0_u32..50_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    subject.refuses_coded("identity", &noise, 413, RESOURCE_EXHAUSTED, "larger than");
    subject.is_well_after("a body of 200 kB where 64 KiB are taken");
    let zeros = vec![0; 32 << 20];
    for (coding, bomb) in [("gzip", otlp::gzip(&zeros)), ("zstd", otlp::zstd(&zeros))] {
        assert!(bomb.len() < 64 << 10, "{coding}: the bomb is small on the wire: {}", bomb.len());
        subject.refuses_coded(coding, &bomb, 413, RESOURCE_EXHAUSTED, "inflates to more than");
        subject.is_well_after(coding);
    }
}

#[test]
fn a_body_that_is_not_in_its_coding_is_refused() {
    let subject = Subject::start();
    for coding in ["gzip", "zstd"] {
        subject.refuses_coded(coding, b"neither of them", 400, INVALID_ARGUMENT, "not valid");
        subject.is_well_after(coding);
    }
    let headers = [("content-type", PROTOBUF), ("content-encoding", "br")];
    let answer = http::send(subject.kansoku.http(), "POST", "/v1/traces", &headers, b"x");
    assert_eq!(answer.status, 415, "{}", answer.text());
    assert!(answer.header("accept-encoding").is_some_and(|taken| taken.contains("zstd")), "{}", answer.head);
    let ended = grpc::export(subject.kansoku.grpc(), TRACES, b"x", Some("br"));
    assert_eq!(ended.status, UNIMPLEMENTED, "{ended:?}");
    subject.is_well_after("an unknown coding");
}

#[test]
fn what_is_good_in_gzip_and_zstd_is_taken() {
    let subject = Subject::start();
    let request = |number| otlp::spans([number], End::Well);
    for (number, coding, body) in [(1000, "gzip", otlp::gzip(&request(1000))), (1001, "zstd", otlp::zstd(&request(1001)))] {
        let headers = [("content-type", PROTOBUF), ("content-encoding", coding)];
        assert_eq!(http::send(subject.kansoku.http(), "POST", "/v1/traces", &headers, &body).status, 200, "{number} in {coding}");
    }
    for (number, coding, body) in [(1002, "gzip", otlp::gzip(&request(1002))), (1003, "zstd", otlp::zstd(&request(1003)))] {
        assert_eq!(grpc::export(subject.kansoku.grpc(), TRACES, &body, Some(coding)).status, 0, "{number} in {coding}");
    }
    subject.sent.set(4);
    subject.is_well_after("four requests");
}

#[test]
fn a_wrong_path_method_or_content_type_is_told_what_is_right() {
    let subject = Subject::start();
    let good = otlp::spans([7], End::Well);
    let path = subject.post("/v1/trace", "application/json", b"{}");
    assert_eq!(path.status, 404);
    assert!(message(&path).contains("/v1/traces"), "{}", path.text());
    let method = http::get(subject.kansoku.http(), "/v1/traces");
    assert_eq!((method.status, method.header("allow")), (405, Some("POST")));
    let kind = subject.post("/v1/traces", "text/plain", &good);
    assert_eq!(kind.status, 415);
    assert!(message(&kind).contains("application/x-protobuf"), "{}", kind.text());
    let service = grpc::call(subject.kansoku.grpc(), "/opentelemetry.proto.collector.trace.v1.TraceService/Import", &good, None);
    assert_eq!(service.status, UNIMPLEMENTED, "{service:?}");
    subject.is_well_after("wrong words");
}

#[test]
fn a_client_at_the_wrong_port_is_told_the_right_one() {
    let subject = Subject::start();
    let (over_grpc, over_http) = (subject.kansoku.grpc(), subject.kansoku.http());
    let http_at_grpc = http::post(over_grpc, "/v1/traces", PROTOBUF, &otlp::spans([7], End::Well));
    assert_eq!(http_at_grpc.status, 415, "{}", http_at_grpc.text());
    assert!(http_at_grpc.text().contains(&over_http.to_string()), "{}", http_at_grpc.text());
    let grpc_at_http = grpc::export(over_http, TRACES, &otlp::spans([7], End::Well), None);
    assert_eq!(grpc_at_http.status, UNIMPLEMENTED, "{grpc_at_http:?}");
    assert!(grpc_at_http.message.contains(&over_grpc.port().to_string()), "{grpc_at_http:?}");
    subject.is_well_after("mixed up ports");
}

#[test]
fn a_browser_page_may_send_if_its_origin_was_named() {
    let subject = Subject::start();
    let preflight = |origin: &str| {
        let headers = [("origin", origin), ("access-control-request-method", "POST"), ("access-control-request-headers", "content-type")];
        http::send(subject.kansoku.http(), "OPTIONS", "/v1/traces", &headers, b"")
    };
    let named = preflight("https://shop.example.com");
    assert!((200..300).contains(&named.status), "{}", named.head);
    assert_eq!(named.header("access-control-allow-origin"), Some("https://shop.example.com"));
    assert_eq!(named.header("access-control-allow-methods"), Some("POST"));
    assert!(named.header("access-control-allow-headers").is_some_and(|h| h.contains("content-type")), "{}", named.head);
    assert_eq!(preflight("https://elsewhere.example.com").header("access-control-allow-origin"), None);
    subject.is_well_after("preflights");
}

#[test]
fn a_client_that_talks_nonsense_or_goes_away_disturbs_nobody() {
    let subject = Subject::start();
    for address in [subject.kansoku.http(), subject.kansoku.grpc()] {
        for nonsense in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"GET\r\n\r\n\r\n",
            &[0xff; 4096],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff",
        ] {
            talk(address, nonsense);
        }
        talk(address, b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\nhalf");
    }
    subject.is_well_after("nonsense");
}

/// Sends bytes and hangs up.
fn talk(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    // The other side may have hung up first, which is fine.
    let (_sent, _shut) = (stream.write_all(bytes), stream.shutdown(Shutdown::Both));
}
