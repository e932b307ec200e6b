//! The real `correlate` and `sample` in the whole runtime, from seeds: on a virtual clock and a disk that forgets what was not synced, with sinks and disks that fail, reloads and
//! crashes. Every trace is decided once, both sinks have the same traces, whole, no error is lost, and the ledger balances at every step.
//!
//! `SEED=N` runs one seed, `SEEDS=1000` so many; what a real disk and a real process do is for `tests/oracle.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "which seeds to run is said in the environment")]

#[path = "simulated/parts.rs"]
mod parts;
#[path = "simulated/said.rs"]
mod said;

use journal::{
    Kind, Log, Options,
    simulated::{Call, SimulatedDisk, Survives},
};
use parts::{Trial, graph, plan};
use pipeline::{
    Changes, Refusal, Why, World,
    changes::{Digests, keep_what_needs_a_restart},
    testing::{self, Chance},
};
use said::{Item, Said};
use signal::{Decision, Time};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};

const GRAPH: &str = "
journal: { path: journal, limit: 64MiB }
memory: 64MiB
sources: { in: { type: feed, acknowledge: durable } }
processors:
  traces: { type: correlate, inputs: [in], close: { after_root: 1s, idle: 3s, after_first: 5s } }
  kept:
    type: sample
    inputs: [traces]
    rules:
      - { name: errors, when: .error, keep: 100% }
      - { name: busy, when: '.root.name == \"busy\"', keep: 100%, at_most: 2/s }
      - { name: rest, keep: 50% }
sinks:
  store: { type: probe, inputs: [kept] }
  out: { type: probe, inputs: [kept] }
";

/// What the file says at one time or another: other shares, other times, a node more.
fn graphs() -> [String; 4] {
    [
        GRAPH.to_owned(),
        GRAPH.replace("name: rest, keep: 50%", "name: rest, keep: 25%").replace("at_most: 2/s", "at_most: 5/s"),
        GRAPH.replace("after_root: 1s, idle: 3s, after_first: 5s", "after_root: 500ms, idle: 1s, after_first: 2s"),
        GRAPH.to_owned() + "  more: { type: probe, inputs: [traces] }\n",
    ]
}

/// Everything that happened, over all lives of the process.
struct Story {
    seed: u64,
    chance: Chance,
    disk: SimulatedDisk,
    cores: usize,
    /// Whether the disk takes everything, until it loses its power. Where it does not, a decision that cannot be written is made without it (`pipeline/outlet.rs`), so that
    /// after a crash it may be made in another way.
    well: bool,
    graph: usize,
    /// The clock at the next start.
    now: Time,
    said: Said,
    store: BTreeSet<Item>,
    out: BTreeSet<Item>,
    decided: BTreeMap<u64, Decision>,
    /// Of the journal's first record, while nothing was freed.
    first: u64,
}

impl Story {
    fn new(seed: u64) -> Story {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
        let (cores, well) = ([1, 2, 4][usize::try_from(chance.below(3)).unwrap()], !chance.of(3));
        let (store, out, decided) = Default::default();
        let (disk, said, now) = (SimulatedDisk::new(), Said::new(seed), Time(1_750_000_000_000_000_000));
        Story { seed, chance, disk, cores, well, graph: 0, now, said, store, out, decided, first: 0 }
    }

    fn journal(&self) -> Arc<Log> {
        Log::open(Arc::new(self.disk.clone()), Path::new("/journal"), Options::default(), testing::inline()).unwrap().0
    }

    fn world(&self) -> World {
        testing::world(self.now, Arc::new(self.disk.clone()), self.cores)
    }

    /// The file is another one, and read.
    async fn reload(&mut self, trial: &mut Trial) {
        let (before, graphs) = (self.graph, graphs());
        self.graph = usize::try_from(self.chance.below(graphs.len() as u64)).unwrap();
        let mut new = graph(&graphs[self.graph]);
        let changes = Changes::between(&graph(&graphs[before]), &new, (&Digests::new(), &Digests::new()));
        keep_what_needs_a_restart(&graph(&graphs[before]), &mut new);
        if !changes.is_none() {
            trial.running.reload(plan(&new), &changes).await.unwrap_or_else(|faults| panic!("seed {}: {faults:?}", self.seed));
        }
    }

    async fn step(&mut self, trial: &mut Trial, last: bool) {
        match self.chance.below(if self.well || last { 20 } else { 22 }) {
            0..5 => self.said.begin(&mut self.chance),
            5..12 => self.said.send(trial, &mut self.chance).await,
            12..16 => sleep(Duration::from_millis(1 + self.chance.below(2_000))).await,
            16 => *trial.told("out").dead.lock() = self.chance.of(2),
            17 => *trial.told("store").delay.lock() = Duration::from_millis(self.chance.below(500)),
            18 => {
                let after = self.chance.of(2).then(|| Duration::from_millis(self.chance.below(4_000)));
                trial.told("out").answers.lock().push(Refusal::Later { after, why: Why("later".to_owned()) });
            }
            19 => self.reload(trial).await,
            _ => match self.chance.below(3) {
                0 => self.disk.fail(Call::Sync, ErrorKind::Other, 1),
                1 => self.disk.fail(Call::Append, ErrorKind::StorageFull, 2),
                _ => self.disk.power_off_at(self.disk.calls() + self.chance.below(6)),
            },
        }
        self.said.hear();
        if let Err(why) = trial.running.status().ledger.balance() {
            panic!("seed {}: {why}", self.seed);
        }
    }

    /// A process, from its start to its crash or drain.
    async fn live(&mut self, last: bool) {
        let mut trial = Trial::start(&graph(&graphs()[self.graph]), self.world()).await;
        let started = Instant::now();
        self.said.send_again(&trial).await;
        for _ in 0..8 + self.chance.below(40) {
            self.step(&mut trial, last).await;
        }
        let (store, out) = (trial.told("store"), trial.told("out"));
        if last {
            self.said.send_all(&trial).await;
            *out.dead.lock() = false;
            out.answers.lock().clear();
            sleep(Duration::from_secs(60)).await;
            self.said.hear();
            let drained = trial.drain().await;
            assert!(drained.ledger.lost() == 0 && drained.unfinished.is_empty(), "seed {}: {drained:?}", self.seed);
        } else {
            drop(trial);
            sleep(Duration::from_millis(50)).await;
            self.said.hear();
        }
        let left: BTreeSet<Item> = [store.seen(), out.seen()].concat().into_iter().collect();
        self.store.extend(store.seen());
        self.out.extend(out.seen());
        self.now = self.now.plus(started.elapsed()).plus(Duration::from_millis(self.chance.below(3_000)));
        self.disk.heal();
        let survives = [Survives::All, Survives::Synced, Survives::Some(self.chance.below(1 << 30))];
        self.disk.restart(survives[usize::try_from(self.chance.below(3)).unwrap()]);
        self.check_decisions(&left);
    }

    /// What the journal says was decided: each trace once, in the same way as ever, and all of which something left.
    fn check_decisions(&mut self, left: &BTreeSet<Item>) {
        let log = self.journal();
        let (mut reader, mut here) = (log.reader(log.first()), BTreeSet::new());
        while let Some(entry) = reader.next().unwrap() {
            if entry.header.kind != Kind::Decision {
                continue;
            }
            for decision in serde_json::from_slice::<Vec<Decision>>(&entry.payload).unwrap() {
                let trace = self.said.number(decision.trace_id);
                assert!(here.insert(trace), "seed {}: trace {trace} was decided twice", self.seed);
                let before = self.decided.entry(trace).or_insert_with(|| decision.clone());
                assert_eq!(*before, decision, "seed {}: trace {trace} was decided in two ways", self.seed);
            }
        }
        // Where all was settled its segments are gone, and the decisions with them.
        if self.well && log.first() == self.first {
            let undecided: Vec<&Item> = left.iter().filter(|item| !here.contains(&item.trace)).collect();
            assert!(undecided.is_empty(), "seed {}: left undecided: {undecided:?}", self.seed);
        }
        drop(reader);
        drop(log);
        self.disk.restart(Survives::All);
    }

    fn check_arrived(&self) -> usize {
        let seed = self.seed;
        for item in self.said.acknowledged().iter().filter(|item| item.failed) {
            assert!(self.store.contains(item) && self.out.contains(item), "seed {seed}: the error {item:?} is missing");
        }
        if !self.well {
            return self.store.len();
        }
        let more: Vec<_> = self.store.symmetric_difference(&self.out).collect();
        assert!(more.is_empty(), "seed {seed}: only one of the sinks has {more:?}");
        let failed: BTreeSet<u64> = self.store.iter().filter(|item| item.failed).map(|item| item.trace).collect();
        let kept = |trace: u64| self.decided.get(&trace).map(|decision| decision.randomness() >= decision.threshold);
        for item in self.said.acknowledged() {
            assert!(
                kept(item.trace) != Some(true) || self.store.contains(item),
                "seed {seed}: {item:?} of a trace that was kept is missing"
            );
        }
        // Of a trace that was dropped an error comes after all, with what came late beside it.
        for item in &self.store {
            assert!(kept(item.trace) != Some(false) || failed.contains(&item.trace), "seed {seed}: {item:?} of a trace that was dropped");
        }
        self.store.len()
    }
}

async fn tell(seed: u64) -> usize {
    let mut story = Story::new(seed);
    story.first = story.journal().first();
    story.disk.restart(Survives::All);
    for life in (0..1 + seed % 4).rev() {
        story.live(life == 0).await;
    }
    story.check_arrived()
}

fn tell_all(part: u64, parts: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let all = number("SEED").map_or(0..number("SEEDS").unwrap_or(200), |seed| seed..seed + 1);
    let mut arrived = 0;
    for seed in all.clone().filter(|seed| seed % parts == part) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        arrived += runtime.block_on(tell(seed));
    }
    assert!(arrived > 0 || all.end - all.start < parts, "nothing was ever kept");
}

// In pieces that run beside each other.

#[test]
fn a_trace_is_decided_once_and_both_sinks_have_it_whole_whatever_fails() {
    tell_all(0, 2);
}

#[test]
fn so_it_is_from_the_other_seeds() {
    tell_all(1, 2);
}
