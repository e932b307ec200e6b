//! Answering a unary call.

use super::message::{self, ENCODING, put_prefix};
use crate::{
    Coding,
    body::{Limits, NoRoom, ReadError},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::Frame;
use std::{
    convert::Infallible,
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tonic::{Status, body::Body};

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
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: Send,
    F: Future<Output = Result<Bytes, Status>>,
{
    let (head, body) = request.into_parts();
    let read = match Coding::of_header(head.headers.get(ENCODING)) {
        Ok(coding) => message::read(&head.extensions, coding, body, &limits, &mut |bytes| grow(&mut room, bytes)).await,
        Err(error) => Err(error),
    };
    let answer = match read {
        Ok(message) => serve(message, room).await,
        Err(error) => Err(refuse(&room, error)),
    };
    let mut response = match answer {
        Ok(message) => {
            let mut response = Response::new(Body::new(Said::new(&message)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            response
        }
        Err(status) => status.into_http(),
    };
    response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static(Coding::WORDS));
    response
}

/// A message and the word that all is well.
struct Said {
    message: Option<Bytes>,
    is_over: bool,
}

impl Said {
    fn new(message: &[u8]) -> Said {
        let mut framed = BytesMut::with_capacity(message::PREFIX + message.len());
        put_prefix(&mut framed, message.len(), Coding::Identity);
        framed.extend_from_slice(message);
        Said { message: Some(framed.freeze()), is_over: false }
    }
}

impl http_body::Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        if std::mem::replace(&mut self.is_over, true) {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
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
