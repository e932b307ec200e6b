//! The five bytes before a message, the headers around it, and the answer with its trailers (grpc/doc/PROTOCOL-HTTP2.md).

use super::{Code, Status};
use crate::{
    Coding,
    body::{Buffer, Grow, Limits, ReadError, Reader},
    coding,
};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

const PREFIX: usize = 5;
const ENCODING: &str = "grpc-encoding";

/// The one message of a unary request, inflated.
pub async fn read<B>(headers: &HeaderMap, body: B, limits: &Limits, grow: Grow<'_>) -> Result<Bytes, ReadError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let coding = Coding::of_header(headers.get(ENCODING))?;
    let mut body = std::pin::pin!(body);
    let mut reader = Reader::new(body.as_mut(), limits);
    let mut prefix = BytesMut::with_capacity(PREFIX);
    let mut message: Option<(Prefix, Buffer)> = None;
    while let Some(mut data) = reader.next().await? {
        let missing = PREFIX - prefix.len();
        prefix.extend_from_slice(&data.split_to(missing.min(data.len())));
        if message.is_none()
            && let Some(parsed) = Prefix::parse(&prefix)?
        {
            message = Some((parsed, Buffer::new(parsed.length, limits.wire_bytes_max, grow)?));
        }
        if let Some((prefix, buffer)) = &mut message {
            if buffer.len().saturating_add(data.len()) > prefix.length {
                return Err(ReadError::Frame("more came than the one message that the call takes".into()));
            }
            buffer.push(&data, grow)?;
        }
    }
    let Some((prefix, buffer)) = message else {
        return Err(ReadError::Frame(format!("the message ends within its {PREFIX} bytes of prefix")));
    };
    if buffer.len() < prefix.length {
        return Err(ReadError::Frame(format!("the message ends after {} of {} bytes", buffer.len(), prefix.length)));
    }
    match (prefix.compressed, coding) {
        (false, _) => Ok(buffer.finish()),
        (true, Coding::Identity) => Err(ReadError::Frame(format!("the message is compressed, but no {ENCODING} says how"))),
        (true, coding) => coding::inflate(coding, buffer.finish(), limits, grow).await,
    }
}

#[derive(Clone, Copy)]
struct Prefix {
    compressed: bool,
    length: usize,
}

impl Prefix {
    fn parse(prefix: &[u8]) -> Result<Option<Prefix>, ReadError> {
        let &[flag, a, b, c, d] = prefix else { return Ok(None) };
        let compressed = match flag {
            0 => false,
            1 => true,
            other => return Err(ReadError::Frame(format!("the message's flag is {other}; it must be 0 or 1"))),
        };
        Ok(Some(Prefix { compressed, length: usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX) }))
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

/// The answer to a unary call: a message and an `OK`, or a status alone.
#[must_use]
pub fn answer(result: Result<Bytes, Status>) -> Response<Reply> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static(Coding::WORDS));
    let reply = match result {
        Ok(message) => {
            let mut framed = BytesMut::with_capacity(PREFIX + message.len());
            framed.extend_from_slice(&prefix_of(message.len(), Coding::Identity));
            framed.extend_from_slice(&message);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from(Code::Ok.number()));
            Reply { message: Some(framed.freeze()), trailers: Some(trailers) }
        }
        Err(status) => {
            status.write(&mut headers);
            Reply { message: None, trailers: None }
        }
    };
    let mut response = Response::new(reply);
    *response.headers_mut() = headers;
    response
}

/// What is put before a message; one of 4 GiB or more cannot be announced and is refused by every server.
pub(crate) fn prefix_of(length: usize, coding: Coding) -> Bytes {
    let mut prefix = BytesMut::with_capacity(PREFIX);
    prefix.put_u8(u8::from(coding != Coding::Identity));
    prefix.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    prefix.freeze()
}

/// The body of an answer.
#[derive(Debug)]
pub struct Reply {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Reply {
    /// An answer in plain text, for who does not speak gRPC at all.
    #[must_use]
    pub fn plain(status: StatusCode, text: String) -> Response<Reply> {
        let mut response = Response::new(Reply { message: Some(text.into()), trailers: None });
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let message = self.message.take().map(Frame::data);
        Poll::Ready(message.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        // A length would only be in the way where trailers follow.
        let length = self.message.as_ref().map_or(0, |message| message.len() as u64);
        if self.trailers.is_none() { SizeHint::with_exact(length) } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    async fn given(encoding: &str, wire: Vec<u8>) -> Result<Bytes, ReadError> {
        let mut headers = HeaderMap::new();
        headers.insert(ENCODING, encoding.parse().unwrap());
        read(&headers, Full::new(Bytes::from(wire)), &Limits::default(), &mut |_| Ok(())).await
    }

    fn framed(flag: u8, length: u32, message: &[u8]) -> Vec<u8> {
        let mut wire = vec![flag];
        wire.extend(length.to_be_bytes());
        wire.extend(message);
        wire
    }

    #[tokio::test]
    async fn every_broken_frame_has_its_status() {
        let bomb = coding::compress(Coding::Zstd, &[Bytes::from(vec![0; 8 << 20])]).unwrap();
        let table = [
            ("", vec![], Code::InvalidArgument, "the message ends within its 5 bytes of prefix"),
            ("", framed(0, 9, b"short"), Code::InvalidArgument, "the message ends after 5 of 9 bytes"),
            ("", framed(0, 2, b"long"), Code::InvalidArgument, "more came than the one message that the call takes"),
            ("", framed(7, 1, b"x"), Code::InvalidArgument, "the message's flag is 7; it must be 0 or 1"),
            ("", framed(1, 1, b"x"), Code::InvalidArgument, "the message is compressed, but no grpc-encoding says how"),
            ("br", framed(1, 1, b"x"), Code::Unimplemented, "the coding `br` is not taken; use gzip, deflate, zstd"),
            ("", framed(0, u32::MAX, b"x"), Code::ResourceExhausted, "the body is larger than the 16 MiB that are taken"),
            (
                "zstd",
                framed(1, u32::try_from(bomb.len()).unwrap(), &bomb),
                Code::ResourceExhausted,
                "the zstd body inflates to more than 200 times its size",
            ),
        ];
        for (encoding, wire, code, message) in table {
            let error = given(encoding, wire).await.unwrap_err();
            assert_eq!((error.code(), &*error.to_string()), (code, message));
        }
        assert_eq!(given("", framed(0, 0, b"")).await, Ok(Bytes::new()));
    }

    #[tokio::test]
    async fn an_answer_is_a_framed_message_and_trailers() {
        let body = answer(Ok(Bytes::from_static(b"yes"))).into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(body.to_bytes(), framed(0, 3, b"yes"));
        let failed = answer(Err(Status::new(Code::Unimplemented, "no")));
        assert_eq!(failed.headers()["grpc-status"], "12");
        assert!(failed.body().is_end_stream());
    }

    #[test]
    fn timeouts_are_read_in_every_unit() {
        let table = [
            ("10S", Some(Duration::from_secs(10))),
            ("250m", Some(Duration::from_millis(250))),
            ("1H", Some(Duration::from_secs(3_600))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("100000000n", None),
            ("S", None),
            ("", None),
            ("5ü", None),
        ];
        for (written, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", HeaderValue::from_bytes(written.as_bytes()).unwrap());
            assert_eq!(timeout(&headers), expected, "{written}");
        }
    }
}
