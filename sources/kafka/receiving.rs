//! A partition's messages as a stream: read, watched, and its end told.

use super::{
    consumer::{Consumer, Context, Place},
    message::Reads,
    placing::Placing,
    split::{Split, Splits, is_trace_id},
};
use futures::{StreamExt as _, stream};
use pipeline::{
    Blocking, Partitions, blocked,
    partitions::{Came, Messages, Said},
};
use rdkafka::{
    Message as _,
    consumer::{Consumer as _, stream_consumer::StreamPartitionQueue},
    error::KafkaError,
};
use signal::Signal;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};

/// How long brokers may take to say where a partition ends.
const WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

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

/// Asks brokers where a partition ends.
pub(super) struct Asking {
    pub(super) consumer: Arc<Consumer>,
    pub(super) blocking: Blocking,
    pub(super) place: Place,
}

impl Asking {
    /// Behind its last message. None where no broker says so in time.
    async fn end(&self) -> Option<u64> {
        let (consumer, (topic, partition)) = (Arc::clone(&self.consumer), self.place.clone());
        let asked = blocked(&self.blocking, move || consumer.fetch_watermarks(&topic, partition, WITHIN)).await?;
        let (_, end) = asked.inspect_err(|error| tracing::debug!(%error, "nobody says where a partition ends")).ok()?;
        u64::try_from(end).ok()
    }
}

/// The messages of a partition from this one on.
pub(super) fn messages(
    (queue, from): (StreamPartitionQueue<Context>, u64),
    asking: Asking,
    reads: Reads,
    watch: Option<Watch>,
) -> Messages {
    struct Reading {
        queue: StreamPartitionQueue<Context>,
        asking: Asking,
        steady: watch::Receiver<bool>,
        /// Behind the last message that came.
        next: u64,
        at_end: bool,
        watch: Option<Watch>,
    }
    let steady = asking.consumer.context().steady();
    let reading = Reading { queue, asking, steady, next: from, at_end: false, watch };
    stream::unfold(reading, move |mut reading| async move {
        let came = loop {
            tokio::select! {
                received = reading.queue.recv() => match received {
                    Ok(message) => {
                        let read = reads.read(&message);
                        (reading.at_end, reading.next) = (false, read.position + 1);
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
                    if !*reading.steady.borrow_and_update() {
                        break Came::Unsure;
                    }
                    // Nor when they are back: what they took before has to be fetched first, and its end is told as any other.
                    match reading.asking.end().await {
                        Some(end) if end <= reading.next => break Came::End,
                        Some(_) => {
                            reading.at_end = false;
                            break Came::Unsure;
                        }
                        None => {
                            sleep(AGAIN_AFTER).await;
                            reading.steady.mark_changed();
                        }
                    }
                }
            }
        };
        Some((came, reading))
    })
    .boxed()
}
