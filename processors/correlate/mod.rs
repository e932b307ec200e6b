//! Gathers the spans and logs of each trace, from whatever requests they came in, and sends every trace on once, closed.
//! All deadlines count from arrival, on the stream's clock. Start reading at `correlating.rs`.

mod closed;
mod closing;
mod clues;
mod completeness;
mod correlating;
mod dictionary;
mod enrich;
mod events;
mod idless;
mod inferred;
mod kin;
mod open;
mod place;
mod pressure;
mod roots;
mod settings;
mod sources;
mod span_ids;
mod split;
mod state;
#[cfg(test)]
mod tests;
mod wheel;
mod window;

use crate::fullness::Gauge;
use closed::ClosedLately;
use config::{Bytes, Fault, Period, Placed};
use correlating::Correlating;
use events::Embedding;
use idless::Idless;
use inferred::Infer;
use pipeline::{BuildContext, Component, Keyed, Processor, Shape};
use pressure::Shedding;
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Caps, Close, EmbedEvents, OnOverflow, Shed};
use signal::Kinds;
use split::Splits;
use std::time::Duration;
use window::Window;

/// Joins the spans and logs of a trace. Logs without a trace id, and metrics, pass through.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Correlate {
    /// When a trace is closed: at the earliest of these; or `contrib`, which is 30 s after its first record, as the Collector's `tail_sampling` has it.
    #[serde(default)]
    close: Close,
    /// What one trace may hold before it is closed early and the rest follows its decision.
    #[serde(default)]
    caps: Caps,
    /// Memory for all open traces together. From 70 % of it on traces are given less time, down to 2 s; from 95 % on the oldest are closed early.
    /// By default 40 % of the process's memory budget. Nothing goes from here to disk: with a journal all that is open lies there already, and is read again after a crash.
    limit: Option<Bytes>,
    /// From 95 % of `limit` on: by default the oldest traces are decided early and nothing is lost, else new ones are turned away, errors too, as `window_full`. A lane
    /// never waits, so that there is no `block`: senders are held back by the journal's `limit` and by the memory for requests.
    on_overflow: Option<Placed<OnOverflow>>,
    /// Has healthy traces let go of their records from 85 % of `limit` on, before any is closed early; of one in which something goes wrong after that, what comes
    /// from then on is kept. By default all are held.
    shed: Option<Shed>,
    /// Copies severe logs into their spans as events, for backends that have no logs. The logs go on as well.
    embed_events: Option<EmbedEvents>,
    /// Joins logs without ids to the request that was under way in their pod when they were written, as a guess with its probability. By default they pass.
    infer: Option<Infer>,
    /// How long a closed trace is remembered, so that what comes late is known to be late.
    #[serde(default = "sixty_seconds")]
    remember: Period,
}

fn sixty_seconds() -> Period {
    Period(Duration::from_secs(60))
}

/// One closed trace is remembered for so much of the window, in each of two generations: a sixteenth of it in all.
const CLOSED_BYTES: usize = 512;
const CLOSED_MIN: usize = 1 << 14;

impl Component for Correlate {
    type Runs = dyn Processor;
    const TYPE: &'static str = "correlate";
    const EXAMPLE: &'static str = "close: { after_root: 2s, idle: 6s, after_first: 10s }";

    fn shape(&self, takes: Kinds) -> Shape {
        let held = takes.common(Kinds::SPANS.and(Kinds::LOGS));
        let closed = if held.is_none() { Kinds::NONE } else { Kinds::TRACES };
        Shape {
            acts_on: Kinds::SPANS.and(Kinds::LOGS),
            gives: takes.without(Kinds::SPANS).and(closed),
            // Spans and logs of a pod are compared with each other, whatever their trace.
            keyed: if self.infer.is_some() { Keyed::Single } else { Keyed::Trace },
            holds: true,
            ..Shape::passing(takes)
        }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        let limit = self
            .limit
            .map_or(context.memory.window_bytes_max, |limit| usize::try_from(limit.0).unwrap_or(usize::MAX) / context.memory.lanes.max(1));
        let on_overflow = self.on_overflow.as_deref().copied().unwrap_or_default();
        if let Some(word) = self.on_overflow.as_ref().filter(|_| on_overflow == OnOverflow::Block) {
            return Err(vec![
                word.fault(
                    "`block` would have the window wait, and with it everything that its lane reads, the rest of the open traces too",
                )
                .help("write `decide_early`; who sends is held back by the journal's `limit` and by the memory set aside for requests"),
            ]);
        }
        Ok(Box::new(Correlating::new(
            Window::new(self.close, self.caps, limit, (self.shed.as_ref().map(Shedding::new), on_overflow)),
            Gauge::new(context.pool, context.name, limit),
            ClosedLately::new(self.remember.0, (limit / CLOSED_BYTES).max(CLOSED_MIN)),
            Splits::new(self.remember.0),
            self.embed_events.as_ref().map(Embedding::new),
            Idless::new(self.infer.clone(), limit / 8),
        )))
    }
}
