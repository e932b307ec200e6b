//! A parcel as messages, all of them made before the first is sent: what is too large for any is said before anything is on its way.

use super::reports::Reports;
use bytes::Bytes;
use parking_lot::Mutex;
use pipeline::{Refusal, Why};
use signal::{Batch, By, Messages, Signal, keyed::Written};
use std::sync::Arc;

/// How a batch becomes messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) by: By,
    pub(super) json: bool,
    /// Of a message with its key and headers.
    pub(super) bytes_max: usize,
}

/// What a key and the headers besides the origins take at the most, and what librdkafka and brokers count around a message.
const AROUND: usize = 256;

/// All messages of a batch.
pub(super) fn prepare(batch: &Batch, form: Form, below: impl Fn(u32) -> u64) -> Result<Written, Refusal> {
    // Resource and scope are in each message anew.
    let mut written = Written::with_capacity(batch.bytes() + batch.bytes() / 2);
    let mut messages = Messages::of(batch, form.by);
    loop {
        let mark = messages.mark();
        let mut value_max = form.bytes_max.saturating_sub(AROUND);
        loop {
            if !messages.next(value_max, &below, &mut written) {
                return Ok(written);
            }
            let protobuf = written.messages().last().map_or(0, |last| written.value(last).len());
            if form.json {
                written.last_to_json(batch.signal());
            }
            let size = written.messages().last().map_or(0, |last| written.value(last).len() + written.origins(last).len() + AROUND);
            if size <= form.bytes_max {
                break;
            }
            let next_max = value_max.min(protobuf) / 2;
            let records = written.take_back().map_or(0, |last| last.records);
            if records <= 1 || next_max == 0 {
                return Err(too_large(batch.signal(), records, size, form.bytes_max));
            }
            // In JSON it grew, or many origins came along.
            (value_max, _) = (next_max, messages.return_to(mark));
        }
    }
}

fn too_large(signal: Signal, records: usize, size: usize, max: usize) -> Refusal {
    if records > 1 {
        // A metric of many points, which the runner can take apart.
        return Refusal::TooLarge { max: Some(max) };
    }
    let record = match signal {
        Signal::Traces => "span",
        Signal::Logs => "log record",
        Signal::Metrics => "data point",
    };
    Refusal::Never { why: Why(format!("a {record} makes a message of {size} bytes, and `message_bytes_max` is {max}")) }
}

/// What of a batch is to be sent: all of it, or what was not delivered before.
pub(super) struct Left {
    signal: Signal,
    /// The batch's bytes. Held, so that no other batch can lie where they lie.
    of: Vec<Bytes>,
    pub(super) written: Written,
    pub(super) reports: Arc<Reports>,
}

impl Left {
    pub(super) fn all(batch: &Batch, written: Written) -> Left {
        let reports = Reports::of(written.messages().len());
        let of = batch.chunks().iter().map(|chunk| chunk.bytes().bytes().clone()).collect();
        Left { signal: batch.signal(), of, written, reports }
    }

    /// Whether it is of this batch.
    pub(super) fn is_of(&self, batch: &Batch) -> bool {
        let chunks = batch.chunks();
        let same = |(ours, chunk): (&Bytes, &signal::Chunk)| {
            let theirs = chunk.bytes().bytes();
            (ours.as_ptr(), ours.len()) == (theirs.as_ptr(), theirs.len())
        };
        self.signal == batch.signal() && self.of.len() == chunks.len() && self.of.iter().zip(chunks).all(same)
    }

    pub(super) fn signal(&self) -> Signal {
        self.signal
    }

    /// To be tried again: what no broker has, as far as it is known.
    fn again(self) -> Left {
        Left { reports: self.reports.again(), ..self }
    }
}

/// Something to send, which is put aside for the next attempt unless somebody says that there is none.
pub(super) struct Attempt<'a> {
    left: Option<Left>,
    aside: &'a Mutex<Option<Left>>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(left: Left, aside: &'a Mutex<Option<Left>>) -> Attempt<'a> {
        Attempt { left: Some(left), aside }
    }

    pub(super) fn left(&self) -> Option<&Left> {
        self.left.as_ref()
    }

    /// Nothing of it is sent again.
    pub(super) fn end(mut self) {
        self.left = None;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            *self.aside.lock() = Some(left.again());
        }
    }
}
