//! What has to be known of partitions before they are read: where to begin, and what those before have decided.

use super::{
    From, Options,
    commit::Committed,
    consumer::{Consumer, Place, list},
    decisions::{Decided, Ways},
};
use pipeline::{blocked, partitions::Settled};
use rdkafka::{Offset, consumer::Consumer as _};
use signal::Decision;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::sleep;

const WITHIN: Duration = Duration::from_secs(10);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A partition that may be read now.
pub(super) struct Prepared {
    pub(super) place: Place,
    pub(super) settled: Settled,
    pub(super) decisions: Vec<Decision>,
    pub(super) decided: Option<Arc<Decided>>,
}

/// Goes on until it is known of all, however long the brokers are away.
pub(super) async fn prepare(options: Arc<Options>, consumer: Arc<Consumer>, ways: Option<Arc<Ways>>, places: Vec<Place>) -> Vec<Prepared> {
    let mut prepared = Vec::new();
    for place in places {
        let mut said = false;
        loop {
            match one(&options, &consumer, ways.as_deref(), &place).await {
                Ok(one) => {
                    prepared.push(one);
                    break;
                }
                Err(why) => {
                    if !std::mem::replace(&mut said, true) {
                        tracing::warn!(node = options.name, topic = place.0, partition = place.1, why, "a partition cannot be read yet");
                    }
                    sleep(AGAIN_AFTER).await;
                }
            }
        }
    }
    prepared
}

async fn one(options: &Arc<Options>, consumer: &Arc<Consumer>, ways: Option<&Ways>, place: &Place) -> Result<Prepared, String> {
    let (from, asked, on) = (options.from, place.clone(), Arc::clone(consumer));
    let looked = blocked(&options.blocking, move || look(&on, &asked, from)).await.ok_or("going down")?;
    let Committed { settled, decisions: begin } = looked?;
    let (decided, decisions) = match ways {
        Some(ways) => {
            let (decided, decisions) = ways.take(place, &settled, begin).await?;
            (Some(decided), decisions)
        }
        None => (None, Vec::new()),
    };
    Ok(Prepared { place: place.clone(), settled, decisions, decided })
}

/// What is committed, or where to begin where nothing is.
fn look(consumer: &Consumer, place: &Place, from: From) -> Result<Committed, String> {
    let (topic, partition) = place;
    let committed = consumer.committed_offsets(list([place]), WITHIN).map_err(|error| error.to_string())?;
    let element = committed.find_partition(topic, *partition).ok_or("it is not there")?;
    element.error().map_err(|error| error.to_string())?;
    let (low, high) = consumer.fetch_watermarks(topic, *partition, WITHIN).map_err(|error| error.to_string())?;
    let [low, high] = [low, high].map(|offset| u64::try_from(offset).unwrap_or(0));
    let committed = match element.offset() {
        Offset::Offset(offset) => u64::try_from(offset).ok().map(|offset| Committed::of(offset, element.metadata())),
        _ => None,
    };
    match committed {
        Some(committed) if committed.settled.watermark < low => {
            let (gone, settled) = (low - committed.settled.watermark, committed.settled);
            tracing::error!(
                topic,
                partition,
                messages = gone,
                "messages are gone that were not read in time: the topic keeps them no longer"
            );
            let open: BTreeSet<u64> = settled.open.range(low..).copied().collect();
            let through = settled.through.max(low);
            let watermark = open.first().copied().unwrap_or(through);
            Ok(Committed { settled: Settled { watermark, through, open }, decisions: committed.decisions })
        }
        Some(committed) if committed.settled.watermark > high => {
            tracing::error!(
                topic,
                partition,
                committed = committed.settled.watermark,
                end = high,
                "the partition is shorter than what was read of it: it was made anew"
            );
            Ok(Committed { settled: Settled::below(low), decisions: None })
        }
        Some(committed) => Ok(committed),
        None => Ok(Committed { settled: Settled::below(if from == From::Earliest { low } else { high }), decisions: None }),
    }
}
