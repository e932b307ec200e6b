//! OTLP/HTTP, spoken by hand.

use super::*;
use pipeline::Speaks;
use signal::codec::answer;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

struct Answered {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answered {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default()
    }

    /// The message of google.rpc.Status, in the encoding that the answer names.
    fn message(&self) -> String {
        let status = match self.header("content-type") {
            "application/x-protobuf" => answer::Status::decode(&self.body),
            "application/json" => answer::Status::of_json(&self.body),
            other => panic!("{other} {}", self.head),
        };
        status.unwrap().message
    }
}

async fn say(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answered {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    let end = heard.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(heard[..end].to_vec()).unwrap();
    Answered { status: head[9..12].parse().unwrap(), body: heard[end + 4..].to_vec(), head }
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn spans_come_in_in_both_encodings_and_every_coding() {
    let trial = trial().await;
    let http = trial.address(Speaks::OtlpHttp);
    let mut n = 0;
    for kind in [PROTOBUF, JSON, ("content-type", "Application/JSON; charset=utf-8")] {
        for coding in Coding::ALL {
            n += 1;
            let plain = if kind == PROTOBUF { span(n) } else { span_json(n).into() };
            let body = coding::compress(coding, &[plain]).unwrap();
            let answer = say(http, "POST", "/v1/traces", &[kind, ("content-encoding", coding.word())], &body).await;
            let said = if kind == PROTOBUF { "" } else { "{}" };
            assert_eq!((answer.status, &*answer.body), (200, said.as_bytes()), "{coding:?} {}", answer.head);
        }
    }
    assert_eq!(trial.kept(Signal::Traces, n).await, n);
    let log = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}"#;
    assert_eq!(say(http, "POST", "/v1/logs", &[JSON], log).await.status, 200);
    assert_eq!(trial.kept(Signal::Logs, 1).await, 1);
    trial.end().await;
}

#[tokio::test]
async fn what_is_cut_out_is_a_partial_success() {
    let trial = trial().await;
    let two = span_json(1).replace(r#""name":"a"}"#, r#""name":"a"},{"name":"has no ids"}"#);
    let answer = say(trial.address(Speaks::OtlpHttp), "POST", "/v1/traces", &[JSON], two.as_bytes()).await;
    let body = String::from_utf8(answer.body).unwrap();
    assert!(
        answer.status == 200
            && body
                .starts_with(r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"resourceSpans[0].scopeSpans[0].spans[1]: a span"#),
        "{body}"
    );
    assert_eq!(trial.kept(Signal::Traces, 1).await, 1);
    trial.end().await;
}

#[tokio::test]
async fn every_bad_request_is_told_what_is_wrong() {
    let trial = trial().await;
    let http = trial.address(Speaks::OtlpHttp);
    let gzip = ("content-encoding", "gzip");
    let paths = "OTLP goes to /v1/traces, /v1/logs, /v1/metrics";
    let types = "the content type must be application/x-protobuf or application/json";
    let codings = "the coding `br` is not taken; use gzip, deflate, zstd";
    type Case<'a> = (u16, &'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8]);
    let table: [Case<'_>; 11] = [
        (404, &format!("no path `/`; {paths}"), "POST", "/", &[JSON], b"{}"),
        (404, &format!("no path `/v1/trace`; {paths}"), "POST", "/v1/trace", &[PROTOBUF], b""),
        (405, "`/v1/logs` takes POST, not GET", "GET", "/v1/logs", &[], b""),
        (405, "`/v1/logs` takes POST, not PUT", "PUT", "/v1/logs", &[JSON], b"{}"),
        (415, types, "POST", "/v1/logs", &[("content-type", "text/plain")], b"hello"),
        (415, types, "POST", "/v1/logs", &[], b"hello"),
        (415, codings, "POST", "/v1/logs", &[JSON, ("content-encoding", "br")], b"{}"),
        (400, "the body is not valid gzip", "POST", "/v1/logs", &[PROTOBUF, gzip], b"not gzip at all"),
        (400, "resourceSpans[0]", "POST", "/v1/traces", &[JSON], br#"{"resourceSpans":[{"scopeSpans":7}]}"#),
        (400, "at byte 22", "POST", "/v1/traces", &[JSON], br#"{"resourceSpans": [], oops"#),
        (400, "at byte 0", "POST", "/v1/traces", &[PROTOBUF], b"\xff\xff\xff"),
    ];
    for (status, said, method, path, headers, body) in table {
        let answer = say(http, method, path, headers, body).await;
        let message = answer.message();
        assert_eq!(answer.status, status, "{message}");
        assert!(message.contains(said), "{message}\nis not\n{said}");
        assert_eq!(answer.header("allow") == "POST", status == 405);
        assert_eq!(answer.header("accept") == "application/x-protobuf, application/json", status == 415);
    }
    // Nothing else was disturbed.
    assert_eq!(say(http, "POST", "/v1/traces", &[PROTOBUF], &span(1)).await.status, 200);
    trial.end().await;
}

#[tokio::test]
async fn what_is_too_large_is_413_however_it_is_packed() {
    let trial = trial().await;
    let http = trial.address(Speaks::OtlpHttp);
    for kind in [PROTOBUF, JSON] {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
            let answer = say(http, "POST", "/v1/traces", &[kind, ("content-encoding", coding.word())], &bomb(coding)).await;
            let message = answer.message();
            assert!(answer.status == 413 && message.contains("inflates to more than"), "{message}");
        }
    }
    let answer = say(http, "POST", "/v1/traces", &[PROTOBUF], &vec![0; (16 << 20) + 1]).await;
    assert_eq!((answer.status, answer.message()), (413, "the body is larger than the 16 MiB that are taken".to_owned()));
    let drained = trial.end().await;
    let refused = &drained.ledger.node("otlp").unwrap().signals[&Signal::Traces].refused;
    assert_eq!((refused.len(), refused["too_large"].requests), (1, 7), "{refused:?}");
}

#[tokio::test]
async fn a_full_budget_is_429_with_a_time_to_retry() {
    let trial = start("memory: 16MiB", OTLP).await.map_err(|faults| format!("{faults:?}")).unwrap();
    let answer = say(trial.address(Speaks::OtlpHttp), "POST", "/v1/traces", &[PROTOBUF], &vec![0; 8 << 20]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
    let status = answer::Status::decode(&answer.body).unwrap();
    assert_eq!((status.code, status.retry.map(|after| after.as_secs())), (8, Some(1)));
    let drained = trial.end().await;
    let refused = &drained.ledger.node("otlp").unwrap().signals[&Signal::Traces].refused;
    assert_eq!((refused.len(), refused["memory"].requests), (1, 1), "{refused:?}");
}

#[tokio::test]
async fn pages_of_named_origins_may_send_and_others_may_not() {
    let trial = trial().await;
    let http = trial.address(Speaks::OtlpHttp);
    let asks = [("access-control-request-method", "POST"), ("access-control-request-headers", "content-type")];
    for (origin, allowed) in [("https://shop.example.com", "https://shop.example.com"), ("https://evil.example.com", "")] {
        let answer = say(http, "OPTIONS", "/v1/traces", &[("origin", origin), asks[0], asks[1]], b"").await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, allowed));
        let sent = say(http, "POST", "/v1/traces", &[("origin", origin), JSON], b"{}").await;
        assert_eq!((sent.status, sent.header("access-control-allow-origin")), (200, allowed));
    }
    trial.end().await;
}

#[tokio::test]
async fn who_mixes_up_the_ports_is_told_the_right_one() {
    let trial = trial().await;
    let (grpc, http) = (trial.address(Speaks::OtlpGrpc), trial.address(Speaks::OtlpHttp));
    let answer = say(grpc, "POST", "/v1/traces", &[PROTOBUF], &span(1)).await;
    assert_eq!(
        (answer.status, &*String::from_utf8(answer.body).unwrap()),
        (415, &*format!("this port speaks OTLP/gRPC; OTLP/HTTP is on {http}\n"))
    );
    let answer = say(grpc, "POST", "/v1/traces", &[("content-type", "application/grpc-web+proto")], b"").await;
    assert_eq!(answer.status, 415);
    let answer = say(http, "POST", "/x/Export", &[("content-type", "application/grpc")], b"").await;
    assert_eq!(answer.header("grpc-message").replace("%20", " "), format!("this port speaks OTLP/HTTP; OTLP/gRPC is on {grpc}"));
    trial.end().await;
}

#[tokio::test]
async fn who_shows_no_credential_is_told_how_before_anything_is_read() {
    let locked = "otlp: { grpc: { listen: off }, http: { listen: 127.0.0.1:0, auth: { basic: { user: shop, password: x } }, cors: { origins: ['*'] } } }";
    let trial = start("", locked).await.map_err(|faults| format!("{faults:?}")).unwrap();
    let http = trial.address(Speaks::OtlpHttp);
    let answer = say(http, "POST", "/v1/traces", &[JSON], b"malformed").await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Basic realm=\"kansoku\""));
    assert!(answer.message().contains("user and password"));
    let right = ("authorization", "Basic c2hvcDp4");
    assert_eq!(say(http, "POST", "/v1/traces", &[JSON, right], span_json(1).as_bytes()).await.status, 200);
    // A browser asks first, and shows nothing when it does.
    let asks = [("origin", "https://a.example"), ("access-control-request-method", "POST")];
    assert_eq!(say(http, "OPTIONS", "/v1/traces", &asks, b"").await.status, 200);
    trial.end().await;
}
