//! The signals that ask the process to end.

use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGINT, and SIGHUP (the terminal is gone), as they come.
pub(crate) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    hang_up: Option<Signal>,
}

impl Signals {
    /// Listens from now on. A kind that cannot be listened for ends the process as it always did.
    pub(crate) fn listen() -> Signals {
        let listen = |kind| signal(kind).ok();
        Signals {
            terminate: listen(SignalKind::terminate()),
            interrupt: listen(SignalKind::interrupt()),
            hang_up: listen(SignalKind::hangup()),
        }
    }

    /// The number of the next signal.
    ///
    /// # Cancel safety
    /// Safe: a signal that was not returned is returned by the next call.
    pub(crate) async fn next(&mut self) -> i32 {
        tokio::select! {
            () = heard(&mut self.terminate) => libc::SIGTERM,
            () = heard(&mut self.interrupt) => libc::SIGINT,
            () = heard(&mut self.hang_up) => libc::SIGHUP,
        }
    }
}

async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// How long after the first signal another one is still the same wish: timeout(1) and some supervisors signal a process and then its group.
const SAME_WISH: Duration = Duration::from_secs(1);

/// The number of the signal of somebody who asks a second time.
pub(crate) async fn asked_again() -> i32 {
    tokio::time::sleep(SAME_WISH).await;
    Signals::listen().next().await
}

/// Returns at the first signal, or after this long.
pub(crate) async fn asked_or(after: Option<Duration>) {
    let mut signals = Signals::listen();
    let time = async {
        match after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = signals.next() => {}
        () = time => {}
    }
}
