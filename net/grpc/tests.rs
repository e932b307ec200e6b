//! Calls through tonic as a stranger may make them, without a socket.

use super::{message::ENCODING, *};
use crate::{
    Coding,
    body::{Limits, NoRoom, ReadError},
    coding,
};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Request};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

fn refused<R>(_: &R, error: ReadError) -> Status {
    Status::new(error.code(), error.to_string())
}

/// Calls a server that answers with what it was sent.
async fn echoed<B>(encoding: &str, body: B, room: Arc<()>) -> Result<Bytes, Status>
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let request = Request::post("/x.Y/Z").header(ENCODING, encoding).body(body).unwrap();
    let grow: fn(&mut Arc<()>, usize) -> Result<(), NoRoom> = |_, _| Ok(());
    let response = unary(request, Arc::new(Limits::default()), room, grow, refused, async |message, _| Ok(message)).await;
    assert_eq!(response.headers()["content-type"], "application/grpc");
    assert_eq!(response.headers()["grpc-accept-encoding"], Coding::WORDS);
    let (head, body) = response.into_parts();
    if let Some(status) = Status::from_header_map(&head.headers) {
        return Err(status);
    }
    let body = body.collect().await.unwrap();
    assert_eq!(Status::from_header_map(body.trailers().unwrap()).unwrap().code(), Code::Ok);
    Ok(body.to_bytes())
}

fn framed(flag: u8, length: u32, message: &[u8]) -> Vec<u8> {
    let mut wire = vec![flag];
    wire.extend(length.to_be_bytes());
    wire.extend(message);
    wire
}

#[tokio::test]
async fn every_broken_message_has_its_status() {
    let bomb = coding::compress(Coding::Zstd, &[Bytes::from(vec![0; 8 << 20])]).unwrap();
    let two = [framed(0, 1, b"x"), framed(0, 1, b"y")].concat();
    let table = [
        ("", vec![], Code::InvalidArgument, "the message ends within its 5 bytes of prefix"),
        ("", framed(0, 9, b"short"), Code::InvalidArgument, "the message ends after 5 of 9 bytes"),
        ("", framed(0, 2, b"long"), Code::InvalidArgument, "more came than the one message that the call takes"),
        ("", two, Code::InvalidArgument, "more came than the one message that the call takes"),
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
        let status = echoed(encoding, Full::new(Bytes::from(wire)), Arc::default()).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, message));
    }
}

#[tokio::test]
async fn a_message_comes_through_whole_in_pieces_and_in_every_coding() {
    for message in [b"".as_slice(), b"yes"] {
        let length = u32::try_from(message.len()).unwrap();
        assert_eq!(echoed("", Full::new(framed(0, length, message).into()), Arc::default()).await.unwrap(), framed(0, length, message));
    }
    for coding in Coding::ALL {
        let packed = coding::compress(coding, &[Bytes::from_static(b"hello")]).unwrap();
        let wire = framed(u8::from(coding != Coding::Identity), u32::try_from(packed.len()).unwrap(), &packed);
        let bytes = wire.into_iter().map(|byte| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![byte]))));
        let body = StreamBody::new(stream::iter(bytes.collect::<Vec<_>>()));
        assert_eq!(echoed(coding.word(), body, Arc::default()).await.unwrap(), framed(0, 5, b"hello"));
    }
}

#[tokio::test]
async fn it_does_not_matter_where_a_body_is_cut() {
    let bodies = [
        framed(0, 4, b"four"),
        framed(0, 0, b""),
        framed(0, 3, b"four"),
        framed(0, 5, b"four"),
        framed(1, 4, b"four"),
        framed(9, 4, b"four"),
        vec![0, 0, 0],
        vec![],
        framed(0, u32::MAX, b"x"),
    ];
    for body in bodies.map(Bytes::from) {
        let told = |answer: Result<Bytes, Status>| answer.map_err(|status| (status.code(), status.message().to_owned()));
        let whole = told(echoed("", Full::new(body.clone()), Arc::default()).await);
        for (first, second) in (0..=body.len()).flat_map(|first| (first..=body.len()).map(move |second| (first, second))) {
            let pieces = [body.slice(..first), body.slice(first..second), Bytes::new(), body.slice(second..)];
            let frames = pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
            let cut = told(echoed("", StreamBody::new(stream::iter(frames)), Arc::default()).await);
            assert_eq!(cut, whole, "{body:?} cut at {first} and {second}");
        }
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_gives_its_room_back() {
    let room = Arc::new(());
    let begun = stream::once(async { Ok::<_, Infallible>(Frame::data(Bytes::from(framed(0, 9, b"begun")))) });
    let endless = StreamBody::new(futures::StreamExt::chain(begun, stream::once(pending())));
    let call = echoed("", endless, Arc::clone(&room));
    assert!(tokio::time::timeout(Duration::from_millis(20), call).await.is_err());
    assert_eq!(Arc::strong_count(&room), 1);
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
