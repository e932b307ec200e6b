//! Partitions with tiny parts: read from the watermark, given back and taken again by others, and nothing is lost, settled too early or decided twice.

use super::parts::{Trial, logs, plan};
use crate::{
    BuildContext, Component, Partitioned, Plan, Shape, Source, SourceContext, SourceError,
    partitions::{Assigned, Came, DecisionLog, Message, Said, Settled},
};
use bytes::Bytes;
use config::Fault;
use futures::{
    StreamExt,
    future::{BoxFuture, ready},
    stream,
};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{
    Decision, Kinds, Malformed, Ordinals, Origin, Signal, Time,
    codec::origins::{Origins, Piece},
};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// A topic of one partition, which outlives the pipelines that read it.
#[derive(Default)]
pub(super) struct Shelf {
    messages: watch::Sender<Vec<(Time, Result<String, String>)>>,
    /// What headers say of messages, by position.
    origins: Mutex<BTreeMap<u64, Bytes>>,
    settled: Mutex<Settled>,
    decisions: Mutex<Vec<Decision>>,
    /// Whether keeping decisions fails, as for one who lost the partition.
    fenced: Mutex<bool>,
    /// Whether the source has the partition.
    assigned: watch::Sender<bool>,
    /// How many partitions the source says it has besides.
    others: watch::Sender<usize>,
    begun: Mutex<usize>,
    /// What each lane that was built may hold, in bytes.
    pub(super) windows: Mutex<Vec<usize>>,
}

impl Shelf {
    fn put(&self, at: u64, text: &str) {
        self.messages.send_modify(|messages| messages.push((Time(at * 1_000_000_000), Ok(text.to_owned()))));
    }

    fn assign(&self, assigned: bool) {
        self.assigned.send_replace(assigned);
    }
}

struct Kept(Arc<Shelf>);

impl DecisionLog for Kept {
    fn keep(&self, decisions: Vec<Decision>) -> BoxFuture<'static, Result<(), String>> {
        if *self.0.fenced.lock() {
            return Box::pin(ready(Err("others have it".to_owned())));
        }
        self.0.decisions.lock().extend(decisions);
        Box::pin(async {
            sleep(Duration::from_millis(5)).await;
            Ok(())
        })
    }
}

/// `topic`: reads the shelf of its name while that is assigned.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Topic {}

impl Component for Topic {
    type Runs = dyn Source;
    const TYPE: &'static str = "topic";
    const EXAMPLE: &'static str = "{}";
    fn shape(&self, _: Kinds) -> Shape {
        Shape { gives: Kinds::RECORDS, partitioned: Partitioned::One, ..Shape::passing(Kinds::NONE) }
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Source>, Vec<Fault>> {
        Ok(Box::new(Reading(context.pool.get::<Shelf>("topic"))))
    }
}

struct Reading(Option<Arc<Shelf>>);

fn read(shelf: &Arc<Shelf>, from: u64) -> crate::partitions::Messages {
    let (news, shelf) = (shelf.messages.subscribe(), Arc::clone(shelf));
    stream::unfold((news, shelf, from, false), |(mut news, shelf, at, told)| async move {
        loop {
            let next = usize::try_from(at).ok().and_then(|at| news.borrow_and_update().get(at).cloned());
            if let Some((stamp, said)) = next {
                let said = match said {
                    Ok(text) => Said::Request(Signal::Logs, logs(&[&text])),
                    Err(text) => {
                        let why = Malformed { path: "message".to_owned(), offset: 0, what: "nonsense".to_owned() };
                        Said::Unreadable(Signal::Logs, Bytes::from(text), why)
                    }
                };
                let origins = shelf.origins.lock().get(&at).cloned();
                return Some((Came::Message(Message { position: at, at: stamp, said, origins }), (news, shelf, at + 1, false)));
            }
            if !told {
                return Some((Came::End, (news, shelf, at, true)));
            }
            news.changed().await.ok()?;
        }
    })
    .boxed()
}

impl Source for Reading {
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let Some(shelf) = self.0 else {
                context.stop.asked().await;
                return Ok(());
            };
            let mut assigned = shelf.assigned.subscribe();
            while !context.stop.is_asked() {
                tokio::select! {
                    () = context.stop.asked() => return Ok(()),
                    got = assigned.wait_for(|assigned| *assigned) => drop(got),
                }
                let settled = shelf.settled.lock().clone();
                let messages = read(&shelf, settled.watermark);
                *shelf.begun.lock() += 1;
                let begun = context.partitions.begin(Assigned {
                    label: "topic/0".to_owned(),
                    log: 77,
                    settled,
                    decisions: shelf.decisions.lock().clone(),
                    log_of_decisions: context.partitions.decides().then(|| Arc::new(Kept(Arc::clone(&shelf))) as Arc<dyn DecisionLog>),
                    partitions: 1,
                    messages,
                });
                let Some(mut partition) = begun else { return Ok(()) };
                let mut others = shelf.others.subscribe();
                let fell = loop {
                    tokio::select! {
                        () = context.stop.asked() => break false,
                        _gone = assigned.wait_for(|assigned| !*assigned) => break false,
                        () = partition.fallen() => break true,
                        Ok(()) = others.changed() => context.partitions.share(1 + *others.borrow_and_update()),
                    }
                };
                let settled = partition.end(Instant::now() + Duration::from_secs(2)).await;
                *shelf.settled.lock() = settled;
                if fell {
                    sleep(Duration::from_millis(100)).await;
                }
            }
            Ok(())
        })
    }
}

const PLAIN: &str = "
memory: 16MiB
sources: { in: topic }
processors:
  kept: { type: keep, inputs: [in], with: a }
sinks:
  out: { type: probe, inputs: [kept] }
";

const HOLDING: &str = "
memory: 16MiB
sources: { in: topic }
processors:
  held: { type: hold, inputs: [in], wait: 10s }
sinks:
  out: { type: probe, inputs: [held] }
";

/// The wall of the first pipeline in seconds.
const START: u64 = 1_000;

async fn begin(yaml: &str, shelf: &Arc<Shelf>, folder: &Path) -> Trial {
    let world = super::parts::world(folder, Time(START * 1_000_000_000));
    let shared = world.pool.get_or::<Shelf, ()>("topic", || Ok(Arc::clone(shelf))).unwrap();
    assert!(Arc::ptr_eq(&shared, shelf));
    Trial::start_in(yaml, world).await
}

#[tokio::test(start_paused = true)]
async fn the_watermark_does_not_pass_what_a_sink_does_not_take() {
    let shelf = Arc::<Shelf>::default();
    ["a0", "a1", "b2", "a3"].iter().for_each(|text| shelf.put(START, text));
    let trial = begin(PLAIN, &shelf, Path::new("/")).await;
    *trial.told("out").dead.lock() = true;
    shelf.assign(true);
    sleep(Duration::from_secs(1)).await;
    let status = trial.running.status().partitions;
    assert_eq!((status[0].partition.as_str(), status[0].watermark, status[0].unsettled), ("topic/0", 0, 3), "b2 is settled");
    assert_eq!(trial.running.status().sources[0].acknowledge, None, "it answers nobody");
    *trial.told("out").dead.lock() = false;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(trial.running.status().partitions[0].watermark, 4);
    assert_eq!(trial.seen("out"), ["a0", "a1", "a3"]);
    let drained = trial.drain().await;
    assert_eq!(drained.ledger.sentence(), "4 logs in; 1 discarded on purpose; nothing was lost");
    assert_eq!(*shelf.settled.lock(), Settled::below(4));
}

#[tokio::test(start_paused = true)]
async fn what_a_lane_holds_is_given_back_and_read_again_and_what_was_settled_above_it_is_not() {
    let shelf = Arc::<Shelf>::default();
    shelf.put(START, "a0");
    let trial = begin(HOLDING, &shelf, Path::new("/")).await;
    shelf.assign(true);
    sleep(Duration::from_secs(8)).await;
    shelf.put(START + 8, "a1");
    sleep(Duration::from_secs(4)).await;
    assert_eq!(trial.seen("out"), ["a0"]);
    shelf.assign(false);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(*shelf.settled.lock(), Settled { watermark: 1, through: 2, open: [1].into() });
    let ledger = trial.running.status().ledger;
    assert_eq!(ledger.node("held").unwrap().signals[&Signal::Logs].discarded["returned"], 1);
    assert!(trial.running.status().partitions.is_empty());
    trial.drain().await;

    // Those who come next read it from the watermark, and what was decided is recalled.
    let trial = begin(HOLDING, &shelf, Path::new("/")).await;
    shelf.decisions.lock().clear();
    shelf.assign(true);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(trial.seen("out"), ["a1"]);
    trial.drain().await;
    assert_eq!(*shelf.settled.lock(), Settled::below(2));
}

#[tokio::test(start_paused = true)]
async fn a_second_copy_of_what_an_owner_before_has_settled_is_known() {
    let (shelf, log) = (Arc::<Shelf>::default(), 7);
    let origin = |position| {
        let piece = Piece { origin: Some(Origin { log, position }), ordinals: Ordinals::From(0), records: 1 };
        Bytes::from(Origins { pieces: vec![piece], settled: Vec::new() }.encode())
    };
    *shelf.origins.lock() = [(0, origin(10)), (1, origin(11)), (2, origin(11)), (3, origin(12))].into();
    ["a0", "b1"].iter().for_each(|text| shelf.put(START, text));
    let trial = begin(PLAIN, &shelf, Path::new("/")).await;
    *trial.told("out").dead.lock() = true;
    shelf.assign(true);
    sleep(Duration::from_secs(1)).await;
    shelf.assign(false);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(*shelf.settled.lock(), Settled { watermark: 0, through: 2, open: [0].into() }, "b1 was discarded");
    *trial.told("out").dead.lock() = false;
    trial.drain().await;

    ["b1", "b3"].iter().for_each(|text| shelf.put(START, text));
    let trial = begin(PLAIN, &shelf, Path::new("/")).await;
    shelf.assign(true);
    sleep(Duration::from_secs(1)).await;
    let ledger = trial.running.status().ledger;
    assert_eq!(ledger.node("in").unwrap().signals[&Signal::Logs].discarded["repeat"], 1);
    assert_eq!(ledger.node("kept").unwrap().signals[&Signal::Logs].taken, 2, "a0 again, and b3");
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn partitions_that_come_and_go_change_what_the_others_may_hold_and_take_nothing_from_them() {
    let shelf = Arc::<Shelf>::default();
    shelf.put(START, "a0");
    let trial = begin(HOLDING, &shelf, Path::new("/")).await;
    shelf.assign(true);
    sleep(Duration::from_secs(2)).await;
    let whole = *shelf.windows.lock().last().unwrap();
    for (others, share) in [(3, whole / 4), (3, whole / 4), (1, whole / 2)] {
        shelf.others.send_replace(others);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(*shelf.windows.lock().last().unwrap(), share);
    }
    assert_eq!(trial.seen("out"), [""; 0]);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(trial.seen("out"), ["a0"], "it was held all the time, and goes when it is due");
    trial.drain().await;
    assert_eq!((*shelf.begun.lock(), shelf.settled.lock().clone()), (1, Settled::below(1)));
}

#[tokio::test(start_paused = true)]
async fn time_is_that_of_the_messages_until_the_end_is_come_to() {
    let shelf = Arc::<Shelf>::default();
    // An hour of backlog, in which ten seconds pass between the first two.
    [(0, "a0"), (11, "a1"), (12, "a2")].iter().for_each(|(at, text)| shelf.put(START - 600 + at, text));
    let trial = begin(HOLDING, &shelf, Path::new("/")).await;
    shelf.assign(true);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(trial.seen("out"), ["a0", "a1", "a2"], "the first by the time of the second, the rest by the wall's at the end");
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn decisions_are_kept_before_anything_goes_out_and_where_they_are_not_nothing_does() {
    let shelf = Arc::<Shelf>::default();
    shelf.put(START, "a0");
    let trial = begin(HOLDING, &shelf, Path::new("/")).await;
    *shelf.fenced.lock() = true;
    shelf.assign(true);
    sleep(Duration::from_secs(15)).await;
    assert!(trial.seen("out").is_empty());
    assert!(*shelf.begun.lock() > 1, "it begins anew, and is given to whoever has it");
    *shelf.fenced.lock() = false;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(trial.seen("out"), ["a0"]);
    assert_eq!(shelf.decisions.lock().len(), 1);
    let drained = trial.drain().await;
    assert_eq!((drained.ledger.lost(), shelf.settled.lock().watermark), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    for journal in [false, true] {
        let shelf = Arc::<Shelf>::default();
        shelf.put(START, "a0");
        shelf.messages.send_modify(|messages| messages.push((Time(0), Err("what is this".to_owned()))));
        shelf.put(START, "a2");
        let yaml = if journal { format!("journal: {{ path: journal }}\n{PLAIN}") } else { PLAIN.to_owned() };
        let trial = begin(&yaml, &shelf, folder.path()).await;
        shelf.assign(true);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(trial.seen("out"), ["a0", "a2"]);
        let status = trial.running.status();
        assert_eq!(status.ledger.node("in").unwrap().signals[&Signal::Logs].rejected["malformed"], 1);
        assert_eq!(status.dead_letters.map(|letters| letters.letters), journal.then_some(1));
        assert_eq!(status.partitions[0].watermark, 3);
        trial.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_at_which_a_processor_panics_twice_is_given_up_and_the_rest_comes_through() {
    let shelf = Arc::<Shelf>::default();
    ["a0", "panic", "a2"].iter().for_each(|text| shelf.put(START, text));
    let trial = begin(&PLAIN.replace("keep, inputs: [in], with: a", "fragile, inputs: [in]"), &shelf, Path::new("/")).await;
    shelf.assign(true);
    sleep(Duration::from_secs(30)).await;
    let mut seen = trial.seen("out");
    seen.dedup();
    assert_eq!(seen, ["a0", "a2"], "what was on its way when the lane fell may come twice");
    assert_eq!(trial.running.status().partitions[0].watermark, 3);
    let drained = trial.drain().await;
    assert_eq!(drained.ledger.node("in").unwrap().signals[&Signal::Logs].lost["panicked"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_is_killed_settles_nothing_of_what_it_held() {
    let shelf = Arc::<Shelf>::default();
    shelf.put(START, "a0");
    let trial = begin(HOLDING, &shelf, Path::new("/")).await;
    shelf.assign(true);
    sleep(Duration::from_secs(1)).await;
    super::journalled::kill(trial).await;
    assert_eq!(*shelf.settled.lock(), Settled::default());
    let trial = begin(HOLDING, &shelf, Path::new("/")).await;
    sleep(Duration::from_secs(12)).await;
    assert_eq!(trial.seen("out"), ["a0"]);
    trial.drain().await;
}

#[test]
fn what_holds_records_reads_one_source_of_partitions_and_no_other() {
    let mixed = HOLDING.replace("{ in: topic }", "{ in: topic, more: feed }").replace("inputs: [in]", "inputs: [in, more]");
    let (_, faults) = plan(&mixed);
    let said: Vec<&str> = faults.iter().map(|fault| fault.what.as_str()).collect();
    let expected = "`held` cannot hold what comes from `in` and from `more`: what it holds of a partition goes with the partition, and never meets the rest";
    assert!(said.contains(&expected), "{said:?}");
    let (_, faults) = plan(HOLDING);
    assert!(faults.is_empty(), "no journal is needed: {faults:?}");
    let (_, faults) = plan(&PLAIN.replace("in: topic", "in: { type: topic, acknowledge: delivered }"));
    assert!(!Plan::may_run(&faults) && faults[0].what.contains("answers nobody"), "{faults:?}");
}
