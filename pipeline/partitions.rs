//! Partitions of a log that is somebody else's, such as Kafka's: each is read by a crew of its own, which begins when its source is given the partition and
//! ends when that is taken away. What its lane holds then is read again by whoever has the partition next.

pub use crate::{
    kept::DecisionLog,
    marks::Settled,
    messages::{Came, Message, Messages, Said},
};

use crate::{
    assemble::{Blueprint, Lines, Tier},
    crew::{Crew, Successor},
    delivery::Delivery,
    falls::Falls,
    kept::Partitioned,
    ledger::Account,
    lives::{tell_settled, whats},
    marks::Marks,
    messages::Reading,
    outlet::Surroundings,
    reader::Reader,
    stream::Stream,
    tail::SourceKey,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use signal::{Decision, Origin};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, timeout_at},
};

/// What a lane gets to let go of what it holds.
const LETS_GO: Duration = Duration::from_millis(200);

/// How a source gets on with one of its partitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartitionStatus {
    /// The source.
    pub node: String,
    /// The partition, as its source calls it: `telemetry/3`.
    pub partition: String,
    /// Below it everything is settled.
    pub watermark: u64,
    /// What was read and is not settled.
    pub unsettled: u64,
    /// What is in the partition and was not read, as far as is known.
    pub behind: u64,
    /// How far the partition's time is behind the wall.
    pub lag_seconds: f64,
}

/// What a source that shares partitions with others has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Times that partitions were shared out anew.
    pub rebalances: u64,
    /// Messages of traces that have parts in two partitions.
    pub split: u64,
    /// Messages with spans whose key is not a trace id, so that their traces may have parts in any partition.
    pub unkeyed: u64,
}

/// What runs, for partitions that begin while it does. One for all graphs, one after the other.
#[derive(Default)]
pub(crate) struct Ground {
    graph: Mutex<Option<Graph>>,
    crews: Mutex<Vec<Weak<Seat>>>,
    falls: Mutex<HashMap<u32, Arc<Falls>>>,
    counts: Mutex<BTreeMap<String, MemberStatus>>,
}

#[derive(Clone)]
pub(crate) struct Graph {
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) around: Arc<Surroundings>,
    pub(crate) deliveries: Vec<Arc<Delivery>>,
}

/// A partition that is read.
struct Seat {
    node: String,
    label: String,
    /// Partitions that its source has, with which it shares.
    crews: AtomicUsize,
    around: Mutex<Arc<Surroundings>>,
    partition: Arc<Partitioned>,
    next: mpsc::Sender<Successor>,
    /// Behind the last message that is known of.
    end: Mutex<u64>,
}

/// A source's way to have its partitions read.
#[derive(Clone)]
pub struct Partitions {
    pub(crate) ground: Arc<Ground>,
    pub(crate) source: SourceKey,
    pub(crate) account: Arc<Account>,
    /// A part behind the source holds records, and may decide about them.
    pub(crate) holds: bool,
}

/// What a source was given to read.
pub struct Assigned {
    /// The partition in words: `telemetry/3`.
    pub label: String,
    /// Stands in the origin of its records: the same for every process that reads it.
    pub log: u32,
    /// How far those before have settled it.
    pub settled: Settled,
    /// What those before decided.
    pub decisions: Vec<Decision>,
    /// Where decisions are kept.
    pub log_of_decisions: Option<Arc<dyn DecisionLog>>,
    /// How many partitions the source has with this one: memory is shared among them.
    pub partitions: usize,
    /// Its messages from the watermark on.
    pub messages: Messages,
}

/// A partition that is read. Dropped, it is cut off, and what was not settled stays so.
pub struct Partition {
    seat: Arc<Seat>,
    ground: Arc<Ground>,
    finish: watch::Sender<Option<Instant>>,
    crew: JoinSet<()>,
}

impl Ground {
    /// From now on this runs.
    pub(crate) fn set(&self, graph: Graph) {
        *self.graph.lock() = Some(graph);
    }

    /// Puts another graph in place of the one that runs. Every partition goes on in it between two messages.
    pub(crate) async fn change(&self, graph: Graph) {
        let (mut told, seats) = (Vec::new(), {
            let mut now = self.graph.lock();
            *now = Some(graph.clone());
            self.seats()
        });
        for seat in seats {
            let blueprint = graph.blueprint.for_partitions(seat.crews.load(Ordering::Relaxed));
            let Some((successor, done)) = seat.successor(blueprint, &graph.around) else { continue };
            told.push(done);
            // An error means that it has ended.
            let _ended = seat.next.send(successor).await;
        }
        futures::future::join_all(told).await;
    }

    fn seats(&self) -> Vec<Arc<Seat>> {
        let mut crews = self.crews.lock();
        crews.retain(|seat| seat.strong_count() > 0);
        crews.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn member(&self, node: &str) -> Option<MemberStatus> {
        self.counts.lock().get(node).copied()
    }

    pub(crate) fn status(&self) -> Vec<PartitionStatus> {
        let mut all: Vec<PartitionStatus> = self.seats().iter().map(|seat| seat.status()).collect();
        all.sort_by(|a, b| (&a.node, &a.partition).cmp(&(&b.node, &b.partition)));
        all
    }
}

impl Seat {
    /// Lanes of this graph for the partition, and how one hears that they have taken over.
    fn successor(&self, blueprint: Arc<Blueprint>, around: &Surroundings) -> Option<(Successor, oneshot::Receiver<()>)> {
        let lines = lines(&blueprint)?;
        let mut now = self.around.lock();
        let around = now.in_graph(around);
        *now = Arc::clone(&around);
        let (done, hear) = oneshot::channel();
        Some((Successor { blueprint, around, lines, done }, hear))
    }

    fn status(&self) -> PartitionStatus {
        let (settled, around) = (self.partition.marks.settled(), Arc::clone(&self.around.lock()));
        let behind = self.end.lock().saturating_sub(self.partition.marks.begun());
        let progress = *around.progress.borrow();
        PartitionStatus {
            node: self.node.clone(),
            partition: self.label.clone(),
            watermark: settled.watermark,
            unsettled: settled.open.len() as u64,
            behind,
            lag_seconds: if behind == 0 { 0.0 } else { around.now.now().since(progress).as_secs_f64() },
        }
    }
}

fn lines(blueprint: &Blueprint) -> Option<Lines> {
    // What was built before is built again; a fault would have shown then.
    let line = blueprint.line(Tier::Front);
    let line = line.inspect_err(|faults| tracing::error!(why = ?whats(faults), "a partition's lane cannot be built"));
    line.ok().map(|line| Lines { front: vec![line], behind: Vec::new() })
}

impl Partitions {
    /// Whether traces may be decided behind this source, so that a log of decisions is needed.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.holds
    }

    /// Partitions are shared out anew.
    pub fn rebalanced(&self) {
        self.count(|member| member.rebalances += 1);
    }

    /// A message came of a trace that has parts in two partitions.
    pub fn split(&self) {
        self.count(|member| member.split += 1);
    }

    /// The source has so many partitions now: those that are read share its memory anew, with what they hold. One that another graph takes over just now does so when
    /// this is said again.
    pub fn share(&self, partitions: usize) {
        // Held, so that no other graph comes between.
        let graph = self.ground.graph.lock();
        let Some(Graph { blueprint, around, .. }) = graph.as_ref() else { return };
        let shares = |seat: &Arc<Seat>| seat.node == self.account.name && seat.crews.load(Ordering::Relaxed) != partitions;
        for seat in self.ground.seats().into_iter().filter(shares) {
            let Ok(room) = seat.next.try_reserve() else { continue };
            let Some((successor, _done)) = seat.successor(blueprint.for_partitions(partitions), around) else { return };
            room.send(successor);
            seat.crews.store(partitions, Ordering::Relaxed);
        }
    }

    /// A message came with spans and without a trace id as its key; how many there were, with this one.
    #[must_use]
    pub fn unkeyed(&self) -> u64 {
        self.count(|member| {
            member.unkeyed += 1;
            member.unkeyed
        })
    }

    fn count<T>(&self, count: impl FnOnce(&mut MemberStatus) -> T) -> T {
        count(self.ground.counts.lock().entry(self.account.name.clone()).or_default())
    }

    /// Reads a partition from now on. None while the pipeline goes down.
    #[must_use]
    pub fn begin(&self, assigned: Assigned) -> Option<Partition> {
        let Assigned { label, log, settled, decisions, log_of_decisions, partitions, messages } = assigned;
        // Held until it is among those that a reload changes.
        let graph = self.ground.graph.lock();
        let Graph { blueprint, around, .. } = graph.as_ref()?;
        let blueprint = blueprint.for_partitions(partitions);
        let lines = lines(&blueprint)?;
        let partition = Arc::new(Partitioned { id: log, marks: Arc::new(Marks::new(settled)), decisions: log_of_decisions });
        let around = around.for_partition(&partition);
        around.decisions.note(&decisions);
        let clock = blueprint.world.clock.clone();
        let source = (self.source, Arc::clone(&self.account));
        let reading = Reading::new(source, messages, Arc::clone(&partition), around.letters.clone(), clock);
        let (finish, (next, successors)) = (watch::Sender::new(None), mpsc::channel(1));
        let reader = Reader::new(Stream::Partition(Box::new(reading)), Arc::clone(&around), finish.subscribe(), successors);
        let falls = Arc::clone(self.ground.falls.lock().entry(log).or_default());
        let seat = Arc::new(Seat {
            node: self.account.name.clone(),
            label,
            crews: AtomicUsize::new(partitions),
            around: Mutex::new(Arc::clone(&around)),
            partition,
            next,
            end: Mutex::new(0),
        });
        self.ground.crews.lock().push(Arc::downgrade(&seat));
        let mut crew = JoinSet::new();
        // Its lane is its own task.
        let token = mpsc::channel(1).0;
        crew.spawn(Crew { blueprint, around, reader, falls, token }.run(lines, decisions));
        Some(Partition { seat, ground: Arc::clone(&self.ground), finish, crew })
    }
}

impl Partition {
    /// How far it is settled now.
    #[must_use]
    pub fn settled(&self) -> Settled {
        self.seat.partition.marks.settled()
    }

    /// Returns once its lane has ended by itself: a processor panicked, or its decisions are not kept. It can only be begun anew, at the watermark.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub async fn fallen(&mut self) {
        while self.crew.join_next().await.is_some() {}
    }

    /// Says where the partition ends, as far as is known: behind its last message.
    pub fn ends(&self, end: u64) {
        *self.seat.end.lock() = end;
    }

    /// Everything below is settled for good, wherever the partition is read next: sinks may forget it, and what senders said there of their own journals.
    pub async fn committed(&self, watermark: u64) {
        let partition = &self.seat.partition;
        let own = watermark.checked_sub(1).map(|position| Origin { log: partition.id, position });
        let last: Vec<Origin> = own.into_iter().chain(partition.marks.told(watermark)).collect();
        let graph = self.ground.graph.lock().clone();
        if let Some(graph) = graph {
            tell_settled(&graph.deliveries, &last).await;
        }
    }

    /// Reads no more, waits for what is on its way to sinks, until then, and gives back what is held. Nothing settles after that.
    pub async fn end(mut self, by: Instant) -> Settled {
        self.finish.send_replace(Some(by));
        if timeout_at(by + LETS_GO, self.fallen()).await.is_err() {
            self.crew.shutdown().await;
        }
        self.seat.partition.marks.close()
    }
}
