//! A pipeline at work: what can be asked of it, and how it ends without losing anything.

use crate::{
    Opened, Pool, Reason, Snapshot, Stop,
    assemble::Blueprint,
    crew::{Lanes, Successor},
    dead_letters::DeadLetters,
    delivery::Delivery,
    incoming::{Entrance, Incoming},
    ledger::Fate,
    outgoing::Outgoing,
    outlet::Surroundings,
    retry::{Asked, Retried},
    spilled::Spilled,
    status::Status,
};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use signal::{Signal, Time};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, timeout_at},
};

/// Share of the drain's time by which sources have to be done, and lanes; deliveries have all of it.
const SOURCES_PART: f64 = 0.3;
const LANES_PART: f64 = 0.7;
/// What a sink's own work gets after the last delivery, however late that was.
const SINKS_LAST: Duration = Duration::from_secs(2);

/// One graph at work.
#[derive(Clone)]
pub(crate) struct Inner {
    /// When the process began.
    pub(crate) started: Time,
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) around: Arc<Surroundings>,
    /// By sink, in the order of the plan.
    pub(crate) deliveries: Vec<Arc<Delivery>>,
    pub(crate) letters: Option<Arc<DeadLetters>>,
    pub(crate) spilled: Spilled,
    pub(crate) ask_again: mpsc::Sender<Asked>,
    /// Also keeps lanes from ending because sources did.
    pub(crate) entrance: Entrance,
    pub(crate) attempts: Arc<Attempts>,
}

/// What is shared with whoever asks: the graph that runs now.
pub(crate) struct Shared {
    graph: RwLock<Arc<Inner>>,
    pool: Pool,
}

impl Shared {
    pub(crate) fn new(inner: Inner) -> Arc<Shared> {
        Arc::new(Shared { pool: inner.blueprint.world.pool.clone(), graph: RwLock::new(Arc::new(inner)) })
    }

    pub(crate) fn graph(&self) -> Arc<Inner> {
        Arc::clone(&self.graph.read())
    }

    /// From now on this one runs.
    pub(crate) fn replace(&self, inner: Inner) {
        *self.graph.write() = Arc::new(inner);
    }
}

/// How often somebody wanted another graph, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Attempts([AtomicU64; 3]);

/// What came of an attempt to reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Another graph runs.
    Applied,
    /// It was the same graph.
    Unchanged,
    /// The new graph is wrong, or something in it cannot be opened.
    Refused,
}

impl Attempts {
    pub(crate) fn count(&self, attempt: Attempt) {
        self.0[attempt as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// With the words of metrics.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 3] {
        let of = |attempt: Attempt| self.0[attempt as usize].load(Ordering::Relaxed);
        [("applied", of(Attempt::Applied)), ("unchanged", of(Attempt::Unchanged)), ("refused", of(Attempt::Refused))]
    }
}

/// Every task of a pipeline.
pub(crate) struct Tasks {
    pub(crate) sources: Vec<Incoming>,
    pub(crate) lanes: Lanes,
    pub(crate) finish: watch::Sender<Option<Instant>>,
    /// By crew.
    pub(crate) successors: Vec<mpsc::Sender<Successor>>,
    /// In the order of the plan.
    pub(crate) sinks: Vec<Outgoing>,
    /// Beside the flow: sinks hear what is settled for good, dead letters are sent again.
    pub(crate) beside: JoinSet<()>,
    pub(crate) beside_stop: (watch::Sender<bool>, Stop),
    /// Sources and sinks that a reload took out, until they have ended.
    pub(crate) ending: JoinSet<()>,
}

/// A pipeline at work. Dropped without `drain`, its tasks are cut off; what a journal has is read again at the next start.
pub struct Running {
    view: View,
    pub(crate) tasks: Tasks,
    pub(crate) opened: Vec<(String, Opened)>,
}

/// What can be asked of a running pipeline, by whoever holds a copy.
#[derive(Clone)]
pub struct View(Arc<Shared>);

/// How a drain ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// The ledger at the end; it balances.
    pub ledger: Snapshot,
    /// What did not get out in time, by node.
    pub unfinished: Vec<Unfinished>,
}

/// Records that a node still had when the drain ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The node.
    pub node: String,
    /// How many of each signal.
    pub records: BTreeMap<Signal, u64>,
    /// What became of them.
    pub fate: Left,
}

/// What became of records that a drain left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Left {
    /// They are in the journal and go out after the next start.
    Kept,
    /// They are gone, and counted as `lost{drain_ended}`.
    Lost,
}

impl View {
    /// The state now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.graph().status()
    }

    /// Whether data can be taken in: not while the process goes down, nor at the hard memory limit. A sink that is down does not matter.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn ready(&self) -> Result<(), String> {
        let graph = self.0.graph();
        if graph.entrance.closed.load(Ordering::Acquire) {
            return Err("going down".to_owned());
        }
        let memory = graph.memory();
        let used = [memory.intake, memory.window, memory.queues].iter().sum::<usize>() as u64;
        if used >= memory.bytes_max {
            return Err(format!("the memory budget is used up: {used} of {} bytes", memory.bytes_max));
        }
        Ok(())
    }

    /// The text of `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.0.graph().metrics()
    }

    /// What nodes share, such as the store.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// Sends the dead letters of a node, or all, again. Returns once they are in their sinks' queues; it goes on if nobody waits.
    ///
    /// # Errors
    /// Why not all of them, in words.
    pub async fn retry(&self, node: Option<String>) -> Result<Retried, String> {
        let graph = self.0.graph();
        if graph.letters.is_none() {
            return Err("there are no dead letters without a `journal:`".to_owned());
        }
        let (answer, answered) = oneshot::channel();
        let going_down = || "going down".to_owned();
        graph.ask_again.send(Asked { node, answer }).await.map_err(|_| going_down())?;
        answered.await.map_err(|_| going_down())?.map_err(|error| error.to_string())
    }
}

impl Running {
    pub(crate) fn new(shared: Arc<Shared>, tasks: Tasks, opened: Vec<(String, Opened)>) -> Running {
        Running { view: View(shared), tasks, opened }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.view.0
    }

    /// Counts a wish to reload that came to nothing; [`Running::reload`] counts those that it carries out.
    pub fn attempted(&self, attempt: Attempt) {
        self.view.0.graph().attempts.count(attempt);
    }

    /// What every node has opened, for the lines said at start.
    #[must_use]
    pub fn opened(&self) -> &[(String, Opened)] {
        &self.opened
    }

    /// What can be asked, for the API.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// The state now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.view.status()
    }

    /// See [`View::ready`].
    ///
    /// # Errors
    /// Why not, in words.
    pub fn ready(&self) -> Result<(), String> {
        self.view.ready()
    }

    /// The text of `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.view.metrics()
    }

    /// What nodes share, such as the store.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        self.view.pool()
    }

    /// Ends in the order of the flow: sources stop, lanes read to the end and let go of what they hold, sinks get what waits, then end themselves.
    /// What is not done `within` this time is kept where there is a journal, and otherwise lost and counted.
    pub async fn drain(mut self, within: Duration) -> Drained {
        let inner = self.view.0.graph();
        let start = Instant::now();
        let (sources_by, lanes_by, end) = (start + within.mul_f64(SOURCES_PART), start + within.mul_f64(LANES_PART), start + within);
        self.tasks.sources.iter().for_each(Incoming::stop);
        for source in &mut self.tasks.sources {
            source.end(sources_by).await;
        }
        inner.entrance.closed.store(true, Ordering::Release);
        self.tasks.finish.send_replace(Some(lanes_by));
        let lanes_done = all_by(&mut self.tasks.lanes.crews, lanes_by).await;
        if !lanes_done && inner.around.kept.is_none() {
            // Cut off while they wait for a sink. With a journal they stay, so that deliveries can still settle.
            self.tasks.lanes.shutdown().await;
        }
        inner.deliveries.iter().for_each(|delivery| delivery.queue.close());
        for sink in &mut self.tasks.sinks {
            sink.deliver_rest(end).await;
        }
        finish(&mut self.tasks.ending, end).await;
        self.tasks.lanes.shutdown().await;
        self.tasks.beside_stop.0.send_replace(true);
        let last = end.max(Instant::now() + SINKS_LAST);
        finish(&mut self.tasks.beside, last).await;
        futures::future::join_all(self.tasks.sinks.iter_mut().map(|sink| sink.end(last))).await;
        let unfinished = inner.unfinished();
        if let Some(journal) = inner.around.journal()
            && let Err(error) = journal.flush().await
        {
            tracing::error!(%error, "cannot save how far the journal was read: what was delivered last may be delivered again");
        }
        for log in inner.logs() {
            if let Err(error) = log.flush().await {
                tracing::error!(%error, "cannot save how far a log beside the journal was read");
            }
        }
        let ledger = inner.blueprint.ledger.snapshot();
        if let Err(what) = ledger.balance() {
            tracing::error!(what, "the ledger does not balance: this is a defect");
        }
        Drained { ledger, unfinished }
    }
}

impl Inner {
    /// The logs beside the journal.
    fn logs(&self) -> Vec<&Arc<journal::Log>> {
        let spilled = self.deliveries.iter().filter_map(|delivery| delivery.spill.as_ref()?.log.opened());
        spilled.chain(self.letters.iter().filter_map(|letters| letters.log.opened())).collect()
    }

    /// Says of every node what it still has, and ends in the ledger what no journal keeps.
    fn unfinished(&self) -> Vec<Unfinished> {
        let mut unfinished = Vec::new();
        for account in &self.blueprint.ledger.0 {
            let held = account.held();
            if held == [0; 3] {
                continue;
            }
            let edge = self.deliveries.iter().find(|delivery| delivery.queue.account.name == account.name);
            let promised = edge.is_none_or(|delivery| delivery.queue.on_full != config::graph::OnFull::Drop);
            let node = self.blueprint.plan.nodes.iter().find(|node| node.kind == account.kind && node.name == account.name);
            let read_again = node.is_some_and(|node| !self.blueprint.plan.is_fed_by_others(node));
            let fate = if (self.around.kept.is_some() || read_again) && promised { Left::Kept } else { Left::Lost };
            if fate == Left::Lost {
                account.end_held(Fate::Lost, Reason::DRAIN_ENDED);
            }
            let records = Signal::ALL.into_iter().zip(held).filter(|(_, records)| *records > 0).collect();
            unfinished.push(Unfinished { node: account.name.clone(), records, fate });
        }
        unfinished
    }
}

/// Waits for all tasks, and cuts off those that are late.
pub(crate) async fn finish(tasks: &mut JoinSet<()>, by: Instant) {
    if !all_by(tasks, by).await {
        tasks.shutdown().await;
    }
}

/// Whether all tasks ended in time.
pub(crate) async fn all_by(tasks: &mut JoinSet<()>, by: Instant) -> bool {
    timeout_at(by, async { while tasks.join_next().await.is_some() {} }).await.is_ok()
}
