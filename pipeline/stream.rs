//! What lanes read: a channel from the intakes, the journal, or a partition, in order. Owned by who reads, and outlives lanes that fall.

use crate::{Clock, handed::Handed, messages::Reading as Messages, reading::Reading};
use signal::Time;
use tokio::sync::mpsc;

#[expect(clippy::large_enum_variant, reason = "there is one a reader")]
pub(crate) enum Stream {
    Channel { from: mpsc::Receiver<Handed>, front: Option<Handed>, clock: Clock },
    Journal(Box<Reading>),
    Partition(Box<Messages>),
}

/// Whether there is something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    No,
    /// Not now. There is more that was not fetched yet, so the stream's time stands still.
    Behind,
    /// The stream is at its end: the wall's time.
    At(Time),
}

impl Stream {
    pub(crate) fn idle(&mut self) -> Idle {
        let wall = match self {
            Stream::Channel { from, front, clock } => {
                if front.is_none() {
                    *front = from.try_recv().ok();
                }
                front.is_none().then(|| clock.now())
            }
            Stream::Journal(reading) => reading.idle(),
            Stream::Partition(messages) => return messages.idle(),
        };
        wall.map_or(Idle::No, Idle::At)
    }

    /// Returns when there is something to read, nothing ever will be, or the end was come to.
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
            Stream::Partition(messages) => messages.news().await,
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
            Stream::Partition(messages) => messages.next().await,
        }
    }

    /// What comes next, if neither the disk nor a client has to be waited for.
    pub(crate) async fn next_at_hand(&mut self) -> Option<Handed> {
        match self {
            Stream::Channel { from, front, .. } => front.take().or_else(|| from.try_recv().ok()),
            Stream::Journal(reading) => reading.next_at_hand().await,
            // Read by one lane, which takes one at a time.
            Stream::Partition(_) => None,
        }
    }

    /// Takes nothing new from now on; what is there can still be read.
    pub(crate) fn close(&mut self) {
        match self {
            Stream::Channel { from, .. } => from.close(),
            Stream::Journal(reading) => reading.tail.close(),
            Stream::Partition(_) => {}
        }
    }

    /// Begins again at the journal's cursor, for a lane that fell.
    pub(crate) fn again(&mut self, cursor: u64) {
        if let Stream::Journal(reading) = self {
            reading.again(cursor);
        }
    }
}
