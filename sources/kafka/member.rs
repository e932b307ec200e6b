//! A member of a consumer group at work: takes partitions, has them read, commits what is settled, and gives them back.

use super::{
    Options,
    commit::Committed,
    consumer::{Consumer, Place, Turned, commit, consumer, list},
    decisions::{Decided, Ways},
    find::{Cluster, find},
    prepare::{Prepared, prepare},
    receiving::{Asking, Watch, messages},
    split::Splits,
};
use futures::future::{BoxFuture, join_all, poll_fn};
use pipeline::{
    Blocking, Partition, SourceContext, SourceError, blocked,
    partitions::{Assigned, DecisionLog, Settled},
};
use rdkafka::{Message as _, Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use xxhash_rust::xxh3::xxh3_64;

const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// What is on its way to sinks gets so long to arrive before a partition is given back, and the commit so long after that.
const GIVE_BACK: Duration = Duration::from_secs(4);
const LAST_COMMIT: Duration = Duration::from_secs(2);
const COMMIT_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// A partition whose lane fell is begun anew after so long.
const FALLEN_AFTER: Duration = Duration::from_secs(1);
/// How long the group is waited for when this member leaves it.
const LEAVE: Duration = Duration::from_secs(5);

pub(super) struct Member {
    options: Arc<Options>,
    context: SourceContext,
}

/// A member that has joined.
struct Joined {
    options: Arc<Options>,
    context: SourceContext,
    cluster: Cluster,
    consumer: Arc<Consumer>,
    ways: Option<Arc<Ways>>,
    turns: mpsc::Receiver<Turned>,
    waiting: VecDeque<Turned>,
    /// Nothing is taken any more.
    leaving: bool,
    held: BTreeMap<Place, Held>,
    work: Option<Work>,
    committing: Option<BoxFuture<'static, Vec<(Place, Committed)>>>,
    /// By topic, where a trace has to come in one partition.
    splits: HashMap<String, Arc<Splits>>,
}

/// A partition that is read.
struct Held {
    partition: Partition,
    decided: Option<Arc<Decided>>,
    committed: Committed,
}

/// One thing at a time.
enum Work {
    /// These are about to be read; `again` where they were before.
    Taking { again: bool, prepared: BoxFuture<'static, Vec<Prepared>> },
    /// These are given back.
    Giving(BoxFuture<'static, Vec<Place>>),
}

enum Step {
    Stop,
    Turned(Turned),
    Taken { again: bool, prepared: Vec<Prepared> },
    Given(Vec<Place>),
    Fallen(Place),
    Committed(Vec<(Place, Committed)>),
    Tick,
    Nothing,
}

impl Held {
    /// What would be committed now.
    fn reached(&self) -> Committed {
        reached(self.partition.settled(), self.decided.as_deref())
    }
}

fn reached(settled: Settled, decided: Option<&Decided>) -> Committed {
    let decisions = decided.map(|decided| decided.from(settled.watermark));
    Committed { settled, decisions }
}

fn failed(error: impl std::fmt::Display) -> SourceError {
    SourceError(error.to_string())
}

impl Member {
    pub(super) fn new(options: Arc<Options>, context: SourceContext) -> Member {
        Member { options, context }
    }

    pub(super) async fn run(self) -> Result<(), SourceError> {
        let Member { options, context } = self;
        let Some(cluster) = find(&options, &context.stop).await? else { return Ok(()) };
        let ways = context.partitions.decides().then(|| Ways::new(Arc::clone(&options)).map(Arc::new)).transpose().map_err(failed)?;
        if let Some(ways) = &ways {
            ways.make(&cluster.partitions).await.map_err(SourceError)?;
        }
        let (consumer, turns) = consumer(&options, cluster.partitions.values().sum()).map_err(failed)?;
        let topics: Vec<&str> = options.topics.iter().map(|(name, _)| name.as_str()).collect();
        consumer.subscribe(&topics).map_err(failed)?;
        let (waiting, held) = Default::default();
        let (work, committing) = (None, None);
        let decides = ways.is_some();
        let splits = |(topic, partitions): (&String, &usize)| (topic.clone(), Arc::new(Splits::new(*partitions)));
        let splits = cluster.partitions.iter().filter(|_| decides).map(splits).collect();
        let joined = Joined { options, context, cluster, consumer, ways, turns, waiting, leaving: false, held, work, committing, splits };
        joined.run().await
    }
}

impl Joined {
    async fn run(mut self) -> Result<(), SourceError> {
        let mut ticks = interval(COMMIT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.begin_work();
            if self.leaving && self.work.is_none() {
                break;
            }
            let consumer = Arc::clone(&self.consumer);
            let step = tokio::select! {
                () = self.context.stop.asked(), if !self.leaving => Step::Stop,
                Some(turned) = self.turns.recv() => Step::Turned(turned),
                step = working(&mut self.work) => step,
                done = committing(&mut self.committing) => Step::Committed(done),
                place = fallen(&mut self.held) => Step::Fallen(place),
                received = consumer.recv() => {
                    match received {
                        Ok(message) => {
                            tracing::error!(topic = message.topic(), partition = message.partition(), "a message came where none should");
                        }
                        Err(KafkaError::MessageConsumptionFatal(code)) => return Err(failed(code)),
                        Err(error) => consumer.context().complains(&error),
                    }
                    Step::Nothing
                }
                _ = ticks.tick() => Step::Tick,
            };
            match step {
                Step::Stop => self.leave()?,
                Step::Turned(turned) => self.turned(turned)?,
                Step::Taken { again, prepared } => self.begin(again, prepared)?,
                Step::Given(places) => self.given(&places)?,
                Step::Fallen(place) => self.fell(place),
                Step::Committed(done) => self.committed(done).await,
                Step::Tick => self.tick(),
                Step::Nothing => {}
            }
        }
        self.say_goodbye().await;
        Ok(())
    }

    fn turned(&mut self, turned: Turned) -> Result<(), SourceError> {
        tracing::info!(node = self.options.name, ?turned, "the group has turned");
        self.context.partitions.rebalanced();
        if self.leaving {
            // The group goes on without this member; only then its last commit is taken.
            return match turned {
                Turned::Assigned(_) => self.consumer.incremental_assign(&TopicPartitionList::new()),
                Turned::Revoked { places, .. } => self.consumer.incremental_unassign(&list(&places)),
            }
            .map_err(failed);
        }
        if let Some(Work::Taking { again: true, .. }) = self.work {
            // The group is waiting; whatever fell is begun anew when it falls again.
            self.work = None;
        }
        self.waiting.push_back(turned);
        Ok(())
    }

    fn begin_work(&mut self) {
        if self.work.is_some() {
            return;
        }
        if self.leaving {
            let places: Vec<Place> = self.held.keys().cloned().collect();
            self.work = if places.is_empty() { None } else { Some(self.give(places, false)) };
            return;
        }
        self.work = match self.waiting.pop_front() {
            None => None,
            Some(Turned::Assigned(places)) => Some(self.take(false, places)),
            Some(Turned::Revoked { places, lost }) => Some(self.give(places, lost)),
        };
    }

    fn take(&self, again: bool, places: Vec<Place>) -> Work {
        let prepared = prepare(Arc::clone(&self.options), Arc::clone(&self.consumer), self.ways.clone(), places);
        Work::Taking { again, prepared: Box::pin(prepared) }
    }

    /// Ends the reading of partitions. What is lost to others is not committed: they have begun already.
    fn give(&mut self, places: Vec<Place>, lost: bool) -> Work {
        let held: Vec<(Place, Held)> = places.iter().filter_map(|place| Some((place.clone(), self.held.remove(place)?))).collect();
        let (consumer, blocking) = (Arc::clone(&self.consumer), self.options.blocking.clone());
        // Nothing that was committed before may arrive behind the last commit.
        let before = self.committing.take();
        Work::Giving(Box::pin(async move {
            let by = Instant::now() + if lost { Duration::ZERO } else { GIVE_BACK };
            let ended = join_all(held.into_iter().map(|(place, held)| end(place, held, by))).await;
            if let Some(before) = before {
                before.await;
            }
            if !lost {
                commit_last(consumer, &blocking, &ended).await;
            }
            places
        }))
    }

    fn given(&self, places: &[Place]) -> Result<(), SourceError> {
        let unassigned = self.consumer.incremental_unassign(&list(places));
        // Of one that leaves the group may have taken them already.
        if self.leaving { Ok(()) } else { unassigned.map_err(failed) }
    }

    fn begin(&mut self, again: bool, prepared: Vec<Prepared>) -> Result<(), SourceError> {
        let all = self.held.len() + prepared.len();
        let mut assignment = TopicPartitionList::new();
        for Prepared { place, settled, decisions, decided } in prepared {
            if again {
                self.consumer.incremental_unassign(&list([&place])).map_err(failed)?;
            }
            let (topic, number) = &place;
            let queue = self.consumer.split_partition_queue(topic, *number).ok_or_else(|| failed("a partition has no queue"))?;
            let from = settled.watermark;
            let Some(reads) = self.options.topics.iter().find(|(name, _)| name == topic).map(|(_, reads)| *reads) else { continue };
            let begun = self.context.partitions.begin(Assigned {
                label: format!("{topic}/{number}"),
                log: self.log(&place),
                settled,
                decisions,
                log_of_decisions: decided.clone().map(|decided| decided as Arc<dyn DecisionLog>),
                partitions: all,
                messages: messages((queue, from), self.asking(&place), reads, self.watch(&place)),
            });
            // The pipeline is going down.
            let Some(partition) = begun else { continue };
            let offset = i64::try_from(from).map_or(Offset::Stored, Offset::Offset);
            assignment.add_partition_offset(topic, *number, offset).map_err(failed)?;
            self.held.insert(place, Held { partition, decided, committed: Committed::default() });
        }
        self.consumer.incremental_assign(&assignment).map_err(failed)
    }

    fn asking(&self, place: &Place) -> Asking {
        Asking { consumer: Arc::clone(&self.consumer), blocking: self.options.blocking.clone(), place: place.clone() }
    }

    /// Looks for traces that come in two partitions, where they have to meet.
    fn watch(&self, (topic, number): &Place) -> Option<Watch> {
        let splits = Arc::clone(self.splits.get(topic)?);
        Some(Watch { splits, topic: topic.clone(), partition: *number, partitions: self.context.partitions.clone() })
    }

    /// What origins call a partition: the same in every process.
    fn log(&self, (topic, number): &Place) -> u32 {
        let [a, b, c, d, ..] = xxh3_64(format!("{}\0{topic}\0{number}", self.cluster.id).as_bytes()).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Its lane fell, or others have the partition and the group has not said so yet.
    fn fell(&mut self, place: Place) {
        let Some(held) = self.held.remove(&place) else { return };
        let (options, consumer, ways, blocking) =
            (Arc::clone(&self.options), Arc::clone(&self.consumer), self.ways.clone(), self.options.blocking.clone());
        let before = self.committing.take();
        let prepared = async move {
            let ended = end(place.clone(), held, Instant::now()).await;
            if let Some(before) = before {
                before.await;
            }
            let (offsets, on) = (offsets(&[ended]), Arc::clone(&consumer));
            let _committed = blocked(&blocking, move || commit(&on, &offsets)).await;
            sleep(FALLEN_AFTER).await;
            prepare(options, consumer, ways, vec![place]).await
        };
        let work = Work::Taking { again: true, prepared: Box::pin(prepared) };
        self.work = Some(work);
    }

    /// Commits where something moved.
    fn tick(&mut self) {
        self.context.partitions.share(self.held.len());
        for (place, held) in &self.held {
            if let Some(end) = self.consumer.context().end(place) {
                held.partition.ends(end);
            }
        }
        if self.committing.is_some() {
            return;
        }
        let moved: Vec<(Place, Committed)> = self
            .held
            .iter()
            .map(|(place, held)| (place.clone(), held.reached(), &held.committed))
            .filter(|(_, reached, committed)| reached != *committed)
            .map(|(place, reached, _)| (place, reached))
            .collect();
        if moved.is_empty() {
            return;
        }
        let (offsets, consumer, blocking) = (offsets(&moved), Arc::clone(&self.consumer), self.options.blocking.clone());
        self.committing = Some(Box::pin(async move {
            match blocked(&blocking, move || commit(&consumer, &offsets)).await {
                Some(Ok(())) => moved,
                Some(Err(error)) => {
                    tracing::debug!(%error, "a commit failed; it is made again");
                    Vec::new()
                }
                None => Vec::new(),
            }
        }));
    }

    async fn committed(&mut self, done: Vec<(Place, Committed)>) {
        for (place, committed) in done {
            if let Some(held) = self.held.get_mut(&place) {
                held.partition.committed(committed.settled.watermark).await;
                held.committed = committed;
            }
        }
    }

    /// Begins to give back everything.
    fn leave(&mut self) -> Result<(), SourceError> {
        self.leaving = true;
        let waiting: Vec<Turned> = self.waiting.drain(..).collect();
        waiting.into_iter().try_for_each(|turned| self.turned(turned))?;
        if let Some(Work::Taking { again, .. }) = self.work {
            self.work = None;
            if !again {
                self.consumer.incremental_assign(&TopicPartitionList::new()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Leaves the group.
    async fn say_goodbye(mut self) {
        self.committing = None;
        // From now on nobody hears of turns, and librdkafka lets go of partitions by itself.
        self.turns.close();
        let (consumer, blocking) = (self.consumer, self.options.blocking.clone());
        let left = blocked(&blocking, move || {
            let _unassigned = consumer.unassign();
            drop(consumer);
        });
        if tokio::time::timeout(LEAVE, left).await.is_err() {
            tracing::warn!(node = self.options.name, "the group did not say goodbye in time");
        }
    }
}

/// What is given back is committed, if need be once the group has gone on: while it turns it takes no commit.
async fn commit_last(consumer: Arc<Consumer>, blocking: &Blocking, ended: &[(Place, Committed)]) {
    let by = Instant::now() + LAST_COMMIT;
    loop {
        let (offsets, on) = (offsets(ended), Arc::clone(&consumer));
        match blocked(blocking, move || commit(&on, &offsets)).await {
            Some(Err(error)) if Instant::now() >= by => {
                return tracing::warn!(%error, "what is settled was not committed: it is read again by others");
            }
            Some(Err(_)) => sleep(COMMIT_AGAIN_AFTER).await,
            Some(Ok(())) | None => return,
        }
    }
}

async fn end(place: Place, held: Held, by: Instant) -> (Place, Committed) {
    let Held { partition, decided, .. } = held;
    let settled = partition.end(by).await;
    (place, reached(settled, decided.as_deref()))
}

fn offsets(reached: &[(Place, Committed)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), committed) in reached {
        let Ok(offset) = i64::try_from(committed.settled.watermark) else { continue };
        let mut element = list.add_partition(topic, *partition);
        if element.set_offset(Offset::Offset(offset)).is_ok() {
            element.set_metadata(committed.metadata());
        }
    }
    list
}

/// Returns when the work at hand is over; never where there is none.
async fn working(work: &mut Option<Work>) -> Step {
    let step = match work {
        None => std::future::pending().await,
        Some(Work::Taking { again, prepared }) => Step::Taken { again: *again, prepared: prepared.await },
        Some(Work::Giving(given)) => Step::Given(given.await),
    };
    *work = None;
    step
}

async fn committing(commit: &mut Option<BoxFuture<'static, Vec<(Place, Committed)>>>) -> Vec<(Place, Committed)> {
    let Some(at_work) = commit else { return std::future::pending().await };
    let done = at_work.await;
    *commit = None;
    done
}

/// Returns when a partition's lane has ended by itself.
async fn fallen(held: &mut BTreeMap<Place, Held>) -> Place {
    poll_fn(|cx| {
        for (place, held) in held.iter_mut() {
            if pin!(held.partition.fallen()).poll(cx).is_ready() {
                return Poll::Ready(place.clone());
            }
        }
        Poll::Pending
    })
    .await
}
