//! Looks again and again at what the group has committed, and whether all of it is settled as far as can be seen from outside: every record that is said to be settled either
//! is at the next hop, or belongs to a trace that a decision drops which is in the topic of decisions.
//!
//! Each look first asks for what is committed, then reads the topics up to there and looks at the next hop, which knows a record before its sender hears yes. So there is no
//! time in it: what it finds missing was not there when it was committed. It counts offsets and what their metadata says to be settled above them alike. It does not see
//! the stores, which can be asked only while their consumer runs; what was committed and is in no store is found in the end. And it sees each look's offsets, not every commit.

use crate::{PARTITIONS, next_hop::NextHop, seen::Seeing};
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const EVERY: Duration = Duration::from_millis(300);
const ASKED: Duration = Duration::from_secs(5);

/// A partition at one look.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    /// When the answer was there, milliseconds.
    pub(crate) at: i64,
    pub(crate) partition: usize,
    pub(crate) offset: i64,
    /// Settled above it are those below this which are not open.
    through: i64,
    open: BTreeSet<i64>,
}

impl Looked {
    /// Whether this message is said to be settled.
    pub(crate) fn has(&self, offset: i64) -> bool {
        offset < self.offset || (offset < self.through && !self.open.contains(&offset))
    }
}

impl std::fmt::Display for Looked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Looked { at, offset, through, open, .. } = self;
        write!(f, "committed at {at} were {offset} and above it those below {through} but for {} from {:?}", open.len(), open.first())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Looks {
    pub(crate) all: Vec<Looked>,
    /// What was committed and is not settled, in words.
    pub(crate) early: Vec<String>,
    /// Messages that were looked for.
    pub(crate) messages: u64,
    /// Of those, the ones that were settled above the offset.
    pub(crate) above: u64,
    /// Times that an offset was less than before.
    pub(crate) back: u64,
}

pub(crate) struct Watching {
    looks: Arc<Mutex<Looks>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Who asks.
struct Watch {
    consumer: BaseConsumer,
    topic: String,
    seeing: Arc<Seeing>,
    next_hop: NextHop,
    /// By partition and offset: what was looked for, and below which offset all of it.
    looked: Vec<(usize, Vec<bool>)>,
    looks: Arc<Mutex<Looks>>,
    stop: Arc<AtomicBool>,
}

impl Watching {
    pub(crate) fn start(brokers: &str, topic: &str, seeing: &Arc<Seeing>, next_hop: &NextHop) -> Watching {
        let (looks, stop) = (Arc::<Mutex<Looks>>::default(), Arc::<AtomicBool>::default());
        let watch = Watch {
            consumer: ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", topic).create().unwrap(),
            topic: topic.to_owned(),
            seeing: Arc::clone(seeing),
            next_hop: next_hop.clone(),
            looked: vec![(0, Vec::new()); usize::try_from(PARTITIONS).unwrap()],
            looks: Arc::clone(&looks),
            stop: Arc::clone(&stop),
        };
        Watching { looks, stop, thread: Some(thread::spawn(move || watch.run())) }
    }

    /// Fails as soon as something was committed early.
    pub(crate) fn is_content(&self) {
        let looks = self.looks.lock();
        let some = &looks.early[..looks.early.len().min(8)];
        assert!(looks.early.is_empty(), "{} messages were committed and are not settled: {some:#?}", looks.early.len());
    }

    /// Whether all that there is now was committed, at the last look.
    pub(crate) fn all_is_committed(&self, ends: &[i64]) -> bool {
        let looks = self.looks.lock();
        let last = |partition| looks.all.iter().rev().find(|look| look.partition == partition).map_or(0, |look| look.offset);
        ends.iter().enumerate().all(|(partition, end)| last(partition) == *end)
    }

    /// The sum of the offsets, which moves while consumers get on.
    pub(crate) fn at(&self) -> String {
        let looks = self.looks.lock();
        let last: Vec<_> =
            looks.all.iter().rev().take(usize::try_from(PARTITIONS).unwrap()).map(|look| (look.partition, look.offset)).collect();
        format!("{last:?}")
    }

    pub(crate) fn end(mut self) -> Looks {
        self.stop.store(true, Ordering::Release);
        self.thread.take().unwrap().join().unwrap();
        std::mem::take(&mut self.looks.lock())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl Watch {
    fn run(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            // Brokers that are away come back.
            if let Some(looked) = self.ask()
                && self.is_read(&looked)
            {
                looked.into_iter().for_each(|look| self.look(look));
            }
            thread::sleep(EVERY);
        }
    }

    fn ask(&self) -> Option<Vec<Looked>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, PARTITIONS - 1);
        let committed = self.consumer.committed_offsets(list, ASKED).ok()?;
        let at = i64::try_from(kit::otlp::now() / 1_000_000).unwrap();
        let all = committed.elements().into_iter().filter_map(|element| {
            let Offset::Offset(offset) = element.offset() else { return None };
            let (through, open) = above(offset, element.metadata());
            Some(Looked { at, partition: usize::try_from(element.partition()).unwrap(), offset, through, open })
        });
        Some(all.collect())
    }

    /// Waits until the topics were read as far as they were when it was committed; not where that cannot be known.
    fn is_read(&self, looked: &[Looked]) -> bool {
        let decisions = format!("{}-decisions", self.topic);
        let mut ends = Vec::new();
        for partition in 0..PARTITIONS {
            match self.consumer.fetch_watermarks(&decisions, partition, ASKED) {
                Ok((_, end)) => ends.push(end),
                Err(_) => return false,
            }
        }
        while !self.stop.load(Ordering::Acquire) && self.seeing.reads() {
            let seen = self.seeing.lock();
            let decided = seen.decisions.iter().zip(&ends).all(|(read, end)| read >= end);
            let messages = |look: &Looked| seen.messages[look.partition].len() as i64 >= look.offset.max(look.through);
            if decided && looked.iter().all(messages) {
                return true;
            }
            drop(seen);
            thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn look(&mut self, look: Looked) {
        let seen = self.seeing.lock();
        let mut looks = self.looks.lock();
        let (below, looked) = &mut self.looked[look.partition];
        looked.resize(seen.messages[look.partition].len(), false);
        while looked.get(*below).is_some_and(|looked| *looked) {
            *below += 1;
        }
        for (offset, records) in seen.messages[look.partition].iter().enumerate().skip(*below) {
            let at = offset as i64;
            if !look.has(at) || std::mem::replace(&mut looked[offset], true) {
                continue;
            }
            looks.messages += 1;
            looks.above += u64::from(at >= look.offset);
            for (trace, record) in records {
                let (trace, record) = (u64::from(*trace), u64::from(*record));
                let of = &seen.traces[usize::try_from(trace).unwrap()];
                let what = match of.is_due(trace, record) {
                    None => "its trace is not decided",
                    Some(true) if !self.next_hop.of(trace).has(record) => "it is not at the next hop",
                    _ => continue,
                };
                let partition = look.partition;
                looks.early.push(format!("record {record} of trace {trace} at {offset} of partition {partition}: {what}; {look}, {of:?}"));
            }
        }
        let before = looks.all.iter().rev().find(|before| before.partition == look.partition).map_or(0, |before| before.offset);
        looks.back += u64::from(look.offset < before);
        looks.all.push(look);
    }
}

/// What the metadata of an offset says to be settled above it: all below the first, but for the second. Nothing where it says nothing.
fn above(offset: i64, metadata: &str) -> (i64, BTreeSet<i64>) {
    let read = || {
        let words: Vec<&str> = metadata.split(' ').collect();
        let ["k1", _decisions, through, open] = words.as_slice() else { return None };
        let steps = open.split(',').filter(|step| !step.is_empty()).map(|step| i64::from_str_radix(step, 16).ok());
        let open = steps.scan(offset, |at, step| {
            *at += step?;
            Some(*at)
        });
        Some((offset + i64::from_str_radix(through, 16).ok()?, open.collect()))
    };
    read().unwrap_or((offset, BTreeSet::new()))
}
