//! Requests of the journal at which lanes fell, or at which the process itself ended: after the second time a request is given up, so that the rest gets through.

use crate::Reason;
use journal::Blame;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Falls at one request before it is given up.
const FALLS_MAX: u32 = 2;

/// By place in the journal. Shared by the lanes of a crew, over all their lives.
#[derive(Debug, Default)]
pub(crate) struct Falls(Mutex<HashMap<u64, Fell>>);

#[derive(Debug)]
struct Fell {
    times: u32,
    cause: Cause,
    given_up: bool,
}

#[derive(Clone, Debug)]
enum Cause {
    /// A processor panicked: this one, where it is known.
    Panic(Option<String>),
    ProcessEnd,
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
        let fell = |(position, times): (&u64, &u32)| (*position, Fell { times: *times, cause: Cause::ProcessEnd, given_up: false });
        Falls(Mutex::new(blamed.into_iter().flatten().map(fell).collect()))
    }

    /// Whether nothing is known of any.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// A lane fell at these, in this processor.
    pub(crate) fn note(&self, mut at: Vec<u64>, node: Option<&str>) {
        at.sort_unstable();
        at.dedup();
        let (mut falls, cause) = (self.0.lock(), Cause::Panic(node.map(str::to_owned)));
        for position in at {
            let fell = falls.entry(position).or_insert_with(|| Fell { times: 0, cause: cause.clone(), given_up: false });
            fell.times += 1;
            fell.cause = cause.clone();
        }
    }

    /// What is behind the journal's cursor does not come again.
    pub(crate) fn forget_below(&self, cursor: u64) {
        self.0.lock().retain(|position, _| *position >= cursor);
    }

    /// Whether a request is given up.
    pub(crate) fn verdict(&self, position: u64) -> Option<Verdict> {
        let falls = self.0.lock();
        let fell = falls.get(&position).filter(|fell| fell.times >= FALLS_MAX)?;
        if fell.given_up {
            return Some(Verdict::GivenUp);
        }
        Some(match &fell.cause {
            Cause::Panic(node) => {
                let who = node.as_ref().map_or_else(|| "a processor".to_owned(), |node| format!("`{node}`"));
                Verdict::GiveUp { reason: Reason::PANICKED, why: format!("{who} panicked at it twice: this is a defect") }
            }
            Cause::ProcessEnd => {
                Verdict::GiveUp { reason: Reason::ENDED_PROCESS, why: "the process ended twice while it read it again".to_owned() }
            }
        })
    }

    /// It is where it is kept, and counted.
    pub(crate) fn give_up(&self, position: u64) {
        self.0.lock().entry(position).and_modify(|fell| fell.given_up = true);
    }
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
