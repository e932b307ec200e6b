//! What the oracle itself reads of the topic and of the topic of decisions, as a plain consumer in no group: where each record lies, by which identities, and what was decided.

use crate::{
    PARTITIONS,
    traces::{FAILING, RECORDS, Traces},
};
use parking_lot::{Mutex, MutexGuard};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::{BorrowedMessage, Headers as _},
};
use signal::{
    Decision, Ordinals,
    codec::origins::{Origins, Piece},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Journal, position, ordinal.
type Identity = (u32, u64, u32);

/// A record in the topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lies {
    /// Of its first copy.
    pub(crate) offset: Option<i64>,
    /// More than one where the client heard no answer and its second try was no repeat to the gateway.
    pub(crate) identities: Vec<Identity>,
    /// Copies in the topic.
    pub(crate) copies: u32,
}

/// A decision that counts.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    /// In the topic of decisions.
    pub(crate) offset: i64,
    pub(crate) decision: Decision,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) records: [Lies; RECORDS as usize],
    pub(crate) partitions: BTreeSet<i32>,
    pub(crate) decided: Vec<Decided>,
    /// When its first and its last copy were written, milliseconds.
    pub(crate) written: Option<(i64, i64)>,
    /// The last offset of all copies.
    pub(crate) last: Option<i64>,
}

impl Trace {
    /// Whether this record has to come to next hop and store, by what was decided. None where nothing was decided.
    pub(crate) fn is_due(&self, trace: u64, record: u64) -> Option<bool> {
        let decision = &self.decided.first()?.decision;
        let is_failure = record == FAILING && Traces::fails(trace);
        // What fails is kept, also where chance had dropped its trace before it came.
        Some(decision.keeps() || is_failure)
    }
}

/// An owner's mark in the topic of decisions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) offset: i64,
    /// Milliseconds.
    pub(crate) at: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) traces: Vec<Trace>,
    /// By partition and offset: the records of a message, but for those of which the partition has an earlier copy, which is read again wherever it is not settled.
    pub(crate) messages: Vec<Vec<Vec<(u32, u8)>>>,
    pub(crate) marks: Vec<Vec<Mark>>,
    /// By partition: the offset behind the last decision that was read.
    pub(crate) decisions: Vec<i64>,
    /// Decisions of those who had lost the partition.
    pub(crate) overtaken: u64,
    /// By partition and journal: below which of its entries no copy comes any more, as messages have said.
    pub(crate) told: Vec<BTreeMap<u32, u64>>,
    /// Copies that came all the same: trace, record, and what was told.
    pub(crate) broken: Vec<(u64, u64, u64)>,
}

/// The reading of both topics.
pub(crate) struct Seeing {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Seeing {
    /// Both topics are there.
    pub(crate) fn start(brokers: &str, topic: &str, traces: Traces, count: u64) -> Seeing {
        let of = usize::try_from(PARTITIONS).unwrap();
        let seen = Arc::new(Mutex::new(Seen {
            traces: vec![Trace::default(); usize::try_from(count).unwrap()],
            messages: vec![Vec::new(); of],
            marks: vec![Vec::new(); of],
            decisions: vec![0; of],
            overtaken: 0,
            told: vec![BTreeMap::new(); of],
            broken: Vec::new(),
        }));
        let stop = Arc::<AtomicBool>::default();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "oracle")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        let decisions = format!("{topic}-decisions");
        for partition in 0..PARTITIONS {
            all.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
            all.add_partition_offset(&decisions, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&all).unwrap();
        let (shared, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                // Brokers that are away come back.
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
                if message.topic() == decisions {
                    shared.lock().decision(&message);
                } else {
                    shared.lock().message(traces, &message);
                }
            }
        });
        Seeing { seen, stop, thread: Some(thread) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock()
    }

    /// Whether it still reads: what it cannot read ends it.
    pub(crate) fn reads(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Seeing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the oracle could not read the topic");
    }
}

impl Seen {
    fn message(&mut self, traces: Traces, message: &BorrowedMessage<'_>) {
        let (partition, offset) = (message.partition(), message.offset());
        let header = |name: &str| message.headers().and_then(|all| all.iter().find(|header| header.key == name)?.value);
        let path = if header("signal") == Some(b"traces") { "/v1/traces" } else { "/v1/logs" };
        let records = traces.records(path, message.payload().unwrap());
        let of_partition = &mut self.messages[usize::try_from(partition).unwrap()];
        assert_eq!(usize::try_from(offset).unwrap(), of_partition.len(), "the offsets of partition {partition}");
        let at = message.timestamp().to_millis().unwrap();
        let Origins { pieces, settled } = Origins::decode(header("kansoku-origin").unwrap(), records.len()).unwrap();
        let identities = identities(pieces);
        let told = &mut self.told[usize::try_from(partition).unwrap()];
        let mut first = Vec::with_capacity(records.len());
        for ((number, record, threshold), identity) in records.into_iter().zip(identities) {
            assert_eq!(threshold, 0, "a gateway samples nothing");
            let trace = &mut self.traces[usize::try_from(number).unwrap()];
            trace.partitions.insert(partition);
            let (begin, end) = trace.written.get_or_insert((at, at));
            (*begin, *end) = ((*begin).min(at), (*end).max(at));
            trace.last = Some(offset);
            if let Some(below) = told.get(&identity.0).filter(|below| identity.1 < **below) {
                self.broken.push((number, record, *below));
            }
            let lies = &mut trace.records[usize::try_from(record).unwrap()];
            lies.offset.get_or_insert(offset);
            lies.copies += 1;
            if !lies.identities.contains(&identity) {
                lies.identities.reserve_exact(1);
                lies.identities.push(identity);
                first.push((u32::try_from(number).unwrap(), record as u8));
            }
        }
        for settled in settled {
            let below = told.entry(settled.log).or_default();
            *below = settled.below.max(*below);
        }
        of_partition.push(first);
    }

    /// As whoever has the partition next reads it: what stands behind the mark of a later owner does not count.
    fn decision(&mut self, message: &BorrowedMessage<'_>) {
        let partition = usize::try_from(message.partition()).unwrap();
        let said: serde_json::Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        let (offset, at) = (message.offset(), message.timestamp().to_millis().unwrap());
        self.decisions[partition] = offset + 1;
        let Some(epoch) = said["epoch"].as_i64() else {
            return self.marks[partition].push(Mark { offset, at });
        };
        if self.marks[partition].last().is_none_or(|mark| mark.offset != epoch) {
            self.overtaken += 1;
            return;
        }
        for decision in said["decisions"].as_array().unwrap() {
            let decision: Decision = serde_json::from_value(decision.clone()).unwrap();
            let trace = u64::from_be_bytes(decision.trace_id.0[..8].try_into().unwrap()) - 1;
            self.traces[usize::try_from(trace).unwrap()].decided.push(Decided { offset, decision });
        }
    }
}

fn identities(pieces: Vec<Piece>) -> Vec<Identity> {
    let of = |piece: Piece| {
        let origin = piece.origin.unwrap();
        let ordinal = move |n: u32| match &piece.ordinals {
            Ordinals::From(first) => first + n,
            Ordinals::These(list) => list[n as usize],
        };
        (0..piece.records).map(move |n| (origin.log, origin.position, ordinal(n))).collect::<Vec<_>>()
    };
    pieces.into_iter().flat_map(of).collect()
}
