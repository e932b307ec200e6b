//! A stream with few and large system calls: what comes is read ahead, and what goes is gathered until whoever drives the connection lets it out (`drive.rs`).

use bytes::Buf;
use parking_lot::Mutex;
use std::{
    cell::Cell,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read ahead at the most.
pub(crate) const AHEAD_MAX: usize = 64 << 10;
/// What is gathered at the most.
const GATHERED_MAX: usize = 128 << 10;

/// Clones are the same stream.
pub(crate) struct Gathered<I>(Arc<Mutex<Inner<I>>>);

struct Inner<I> {
    stream: I,
    ahead_max: usize,
    ahead: Option<Ahead>,
    gathered: Vec<u8>,
    /// So much of it is out.
    sent: usize,
    /// Waits until more can be gathered.
    blocked: Option<Waker>,
}

/// What was read and not asked for yet.
struct Ahead {
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
}

thread_local! {
    /// Buffers that nobody uses, so that connections at rest have none and busy ones need not allocate.
    static READ: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    static WRITTEN: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl<I> Clone for Gathered<I> {
    fn clone(&self) -> Gathered<I> {
        Gathered(Arc::clone(&self.0))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Gathered<I> {
    /// Reads so many bytes ahead, but no more than `AHEAD_MAX`.
    pub(crate) fn new(stream: I, ahead_max: usize) -> Gathered<I> {
        let ahead_max = ahead_max.min(AHEAD_MAX);
        Gathered(Arc::new(Mutex::new(Inner { stream, ahead_max, ahead: None, gathered: Vec::new(), sent: 0, blocked: None })))
    }

    /// Lets out what was gathered. Errors show when the stream is read or written next.
    pub(crate) fn poll_let_out(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().let_out(cx)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Inner<I> {
    fn read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(ahead) = self.ahead.take() {
            self.ahead = ahead.give(into);
            return Poll::Ready(Ok(()));
        }
        if into.remaining() >= self.ahead_max / 2 {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let spare = READ.take().filter(|spare| spare.len() == self.ahead_max);
        let mut buffer = spare.unwrap_or_else(|| vec![0; self.ahead_max].into_boxed_slice());
        let mut read = ReadBuf::new(&mut buffer);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut read);
        let to = read.filled().len();
        self.ahead = Ahead { buffer, from: 0, to }.give(into);
        polled
    }

    fn let_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while let Some(rest) = self.gathered.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.clear();
        WRITTEN.set(gathered);
        self.sent = 0;
        if let Some(blocked) = self.blocked.take() {
            blocked.wake();
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Gathers of it what there is room for; what is large is written from where it is.
    fn write(&mut self, cx: &mut Context<'_>, data: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length: usize = data.iter().map(|piece| piece.len()).sum();
        let is_large = length >= GATHERED_MAX;
        if (is_large || self.gathered.len() >= GATHERED_MAX) && !self.gathered.is_empty() {
            let out = self.let_out(cx);
            if out.is_pending() {
                self.blocked = Some(cx.waker().clone());
            }
            ready!(out)?;
        }
        if is_large {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        }
        if self.gathered.capacity() == 0 {
            self.gathered = WRITTEN.take();
        }
        let mut room = GATHERED_MAX - self.gathered.len();
        let before = room;
        for piece in data {
            let (now, _) = piece.split_at(piece.len().min(room));
            self.gathered.extend_from_slice(now);
            room -= now.len();
        }
        Poll::Ready(Ok(before - room))
    }
}

impl Ahead {
    /// What is left after these bytes were given.
    fn give(mut self, into: &mut ReadBuf<'_>) -> Option<Ahead> {
        let mut rest = self.buffer.get(self.from..self.to).unwrap_or_default();
        let now = rest.len().min(into.remaining());
        into.put_slice(&rest[..now]);
        rest.advance(now);
        self.from += now;
        if rest.is_empty() {
            READ.set(Some(self.buffer));
            return None;
        }
        Some(self)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.lock().read(cx, into)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gathered<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().write(cx, &[io::IoSlice::new(data)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.0.lock().write(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Whoever drives the connection lets it out.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        ready!(inner.let_out(cx))?;
        Pin::new(&mut inner.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn what_is_written_is_gathered_until_it_is_let_out() {
        let (near, mut far) = duplex(1 << 20);
        let mut stream = Gathered::new(near, AHEAD_MAX);
        for _ in 0..10 {
            stream.write_all(b"0123456789").await.unwrap();
            stream.flush().await.unwrap();
        }
        let mut got = [0; 200];
        assert!(tokio::time::timeout(std::time::Duration::from_millis(10), far.read(&mut got)).await.is_err());
        poll_fn(|cx| stream.poll_let_out(cx)).await.unwrap();
        assert_eq!(far.read(&mut got).await.unwrap(), 100);
        stream.write_all(b"last").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = String::new();
        far.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "last");
    }

    #[tokio::test]
    async fn whoever_writes_more_than_is_gathered_waits_until_it_is_taken() {
        let (near, mut far) = duplex(1_000);
        let mut stream = Gathered::new(near, AHEAD_MAX);
        let sent: Vec<u8> = (0..3 * GATHERED_MAX + 77).map(|n| n as u8).collect();
        let whole = sent.clone();
        let write = async {
            for (n, piece) in whole.chunks(60_000).enumerate() {
                // Large ones go out from where they are, behind what was gathered.
                let piece = if n == 1 { &whole[60_000..60_000 + piece.len()] } else { piece };
                stream.write_all(piece).await.unwrap();
            }
            stream.write_all(&whole).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let mut got = Vec::new();
        let (read, ()) = tokio::join!(far.read_to_end(&mut got), write);
        assert_eq!(read.unwrap(), 2 * sent.len());
        assert!(got[..sent.len()] == sent && got[sent.len()..] == sent);
    }

    #[tokio::test]
    async fn what_is_read_ahead_comes_in_order_into_buffers_of_any_size() {
        let (near, mut far) = duplex(1 << 20);
        let mut stream = Gathered::new(near, 1_000);
        let sent: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
        far.write_all(&sent).await.unwrap();
        far.shutdown().await.unwrap();
        let (mut got, mut sizes) = (Vec::new(), [1, 7, 499, 500, 3, 2_000].into_iter().cycle());
        loop {
            let mut buffer = vec![0; sizes.next().unwrap()];
            match stream.read(&mut buffer).await.unwrap() {
                0 => break,
                read => got.extend_from_slice(&buffer[..read]),
            }
        }
        assert!(got == sent);
    }
}
