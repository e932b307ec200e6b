//! What leaves a lane: flows to the queues of sinks and over the exchange, and decisions, which are on disk before anything that came with them goes out.

use crate::{
    Clock, Decisions,
    dead_letters::DeadLetters,
    exchange::Exchange,
    kept::{Kept, Partitioned},
    limits::Share,
    order::Order,
    out::Outbox,
    queue::Queue,
    settling::Settling,
    turn::{End, Turn},
};
use futures::{FutureExt, future::BoxFuture};
use journal::{Blame, Header, Kind, Log};
use parking_lot::Mutex;
use signal::{Ack, Decision, Flow, Time};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};

/// Outputs that wait for their decisions to be synced, before the lane waits for the disk.
pub(crate) const SEALED_MAX: usize = 64;
/// How often and how far apart a decision is offered to a journal that refuses it, before its outputs go out without it.
const DECISION_TRIES: u32 = 50;
const DECISION_TRY_AFTER: Duration = Duration::from_millis(100);

/// What lanes work with besides their parts; the same for all of them and in each of their lives.
pub(crate) struct Surroundings {
    pub(crate) edges: Vec<Arc<Queue>>,
    /// What keeps what they read; none where that cannot be read again.
    pub(crate) kept: Option<Kept>,
    /// Where a request goes that nobody can go on with.
    pub(crate) letters: Option<Arc<DeadLetters>>,
    /// Where it is noted what lanes have in hand, while what an earlier process left is read again.
    pub(crate) blame: Option<Arc<Blame>>,
    /// For whoever asks.
    pub(crate) decisions: Arc<Decisions>,
    pub(crate) window: Arc<Share>,
    /// The stream's time, for `status`.
    pub(crate) progress: watch::Sender<Time>,
    /// The promises of the life at hand, for `status`.
    pub(crate) settling: Mutex<Option<Arc<Settling>>>,
    pub(crate) now: Clock,
}

impl Surroundings {
    pub(crate) fn journal(&self) -> Option<&Arc<Log>> {
        self.kept.as_ref().and_then(Kept::journal)
    }

    /// The same for the crew of a partition.
    pub(crate) fn for_partition(&self, partition: &Arc<Partitioned>) -> Arc<Surroundings> {
        let now = self.now.now();
        self.with(Some(Kept::Partition(Arc::clone(partition))), watch::Sender::new(now))
    }

    /// The same in another graph.
    pub(crate) fn in_graph(&self, graph: &Surroundings) -> Arc<Surroundings> {
        let around = graph.with(self.kept.clone(), self.progress.clone());
        around.settling.lock().clone_from(&self.settling.lock());
        around
    }

    fn with(&self, kept: Option<Kept>, progress: watch::Sender<Time>) -> Arc<Surroundings> {
        Arc::new(Surroundings {
            edges: self.edges.clone(),
            kept,
            letters: self.letters.clone(),
            blame: None,
            decisions: Arc::clone(&self.decisions),
            window: Arc::clone(&self.window),
            progress,
            settling: Mutex::default(),
            now: self.now.clone(),
        })
    }

    /// What origins call what they read.
    pub(crate) fn log(&self) -> Option<u32> {
        self.kept.as_ref().map(Kept::id)
    }

    /// Into the queues: first where there is room, then where it must be waited for.
    async fn emit(&self, flows: Vec<(usize, Flow)>) {
        let mut full = Vec::new();
        for (edge, mut flow) in flows {
            let Some(queue) = self.edges.get(edge) else { continue };
            if let Some(Kept::Partition(partition)) = &self.kept {
                partition.marks.send(&mut flow);
            }
            for owed in queue.admit(flow) {
                if full.iter().any(|(other, _)| *other == edge) {
                    full.push((edge, owed));
                } else if let Some(owed) = queue.put(owed) {
                    full.push((edge, owed));
                }
            }
        }
        for (edge, owed) in full {
            if let Some(queue) = self.edges.get(edge) {
                queue.put_when_room(owed).await;
            }
        }
    }
}

/// The way out of one lane. Stays where a lane falls and begins again by itself.
pub(crate) struct Outlet {
    around: Arc<Surroundings>,
    sealed: VecDeque<Sealed>,
    /// Why decisions are not kept: nothing of this lane goes out any more.
    refused: Option<String>,
    /// Where lanes take turns in giving to sinks.
    order: Option<Arc<Order>>,
    /// The turn at hand is first in that order.
    come: bool,
    exchange: Option<Exchange>,
}

/// What waits for decisions to be kept.
struct Sealed {
    keeping: Keeping,
    flows: Vec<(usize, Flow)>,
    /// Of what was decided about.
    promises: Vec<Ack>,
}

enum Keeping {
    /// The record of decisions.
    Journal(u64),
    Partition(BoxFuture<'static, Result<(), String>>),
    Done,
}

impl Keeping {
    /// Whether it is over, if that can be told without waiting.
    fn is_over(&mut self, journal: Option<&Arc<Log>>) -> Option<Result<(), String>> {
        match self {
            Keeping::Journal(sequence) => journal.is_none_or(|journal| journal.synced() > *sequence).then_some(Ok(())),
            Keeping::Partition(kept) => kept.now_or_never(),
            Keeping::Done => Some(Ok(())),
        }
    }

    /// Returns once it is over.
    ///
    /// # Cancel safety
    /// Safe: it goes on.
    async fn over(&mut self, journal: Option<&Arc<Log>>) -> Result<(), String> {
        match self {
            Keeping::Journal(sequence) => {
                if let Some(journal) = journal
                    && let Err(error) = journal.committed(*sequence).await
                {
                    tracing::error!(%error, "a decision was not synced: after a crash its traces would be decided again");
                }
                Ok(())
            }
            Keeping::Partition(kept) => kept.await,
            Keeping::Done => Ok(()),
        }
    }
}

impl Outlet {
    pub(crate) fn new(around: Arc<Surroundings>, order: Option<Arc<Order>>, exchange: Option<Exchange>) -> Outlet {
        Outlet { around, sealed: VecDeque::new(), refused: None, order, come: false, exchange }
    }

    /// Lets go what came out of one call.
    pub(crate) async fn send(&mut self, outbox: &mut Outbox, turn: u64, now: Time) {
        let (decisions, promises) = (std::mem::take(&mut outbox.decisions), std::mem::take(&mut outbox.promises));
        if !decisions.is_empty() {
            self.decide(&decisions, promises, now).await;
            self.around.decisions.note(&decisions);
        }
        if !outbox.across.is_empty() {
            // What goes on to another lane is out of this one.
            self.release(0).await;
            let across = std::mem::take(&mut outbox.across);
            if let Some(exchange) = &mut self.exchange {
                across.into_iter().for_each(|(stage, flow)| exchange.take(stage, flow, now));
            }
        }
        let flows = std::mem::take(&mut outbox.flows);
        match self.sealed.back_mut() {
            Some(last) => last.flows.extend(flows),
            None if flows.is_empty() => {}
            None => {
                self.come(turn).await;
                self.around.emit(flows).await;
            }
        }
    }

    /// Nothing more comes of this turn.
    pub(crate) async fn end_turn(&mut self, turn: &Turn, end: End, now: Time) {
        if self.order.is_some() {
            self.release(0).await;
            self.come(turn.number).await;
            self.come = false;
            self.order.iter().for_each(|order| order.pass(turn.number));
        }
        // Last, so that no lane that waits for room in another has kept a third from its turn.
        if let Some(exchange) = &mut self.exchange {
            exchange.send(turn, end, now).await;
        }
    }

    async fn come(&mut self, turn: u64) {
        if let Some(order) = self.order.as_ref().filter(|_| !self.come) {
            order.come(turn).await;
            self.come = true;
        }
    }

    /// Appends the decisions; what came out with them is sealed until they are synced.
    async fn decide(&mut self, decisions: &[Decision], promises: Vec<Ack>, now: Time) {
        let journal = match &self.around.kept {
            None => return,
            Some(Kept::Journal(journal)) => journal,
            Some(Kept::Partition(partition)) => {
                let Some(log) = &partition.decisions else { return };
                let keeping = Keeping::Partition(log.keep(decisions.to_vec()));
                return self.sealed.push_back(Sealed { keeping, flows: Vec::new(), promises });
            }
        };
        // Cannot fail: a decision is plain data.
        let Ok(payload) = serde_json::to_vec(decisions) else { return };
        let items = u32::try_from(decisions.len()).unwrap_or(u32::MAX);
        let payload = [bytes::Bytes::from(payload)];
        for _ in 0..DECISION_TRIES {
            let header = Header { kind: Kind::Decision, source: 0, signal: 0, items, arrived: now.0 };
            match journal.append(header, &payload) {
                Ok(sequence) => {
                    let keeping = Keeping::Journal(sequence);
                    return self.sealed.push_back(Sealed { keeping, flows: Vec::new(), promises });
                }
                Err(error) => tracing::warn!(%error, "a decision waits for the journal"),
            }
            sleep(DECISION_TRY_AFTER).await;
        }
        tracing::error!(items, "the journal takes no decisions: after a crash these traces would be decided again");
    }

    /// Lets out what is sealed and kept, and waits while more than `sealed_max` wait.
    pub(crate) async fn release(&mut self, sealed_max: usize) {
        let around = Arc::clone(&self.around);
        while self.refused.is_none() {
            let many = self.sealed.len() > sealed_max;
            let Some(Sealed { keeping, .. }) = self.sealed.front_mut() else { return };
            match keeping.is_over(around.journal()) {
                Some(ended) => self.ended(ended),
                None if many => self.kept().await,
                None => return,
            }
            if self.refused.is_none()
                && let Some(sealed) = self.sealed.pop_front()
            {
                around.emit(sealed.flows).await;
                drop(sealed.promises);
            }
        }
    }

    pub(crate) fn is_sealed(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Why nothing goes out any more, if so.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Returns once the first of what is sealed may be let out.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub(crate) async fn kept(&mut self) {
        let journal = self.around.journal().cloned();
        let Some(sealed) = self.sealed.front_mut() else { return };
        let ended = sealed.keeping.over(journal.as_ref()).await;
        self.ended(ended);
    }

    fn ended(&mut self, ended: Result<(), String>) {
        if let Some(sealed) = self.sealed.front_mut() {
            sealed.keeping = Keeping::Done;
        }
        self.refused = ended.err();
    }
}
