//! Calling a unary method: the message goes out in the pieces that it is given in, small ones put together.

use super::message::{ENCODING, PREFIX, put_prefix};
use crate::{
    Client, Coding, Url,
    client::{ANSWER_BYTES_MAX, Answering, cause, too_late},
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::{Buf, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, TE},
};
use http_body_util::BodyExt;
use std::time::Duration;
use tonic::{Code, Status};

const DETAILS: &str = "grpc-status-details-bin";
/// As tonic reads it.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
/// A piece as large as a frame goes out from where it is.
const PIECE: usize = 16 << 10;

impl Client {
    /// Calls a unary method, whose path is that of `url`, with the pieces as one message; coded ones must have been compressed as one.
    ///
    /// # Cancel safety
    /// Dropped midway, the server may or may not have got it.
    pub async fn call(
        &self,
        url: &Url,
        mut headers: HeaderMap,
        coding: Coding,
        pieces: Vec<Bytes>,
        within: Duration,
    ) -> Result<Bytes, Status> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert("grpc-timeout", patience(within));
        if coding != Coding::Identity {
            headers.insert(ENCODING, HeaderValue::from_static(coding.word()));
        }
        let answered = async {
            let response = self.send(url, headers, framed(coding, &pieces)).await;
            read(response.map_err(|error| Status::unavailable(error.0))?).await
        };
        match tokio::time::timeout(within, answered).await {
            Ok(answered) => answered,
            Err(_) => Err(Status::deadline_exceeded(too_late(url, within).0)),
        }
    }
}

/// The pieces after their prefix; neighbours that are small become one.
fn framed(coding: Coding, pieces: &[Bytes]) -> Vec<Bytes> {
    let small: usize = pieces.iter().map(Bytes::len).filter(|length| *length < PIECE).sum();
    let (mut all, mut together) = (Vec::with_capacity(2), BytesMut::with_capacity(PREFIX + small));
    put_prefix(&mut together, pieces.iter().map(Bytes::len).sum(), coding);
    for piece in pieces {
        if piece.len() < PIECE {
            together.extend_from_slice(piece);
            continue;
        }
        if !together.is_empty() {
            all.push(together.split().freeze());
        }
        all.push(piece.clone());
    }
    if !together.is_empty() {
        all.push(together.freeze());
    }
    all
}

/// `grpc-timeout`: at most eight digits.
fn patience(within: Duration) -> HeaderValue {
    let units = [(within.as_nanos(), 'n'), (within.as_micros(), 'u'), (within.as_millis(), 'm'), (u128::from(within.as_secs()), 'S')];
    let (number, unit) = units.into_iter().find(|(number, _)| *number < 100_000_000).unwrap_or((99_999_999, 'S'));
    HeaderValue::try_from(format!("{number}{unit}")).unwrap_or_else(|_| HeaderValue::from_static("99999999S"))
}

/// The message of an answer, or its status.
async fn read(response: Response<Answering>) -> Result<Bytes, Status> {
    let (mut head, mut body) = response.into_parts();
    readable(&mut head.headers);
    let early = Status::from_header_map(&head.headers);
    if head.status != StatusCode::OK {
        // A proxy's page is no message.
        return Err(early.unwrap_or_else(|| Status::new(code_of(head.status), format!("HTTP {}", head.status))));
    }
    if let Some(status) = early {
        return if status.code() == Code::Ok { Ok(Bytes::new()) } else { Err(status) };
    }
    let (mut message, mut status) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        // A connection that breaks is no failure of the call: it may be made again.
        let frame = frame.map_err(|error| Status::unavailable(format!("the answer broke off ({})", cause(&*error))))?;
        match frame.into_data() {
            Ok(data) if message.len() + data.len() <= PREFIX + ANSWER_BYTES_MAX => message.extend_from_slice(&data),
            // Nobody reads a message of that size.
            Ok(_) => message = BytesMut::zeroed(PREFIX),
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                readable(&mut trailers);
                status = Status::from_header_map(&trailers);
            }
        }
    }
    match status {
        Some(status) if status.code() != Code::Ok => Err(status),
        Some(_) if message.is_empty() => Ok(Bytes::new()),
        _ => unframed(message.freeze()),
    }
}

fn unframed(mut message: Bytes) -> Result<Bytes, Status> {
    if message.len() < PREFIX {
        return Err(Status::internal("the answer is no gRPC: it has neither a status nor a message"));
    }
    let (compressed, length) = (message.get_u8(), message.get_u32());
    if compressed != 0 || u32::try_from(message.len()) != Ok(length) {
        return Err(Status::internal("the answer is no gRPC: its message is not what its prefix says"));
    }
    Ok(message)
}

/// gRPC's table for answers without a status (grpc/doc/http-grpc-status-mapping.md).
fn code_of(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// tonic panics at details that are no base64.
fn readable(headers: &mut HeaderMap) {
    if headers.get(DETAILS).is_some_and(|details| BASE64.decode(details).is_err()) {
        headers.remove(DETAILS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_writes_into_the_headers_harms_nothing() {
        for (written, kept) in [("!!!", false), ("AAFtb3Jl", true), ("AAE=", true), ("AAE", true)] {
            let mut headers = HeaderMap::new();
            headers.insert(DETAILS, written.parse().unwrap());
            headers.insert("grpc-status", "99".parse().unwrap());
            headers.insert("grpc-message", "%ff%zz".parse().unwrap());
            readable(&mut headers);
            let status = Status::from_header_map(&headers).unwrap();
            assert_eq!((status.code(), status.details().is_empty()), (tonic::Code::Unknown, !kept), "{written}");
        }
    }

    #[test]
    fn small_pieces_are_put_together_and_large_ones_stay_where_they_are() {
        let (small, large) = (Bytes::from_static(b"small"), Bytes::from(vec![7; PIECE]));
        let framed = framed(Coding::Identity, &[small.clone(), small.clone(), large.clone(), small.clone(), small]);
        assert_eq!(framed.iter().map(Bytes::len).collect::<Vec<_>>(), [PREFIX + 10, PIECE, 10]);
        assert_eq!(framed[1].as_ptr(), large.as_ptr());
        assert_eq!(&framed[0][..PREFIX], [0, 0, 0, 0x40, 20]);
    }

    #[test]
    fn a_time_limit_has_at_most_eight_digits() {
        let table = [(Duration::from_secs(10), "10000000u"), (Duration::from_nanos(5), "5n"), (Duration::MAX, "99999999S")];
        for (within, written) in table {
            assert_eq!(patience(within), written);
        }
    }

    #[tokio::test]
    async fn an_answer_without_a_status_is_told_by_its_http_status_and_its_message() {
        let answer = |status: u16, body: &'static [u8]| {
            let body = http_body_util::Full::new(Bytes::from_static(body)).map_err(|never| match never {}).boxed_unsync();
            read(Response::builder().status(status).body(body).unwrap())
        };
        assert_eq!(answer(200, b"\0\0\0\0\x02ok").await.unwrap(), "ok");
        for (status, body, code) in [
            (200, b"".as_slice(), Code::Internal),
            (200, b"a page", Code::Internal),
            (200, b"\0\0\0\0\x03ok", Code::Internal),
            (401, b"", Code::Unauthenticated),
            (404, b"", Code::Unimplemented),
            (503, b"", Code::Unavailable),
            (500, b"", Code::Unknown),
        ] {
            assert_eq!(answer(status, body).await.unwrap_err().code(), code, "{status} {body:?}");
        }
    }
}
