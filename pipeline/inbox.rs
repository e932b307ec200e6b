//! Where a lane's turns come from: its own reader, a reader that deals to several lanes, or the lanes in front of it.

use crate::{
    exchange::Merged,
    reader::Reader,
    turn::{End, Step, Turn},
};
use tokio::sync::mpsc;

/// The way into one lane. Stays where a lane falls and begins again by itself, with the turn that it was at.
pub(crate) struct Inbox<'a> {
    from: Feed<'a>,
    /// Here, and not begun.
    next: Option<Turn>,
    at_hand: Option<Turn>,
}

/// Who gives the turns.
pub(crate) enum Feed<'a> {
    /// The lane reads the stream itself.
    Own(&'a mut Reader),
    /// A reader deals to this lane and others.
    Dealt(mpsc::Receiver<Turn>),
    /// Lanes in front.
    Merged(Merged),
}

impl Inbox<'_> {
    pub(crate) fn new(from: Feed<'_>) -> Inbox<'_> {
        Inbox { from, next: None, at_hand: None }
    }

    /// Returns once there is a turn to begin. Never where nobody is left to give one: the lanes are being cut off.
    ///
    /// # Cancel safety
    /// Safe: what came is kept for `begin`.
    pub(crate) async fn ready(&mut self) {
        if self.next.is_some() {
            return;
        }
        self.next = match &mut self.from {
            Feed::Own(reader) => return reader.ready().await,
            Feed::Dealt(turns) => turns.recv().await,
            Feed::Merged(merged) => merged.next().await,
        };
        if self.next.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Begins the next turn, if what was ready is one.
    pub(crate) async fn begin(&mut self) {
        self.at_hand = match &mut self.from {
            Feed::Own(reader) => reader.turn().await,
            Feed::Dealt(_) | Feed::Merged(_) => self.next.take(),
        };
    }

    pub(crate) fn at_hand(&self) -> Option<&Turn> {
        self.at_hand.as_ref()
    }

    /// The next step of the turn at hand.
    pub(crate) fn step(&mut self) -> Option<Step> {
        self.at_hand.as_mut()?.steps.pop_front()
    }

    /// Everything has come of the turn at hand. Whether more turns come.
    pub(crate) fn end(&mut self) -> End {
        self.at_hand.take().map_or(End::Open, |turn| turn.end)
    }
}
