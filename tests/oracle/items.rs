//! Items by number. A request is a block of numbers, and everything in it follows from its number and the run's seed, so that whoever sees an item can tell what it should be.

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;

/// Numbers of a block; a request uses the first few.
const BLOCK: u64 = 64;
/// Spans of a trace: the first is the root of the others.
const TRACE: u64 = 4;
/// Blocks of one service, few enough for one answer of the query API.
const SERVICE_BLOCKS: u64 = 256;

/// Pseudo-random choices that a seed repeats (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// Below `below`.
    pub(crate) fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0) % below
    }
}

fn mix(number: u64) -> u64 {
    let a = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

/// All items of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items {
    pub(crate) seed: u64,
    /// When the first of them happened, nanoseconds.
    epoch: u64,
    /// Text in every item, at the most.
    text_bytes_max: u64,
}

impl Items {
    /// Of a run whose seed is `ORACLE_SEED`, else this.
    pub(crate) fn new(seed: u64, text_bytes_max: u64) -> Items {
        let seed = std::env::var("ORACLE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(seed);
        eprintln!("ORACLE_SEED={seed}");
        Items { seed, epoch: kit::otlp::now(), text_bytes_max }
    }

    /// Items of a request.
    pub(crate) fn count(&self, block: u64) -> u64 {
        1 + mix(self.seed ^ block) % 24
    }

    /// The numbers of a request.
    pub(crate) fn numbers(&self, block: u64) -> std::ops::Range<u64> {
        block * BLOCK..block * BLOCK + self.count(block)
    }

    /// The request of a number.
    pub(crate) fn block(number: u64) -> u64 {
        number / BLOCK
    }

    /// Whether a request is spans; else it is logs.
    pub(crate) fn is_spans(block: u64) -> bool {
        block.is_multiple_of(2)
    }

    /// The service of a request.
    pub(crate) fn service(block: u64) -> String {
        format!("oracle-{}", block / SERVICE_BLOCKS)
    }

    /// The services of all requests below a block.
    pub(crate) fn services(blocks: u64) -> impl Iterator<Item = String> {
        (0..blocks.div_ceil(SERVICE_BLOCKS)).map(|service| Items::service(service * SERVICE_BLOCKS))
    }

    /// A request's bytes.
    pub(crate) fn request(&self, block: u64) -> Vec<u8> {
        let resource = Some(Resource { attributes: vec![text("service.name", Items::service(block))], ..Resource::default() });
        if Items::is_spans(block) {
            let spans = self.numbers(block).map(|number| self.span(number)).collect();
            let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
            ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }] }
                .encode_to_vec()
        } else {
            let log_records = self.numbers(block).map(|number| self.log(number)).collect();
            let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
            ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }] }
                .encode_to_vec()
        }
    }

    /// The span of a number.
    pub(crate) fn span(&self, number: u64) -> Span {
        let root = number - number % TRACE;
        let start = self.time(number);
        Span {
            trace_id: self.trace_id(number),
            span_id: (number + 1).to_be_bytes().to_vec(),
            parent_span_id: if number == root { Vec::new() } else { (root + 1).to_be_bytes().to_vec() },
            name: format!("item {number}"),
            kind: 2,
            start_time_unix_nano: start,
            end_time_unix_nano: start + 1_000 + number % 1_000,
            attributes: vec![text("filler", self.filler(number))],
            ..Span::default()
        }
    }

    /// The log record of a number.
    pub(crate) fn log(&self, number: u64) -> LogRecord {
        LogRecord {
            time_unix_nano: self.time(number),
            observed_time_unix_nano: self.time(number) + 1,
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: Some(AnyValue { value: Some(Value::StringValue(self.body(number))) }),
            attributes: vec![text("number", number.to_string())],
            ..LogRecord::default()
        }
    }

    /// The body of the log record of a number.
    pub(crate) fn body(&self, number: u64) -> String {
        format!("item {number} {}", self.filler(number))
    }

    /// The number that a text of ours begins with.
    pub(crate) fn number_in(text: &str) -> Option<u64> {
        text.strip_prefix("item ")?.split(' ').next()?.parse().ok()
    }

    /// The traces of a request: their ids in hex, and how many spans each has.
    pub(crate) fn traces(&self, block: u64) -> impl Iterator<Item = (String, u64)> {
        let numbers = self.numbers(block);
        numbers.clone().step_by(4).map(move |root| {
            let hex = self.trace_id(root).iter().map(|byte| format!("{byte:02x}")).collect();
            (hex, TRACE.min(numbers.end - root))
        })
    }

    fn trace_id(&self, number: u64) -> Vec<u8> {
        (u128::from(mix(self.seed) | 1) << 64 | u128::from(number / TRACE + 1)).to_be_bytes().to_vec()
    }

    fn time(&self, number: u64) -> u64 {
        self.epoch + number * 1_000
    }

    fn filler(&self, number: u64) -> String {
        let mixed = mix(self.seed ^ number);
        let length = usize::try_from(mixed % self.text_bytes_max).unwrap();
        let mut filler = format!("{mixed:016x}").repeat(length / 16 + 1);
        filler.truncate(length);
        filler
    }
}

fn text(key: &str, value: String) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::StringValue(value)) }), ..KeyValue::default() }
}
