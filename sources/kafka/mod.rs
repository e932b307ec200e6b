//! Telemetry out of Kafka. Each partition that the group gives to this process is read by a crew of its own, and committed up to where everything is settled.
//! Start reading at `member.rs`.

mod commit;
mod consumer;
mod decisions;
mod find;
mod member;
mod message;
mod placing;
mod prepare;
mod receiving;
mod split;
mod wire;

use config::{
    Fault, Period, Placed,
    kafka::{Broker, KafkaTls, Sasl},
};
use futures::future::BoxFuture;
use member::Member;
use message::{Encoding, Reads};
use net::kafka::Cluster;
use pipeline::{Blocking, BuildContext, Component, Opened, Partitioned, Shape, Source, SourceContext, SourceError};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, Signal};
use std::{sync::Arc, time::Duration};

/// What stands in a topic's name for the signal.
const SIGNAL: &str = "{signal}";
/// The longest name of a topic.
const TOPIC_BYTES_MAX: usize = 249;
/// Told apart from the topic's own messages by the end of its name.
const DECISIONS: &str = "-decisions";

/// Reads topics of Kafka as a member of a consumer group. An offset is committed only once everything up to it has come to every sink, so no journal is needed, and after
/// any crash the rest is read again. A topic that is read faster than sinks take it is read later; nothing is dropped.
///
/// Behind it `correlate` and `sample` work partition by partition: all of a trace has to come to one partition, as it does where the trace id is the key. Where
/// writers do otherwise it is said and counted (`kansoku_partition_split_traces_total`, `kansoku_partition_unkeyed_total`). When a partition goes to another member,
/// open traces go with it. What was decided is kept in a topic of its own, `TOPIC-decisions`, which is made where it is missing.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Kafka {
    /// `HOST:PORT` of some of the cluster's brokers; the others are found through them.
    brokers: Placed<Vec<Broker>>,
    /// The topic. With `{signal}` in it three are read: for `traces`, `logs` and `metrics`.
    topic: Option<Placed<String>>,
    /// Several topics, in place of `topic`.
    #[serde(default)]
    topics: Vec<Topic>,
    /// The consumer group: its members share the partitions.
    #[serde(default = "kansoku")]
    group: Placed<String>,
    /// A name that this member keeps over restarts, other than those of the others: with it a restart within the session's 45 s moves no partition.
    instance: Option<Placed<String>>,
    /// How long a member may be silent before its partitions go to others.
    #[serde(default = "forty_five_seconds")]
    session: Placed<Period>,
    /// Where the group begins in a partition that it has never read: at the `earliest` message, or with what comes from now on (`latest`).
    #[serde(default)]
    from: From,
    /// What is in the messages.
    #[serde(default)]
    encoding: Encoding,
    /// The signal of OTLP messages that have no header `signal`, as those of a Collector.
    signal: Option<Placed<SignalWord>>,
    /// TLS; without it connections are plain.
    tls: Option<KafkaTls>,
    /// Who one is.
    sasl: Option<Sasl>,
}

/// One of several topics.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Topic {
    /// Its name.
    name: Placed<String>,
    /// The signal of its OTLP messages that have no header `signal`.
    signal: Option<Placed<SignalWord>>,
    /// What is in its messages, where that differs.
    encoding: Option<Encoding>,
}

/// A signal by its word.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SignalWord {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Data points.
    Metrics,
}

impl std::convert::From<SignalWord> for Signal {
    fn from(word: SignalWord) -> Signal {
        match word {
            SignalWord::Traces => Signal::Traces,
            SignalWord::Logs => Signal::Logs,
            SignalWord::Metrics => Signal::Metrics,
        }
    }
}

/// Where a group begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum From {
    /// At the first message that is still there.
    #[default]
    Earliest,
    /// Behind the last.
    Latest,
}

fn forty_five_seconds() -> Placed<Period> {
    Placed::nowhere(Period(Duration::from_secs(45)))
}

fn kansoku() -> Placed<String> {
    Placed::nowhere("kansoku".to_owned())
}

/// What a member is told.
struct Options {
    cluster: Cluster,
    name: String,
    group: String,
    instance: Option<String>,
    session: Duration,
    from: From,
    topics: Vec<(String, Reads)>,
    blocking: Blocking,
    /// Bytes that may wait in librdkafka.
    bytes_max: usize,
}

impl Component for Kafka {
    type Runs = dyn Source;
    const TYPE: &'static str = "kafka";
    const EXAMPLE: &'static str = "brokers: ['localhost:9092']\ntopic: telemetry\ngroup: kansoku\n";

    fn shape(&self, _takes: Kinds) -> Shape {
        let topics = self.topics();
        let partitioned = if topics.len() > 1 { Partitioned::Several } else { Partitioned::One };
        let gives = topics.iter().map(|(_, reads)| reads.gives()).fold(Kinds::NONE, Kinds::and);
        let gives = if gives.is_none() { Kinds::RECORDS } else { gives };
        Shape { gives, partitioned, ..Shape::passing(Kinds::NONE) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Source>, Vec<Fault>> {
        let mut faults = self.faults(context);
        let cluster = wire::cluster(&self.brokers, "kansoku", (self.tls.as_ref(), self.sasl.as_ref()), context.folder);
        match cluster {
            Ok(cluster) if faults.is_empty() => Ok(Box::new(Reading(Arc::new(Options {
                cluster,
                name: context.name.to_owned(),
                group: self.group.as_str().to_owned(),
                instance: self.instance.as_ref().map(|instance| instance.as_str().to_owned()),
                session: self.session.0,
                from: self.from,
                topics: self.topics(),
                blocking: context.blocking.clone(),
                bytes_max: context.memory.intake_bytes_max / 2,
            })))),
            Ok(_) => Err(faults),
            Err(fault) => {
                faults.push(fault);
                Err(faults)
            }
        }
    }
}

impl Kafka {
    /// Every topic by its name, and how its messages are read.
    fn topics(&self) -> Vec<(String, Reads)> {
        let signal = self.signal.as_deref().copied().map(Signal::from);
        let mut topics = Vec::new();
        if let Some(topic) = &self.topic {
            if topic.contains(SIGNAL) {
                let of = |signal: Signal| (topic.replace(SIGNAL, signal.word()), Reads { encoding: self.encoding, signal: Some(signal) });
                topics.extend(Signal::ALL.map(of));
            } else {
                topics.push((topic.as_str().to_owned(), Reads { encoding: self.encoding, signal }));
            }
        }
        topics.extend(self.topics.iter().map(|topic| {
            let own = topic.signal.as_deref().copied().map(Signal::from);
            (topic.name.as_str().to_owned(), Reads { encoding: topic.encoding.unwrap_or(self.encoding), signal: own.or(signal) })
        }));
        topics
    }

    fn faults(&self, context: &BuildContext<'_>) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.brokers.is_empty() {
            faults.push(self.brokers.fault("there are no `brokers`").help("brokers: ['localhost:9092']"));
        }
        match (&self.topic, self.topics.is_empty()) {
            (None, true) => faults.extend(context.fault(format!("`{}` has no `topic`, so it would read nothing", context.name))),
            (Some(topic), false) => faults.push(topic.fault("`topic` and `topics` are two ways to say it; write one of them")),
            _ => {}
        }
        let named = self.topic.iter().chain(self.topics.iter().map(|topic| &topic.name));
        for (at, name) in named.clone().enumerate() {
            if !is_name(&name.replace(SIGNAL, "traces")) {
                let what =
                    format!("`{}` is no name of a topic: letters, digits, `.`, `_` and `-`, at the most {TOPIC_BYTES_MAX}", name.as_str());
                faults.push(name.fault(what));
            }
            if named.clone().take(at).any(|other| other.as_str() == name.as_str()) {
                faults.push(name.fault(format!("`{}` is read already", name.as_str())));
            }
        }
        if let Some(topic) = self.topics.iter().map(|topic| &topic.name).find(|name| name.contains(SIGNAL)) {
            faults.push(topic.fault(format!("`{SIGNAL}` stands in `topic`; in `topics` each has its own name and `signal`")));
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(1_800)).contains(&self.session.0) {
            faults.push(self.session.fault("`session` is from 1s to 30m").help("session: 45s; brokers take 6s and more by default"));
        }
        if self.group.is_empty() {
            faults.push(self.group.fault("the `group` has no name").help("group: kansoku"));
        }
        if let Some(instance) = self.instance.as_ref().filter(|instance| !is_name(instance)) {
            let what = format!("`{}` is no name of an instance: letters, digits, `.`, `_` and `-`", instance.as_str());
            faults.push(instance.fault(what));
        }
        let said = self.signal.iter().map(|said| (said, self.encoding));
        let said =
            said.chain(self.topics.iter().filter_map(|topic| Some((topic.signal.as_ref()?, topic.encoding.unwrap_or(self.encoding)))));
        for (signal, encoding) in said {
            if !encoding.is_otlp() {
                let what = format!("messages in `{}` are logs, whatever `signal` says", encoding.word());
                faults.push(signal.fault(what).help("leave `signal` out"));
            }
        }
        faults
    }
}

/// The topic in which decisions about a topic's traces are kept.
fn decisions_of(topic: &str) -> String {
    format!("{topic}{DECISIONS}")
}

/// What Kafka takes as the name of a topic.
fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= TOPIC_BYTES_MAX && name.chars().all(legal) && name != "." && name != ".."
}

struct Reading(Arc<Options>);

impl Source for Reading {
    fn open(&mut self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        let topics = self.0.topics.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let what = format!("{topics} of Kafka at {}, in the group {}", self.0.cluster.brokers(), self.0.group);
        Box::pin(async { Ok(vec![Opened::new("reads", what)]) })
    }

    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move { Member::new(self.0, context).run().await })
    }
}
