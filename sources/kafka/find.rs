//! The cluster and the topics, looked for until they are there.

use super::Options;
use net::kafka::Heard;
use pipeline::{SourceError, Stop, blocked};
use rdkafka::{
    ClientContext,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    error::KafkaError,
    producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::sleep;

const WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long librdkafka may take to say why something failed.
const REASONS: Duration = Duration::from_millis(100);

/// What is known of the cluster.
pub(super) struct Cluster {
    pub(super) id: String,
    /// By topic.
    pub(super) partitions: HashMap<String, usize>,
}

/// Looks for the cluster and the topics until they are there. None where that was stopped.
pub(super) async fn find(options: &Arc<Options>, stop: &Stop) -> Result<Option<Cluster>, SourceError> {
    let asking = Asking::from_config_and_context(&options.cluster.config(), Complaints::default());
    let asking = Arc::new(asking.map_err(|error| SourceError(error.to_string()))?);
    let mut said = String::new();
    loop {
        let (told, asked) = (Arc::clone(options), Arc::clone(&asking));
        let found = tokio::select! {
            found = blocked(&options.blocking, move || look(&told, &asked)) => found,
            () = stop.asked() => return Ok(None),
        };
        match found {
            None => return Ok(None),
            Some(Ok(cluster)) => {
                // Its end waits for librdkafka's threads.
                (options.blocking)(Box::new(move || drop(asking)));
                return Ok(Some(cluster));
            }
            Some(Err(why)) if why == said => {}
            Some(Err(why)) => {
                tracing::warn!(node = options.name, why, "nothing can be read yet");
                said = why;
            }
        }
        tokio::select! {
            () = sleep(AGAIN_AFTER) => {}
            () = stop.asked() => return Ok(None),
        }
    }
}

/// Asks. It is a producer, since of a consumer librdkafka's complaints come without their reasons.
type Asking = BaseProducer<Complaints>;

/// What librdkafka complains of, where no partition is read.
#[derive(Default)]
pub(super) struct Complaints(Heard);

impl ClientContext for Complaints {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.0.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

impl ProducerContext for Complaints {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, _: ()) {}
}

fn look(options: &Options, asking: &Asking) -> Result<Cluster, String> {
    let why = |error: KafkaError| {
        asking.poll(REASONS);
        asking.context().0.last().unwrap_or_else(|| error.to_string())
    };
    let mut partitions = HashMap::new();
    for (topic, _) in &options.topics {
        let metadata = asking.client().fetch_metadata(Some(topic), WITHIN).map_err(why)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic).filter(|found| found.error().is_none());
        let found = found.ok_or_else(|| format!("there is no topic `{topic}` at {}", options.cluster.brokers()))?;
        partitions.insert(topic.clone(), found.partitions().len());
    }
    let id = asking.client().fetch_cluster_id(WITHIN).ok_or("the cluster does not say its id")?;
    Ok(Cluster { id, partitions })
}
