//! kill -9 with ten thousand open traces, a limit among the rules: store and next hop have the same traces, whole, each as it was decided once.

use crate::{LISTENERS, items::Chance};
use kit::Kansoku;
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use parking_lot::Mutex;
use prost::Message;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Traces of a request.
const GROUP: u64 = 100;
/// Open when it is killed, at the least.
const OPEN_MIN: u64 = 10_000;
/// Traces that are sent in each life at the least: of a life that begins with those of the last one, in the last.
const LIFE_MIN: u64 = 4_000;
const LAST: u64 = 12_000;
const CLIENTS: usize = 3;
/// A group whose requests lie so far apart, on a machine with much else to do, may be closed before its last one comes.
const APART_MAX: Duration = Duration::from_secs(15);
/// How long what is open may take to arrive once nothing is in its way.
const WITHIN: Duration = Duration::from_secs(180);

/// A root, a child that may fail, and two logs, in three requests.
#[derive(Clone, Copy)]
struct Traces {
    seed: u64,
}

impl Traces {
    fn id(self, trace: u64) -> [u8; 16] {
        let mut chance = Chance::new(self.seed ^ (trace << 20));
        (u128::from(chance.next(u64::MAX)) << 64 | u128::from(chance.next(u64::MAX))).to_be_bytes()
    }

    fn fails(trace: u64) -> bool {
        trace % 50 == 7
    }

    /// Few enough traces for one answer of the query API.
    fn service(group: u64) -> String {
        format!("open-{}", group / 50)
    }

    fn spans(self, group: u64, root: bool) -> Vec<u8> {
        let now = kit::otlp::now();
        let span = |trace: u64| {
            let (own, parent) = if root { (1, Vec::new()) } else { (2, vec![1; 8]) };
            let failed = !root && Traces::fails(trace);
            Span {
                trace_id: self.id(trace).to_vec(),
                span_id: vec![own; 8],
                parent_span_id: parent,
                name: if root { "GET /".to_owned() } else { "SELECT".to_owned() },
                start_time_unix_nano: now - 1_000_000,
                end_time_unix_nano: now,
                status: failed.then(|| Status { message: "no".to_owned(), code: 2 }),
                ..Span::default()
            }
        };
        let scope_spans = vec![ScopeSpans { spans: (group * GROUP..(group + 1) * GROUP).map(span).collect(), ..ScopeSpans::default() }];
        let resource = Some(resource(group));
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }] }
            .encode_to_vec()
    }

    fn logs(self, group: u64) -> Vec<u8> {
        let now = kit::otlp::now();
        let log = |(trace, n): (u64, u8)| LogRecord {
            time_unix_nano: now,
            severity_number: 9,
            body: Some(AnyValue { value: Some(Value::StringValue(format!("log {n}"))) }),
            trace_id: self.id(trace).to_vec(),
            span_id: vec![n; 8],
            ..LogRecord::default()
        };
        let log_records = (group * GROUP..(group + 1) * GROUP).flat_map(|trace| [(trace, 1), (trace, 2)]).map(log).collect();
        let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
        let resource = Some(resource(group));
        ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }] }.encode_to_vec()
    }
}

fn resource(group: u64) -> Resource {
    let value = Some(AnyValue { value: Some(Value::StringValue(Traces::service(group))) });
    Resource { attributes: vec![KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() }], ..Resource::default() }
}

/// Clients that send group after group below a limit, each request until it is acknowledged.
struct Senders {
    traces: Traces,
    to: Mutex<Option<SocketAddr>>,
    next: AtomicU64,
    limit: AtomicU64,
    done: AtomicU64,
    stop: AtomicBool,
    /// Groups that took longer than `APART_MAX`.
    slow: Mutex<BTreeSet<u64>>,
}

impl Senders {
    fn start(traces: Traces) -> Arc<Senders> {
        let (next, limit, done, stop, slow, to) = Default::default();
        let senders = Arc::new(Senders { traces, to, next, limit, done, stop, slow });
        for _ in 0..CLIENTS {
            let senders = Arc::clone(&senders);
            thread::spawn(move || senders.run());
        }
        senders
    }

    fn run(&self) {
        let below = |next: u64| (next < self.limit.load(Ordering::Acquire)).then_some(next + 1);
        while !self.stop.load(Ordering::Acquire) {
            let Ok(group) = self.next.fetch_update(Ordering::AcqRel, Ordering::Acquire, below) else {
                thread::sleep(Duration::from_millis(5));
                continue;
            };
            let begun = Instant::now();
            let requests = [
                ("/v1/traces", self.traces.spans(group, true)),
                ("/v1/logs", self.traces.logs(group)),
                ("/v1/traces", self.traces.spans(group, false)),
            ];
            for (path, body) in requests {
                while !self.send(path, &body) {
                    if self.stop.load(Ordering::Acquire) {
                        return;
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            }
            if begun.elapsed() > APART_MAX {
                self.slow.lock().insert(group);
            }
            self.done.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn send(&self, path: &str, body: &[u8]) -> bool {
        let to = *self.to.lock();
        let headers = [("content-type", "application/x-protobuf")];
        to.is_some_and(|to| kit::http::try_send(to, "POST", path, &headers, body).is_ok_and(|answer| answer.status == 200))
    }

    /// Waits for so many groups in all, and until `enough`.
    fn wait(&self, groups: u64, enough: impl Fn() -> bool) {
        let end = Instant::now() + WITHIN;
        while self.done.load(Ordering::Acquire) < groups || !enough() {
            assert!(Instant::now() < end, "clients hear no yes");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What is known of a trace at the next hop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Arrived {
    spans: BTreeSet<Vec<u8>>,
    logs: BTreeSet<String>,
    /// Every threshold that its spans and logs ever told.
    thresholds: BTreeSet<String>,
    unjoined: BTreeSet<String>,
}

type ByTrace = BTreeMap<String, Arrived>;

/// A next hop that gathers traces.
fn next_hop() -> (String, Arc<Mutex<ByTrace>>) {
    let arrived = Arc::new(Mutex::new(ByTrace::new()));
    let shared = Arc::clone(&arrived);
    let at = kit::http::serve(move |path, body| {
        take(&mut shared.lock(), path, body);
        200
    });
    (format!("http://{at}"), arrived)
}

fn take(arrived: &mut ByTrace, path: &str, body: &[u8]) {
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if path == "/v1/traces" {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let spans = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
        for span in spans {
            let trace = arrived.entry(hex(&span.trace_id)).or_default();
            trace.thresholds.insert(span.trace_state.strip_prefix("ot=th:").unwrap_or("0").to_owned());
            trace.spans.insert(span.span_id);
        }
        return;
    }
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    for log in request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records) {
        let text = |key: &str| {
            let pair = log.attributes.iter().find(|pair| pair.key == key)?;
            match &pair.value.as_ref()?.value {
                Some(Value::StringValue(text)) => Some(text.clone()),
                _ => None,
            }
        };
        let trace = arrived.entry(hex(&log.trace_id)).or_default();
        trace.thresholds.insert(text("sampling.threshold").unwrap_or_else(|| "0".to_owned()));
        let body = hex(&log.span_id);
        if text("correlation.state").as_deref() != Some("joined") {
            trace.unjoined.insert(body.clone());
        }
        trace.logs.insert(body);
    }
}

/// What a run came to.
struct Outcome {
    sent: u64,
    kept: u64,
    joined: f64,
}

/// Sends traces over so many lives, each of which ends with a kill, and judges what arrived.
fn run(seed: u64, kills: u64) -> Outcome {
    let (traces, folder, (url, hop)) = (Traces { seed }, tempfile::tempdir().unwrap(), next_hop());
    let pipeline = format!(
        "journal: {{ path: journal, limit: 1GiB }}{LISTENERS}
processors:
  traces: {{ type: correlate, inputs: [otlp], close: {{ after_root: 20s, idle: 20s, after_first: 60s }} }}
  kept:
    type: sample
    inputs: [traces]
    rules: [{{ name: errors, when: .error, keep: 100% }}, {{ name: rest, keep: 50%, at_most: 400/s }}]
sinks:
  store: {{ inputs: [kept], path: store }}
  next: {{ type: otlp, inputs: [kept], endpoint: '{url}', protocol: http, compression: none }}
"
    );
    let (senders, mut chance) = (Senders::start(traces), Chance::new(seed));
    senders.limit.store(u64::MAX, Ordering::Release);
    for _ in 0..kills {
        let kansoku = Kansoku::run(folder.path(), &pipeline);
        *senders.to.lock() = Some(kansoku.http());
        let open = || u64::try_from(kansoku.count("traces", "traces", "held")).unwrap() / 2;
        let groups = senders.done.load(Ordering::Acquire) + (LIFE_MIN + chance.next(LIFE_MIN)) / GROUP;
        senders.wait(groups, || open() >= OPEN_MIN);
        thread::sleep(Duration::from_millis(chance.next(200)));
        *senders.to.lock() = None;
        kansoku.signal("KILL");
        assert_eq!(kansoku.ended().code, 137, "it was killed, and did not end by itself");
    }
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    let groups = senders.next.load(Ordering::Acquire) + LAST / GROUP;
    senders.limit.store(groups, Ordering::Release);
    *senders.to.lock() = Some(kansoku.http());
    senders.wait(groups, || true);
    senders.stop.store(true, Ordering::Release);
    settle(&kansoku);
    if kills > 0 {
        println!("seed {seed}: killed {kills} times, each time with {OPEN_MIN} open traces at the least");
    }
    let outcome = judge(&traces, &kansoku, &hop.lock(), groups, &senders.slow.lock());
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
    outcome
}

/// Waits until no trace is open and everything is delivered.
fn settle(kansoku: &Kansoku) {
    let end = Instant::now() + WITHIN;
    loop {
        let held: i64 =
            ["traces", "store", "next"].iter().flat_map(|node| ["traces", "logs"].map(|signal| kansoku.count(node, signal, "held"))).sum();
        if held == 0 {
            return;
        }
        assert!(Instant::now() < end, "{held} records are still held");
        thread::sleep(Duration::from_millis(200));
    }
}

fn judge(traces: &Traces, kansoku: &Kansoku, hop: &ByTrace, groups: u64, slow: &BTreeSet<u64>) -> Outcome {
    let mut stored: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    for service in (0..groups).map(Traces::service).collect::<BTreeSet<_>>() {
        let said = kansoku.ask(&["query", "traces", "--service", &service, "--since", "24h", "--limit", "10000", "--json"]);
        for line in said.out.lines() {
            let trace: serde_json::Value = serde_json::from_str(line).unwrap();
            let before = stored.insert(trace["trace_id"].as_str().unwrap().to_owned(), trace);
            assert!(before.is_none(), "one trace is two: {before:?}");
        }
    }
    let (in_store, at_hop): (BTreeSet<_>, BTreeSet<_>) = (stored.keys().collect(), hop.keys().collect());
    assert_eq!(in_store.len(), at_hop.len(), "the store and the next hop have other traces");
    assert!(in_store == at_hop, "the store and the next hop have other traces");
    let hex = |trace: u64| traces.id(trace).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(slow.len() as u64 * 20 <= groups, "{} of {groups} groups took longer than {APART_MAX:?}", slow.len());
    let slow: BTreeSet<String> = slow.iter().flat_map(|group| group * GROUP..(group + 1) * GROUP).map(hex).collect();
    let (mut logs, mut unjoined) = (0, 0);
    for (id, arrived) in hop.iter().filter(|(id, _)| !slow.contains(*id)) {
        let trace = &stored[id];
        let why = || kansoku.ask(&["why", id]).out;
        assert_eq!((arrived.spans.len(), arrived.logs.len()), (2, 2), "trace {id} is not whole: {arrived:?}, {trace}, {}", why());
        assert_eq!((&trace["span_count"], &trace["log_count"]), (&2.into(), &2.into()), "trace {id} is not whole: {trace}");
        assert_eq!(arrived.thresholds.len(), 1, "trace {id} was decided more than once: {arrived:?}");
        let told = trace["threshold"].as_str().unwrap_or("0");
        assert_eq!(arrived.thresholds.first().map(String::as_str), Some(told), "the store knows another decision of {id}: {trace}");
        (logs, unjoined) = (logs + arrived.logs.len(), unjoined + arrived.unjoined.len());
    }
    let lost: Vec<u64> = (0..groups * GROUP).filter(|trace| Traces::fails(*trace) && !hop.contains_key(&hex(*trace))).collect();
    let why = lost.first().map(|trace| (slow.contains(&hex(*trace)), kansoku.ask(&["why", &hex(*trace)]).out));
    assert!(lost.is_empty(), "{} error traces were lost: {lost:?}; (sent slowly, why) of the first: {why:?}", lost.len());
    let gone = (0..groups * GROUP).rev().map(hex).find(|id| !hop.contains_key(id)).unwrap();
    let why = kansoku.ask(&["why", &gone]);
    assert!(why.code == 0 && why.out.contains("`kept` discarded it") && why.out.contains("rule `rest` keeps"), "{why:?}");
    let joined = 1.0 - unjoined as f64 / logs as f64;
    println!(
        "{} traces sent, {} too slowly; {} kept, all whole and in both places; {:.4} of {logs} logs joined",
        groups * GROUP,
        slow.len(),
        hop.len(),
        joined
    );
    Outcome { sent: groups * GROUP, kept: hop.len() as u64, joined }
}

/// Over a minute of a debug build on a machine that has nothing else to do; `KILLS=3` is for those in a hurry.
fn kills() -> u64 {
    std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

#[test]
fn killed_with_ten_thousand_open_traces_it_decides_each_once_and_sends_the_same_everywhere() {
    let seed = std::env::var("ORACLE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(61);
    let (disturbed, undisturbed) = thread::scope(|scope| {
        let undisturbed = scope.spawn(|| run(seed, 0));
        (run(seed + 1, kills()), undisturbed.join().unwrap())
    });
    assert!(undisturbed.kept * 10 > undisturbed.sent / 10 && disturbed.kept < disturbed.sent, "the rules keep some and not all");
    assert!(
        disturbed.joined >= 0.999 * undisturbed.joined,
        "{} of the logs were joined, undisturbed {}",
        disturbed.joined,
        undisturbed.joined
    );
}
