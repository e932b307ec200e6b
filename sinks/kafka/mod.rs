//! Kafka, as OTLP bytes: one message for each trace, so that all of a trace is in one partition, and a parcel is delivered once the brokers have said of each of its
//! messages that all replicas have it.

mod parcel;
mod producer;
mod reports;
#[cfg(test)]
mod tests;
mod topic;

use crate::wire;
use config::{
    Bytes, Fault, Period, Placed,
    kafka::{Broker, KafkaTls, Sasl},
};
use futures::future::BoxFuture;
use parcel::{Attempt, Form, Left};
use parking_lot::Mutex;
use pipeline::{BuildContext, Component, Opened, Parcel, Refusal, Shape, Sink, SinkError, Stop};
use producer::Producers;
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{By, Kinds};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use topic::Topics;

/// Writes spans, logs and metrics to Kafka as OTLP, a message for each trace, so that one consumer gets all of it. Headers say what a message holds
/// (`signal`), how it is encoded (`content-type`) and where its records were first written (`kansoku-origin`, by which a consumer knows what it has had).
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Kafka {
    /// Brokers that are asked for the others, each as `HOST:PORT`.
    brokers: Placed<Vec<Broker>>,
    /// The topic. `{signal}` in it stands for `traces`, `logs` or `metrics`: a topic for each.
    topic: Placed<String>,
    /// `trace_id`: spans and logs of a trace have its id as their key, metrics and logs without a trace a hash of their resource. `batch`: a message for each
    /// batch, without a key; cheaper, and nobody behind it can correlate or sample traces. By default `trace_id`.
    #[serde(default)]
    key: Key,
    /// `otlp_proto` or `otlp_json`; by default `otlp_proto`.
    #[serde(default)]
    encoding: Encoding,
    /// Which partition a key goes to: `murmur2` (as Java clients do), `fnv1a` (as the Collector does) or `crc32` (as librdkafka does); by default `murmur2`.
    /// All who write to a topic have to agree, or a trace is in two partitions.
    #[serde(default)]
    partitioner: Partitioner,
    /// `none`, `gzip`, `lz4`, `zstd` or `snappy`; by default `lz4`.
    #[serde(default)]
    compression: Compression,
    /// What a message may have before it is compressed, headers too; what is larger goes into several messages of the same key. Brokers take about 1 MB unless
    /// `max.message.bytes` of the topic says otherwise.
    #[serde(default = "below_one_megabyte")]
    message_bytes_max: Placed<Bytes>,
    /// How long messages wait for others of their partition to be sent with. More makes fewer and larger requests, and later ones.
    #[serde(default = "two_milliseconds")]
    linger: Placed<Period>,
    /// How long brokers may take until a message is everywhere where it has to be, with all that librdkafka tries again; then the parcel was not delivered, and
    /// what of it is not known to be there is sent again. Below `delivery.timeout`.
    #[serde(default = "twenty_seconds")]
    timeout: Placed<Period>,
    /// By what name brokers know this client in their logs and quotas.
    #[serde(default = "kansoku")]
    client_id: String,
    /// TLS with the brokers; without it connections are in plain text.
    tls: Option<KafkaTls>,
    /// What to show the brokers.
    sasl: Option<Sasl>,
}

/// What goes together into a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Key {
    /// What one consumer has to see.
    #[default]
    TraceId,
    /// What came together.
    Batch,
}

/// How a message is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Encoding {
    /// Protobuf: the bytes as they flow.
    #[default]
    OtlpProto,
    /// OTLP/JSON.
    OtlpJson,
}

/// How a key finds its partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Partitioner {
    /// As Java clients do.
    #[default]
    Murmur2,
    /// As the Collector does.
    Fnv1a,
    /// As librdkafka does.
    Crc32,
}

/// How messages are compressed, many at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Compression {
    /// Not at all.
    None,
    /// For brokers and consumers that know nothing better.
    Gzip,
    /// Costs least.
    #[default]
    Lz4,
    /// Takes least room; brokers know it since 2.1.
    Zstd,
    /// As cheap as lz4, and larger.
    Snappy,
}

/// Brokers take 1 MiB with what stands around it.
fn below_one_megabyte() -> Placed<Bytes> {
    Placed::nowhere(Bytes(960 << 10))
}

fn two_milliseconds() -> Placed<Period> {
    Placed::nowhere(Period(Duration::from_millis(2)))
}

fn twenty_seconds() -> Placed<Period> {
    Placed::nowhere(Period(Duration::from_secs(20)))
}

fn kansoku() -> String {
    "kansoku".to_owned()
}

/// What librdkafka takes.
const MESSAGE_BYTES: std::ops::RangeInclusive<u64> = 1_000..=1_000_000_000;
const TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// What waits to be sent, in librdkafka; a parcel that is larger waits for room.
const QUEUE_KIB_MAX: usize = 16 << 10;
/// Logs of which it is remembered how far they are settled.
const LOGS_MAX: usize = 4_096;
/// How long the last answers may take when the sink ends.
const LETTING_GO: Duration = Duration::from_secs(5);

impl Component for Kafka {
    type Runs = dyn Sink;
    const TYPE: &'static str = "kafka";
    const EXAMPLE: &'static str = "brokers: [\"kafka-1:9092\", \"kafka-2:9092\"]\ntopic: telemetry\ncompression: zstd\n";

    fn shape(&self, _: Kinds) -> Shape {
        // What a key has comes in order, also where something had to be sent again.
        Shape { acts_on: Kinds::RECORDS, ordered: true, remote: true, ..Shape::passing(Kinds::NONE) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        let mut faults = self.faults();
        let topics = Topics::of(&self.topic).map_err(|fault| faults.push(fault)).ok();
        let cluster = wire::cluster(&self.brokers, &self.client_id, (self.tls.as_ref(), self.sasl.as_ref()), context.folder);
        let cluster = cluster.map_err(|fault| faults.push(fault)).ok();
        let (Some(topics), Some(cluster), true) = (topics, cluster, faults.is_empty()) else { return Err(faults) };
        let form = Form {
            by: match self.key {
                Key::TraceId => By::Key,
                Key::Batch => By::Batch,
            },
            json: self.encoding == Encoding::OtlpJson,
            bytes_max: usize::try_from(self.message_bytes_max.0).unwrap_or(usize::MAX),
        };
        let producers = Producers::new(cluster, self.words(), Arc::clone(context.blocking));
        Ok(Box::new(Sending { topics, form, producers, place: context.place, settled: Mutex::default(), left: Mutex::default() }))
    }
}

impl Kafka {
    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.brokers.is_empty() {
            faults.push(self.brokers.fault("there is no broker to ask").help("write at least one: `brokers: [\"kafka:9092\"]`"));
        }
        if !MESSAGE_BYTES.contains(&self.message_bytes_max.0) {
            faults.push(self.message_bytes_max.fault("a message has from 1000 bytes to 1 GB").help("message_bytes_max: 960KiB"));
        }
        if self.timeout.0 < TIMEOUT_MIN {
            faults.push(self.timeout.fault("brokers take some time to answer").help("timeout: 20s"));
        }
        if self.linger.0 * 2 > self.timeout.0 {
            faults.push(self.linger.fault("a message that waits half its `timeout` for others has little time left").help("linger: 2ms"));
        }
        faults
    }

    /// What a producer is told besides where the cluster is.
    fn words(&self) -> Vec<(&'static str, String)> {
        let partitioner = match self.partitioner {
            Partitioner::Murmur2 => "murmur2_random",
            Partitioner::Fnv1a => "fnv1a_random",
            Partitioner::Crc32 => "consistent_random",
        };
        let compression = match self.compression {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
            Compression::Snappy => "snappy",
        };
        vec![
            ("enable.idempotence", "true".to_owned()),
            ("acks", "all".to_owned()),
            ("partitioner", partitioner.to_owned()),
            ("compression.type", compression.to_owned()),
            ("message.max.bytes", self.message_bytes_max.0.to_string()),
            ("message.timeout.ms", self.timeout.0.as_millis().to_string()),
            ("linger.ms", self.linger.0.as_millis().to_string()),
            ("queue.buffering.max.kbytes", QUEUE_KIB_MAX.to_string()),
        ]
    }
}

/// The sink at work.
struct Sending {
    topics: Topics,
    form: Form,
    producers: Producers,
    place: config::Place,
    /// Of each journal and partition that is read: below which of its entries nothing comes again.
    settled: Mutex<Arc<BTreeMap<u32, u64>>>,
    /// Of the parcel that was not delivered last: what of it has to be sent again.
    left: Mutex<Option<Left>>,
}

impl Sink for Sending {
    fn open(&self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async {
            // Connects in the background: a cluster that is down holds nobody up.
            self.producers.get().map_err(|error| vec![Fault::at(self.place, error)])?;
            Ok(vec![Opened::new("sends", format!("OTLP to {} of Kafka at {}", self.topics, self.producers.brokers()))])
        })
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            // A parcel is one batch of one signal: the runner takes closed traces apart before a sink that does not act on them.
            for batch in parcel.flow.batches().filter(|batch| !batch.is_empty()) {
                self.send(batch).await?;
            }
            Ok(())
        })
    }

    fn run(&self, stop: Stop) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            stop.asked().await;
            self.producers.let_go(LETTING_GO).await;
            Ok(())
        })
    }

    fn settled(&self, log: u32, position: u64) {
        let mut settled = self.settled.lock();
        let settled = Arc::make_mut(&mut settled);
        if settled.len() >= LOGS_MAX && !settled.contains_key(&log) {
            // Those that are still read are told again soon.
            settled.clear();
        }
        settled.insert(log, position.saturating_add(1));
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(self.producers.probe(self.topics.any()))
    }
}

impl Sending {
    async fn send(&self, batch: &signal::Batch) -> Result<(), Refusal> {
        let settled = Arc::clone(&self.settled.lock());
        let below = |log: u32| settled.get(&log).copied().unwrap_or(0);
        let left = self.left.lock().take().filter(|left| left.is_of(batch));
        let left = match left {
            Some(left) => left,
            None => Left::all(batch, parcel::prepare(batch, self.form, below)?),
        };
        // Cut off, it is tried again as if it had been refused.
        let attempt = Attempt::new(left, &self.left);
        let producer = self.producers.get().map_err(producer::later)?;
        let topic = self.topics.of_signal(batch.signal());
        let answer = match attempt.left() {
            Some(left) => producer.send(topic, self.form, left).await,
            None => Ok(()),
        };
        if !matches!(answer, Err(Refusal::Later { .. })) {
            attempt.end();
        }
        answer
    }
}
