//! Calls a processor alone, as a lane would: for the tests of processors, for conformance tests and for pipelines as stories.

use crate::{
    BuildContext, Clock, Component, Flush, Memory, Out, Pool, Processor, Reason, Tally, World,
    ledger::{Fate, Posting},
    route::Outputs,
};
use config::{Document, Environment, Fault, Place};
use journal::{Blocking, Disk, RealDisk};
use signal::{Decision, Flow, Kinds, Signal, Time};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What one call sent and said.
#[derive(Debug, Default)]
pub struct Collected {
    /// What was sent, in order, with the name of the output where one was named. Dropping a flow settles its promise.
    pub sent: Vec<(Option<String>, Flow)>,
    /// What was decided, in order.
    pub decisions: Vec<Decision>,
    posting: Posting,
}

impl Collected {
    /// Records taken out on purpose for this reason.
    #[must_use]
    pub fn discarded(&self, signal: Signal, why: Reason) -> usize {
        let found = self.posting.ended.iter().filter(|(fate, of, reason, _)| *fate == Fate::Discarded && *of == signal && *reason == why);
        usize::try_from(found.map(|(_, _, _, records)| records).sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// Records that the node made itself.
    #[must_use]
    pub fn made(&self, signal: Signal) -> usize {
        usize::try_from(self.posting.made[signal.number()]).unwrap_or(usize::MAX)
    }

    /// How often something besides records was counted under this word.
    #[must_use]
    pub fn tallied(&self, what: Tally, word: &str) -> u64 {
        self.posting.tallies.iter().filter(|(of, under, _)| *of == what && under == word).map(|(_, _, times)| times).sum()
    }

    /// Records of a signal in everything that was sent.
    #[must_use]
    pub fn count(&self, signal: Signal) -> usize {
        self.sent.iter().map(|(_, flow)| flow.count(signal)).sum()
    }

    /// In + made − out − discarded − the growth of what is held: what a lane would count as unaccounted. Zero, or the processor is wrong.
    #[must_use]
    pub fn unaccounted(&self, signal: Signal) -> i64 {
        self.posting.difference()[signal.number()]
    }
}

/// Has the processor take one flow at this time.
pub fn run(processor: &mut dyn Processor, flow: Flow, now: Time) -> Collected {
    let taken = Posting::taking(flow.counts());
    call(processor, now, usize::MAX, taken, |part, out| part.process(flow, out))
}

/// Has the processor emit what it holds. The outbox says it is full after `flows_max` flows.
pub fn flush(processor: &mut dyn Processor, why: Flush, now: Time, flows_max: usize) -> Collected {
    call(processor, now, flows_max, Posting::default(), |part, out| part.flush(why, out))
}

/// Fires what is due up to `until`, each at its own time and in order, as a lane does before it reads a record of that time.
pub fn advance(processor: &mut dyn Processor, until: Time) -> Vec<Collected> {
    let mut calls = Vec::new();
    while let Some(due) = processor.due().filter(|due| *due <= until) {
        calls.push(flush(processor, Flush::Due, due, usize::MAX));
        if processor.due() == Some(due) {
            break;
        }
    }
    calls
}

fn call(
    processor: &mut dyn Processor,
    now: Time,
    flows_max: usize,
    posting: Posting,
    step: impl FnOnce(&mut dyn Processor, &mut Out<'_>),
) -> Collected {
    let mut collected = Collected { posting, ..Collected::default() };
    let before = processor.held().per_signal();
    let Collected { sent, decisions, posting } = &mut collected;
    step(processor, &mut Out::collecting(now, posting, &Outputs::default(), sent, decisions, flows_max));
    collected.posting.hold(before, processor.held().per_signal());
    collected
}

/// An environment without variables and files.
struct Bare;

impl Environment for Bare {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, path: &str) -> Result<String, String> {
        Err(format!("{path} is not there"))
    }
}

/// Blocking calls run where they are made.
#[must_use]
pub fn inline() -> Blocking {
    Arc::new(|work| work())
}

/// A world on the clock of a paused runtime, which begins at this time, and on this disk, in the folder `/`.
#[must_use]
pub fn world(start: Time, disk: Arc<dyn Disk>, cores: usize) -> World {
    World { clock: Clock::with_runtime(start), disk, blocking: inline(), cores, ..World::real(PathBuf::from("/")) }
}

/// Reads a component's body from YAML and builds it as a node called `test` into which `takes` flows, with 64 MiB to plan with, in the folder `/`.
pub fn build<C: Component>(body: &str, takes: Kinds) -> Result<Box<C::Runs>, Vec<Fault>> {
    build_in::<C>(body, takes, Path::new("/"), &Pool::default())
}

/// The same with a folder for relative paths, and what is shared.
pub fn build_in<C: Component>(body: &str, takes: Kinds, folder: &Path, pool: &Pool) -> Result<Box<C::Runs>, Vec<Fault>> {
    let document = Document::parse("test.yaml", body, &Bare).map_err(|(_, faults)| faults)?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let context = BuildContext {
        name: "test",
        place: Place::default(),
        takes,
        folder,
        pool,
        disk: &disk,
        blocking: &inline(),
        memory: Memory { intake_bytes_max: 64 << 20, window_bytes_max: 64 << 20, lanes: 1, store_bytes_max: 64 << 20 },
        journal: None,
        clock: &Clock::at(Time(0)),
    };
    config::read::<C>(&document.root)?.build(&context)
}

/// Numbers that follow from a seed.
#[derive(Clone, Debug)]
pub struct Chance(pub u64);

impl Chance {
    /// One below this bound, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Whether it happens, once in so many times.
    pub fn of(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}
