//! What a program prints: shown as it is, and sent in as logs over OTLP/HTTP, so that it is checked, journalled and counted like everything else.

use crate::print;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use net::{Client, Patience, Protocol, Url};
use pipeline::Clock;
use signal::{
    Value,
    codec::line::{Joiner, LINE_BYTES_MAX, LineLogs},
};
use std::{io::Write, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, ChildStderr, ChildStdout},
};

/// Bytes of lines in one request.
const REQUEST_BYTES: usize = 64 << 10;
/// How long a line waits for others.
const LINGER: Duration = Duration::from_millis(200);
/// A yes means that it is on disk, so it is worth some tries.
const PATIENCE: Patience = Patience { tries: 5, within: Duration::from_secs(10), pause: Duration::from_millis(400) };

/// Both streams of a program, and where their lines go.
pub(crate) struct Output {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    sender: Option<Sender>,
}

struct Sender {
    client: Client,
    url: Url,
    service: String,
}

impl Output {
    /// Takes the pipes of a program that was started with them.
    pub(crate) fn of(child: &mut Child, otlp_http: SocketAddr, service: &str) -> Output {
        let url = Url::parse(&format!("http://{otlp_http}/v1/logs")).ok();
        let sender = url.and_then(|url| Some(Sender { client: Client::new(Protocol::Http, &url).ok()?, url, service: service.to_owned() }));
        Output { stdout: child.stdout.take(), stderr: child.stderr.take(), sender }
    }

    /// Reads both streams to their end.
    pub(crate) async fn read(self) {
        let Output { stdout, stderr, sender } = self;
        let one = follow(stdout, sender.as_ref(), "stdout", |bytes| shown(std::io::stdout().lock(), bytes));
        let other = follow(stderr, sender.as_ref(), "stderr", |bytes| shown(std::io::stderr().lock(), bytes));
        futures::future::join(one, other).await;
    }
}

/// Passed on at once, so that a prompt without an end of line is seen. Nobody reads on when our own output is closed; the logs are taken in all the same.
fn shown(mut to: impl Write, bytes: &[u8]) {
    let _gone = to.write_all(bytes).and_then(|()| to.flush());
}

async fn follow(pipe: Option<impl AsyncRead + Unpin>, sender: Option<&Sender>, stream: &str, show: impl Fn(&[u8])) {
    let (Some(pipe), Some(sender)) = (pipe, sender) else { return };
    let mut lines = Lines { pipe: BufReader::new(pipe), show, line: Vec::new() };
    let mut joiner = Joiner::new();
    let mut logs = sender.logs();
    let clock = Clock::wall();
    loop {
        match tokio::time::timeout(LINGER, lines.next()).await {
            Ok(Some(line)) => {
                if let Some(joined) = joiner.push(&String::from_utf8_lossy(&line), clock.now()) {
                    logs.push(&joined.text, joined.first, stream);
                }
                if logs.bytes() >= REQUEST_BYTES {
                    sender.send(&mut logs).await;
                }
            }
            ended => {
                if let Some(joined) = joiner.flush() {
                    logs.push(&joined.text, joined.first, stream);
                }
                sender.send(&mut logs).await;
                if ended.is_ok() {
                    return;
                }
            }
        }
    }
}

impl Sender {
    fn logs(&self) -> LineLogs {
        LineLogs::new(vec![("service.name".to_owned(), Value::Text(self.service.clone()))])
    }

    /// Sends what was gathered, or says what is gone.
    async fn send(&self, logs: &mut LineLogs) {
        let lines = logs.len();
        let Some(body) = logs.take() else { return };
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))]);
        if let Err(why) = self.client.post_patiently(&self.url, &headers, &body, PATIENCE).await {
            print::note(&format!("{lines} lines of the program's output could not be taken in: {why}"));
        }
    }
}

struct Lines<R, S> {
    pipe: BufReader<R>,
    /// Sees every byte as it comes.
    show: S,
    /// The line so far: kept here, so that a wait that is given up loses nothing.
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin, S: Fn(&[u8])> Lines<R, S> {
    /// The next line without its end; none at the end of the stream. Of a line without end, at most twice what a log line may hold is kept.
    ///
    /// # Cancel safety
    /// Safe: what was read stays in `self`.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let Ok(bytes) = self.pipe.fill_buf().await else { return self.last() };
            if bytes.is_empty() {
                return self.last();
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let room = (2 * LINE_BYTES_MAX).saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let read = part.len() + usize::from(end.is_some());
            (self.show)(&bytes[..read]);
            self.pipe.consume(read);
            if end.is_some() {
                return Some(std::mem::take(&mut self.line));
            }
        }
    }

    fn last(&mut self) -> Option<Vec<u8>> {
        Some(std::mem::take(&mut self.line)).filter(|line| !line.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_to_the_last_even_without_its_end() {
        let mut lines = Lines { pipe: BufReader::new(b"one\n\ntwo".as_slice()), show: |_: &[u8]| {}, line: Vec::new() };
        assert_eq!(lines.next().await.unwrap(), b"one");
        assert_eq!(lines.next().await.unwrap(), b"");
        assert_eq!(lines.next().await.unwrap(), b"two");
        assert_eq!(lines.next().await, None);
    }

    #[tokio::test]
    async fn a_line_without_end_is_bounded_and_shown_whole() {
        let (endless, seen) = (vec![b'x'; 5 * LINE_BYTES_MAX], std::cell::Cell::new(0));
        let show = |bytes: &[u8]| seen.set(seen.get() + bytes.len());
        let mut lines = Lines { pipe: BufReader::new(endless.as_slice()), show, line: Vec::new() };
        assert_eq!(lines.next().await.unwrap().len(), 2 * LINE_BYTES_MAX);
        assert_eq!(seen.get(), endless.len());
    }
}
