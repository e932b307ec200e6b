//! `of: logs | spans | metrics`: records one by one. A record of a trace is kept by its trace id, consistently with every other stage; one without by its bytes.

use super::{
    Randomness, Unmarked,
    asked::Asked,
    stage::Stage,
    told::{Before, Mark, hash},
};
use crate::fullness::{self, Room};
use expression::Getter;
use pipeline::{Out, Processor, Reason, Tally};
use signal::{Batch, Flow, Item, Record, Signal, Time};

/// A sampler of single records.
pub(super) struct SamplingRecords {
    pub(super) stage: Stage,
    pub(super) room: Room,
    pub(super) signal: Signal,
    pub(super) randomness: Randomness,
    /// The field that records which are kept together have in common.
    pub(super) together: Option<Getter>,
    pub(super) unmarked: Unmarked,
}

impl Processor for SamplingRecords {
    fn process(&mut self, mut flow: Flow, out: &mut Out<'_>) {
        if let Flow::Batch(batch) = &mut flow
            && batch.signal() == self.signal
        {
            self.sample(batch, out);
        }
        out.send(flow);
    }
}

impl SamplingRecords {
    fn sample(&mut self, batch: &mut Batch, out: &mut Out<'_>) {
        let now = out.now();
        let room = self.room.share(now);
        fullness::word(room).into_iter().for_each(|share| out.tally(Tally::Pressure, share, batch.len()));
        let (mut ruleless, mut marks) = (0, Vec::new());
        let gone = batch.retain(|record| match self.mark(&record, room, now) {
            Some((true, mark)) => {
                marks.push(mark);
                true
            }
            Some((false, _)) => false,
            None => {
                ruleless += 1;
                false
            }
        });
        out.discarded(self.signal, ruleless, Reason::NO_RULE);
        out.discarded(self.signal, gone - ruleless, Reason::SAMPLED);
        if self.signal == Signal::Metrics || marks.iter().all(|mark| mark.threshold == 0) {
            return;
        }
        let mut marks = marks.into_iter();
        batch.edit(|record, edit| match (&record.item, marks.next()) {
            (Item::Span(span), Some(mark)) => {
                mark.span(span.trace_state(), edit);
            }
            (Item::Log(log), Some(mark)) => mark.log(log, edit),
            _ => {}
        });
    }

    /// Whether it is kept, and what is to be written on it.
    fn mark(&self, record: &Record<'_>, room: f64, now: Time) -> Option<(bool, Mark)> {
        let asked = Asked::Record(record);
        let hashed = self.together.as_ref().and_then(|getter| asked.text(getter)).map(|text| hash(text.as_bytes()));
        let before = Before::of_record(record, self.randomness, hashed);
        let verdict = self.stage.decide(asked, before, room, now)?;
        let from_id = match &record.item {
            Item::Span(span) => Some(span.trace_id().randomness()),
            Item::Log(log) => log.trace_id().map(|id| id.randomness()),
            Item::Point(..) => None,
        };
        let (threshold, randomness) = (verdict.threshold, before.randomness);
        let told = Some(randomness).filter(|randomness| from_id != Some(*randomness));
        Some((randomness >= threshold, Mark { threshold, randomness, told, unmarked: self.unmarked }))
    }
}
