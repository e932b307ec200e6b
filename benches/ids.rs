//! Nanoseconds per line of looking for a trace id: on lines that have one in each of the usual forms, and on lines that have none. `cargo bench -p signal --bench ids`.

#![expect(clippy::print_stdout, reason = "a table is what it is run for")]

use signal::ids;
use std::{hint::black_box, time::Instant};

/// Different lines of a kind, so that no branch is learned by heart.
const LINES: u64 = 500;
const ROUNDS: usize = 60;

const MESSAGES: [&str; 4] = [
    "charged the card of customer 83121 after 2 attempts",
    "GET /api/products/83121 HTTP/1.1 200 in 12 ms from 10.12.3.17",
    "connection to db-3.shop.svc.cluster.local:5432 refused, waiting 250 ms before the next attempt",
    "cart has 3 items, total 129.90 EUR, checkout begins",
];

fn mixed(n: u64) -> u64 {
    let z = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 31)
}

/// A line's own words: time, message, trace, span, and a number that looks like neither.
struct Words {
    time: String,
    message: &'static str,
    trace: String,
    span: String,
    number: u64,
}

fn words(n: u64) -> Words {
    Words {
        time: format!("2026-11-29T12:{:02}:{:02}.{:03}Z", n / 60 % 60, n % 60, mixed(n) % 1_000),
        message: MESSAGES[(mixed(n) % 4) as usize],
        trace: format!("{:016x}{:016x}", mixed(n), mixed(n + 7)),
        span: format!("{:016x}", mixed(n + 11)),
        number: mixed(n) % 1_000_000,
    }
}

/// In ns per line; of each line the best of many rounds counts, so that what else the machine does hardly shows.
#[expect(clippy::disallowed_methods, reason = "a stopwatch, not the pipeline's time")]
fn measure(what: &str, line: impl Fn(&Words) -> String, finds: impl Fn(&str) -> bool) {
    let lines: Vec<String> = (0..LINES).map(|n| line(&words(n))).collect();
    let mut best = u128::MAX;
    let mut found = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        found = lines.iter().filter(|line| finds(black_box(line))).count();
        best = start.elapsed().as_nanos().min(best);
    }
    let bytes = lines.iter().map(String::len).sum::<usize>() as f64 / LINES as f64;
    let nanos = best as f64 / LINES as f64;
    println!("{what:44} {bytes:6.0} {nanos:8.1} {:8.2} {:6.0} %", 1e3 / nanos, found as f64 * 100.0 / LINES as f64);
}

fn main() {
    println!("{:44} {:>6} {:>8} {:>8} {:>8}", "line", "bytes", "ns", "M/s", "found");
    let find = |line: &str| ids::find_in_text(line).is_some();
    let json = |w: &Words, ids: &str| {
        format!(
            r#"{{"timestamp":"{}","level":"INFO","logger":"shop.cart.Checkout","thread":"nio-8080-exec-{}","message":"{}"{ids},"customer":{}}}"#,
            w.time,
            w.number % 90,
            w.message,
            w.number
        )
    };
    measure("JSON", |w| json(w, &format!(r#","trace_id":"{}","span_id":"{}""#, w.trace, w.span)), find);
    measure("JSON, nested", |w| json(w, &format!(r#","trace":{{"id":"{}"}},"span":{{"id":"{}"}}"#, w.trace, w.span)), find);
    measure("JSON, Datadog", |w| json(w, &format!(r#","dd":{{"trace_id":"{}","span_id":"{}"}}"#, mixed(w.number), w.number)), find);
    measure("JSON, none", |w| json(w, ""), find);
    measure("JSON, none, a UUID without dashes", |w| json(w, &format!(r#","request":"{}""#, w.trace)), find);
    let logfmt = |w: &Words, ids: &str| {
        format!(r#"time={} level=info logger=shop.cart.Checkout{ids} msg="{}" customer={}"#, w.time, w.message, w.number)
    };
    measure("logfmt", |w| logfmt(w, &format!(" trace_id={} span_id={}", w.trace, w.span)), find);
    measure("logfmt, none", |w| logfmt(w, ""), find);
    let text = |w: &Words, ids: &str| format!("{}  INFO 7 --- [nio-8080-exec-3] {ids}shop.cart.Checkout : {}", w.time, w.message);
    measure("text, trace_id=", |w| text(w, &format!("trace_id={} span_id={} ", w.trace, w.span)), find);
    measure("text, traceparent without a name", |w| text(w, &format!("00-{}-{}-01 ", w.trace, w.span)), find);
    measure("text, Spring", |w| text(w, &format!("[cart,{}-{}] ", w.trace, w.span)), find);
    measure("text, X-Ray", |w| text(w, &format!("Root=1-{}-{};Sampled=1 ", &w.trace[..8], &w.trace[8..])), find);
    measure("text, none", |w| text(w, ""), find);
    measure("text, none, an MD5", |w| text(w, &format!("etag {} ", w.trace)), find);
    measure("text, none, and no candidate", |w| text(w, ""), |line| find(line) || ids::candidate_in_text(line).is_some());
    measure(
        "text, none, a candidate",
        |w| text(w, &format!("etag {} ", w.trace)),
        |line| find(line) || ids::candidate_in_text(line).is_some(),
    );
    measure("1 KiB of text, none", |w| text(w, "").repeat(8), find);
}
