//! What the clients of a simulation say: traces in pieces, in any order and over time, each piece again until it is acknowledged.

use crate::parts::{Answer, Trial};
use bytes::Bytes;
use pipeline::testing::Chance;
use serde_json::{Value, json};
use signal::{Record, Signal, TraceId, codec::json::to_protobuf};
use std::collections::{BTreeMap, BTreeSet};
use tokio::{sync::oneshot::error::TryRecvError, time::Instant};

/// What has not been sent so long after its trace was begun is sent now: a decision is not remembered for ever.
const AGE_SECONDS_MAX: u64 = 20;

/// A span or a log, told apart by its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) trace: u64,
    pub(crate) piece: u64,
    /// A span that failed.
    pub(crate) failed: bool,
}

impl Item {
    /// By what was written into it.
    pub(crate) fn of(record: &Record<'_>) -> Item {
        let text = match &record.item {
            signal::Item::Span(span) => span.attributes().get("item").and_then(|value| value.text()).unwrap_or_default(),
            signal::Item::Log(log) => log.message().unwrap_or_default(),
            signal::Item::Point(..) => "",
        };
        let mut words = text.split(' ');
        let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("who sent `{text}`?"));
        let (trace, piece) = (number(), number());
        Item { trace, piece, failed: text.ends_with("failed") }
    }

    fn text(&self) -> String {
        format!("{} {}{}", self.trace, self.piece, if self.failed { " failed" } else { "" })
    }
}

struct Request {
    signal: Signal,
    bytes: Bytes,
    items: Vec<Item>,
}

pub(crate) struct Said {
    seed: u64,
    next: u64,
    numbers: BTreeMap<TraceId, u64>,
    /// Not sent yet, with when its trace was begun.
    pieces: Vec<(Instant, Item)>,
    waiting: Vec<(Request, Answer)>,
    /// Nothing was heard of them, or a no.
    again: Vec<Request>,
    acknowledged: BTreeSet<Item>,
}

impl Said {
    pub(crate) fn new(seed: u64) -> Said {
        let (next, numbers, pieces, waiting, again, acknowledged) = Default::default();
        Said { seed, next, numbers, pieces, waiting, again, acknowledged }
    }

    fn id(&self, trace: u64) -> TraceId {
        let mut chance = Chance(self.seed << 32 ^ trace);
        TraceId(std::array::from_fn(|_| u8::try_from(chance.below(256)).unwrap()))
    }

    /// Which trace has this id.
    pub(crate) fn number(&self, id: TraceId) -> u64 {
        self.numbers[&id]
    }

    /// Traces of a few spans and logs, which begin with a root that comes whenever it comes.
    pub(crate) fn begin(&mut self, chance: &mut Chance) {
        for _ in 0..1 + chance.below(3) {
            let trace = self.next;
            self.next += 1;
            self.numbers.insert(self.id(trace), trace);
            let fails = chance.of(5);
            let now = Instant::now();
            self.pieces.extend((0..1 + chance.below(5)).map(|piece| (now, Item { trace, piece, failed: fails && piece == 1 })));
        }
    }

    /// Some of the pieces that are left, oldest ones in any case.
    pub(crate) async fn send(&mut self, trial: &Trial, chance: &mut Chance) {
        let mut now = Vec::new();
        self.pieces.retain(|(begun, item)| {
            let goes = chance.of(2) || begun.elapsed().as_secs() >= AGE_SECONDS_MAX;
            if goes {
                now.push(item.clone());
            }
            !goes
        });
        self.hand_in(trial, now).await;
    }

    pub(crate) async fn send_all(&mut self, trial: &Trial) {
        let all = std::mem::take(&mut self.pieces).into_iter().map(|(_, item)| item).collect();
        self.hand_in(trial, all).await;
    }

    /// Whatever of an earlier life nobody said yes to.
    pub(crate) async fn send_again(&mut self, trial: &Trial) {
        let unheard = std::mem::take(&mut self.waiting).into_iter().map(|(request, _)| request);
        for request in std::mem::take(&mut self.again).into_iter().chain(unheard).collect::<Vec<_>>() {
            let answer = trial.send(request.signal, request.bytes.clone()).await;
            self.waiting.push((request, answer));
        }
    }

    async fn hand_in(&mut self, trial: &Trial, items: Vec<Item>) {
        let (spans, logs): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|item| item.piece < 3);
        for (signal, items) in [(Signal::Traces, spans), (Signal::Logs, logs)] {
            if items.is_empty() {
                continue;
            }
            let request = Request { signal, bytes: self.encoded(signal, &items), items };
            let answer = trial.send(signal, request.bytes.clone()).await;
            self.waiting.push((request, answer));
        }
    }

    fn encoded(&self, signal: Signal, items: &[Item]) -> Bytes {
        let span_id = |piece: u64| format!("{:016x}", piece + 1);
        let record = |item: &Item| -> Value {
            let id = self.id(item.trace).to_string();
            if signal == Signal::Logs {
                return json!({ "traceId": id, "spanId": span_id(0), "body": { "stringValue": item.text() } });
            }
            let name = if item.piece == 0 && item.trace.is_multiple_of(3) { "busy" } else { "quiet" };
            json!({
                "traceId": id, "spanId": span_id(item.piece), "name": name, "status": { "code": if item.failed { 2 } else { 0 } },
                "parentSpanId": if item.piece == 0 { String::new() } else { span_id(0) },
                "attributes": [{ "key": "item", "value": { "stringValue": item.text() } }]
            })
        };
        let records: Vec<Value> = items.iter().map(record).collect();
        let request = match signal {
            Signal::Logs => json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] }),
            _ => json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": records }] }] }),
        };
        to_protobuf(signal, request.to_string().as_bytes()).unwrap()
    }

    /// Who was answered in the meantime.
    pub(crate) fn hear(&mut self) {
        for (request, mut answer) in std::mem::take(&mut self.waiting) {
            match answer.try_recv() {
                Ok(Ok(_)) => self.acknowledged.extend(request.items),
                Ok(Err(_)) | Err(TryRecvError::Closed) => self.again.push(request),
                Err(TryRecvError::Empty) => self.waiting.push((request, answer)),
            }
        }
    }

    pub(crate) fn acknowledged(&self) -> &BTreeSet<Item> {
        &self.acknowledged
    }
}
