//! Lets the first of equal logs through at once and counts the others; at the end of the window one record tells of them.

use crate::{
    alike::{Alike, Likeness},
    seed::Seed,
    stand_in::{Promises, StandIn, Tally},
};
use config::{Bytes, Fault, Period, Placed};
use expression::Field;
use pipeline::{BuildContext, Component, Flush, Held, Keyed, Out, Processor, Reason, Shape, State};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Batch, Flow, Kinds, Signal, Time};
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    time::Duration,
};

/// Collapses equal logs: the first goes on at once, the others are counted as `discarded{duplicate}`, and at the end of the window one record goes on in
/// their place, the last of them, with `log_count` (how many it stands for), `first_observed_timestamp` and `last_observed_timestamp`. So the sum of `log_count`,
/// one where there is none, is what came in. Logs in closed traces stay with their trace; metrics and spans pass.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Deduplicate {
    /// Logs are equal when all of these fields are.
    #[serde(default = "usual")]
    by: Placed<Vec<Field>>,
    /// When two values are equal.
    #[serde(default)]
    likeness: Likeness,
    /// How long equal logs are counted before they are told of.
    #[serde(default = "ten_seconds")]
    window: Placed<Period>,
    /// Memory for what is remembered. Beyond it the oldest is told of early and forgotten. By default a twentieth of the process's memory budget.
    limit: Option<Bytes>,
}

fn usual() -> Placed<Vec<Field>> {
    Placed::nowhere([".service", ".severity", ".body"].map(Field::built_in).into())
}

fn ten_seconds() -> Placed<Period> {
    Placed::nowhere(Period(Duration::from_secs(10)))
}

impl Component for Deduplicate {
    type Runs = dyn Processor;
    const TYPE: &'static str = "deduplicate";
    const EXAMPLE: &'static str = "{ by: [.service, .severity, .message], window: 10s }";

    fn shape(&self, takes: Kinds) -> Shape {
        let key = self.by.iter().map(Field::text).collect::<Vec<_>>().join(", ");
        Shape { acts_on: Kinds::LOGS, keyed: Keyed::By(key), holds: true, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        if self.by.is_empty() {
            return Err(vec![
                self.by
                    .fault(format!("with an empty `by` all logs of `{}` would be equal", context.name))
                    .help("write by: [.service, .severity, .body]"),
            ]);
        }
        if self.window.0.is_zero() {
            return Err(vec![
                self.window.fault(format!("with an empty `window`, `{}` would collapse nothing", context.name)).help("write window: 10s"),
            ]);
        }
        let alike = Alike::new(&self.by, self.likeness)?;
        let limit = self.limit.map_or(context.memory.window_bytes_max / 8, |limit| usize::try_from(limit.0).unwrap_or(usize::MAX));
        let tick = (self.window.0 / TICKS).max(Duration::from_nanos(1));
        Ok(Box::new(Deduplicating { alike, window: self.window.0, tick, bytes_max: limit, memory: Memory::default() }))
    }
}

/// Windows end at one of so many moments of their length, so that what is told of goes on together.
const TICKS: u32 = 10;

/// Allocated for what is remembered of a log: its entry, in a table with room to grow, and its place in line.
const ENTRY_BYTES: usize = 2 * size_of::<(u128, Window)>() + size_of::<(Time, u128)>();

struct Deduplicating {
    alike: Alike,
    window: Duration,
    tick: Duration,
    bytes_max: usize,
    memory: Memory,
}

/// What is remembered.
#[derive(Default)]
struct Memory {
    seed: Seed,
    windows: HashMap<u128, Window>,
    /// All windows by when they end.
    line: VecDeque<(Time, u128)>,
    promises: Promises,
    /// Allocated for copies of records.
    copied: usize,
}

/// Equal logs, from the first that went on.
#[derive(Default)]
struct Window {
    /// Those that were taken out since.
    repeats: Tally,
    last: Option<StandIn>,
}

impl Processor for Deduplicating {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        match flow {
            Flow::Batch(batch) if batch.signal() == Signal::Logs => self.collapse(batch, out),
            _ => out.send(flow),
        }
    }

    fn due(&self) -> Option<Time> {
        self.memory.line.front().map(|(ends, _)| *ends)
    }

    fn flush(&mut self, why: Flush, out: &mut Out<'_>) {
        let now = out.now();
        let mut told = Batch::empty(Signal::Logs);
        while let Some((ends, key)) = self.memory.line.front().copied() {
            if why == Flush::Due && ends > now {
                break;
            }
            self.memory.line.pop_front();
            match self.memory.tell(key) {
                // What goes on repeating need not go on once more.
                Some(batch) if why == Flush::Due => {
                    told.absorb(batch);
                    self.memory.line.push_back((self.end_of_window(now), key));
                }
                batch => {
                    batch.into_iter().for_each(|batch| told.absorb(batch));
                    self.memory.windows.remove(&key);
                }
            }
        }
        self.memory.promises.send(told, out);
        match why {
            Flush::Due => self.memory.promises.settle(self.window + self.tick, now),
            Flush::Last => self.memory.promises = Promises::default(),
        }
    }

    fn held(&self) -> Held {
        Held { bytes: self.memory.bytes(), ..Held::NONE }
    }

    fn release(&mut self) -> Option<State> {
        Some(Box::new(std::mem::take(&mut self.memory)))
    }

    /// Windows that are open end when they were to. Where other fields are compared from now on, nothing is equal to what came before.
    fn adopt(&mut self, state: State) -> Result<(), State> {
        self.memory = *state.downcast::<Memory>()?;
        Ok(())
    }
}

impl Deduplicating {
    fn collapse(&mut self, mut batch: Batch, out: &mut Out<'_>) {
        let now = out.now();
        let ends = self.end_of_window(now);
        let mut goes_on = Vec::with_capacity(batch.len());
        let mut latest = HashMap::new();
        for chunk in batch.chunks() {
            for (n, record) in chunk.records(Signal::Logs).enumerate() {
                let key = self.alike.key(&record, self.memory.seed);
                match self.memory.windows.entry(key) {
                    Entry::Occupied(mut known) => {
                        known.get_mut().repeats.add(&record, now);
                        latest.insert(key, (record, chunk, n));
                        goes_on.push(false);
                    }
                    Entry::Vacant(new) => {
                        new.insert(Window::default());
                        self.memory.line.push_back((ends, key));
                        goes_on.push(true);
                    }
                }
            }
        }
        for (key, (record, chunk, n)) in latest {
            self.memory.remember(key, StandIn::of(record, chunk, n));
        }
        let mut goes_on = goes_on.into_iter();
        let gone = batch.retain(|_| goes_on.next() == Some(true));
        out.discarded(Signal::Logs, gone, Reason::DUPLICATE);
        if gone > 0 {
            self.memory.promises.keep(batch.ack().clone(), now);
        }
        out.send(Flow::Batch(batch));
        self.shrink(out);
    }

    /// Tells of the oldest and forgets them while too much is remembered.
    fn shrink(&mut self, out: &mut Out<'_>) {
        let mut told = Batch::empty(Signal::Logs);
        while self.memory.bytes() > self.bytes_max {
            let Some((_, key)) = self.memory.line.pop_front() else { break };
            self.memory.tell(key).into_iter().for_each(|batch| told.absorb(batch));
            self.memory.windows.remove(&key);
        }
        self.memory.promises.send(told, out);
    }

    fn end_of_window(&self, begin: Time) -> Time {
        let tick = u64::try_from(self.tick.as_nanos()).unwrap_or(u64::MAX);
        let end = begin.plus(self.window).0;
        Time(end.div_ceil(tick).saturating_mul(tick))
    }
}

impl Memory {
    fn remember(&mut self, key: u128, last: StandIn) {
        let Some(window) = self.windows.get_mut(&key) else { return };
        self.copied += last.bytes();
        self.copied -= window.last.replace(last).map_or(0, |before| before.bytes());
    }

    /// What stands for the repeats of a window, if there were any; none are counted from then on.
    fn tell(&mut self, key: u128) -> Option<Batch> {
        let window = self.windows.get_mut(&key)?;
        let (repeats, last) = (std::mem::take(&mut window.repeats), window.last.take()?);
        self.copied -= last.bytes();
        Some(last.into_batch(&repeats))
    }

    fn bytes(&self) -> usize {
        self.windows.len() * ENTRY_BYTES + self.copied + self.promises.bytes()
    }
}

#[cfg(test)]
mod tests;
