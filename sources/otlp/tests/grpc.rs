//! OTLP/gRPC, spoken by our own client.

use super::*;
use ::http::HeaderMap;
use net::{Client, Code, Protocol, Status, Url};
use pipeline::Speaks;
use signal::codec::answer;
use std::time::Duration;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

async fn call(trial: &Trial, path: &str, coding: Coding, message: Bytes) -> Result<Bytes, Status> {
    let url: Url = format!("http://{}{path}", trial.address(Speaks::OtlpGrpc)).parse().unwrap();
    let client = Client::new(Protocol::Grpc, &url).unwrap();
    client.call(&url, HeaderMap::new(), coding, vec![message], Duration::from_secs(10)).await
}

#[tokio::test]
async fn spans_come_in_in_every_coding() {
    let trial = trial().await;
    for (n, coding) in Coding::ALL.into_iter().enumerate() {
        let message = coding::compress(coding, &[span(n)]).unwrap();
        assert_eq!(call(&trial, EXPORT, coding, message).await.unwrap(), Bytes::new());
    }
    assert_eq!(trial.kept(Signal::Traces, 4).await, 4);
    trial.end().await;
}

#[tokio::test]
async fn what_is_cut_out_is_a_partial_success() {
    let trial = trial().await;
    let two = span_json(1).replace(r#""name":"a"}"#, r#""name":"a"},{"name":"has no ids"}"#);
    let request = json::to_protobuf(Signal::Traces, two.as_bytes()).unwrap();
    let response = call(&trial, EXPORT, Coding::Identity, request).await.unwrap();
    let (rejected, why) = answer::partial_success(&response).unwrap();
    assert!(rejected == 1 && why.contains("spans[1]"), "{why}");
    trial.end().await;
}

#[tokio::test]
async fn every_bad_call_has_its_code_and_says_what_is_wrong() {
    let trial = trial().await;
    let table = [
        (Code::Unimplemented, "no method `/x.Y/Z`; OTLP's are /opentelemetry", "/x.Y/Z", Coding::Identity, Bytes::new()),
        (Code::InvalidArgument, "at byte 0", EXPORT, Coding::Identity, Bytes::from_static(b"\xff\xff\xff")),
        (Code::InvalidArgument, "the body is not valid gzip", EXPORT, Coding::Gzip, Bytes::from_static(b"not gzip at all")),
        (Code::ResourceExhausted, "the gzip body inflates to more than", EXPORT, Coding::Gzip, bomb(Coding::Gzip)),
        (Code::ResourceExhausted, "the deflate body inflates to more than", EXPORT, Coding::Deflate, bomb(Coding::Deflate)),
        (Code::ResourceExhausted, "the zstd body inflates to more than", EXPORT, Coding::Zstd, bomb(Coding::Zstd)),
        (Code::ResourceExhausted, "larger than the 16 MiB", EXPORT, Coding::Identity, Bytes::from(vec![0; (16 << 20) + 1])),
    ];
    for (code, said, path, coding, message) in table {
        let status = call(&trial, path, coding, message).await.unwrap_err();
        assert!(status.code() == code && status.message().contains(said), "{status}\nis not\n{said}");
        // Only who is told when may try again.
        assert!(status.details().is_empty());
    }
    assert_eq!(call(&trial, EXPORT, Coding::Identity, span(1)).await.unwrap(), Bytes::new());
    trial.end().await;
}

#[tokio::test]
async fn a_full_budget_is_exhausted_with_a_time_to_retry() {
    let trial = start("memory: 16MiB", OTLP).await.map_err(|faults| format!("{faults:?}")).unwrap();
    let status = call(&trial, EXPORT, Coding::Identity, Bytes::from(vec![0; 8 << 20])).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(answer::Status::decode(status.details()).unwrap().retry, Some(Duration::from_secs(1)));
    trial.end().await;
}

#[tokio::test]
async fn who_shows_no_credential_is_unauthenticated() {
    let locked = "otlp: { grpc: { listen: 127.0.0.1:0, auth: { bearer: hidden } }, http: { listen: off } }";
    let trial = start("", locked).await.map_err(|faults| format!("{faults:?}")).unwrap();
    let url: Url = format!("http://{}{EXPORT}", trial.address(Speaks::OtlpGrpc)).parse().unwrap();
    let client = Client::new(Protocol::Grpc, &url).unwrap();
    for (shown, code) in [("", Code::Unauthenticated), ("Bearer other", Code::Unauthenticated), ("Bearer hidden", Code::Ok)] {
        let headers = HeaderMap::from_iter([(::http::header::AUTHORIZATION, shown.parse().unwrap())]);
        let called = client.call(&url, headers, Coding::Identity, vec![span(1)], Duration::from_secs(10)).await;
        assert_eq!(called.map_or_else(|status| status.code(), |_| Code::Ok), code, "{shown}");
    }
    trial.end().await;
}
