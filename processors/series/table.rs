//! The series of a node, in which its lanes add up. Who is in which lane makes no difference to what comes out.

use super::{
    Cells, Family, Making, Temporality,
    key::{self, Secret},
    points::{self, Going, Moment},
    promises::{PROMISE_BYTES, Promises},
};
use parking_lot::Mutex;
use pipeline::BuildContext;
use signal::{Ack, Time};
use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

pub(super) type ByKey<V> = HashMap<Box<[u8]>, V, Secret>;

/// Promises that a node holds at the most before it sends what it has, whatever its interval is.
const PROMISES_MAX: usize = 1 << 16;

/// A series since its start.
pub(super) struct Series {
    pub(super) cells: Cells,
    pub(super) start: Time,
    /// When something was last counted.
    last: Time,
    changed: bool,
}

/// What a lane has counted since it last came to the table.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) series: ByKey<Cells>,
    pub(super) promises: Promises,
    /// When the first of it came.
    pub(super) since: Option<Time>,
}

/// Points that are to be sent, and what was promised for the records that they were made of.
#[derive(Default)]
pub(super) struct Told {
    pub(super) requests: Vec<Vec<u8>>,
    pub(super) ack: Ack,
}

/// Shared by the lanes of one node.
pub(crate) struct Table {
    pub(super) families: Vec<Family>,
    pub(super) making: Making,
    inner: Mutex<Inner>,
    /// What the series and promises take, and how many lanes share that.
    bytes: AtomicUsize,
    lanes: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    series: ByKey<Series>,
    promises: Promises,
    /// The lanes that count, and the last end of an interval that each has come with.
    lanes: BTreeMap<u64, Time>,
    next_lane: u64,
    /// Where intervals begin.
    base: Option<Time>,
    /// Of the last points.
    told: Time,
    /// Something was counted since.
    changed: bool,
}

impl Table {
    /// The one that all lanes of this node share, also those of a graph after this one in which the node makes the same series.
    pub(crate) fn shared(context: &BuildContext<'_>, families: Vec<Family>, making: Making) -> Arc<Table> {
        let key = format!("{} {making:?} {families:?}", context.name);
        let (bytes, lanes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let make = || Ok::<_, Infallible>(Arc::new(Table { families, making, inner: Mutex::default(), bytes, lanes }));
        context.pool.get_or(&key, make).unwrap_or_else(|never| match never {})
    }

    /// A lane counts from now on. Its number, and when it is to come.
    pub(super) fn enter(&self, now: Time) -> (u64, Time) {
        let mut inner = self.inner.lock();
        let number = inner.next_lane;
        inner.next_lane += 1;
        let base = *inner.base.get_or_insert(now);
        let next = end_after(base, self.making.interval.0, now);
        let reached = next.minus(self.making.interval.0);
        if inner.lanes.is_empty() {
            // Nothing was counted in the intervals that have passed.
            inner.told = inner.told.max(reached);
        }
        inner.lanes.insert(number, reached);
        self.lanes.store(inner.lanes.len(), Ordering::Relaxed);
        (number, next)
    }

    /// A lane is gone.
    pub(super) fn leave(&self, lane: u64) {
        let mut inner = self.inner.lock();
        inner.lanes.remove(&lane);
        self.lanes.store(inner.lanes.len(), Ordering::Relaxed);
    }

    /// A lane comes with what it counted up to the end of an interval. Points where it is the last to come. Also when it is to come again: never, where
    /// nothing is left to tell.
    pub(super) fn come(&self, lane: u64, counted: Counted, end: Time) -> (Told, Option<Time>) {
        let mut inner = self.inner.lock();
        inner.lanes.insert(lane, end);
        inner.add(&self.families, &self.making, counted, end);
        let all = inner.lanes.values().min().copied().unwrap_or(end);
        let told = if all > inner.told { inner.tell(&self.families, &self.making, all) } else { Told::default() };
        let idle = inner.series.is_empty() || (self.making.temporality == Temporality::Delta && !inner.changed);
        if idle {
            inner.lanes.remove(&lane);
        }
        self.weigh(&inner);
        (told, (!idle).then(|| end.plus(self.making.interval.0)))
    }

    /// A lane comes within an interval, with more promises than it should hold. Points where all lanes together hold too many.
    pub(super) fn relieve(&self, counted: Counted, now: Time) -> Told {
        let mut inner = self.inner.lock();
        inner.add(&self.families, &self.making, counted, now);
        let told = if inner.promises.len() > PROMISES_MAX { inner.tell(&self.families, &self.making, now) } else { Told::default() };
        self.weigh(&inner);
        told
    }

    /// A lane has come to its end. Points where no other is left.
    pub(super) fn end(&self, lane: u64, counted: Counted, now: Time) -> Told {
        let mut inner = self.inner.lock();
        inner.lanes.remove(&lane);
        inner.add(&self.families, &self.making, counted, now);
        if !inner.lanes.is_empty() {
            return Told::default();
        }
        let told = match inner.changed {
            true => inner.tell(&self.families, &self.making, now),
            false => Told { requests: Vec::new(), ack: std::mem::take(&mut inner.promises).into_ack() },
        };
        inner.series.clear();
        self.weigh(&inner);
        told
    }

    /// A lane's part of what the table takes.
    pub(super) fn share_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed) / self.lanes.load(Ordering::Relaxed).max(1)
    }

    fn weigh(&self, inner: &Inner) {
        self.lanes.store(inner.lanes.len(), Ordering::Relaxed);
        let series: usize =
            inner.series.iter().map(|(key, series)| series.cells.bytes(key) + size_of::<Series>() - size_of::<Cells>()).sum();
        self.bytes.store(series + inner.promises.len() * PROMISE_BYTES, Ordering::Relaxed);
    }
}

impl Inner {
    fn add(&mut self, families: &[Family], making: &Making, counted: Counted, end: Time) {
        let start = counted.since.unwrap_or(end);
        self.promises.merge(counted.promises);
        // In the order of their keys, in which the one for the rest is the last of its family: who finds room is no matter of chance.
        let mut counted: Vec<_> = counted.series.into_iter().collect();
        counted.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, cells) in counted {
            self.changed = true;
            let series = match self.series.get_mut(&key) {
                Some(series) => series,
                None => {
                    let key = if self.series.len() < making.series_max { key } else { key::overflow(key[0]).into() };
                    let family = key::family(&key);
                    self.series.entry(key).or_insert_with(|| Series {
                        cells: families.get(family).map(Cells::of).unwrap_or_default(),
                        start,
                        last: end,
                        changed: false,
                    })
                }
            };
            series.cells.merge(cells);
            series.start = series.start.min(start);
            series.last = series.last.max(end);
            series.changed = true;
        }
    }

    /// The points of this moment, and of series that have ended the last.
    fn tell(&mut self, families: &[Family], making: &Making, at: Time) -> Told {
        // Two points of a series at one time would be one to others.
        let at = at.max(Time(self.told.0.saturating_add(1)));
        let stale = |series: &Series| at.since(series.last) >= making.stale_after.0;
        let delta = making.temporality == Temporality::Delta;
        let mut series: Vec<(&[u8], &mut Series, Going)> = Vec::with_capacity(self.series.len());
        for (key, one) in &mut self.series {
            let going = if stale(one) { Going::Ended } else { Going::On };
            if !delta || one.changed {
                series.push((key, one, going));
            }
        }
        series.sort_unstable_by_key(|(key, ..)| *key);
        let requests = points::requests(families, &mut series, Moment { at, temporality: making.temporality });
        for (_, one, _) in series {
            one.changed = false;
            if delta {
                one.start = at;
            }
        }
        self.series.retain(|_, series| !stale(series));
        (self.told, self.changed) = (at, false);
        Told { requests, ack: std::mem::take(&mut self.promises).into_ack() }
    }
}

/// The first end of an interval after `now`.
pub(super) fn end_after(base: Time, interval: Duration, now: Time) -> Time {
    let interval = nanos(interval).max(1);
    let passed = now.0.saturating_sub(base.0) / interval;
    Time(base.0.saturating_add((passed + 1).saturating_mul(interval)))
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}
