//! Where telemetry comes in. A source turns what it gets into OTLP requests and hands them to its intake; it queues nothing.

use crate::{Clock, Intake, Opened, Partitions, Positions};
use config::Fault;
use futures::future::BoxFuture;
use tokio::sync::watch;

/// A running source. Built, then opened, then run until it is told to stop.
pub trait Source: Send {
    /// Binds listeners and finds its files, so that a port in use or a path that cannot be read is one clear fault at start.
    fn open(&mut self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Hands in what comes until `stop` is asked, finishes what was begun, returns.
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>>;
}

/// What a running source is given.
pub struct SourceContext {
    /// Takes requests in.
    pub intake: Intake,
    /// Says when to end.
    pub stop: Stop,
    /// The pipeline's clock.
    pub clock: Clock,
    /// Where a source that can read again after a restart keeps how far it is.
    pub positions: Positions,
    /// Has partitions read, of a log that is somebody else's.
    pub partitions: Partitions,
}

/// Why a source ended before it was told to. The runner starts it again with backoff.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// A wish to stop. Only sources and a sink's own `run` hear it; everything else ends because its input ends.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The one who asks, and the one who hears.
    #[must_use]
    pub fn pair() -> (watch::Sender<bool>, Stop) {
        let (ask, hear) = watch::channel(false);
        (ask, Stop(hear))
    }

    /// Returns once stop is asked, at once if it already was, or when the asker is gone.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub async fn asked(&self) {
        let mut hear = self.0.clone();
        // An error means that the asker is gone, which is a stop too.
        let _gone = hear.wait_for(|asked| *asked).await;
    }

    /// Whether stop was asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }
}
