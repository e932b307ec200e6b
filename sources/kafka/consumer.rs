//! librdkafka's consumer and what it tells: who gets and loses partitions, whether brokers are there, how far partitions go.

use super::{From, Options};
use net::kafka::Heard;
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, ClientContext, Statistics, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, StreamConsumer},
    error::{KafkaError, KafkaResult},
    types::{RDKafkaErrorCode, RDKafkaRespErr},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        watch,
    },
    time::Instant,
};

/// A partition of a topic.
pub(super) type Place = (String, i32);

/// How often librdkafka tells how far partitions go and which brokers are there.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How long brokers have to be there again before a partition without messages is taken to be at its end.
const STEADY: Duration = Duration::from_secs(3);
/// Bytes that wait for one partition, at the least.
const PARTITION_BYTES_MIN: usize = 64 << 10;
/// Bytes of one answer of a broker: the largest message that Kafka takes by itself. A larger one is alone in its answer.
const ANSWER_BYTES: usize = 1 << 20;

/// The next comes once the last was answered, but for a loss.
const TURNS_MAX: usize = 8;

/// What becomes of the group's partitions. It is only over when the consumer was told so.
#[derive(Debug)]
pub(super) enum Turned {
    /// These come to this member.
    Assigned(Vec<Place>),
    /// These go.
    Revoked { places: Vec<Place>, lost: bool },
}

/// What librdkafka tells besides messages.
pub(super) struct Context {
    pub(super) heard: Heard,
    turns: mpsc::Sender<Turned>,
    /// Whether brokers are there.
    steady: watch::Sender<bool>,
    down: Mutex<Option<Instant>>,
    /// Where partitions end, as was told last.
    ends: Mutex<HashMap<Place, i64>>,
}

pub(super) type Consumer = StreamConsumer<Context>;

impl Context {
    /// Of one that is in no group.
    pub(super) fn deaf() -> Context {
        Context::new(mpsc::channel(1).0)
    }

    fn new(turns: mpsc::Sender<Turned>) -> Context {
        let (heard, down, ends) = Default::default();
        Context { heard, turns, steady: watch::Sender::new(true), down, ends }
    }

    pub(super) fn steady(&self) -> watch::Receiver<bool> {
        self.steady.subscribe()
    }

    /// Librdkafka says that something is wrong.
    pub(super) fn complains(&self, error: &KafkaError) {
        tracing::debug!(%error, "Kafka");
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.down.lock() = Some(Instant::now());
            self.steady.send_if_modified(std::mem::take);
        }
    }

    /// The position behind the last message of a partition.
    pub(super) fn end(&self, place: &Place) -> Option<u64> {
        u64::try_from(*self.ends.lock().get(place)?).ok()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.heard.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.heard.error(&error, reason);
        self.complains(&error);
    }

    fn stats(&self, told: Statistics) {
        let mut ends = self.ends.lock();
        for (name, topic) in told.topics {
            ends.extend(
                topic
                    .partitions
                    .into_iter()
                    .filter(|(_, partition)| partition.hi_offset >= 0)
                    .map(|(number, partition)| ((name.clone(), number), partition.hi_offset)),
            );
        }
        let up = told.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        let mut down = self.down.lock();
        if !up {
            *down = Some(Instant::now());
            self.steady.send_if_modified(std::mem::take);
        } else if down.is_none_or(|down| down.elapsed() >= STEADY) {
            *down = None;
            self.heard.well();
            self.steady.send_if_modified(|steady| !std::mem::replace(steady, true));
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let places = partitions.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect();
        let turned = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Turned::Assigned(places),
            _ => Turned::Revoked { places, lost: consumer.assignment_lost() },
        };
        // An error means that the member has ended: nobody else would answer.
        let unheard = self.turns.try_send(turned).map_err(|error| match error {
            TrySendError::Full(turned) | TrySendError::Closed(turned) => turned,
        });
        if let Err(turned) = unheard {
            let answered = match turned {
                Turned::Assigned(_) => consumer.incremental_assign(&TopicPartitionList::new()),
                Turned::Revoked { .. } => consumer.incremental_unassign(partitions),
            };
            answered.err().into_iter().for_each(|error| tracing::debug!(%error, "Kafka"));
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "a commit failed; it is made again");
        }
    }
}

/// A consumer that is not yet in the group. `partitions`: of all topics together.
pub(super) fn consumer(options: &Options, partitions: usize) -> KafkaResult<(Arc<Consumer>, mpsc::Receiver<Turned>)> {
    let (turns, hear) = mpsc::channel(TURNS_MAX);
    let context = Context::new(turns);
    // A partition is asked for more until its queue is full, so one answer more than that is there. Answers are small, since a message that waits keeps all of its own.
    let each = (options.bytes_max / partitions.max(1) / 2).max(PARTITION_BYTES_MIN);
    let part = each.min(ANSWER_BYTES);
    let mut config = (*options.cluster.config()).clone();
    config
        .set("group.id", &options.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", options.session.as_millis().to_string())
        .set("auto.offset.reset", if options.from == From::Earliest { "earliest" } else { "latest" })
        .set("statistics.interval.ms", TOLD_EVERY.as_millis().to_string())
        // A broker that is back is found within a second.
        .set("reconnect.backoff.max.ms", "1000")
        // Each partition has a queue of its own, of which this is the limit.
        .set("queued.max.messages.kbytes", each.div_ceil(1 << 10).to_string())
        .set("fetch.message.max.bytes", part.to_string())
        .set("fetch.max.bytes", ANSWER_BYTES.to_string());
    if let Some(instance) = &options.instance {
        config.set("group.instance.id", instance);
    }
    Ok((Arc::new(create(&config, context)?), hear))
}

fn create(config: &ClientConfig, context: Context) -> KafkaResult<Consumer> {
    config.create_with_context(context)
}

/// A list as librdkafka wants it.
pub(super) fn list<'a>(places: impl IntoIterator<Item = &'a Place>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in places {
        list.add_partition(topic, *partition);
    }
    list
}

/// Commits on this thread.
pub(super) fn commit(consumer: &Consumer, list: &TopicPartitionList) -> KafkaResult<()> {
    if list.count() == 0 { Ok(()) } else { consumer.commit(list, CommitMode::Sync) }
}
