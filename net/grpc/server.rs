//! Answering a unary call: a body of ours reads the request for tonic, which makes the answer of what comes of it.

use super::{
    codec::Raw,
    message::{self, ENCODING, PREFIX},
};
use crate::{
    Coding,
    body::{Limits, NoRoom, ReadError},
};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use parking_lot::Mutex;
use std::{error::Error, future::Future, mem, sync::Arc, time::Duration};
use tonic::{Status, body::Body};
use tower::service_fn;

/// Answers a unary call. Its one message is read within `limits` and into `room`, which `grow` makes larger before any byte is buffered; both are handed to
/// `serve`. Whoever goes away midway has all of it dropped. `refuse` puts into words why a message was not read for which this room was held.
pub async fn unary<B, R, F>(
    request: Request<B>,
    limits: Arc<Limits>,
    mut room: R,
    grow: fn(&mut R, usize) -> Result<(), NoRoom>,
    refuse: fn(&R, ReadError) -> Status,
    serve: impl FnOnce(Bytes, R) -> F,
) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: Send + 'static,
    F: Future<Output = Result<Bytes, Status>>,
{
    let (mut head, body) = request.into_parts();
    // tonic would refuse codings that it does not inflate itself.
    let coding = head.headers.remove(ENCODING);
    let extensions = mem::take(&mut head.extensions);
    let message = Arc::new(Mutex::new(None));
    let put = Arc::clone(&message);
    let read = async move {
        let coding = Coding::of_header(coding.as_ref()).map_err(|error| refuse(&room, error))?;
        let read = message::read(&extensions, coding, body, &limits, &mut |bytes| grow(&mut room, bytes)).await;
        let read = read.map_err(|error| refuse(&room, error))?;
        *put.lock() = Some((read, room));
        // In the message's place tonic gets an empty one.
        Ok::<_, Status>(Frame::data(Bytes::from_static(&[0; PREFIX])))
    };
    let mut serve = Some(serve);
    let service = service_fn(move |_: tonic::Request<Bytes>| {
        let given = message.lock().take().zip(serve.take());
        async move {
            let Some(((message, room), serve)) = given else { return Err(Status::internal("a unary call has one message")) };
            serve(message, room).await.map(tonic::Response::new)
        }
    });
    let request = Request::from_parts(head, StreamBody::new(stream::once(read)));
    let mut response = tonic::server::Grpc::new(Raw).unary(service, request).await;
    response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static(Coding::WORDS));
    response
}

/// How long the client will wait (`grpc-timeout`), if it said.
#[must_use]
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}
