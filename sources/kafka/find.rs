//! The cluster and the topics, looked for until they are there.

use super::{Options, consumer::Context};
use pipeline::{SourceError, Stop, blocked};
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::sleep;

const WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What is known of the cluster.
pub(super) struct Cluster {
    pub(super) id: String,
    /// By topic.
    pub(super) partitions: HashMap<String, usize>,
}

/// Looks for the cluster and the topics until they are there. None where that was stopped.
pub(super) async fn find(options: &Arc<Options>, stop: &Stop) -> Result<Option<Cluster>, SourceError> {
    let asking: Arc<BaseConsumer<Context>> =
        Arc::new(options.cluster.config().create_with_context(Context::deaf()).map_err(|error| SourceError(error.to_string()))?);
    let mut said = String::new();
    loop {
        let (told, asked) = (Arc::clone(options), Arc::clone(&asking));
        let found = tokio::select! {
            found = blocked(&options.blocking, move || look(&told, &asked)) => found,
            () = stop.asked() => return Ok(None),
        };
        match found {
            None => return Ok(None),
            Some(Ok(cluster)) => return Ok(Some(cluster)),
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

fn look(options: &Options, asking: &BaseConsumer<Context>) -> Result<Cluster, String> {
    let heard = |error: KafkaError| asking.client().context().heard.last().unwrap_or_else(|| error.to_string());
    let mut partitions = HashMap::new();
    for (topic, _) in &options.topics {
        let metadata = asking.fetch_metadata(Some(topic), WITHIN).map_err(heard)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic).filter(|found| found.error().is_none());
        let found = found.ok_or_else(|| format!("there is no topic `{topic}` at {}", options.cluster.brokers()))?;
        partitions.insert(topic.clone(), found.partitions().len());
    }
    let id = asking.client().fetch_cluster_id(WITHIN).ok_or("the cluster does not say its id")?;
    Ok(Cluster { id, partitions })
}
