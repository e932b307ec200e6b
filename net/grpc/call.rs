//! Calling a unary method: tonic over the pooled connection, with the message sent in the pieces that it is given in, small ones put together.

use super::{
    codec::Raw,
    message::{ENCODING, PREFIX, put_prefix},
};
use crate::{
    Client, Coding, Url,
    client::{Answering, Silence, Unanswered, cause, too_late},
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, uri::PathAndQuery};
use http_body::Frame;
use http_body_util::BodyExt;
use std::{sync::Arc, time::Duration};
use tonic::{Extensions, Status, body::Body, metadata::MetadataMap};
use tower::service_fn;

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
    pub async fn call(&self, url: &Url, headers: HeaderMap, coding: Coding, pieces: Vec<Bytes>, within: Duration) -> Result<Bytes, Status> {
        let path = PathAndQuery::try_from(url.path()).map_err(|error| Status::internal(error.to_string()))?;
        let transport = service_fn(|request: http::Request<Body>| {
            // tonic's body is an empty message, and would be a copy of a full one.
            let (mut head, pieces) = (request.into_parts().0, framed(coding, &pieces));
            async move {
                if coding != Coding::Identity {
                    head.headers.insert(ENCODING, HeaderValue::from_static(coding.word()));
                }
                let response = self.send(url, head.headers, pieces).await;
                Ok::<_, Status>(tame(response.map_err(|error| silent(Status::unavailable(&error.words), error))?))
            }
        });
        let mut request = tonic::Request::from_parts(MetadataMap::from_headers(headers), Extensions::new(), Bytes::new());
        request.set_timeout(within);
        let answer = async { tonic::client::Grpc::new(transport).unary(request, path, Raw).await };
        match tokio::time::timeout(within, answer).await {
            Ok(answered) => answered.map(tonic::Response::into_inner),
            Err(_) => {
                let late = too_late(url, within);
                Err(silent(Status::deadline_exceeded(&late.words), late))
            }
        }
    }
}

/// A status that no server said.
fn silent(mut status: Status, why: Unanswered) -> Status {
    status.set_source(Arc::new(why));
    status
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

/// What tonic cannot be given as it comes.
fn tame(response: Response<Answering>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    readable(&mut head.headers);
    if head.status != StatusCode::OK {
        // A proxy's page is no message; without it tonic goes by the HTTP status.
        return Response::from_parts(head, Body::empty());
    }
    let body = body.map_frame(|frame| match frame.into_trailers() {
        Ok(mut trailers) => {
            readable(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    });
    // A connection that breaks is no failure of the call: it may be made again.
    let body = body.map_err(|error| {
        let words = format!("the answer broke off ({})", cause(&*error));
        silent(Status::unavailable(&words), Unanswered { words, silence: Silence::Broken })
    });
    Response::from_parts(head, Body::new(body))
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
}
