//! Decisions about the traces of a partition, in a topic beside it: written by whoever has the partition before anything that was decided goes out, read by whoever has it
//! next. Every owner begins with a mark, whose offset is its epoch. What stands behind a mark of a later owner does not count, and whoever wrote it sees that by the offset
//! that it got: it does not follow on the one before.

use super::{
    Options,
    consumer::{Context, Place},
    find::Complaints,
};
use futures::future::{BoxFuture, FutureExt as _, ready};
use parking_lot::Mutex;
use pipeline::{
    blocked,
    partitions::{DecisionLog, Settled},
};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult},
    message::Message as _,
    producer::{FutureProducer, FutureRecord},
    types::RDKafkaErrorCode,
};
use serde::{Deserialize, Serialize};
use signal::{Decision, Time};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// How long a decision lives at least.
const LATE: Duration = Duration::from_secs(60);
const WITHIN: Duration = Duration::from_secs(10);
/// How long the brokers keep what nobody needs any more; what is needed begins where the group's offset says.
const RETENTION: &str = "604800000";
const VERSION: u32 = 1;

/// A record of the topic.
#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    /// The offset of its writer's mark; none in a mark.
    epoch: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    decisions: Vec<Decision>,
}

/// The way to the topics of decisions.
pub(super) struct Ways {
    options: Arc<Options>,
    producer: FutureProducer<Complaints>,
}

/// The decisions of one partition, while this process has it.
pub(super) struct Decided {
    topic: String,
    partition: i32,
    epoch: u64,
    producer: FutureProducer<Complaints>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The offset that the next record gets, unless somebody else writes.
    next: u64,
    kept: VecDeque<Entry>,
}

/// A record that may matter still.
struct Entry {
    offset: u64,
    /// The last message that belongs to any of its traces.
    through: u64,
    at: Time,
}

impl Entry {
    fn of(offset: u64, decisions: &[Decision]) -> Entry {
        let through = decisions.iter().map(|decision| decision.through.map_or(u64::MAX, |through| through.position)).max();
        let at = decisions.iter().map(|decision| decision.at).max();
        Entry { offset, through: through.unwrap_or_default(), at: at.unwrap_or_default() }
    }

    fn matters(&self, watermark: u64, now: Time) -> bool {
        self.through >= watermark || self.at >= now.minus(LATE)
    }
}

impl Ways {
    pub(super) fn new(options: Arc<Options>) -> KafkaResult<Ways> {
        let mut config = (*options.cluster.config()).clone();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", "2")
            // A trace waits for its decision, however long the brokers are away.
            .set("message.timeout.ms", "0");
        let producer = config.create_with_context(Complaints::default())?;
        Ok(Ways { options, producer })
    }

    /// Makes the topics that are missing, as wide as those whose decisions they keep.
    pub(super) async fn make(&self, partitions: &HashMap<String, usize>) -> Result<(), String> {
        let admin: AdminClient<DefaultClientContext> = self.options.cluster.config().create().map_err(|error| error.to_string())?;
        let within = AdminOptions::new().operation_timeout(Some(WITHIN)).request_timeout(Some(WITHIN));
        for (topic, partitions) in partitions {
            let (name, wide) = (super::decisions_of(topic), i32::try_from(*partitions).unwrap_or(i32::MAX));
            let new = NewTopic::new(&name, wide, TopicReplication::Fixed(-1)).set("retention.ms", RETENTION);
            let made = admin.create_topics([&new], &within).await.map_err(|error| error.to_string());
            match made.map(|mut all| all.pop()) {
                Ok(Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists)))) => {
                    // An error means that it is as wide already.
                    let _as_wide = admin.create_partitions([&NewPartitions::new(&name, *partitions)], &within).await;
                }
                Ok(Some(Err((_, code)))) => {
                    tracing::warn!(topic = name, %code, "the topic of decisions cannot be made; it has to be there")
                }
                Err(error) => tracing::debug!(topic = name, error, "the topic of decisions cannot be made; it has to be there"),
                Ok(_) => tracing::info!(topic = name, partitions, "the topic of decisions was made"),
            }
        }
        Ok(())
    }

    /// Begins an epoch, and reads what those before have decided that matters from the watermark on. `from`: where the first of those is.
    pub(super) async fn take(
        &self,
        (topic, partition): &Place,
        settled: &Settled,
        from: Option<u64>,
    ) -> Result<(Arc<Decided>, Vec<Decision>), String> {
        let name = super::decisions_of(topic);
        let mark = encode(None, Vec::new());
        let record = FutureRecord::to(&name).partition(*partition).key("mark").payload(&mark);
        let sent = self.producer.send_result(record).map_err(|(error, _)| error.to_string())?;
        let sent = tokio::time::timeout(3 * WITHIN, sent).await.map_err(|_| "no broker takes the mark of the owner".to_owned())?;
        let delivery = sent.map_err(|_| "going down".to_owned())?.map_err(|(error, _)| error.to_string())?;
        let epoch = u64::try_from(delivery.offset).map_err(|_| "no offset was given to the mark of the owner".to_owned())?;
        let (options, place) = (Arc::clone(&self.options), (name.clone(), *partition));
        let read = blocked(&self.options.blocking, move || read(&options, &place, from, epoch)).await;
        let entries = read.ok_or("going down")??;
        let now = entries.iter().flat_map(|(_, decisions)| decisions).map(|decision| decision.at).max().unwrap_or_default();
        let mut state = State { next: epoch + 1, kept: VecDeque::new() };
        let mut all = Vec::new();
        for (offset, decisions) in entries {
            let entry = Entry::of(offset, &decisions);
            if entry.matters(settled.watermark, now) {
                state.kept.push_back(entry);
                let matters = |decision: &Decision| {
                    decision.through.is_none_or(|through| through.position >= settled.watermark) || decision.at >= now.minus(LATE)
                };
                all.extend(decisions.into_iter().filter(matters));
            }
        }
        let decided = Decided { topic: name, partition: *partition, epoch, producer: self.producer.clone(), state: Mutex::new(state) };
        Ok((Arc::new(decided), all))
    }
}

fn encode(epoch: Option<u64>, decisions: Vec<Decision>) -> Vec<u8> {
    // Cannot fail: it is plain data.
    serde_json::to_vec(&Record { version: VERSION, epoch, decisions }).unwrap_or_default()
}

/// What counts of a topic's partition up to an owner's mark.
fn read(options: &Options, (topic, partition): &Place, from: Option<u64>, epoch: u64) -> Result<Vec<(u64, Vec<Decision>)>, String> {
    let mut config = (*options.cluster.config()).clone();
    config
        .set("group.id", format!("{}-decisions", options.group))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer<Context> = config.create_with_context(Context::deaf()).map_err(|error| error.to_string())?;
    let mut list = TopicPartitionList::new();
    let from = from.and_then(|from| i64::try_from(from).ok()).map_or(Offset::Beginning, Offset::Offset);
    list.add_partition_offset(topic, *partition, from).map_err(|error| error.to_string())?;
    consumer.assign(&list).map_err(|error| error.to_string())?;
    let (mut counts, mut last) = (Counts::default(), Instant::now());
    loop {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                last = Instant::now();
                let offset = u64::try_from(message.offset()).unwrap_or(0);
                if offset >= epoch {
                    break;
                }
                counts.take(offset, message.payload().unwrap_or_default());
            }
            Some(Err(error)) if last.elapsed() > 3 * WITHIN => return Err(error.to_string()),
            None if last.elapsed() > 3 * WITHIN => return Err("the decisions of those before cannot be read".to_owned()),
            Some(Err(_)) | None => {}
        }
    }
    Ok(counts.entries)
}

/// Which records count.
#[derive(Default)]
struct Counts {
    /// The latest owner that was met.
    epoch: u64,
    entries: Vec<(u64, Vec<Decision>)>,
}

impl Counts {
    fn take(&mut self, offset: u64, payload: &[u8]) {
        match serde_json::from_slice::<Record>(payload) {
            Ok(Record { version, .. }) if version > VERSION => {
                tracing::error!(offset, "a newer kansoku wrote decisions that this one cannot read");
            }
            Ok(Record { epoch: None, .. }) => self.epoch = offset,
            Ok(Record { epoch: Some(epoch), .. }) if epoch < self.epoch => {
                tracing::info!(offset, "decisions of one who had lost the partition do not count");
            }
            Ok(Record { epoch: Some(epoch), decisions, .. }) => {
                self.epoch = epoch;
                self.entries.push((offset, decisions));
            }
            Err(error) => tracing::error!(offset, %error, "decisions cannot be read"),
        }
    }
}

impl Decided {
    /// Where those begin that matter for who reads on at this watermark.
    pub(super) fn from(&self, watermark: u64) -> u64 {
        let mut state = self.state.lock();
        let now = state.kept.back().map(|entry| entry.at).unwrap_or_default();
        while state.kept.front().is_some_and(|entry| !entry.matters(watermark, now)) {
            state.kept.pop_front();
        }
        state.kept.front().map_or(state.next, |entry| entry.offset)
    }
}

impl DecisionLog for Decided {
    fn keep(&self, decisions: Vec<Decision>) -> BoxFuture<'static, Result<(), String>> {
        let mut state = self.state.lock();
        let expected = state.next;
        state.next += 1;
        state.kept.push_back(Entry::of(expected, &decisions));
        let (key, payload) = (format!("{}:{expected}", self.epoch), encode(Some(self.epoch), decisions));
        let record = FutureRecord::to(&self.topic).partition(self.partition).key(&key).payload(&payload);
        match self.producer.send_result(record) {
            Ok(sent) => sent.map(move |sent| kept(sent.ok(), expected)).boxed(),
            Err((error, _)) => Box::pin(ready(Err(error.to_string()))),
        }
    }
}

type Sent = Result<rdkafka::producer::future_producer::Delivery, (KafkaError, rdkafka::message::OwnedMessage)>;

fn kept(sent: Option<Sent>, expected: u64) -> Result<(), String> {
    match sent {
        Some(Ok(delivery)) if u64::try_from(delivery.offset) == Ok(expected) => Ok(()),
        Some(Ok(_)) => Err("somebody else has written there: the partition is theirs".to_owned()),
        Some(Err((error, _))) => Err(error.to_string()),
        None => Err("going down".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal::{Origin, TraceId};

    fn decision(id: u8, through: u64, at: u64) -> Decision {
        Decision {
            trace_id: TraceId([id; 16]),
            threshold: 0,
            node: "kept".into(),
            rule: "all".into(),
            through: Some(Origin { log: 7, position: through }),
            pinned: false,
            at: Time(at * 1_000_000_000),
            randomness: None,
        }
    }

    #[test]
    fn what_one_wrote_who_had_lost_the_partition_does_not_count() {
        let mut counts = Counts::default();
        let records = [
            encode(None, Vec::new()),
            encode(Some(0), vec![decision(1, 5, 1)]),
            encode(None, Vec::new()),
            encode(Some(0), vec![decision(2, 6, 2)]),
            encode(Some(2), vec![decision(2, 7, 3)]),
            encode(Some(0), vec![decision(3, 8, 4)]),
        ];
        records.iter().enumerate().for_each(|(offset, record)| counts.take(offset as u64, record));
        counts.take(6, b"what is this");
        let through: Vec<u64> = counts.entries.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(through, [1, 4]);
    }

    #[test]
    fn a_decision_matters_for_a_minute_and_until_the_watermark_has_passed_its_trace() {
        let entry = Entry::of(3, &[decision(1, 5, 100), decision(2, 9, 90)]);
        assert!(entry.matters(9, Time(u64::MAX)));
        assert!(entry.matters(10, Time(160 * 1_000_000_000)));
        assert!(!entry.matters(10, Time(161 * 1_000_000_000)));
    }

    #[test]
    fn an_offset_that_does_not_follow_says_that_others_have_the_partition() {
        let delivery = |offset| {
            Some(Ok(rdkafka::producer::future_producer::Delivery { partition: 0, offset, timestamp: rdkafka::Timestamp::NotAvailable }))
        };
        assert_eq!(kept(delivery(4), 4), Ok(()));
        assert!(kept(delivery(5), 4).is_err() && kept(delivery(-1), 4).is_err() && kept(None, 4).is_err());
    }
}
