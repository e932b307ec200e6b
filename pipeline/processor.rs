//! A pure step: same state, flow and time in, same flows out. Synchronous; a lane owns it and calls it.

pub use crate::out::Out;
use signal::{Decision, Flow, Time};
use std::any::Any;

/// What a processor hands to its successor at a reload. Only parts of one type know what is in it.
pub type State = Box<dyn Any + Send>;

/// A running processor.
pub trait Processor: Send {
    /// Takes one flow and sends what comes of it.
    fn process(&mut self, flow: Flow, out: &mut Out<'_>);
    /// When it next wants `flush`, if ever.
    fn due(&self) -> Option<Time> {
        None
    }
    /// Emits what is held. For `Flush::Due`: until `out.full()`; it then stays due and is called again. For `Flush::Last`: everything.
    fn flush(&mut self, why: Flush, out: &mut Out<'_>) {
        let _ = (why, out);
    }
    /// What it holds now.
    fn held(&self) -> Held {
        Held::NONE
    }
    /// Learns at start of a decision that was made before a restart: a replayed slice at or below its `through` follows it as if it were on time, one above is late.
    fn recall(&mut self, decision: &Decision) {
        let _ = decision;
    }
    /// Gives what it holds and remembers to its successor at a reload, and holds nothing from then on. None where nobody else could go on with it:
    /// it is then flushed as at the end.
    fn release(&mut self) -> Option<State> {
        None
    }
    /// Goes on with what a part of the same name and type released, by its own settings: deadlines are computed again. It is asked before its first flow.
    ///
    /// # Errors
    /// The state, untouched, where it cannot go on with it. What it released itself it always takes back.
    fn adopt(&mut self, state: State) -> Result<(), State> {
        Err(state)
    }
}

/// Why flush was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// `due` has passed.
    Due,
    /// Input has ended: the process drains.
    Last,
}

/// What a processor keeps past its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Spans.
    pub spans: usize,
    /// Log records.
    pub logs: usize,
    /// Data points.
    pub points: usize,
    /// Allocated bytes.
    pub bytes: usize,
}

impl Held {
    /// Nothing.
    pub const NONE: Held = Held { spans: 0, logs: 0, points: 0, bytes: 0 };
}
