//! Where telemetry goes out. A sink encodes and delivers one parcel or says why not; queues, retries and promises are the runner's.

use crate::{Opened, State, Stop};
use config::Fault;
use futures::future::BoxFuture;
use signal::Flow;
use std::time::Duration;

/// A running sink.
pub trait Sink: Send + Sync {
    /// Opens what it needs (a folder, rules), so that a path that cannot be written is one clear fault at start.
    fn open(&self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Delivers one parcel. `Ok` settles all of it. Called again with the same parcel after `Refusal::Later`.
    ///
    /// # Cancel safety
    /// The runner drops it at the timeout and counts that as `Later`.
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>>;
    /// Its own work beside deliveries (compaction, timers); stop comes after the last delivery.
    fn run(&self, stop: Stop) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            stop.asked().await;
            Ok(())
        })
    }
    /// Told now and then: no record of this journal at or below the position comes again, whatever crashes. A sink that tells repeats by origin can forget these.
    fn settled(&self, log: u32, position: u64) {
        let _ = (log, position);
    }
    /// Told every second, where there is a journal: how far what is delivered now lies behind the clock. Zero when everything was read and delivered.
    fn lags(&self, by: Duration) {
        let _ = by;
    }
    /// Gives what it knows to the instance that takes its place at a reload. None where it knows nothing that the other would not.
    fn release(&self) -> Option<State> {
        None
    }
    /// Goes on with what an instance of the same name and type released. What it cannot use it lets go.
    fn adopt(&self, state: State) {
        drop(state);
    }
    /// Whether its target can be reached.
    fn probe(&self) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }
}

/// What is delivered at once: a merged batch of one signal, or closed traces for a sink that acts on them. Its promise stays with the runner.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The records.
    pub flow: Flow,
}

/// In words, for whoever looks at `status`: what the target said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why(pub String);

/// Why a parcel was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Try again, after the time that the server named.
    Later {
        /// The server's time.
        after: Option<Duration>,
        /// Its words.
        why: Why,
    },
    /// It will never be taken.
    Never {
        /// The server's words.
        why: Why,
    },
    /// All but these were taken; they are counted as rejected and not sent again.
    Partly {
        /// How many were not.
        records: usize,
        /// The server's words.
        why: Why,
    },
    /// It must be smaller.
    TooLarge {
        /// Bytes that the server would take, if it said.
        max: Option<usize>,
    },
}

/// Why a sink's own work ended. The runner starts it again with backoff.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);
