//! A sink's eye in the lane: it sees what a node sends before anybody who reads the node gets it, and may mark closed traces that its sink needs kept.

use crate::route::{Place, Target};
use signal::{Flow, Time};

/// What a sink has in each lane. Like a processor it is called and never waits; it changes nothing but marks.
pub trait Observer: Send {
    /// A flow that the sink gets next; `now` is the stream's time.
    fn observe(&mut self, flow: &mut Flow, now: Time);
}

/// Those of one lane, by sink in the order of the plan; empty where no sink has any.
#[derive(Default)]
pub(crate) struct Observers(pub(crate) Vec<Option<Box<dyn Observer>>>);

impl Observers {
    /// Shows a flow to every observer whose sink is among its readers.
    pub(crate) fn see(&mut self, readers: &[Target], flow: &mut Flow, now: Time) {
        if self.0.is_empty() {
            return;
        }
        for reader in readers {
            if let Place::Edge(edge) = reader.to
                && let Some(Some(observer)) = self.0.get_mut(edge)
            {
                observer.observe(flow, now);
            }
        }
    }
}
