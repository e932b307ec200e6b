//! Requests of the journal at which lanes fell, or at which the process itself ended: after the second time a request is given up, so that the rest gets through.
//! A processor that panics as it lets go of what it holds tells of no request; after the second time all are given up of which it held something.

use crate::{Reason, lane::Fallen};
use journal::Blame;
use parking_lot::Mutex;
use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Falls at one request before it is given up.
const FALLS_MAX: u32 = 2;

/// Shared by the lanes of a crew, over all their lives.
#[derive(Debug, Default)]
pub(crate) struct Falls(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By place in the journal.
    at: HashMap<u64, Fell>,
    /// By processor.
    holding: HashMap<Option<String>, Holding>,
}

#[derive(Debug)]
struct Fell {
    times: u32,
    reason: Reason,
    why: String,
    given_up: bool,
}

/// A processor that panicked with no request at hand.
#[derive(Debug)]
struct Holding {
    times: u32,
    /// What it held was below, at the first time.
    below: u64,
}

/// What becomes of a request at which lanes fell too often.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nobody goes on with it.
    GiveUp { reason: Reason, why: String },
    /// It was given up before; others make it be read again.
    GivenUp,
}

impl Falls {
    /// `blamed`: how many processes ended at which request.
    pub(crate) fn new(blamed: Option<&BTreeMap<u64, u32>>) -> Falls {
        let why = "the process ended twice while it read it again";
        let fell = |(position, times): (&u64, &u32)| {
            (*position, Fell { times: *times, reason: Reason::ENDED_PROCESS, why: why.to_owned(), given_up: false })
        };
        Falls(Mutex::new(State { at: blamed.into_iter().flatten().map(fell).collect(), holding: HashMap::new() }))
    }

    /// Whether nothing is known of any.
    pub(crate) fn is_empty(&self) -> bool {
        let falls = self.0.lock();
        falls.at.is_empty() && falls.holding.is_empty()
    }

    /// A lane fell. `next`: the number of the journal's next record.
    pub(crate) fn note(&self, fallen: Fallen, next: u64) {
        let Fallen { at, held, node, said, refused } = fallen;
        if refused {
            return;
        }
        let who = node.as_ref().map_or_else(|| "a processor".to_owned(), |node| format!("`{node}`"));
        let mut falls = self.0.lock();
        if !at.is_empty() {
            let why = format!("{who} panicked at it twice, which is a defect: {said}");
            return falls.blame(at, 1, &why);
        }
        let holding = falls.holding.entry(node.clone()).or_insert(Holding { times: 0, below: next });
        holding.times += 1;
        if holding.times >= FALLS_MAX && !held.is_empty() {
            let why = format!("{who} panicked twice as it let go of what it held, some of this or not, which is a defect: {said}");
            tracing::error!(node, requests = held.len(), "what it held is given up");
            falls.holding.remove(&node);
            falls.blame(held, FALLS_MAX, &why);
        }
    }

    /// What is behind the journal's cursor does not come again.
    pub(crate) fn forget_below(&self, cursor: u64) {
        let mut falls = self.0.lock();
        falls.at.retain(|position, _| *position >= cursor);
        falls.holding.retain(|_, holding| holding.below >= cursor);
    }

    /// Whether a request is given up.
    pub(crate) fn verdict(&self, position: u64) -> Option<Verdict> {
        let falls = self.0.lock();
        let fell = falls.at.get(&position).filter(|fell| fell.times >= FALLS_MAX)?;
        if fell.given_up {
            return Some(Verdict::GivenUp);
        }
        Some(Verdict::GiveUp { reason: fell.reason, why: fell.why.clone() })
    }

    /// It is where it is kept, and counted.
    pub(crate) fn give_up(&self, position: u64) {
        self.0.lock().at.entry(position).and_modify(|fell| fell.given_up = true);
    }
}

impl State {
    /// One fall is on these, and counts as so many.
    fn blame(&mut self, mut at: Vec<u64>, times: u32, why: &str) {
        at.sort_unstable();
        at.dedup();
        for position in at {
            let fell = self.at.entry(position).or_insert(Fell { times: 0, reason: Reason::PANICKED, why: String::new(), given_up: false });
            fell.times += times;
            (fell.reason, fell.why) = (Reason::PANICKED, why.to_owned());
        }
    }
}

/// What a panic said, where it said something.
pub(crate) fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it said nothing")
}

/// Tells the next process what a lane has in hand, while what an earlier one left is read again.
#[derive(Debug)]
pub(crate) struct InHand {
    blame: Arc<Blame>,
    hand: usize,
    noted: Vec<u64>,
}

impl InHand {
    pub(crate) fn new(blame: Arc<Blame>, hand: usize) -> InHand {
        InHand { blame, hand, noted: Vec::new() }
    }

    /// A processor is given something of these requests.
    pub(crate) fn note(&mut self, positions: &[u64]) {
        if self.noted != positions {
            self.blame.note(self.hand, positions);
            self.noted.clear();
            self.noted.extend_from_slice(positions);
        }
    }
}

impl Drop for InHand {
    /// The process goes on.
    fn drop(&mut self) {
        self.note(&[]);
    }
}
