//! Other graphs while records flow: nobody is refused, nothing is lost or comes twice, what is held goes on, and the ledger balances.

use super::parts::{Told, Trial, graph, peer, plan, world};
use crate::{Changes, Kind, Plan, changes::Digests, changes::keep_what_needs_a_restart};
use config::Fault;
use proptest::prelude::*;
use signal::{Signal, Time};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use tokio::time::sleep;

/// A pipeline that is reloaded.
struct Reloading {
    trial: Trial,
    yaml: String,
    /// By sink, whether it is in the graph or not.
    told: BTreeMap<String, Arc<Told>>,
}

const SINKS: [&str; 3] = ["one", "two", "three"];

impl Reloading {
    async fn start(yaml: &str, folder: &Path, cores: usize) -> Reloading {
        let world = crate::World { cores, ..world(folder, Time(1_000_000_000_000)) };
        let told = SINKS.map(|name| (name.to_owned(), world.pool.get_or::<Told, ()>(name, || Ok(Arc::default())).unwrap()));
        Reloading { trial: Trial::start_in(yaml, world).await, yaml: yaml.to_owned(), told: told.into() }
    }

    async fn reload(&mut self, yaml: &str) -> Result<Changes, Vec<Fault>> {
        let mut new = graph(yaml);
        let changes = Changes::between(&graph(&self.yaml), &new, (&Digests::new(), &Digests::new()));
        keep_what_needs_a_restart(&graph(&self.yaml), &mut new);
        let (plan, faults) = plan(yaml);
        if !Plan::may_run(&faults) {
            return Err(faults);
        }
        self.trial.running.reload(plan, &changes).await?;
        yaml.clone_into(&mut self.yaml);
        self.trial.running.status().ledger.balance().unwrap();
        Ok(changes)
    }

    fn seen(&self, sink: &str) -> Vec<String> {
        self.told[sink].seen.lock().clone()
    }
}

const HOLDING: &str = "
sources: { in: { type: feed, acknowledge: memory } }
processors:
  held: { type: hold, inputs: [in], wait: 10s }
sinks:
  one: { type: probe, inputs: [held] }
";

#[tokio::test(start_paused = true)]
async fn what_is_held_goes_on_in_the_new_graph_and_its_deadline_is_the_new_one() {
    let mut pipeline = Reloading::start(HOLDING, Path::new("/"), 2).await;
    pipeline.trial.send(&["a"]).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let changes = pipeline.reload(&HOLDING.replace("10s", "3s")).await.unwrap();
    assert_eq!(changes.to_string(), "~held.wait");
    assert!(pipeline.seen("one").is_empty() && pipeline.trial.running.status().memory.window > 0);
    sleep(Duration::from_millis(1_900)).await;
    assert!(pipeline.seen("one").is_empty());
    sleep(Duration::from_millis(300)).await;
    assert_eq!(pipeline.seen("one"), ["a"]);
    assert!(pipeline.trial.drain().await.unfinished.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_nobody_goes_on_with_leaves_by_the_old_graph() {
    let mut pipeline = Reloading::start(HOLDING, Path::new("/"), 2).await;
    pipeline.trial.send(&["a"]).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let renamed = HOLDING.replace("held", "kept").replace("one:", "two:");
    assert_eq!(pipeline.reload(&renamed).await.unwrap().to_string(), "+kept +two -held -one");
    pipeline.trial.send(&["b"]).await.unwrap();
    sleep(Duration::from_secs(20)).await;
    assert_eq!((pipeline.seen("one"), pipeline.seen("two")), (vec!["a".to_owned()], vec!["b".to_owned()]));
    let status = pipeline.trial.running.status();
    assert_eq!(status.ledger.node("held").unwrap().signals[&Signal::Logs].out, 1, "the account of what is gone stays");
    assert_eq!(status.sinks.iter().map(|sink| sink.name.as_str()).collect::<Vec<_>>(), ["two"]);
    assert!(pipeline.trial.drain().await.unfinished.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_sink_that_fails_goes_to_the_instance_that_follows_it() {
    let yaml = HOLDING.replace("type: hold, inputs: [in], wait: 10s", "type: keep, inputs: [in], with: a");
    let mut pipeline = Reloading::start(&yaml, Path::new("/"), 2).await;
    *pipeline.told["one"].dead.lock() = true;
    for text in ["a1", "a2", "a3"] {
        pipeline.trial.send(&[text]).await.unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    // The same node; another graph around it, so that it is built anew.
    *pipeline.told["one"].dead.lock() = false;
    pipeline.reload(&yaml.replace("inputs: [held]", "inputs: [held.logs]")).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(pipeline.seen("one"), ["a1", "a2", "a3"], "in their order, each once");
    assert!(pipeline.trial.drain().await.unfinished.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dead_sink_that_blocks_everything_can_be_taken_out() {
    let yaml = "
memory: 16MiB
sources: { in: { type: feed, acknowledge: memory } }
sinks:
  one: { type: probe, inputs: [in], on_full: block }
  two: { type: probe, inputs: [in], on_full: block }
";
    let mut pipeline = Reloading::start(yaml, Path::new("/"), 1).await;
    *pipeline.told["one"].dead.lock() = true;
    let large = "x".repeat(400_000);
    for n in 0..30 {
        drop(pipeline.trial.begin(&[&format!("{n}{large}")], peer(n)).await);
    }
    sleep(Duration::from_secs(1)).await;
    let before = pipeline.seen("two").len();
    assert!(before < 20, "{before} of 30 went on though a queue was full");
    pipeline.reload(&yaml.replace("  one: { type: probe, inputs: [in], on_full: block }\n", "")).await.unwrap();
    pipeline.trial.send(&["last"]).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(pipeline.seen("two").last().map(String::as_str), Some("last"));
    sleep(Duration::from_secs(200)).await;
    let drained = pipeline.trial.drain().await;
    let gone = &drained.ledger.node("one").unwrap().signals[&Signal::Logs];
    assert!(gone.rejected["refused"] > 0 && gone.held == 0, "{gone:?}");
    assert_eq!(drained.ledger.lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_built_changes_nothing() {
    let mut pipeline = Reloading::start(HOLDING, Path::new("/"), 2).await;
    pipeline.trial.send(&["a"]).await.unwrap();
    let bad = HOLDING
        .replace("sinks:", "  more: { type: keep, inputs: [held], with: '' }\nsinks:")
        .replace("inputs: [held] }\n", "inputs: [more] }\n");
    assert_eq!(pipeline.reload(&bad).await.unwrap_err()[0].what, "`with` is empty");
    sleep(Duration::from_secs(11)).await;
    assert_eq!(pipeline.seen("one"), ["a"]);
    pipeline.trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_taken_out_delivers_what_it_took_in_and_may_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "
journal: { path: journal }
sources: { in: feed, more: feed }
sinks:
  one: { type: probe, inputs: [in, more] }
";
    let mut pipeline = Reloading::start(yaml, folder.path(), 2).await;
    let only = yaml.replace(", more: feed", "").replace("in, more", "in");
    let feed = pipeline.trial.feed("more");
    for round in ["a", "b"] {
        let (answer, answered) = tokio::sync::oneshot::channel();
        feed.send((Signal::Logs, super::parts::logs(&[round]), crate::Caller::Here, answer)).await.unwrap();
        assert!(answered.await.unwrap().is_ok());
        pipeline.reload(&only).await.unwrap();
        pipeline.trial.send(&[round]).await.unwrap();
        pipeline.reload(yaml).await.unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(pipeline.seen("one").len(), 4);
    let drained = pipeline.trial.drain().await;
    assert_eq!(drained.ledger.sentence(), "4 logs in; nothing was lost");
    assert_eq!(drained.ledger.nodes.iter().filter(|node| node.kind == Kind::Source).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn another_limit_of_the_journal_counts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "
journal: { path: journal, limit: 1MiB }
sources: { in: feed }
sinks:
  one: { type: probe, inputs: [in], on_full: block }
";
    let mut pipeline = Reloading::start(yaml, folder.path(), 2).await;
    *pipeline.told["one"].dead.lock() = true;
    let large = "x".repeat(100_000);
    let taken = async |pipeline: &Reloading, tag: &str| {
        let mut taken = 0;
        while taken < 40 && pipeline.trial.send(&[&format!("{tag} {taken} {large}")]).await.is_ok() {
            taken += 1;
        }
        taken
    };
    assert_eq!(taken(&pipeline, "a").await, 9);
    assert_eq!(pipeline.reload(&yaml.replace("1MiB", "2MiB")).await.unwrap().to_string(), "~journal.limit");
    assert_eq!(pipeline.trial.running.status().journal.unwrap().bytes_max, 2 << 20);
    assert_eq!(taken(&pipeline, "b").await, 10);
    *pipeline.told["one"].dead.lock() = false;
    sleep(Duration::from_secs(90)).await;
    assert_eq!(pipeline.seen("one").len(), 19);
    pipeline.trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_lies_on_disk_for_a_sink_that_was_taken_out_stays_listed_and_holds_no_journal_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "
journal: { path: journal }
sources: { in: feed }
sinks:
  one: { type: probe, inputs: [in] }
  two: { type: probe, inputs: [in] }
";
    let without = yaml.replace("  one: { type: probe, inputs: [in] }\n", "");
    let mut pipeline = Reloading::start(yaml, folder.path(), 2).await;
    *pipeline.told["one"].dead.lock() = true;
    for text in ["a", "b", "c"] {
        pipeline.trial.send(&[text, text]).await.unwrap();
    }
    sleep(Duration::from_secs(20)).await;
    assert!(pipeline.trial.running.status().gone.is_empty(), "it is there, and slow");
    assert_eq!(pipeline.reload(&without).await.unwrap().to_string(), "-one");
    sleep(Duration::from_secs(40)).await;
    let status = pipeline.trial.running.status();
    let left = &status.gone[0];
    assert_eq!((status.gone.len(), left.name.as_str(), left.records), (1, "one", 6));
    assert!(left.bytes > 0 && left.oldest_seconds > 59.0 && left.folder.ends_with("journal/spill/one"), "{left:?}");
    assert_eq!(status.journal.unwrap().unsettled, 0);
    assert!(pipeline.trial.running.metrics().contains("kansoku_spill_oldest_seconds{node=\"one\"}"));
    pipeline.trial.drain().await;

    let mut pipeline = Reloading::start(&without, folder.path(), 2).await;
    assert_eq!(pipeline.trial.running.status().gone[0].records, 6, "a restart finds it");
    assert_eq!(pipeline.reload(yaml).await.unwrap().to_string(), "+one");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(pipeline.seen("one"), ["a", "a", "b", "b", "c", "c"]);
    assert!(pipeline.trial.running.status().gone.is_empty());
    assert_eq!(pipeline.trial.drain().await.ledger.lost(), 0);
}

/// Graphs of which each sends everything to `two`.
const GRAPHS: [&str; 6] = [
    "processors: { held: { type: hold, inputs: [in], wait: 2s } }
sinks: { one: { type: probe, inputs: [held] }, two: { type: probe, inputs: [in] } }",
    "processors: { held: { type: hold, inputs: [in], wait: 5s } }
sinks: { one: { type: probe, inputs: [held] }, two: { type: probe, inputs: [in] } }",
    "processors: { late: { type: hold, inputs: [in], wait: 1s }, some: { type: keep, inputs: [late], with: a } }
sinks: { one: { type: probe, inputs: [some] }, two: { type: probe, inputs: [in.logs] } }",
    "sinks: { two: { type: probe, inputs: [in] }, three: { type: probe, inputs: [in] } }",
    "processors: { some: { type: keep, inputs: [in], with: b } }
sinks: { three: { type: probe, inputs: [some], on_full: drop }, two: { type: probe, inputs: [in] } }",
    "processors: { held: { type: hold, inputs: [in], wait: 2s, discard: true } }
sinks: { one: { type: probe, inputs: [held] }, two: { type: probe, inputs: [in] } }",
];

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Wait(u64),
    Slow(u64),
    Reload(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..6_usize).prop_map(Step::Send),
        3 => (0..4_000_u64).prop_map(Step::Wait),
        1 => (0..300_u64).prop_map(Step::Slow),
        4 => (0..GRAPHS.len(), any::<bool>()).prop_map(|(graph, tag)| Step::Reload(graph, tag)),
    ]
}

fn yaml(graph: usize, tagged: bool, journal: bool) -> String {
    let tag = if tagged { ", tag: other" } else { "" };
    let journal = if journal { "journal: { path: journal, limit: 64MiB }\n" } else { "" };
    format!("{journal}sources: {{ in: {{ type: feed, acknowledge: memory{tag} }} }}\n{}\n", GRAPHS[graph])
}

async fn play(steps: Vec<Step>, cores: usize, journal: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = Reloading::start(&yaml(0, false, journal), folder.path(), cores).await;
    let (mut sent, mut number) = (Vec::new(), 0);
    for step in steps {
        match step {
            Step::Send(records) => {
                let texts: Vec<String> = (0..records).map(|at| format!("{}{number} {at}", ["a", "b", "ab"][number % 3])).collect();
                number += 1;
                let words: Vec<&str> = texts.iter().map(String::as_str).collect();
                let answer = pipeline.trial.begin(&words, peer(u16::try_from(number).unwrap())).await;
                sent.push((texts, answer));
            }
            Step::Wait(ms) => sleep(Duration::from_millis(ms)).await,
            Step::Slow(ms) => *pipeline.told["two"].delay.lock() = Duration::from_millis(ms),
            Step::Reload(graph, tagged) => drop(pipeline.reload(&yaml(graph, tagged, journal)).await.unwrap()),
        }
        pipeline.trial.running.status().ledger.balance().unwrap();
    }
    let mut wanted = Vec::new();
    for (texts, answer) in sent {
        let answered = answer.await.unwrap();
        assert!(answered.is_ok(), "nobody is refused: {answered:?}");
        wanted.extend(texts);
    }
    let two = Arc::clone(&pipeline.told["two"]);
    let drained = pipeline.trial.drain().await;
    let mut seen = two.seen.lock().clone();
    seen.sort();
    wanted.sort();
    assert_eq!(seen, wanted, "each once");
    assert!(drained.unfinished.is_empty(), "{:?}", drained.unfinished);
    assert_eq!(drained.ledger.lost(), 0, "{}", drained.ledger.sentence());
    assert!(drained.ledger.nodes.iter().flat_map(|node| node.signals.values()).all(|counts| counts.held == 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn whatever_graph_follows_whatever_graph_each_record_arrives_once(
        steps in prop::collection::vec(step(), 1..30), cores in 1..4_usize, journal in any::<bool>()
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(play(steps, cores, journal));
    }
}
