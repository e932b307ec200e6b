//! From a queue to a sink and to an answer: merges, retries, honours the server's time, halves what is too large, searches for the culprit in what is
//! refused for good, and settles. Nobody else does any of it.

use crate::{
    Clock, Parcel, Reason, Refusal, Sink, Why,
    backoff::Backoff,
    dead_letters::DeadLetters,
    falls::said,
    ledger::{Fate, PerSignal, Posting},
    letter::{About, Content},
    owed::{Keeper, Owed, counts, halves, joined, parcel},
    queue::{Load, Queue},
    spill::Spill,
};
use futures::FutureExt;
use journal::Refused;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use signal::{Flow, Outcome, Signal, Time};
use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// Refused one by one and none delivered: the rest of such a parcel is refused as a whole instead of being sent one by one.
const CULPRITS_MAX: usize = 16;
/// When a disk that did not take what is in hand is asked again.
const KEEP_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The longest pause between two attempts while the pipeline closes.
const CLOSING_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Delivers to one sink. Several run beside each other unless the sink is ordered.
pub(crate) struct Delivery {
    pub(crate) queue: Arc<Queue>,
    /// A reload may put another in its place.
    pub(crate) sink: Mutex<Arc<dyn Sink>>,
    /// Where what it does not take in time goes, if it may.
    pub(crate) spill: Option<Arc<Spill>>,
    /// Where what it refuses for good goes, if there is a disk.
    pub(crate) letters: Option<Arc<DeadLetters>>,
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
    Partly {
        records: usize,
    },
    Never {
        reason: Reason,
        why: Why,
    },
    TooLarge {
        max: Option<usize>,
    },
    /// It is on disk and goes out after the next start.
    Left,
}

/// A load at work: what is tried now, and what comes after it.
struct Hand {
    load: Load,
    now: Vec<Owed>,
    later: Vec<Vec<Owed>>,
    kept: bool,
    /// Some of it was taken.
    delivered: bool,
    /// The sink has panicked at some of it: the next time it is not chance.
    panicked: bool,
}

impl Delivery {
    /// Who delivers now.
    pub(crate) fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.sink.lock())
    }

    /// Has another instance deliver from the next attempt on.
    pub(crate) fn replace(&self, sink: Arc<dyn Sink>) {
        *self.sink.lock() = sink;
    }

    /// Delivers until the queue is closed and empty.
    pub(crate) async fn run(self: Arc<Delivery>, worker: usize) {
        let mut backoff = Backoff::new(&format!("{} {worker}", self.queue.account.name));
        while let Some(load) = self.queue.take().await {
            self.deliver(load, &mut backoff).await;
        }
    }

    /// Delivers a load in one parcel, or in as many as the sink's refusals make of it.
    async fn deliver(&self, mut load: Load, backoff: &mut Backoff) {
        let members = std::mem::take(&mut load.members);
        let kept = members.iter().all(|owed| owed.keeper == Keeper::Spill);
        let mut hand = Hand { load, now: Vec::new(), later: vec![members], kept, delivered: false, panicked: false };
        let mut culprits = 0;
        while let Some(members) = hand.later.pop() {
            hand.now = members;
            let verdict = self.attempt(&mut hand, backoff).await;
            let members = std::mem::take(&mut hand.now);
            let hopeless = culprits >= CULPRITS_MAX && !hand.delivered;
            match verdict {
                Verdict::Delivered => {
                    hand.delivered = true;
                    self.settle(members, 0);
                }
                Verdict::Partly { records } => {
                    hand.delivered = true;
                    self.settle(members, records);
                }
                Verdict::Never { reason, why } if hopeless => self.reject(members, reason, &why.0).await,
                Verdict::Never { reason, why } => match halves(members) {
                    Ok((first, second)) => hand.later.extend([second, first]),
                    Err(culprit) => {
                        culprits += 1;
                        self.reject(culprit, reason, &why.0).await;
                    }
                },
                Verdict::TooLarge { max } => {
                    self.queue.lower(members.iter().filter_map(Owed::flow).map(Flow::bytes).sum(), max);
                    match halves(members) {
                        Ok((first, second)) => hand.later.extend([second, first]),
                        Err(culprit) => self.reject(culprit, Reason::TOO_LARGE, "it is too large by itself").await,
                    }
                }
                Verdict::Left => return,
            }
        }
    }

    /// Tries until there is an answer other than later.
    async fn attempt(&self, hand: &mut Hand, backoff: &mut Backoff) -> Verdict {
        let Some(mut whole) = parcel(&hand.now) else { return Verdict::Delivered };
        let (within, mut phase) = (self.queue.delivering.timeout, self.queue.phase());
        loop {
            let (closed, sink) = (phase.borrow().closed, self.sink());
            let attempt = timeout(within, AssertUnwindSafe(async { sink.deliver(&whole).await }).catch_unwind());
            let answer = self.beside(hand, attempt).await;
            let (after, why) = match answer {
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
                    return Verdict::Never { reason: Reason::REFUSED, why };
                }
                Ok(Ok(Err(Refusal::TooLarge { max }))) => return Verdict::TooLarge { max },
                Ok(Ok(Err(Refusal::Rest { rest, rejected, after, why }))) => {
                    self.taken_but(hand, &rest, rejected);
                    whole = *rest;
                    (after, why)
                }
                Ok(Err(panic)) => {
                    let why = Why(format!("the sink panicked, which is a defect: {}", said(&*panic)));
                    tracing::error!(node = self.queue.account.name, why = why.0);
                    if std::mem::replace(&mut hand.panicked, true) {
                        self.failed(&why);
                        return Verdict::Never { reason: Reason::PANICKED, why };
                    }
                    (None, why)
                }
                Err(_elapsed) => (None, Why(format!("no answer within {} s", within.as_secs_f64()))),
            };
            self.failed(&why);
            if closed && hand.kept {
                self.queue.leave();
                return Verdict::Left;
            }
            let wait = after.map_or(backoff.next(), |after| after.min(Backoff::SERVER_MAX));
            let wait = if closed { wait.min(CLOSING_PAUSE_MAX) } else { wait };
            // Once more when the pipeline closes, whatever the pause.
            let pause = async {
                tokio::select! {
                    () = sleep(wait) => {}
                    _ = phase.wait_for(|phase| phase.left || phase.closed && !closed) => {}
                }
            };
            self.beside(hand, pause).await;
            if phase.borrow().left && hand.kept {
                return Verdict::Left;
            }
        }
    }

    /// Goes on with `work`, and once what comes to the sink goes to disk, brings what is in hand there first.
    async fn beside<T>(&self, hand: &mut Hand, work: impl Future<Output = T>) -> T {
        let (mut work, mut phase, mut wait) = (pin!(work), self.queue.phase(), Duration::ZERO);
        while !hand.kept {
            let wanted = async {
                // The queue has its end as long as somebody delivers from it.
                drop(phase.wait_for(|phase| phase.spilling).await);
                sleep(wait).await;
            };
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = wanted => {}
            }
            self.keep(hand).await;
            wait = KEEP_AGAIN_AFTER;
        }
        work.await
    }

    /// Writes what is in hand, what is tried first, and lets its senders go.
    async fn keep(&self, hand: &mut Hand) {
        let Some(spill) = &self.spill else { return std::future::pending().await };
        let Hand { now, later, .. } = hand;
        for members in std::iter::once(now).chain(later.iter_mut().rev()) {
            let Some(mut owed) = joined(std::mem::take(members)) else { continue };
            let kept = if owed.keeper == Keeper::Spill { Ok(None) } else { spill.keep(&owed).await.map(Some) };
            if let Ok(Some(sequence)) = kept {
                owed.kept_by(&spill.promise(sequence));
            }
            members.push(owed);
            match kept {
                // No log of this size takes it: it stays with its sender.
                Ok(_) | Err(Refused::TooLarge { .. }) => {}
                Err(error) => {
                    tracing::warn!(node = self.queue.account.name, %error, "what waits for a sink cannot go to disk now");
                    return;
                }
            }
        }
        hand.kept = true;
        hand.load.kept();
    }

    /// All but `rejected` records were taken.
    fn settle(&self, members: Vec<Owed>, rejected: usize) {
        self.post_taken(counts(&members), rejected);
        members.into_iter().for_each(|owed| owed.settle(Outcome::Delivered));
    }

    /// All but the rest was taken, and of it all but `rejected` records. The rest goes on with the promises of all.
    fn taken_but(&self, hand: &mut Hand, rest: &Parcel, rejected: usize) {
        let (before, left) = (counts(&hand.now), rest.flow.counts());
        self.post_taken(std::array::from_fn(|at| before[at].saturating_sub(left[at])), rejected);
        hand.delivered = true;
        hand.now = joined(std::mem::take(&mut hand.now)).into_iter().map(|owed| owed.reduced_to(rest)).collect();
    }

    fn post_taken(&self, taken: PerSignal<u64>, rejected: usize) {
        let (mut rejected, mut posting) = (rejected as u64, Posting::default());
        posting.hold(taken, [0; 3]);
        for signal in Signal::ALL {
            let refused = rejected.min(taken[signal.number()]);
            rejected -= refused;
            posting.end(Fate::Rejected, signal, Reason::REFUSED, refused);
            posting.out[signal.number()] += taken[signal.number()] - refused;
        }
        self.queue.account.post(&posting);
    }

    /// Nobody tries again: it goes to the dead letters, where there is a disk, and is rejected in the ledger in any case.
    async fn reject(&self, members: Vec<Owed>, reason: Reason, why: &str) {
        for owed in members {
            let name = &self.queue.account.name;
            tracing::warn!(node = name, records = owed.records(), why, "refused for good");
            if let (Some(letters), Some(flow)) = (&self.letters, owed.flow()) {
                let about = About::new(name, reason, why, self.clock.now());
                if !letters.bury(&about, &Content::of(name, flow), self.queue.closed()).await {
                    return;
                }
            }
            self.queue.end(&owed, Fate::Rejected, reason);
            owed.settle(Outcome::Rejected);
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
