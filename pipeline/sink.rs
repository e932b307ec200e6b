//! Where telemetry goes out. A sink encodes and delivers one parcel or says why not; queues, retries and promises are the runner's.

use crate::{Opened, State, Stop};
use config::Fault;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use signal::Flow;
use std::time::Duration;

/// A running sink.
pub trait Sink: Send + Sync {
    /// Opens what it needs (a folder, rules), so that a path that cannot be written is one clear fault at start.
    fn open(&self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Delivers one parcel. `Ok` settles all of it. Called again with the same parcel after `Refusal::Later`, with the rest of it after `Refusal::Rest`.
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
    /// How it is doing with each of its targets, where it has several.
    fn gateways(&self) -> Option<Gateways> {
        None
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
    /// One of several targets has not taken its part: only that is delivered again, as after `Later`.
    Rest {
        /// What was not taken, of the parcel's records.
        rest: Box<Parcel>,
        /// Of what was taken, records that are counted as rejected and not sent again.
        rejected: usize,
        /// When to try again; zero where the rest goes to another target.
        after: Option<Duration>,
        /// Why that target has not.
        why: Why,
    },
}

/// The same records, byte for byte.
impl PartialEq for Parcel {
    fn eq(&self, other: &Parcel) -> bool {
        let chunks = |parcel: &Parcel| parcel.flow.batches().flat_map(signal::Batch::chunks).map(|c| c.bytes().clone()).collect::<Vec<_>>();
        chunks(self) == chunks(other)
    }
}

impl Eq for Parcel {}

/// How a sink with several targets of one kind is doing with each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateways {
    /// Those that it knows now.
    pub each: Vec<GatewayStatus>,
    /// Traces that were begun with a gateway which then was down, so that their rest went to another: they may be split.
    pub moved_traces: u64,
    /// Traces that found no room in the memory of who has which: a change of gateways before they end may split them.
    pub unremembered_traces: u64,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// Its address.
    pub address: String,
    /// Whether it is given anything.
    pub state: GatewayState,
    /// Records that it has taken since it became known.
    pub records: u64,
}

/// Whether a gateway is given anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayState {
    /// Its share.
    Up,
    /// Nothing: it does not answer.
    Down,
    /// What belongs to traces that began with it: it is not among the gateways any more.
    Leaving,
}

impl GatewayState {
    /// Every one.
    pub const ALL: [GatewayState; 3] = [GatewayState::Up, GatewayState::Down, GatewayState::Leaving];

    /// Its word in metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            GatewayState::Up => "up",
            GatewayState::Down => "down",
            GatewayState::Leaving => "leaving",
        }
    }
}

/// Why a sink's own work ended. The runner starts it again with backoff.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);
