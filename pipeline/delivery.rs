//! From a queue to a sink and to an answer: merges, retries, honours the server's time, halves what is too large, searches for the culprit in what is
//! refused for good, and settles. Nobody else does any of it (FLOW 4).

use crate::{
    Clock, Parcel, Reason, Refusal, Sink, Why,
    backoff::Backoff,
    ledger::{Fate, Posting, count, slot},
    queue::{Load, Owed, Queue},
};
use futures::FutureExt;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use signal::{Batch, Flow, Outcome, Signal, Time};
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(30);
/// The smallest limit that a sink's `TooLarge` can bring about.
const PARCEL_BYTES_MIN: usize = 4 << 10;
/// Refused one by one and none delivered: the rest of such a parcel is refused as a whole instead of being sent one by one.
const CULPRITS_MAX: usize = 16;

/// Delivers to one sink. Several run beside each other unless the sink is ordered.
pub(crate) struct Delivery {
    pub(crate) queue: Arc<Queue>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) clock: Clock,
    pub(crate) health: Mutex<Health>,
}

/// How a sink is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Attempts that failed since the last that did not.
    pub failures: u64,
    /// Since when attempts fail; none if the last one did not.
    pub failing_since: Option<Time>,
    /// The last thing that the target said when it did not take something.
    pub last_error: Option<String>,
    /// When it said so.
    pub last_error_at: Option<Time>,
}

/// What came of a parcel after all retries.
enum Verdict {
    Delivered,
    Partly { records: usize },
    Never { why: Why },
    TooLarge { max: Option<usize> },
}

impl Delivery {
    /// Delivers until the queue is closed and empty.
    pub(crate) async fn run(self: Arc<Delivery>) {
        let mut backoff = Backoff::new(&self.queue.account.name);
        while let Some(load) = self.queue.take().await {
            self.deliver(load, &mut backoff).await;
        }
    }

    /// Delivers a load in one parcel, or in as many as the sink's refusals make of it.
    async fn deliver(&self, mut load: Load, backoff: &mut Backoff) {
        let mut work = vec![std::mem::take(&mut load.members)];
        let (mut culprits, mut delivered) = (0, false);
        while let Some(members) = work.pop() {
            let hopeless = culprits >= CULPRITS_MAX && !delivered;
            match self.attempt(&members, backoff).await {
                Verdict::Delivered => {
                    delivered = true;
                    self.settle(members, 0);
                }
                Verdict::Partly { records } => {
                    delivered = true;
                    self.settle(members, records);
                }
                Verdict::Never { why } if hopeless => self.reject(members, Reason::REFUSED, &why.0),
                Verdict::Never { why } => match halves(members) {
                    Ok((first, second)) => work.extend([second, first]),
                    Err(culprit) => {
                        culprits += 1;
                        self.reject(culprit, Reason::REFUSED, &why.0);
                    }
                },
                Verdict::TooLarge { max } => {
                    self.lower(&members, max);
                    match halves(members) {
                        Ok((first, second)) => work.extend([second, first]),
                        Err(culprit) => self.reject(culprit, Reason::TOO_LARGE, "it is too large by itself"),
                    }
                }
            }
        }
    }

    /// Tries until there is an answer other than later.
    async fn attempt(&self, members: &[Owed], backoff: &mut Backoff) -> Verdict {
        let Some(parcel) = merged(members) else { return Verdict::Delivered };
        loop {
            let attempt = AssertUnwindSafe(self.sink.deliver(&parcel)).catch_unwind();
            let (after, why) = match timeout(ATTEMPT, attempt).await {
                Ok(Ok(Ok(()))) => {
                    self.succeeded();
                    backoff.reset();
                    return Verdict::Delivered;
                }
                Ok(Ok(Err(Refusal::Later { after, why }))) => (after, why),
                Ok(Ok(Err(Refusal::Partly { records, why }))) => {
                    self.failed(&why);
                    backoff.reset();
                    return Verdict::Partly { records };
                }
                Ok(Ok(Err(Refusal::Never { why }))) => {
                    self.failed(&why);
                    return Verdict::Never { why };
                }
                Ok(Ok(Err(Refusal::TooLarge { max }))) => return Verdict::TooLarge { max },
                Ok(Err(_panic)) => {
                    let why = Why("the sink panicked: this is a defect".to_owned());
                    self.failed(&why);
                    return Verdict::Never { why };
                }
                Err(_elapsed) => (None, Why(format!("no answer within {} s", ATTEMPT.as_secs()))),
            };
            self.failed(&why);
            let own = backoff.next();
            sleep(after.map_or(own, |after| after.min(Backoff::SERVER_MAX))).await;
        }
    }

    /// All but `rejected` records were taken.
    fn settle(&self, members: Vec<Owed>, rejected: usize) {
        let mut rejected = rejected as u64;
        let mut posting = Posting::default();
        for owed in members {
            let Some(flow) = owed.flow() else { continue };
            let records = count(flow);
            posting.hold(records, [0; 3]);
            for signal in Signal::ALL {
                let refused = rejected.min(records[slot(signal)]);
                rejected -= refused;
                posting.end(Fate::Rejected, signal, Reason::REFUSED, refused);
                posting.out[slot(signal)] += records[slot(signal)] - refused;
            }
            owed.settle(Outcome::Delivered);
        }
        self.queue.account.post(&posting);
    }

    fn reject(&self, members: Vec<Owed>, reason: Reason, why: &str) {
        for owed in members {
            let records = owed.flow().map_or(0, Flow::len);
            tracing::warn!(node = self.queue.account.name, records, why, "refused for good");
            self.queue.end(&owed, Fate::Rejected, reason);
            owed.settle(Outcome::Rejected);
        }
    }

    /// Remembers what the sink can take.
    fn lower(&self, members: &[Owed], max: Option<usize>) {
        let sent: usize = members.iter().filter_map(Owed::flow).map(Flow::bytes).sum();
        let takes = max.filter(|max| *max < sent).unwrap_or(sent / 2).max(PARCEL_BYTES_MIN);
        let before = self.queue.parcel_bytes_max.fetch_min(takes, Ordering::Relaxed);
        if takes < before {
            tracing::info!(node = self.queue.account.name, bytes = takes, "parcels were too large and are smaller from now on");
        }
    }

    fn succeeded(&self) {
        let mut health = self.health.lock();
        health.failures = 0;
        health.failing_since = None;
    }

    fn failed(&self, why: &Why) {
        let now = self.clock.now();
        let mut health = self.health.lock();
        if health.failing_since.is_none() {
            tracing::warn!(node = self.queue.account.name, why = why.0, "delivery failed");
        }
        health.failures += 1;
        health.failing_since.get_or_insert(now);
        health.last_error = Some(why.0.clone());
        health.last_error_at = Some(now);
    }
}

/// One parcel of all members; their promises stay with them.
fn merged(members: &[Owed]) -> Option<Parcel> {
    let mut flows = members.iter().filter_map(Owed::flow).cloned().map(|mut flow| {
        flow.batches_mut().for_each(|batch| drop(batch.take_ack()));
        flow
    });
    let mut all = flows.next()?;
    for flow in flows {
        match (&mut all, flow) {
            (Flow::Batch(batch), Flow::Batch(more)) => batch.absorb(more),
            (Flow::Traces(traces), Flow::Traces(more)) => traces.extend(more),
            // A queue gives out one kind at a time.
            (Flow::Batch(_), Flow::Traces(_)) | (Flow::Traces(_), Flow::Batch(_)) => debug_assert!(false, "two kinds in one parcel"),
        }
    }
    Some(Parcel { flow: all })
}

/// Two halves, by member first, then by chunk (that is by origin), by trace and by record; a single record or trace comes back whole.
fn halves(mut members: Vec<Owed>) -> Result<(Vec<Owed>, Vec<Owed>), Vec<Owed>> {
    if members.len() > 1 {
        let second = members.split_off(members.len() / 2);
        return Ok((members, second));
    }
    if !members.iter().filter_map(Owed::flow).any(divisible) {
        return Err(members);
    }
    let Some(owed) = members.pop() else { return Err(members) };
    let since = owed.since();
    let Some((first, second)) = owed.into_flow().map(split) else { return Err(members) };
    Ok((vec![Owed::new(first, since)], vec![Owed::new(second, since)]))
}

fn divisible(flow: &Flow) -> bool {
    match flow {
        Flow::Batch(batch) => batch.len() > 1,
        Flow::Traces(traces) => traces.len() > 1,
    }
}

fn split(flow: Flow) -> (Flow, Flow) {
    match flow {
        Flow::Batch(mut batch) => {
            let second = batch.split_off(middle(&batch));
            (Flow::Batch(batch), Flow::Batch(second))
        }
        Flow::Traces(mut traces) => {
            let second = traces.split_off(traces.len() / 2);
            (Flow::Traces(traces), Flow::Traces(second))
        }
    }
}

/// The record at which to cut: where the middle chunk begins, or the middle record of a single chunk.
fn middle(batch: &Batch) -> usize {
    let chunks = batch.chunks();
    let before: usize = chunks.iter().take(chunks.len() / 2).map(signal::Chunk::len).sum();
    if before == 0 || before >= batch.len() { batch.len() / 2 } else { before }
}
