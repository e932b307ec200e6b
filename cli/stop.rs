//! The signals that ask the process to end, or to read its file again.

use std::{io::IsTerminal, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGINT and SIGHUP, as they come.
pub(crate) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    hang_up: Option<Signal>,
    /// Which of stdin and stderr were terminals when listening began.
    terminals: [bool; 2],
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To end.
    End,
    /// To read the file again.
    Reload,
}

impl Signals {
    /// Listens from now on. A kind that cannot be listened for ends the process as it always did.
    pub(crate) fn listen() -> Signals {
        let listen = |kind| signal(kind).ok();
        Signals {
            terminate: listen(SignalKind::terminate()),
            interrupt: listen(SignalKind::interrupt()),
            hang_up: listen(SignalKind::hangup()),
            terminals: terminals(),
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

    /// What the next signal asks for. SIGHUP is how services are told to read again, and also how a shell says that its terminal is gone.
    ///
    /// # Cancel safety
    /// As `next`.
    pub(crate) async fn wish(&mut self) -> Wish {
        match self.next().await {
            libc::SIGHUP if terminals() == self.terminals => Wish::Reload,
            _ => Wish::End,
        }
    }
}

/// A terminal that is gone is none.
fn terminals() -> [bool; 2] {
    [std::io::stdin().is_terminal(), std::io::stderr().is_terminal()]
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

/// The number of the signal of somebody who asks a second time to end. Who asks for a reload by now is not heard.
pub(crate) async fn asked_again() -> i32 {
    tokio::time::sleep(SAME_WISH).await;
    let mut signals = Signals::listen();
    loop {
        match signals.next().await {
            libc::SIGHUP => {}
            number => return number,
        }
    }
}
