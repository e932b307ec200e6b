//! Lets logs through up to a rate, each key for itself, by one number per key: the time at which its allowance is used up.

use crate::{
    alike::{Alike, Likeness},
    pace::Pace,
    seed::Seed,
    stand_in::{Promises, StandIn, Tally},
};
use config::{Fault, Placed};
use expression::Field;
use pipeline::{BuildContext, Component, Flush, Held, Keyed, Out, Processor, Reason, Shape, State};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Batch, Flow, Kinds, Record, Signal, Time};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Lets logs through up to a rate, those of each key for themselves. What is over it is counted as `discarded{over_limit}`, and the next log of its key that goes on
/// says in `log_count` for how many it stands, from `first_observed_timestamp` to `last_observed_timestamp`; where none comes, the last that was left out goes on
/// itself, a second or two later. So the sum of `log_count`, one where there is none, is what came in. Logs in closed traces stay with their trace; metrics
/// and spans pass.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Limit {
    /// How many go on, such as `100/s`, `20/m` or `5/h`; as many may come at once.
    at_most: Placed<Pace>,
    /// Fields of whose values each combination has a limit of its own; without them one limit is for all.
    #[serde(default)]
    by: Vec<Field>,
    /// Keys that are remembered. While so many are in use, new ones share one limit.
    #[serde(default = "ten_thousand")]
    keys: Placed<u32>,
}

fn ten_thousand() -> Placed<u32> {
    Placed::nowhere(10_000)
}

impl Component for Limit {
    type Runs = dyn Processor;
    const TYPE: &'static str = "limit";
    const EXAMPLE: &'static str = "{ at_most: 100/s, by: [.service] }";

    fn shape(&self, takes: Kinds) -> Shape {
        let keyed = match self.by.as_slice() {
            [] => Keyed::Single,
            by => Keyed::By(by.iter().map(Field::text).collect::<Vec<_>>().join(", ")),
        };
        Shape { acts_on: Kinds::LOGS, keyed, holds: true, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        let keys_max = *self.keys as usize;
        if keys_max == 0 {
            return Err(vec![self.keys.fault(format!("`{}` needs a key to limit", context.name)).help("write keys: 10000")]);
        }
        let alike = Alike::new(&self.by, Likeness::Exact)?;
        let bytes_max = context.memory.window_bytes_max / 8;
        Ok(Box::new(Limiting { alike, pace: *self.at_most, keys_max, bytes_max, memory: Memory::default() }))
    }
}

/// What is left out is told of after so long at the earliest, so that the next log can tell of it.
const TELL: Duration = Duration::from_secs(1);
/// Promises of what was left out are kept for so long at the most: a limit of a few an hour is not to hold up a journal for hours.
const PROMISED: Duration = Duration::from_secs(60);
/// The key of all that come while too many are in use.
const OTHERS: u128 = u128::MAX;
/// Allocated for a key: its entry, in a table with room to grow, and its place in line.
const KEY_BYTES: usize = 2 * size_of::<(u128, Key)>() + size_of::<(Time, u128)>();

struct Limiting {
    alike: Alike,
    pace: Pace,
    keys_max: usize,
    /// For copies of records and for promises.
    bytes_max: usize,
    memory: Memory,
}

/// What is remembered.
#[derive(Default)]
struct Memory {
    seed: Seed,
    keys: HashMap<u128, Key>,
    /// Keys of which something was left out, by when it may be told.
    line: VecDeque<(Time, u128)>,
    promises: Promises,
    /// Allocated for copies of records.
    copied: usize,
    /// When keys that are not in use were last let go.
    swept: Time,
}

/// One key's limit.
#[derive(Default)]
struct Key {
    /// When what went on so far is used up, at the limit's pace.
    used_until: Time,
    left_out: Tally,
    /// The last that was left out, unless its number was told of.
    last: Option<StandIn>,
    is_in_line: bool,
}

impl Processor for Limiting {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        match flow {
            Flow::Batch(batch) if batch.signal() == Signal::Logs => self.limit(batch, out),
            _ => out.send(flow),
        }
    }

    fn due(&self) -> Option<Time> {
        self.memory.line.front().map(|(at, _)| *at)
    }

    fn flush(&mut self, why: Flush, out: &mut Out<'_>) {
        let now = out.now();
        let mut told = Batch::empty(Signal::Logs);
        while let Some((_, key)) = self.memory.line.front().copied().filter(|(at, _)| why == Flush::Last || *at <= now) {
            self.memory.line.pop_front();
            let Some(known) = self.memory.keys.get_mut(&key) else { continue };
            known.is_in_line = false;
            if known.last.is_none() {
                continue;
            }
            if why == Flush::Last || known.admits(self.pace, now) {
                self.memory.tell(key).into_iter().for_each(|batch| told.absorb(batch));
            } else {
                known.is_in_line = true;
                self.memory.line.push_back((now.plus(TELL), key));
            }
        }
        self.memory.promises.send(told, out);
        match why {
            Flush::Due => self.settle(now),
            Flush::Last => (self.memory.promises, self.memory.keys) = Default::default(),
        }
    }

    fn held(&self) -> Held {
        Held { bytes: self.memory.bytes(), ..Held::NONE }
    }

    fn release(&mut self) -> Option<State> {
        Some(Box::new(std::mem::take(&mut self.memory)))
    }

    /// What was used up stays so, as far as the new limit reaches back.
    fn adopt(&mut self, state: State) -> Result<(), State> {
        self.memory = *state.downcast::<Memory>()?;
        Ok(())
    }
}

impl Limiting {
    fn limit(&mut self, mut batch: Batch, out: &mut Out<'_>) {
        let now = out.now();
        // Of each record whether it goes on, and if so, for whom else it stands.
        let mut fates = Vec::with_capacity(batch.len());
        let mut latest = HashMap::new();
        for chunk in batch.chunks() {
            for (n, record) in chunk.records(Signal::Logs).enumerate() {
                let key = self.key(&record, now);
                let known = self.memory.keys.entry(key).or_default();
                if !known.admits(self.pace, now) {
                    known.left_out.add(&record, now);
                    latest.insert(key, (fates.len(), record, chunk, n));
                    fates.push(None);
                    continue;
                }
                let mut tally = std::mem::take(&mut known.left_out);
                if tally.logs > 0 {
                    tally.add(&record, now);
                }
                self.memory.copied -= known.last.take().map_or(0, |last| last.bytes());
                fates.push(Some(tally));
            }
        }
        let mut latest: Vec<_> = latest.into_iter().collect();
        latest.sort_unstable_by_key(|(_, (at, ..))| *at);
        for (key, (_, record, chunk, n)) in latest {
            self.memory.remember(key, StandIn::of(record, chunk, n), now);
        }
        let ack = batch.ack().clone();
        let mut each = fates.iter();
        let gone = batch.retain(|_| each.next().is_some_and(Option::is_some));
        out.discarded(Signal::Logs, gone, Reason::OVER_LIMIT);
        let mut kept = fates.iter().flatten();
        if kept.clone().any(|tally| tally.logs > 0) {
            batch.edit(|_, edit| {
                let tally = kept.next().filter(|tally| tally.logs > 0);
                tally.into_iter().flat_map(Tally::attributes).for_each(|(key, value)| edit.set_attribute(key, value));
            });
            batch.promise(self.memory.promises.all());
        }
        if gone > 0 {
            self.memory.promises.keep(ack, now);
        }
        out.send(Flow::Batch(batch));
        self.shrink(out);
    }

    /// The key whose limit a record counts against.
    fn key(&mut self, record: &Record<'_>, now: Time) -> u128 {
        let key = self.alike.key(record, self.memory.seed);
        if self.memory.keys.len() < self.keys_max || self.memory.keys.contains_key(&key) {
            return key;
        }
        if now.since(self.memory.swept) >= TELL {
            self.memory.swept = now;
            self.memory.keys.retain(|_, known| known.is_in_line || known.used_until > now);
        }
        if self.memory.keys.len() < self.keys_max { key } else { OTHERS }
    }

    /// Tells of what was left out longest while its copies hold too much, whatever the limit says.
    fn shrink(&mut self, out: &mut Out<'_>) {
        let mut told = Batch::empty(Signal::Logs);
        while self.memory.copied + self.memory.promises.bytes() > self.bytes_max {
            let Some((_, key)) = self.memory.line.pop_front() else {
                self.memory.promises = Promises::default();
                break;
            };
            self.memory.tell(key).into_iter().for_each(|batch| told.absorb(batch));
        }
        self.memory.promises.send(told, out);
    }

    fn settle(&mut self, now: Time) {
        let told_by = self.pace.each() + 2 * TELL;
        self.memory.promises.settle(told_by.min(PROMISED), now);
    }
}

impl Key {
    /// Whether one more may go on now; it is counted if so. What is used up may reach one period ahead, which is what may come at once.
    fn admits(&mut self, pace: Pace, now: Time) -> bool {
        let used = self.used_until.clamp(now, now.plus(pace.period)).plus(pace.each());
        let admits = used <= now.plus(pace.period);
        if admits {
            self.used_until = used;
        }
        admits
    }
}

impl Memory {
    fn remember(&mut self, key: u128, last: StandIn, now: Time) {
        let Some(known) = self.keys.get_mut(&key) else { return };
        self.copied += last.bytes();
        self.copied -= known.last.replace(last).map_or(0, |before| before.bytes());
        if !known.is_in_line {
            known.is_in_line = true;
            self.line.push_back((now.plus(TELL), key));
        }
    }

    /// What stands for all that was left out of a key, if it was not told of; nothing is from then on.
    fn tell(&mut self, key: u128) -> Option<Batch> {
        let known = self.keys.get_mut(&key)?;
        known.is_in_line = false;
        let (left_out, last) = (std::mem::take(&mut known.left_out), known.last.take()?);
        self.copied -= last.bytes();
        Some(last.into_batch(&left_out))
    }

    fn bytes(&self) -> usize {
        self.keys.len() * KEY_BYTES + self.copied + self.promises.bytes()
    }
}

#[cfg(test)]
mod tests;
