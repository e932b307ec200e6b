//! What a connection does at the moment, and how long it may go on doing it: waiting for its first bytes, reading a head, answering, idling, or not taking what is written to it.

use super::Limits;
use crate::body::Heard;
use parking_lot::Mutex;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Instant, sleep_until},
};

/// What a client sends first when it speaks HTTP/2; hyper-util waits for as many bytes as match it, without a limit of its own.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Shared by a connection's stream, its exchanges and whoever watches them.
pub(super) struct Pulse {
    now: Mutex<Now>,
    /// A shorter time limit than the last one runs now.
    sooner: Notify,
    pub(super) heard: Heard,
}

struct Now {
    phase: Phase,
    since: Instant,
    exchanges: usize,
    stuck: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Too few bytes came to tell which protocol it is.
    First,
    /// HTTP/1, in the head of a request.
    Head,
    /// Between requests.
    Idle,
    /// A request is being answered; its body has limits of its own.
    Busy,
}

/// Which time limit has passed.
pub(super) enum Late {
    /// It may be asked to close.
    Idle,
    /// It is cut.
    Stuck(&'static str),
}

impl Pulse {
    pub(super) fn new() -> Pulse {
        Pulse {
            now: Mutex::new(Now { phase: Phase::First, since: Instant::now(), exchanges: 0, stuck: None }),
            sooner: Notify::new(),
            heard: Heard::default(),
        }
    }

    /// Returns once a time limit has passed.
    pub(super) async fn overdue(&self, limits: &Limits) -> Late {
        loop {
            let (at, late) = self.deadline(limits);
            if at <= Instant::now()
                && let Some(late) = late
            {
                return late;
            }
            tokio::select! {
                () = sleep_until(at.max(Instant::now() + Duration::from_millis(1))) => {}
                () = self.sooner.notified() => {}
            }
        }
    }

    /// The next limit, or when to look again.
    fn deadline(&self, limits: &Limits) -> (Instant, Option<Late>) {
        let now = self.now.lock();
        if let Some(stuck) = now.stuck {
            return (stuck + limits.idle, Some(Late::Stuck("it takes no answer")));
        }
        match now.phase {
            Phase::First => (now.since + limits.first_bytes, Some(Late::Stuck("it says nothing"))),
            Phase::Head => (now.since + limits.head, Some(Late::Stuck("its request has no end"))),
            Phase::Idle => (now.since + limits.idle, Some(Late::Idle)),
            Phase::Busy => (Instant::now() + limits.idle, None),
        }
    }

    fn enter(&self, phase: Phase) {
        let mut now = self.now.lock();
        now.phase = phase;
        now.since = Instant::now();
    }

    fn heard_http1(&self) {
        if matches!(self.now.lock().phase, Phase::First | Phase::Idle) {
            self.enter(Phase::Head);
            self.sooner.notify_one();
        }
    }

    fn stuck(&self, stuck: bool) {
        self.now.lock().stuck = stuck.then(Instant::now);
        if stuck {
            self.sooner.notify_one();
        }
    }

    /// An exchange begins; it ends when the returned value is dropped.
    pub(super) fn begin(self: &Arc<Pulse>) -> Exchange {
        let mut now = self.now.lock();
        now.exchanges += 1;
        now.phase = Phase::Busy;
        Exchange(Arc::clone(self))
    }
}

/// A request that is being answered.
pub(super) struct Exchange(Arc<Pulse>);

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut now = self.0.now.lock();
        now.exchanges = now.exchanges.saturating_sub(1);
        if now.exchanges == 0 {
            now.phase = Phase::Idle;
            now.since = Instant::now();
        }
    }
}

/// A stream that tells its pulse.
pub(super) struct Watched<I> {
    stream: I,
    pulse: Arc<Pulse>,
    protocol: Protocol,
    stuck: bool,
}

enum Protocol {
    /// So many bytes of the preface have come.
    Unknown(usize),
    Http1,
    Http2,
}

impl<I> Watched<I> {
    pub(super) fn new(stream: I, pulse: Arc<Pulse>) -> Watched<I> {
        Watched { stream, pulse, protocol: Protocol::Unknown(0), stuck: false }
    }

    fn heard(&mut self, data: &[u8]) {
        if let Protocol::Unknown(seen) = self.protocol {
            let expected = PREFACE.get(seen..).unwrap_or_default();
            let same = data.iter().zip(expected).all(|(a, b)| a == b);
            self.protocol = match (same, data.len() < expected.len()) {
                (false, _) => Protocol::Http1,
                (true, true) => Protocol::Unknown(seen + data.len()),
                (true, false) => {
                    self.pulse.enter(Phase::Idle);
                    Protocol::Http2
                }
            };
        }
        // HTTP/2 needs no limit on heads: who stops in the midst of one cannot answer pings.
        if matches!(self.protocol, Protocol::Http1) {
            self.pulse.heard_http1();
        }
    }

    fn wrote<T>(&mut self, wrote: &Poll<T>) {
        if wrote.is_pending() != self.stuck {
            self.stuck = wrote.is_pending();
            self.pulse.stuck(self.stuck);
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        if let Some(data) = into.filled().get(before..).filter(|data| !data.is_empty()) {
            self.pulse.heard.add(data.len());
            self.heard(data);
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, data);
        self.wrote(&wrote);
        wrote
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        self.wrote(&wrote);
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
