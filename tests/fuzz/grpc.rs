//! What must hold for any body of a gRPC call, in whatever pieces it comes: its one message is read, or refused, as the protocol says.

use arbitrary::Arbitrary;
use bytes::Bytes;
use futures::stream;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use net::{
    body::{Limits, NoRoom, ReadError},
    grpc::{Code, Status, unary},
};
use std::{convert::Infallible, sync::Arc, time::Duration};

const WIRE_BYTES_MAX: usize = 4 << 10;
const ROOM_BYTES_MAX: usize = 64 << 10;
const PREFIX: usize = 5;

/// A call.
#[derive(Arbitrary, Debug)]
pub struct Call<'a> {
    coding: Coding,
    /// Whether the prefix tells the truth; else it is part of `bytes`.
    framed: Option<bool>,
    bytes: &'a [u8],
    /// Where the body is cut into pieces, in turn.
    pieces: Vec<u8>,
    trailers: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Coding {
    None,
    Identity,
    Gzip,
    Deflate,
    Zstd,
    Unknown,
}

impl Coding {
    fn word(self) -> Option<&'static str> {
        match self {
            Coding::None => None,
            Coding::Identity => Some("identity"),
            Coding::Gzip => Some("gzip"),
            Coding::Deflate => Some("deflate"),
            Coding::Zstd => Some("zstd"),
            Coding::Unknown => Some("br"),
        }
    }
}

impl Call<'_> {
    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        if let Some(compressed) = self.framed {
            body.push(u8::from(compressed));
            body.extend((self.bytes.len() as u32).to_be_bytes());
        }
        body.extend_from_slice(self.bytes);
        body
    }

    fn cut(&self) -> Vec<Frame<Bytes>> {
        let mut rest = Bytes::from(self.body());
        let mut frames = Vec::new();
        for length in &self.pieces {
            frames.push(Frame::data(rest.split_to(usize::from(*length).min(rest.len()))));
        }
        frames.push(Frame::data(rest));
        if self.trailers {
            frames.push(Frame::trailers(http::HeaderMap::new()));
        }
        frames
    }
}

/// What is sent back, and how much of the room it took.
fn answered(frames: Vec<Frame<Bytes>>, coding: Coding) -> Result<(Bytes, usize), Status> {
    let limits = Limits { wire_bytes_max: WIRE_BYTES_MAX, plain_bytes_max: ROOM_BYTES_MAX, time_max: Duration::from_secs(5), ..Limits::default() };
    let grow = |room: &mut usize, bytes: usize| {
        *room = room.saturating_add(bytes);
        if *room > ROOM_BYTES_MAX { Err(NoRoom { after: Duration::ZERO, what: "full".to_owned() }) } else { Ok(()) }
    };
    let refuse = |_: &usize, error: ReadError| Status::new(error.code(), error.to_string());
    let body = StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, Infallible>)));
    let mut request = Request::post("/a.B/C").header("content-type", "application/grpc");
    if let Some(word) = coding.word() {
        request = request.header("grpc-encoding", word);
    }
    let request = request.body(body).expect("a request of ours");
    let serve = async |message: Bytes, room: usize| {
        assert!(message.len() <= room, "{} bytes in a room of {room}", message.len());
        Ok([&room.to_be_bytes(), &*message].concat().into())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (head, body) = unary(request, Arc::new(limits), 0, grow, refuse, serve).await.into_parts();
        if let Some(status) = Status::from_header_map(&head.headers) {
            return Err(status);
        }
        let body = body.collect().await.expect("a body in memory");
        let status = body.trailers().and_then(Status::from_header_map).expect("a call ends with its status");
        assert_eq!(status.code(), Code::Ok);
        let framed = body.to_bytes();
        let (room, message) = framed[PREFIX..].split_at(size_of::<usize>());
        Ok((Bytes::copy_from_slice(message), usize::from_be_bytes(room.try_into().expect("as many as were written"))))
    })
}

/// Any body of a call: see above.
pub fn a_call_has_one_message_or_a_status(call: &Call<'_>) {
    let body = call.body();
    let whole = answered(vec![Frame::data(body.clone().into())], call.coding);
    let pieces = answered(call.cut(), call.coding);
    let told = |answer: &Result<(Bytes, usize), Status>| answer.as_ref().map(|(message, _)| message.clone()).map_err(|status| status.code());
    assert_eq!(told(&whole).ok(), told(&pieces).ok(), "the pieces decide");
    let taken = call.coding.word() != Some("br");
    let expected = match body.split_at_checked(PREFIX) {
        Some((&[0, a, b, c, d], rest)) if taken && u32::from_be_bytes([a, b, c, d]) as usize == rest.len() && rest.len() <= WIRE_BYTES_MAX => Some(rest),
        _ => None,
    };
    match (expected, &pieces) {
        (Some(rest), answer) => assert_eq!(told(answer).as_deref(), Ok(rest)),
        // Compressed: what comes out is bounded, and the room was asked for (see `serve`).
        (None, Ok(_)) => assert!(body.first() == Some(&1) && matches!(call.coding, Coding::Gzip | Coding::Deflate | Coding::Zstd)),
        (None, Err(status)) => assert!(status.code() != Code::Ok && !status.message().is_empty(), "{status:?}"),
    }
}
