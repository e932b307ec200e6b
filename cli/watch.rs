//! Looks every second at what the pipeline was read from. It reads through links, so a Kubernetes ConfigMap, which is swapped as a whole by a link, is like any
//! other file; and it needs nothing from the system that a network file system or a container may not have.

use std::{path::PathBuf, time::Duration};

const EVERY: Duration = Duration::from_secs(1);

/// Whether files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looking {
    /// `--watch`.
    EverySecond,
    /// Only who asks is answered.
    Never,
}

/// Files that are looked at.
pub(crate) struct Watch {
    looking: Looking,
    files: Vec<PathBuf>,
    /// As the pipeline was read from them.
    read: u64,
}

impl Watch {
    pub(crate) fn of(looking: Looking, files: Vec<PathBuf>) -> Watch {
        let read = digest(&files);
        Watch { looking, files, read }
    }

    /// The same where these files are still looked at, else one of these files as they are now.
    pub(crate) fn or_of(self, files: Vec<PathBuf>) -> Watch {
        if self.files == files { self } else { Watch::of(self.looking, files) }
    }

    /// Returns when they say something else than before and have been left alone for a second: an editor may write a file in pieces.
    ///
    /// # Cancel safety
    /// Safe: what was not returned is returned by the next call, a little later.
    pub(crate) async fn changed(&mut self) {
        if self.looking == Looking::Never {
            return std::future::pending().await;
        }
        let mut before = self.read;
        loop {
            tokio::time::sleep(EVERY).await;
            let now = digest(&self.files);
            if now == before && now != self.read {
                self.read = now;
                return;
            }
            before = now;
        }
    }
}

/// Small files, and seldom on a slow disk; yet nobody else waits for it.
fn digest(files: &[PathBuf]) -> u64 {
    tokio::task::block_in_place(|| config::document::digest(files))
}
