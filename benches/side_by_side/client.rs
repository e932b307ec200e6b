//! A gRPC client over one HTTP/2 connection that sends what is encoded already.

use crate::payload::Template;
use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{io::Write, net::Ipv4Addr};
use tokio::{net::TcpStream, task::JoinSet};

/// How bodies go over the wire, in and out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Coding {
    None,
    Gzip,
}

impl Coding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::None => "none",
            Coding::Gzip => "gzip",
        }
    }
}

/// A connection to a server; clones share it.
#[derive(Clone)]
pub(crate) struct Client {
    requests: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Client {
    /// The connection lives in `connections`.
    pub(crate) async fn connect(port: u16, connections: &mut JoinSet<()>) -> Result<Client, String> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(|e| format!("connect: {e}"))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let handshake = http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await;
        let (requests, connection) = handshake.map_err(|e| format!("HTTP/2: {e}"))?;
        connections.spawn(async move {
            // Whoever waits for an answer on it is told.
            let _told = connection.await;
        });
        Ok(Client { requests, authority: format!("127.0.0.1:{port}") })
    }

    /// The response's message, or why there is none.
    pub(crate) async fn export(&mut self, path: &str, body: Bytes, coding: Coding) -> Result<Bytes, String> {
        let request = Request::post(format!("http://{}{path}", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-encoding", if coding == Coding::Gzip { "gzip" } else { "identity" })
            .body(Full::new(body))
            .map_err(|e| e.to_string())?;
        self.requests.ready().await.map_err(|e| e.to_string())?;
        let response = self.requests.send_request(request).await.map_err(|e| e.to_string())?;
        let headers = response.headers().clone();
        let collected = response.into_body().collect().await.map_err(|e| e.to_string())?;
        let status = collected.trailers().and_then(status).or_else(|| status(&headers));
        match status {
            Some((0, _)) => Ok(collected.to_bytes().get(5..).map(Bytes::copy_from_slice).unwrap_or_default()),
            Some((code, message)) => Err(format!("grpc-status {code}: {message}")),
            None => Err("no grpc-status".to_owned()),
        }
    }
}

fn status(headers: &HeaderMap) -> Option<(u32, String)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Some((text("grpc-status")?.parse().ok()?, text("grpc-message").unwrap_or_default().to_owned()))
}

/// A request as it goes over the wire: gRPC's prefix, then the message.
pub(crate) fn framed(template: &Template, turn: u64, coding: Coding) -> Bytes {
    let mut body = BytesMut::with_capacity(template.len() + 5);
    body.put_bytes(0, 5);
    match coding {
        Coding::None => template.write(turn, &mut body),
        Coding::Gzip => {
            let mut plain = Vec::with_capacity(template.len());
            template.write(turn, &mut plain);
            let mut gzip = GzEncoder::new((&mut body).writer(), Compression::fast());
            // Memory takes all that is written.
            let _memory = gzip.write_all(&plain).and_then(|()| gzip.finish().map(drop));
        }
    }
    let length = (body.len() - 5) as u32;
    body[0] = u8::from(coding == Coding::Gzip);
    body[1..5].copy_from_slice(&length.to_be_bytes());
    body.freeze()
}
