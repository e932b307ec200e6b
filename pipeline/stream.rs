//! What lanes read: a channel from the intakes, or the journal in order. Owned by who reads, and outlives lanes that fall.

use crate::{Clock, handed::Handed, reading::Reading};
use signal::Time;
use tokio::sync::mpsc;

#[expect(clippy::large_enum_variant, reason = "there is one a reader")]
pub(crate) enum Stream {
    Channel { from: mpsc::Receiver<Handed>, front: Option<Handed>, clock: Clock },
    Journal(Box<Reading>),
}

impl Stream {
    /// The wall's time when there is nothing to read; the stream is at its end.
    pub(crate) fn idle(&mut self) -> Option<Time> {
        match self {
            Stream::Channel { from, front, clock } => {
                if front.is_none() {
                    *front = from.try_recv().ok();
                }
                front.is_none().then(|| clock.now())
            }
            Stream::Journal(reading) => reading.idle(),
        }
    }

    /// Returns when there is something to read, or nothing ever will be.
    ///
    /// # Cancel safety
    /// Safe: what came is kept for `next`.
    pub(crate) async fn news(&mut self) {
        match self {
            Stream::Channel { from, front, .. } => {
                if front.is_none() {
                    *front = from.recv().await;
                }
            }
            Stream::Journal(reading) => reading.tail.news().await,
        }
    }

    /// What comes next; none where that turned out to be nothing.
    ///
    /// # Cancel safety
    /// Safe: what was not returned comes again.
    pub(crate) async fn next(&mut self) -> Option<Handed> {
        match self {
            Stream::Channel { from, front, .. } => front.take().or_else(|| from.try_recv().ok()),
            Stream::Journal(reading) => reading.next().await,
        }
    }

    /// What comes next, if neither the disk nor a client has to be waited for.
    pub(crate) async fn next_at_hand(&mut self) -> Option<Handed> {
        match self {
            Stream::Channel { from, front, .. } => front.take().or_else(|| from.try_recv().ok()),
            Stream::Journal(reading) => reading.next_at_hand().await,
        }
    }

    /// Takes nothing new from now on; what is there can still be read.
    pub(crate) fn close(&mut self) {
        match self {
            Stream::Channel { from, .. } => from.close(),
            Stream::Journal(reading) => reading.tail.close(),
        }
    }

    /// Begins again at the journal's cursor, for a lane that fell.
    pub(crate) fn again(&mut self, cursor: u64) {
        if let Stream::Journal(reading) = self {
            reading.again(cursor);
        }
    }
}
