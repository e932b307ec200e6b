//! Whatever comes in whatever order, twice or never, with the clock jumping: every trace closes once, when and why a model that looks at everything all the time
//! says, and every record comes out once.

use super::correlate;
use crate::kit::{at, id, log, logs, span, spans, traces};
use pipeline::{
    Flush, Processor,
    testing::{flush, run},
};
use proptest::prelude::*;
use signal::{Ack, ClosedBy, Part, Time, Trace};
use std::collections::{BTreeMap, BTreeSet};

const TICK: u64 = 50_000_000;
const MILLISECOND: u64 = 1_000_000;
const AFTER_ROOT: u64 = 2_000 * MILLISECOND;
const IDLE: u64 = 6_000 * MILLISECOND;
const AFTER_FIRST: u64 = 10_000 * MILLISECOND;

#[derive(Clone, Debug)]
struct Step {
    wait: u64,
    trace: u8,
    /// Zero is a log.
    span: u8,
    parent: u8,
    times: usize,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![8 => 0..900_u64, 2 => 900..7_000_u64, 1 => 7_000..40_000_u64];
    let times = prop_oneof![9 => Just(1_usize), 1 => Just(2)];
    (wait, 1..5_u8, 0..7_u8, 0..7_u8, times).prop_map(|(wait, trace, span, parent, times)| Step {
        wait,
        trace,
        span,
        parent: if parent == span { 0 } else { parent },
        times,
    })
}

/// A trace as the model sees it.
#[derive(Clone, Debug, Default)]
struct Open {
    first: u64,
    last: u64,
    seen: BTreeSet<u8>,
    parents: BTreeSet<u8>,
    complete: Option<u64>,
    records: usize,
}

impl Open {
    fn take(&mut self, step: &Step, now: u64) {
        if self.records == 0 {
            self.first = now;
        }
        self.last = now;
        self.records += 1;
        if step.span > 0 {
            self.seen.insert(step.span);
            self.parents.insert(step.parent);
            let complete = self.parents.contains(&0) && self.parents.iter().all(|parent| *parent == 0 || self.seen.contains(parent));
            self.complete = if complete { Some(self.complete.unwrap_or(now)) } else { None };
        }
    }

    fn deadline(&self) -> (u64, ClosedBy) {
        let root = self.complete.map(|since| (since + AFTER_ROOT, ClosedBy::Root));
        let all = [Some((self.first + AFTER_FIRST, ClosedBy::First)), Some((self.last + IDLE, ClosedBy::Idle)), root];
        all.into_iter().flatten().min_by_key(|(time, _)| *time).unwrap()
    }
}

/// When a trace closed, which, why, and with how many records.
type Closing = (u64, u8, ClosedBy, usize);

#[derive(Default)]
struct Model {
    open: BTreeMap<u8, Open>,
    closed: BTreeSet<u8>,
    closings: Vec<Closing>,
    late: usize,
}

impl Model {
    fn advance(&mut self, now: u64) {
        for (trace, open) in std::mem::take(&mut self.open) {
            let (due, by) = open.deadline();
            if due.div_ceil(TICK) * TICK <= now {
                self.closings.push((due.div_ceil(TICK) * TICK, trace, by, open.records));
                self.closed.insert(trace);
            } else {
                self.open.insert(trace, open);
            }
        }
    }

    fn take(&mut self, step: &Step, now: u64) {
        if self.closed.contains(&step.trace) && !self.open.contains_key(&step.trace) {
            self.late += 1;
        } else {
            self.open.entry(step.trace).or_default().take(step, now);
        }
    }
}

/// What came out, when.
#[derive(Default)]
struct Seen {
    closings: Vec<Closing>,
    late: usize,
    records: usize,
}

impl Seen {
    fn see(&mut self, all: Vec<Trace>, now: u64) {
        for trace in all {
            self.records += trace.len();
            if trace.part == Part::Late {
                self.late += trace.len();
            } else {
                self.closings.push((now, trace.id.0[15], trace.facts.closed_by, trace.len()));
            }
        }
    }

    fn advance(&mut self, part: &mut dyn Processor, now: u64) {
        while let Some(due) = part.due().filter(|due| due.0 <= now) {
            let out = flush(part, Flush::Due, due, usize::MAX);
            self.see(traces([out]), due.0);
        }
    }
}

fn ends(a: u64, of: &[Closing]) -> Vec<Closing> {
    let mut ends: Vec<Closing> = of.iter().filter(|(now, ..)| *now <= a).copied().collect();
    ends.sort_by_key(|(now, trace, ..)| (*now, *trace));
    ends
}

proptest! {
    #[test]
    fn every_trace_closes_once_when_and_why_the_model_says_and_every_record_comes_out_once(steps in prop::collection::vec(step(), 1..120)) {
        let mut part = correlate("remember: 10h");
        let (mut model, mut seen, mut now, mut sent) = (Model::default(), Seen::default(), at(0).0, 0);
        for step in &steps {
            now += step.wait * MILLISECOND;
            model.advance(now);
            seen.advance(part.as_mut(), now);
            for _ in 0..step.times {
                model.take(step, now);
                let flow = if step.span == 0 {
                    logs("shop", vec![log(step.trace, step.parent, 9, "hello")], Ack::none())
                } else {
                    spans("shop", vec![span(step.trace, step.span, step.parent, "")], Ack::none())
                };
                seen.see(traces([run(part.as_mut(), flow, Time(now))]), now);
                sent += 1;
            }
        }
        now += 100_000 * MILLISECOND;
        model.advance(now);
        seen.advance(part.as_mut(), now);
        prop_assert_eq!(ends(now, &seen.closings), ends(now, &model.closings));
        prop_assert_eq!((seen.late, seen.records), (model.late, sent));
        prop_assert_eq!(part.held(), pipeline::Held::NONE);
        let once: BTreeSet<u8> = seen.closings.iter().map(|(_, trace, ..)| *trace).collect();
        prop_assert_eq!(once.len(), seen.closings.len(), "a trace closes once");
    }
}

/// A hundred thousand spans of one trace, in requests of a thousand, among requests of others.
#[test]
fn a_giant_trace_harms_no_other() {
    let story = |giant: bool| {
        let mut part = correlate("{}");
        let mut seen = Vec::new();
        let (mut total, mut late) = (0, 0);
        for request in 0..100_u32 {
            let now = Time(at(0).0 + u64::from(request) * 100 * MILLISECOND);
            let mut calls = Vec::new();
            while let Some(due) = part.due().filter(|due| *due <= now) {
                calls.push((due, flush(part.as_mut(), Flush::Due, due, usize::MAX)));
            }
            if giant {
                let numbered = |n: u32| {
                    let number = u64::from(request * 1_000 + n + 10).to_be_bytes().to_vec();
                    opentelemetry_proto::tonic::trace::v1::Span { span_id: number, ..span(200, 1, 99, "") }
                };
                calls.push((now, run(part.as_mut(), spans("batch", (0..1_000).map(numbered).collect(), Ack::none()), now)));
            }
            let trace = u8::try_from(request).unwrap() + 1;
            calls.push((now, run(part.as_mut(), spans("shop", vec![span(trace, 1, 0, ""), span(trace, 2, 1, "")], Ack::none()), now)));
            for (when, call) in calls {
                for trace in traces([call]) {
                    if trace.id == id(200) {
                        total += trace.len();
                        late += usize::from(trace.part == Part::Late);
                        assert!(trace.len() < 34_000, "it is closed at the cap");
                    } else {
                        seen.push((when, trace.id, trace.part, trace.facts.closed_by, trace.len()));
                    }
                }
            }
        }
        let held = part.held();
        (seen, total, late, held)
    };
    let (alone, ..) = story(false);
    let (among, total, late, held) = story(true);
    assert_eq!(alone, among, "the others close when and as they would without it");
    assert_eq!((alone.len(), total, late), (80, 100_000, 68));
    assert!(held.bytes < 1 << 20, "{held:?}");
}
