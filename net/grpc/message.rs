//! The five bytes before a message (grpc/doc/PROTOCOL-HTTP2.md), and the one message of a unary request: admitted before it is buffered, inflated within limits.

use crate::{
    Coding,
    body::{Buffer, Grow, Limits, ReadError, Reader},
    coding,
};
use bytes::{BufMut, Bytes, BytesMut};
use http::Extensions;
use http_body::Body;
use std::error::Error;

/// Bytes of it.
pub(super) const PREFIX: usize = 5;
/// Names the coding of messages whose flag is set.
pub(super) const ENCODING: &str = "grpc-encoding";

/// The one message of a body whose header names this coding. `extensions`: of its request.
pub(super) async fn read<B>(extensions: &Extensions, coding: Coding, body: B, limits: &Limits, grow: Grow<'_>) -> Result<Bytes, ReadError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut body = std::pin::pin!(body);
    let mut reader = Reader::new(extensions, body.as_mut(), limits);
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
            buffer.push(data, grow)?;
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

/// What is put before a message; one of 4 GiB or more cannot be announced and is refused by every server.
pub(super) fn put_prefix(to: &mut BytesMut, length: usize, coding: Coding) {
    to.put_u8(u8::from(coding != Coding::Identity));
    to.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}
