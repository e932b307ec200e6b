//! A partition's messages as a stream: read, watched, and its end told.

use super::{
    consumer::Context,
    message::Reads,
    placing::Placing,
    split::{Split, Splits, is_trace_id},
};
use futures::{StreamExt as _, stream};
use pipeline::{
    Partitions,
    partitions::{Came, Messages, Said},
};
use rdkafka::{Message as _, consumer::stream_consumer::StreamPartitionQueue, error::KafkaError};
use signal::Signal;
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
    fn see(&self, key: Option<&[u8]>, said: &Said) {
        if !self.splits.is_spread() {
            return;
        }
        let (topic, partition) = (&self.topic, self.partition);
        let Some(id) = key.filter(|key| is_trace_id(key)) else {
            if let Said::Request(Signal::Traces, _) = said
                && let unkeyed = self.partitions.unkeyed()
                && unkeyed.is_power_of_two()
            {
                let help = "have those who write send a message for each trace, with its id as the key: `key: trace_id`, or `partition_traces_by_id` of a Collector";
                tracing::warn!(
                    topic,
                    partition,
                    unkeyed,
                    help,
                    "spans come in messages without a trace id as their key, so a trace may be in any partition"
                );
            }
            return;
        };
        let Some(Split { other, by, told }) = self.splits.see(id, partition) else { return };
        self.partitions.split();
        // Once it is known, more of it says little.
        if told.is_power_of_two() {
            let (trace, most) = (String::from_utf8_lossy(id), by.map(Placing::word));
            let what = match by {
                None => "a trace is in two partitions and never meets",
                Some(_) => "a trace is not where most writers would put it, and never meets what they write of it",
            };
            tracing::warn!(topic, partition, other, %trace, most, told, "{what}: those who write it place keys differently");
        }
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
                        let read = reads.read(&message);
                        reading.watch.iter().for_each(|watch| watch.see(message.key(), &read.said));
                        break Came::Message(read);
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
