//! Drives a connection, and everything that it starts, in one task: its requests wake each other by a bit in place of a queue of the runtime, and what they
//! write together goes out together.

use crate::gathered::Gathered;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered, task::AtomicWaker};
use hyper::rt::Executor;
use parking_lot::Mutex;
use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// Rounds of a poll, before others have their turn.
const ROUNDS_MAX: usize = 16;

/// What a connection starts, until it is taken over by who drives it. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Started(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Started {
    fn execute(&self, future: F) {
        self.0.lock().push(Box::pin(future));
    }
}

/// A connection being driven, to its own end; what it started ends with it.
pub(crate) struct Drive<C, I> {
    connection: Pin<Box<C>>,
    started: Started,
    running: FuturesUnordered<BoxFuture<'static, ()>>,
    stream: Gathered<I>,
    bell: Arc<Bell>,
    for_connection: Waker,
    for_running: Waker,
}

/// Who is to be polled.
struct Bell {
    rung: AtomicU8,
    task: AtomicWaker,
}

const CONNECTION: u8 = 1;
const RUNNING: u8 = 2;
/// They are being polled: whoever is rung for is looked at before that ends.
const BUSY: u8 = 4;

impl Bell {
    fn ring(&self, whom: u8) {
        if self.rung.fetch_or(whom, Ordering::AcqRel) == 0 {
            self.task.wake();
        }
    }
}

struct ForConnection(Arc<Bell>);

impl Wake for ForConnection {
    fn wake(self: Arc<Self>) {
        self.0.ring(CONNECTION);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.ring(CONNECTION);
    }
}

struct ForRunning(Arc<Bell>);

impl Wake for ForRunning {
    fn wake(self: Arc<Self>) {
        self.0.ring(RUNNING);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.ring(RUNNING);
    }
}

impl<C, I> Drive<C, I> {
    /// `connection` speaks over `stream`, and hands what it starts to `started`.
    pub(crate) fn new(connection: C, stream: Gathered<I>, started: Started) -> Drive<C, I> {
        let bell = Arc::new(Bell { rung: AtomicU8::new(CONNECTION | RUNNING), task: AtomicWaker::new() });
        let for_connection = Waker::from(Arc::new(ForConnection(Arc::clone(&bell))));
        let for_running = Waker::from(Arc::new(ForRunning(Arc::clone(&bell))));
        Drive { connection: Box::pin(connection), started, running: FuturesUnordered::new(), stream, bell, for_connection, for_running }
    }

    /// Tells the connection something, which has to be polled next.
    pub(crate) fn tell(&mut self, tell: impl FnOnce(Pin<&mut C>)) {
        tell(self.connection.as_mut());
        self.bell.ring(CONNECTION);
    }

    fn take_over(&mut self) {
        let started = mem::take(&mut *self.started.0.lock());
        if !started.is_empty() {
            self.running.extend(started);
            self.bell.ring(RUNNING);
        }
    }
}

impl<C: Future, I: AsyncRead + AsyncWrite + Unpin> Future for Drive<C, I> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let drive = &mut *self;
        drive.bell.task.register(cx.waker());
        let for_connection = drive.for_connection.clone();
        let mut connection_cx = Context::from_waker(&for_connection);
        for _ in 0..ROUNDS_MAX {
            let rung = drive.bell.rung.swap(BUSY, Ordering::AcqRel);
            if rung & CONNECTION != 0 {
                let polled = drive.connection.as_mut().poll(&mut connection_cx);
                drive.take_over();
                if polled.is_ready() {
                    // What was to be said last: a connection that ends in good order has let it out itself.
                    let _late = drive.stream.poll_let_out(&mut connection_cx);
                    return polled;
                }
            }
            if drive.bell.rung.fetch_and(!RUNNING, Ordering::AcqRel) & RUNNING != 0 || rung & RUNNING != 0 {
                let mut running_cx = Context::from_waker(&drive.for_running);
                while let Poll::Ready(Some(())) = drive.running.poll_next_unpin(&mut running_cx) {}
                drive.take_over();
            }
            if drive.bell.rung.load(Ordering::Acquire) & (CONNECTION | RUNNING) != 0 {
                continue;
            }
            // Errors show when the stream is read or written next.
            let _later = drive.stream.poll_let_out(&mut connection_cx);
            if drive.bell.rung.compare_exchange(BUSY, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Poll::Pending;
            }
        }
        let _later = drive.stream.poll_let_out(&mut connection_cx);
        drive.bell.rung.fetch_and(!BUSY, Ordering::AcqRel);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use tokio::{
        io::duplex,
        sync::{mpsc, oneshot},
    };

    fn polled<F: Future>(times: &Arc<AtomicUsize>, future: F) -> impl Future<Output = F::Output> {
        let (times, mut future) = (Arc::clone(times), Box::pin(future));
        std::future::poll_fn(move |cx| {
            times.fetch_add(1, Ordering::Relaxed);
            future.as_mut().poll(cx)
        })
    }

    #[tokio::test]
    async fn what_a_connection_starts_runs_beside_it_and_nobody_is_polled_in_vain() {
        let (started, polls) = (Started::default(), Arc::new(AtomicUsize::new(0)));
        let (tell, mut told) = mpsc::channel(8);
        let (go, gone) = oneshot::channel::<()>();
        let starts = started.clone();
        let connection = polled(&polls, async move {
            for n in 0..3 {
                let tell = tell.clone();
                starts.execute(async move { tell.send(n).await.unwrap() });
            }
            let mut heard = Vec::new();
            while heard.len() < 3 {
                heard.push(told.recv().await.unwrap());
            }
            gone.await.unwrap();
            heard
        });
        let whole = Arc::new(AtomicUsize::new(0));
        let drive = polled(&whole, Drive::new(connection, Gathered::new(duplex(8).0, 8), started));
        let (heard, ()) = tokio::join!(drive, async {
            tokio::task::yield_now().await;
            assert_eq!((whole.load(Ordering::Relaxed), polls.load(Ordering::Relaxed)), (1, 2), "all of it in one turn");
            go.send(()).unwrap();
        });
        assert_eq!(heard, [0, 1, 2]);
        assert_eq!(whole.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn what_it_started_ends_with_it() {
        struct Drops(Option<oneshot::Sender<()>>);
        impl Drop for Drops {
            fn drop(&mut self) {
                if let Some(tell) = self.0.take() {
                    tell.send(()).unwrap();
                }
            }
        }
        let (tell, told) = oneshot::channel();
        let (started, held) = (Started::default(), Drops(Some(tell)));
        started.execute(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        Drive::new(tokio::task::yield_now(), Gathered::new(duplex(8).0, 8), started).await;
        told.await.unwrap();
    }
}
