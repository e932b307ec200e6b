//! A partition's messages as a stream: read, watched, and its end told.

use super::{consumer::Context, message::Reads, split::Splits};
use futures::{StreamExt as _, stream};
use pipeline::{
    Partitions,
    partitions::{Came, Messages},
};
use rdkafka::{Message as _, consumer::stream_consumer::StreamPartitionQueue, error::KafkaError};
use std::sync::Arc;
use tokio::sync::watch;

/// Sees keys go by.
pub(super) struct Watch {
    pub(super) splits: Arc<Splits>,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) partitions: Partitions,
}

impl Watch {
    fn see(&self, key: Option<&[u8]>) {
        let Some((key, other)) = key.and_then(|key| Some((key, self.splits.other(key, self.partition)?))) else { return };
        let (topic, partition, trace) = (&self.topic, self.partition, String::from_utf8_lossy(key));
        tracing::warn!(topic, partition, other, %trace, "a trace comes in two partitions and never meets: those who write it place keys differently");
        self.partitions.split();
    }
}

/// The messages of a partition.
pub(super) fn messages(
    queue: StreamPartitionQueue<Context>,
    steady: watch::Receiver<bool>,
    reads: Reads,
    watch: Option<Watch>,
) -> Messages {
    struct Reading {
        queue: StreamPartitionQueue<Context>,
        steady: watch::Receiver<bool>,
        at_end: bool,
        watch: Option<Watch>,
    }
    let reading = Reading { queue, steady, at_end: false, watch };
    stream::unfold(reading, move |mut reading| async move {
        let came = loop {
            tokio::select! {
                received = reading.queue.recv() => match received {
                    Ok(message) => {
                        reading.at_end = false;
                        reading.watch.iter().for_each(|watch| watch.see(message.key()));
                        break Came::Message(reads.read(&message));
                    }
                    Err(KafkaError::PartitionEOF(_)) => {
                        reading.at_end = true;
                        break Came::End;
                    }
                    Err(error) => tracing::debug!(%error, "Kafka"),
                },
                Ok(()) = reading.steady.changed(), if reading.at_end => {
                    // While brokers are away nobody knows what comes next.
                    break if *reading.steady.borrow_and_update() { Came::End } else { Came::Unsure };
                }
            }
        };
        Some((came, reading))
    })
    .boxed()
}
