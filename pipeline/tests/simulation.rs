//! The runtime from seeds: on a virtual clock and a disk that forgets what was not synced, with sinks that fail, disks that fail, processors that panic,
//! reloads, and crashes. Every acknowledged log arrives, the ledger balances at every step, and what left was decided once, durably, before it left.

use super::{
    gather::request,
    parts::{CATALOGUE, Told, Trial, graph, texts},
};
use crate::{
    Caller, Changes, Plan, Refusal, Why, World,
    changes::{Digests, keep_what_needs_a_restart},
    intake, letter,
    testing::{self, Chance},
};
use journal::{
    Kind, Log, Options,
    simulated::{Call, SimulatedDisk, Survives},
};
use signal::{Decision, Signal, Time, codec::flow};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    ops::ControlFlow,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

const GRAPH: &str = "
journal: { path: journal, limit: 64MiB }
memory: 16MiB
sources: { in: { type: feed, acknowledge: durable } }
processors:
  kept: { type: fragile, inputs: [in] }
  traces: { type: gather, inputs: [kept], wait: 3s }
sinks:
  out: { type: probe, inputs: [traces] }
  raw: { type: probe, inputs: [kept] }
";

/// What the file says at one time or another; each brings every log to both sinks, and gathers traces in the same node.
fn graphs() -> [String; 4] {
    [
        GRAPH.to_owned(),
        GRAPH.replace("wait: 3s", "wait: 1s").replace("64MiB", "32MiB"),
        GRAPH.replace(
            "  traces: { type: gather, inputs: [kept]",
            "  some: { type: keep, inputs: [kept], with: ' ' }\n  traces: { type: gather, inputs: [some]",
        ),
        GRAPH.to_owned() + "  more: { type: probe, inputs: [in] }\n",
    ]
}

type Answer = oneshot::Receiver<Result<intake::Accepted, intake::Refused>>;

/// What is known of everything that happened, over all lives of the process.
struct Story {
    seed: u64,
    chance: Chance,
    disk: SimulatedDisk,
    cores: usize,
    /// Which graph the file has.
    graph: usize,
    /// The clock at the next start.
    now: Time,
    sent: u64,
    /// Texts that must arrive.
    acknowledged: BTreeSet<String>,
    waiting: Vec<(Vec<String>, Answer)>,
    out: BTreeSet<String>,
    raw: BTreeSet<String>,
    /// Texts at which processors panic and that were acknowledged: they must be among the dead letters.
    panics: BTreeSet<String>,
    /// Of the journal's first record, while nothing was freed.
    first: u64,
}

impl Story {
    fn new(seed: u64) -> Story {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
        let cores = [1, 2, 4][usize::try_from(chance.below(3)).unwrap()];
        Story {
            seed,
            chance,
            disk: SimulatedDisk::new(),
            cores,
            graph: 0,
            now: Time(1_000_000_000_000),
            sent: 0,
            acknowledged: BTreeSet::new(),
            waiting: Vec::new(),
            out: BTreeSet::new(),
            raw: BTreeSet::new(),
            panics: BTreeSet::new(),
            first: 0,
        }
    }

    fn journal(&self) -> Arc<Log> {
        Log::open(Arc::new(self.disk.clone()), Path::new("/journal"), Options::default(), testing::inline()).unwrap().0
    }

    fn world(&self) -> World {
        testing::world(self.now, Arc::new(self.disk.clone()), self.cores)
    }

    async fn send(&mut self, trial: &Trial) {
        let mut logs = Vec::new();
        // One that panics comes alone, so that what is given up with it is known.
        let panic = self.chance.of(25);
        for _ in 0..if panic { 1 } else { 1 + self.chance.below(5) } {
            self.sent += 1;
            let trace = Some(self.chance.below(20)).filter(|_| !self.chance.of(4) && !panic);
            let word = if panic { "panic" } else { "log" };
            logs.push((trace, format!("{word} {:05} {}", self.sent, trace.map_or(-1, u64::cast_signed))));
        }
        let texts = logs.iter().map(|(_, text)| text.clone()).collect();
        let (answer, answered) = oneshot::channel();
        let resource = u8::try_from(self.chance.below(4)).unwrap();
        trial.feed("in").send((Signal::Logs, request(resource, &logs), Caller::Here, answer)).await.unwrap();
        self.waiting.push((texts, answered));
    }

    /// Who was answered yes in the meantime.
    fn hear(&mut self) {
        let (acknowledged, panics) = (&mut self.acknowledged, &mut self.panics);
        self.waiting.retain_mut(|(texts, answer)| match answer.try_recv() {
            Ok(Ok(_)) => {
                let (panicking, well): (Vec<_>, Vec<_>) = std::mem::take(texts).into_iter().partition(|text| text.contains("panic"));
                panics.extend(panicking);
                acknowledged.extend(well);
                false
            }
            Ok(Err(_)) | Err(oneshot::error::TryRecvError::Closed) => false,
            Err(oneshot::error::TryRecvError::Empty) => true,
        });
    }

    /// The file is another one, and read.
    async fn reload(&mut self, trial: &mut Trial) {
        let (before, graphs) = (self.graph, graphs());
        self.graph = usize::try_from(self.chance.below(graphs.len() as u64)).unwrap();
        let mut new = graph(&graphs[self.graph]);
        let changes = Changes::between(&graph(&graphs[before]), &new, (&Digests::new(), &Digests::new()));
        keep_what_needs_a_restart(&graph(&graphs[before]), &mut new);
        if !changes.is_none() {
            let (plan, faults) = Plan::of(&new, CATALOGUE);
            assert!(Plan::may_run(&faults), "{faults:?}");
            trial.running.reload(plan, &changes).await.unwrap_or_else(|faults| panic!("seed {}: {faults:?}", self.seed));
        }
    }

    async fn step(&mut self, trial: &mut Trial, well: bool) {
        match self.chance.below(if well { 16 } else { 18 }) {
            0..8 => self.send(trial).await,
            8..12 => sleep(Duration::from_millis(1 + self.chance.below(3_000))).await,
            12 => *trial.told("out").dead.lock() = self.chance.of(2),
            13 => *trial.told("raw").delay.lock() = Duration::from_millis(self.chance.below(500)),
            14 => {
                let after = self.chance.of(2).then(|| Duration::from_millis(self.chance.below(4_000)));
                let refusal = Refusal::Later { after, why: Why("later".to_owned()) };
                trial.told("out").answers.lock().push(refusal);
            }
            15 => self.reload(trial).await,
            _ => match self.chance.below(3) {
                0 => self.disk.fail(Call::Sync, ErrorKind::Other, 1),
                1 => self.disk.fail(Call::Append, ErrorKind::StorageFull, 2),
                _ => self.disk.power_off_at(self.disk.calls() + self.chance.below(6)),
            },
        }
        self.hear();
        if let Err(why) = trial.running.status().ledger.balance() {
            panic!("seed {}: {why}", self.seed);
        }
    }

    /// A process, from its start to its crash or drain.
    async fn live(&mut self, last: bool) {
        let world = self.world();
        // Also while it is in no graph.
        let more = world.pool.get_or::<Told, ()>("more", || Ok(Arc::default())).unwrap();
        let mut trial = Trial::start_in(&graphs()[self.graph], world).await;
        let started = Instant::now();
        // Where the disk fails, what cannot be written leaves undecided in the end; so that is looked at only where it does not.
        let well = last || !self.chance.of(3);
        for _ in 0..self.chance.below(16) {
            self.step(&mut trial, well).await;
        }
        let (out, raw) = (trial.world.pool.get::<Told>("out").unwrap(), trial.world.pool.get::<Told>("raw").unwrap());
        if last {
            *out.dead.lock() = false;
            out.answers.lock().clear();
            sleep(Duration::from_secs(40)).await;
            self.hear();
            let drained = trial.drain().await;
            assert!(drained.ledger.lost() == 0 && drained.unfinished.is_empty(), "seed {}: {drained:?}", self.seed);
        } else {
            drop(trial);
            sleep(Duration::from_millis(50)).await;
            self.hear();
        }
        drop(more);
        self.waiting.clear();
        let left = out.seen.lock().clone();
        self.out.extend(left.iter().cloned());
        self.raw.extend(raw.seen.lock().iter().cloned());
        let down = Duration::from_millis(self.chance.below(3_000));
        self.now = self.now.plus(started.elapsed()).plus(down);
        self.disk.heal();
        let survives = [Survives::All, Survives::Synced, Survives::Some(self.chance.below(1 << 30))];
        self.disk.restart(survives[usize::try_from(self.chance.below(3)).unwrap()]);
        self.check_decisions(if well { &left } else { &[] });
    }

    /// What the journal says was decided: each trace once, and all of which something left.
    fn check_decisions(&self, left: &[String]) {
        let log = self.journal();
        let mut decided: BTreeMap<u64, usize> = BTreeMap::new();
        let mut reader = log.reader(log.first());
        while let Some(entry) = reader.next().unwrap() {
            if entry.header.kind == Kind::Decision {
                let decisions: Vec<Decision> = serde_json::from_slice(&entry.payload).unwrap();
                decisions.iter().for_each(|decision| *decided.entry(decision.trace_id.low()).or_default() += 1);
            }
        }
        assert!(decided.values().all(|times| *times == 1), "seed {}: decided more than once: {decided:?}", self.seed);
        // Where all was settled its segments are gone, and the decisions with them.
        let kept = if log.first() == self.first { left } else { &[] };
        for text in kept {
            let trace: Option<u64> = text.split(' ').nth(2).and_then(|trace| trace.parse().ok());
            assert!(trace.is_none_or(|trace| decided.contains_key(&trace)), "seed {}: `{text}` left undecided", self.seed);
        }
        drop(reader);
        drop(log);
        self.disk.restart(Survives::All);
    }

    fn check_arrived(&self) {
        let mut buried = BTreeSet::new();
        if !self.panics.is_empty() {
            let folder = Path::new("/journal").join(letter::FOLDER);
            let mut each = |entry: journal::Entry| {
                let (about, content) = letter::decode(&entry.payload).unwrap();
                assert_eq!((about.node.as_str(), about.reason.as_str()), ("in", "panicked"), "seed {}", self.seed);
                buried.extend(texts(&flow::decode(content).unwrap()));
                ControlFlow::Continue(())
            };
            journal::dump(&self.disk, &folder, 0, &mut each).unwrap();
        }
        assert!(self.panics.is_subset(&buried), "seed {}: {:?} are not all among the dead letters {buried:?}", self.seed, self.panics);
        for (name, seen) in [("out", &self.out), ("raw", &self.raw)] {
            let missing: Vec<_> = self.acknowledged.difference(seen).collect();
            assert!(missing.is_empty(), "seed {}: `{name}` misses {missing:?}", self.seed);
            let numbers = seen.iter().filter_map(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
            assert!(numbers.max().unwrap_or(0) <= self.sent);
        }
    }
}

async fn tell(seed: u64) {
    let mut story = Story::new(seed);
    story.first = story.journal().first();
    story.disk.restart(Survives::All);
    for life in (0..1 + seed % 4).rev() {
        story.live(life == 0).await;
    }
    story.check_arrived();
}

fn tell_all(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(tell(seed));
    }
}

// A thousand, in pieces that run beside each other.

#[test]
fn acknowledged_logs_arrive_and_traces_are_decided_once_whatever_fails() {
    tell_all(0..250);
}

#[test]
fn they_do_so_from_250_on() {
    tell_all(250..500);
}

#[test]
fn they_do_so_from_500_on() {
    tell_all(500..750);
}

#[test]
fn they_do_so_from_750_on() {
    tell_all(750..1000);
}
