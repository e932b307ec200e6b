//! Many lanes do what one lane does: the same decisions at the same times, each once, every key in order, whatever comes in and whatever falls.

use super::{
    gather::{Decided, Made, request},
    parts::{Told, Trial, world},
};
use crate::{Caller, World};
use proptest::prelude::*;
use signal::{Signal, Time};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, time::sleep};

const KEYED: &str = "
journal: { path: journal, limit: 256MiB }
memory: 16MiB
sources: { in: { type: feed, acknowledge: memory } }
processors:
  kept: { type: keep, inputs: [in], with: ' ' }
  traces: { type: gather, inputs: [kept], wait: 3s }
sinks:
  out: { type: probe, on_full: block, inputs: [traces] }
  raw: { type: probe, inputs: [kept] }
";

fn without_journal() -> String {
    KEYED.replace("journal: { path: journal, limit: 256MiB }", "")
}

fn on(cores: usize, folder: &Path) -> World {
    World { cores, ..world(folder, Time(1_000_000_000_000)) }
}

impl Trial {
    async fn give(&self, resource: u8, logs: &[(Option<u64>, String)]) {
        let (answer, _unheard) = oneshot::channel();
        self.feed("in").send((Signal::Logs, request(resource, logs), Caller::Here, answer)).await.unwrap();
    }
}

/// What came of a run: decisions by trace, and the texts of each key in the order in which they were delivered.
#[derive(Debug, PartialEq)]
struct Came {
    decided: Decided,
    out: BTreeMap<String, Vec<String>>,
    raw: Vec<String>,
}

/// Texts start with their key.
fn by_key(texts: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    texts.iter().for_each(|text| keys.entry(text.split(' ').next().unwrap_or_default().to_owned()).or_default().push(text.clone()));
    keys
}

#[derive(Clone, Debug)]
enum Step {
    /// Logs of a resource: each of a trace, or of none.
    Send(u8, Vec<Option<u64>>),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let trace = prop_oneof![3 => (0..12_u64).prop_map(Some), 1 => Just(None)];
    prop_oneof![
        4 => (0..4_u8, prop::collection::vec(trace, 1..10)).prop_map(|(resource, traces)| Step::Send(resource, traces)),
        1 => (0..4_000_u64).prop_map(Step::Wait),
    ]
}

async fn play(yaml: &str, cores: usize, steps: &[Step]) -> Came {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start_in(yaml, on(cores, folder.path())).await;
    let mut n = 0;
    for step in steps {
        match step {
            Step::Send(resource, traces) => {
                let named = |trace: &Option<u64>| {
                    n += 1;
                    (*trace, trace.map_or(format!("r{resource} {n:04}"), |trace| format!("t{trace} {n:04}")))
                };
                let logs: Vec<_> = traces.iter().map(named).collect();
                trial.give(*resource, &logs).await;
            }
            Step::Wait(ms) => sleep(Duration::from_millis(*ms)).await,
        }
        trial.running.status().ledger.balance().unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    let (made, out, raw) = {
        let pool = &trial.world.pool;
        (pool.get::<Made>("traces").unwrap(), pool.get::<Told>("out").unwrap(), pool.get::<Told>("raw").unwrap())
    };
    let drained = trial.drain().await;
    assert!(drained.unfinished.is_empty() && drained.ledger.lost() == 0, "{drained:?}");
    let decided = made.0.lock().clone();
    Came { decided, out: by_key(&out.seen.lock()), raw: raw.seen.lock().clone() }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn many_lanes_do_what_one_does(steps in prop::collection::vec(step(), 1..60), journal in any::<bool>()) {
        let yaml = if journal { KEYED.to_owned() } else { without_journal() };
        let one = block_on(play(&yaml, 1, &steps));
        for cores in [2, 4] {
            let many = block_on(play(&yaml, cores, &steps));
            prop_assert_eq!(&many, &one, "{} lanes", cores);
        }
        prop_assert!(one.decided.values().all(|times| times.len() == 1), "each trace was decided once: {:?}", one.decided);
    }
}

#[tokio::test(start_paused = true)]
async fn full_rings_hold_lanes_up_and_never_for_good() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start_in(KEYED, on(4, folder.path())).await;
    *trial.told("out").dead.lock() = true;
    let large = "x".repeat(100_000);
    for n in 0..150_u64 {
        trial.give(1, &[(Some(n % 7), format!("t{} {n:04}{large}", n % 7)), (None, format!("r1 {n:04}{large}"))]).await;
    }
    sleep(Duration::from_secs(60)).await;
    let status = trial.running.status();
    assert!(status.journal.unwrap().unread > 50, "the lanes wait for the sink, and nobody reads on");
    status.ledger.balance().unwrap();
    *trial.told("out").dead.lock() = false;
    sleep(Duration::from_secs(120)).await;
    let told = trial.world.pool.get::<Told>("out").unwrap();
    let drained = trial.drain().await;
    assert!(drained.unfinished.is_empty() && drained.ledger.lost() == 0, "{:?}", drained.unfinished);
    let seen = by_key(&told.seen.lock());
    assert_eq!(seen.values().map(Vec::len).sum::<usize>(), 300);
    assert!(seen["r1"].is_sorted());
}

/// With a part that panics behind a node.
fn fragile_after(yaml: &str, node: &str) -> String {
    let reader = yaml.replace(&format!("inputs: [{node}]"), "inputs: [risky]");
    reader.replace("sinks:", &format!("  risky: {{ type: fragile, inputs: [{node}] }}\nsinks:"))
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_falls_takes_the_others_with_it_and_nothing_is_lost_but_the_culprit() {
    for (cores, before) in [(2, "kept"), (4, "kept"), (2, "traces"), (4, "traces")] {
        let folder = TempDir::new().unwrap();
        let trial = Trial::start_in(&fragile_after(KEYED, before), on(cores, folder.path())).await;
        let give = async |numbers: std::ops::Range<u64>| {
            for n in numbers {
                trial.give(1, &[(Some(n % 8), format!("t{} {n:04}", n % 8))]).await;
                sleep(Duration::from_millis(100)).await;
            }
        };
        give(0..40).await;
        trial.give(1, &[(Some(99), "t99 panic".to_owned())]).await;
        give(40..200).await;
        sleep(Duration::from_secs(60)).await;
        trial.running.status().ledger.balance().unwrap();
        let told = trial.world.pool.get::<Told>("out").unwrap();
        let drained = trial.drain().await;
        assert!(drained.unfinished.is_empty(), "{:?}", drained.unfinished);
        let seen: BTreeSet<String> = told.seen.lock().iter().cloned().collect();
        assert_eq!(seen.len(), 200, "{cores} lanes, behind {before}: everything but the culprit");
        let counts = &drained.ledger.node("in").unwrap().signals[&Signal::Logs];
        assert_eq!((drained.ledger.lost(), counts.rejected["panicked"]), (0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_only_what_the_fallen_lane_held_is_lost() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start_in(&fragile_after(&without_journal(), "traces"), on(4, folder.path())).await;
    for n in 0..64_u64 {
        trial.give(1, &[(Some(n), format!("t{n} 0"))]).await;
    }
    trial.give(1, &[(Some(64), "t64 panic".to_owned())]).await;
    sleep(Duration::from_secs(10)).await;
    trial.give(1, &[(Some(65), "t65 1".to_owned())]).await;
    sleep(Duration::from_secs(1)).await;
    let told: Arc<Told> = trial.world.pool.get::<Told>("out").unwrap();
    let drained = trial.drain().await;
    let (lost, seen) = (drained.ledger.lost(), told.seen.lock().len() as u64);
    assert!(drained.unfinished.is_empty(), "{:?}", drained.unfinished);
    assert_eq!(lost + seen, 66);
    assert!((1..33).contains(&lost), "a lane of four had about a quarter: {lost}");
    assert!(told.seen.lock().iter().any(|text| text == "t65 1"), "and it goes on");
}
