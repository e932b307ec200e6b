//! A lane: one task that reads a stream, runs the chain of processors on it by plain calls, fires timers on the stream's clock and hands what comes
//! out to the sinks' queues. It waits only between calls. A panic ends its parts, not the process.

use crate::{
    Clock, Flush, Reason,
    ledger::{Account, Fate, Posting},
    limits::Share,
    out::{Chain, Outbox, Outputs, Stage, flush},
    queue::Queue,
    settling::Settling,
    stream::Stream,
    tail::Handed,
};
use journal::{Header, Kind, Log};
use parking_lot::Mutex;
use signal::{Ack, Batch, Chunk, Flow, Ordinals, Origin, Outcome, Time};
use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    task::coop::consume_budget,
    time::{Instant, sleep},
};

/// Outputs that wait for their decisions to be synced, before the lane waits for the disk.
const SEALED_MAX: usize = 64;
/// How often and how far apart a decision is offered to a journal that refuses it, before its outputs go out without it.
const DECISION_TRIES: u32 = 50;
const DECISION_TRY_AFTER: Duration = Duration::from_millis(100);
/// Timers are never awaited for less, so that a part that stays due cannot spin.
const TIMER_MIN: Duration = Duration::from_millis(1);

/// When to end: none while running, then the time by which reading must be over.
pub(crate) type Finish = watch::Receiver<Option<Instant>>;

/// The parts of a lane, without anything that waits.
pub(crate) struct Line {
    /// In an order in which each stage comes after all it reads.
    pub(crate) stages: Vec<Stage>,
    /// Who reads each source; by node of the plan.
    pub(crate) sources: HashMap<usize, (Arc<Account>, Arc<Outputs>)>,
}

/// What a lane works with besides its parts; the same in each of its lives.
pub(crate) struct Surroundings {
    pub(crate) edges: Vec<Arc<Queue>>,
    pub(crate) clock: Clock,
    pub(crate) journal: Option<Arc<Log>>,
    pub(crate) window: Arc<Share>,
    /// The stream's time, for `status`.
    pub(crate) progress: watch::Sender<Time>,
    /// The promises of the life at hand, for `status`.
    pub(crate) settling: Mutex<Option<Arc<Settling>>>,
}

impl Surroundings {
    /// Into the queues: first where there is room, then where it must be waited for.
    async fn emit(&self, flows: Vec<(usize, Flow)>) {
        let mut full = Vec::new();
        for (edge, flow) in flows {
            let Some(queue) = self.edges.get(edge) else { continue };
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

/// One life of a lane.
pub(crate) struct Lane<'a> {
    line: Line,
    around: &'a Surroundings,
    settling: Arc<Settling>,
    now: Time,
    outbox: Outbox,
    sealed: VecDeque<Sealed>,
    window_bytes: usize,
    /// Requests at which a lane fell, and how often.
    falls: &'a mut HashMap<u64, u32>,
    ended: bool,
}

/// What waits for decisions to be synced.
struct Sealed {
    /// Of the record of decisions.
    sequence: u64,
    flows: Vec<(usize, Flow)>,
    /// Of what was decided about.
    promises: Vec<Ack>,
}

/// A processor panicked: this life of the lane is over.
#[derive(Debug)]
pub(crate) struct Fallen;

/// Falls at one request before it is given up.
const FALLS_MAX: u32 = 2;

impl<'a> Lane<'a> {
    pub(crate) fn new(line: Line, around: &'a Surroundings, settling: Arc<Settling>, falls: &'a mut HashMap<u64, u32>) -> Lane<'a> {
        // Where there is a journal what the parts have is read again.
        let fall = if around.journal.is_some() { (Fate::Discarded, Reason::REPLAYED) } else { (Fate::Lost, Reason::PANICKED) };
        Lane {
            line,
            around,
            settling,
            now: Time::default(),
            outbox: Outbox::new(fall, !falls.is_empty()),
            sealed: VecDeque::new(),
            window_bytes: 0,
            falls,
            ended: false,
        }
    }

    /// Runs until the stream has ended and everything held was sent on, or until the time to read is over.
    pub(crate) async fn run(&mut self, stream: &mut Stream, finish: &mut Finish) -> Result<(), Fallen> {
        loop {
            // Lets others have their turn, however much there is to read.
            consume_budget().await;
            self.release(SEALED_MAX).await;
            let by = *finish.borrow();
            if by.is_some() {
                stream.close();
            }
            if by.is_some_and(|by| Instant::now() >= by) && self.around.journal.is_some() {
                // What was not read, and what is held, stays in the journal; what is in the queues may still settle, so this life goes on.
                std::future::pending::<()>().await;
            }
            match stream.idle() {
                Some(wall) if by.is_some() => return self.last(wall).await,
                Some(wall) => {
                    self.advance(wall).await?;
                    self.rest(stream, finish).await;
                }
                None => {
                    if let Some(handed) = stream.next().await {
                        self.take(handed).await?;
                    }
                }
            }
        }
    }

    /// Waits for something to do.
    async fn rest(&mut self, stream: &mut Stream, finish: &mut Finish) {
        let due = self.line.due().map(|due| due.since(self.around.clock.now()).max(TIMER_MIN));
        let sealed = self.sealed.front().map(|sealed| sealed.sequence);
        let journal = self.around.journal.clone();
        tokio::select! {
            () = stream.news() => {}
            _ended = finish.changed() => {}
            () = sleep(due.unwrap_or_default()), if due.is_some() => {}
            () = async { synced(journal.as_deref(), sealed).await }, if sealed.is_some() => {}
        }
    }

    /// One request: timers that are due before it, then the chain.
    async fn take(&mut self, handed: Handed) -> Result<(), Fallen> {
        let stamp = handed.arrived.max(self.now);
        if let Err(fallen) = self.advance(stamp).await {
            // It never got into the lane, and is read again with what did.
            self.line.let_go(&handed, self.outbox.fall);
            return Err(fallen);
        }
        let (position, leaving) = (handed.position, handed.leaving());
        if position.is_some_and(|position| self.falls.get(&position).is_some_and(|falls| *falls >= FALLS_MAX)) {
            self.line.let_go(&handed, (Fate::Lost, Reason::PANICKED));
            self.settling.promise(position, handed.waiter).record(Outcome::Rejected);
            return Ok(());
        }
        let ack = self.settling.promise(position, handed.waiter);
        let origin = self.around.journal.as_ref().zip(position).map(|(log, position)| Origin { log: log.id(), position });
        let chunk = Chunk::new(handed.checked, handed.records, origin, Ordinals::From(0), handed.arrived);
        let flow = Flow::Batch(Batch::new(handed.signal, chunk, ack));
        drop(handed.admission);
        let (line, outbox, now) = (&mut self.line, &mut self.outbox, self.now);
        let walked = catch_unwind(AssertUnwindSafe(|| line.take(handed.source, flow, leaving, now, outbox)));
        self.after(walked, position).await
    }

    /// Fires every timer up to `until`, each at its own time, and lets what comes of it out in between.
    async fn advance(&mut self, until: Time) -> Result<(), Fallen> {
        loop {
            let (line, outbox, now) = (&mut self.line, &mut self.outbox, &mut self.now);
            let walked = catch_unwind(AssertUnwindSafe(|| line.fire(until, now, outbox)));
            let fired = walked.as_ref().is_ok_and(|fired| *fired);
            self.after(walked.map(|_| ()), None).await?;
            if !fired {
                break;
            }
        }
        self.now = self.now.max(until);
        self.around.progress.send_replace(self.now);
        Ok(())
    }

    /// The input has ended: everything held goes on, stage by stage.
    async fn last(&mut self, wall: Time) -> Result<(), Fallen> {
        self.advance(wall).await?;
        for stage in 0..self.line.stages.len() {
            let (line, outbox, now) = (&mut self.line, &mut self.outbox, self.now);
            let walked = catch_unwind(AssertUnwindSafe(|| flush(&mut line.chain(now, outbox), stage, Flush::Last)));
            self.after(walked, None).await?;
        }
        self.release(0).await;
        self.ended = true;
        Ok(())
    }

    /// After a call: what came out goes on, or the lane has fallen.
    async fn after(&mut self, walked: std::thread::Result<()>, position: Option<u64>) -> Result<(), Fallen> {
        if walked.is_err() {
            self.settling.break_off();
            let mut at_hand = std::mem::take(&mut self.outbox.at_hand);
            at_hand.extend(position.filter(|_| at_hand.is_empty()));
            at_hand.sort_unstable();
            at_hand.dedup();
            at_hand.into_iter().for_each(|position| *self.falls.entry(position).or_default() += 1);
            let (fate, why) = self.outbox.fall;
            self.line.end_held(fate, why);
            return Err(Fallen);
        }
        let held = self.line.held_bytes();
        self.around.window.force(held.saturating_sub(self.window_bytes));
        self.around.window.give_back(self.window_bytes.saturating_sub(held));
        self.window_bytes = held;
        if !self.outbox.decisions.is_empty() {
            self.decide().await;
        }
        let flows = std::mem::take(&mut self.outbox.flows);
        match self.sealed.back_mut() {
            Some(last) => last.flows.extend(flows),
            None => self.around.emit(flows).await,
        }
        Ok(())
    }

    /// Appends the decisions; what came out with them is sealed until they are synced.
    async fn decide(&mut self) {
        let decisions = std::mem::take(&mut self.outbox.decisions);
        let Some(journal) = &self.around.journal else { return self.outbox.promises.clear() };
        // Cannot fail: a decision is plain data.
        let Ok(payload) = serde_json::to_vec(&decisions) else { return };
        let items = u32::try_from(decisions.len()).unwrap_or(u32::MAX);
        let payload = [bytes::Bytes::from(payload)];
        for _ in 0..DECISION_TRIES {
            let header = Header { kind: Kind::Decision, source: 0, signal: 0, items, arrived: self.now.0 };
            match journal.append(header, &payload) {
                Ok(sequence) => {
                    let promises = std::mem::take(&mut self.outbox.promises);
                    return self.sealed.push_back(Sealed { sequence, flows: Vec::new(), promises });
                }
                Err(error) => tracing::warn!(%error, "a decision waits for the journal"),
            }
            sleep(DECISION_TRY_AFTER).await;
        }
        self.outbox.promises.clear();
        tracing::error!(items, "the journal takes no decisions: after a crash these traces would be decided again");
    }

    /// Lets out what is sealed and synced, and waits for the disk while more than `sealed_max` wait.
    async fn release(&mut self, sealed_max: usize) {
        let around = self.around;
        while let Some(sequence) = self.sealed.front().map(|sealed| sealed.sequence) {
            let Some(journal) = &around.journal else { return };
            if self.sealed.len() <= sealed_max && journal.synced() <= sequence {
                return;
            }
            synced(Some(journal), Some(sequence)).await;
            if let Some(sealed) = self.sealed.pop_front() {
                around.emit(sealed.flows).await;
                drop(sealed.promises);
            }
        }
    }
}

async fn synced(journal: Option<&Log>, sequence: Option<u64>) {
    if let (Some(journal), Some(sequence)) = (journal, sequence)
        && let Err(error) = journal.committed(sequence).await
    {
        tracing::error!(%error, "a decision was not synced: after a crash its traces would be decided again");
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // Before the parts let go of what they hold.
            self.settling.break_off();
        }
        self.around.window.give_back(self.window_bytes);
    }
}

impl Line {
    fn chain<'a>(&'a mut self, now: Time, outbox: &'a mut Outbox) -> Chain<'a> {
        Chain { first: 0, stages: &mut self.stages, now, outbox }
    }

    fn take(&mut self, source: usize, flow: Flow, mut leaving: Posting, now: Time, outbox: &mut Outbox) {
        let Some((account, outputs)) = self.sources.get(&source).cloned() else { return };
        // Posted first: whatever happens further on, its source is rid of it.
        outputs.main.count(&flow, &mut leaving);
        account.post(&leaving);
        outputs.main.send(flow, &mut self.chain(now, outbox));
    }

    /// Ends a request that does not get into the lane.
    fn let_go(&self, handed: &Handed, (fate, why): (Fate, Reason)) {
        let Some((account, _)) = self.sources.get(&handed.source) else { return };
        let mut posting = handed.leaving();
        let records = posting.difference().map(|records| u64::try_from(records).unwrap_or(0));
        posting.end_all(fate, why, records);
        account.post(&posting);
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.stages.iter().filter_map(|stage| stage.part.due()).min()
    }

    /// Fires what is due, earliest first, until the outbox is full. Whether to call again once it is empty.
    fn fire(&mut self, until: Time, now: &mut Time, outbox: &mut Outbox) -> bool {
        loop {
            let stages = self.stages.iter().enumerate();
            let first = stages.filter_map(|(at, stage)| Some((stage.part.due()?, at))).min().filter(|(due, _)| *due <= until);
            let Some((due, stage)) = first else { return false };
            *now = (*now).max(due);
            let before = (outbox.flows.len(), outbox.decisions.len());
            flush(&mut self.chain(*now, outbox), stage, Flush::Due);
            let stuck = self.stages.get(stage).is_some_and(|stage| stage.part.due() == Some(due));
            if stuck || outbox.is_full() {
                return (outbox.flows.len(), outbox.decisions.len()) != before;
            }
        }
    }

    fn held_bytes(&self) -> usize {
        self.stages.iter().map(|stage| stage.part.held().bytes).sum()
    }

    /// Ends in the ledger what the parts of a fallen lane hold.
    pub(crate) fn end_held(&mut self, fate: Fate, why: Reason) {
        for stage in &mut self.stages {
            let held = std::mem::take(&mut stage.held);
            let mut posting = Posting::default();
            posting.hold(held, [0; 3]);
            posting.end_all(fate, why, held);
            stage.account.post(&posting);
        }
    }

    /// Tells every part of a decision made before a restart.
    pub(crate) fn recall(&mut self, decision: &signal::Decision) {
        self.stages.iter_mut().for_each(|stage| stage.part.recall(decision));
    }
}
