//! HTTP/1.1 by hand, one request a connection, so that a test can send what no client library would.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

const WITHIN: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its head, as it came.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

/// GETs a path.
#[must_use]
pub fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, &[], b"")
}

/// POSTs a body of this content type.
#[must_use]
pub fn post(address: SocketAddr, path: &str, kind: &str, body: &[u8]) -> Answer {
    send(address, "POST", path, &[("content-type", kind)], body)
}

/// Sends a request with a content length and reads the whole answer.
#[must_use]
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    try_send(address, method, path, headers, body).unwrap_or_else(|e| panic!("{method} {path} at {address}: {e}"))
}

/// The same; an error where the peer went away without an answer.
///
/// # Errors
/// The connection could not be made, or ended before the answer did.
pub fn try_send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    let headers: String = headers.iter().map(|(key, value)| format!("{key}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes())?;
    // A server may refuse before it has read everything; its answer counts.
    let _refused_early = stream.write_all(body);
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    match parse(&bytes) {
        Some(answer) => Ok(answer),
        None => Err(read.err().unwrap_or_else(|| std::io::Error::from(std::io::ErrorKind::UnexpectedEof))),
    }
}

/// Answers every request with the status that this gives for its path and body, and with nothing else, as OTLP receivers do; where it listens. For as long as the
/// test runs.
pub fn serve(answer: impl Fn(&str, &[u8]) -> u16 + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = listener.local_addr().expect("it is bound");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                while let Some((path, body)) = request(&stream) {
                    let status = answer(&path, &body);
                    let head = format!("HTTP/1.1 {status} .\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n");
                    if stream.write_all(head.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    at
}

/// Reads a request, with a content length: its path and its body. None when there are no more.
fn request(stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        if let Some((key, value)) = line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case("content-length")) {
            length = value.trim().parse().unwrap_or_else(|e| panic!("{key}: {e}"));
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    // The client sends the next request after our answer, so nothing of it is in the buffer.
    Some((first.split(' ').nth(1)?.to_owned(), body))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, rest) = bytes.split_at_checked(end + 4)?;
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, head, body: rest.to_vec() };
    if answer.header("transfer-encoding").is_some() {
        answer.body = joined(rest)?;
    } else if let Some(length) = answer.header("content-length") {
        answer.body = rest.get(..length.parse().ok()?)?.to_vec();
    }
    Some(answer)
}

/// The chunks of a chunked body; none if the last is missing.
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(rest.get(..line)?).ok()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        let from = line + 2;
        body.extend_from_slice(rest.get(from..from + length)?);
        rest = rest.get(from + length + 2..)?;
    }
}
