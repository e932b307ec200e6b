//! `of: logs | spans | metrics`: records one by one. A record of a trace is kept by its trace id, consistently with every other stage; one without by its bytes.

use super::{Of, Ready};
use pipeline::{Out, Processor, Reason};
use signal::{Decision, Flow, Item, Record, Signal, Time, ids};
use xxhash_rust::xxh3::xxh3_64;

/// A sampler of single records.
pub(super) struct SamplingRecords {
    rules: Vec<Ready>,
    signal: Signal,
}

impl SamplingRecords {
    pub(super) fn new(rules: Vec<Ready>, of: Of) -> SamplingRecords {
        let signal = match of {
            Of::Traces | Of::Spans => Signal::Traces,
            Of::Logs => Signal::Logs,
            Of::Metrics => Signal::Metrics,
        };
        SamplingRecords { rules, signal }
    }

    fn threshold(&self, record: &Record<'_>, now: Time) -> Option<u64> {
        self.rules.iter().find(|rule| rule.when.as_ref().is_none_or(|when| when.meets(record, now))).map(|rule| rule.threshold)
    }
}

impl Processor for SamplingRecords {
    fn process(&mut self, mut flow: Flow, out: &mut Out<'_>) {
        let now = out.now();
        if let Flow::Batch(batch) = &mut flow
            && batch.signal() == self.signal
        {
            let mut ruleless = 0;
            let gone = batch.retain(|record| match self.threshold(&record, now) {
                Some(threshold) => randomness(&record) >= threshold,
                None => {
                    ruleless += 1;
                    false
                }
            });
            out.discarded(self.signal, ruleless, Reason::NO_RULE);
            out.discarded(self.signal, gone - ruleless, Reason::SAMPLED);
        }
        out.send(flow);
    }
}

fn randomness(record: &Record<'_>) -> u64 {
    let hashed = |bytes: &[u8]| xxh3_64(bytes) & (Decision::DROP - 1);
    match &record.item {
        Item::Span(span) => span.trace_id().randomness(),
        Item::Log(log) => ids::find(log).map_or_else(|| hashed(log.bytes()), |found| found.trace.randomness()),
        Item::Point(_, point) => hashed(point.bytes()),
    }
}
