//! A topic of its own for each run, on a broker that runs already: what a server writes there is counted, and what it is to read is written there.

use crate::{
    payload::{Signal, Template},
    sink::{Counts, SET_KEY},
};
use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
    producer::{FutureProducer, FutureRecord},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const PARTITIONS: i32 = 4;
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How often whoever counts looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// A topic with nothing in it.
pub(crate) struct Topic {
    pub(crate) brokers: String,
    pub(crate) name: String,
}

impl Topic {
    pub(crate) async fn create(brokers: &str) -> Result<Topic, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?;
        let topic = Topic { brokers: brokers.to_owned(), name: format!("bench-{}", now.as_micros()) };
        let admin: AdminClient<DefaultClientContext> = topic.config().create().map_err(|e| e.to_string())?;
        let new = NewTopic::new(&topic.name, PARTITIONS, TopicReplication::Fixed(1));
        let made = admin.create_topics([&new], &AdminOptions::new().operation_timeout(Some(ANSWER_MAX))).await;
        match made.map_err(|e| format!("{brokers}: {e}"))?.first() {
            Some(Ok(_)) => Ok(topic),
            Some(Err((name, code))) => Err(format!("{name} at {brokers}: {code}")),
            None => Err(format!("{brokers} did not answer")),
        }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// Counts what comes until it is dropped.
    pub(crate) fn count_into(&self, counts: &Arc<Counts>) -> Result<Counting, String> {
        let consumer: BaseConsumer =
            self.config().set("group.id", "bench").set("enable.auto.commit", "false").create().map_err(|e| e.to_string())?;
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset(&self.name, partition, Offset::Beginning).map_err(|e| e.to_string())?;
        }
        consumer.assign(&all).map_err(|e| e.to_string())?;
        let (counts, over) = (counts.clone(), Arc::new(AtomicBool::new(false)));
        let asked = over.clone();
        let thread = std::thread::spawn(move || {
            let key = Finder::new(SET_KEY);
            while !asked.load(Relaxed) {
                // What cannot be read shows in what is missing.
                if let Some(Ok(message)) = consumer.poll(LOOK) {
                    counts.add(signal(&message), message.payload().unwrap_or_default(), &key);
                }
            }
        });
        Ok(Counting { over, thread: Some(thread) })
    }

    /// Writes requests for a server to read.
    pub(crate) fn writer(&self) -> Result<Writer, String> {
        let producer = self.config().set("acks", "all").set("linger.ms", "2").create().map_err(|e| e.to_string())?;
        Ok(Writer { producer, name: self.name.as_str().into() })
    }
}

/// The header of ours says it; a Collector's messages have none, and it counts the same for spans and logs.
fn signal(message: &impl Message) -> Signal {
    let said = message.headers().and_then(|headers| headers.iter().find(|header| header.key == "signal")?.value);
    if said == Some(b"metrics") { Signal::Metrics } else { Signal::Traces }
}

/// Somebody counts.
pub(crate) struct Counting {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        // A panic there shows in what is missing.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// Writes to a topic; clones share the producer.
#[derive(Clone)]
pub(crate) struct Writer {
    producer: FutureProducer,
    name: Arc<str>,
}

impl Writer {
    /// A message is answered once the broker has it.
    pub(crate) async fn write(&self, template: &Template, turn: u64) -> Result<Bytes, String> {
        let mut body = BytesMut::with_capacity(template.len());
        template.write(turn, &mut body);
        let record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&self.name).payload(&body);
        let sent = self.producer.send(record, ANSWER_MAX).await;
        sent.map(|_| Bytes::new()).map_err(|(error, _)| error.to_string())
    }
}
