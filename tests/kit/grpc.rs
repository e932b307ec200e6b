//! One unary gRPC call with bytes as they are, so that a test can send what no generated client would.

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;

/// How a call ended.
#[derive(Debug)]
pub struct Ended {
    /// `grpc-status`: 0 is well.
    pub status: i32,
    /// `grpc-message`, as it came (percent-encoded).
    pub message: String,
    /// Whether details came along, where the time to retry stands.
    pub details: bool,
    /// The answer's message.
    pub body: Bytes,
}

/// Calls a method of OTLP, such as `trace.v1.TraceService`, with a message that is compressed as said, if it is.
#[must_use]
pub fn export(address: SocketAddr, service: &str, message: &[u8], encoding: Option<&str>) -> Ended {
    call(address, &format!("/opentelemetry.proto.collector.{service}/Export"), message, encoding)
}

/// The same without compression; none where the peer went away without an answer.
#[must_use]
pub fn try_export(address: SocketAddr, service: &str, message: &[u8]) -> Option<Ended> {
    try_call(address, &format!("/opentelemetry.proto.collector.{service}/Export"), message, None)
}

/// Calls any method.
#[must_use]
pub fn call(address: SocketAddr, path: &str, message: &[u8], encoding: Option<&str>) -> Ended {
    try_call(address, path, message, encoding).expect("a connection and a whole answer")
}

fn try_call(address: SocketAddr, path: &str, message: &[u8], encoding: Option<&str>) -> Option<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.ok()?;
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.ok()?;
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(connection);
        let mut frame = BytesMut::new();
        frame.put_u8(u8::from(encoding.is_some()));
        frame.put_u32(u32::try_from(message.len()).expect("under 4 GiB"));
        frame.put_slice(message);
        let mut request =
            http::Request::post(format!("http://{address}{path}")).header("content-type", "application/grpc").header("te", "trailers");
        if let Some(encoding) = encoding {
            request = request.header("grpc-encoding", encoding);
        }
        let answer = sender.send_request(request.body(Full::new(frame.freeze())).expect("a request")).await.ok()?;
        let (head, body) = answer.into_parts();
        let collected = body.collect().await.ok()?;
        let trailers = collected.trailers().cloned().unwrap_or(head.headers);
        let text = |name: &str| trailers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let bytes = collected.to_bytes();
        Some(Ended {
            status: text("grpc-status").parse().ok()?,
            message: text("grpc-message"),
            details: trailers.contains_key("grpc-status-details-bin"),
            body: bytes.slice(bytes.len().min(5)..),
        })
    })
}
