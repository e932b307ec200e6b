//! Black-box kit: the real binary on free ports in a folder of its own, asked over real sockets and through its own commands.
//! Everything here blocks, and fails the test that calls it by panicking.
#![expect(clippy::disallowed_methods, reason = "a test looks at the real clock and the real disk from outside")]

pub mod dns;
pub mod grpc;
pub mod http;
pub mod kafka;
pub mod otlp;
pub mod process;
pub mod python;
pub mod tls;
pub mod webhook;

pub use process::{Ended, Kansoku, Said};
pub use webhook::Webhook;

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for something that takes milliseconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// Looks again and again until there is an answer; panics with `what` after [`PATIENCE`].
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A file of this repository.
#[must_use]
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
