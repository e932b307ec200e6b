//! A topic of the real broker as others see it: who writes to it, and how far a group has committed.

use kit::{kafka::Broker, until};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Of topics that are made by themselves.
pub(crate) const PARTITIONS: i32 = 4;
const WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Topic {
    brokers: String,
    name: String,
    producer: BaseProducer,
}

/// A message to be written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written<'a> {
    pub(crate) partition: i32,
    pub(crate) key: Option<String>,
    pub(crate) headers: Vec<(&'a str, Vec<u8>)>,
    pub(crate) payload: Vec<u8>,
}

impl Topic {
    /// A new one, which is there when this returns.
    pub(crate) fn new(broker: &Broker) -> Topic {
        Topic::at(broker.address())
    }

    /// The same, of a cluster that is asked at these addresses.
    pub(crate) fn at(brokers: String) -> Topic {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("topic-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &brokers).set("acks", "all").set("linger.ms", "1").set("enable.idempotence", "true");
        let topic = Topic { brokers, producer: config.create().unwrap(), name };
        until("the topic is there", || {
            let metadata = topic.producer.client().fetch_metadata(Some(&topic.name), WITHIN).ok()?;
            metadata.topics().iter().any(|found| found.partitions().len() == PARTITIONS as usize).then_some(())
        });
        topic
    }

    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Writes these; they are there when this returns.
    pub(crate) fn write<'a>(&self, messages: impl IntoIterator<Item = Written<'a>>) {
        for message in messages {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &message.headers {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            let mut record: BaseRecord<'_, str, [u8]> =
                BaseRecord::to(&self.name).partition(message.partition).payload(message.payload.as_slice()).headers(headers);
            if let Some(key) = &message.key {
                record = record.key(key);
            }
            while let Err((error, again)) = self.producer.send(record) {
                assert_eq!(error.rdkafka_error_code(), Some(rdkafka::types::RDKafkaErrorCode::QueueFull));
                record = again;
                self.producer.poll(Duration::from_millis(10));
            }
        }
        self.producer.flush(WITHIN).unwrap();
    }

    /// Writes logs with their keys to where librdkafka puts them with this partitioner; they are there when this returns.
    pub(crate) fn write_keyed(&self, partitioner: &str, messages: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("acks", "all").set("linger.ms", "1").set("partitioner", partitioner);
        let producer: BaseProducer = config.create().unwrap();
        for (key, payload) in messages {
            let headers = OwnedHeaders::new().insert(Header { key: "signal", value: Some("logs") });
            producer.send(BaseRecord::to(&self.name).key(&key).payload(&payload).headers(headers)).unwrap();
        }
        producer.flush(WITHIN).unwrap();
    }

    /// An OTLP message that says its signal.
    pub(crate) fn otlp(partition: i32, signal: &str, payload: Vec<u8>) -> Written<'static> {
        Written { partition, headers: vec![("signal", signal.as_bytes().to_vec())], payload, ..Written::default() }
    }

    fn asking(&self) -> BaseConsumer {
        ClientConfig::new().set("bootstrap.servers", &self.brokers).set("group.id", &self.name).create().unwrap()
    }

    /// What the group has committed of each partition; −1 where that is nothing.
    pub(crate) fn committed(&self) -> Vec<i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.name, 0, PARTITIONS - 1);
        let Ok(committed) = self.asking().committed_offsets(list, WITHIN) else { return Vec::new() };
        committed.elements().iter().map(|element| if let Offset::Offset(offset) = element.offset() { offset } else { -1 }).collect()
    }

    /// Waits until the group has committed this much of each partition.
    pub(crate) fn until_committed(&self, offsets: &[i64]) {
        let mut last = Vec::new();
        let end = std::time::Instant::now() + 2 * kit::PATIENCE;
        while last != offsets {
            assert!(std::time::Instant::now() < end, "committed are {last:?}, not {offsets:?}");
            std::thread::sleep(Duration::from_millis(200));
            last = self.committed();
        }
    }
}
