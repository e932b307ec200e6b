//! The small oracle: numbered spans and logs, kill -9 in the middle of it, and what was acknowledged is in the store afterwards, each record once.

use crate::durable;
use kit::{
    Kansoku, http,
    otlp::{self, End},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

const LIVES: u64 = 3;
const CLIENTS: u64 = 4;
/// Requests that a life gets a yes for before it is killed.
const ACKNOWLEDGED: u64 = 60;
/// Spans of a request.
const SPANS: u64 = 5;

#[test]
fn what_was_acknowledged_before_kill_9_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for life in 0..LIVES {
        let kansoku = Kansoku::run(folder.path(), &durable());
        acknowledged.extend(sent_until_killed(kansoku, life * 1_000_000));
    }
    assert!(acknowledged.len() as u64 >= LIVES * ACKNOWLEDGED);
    let kansoku = Kansoku::run(folder.path(), &durable());
    let stored = kansoku.ask_until(&["query", "logs", "--limit", "10000", "--json"], |said| {
        let stored = lines_by_number(&said.out);
        acknowledged.iter().all(|number| stored.contains_key(number)).then_some(stored)
    });
    let repeated: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
    assert!(repeated.is_empty(), "stored more than once: {repeated:?}");
    the_spans_are_there_once(&kansoku, &acknowledged);
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

/// Clients send until enough was answered with yes, then the process is killed under them; returns the numbers it said yes to.
fn sent_until_killed(kansoku: Kansoku, from: u64) -> Vec<u64> {
    let (next, yes, gone) = (AtomicU64::new(from), AtomicU64::new(0), AtomicBool::new(false));
    let to = kansoku.http();
    thread::scope(|scope| {
        let client = || {
            let mut acknowledged = Vec::new();
            while !gone.load(Ordering::Acquire) {
                let number = next.fetch_add(SPANS, Ordering::AcqRel);
                if sends(to, number) {
                    acknowledged.push(number);
                    yes.fetch_add(1, Ordering::AcqRel);
                }
            }
            acknowledged
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        kit::until("enough was acknowledged", || (yes.load(Ordering::Acquire) >= ACKNOWLEDGED).then_some(()));
        kansoku.signal("KILL");
        gone.store(true, Ordering::Release);
        assert_eq!(kansoku.ended().code, 137);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// Five spans and a log on the first of them; whether both were answered with yes.
fn sends(to: SocketAddr, number: u64) -> bool {
    let yes = |path: &str, body: &[u8]| {
        let headers = [("content-type", "application/x-protobuf")];
        http::try_send(to, "POST", path, &headers, body).is_ok_and(|answer| answer.status == 200)
    };
    yes("/v1/traces", &otlp::spans(number..number + SPANS, End::Well))
        && yes("/v1/logs", &otlp::log(&format!("number {number}"), "INFO", Some(number)))
}

fn lines_by_number(lines: &str) -> BTreeMap<u64, u32> {
    let mut stored = BTreeMap::new();
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = line["message"].as_str().unwrap().strip_prefix("number ").unwrap().parse().unwrap();
        *stored.entry(number).or_default() += 1;
    }
    stored
}

/// Every span of an acknowledged request has a trace with exactly one span, and the table has no more rows than there are traces.
fn the_spans_are_there_once(kansoku: &Kansoku, acknowledged: &BTreeSet<u64>) {
    let wanted: BTreeSet<String> = acknowledged.iter().flat_map(|number| (*number..number + SPANS).map(otlp::trace_hex)).collect();
    let spans = kansoku.ask_until(&["query", "traces", "--limit", "10000", "--json"], |said| {
        let mut spans = BTreeMap::new();
        for line in said.out.lines() {
            let trace: serde_json::Value = serde_json::from_str(line).unwrap();
            *spans.entry(trace["trace_id"].as_str().unwrap().to_owned()).or_insert(0) += trace["span_count"].as_u64().unwrap();
        }
        wanted.iter().all(|id| spans.contains_key(id)).then_some(spans)
    });
    let wrong: Vec<_> = spans.iter().filter(|(_, count)| **count != 1).collect();
    assert!(wrong.is_empty(), "traces without exactly one span: {wrong:?}");
    let status = kansoku.status();
    assert_eq!(status["stores"][0]["tables"]["spans"]["rows"], spans.len(), "rows and distinct spans: {status}");
}
