//! Between lanes in front and lanes that have all of a key: each lane in front sends every turn to each lane behind it, with what is for it and the
//! time, and a lane behind takes them by their number. So it sees the stream in order, as if it were the only one, and no timer fires before what came earlier.

use crate::{
    ledger::{Account, Posting},
    turn::{End, Step, Turn},
};
use signal::{Flow, Time};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::mpsc;

/// Turns that may wait between two lanes; their bytes are bounded by what may be on its way at all.
const RING_TURNS_MAX: usize = 4;

/// One lane's end before the exchange.
pub(crate) struct Exchange {
    rings: Vec<mpsc::Sender<Turn>>,
    /// By stage of the lanes behind.
    accounts: Vec<Arc<Account>>,
    /// Of the turn at hand, for each lane behind.
    taken: Vec<VecDeque<Step>>,
}

/// One lane's end behind the exchange.
pub(crate) struct Merged {
    rings: Vec<mpsc::Receiver<Turn>>,
    next: u64,
    /// Lanes in front that have ended.
    ended: usize,
}

/// The ends of an exchange between so many lanes. `accounts`: by stage of the lanes behind.
pub(crate) fn exchange(front: usize, behind: usize, accounts: &[Arc<Account>]) -> (Vec<Exchange>, Vec<Merged>) {
    let mut merged: Vec<Merged> = (0..behind).map(|_| Merged { rings: Vec::new(), next: 0, ended: 0 }).collect();
    let ends = (0..front).map(|_| {
        let rings = merged.iter_mut().map(|merged| {
            let (to, from) = mpsc::channel(RING_TURNS_MAX);
            merged.rings.push(from);
            to
        });
        Exchange { rings: rings.collect(), accounts: accounts.to_vec(), taken: (0..behind).map(|_| VecDeque::new()).collect() }
    });
    (ends.collect(), merged)
}

impl Exchange {
    /// Parts a flow by key. From here on it is held by the node that it goes to.
    pub(crate) fn take(&mut self, stage: usize, flow: Flow, now: Time) {
        if let Some(account) = self.accounts.get(stage) {
            let records = flow.counts();
            let mut posting = Posting::taking(records);
            posting.hold([0; 3], records);
            account.post(&posting);
        }
        for (steps, flow) in self.taken.iter_mut().zip(flow.spread(self.rings.len())) {
            if !flow.is_empty() {
                steps.push_back(Step::Across { now, stage, flow });
            }
        }
    }

    /// Sends the turn at hand to every lane behind, and waits where one is full.
    pub(crate) async fn send(&mut self, turn: &Turn, end: End, now: Time) {
        for (ring, taken) in self.rings.iter().zip(&mut self.taken) {
            let mut steps = std::mem::take(taken);
            steps.push_back(Step::Time(now));
            // An error means that the lanes are cut off.
            let _cut_off = ring.send(Turn { number: turn.number, steps, end, flight: turn.flight.clone() }).await;
        }
    }
}

impl Merged {
    /// The next turn in the order of the stream.
    ///
    /// # Cancel safety
    /// Safe: a turn that came is returned.
    pub(crate) async fn next(&mut self) -> Option<Turn> {
        let lanes = self.rings.len() as u64;
        let ring = usize::try_from(self.next.checked_rem(lanes)?).ok()?;
        let mut turn = self.rings.get_mut(ring)?.recv().await?;
        self.next += 1;
        if turn.end != End::Open {
            self.ended += 1;
            turn.end = if self.ended == self.rings.len() { turn.end } else { End::Open };
        }
        Some(turn)
    }
}
