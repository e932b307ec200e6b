//! 20 % DEBUG, 65 % INFO, 10 % WARN, 5 % ERROR; half of the records name a span.

use super::{
    attributes::{ROUTES, SERVICES, now, number, pair, resource, scope, text},
    chance::Chance,
    template::{Fate, TIME_MARK, Template, marked_id},
};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::Message;

const LINES: [&str; 6] = [
    "request completed",
    "cache miss for key product:8231, reading through",
    "retrying upstream call after connection reset, attempt 2 of 5",
    "order placed id=4f1e77c2 items=3 total=129.90 currency=EUR",
    "slow query: SELECT * FROM orders WHERE customer_id = $1 ORDER BY created_at DESC LIMIT 50",
    "user session refreshed",
];

pub(super) fn request(items: usize, chance: &mut Chance) -> Template {
    let now = now();
    let (mut left, mut traces, mut unfiltered, mut resource_logs) = (items, 0, 0, Vec::new());
    for service in SERVICES {
        let records: Vec<LogRecord> = (0..items.div_ceil(4).min(left)).map(|_| record(now, &mut traces, chance)).collect();
        if records.is_empty() {
            continue;
        }
        left -= records.len();
        unfiltered += records.iter().filter(|record| record.severity_number >= 9).count() as u64;
        resource_logs.push(ResourceLogs {
            resource: resource(service, chance),
            scope_logs: vec![ScopeLogs { scope: scope("com.example.shop"), log_records: records, ..Default::default() }],
            ..Default::default()
        });
    }
    let bytes = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
    Template::new(bytes, items, Fate { unfiltered, remarkable: 0 }, now)
}

fn record(now: u64, traces: &mut u32, chance: &mut Chance) -> LogRecord {
    let (severity_number, word) = match chance.below(100) {
        0..20 => (5, "DEBUG"),
        20..85 => (9, "INFO"),
        85..95 => (13, "WARN"),
        _ => (17, "ERROR"),
    };
    let mut record = LogRecord {
        time_unix_nano: now - chance.below(1_000_000_000),
        observed_time_unix_nano: TIME_MARK,
        severity_number,
        severity_text: word.into(),
        body: text(format!("{} ({} ms)", chance.pick(&LINES), chance.below(2000))),
        attributes: vec![
            pair("log.logger", "com.example.shop.OrderController"),
            pair("thread.name", format!("http-nio-8080-exec-{}", chance.below(64))),
            pair("http.route", chance.pick(&ROUTES)),
            number("http.response.status_code", if severity_number == 17 { 500 } else { 200 }),
            pair("client.address", format!("203.0.113.{}", chance.below(255))),
        ],
        ..Default::default()
    };
    if chance.percent(50) {
        record.trace_id = marked_id(*traces);
        record.span_id = chance.next().to_be_bytes().to_vec();
        record.flags = 1;
        *traces += 1;
    }
    record
}
