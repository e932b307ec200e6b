//! Partitions that go from member to member while traces are open: each trace is decided once, by whoever has its partition, and arrives whole.

use crate::{
    alone, pipeline, shared,
    topic::{PARTITIONS, Topic, Written},
};
use kit::{Kansoku, kafka::Broker};
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
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Traces that are begun together.
const GROUP: u64 = 20;
/// The parts of a trace come so far apart.
const APART: Duration = Duration::from_millis(700);
/// Where a broker was away meanwhile, later parts may come when their trace is closed already.
const APART_MAX: Duration = Duration::from_millis(3_000);

fn mix(number: u64) -> u64 {
    let a = (number ^ (number >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

fn id(trace: u64) -> [u8; 16] {
    (u128::from(mix(trace)) << 64 | u128::from(mix(trace ^ (1 << 50)))).to_be_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fails(trace: u64) -> bool {
    trace % 20 == 7
}

fn resource(trace: u64) -> Option<Resource> {
    let value = Some(AnyValue { value: Some(Value::StringValue(format!("open-{}", trace / 5_000))) });
    Some(Resource { attributes: vec![KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() }], ..Resource::default() })
}

/// One of the three messages of a trace: the root, a child that may fail, a log.
fn message(trace: u64, part: u64) -> Written<'static> {
    let (partition, key) = (i32::try_from(trace % PARTITIONS as u64).unwrap(), Some(hex(&id(trace))));
    let now = kit::otlp::now();
    let (signal, payload) = if part < 2 {
        let (own, parent) = if part == 0 { (1, Vec::new()) } else { (2, vec![1; 8]) };
        let span = Span {
            trace_id: id(trace).to_vec(),
            span_id: vec![own; 8],
            parent_span_id: parent,
            name: "GET /".to_owned(),
            start_time_unix_nano: now - 1_000_000,
            end_time_unix_nano: now,
            status: (part == 1 && fails(trace)).then(|| Status { message: "no".to_owned(), code: 2 }),
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let group = ResourceSpans { resource: resource(trace), scope_spans, ..ResourceSpans::default() };
        ("traces", ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec())
    } else {
        let log = LogRecord {
            time_unix_nano: now,
            severity_number: 9,
            body: Some(AnyValue { value: Some(Value::StringValue("log".to_owned())) }),
            trace_id: id(trace).to_vec(),
            span_id: vec![1; 8],
            ..LogRecord::default()
        };
        let scope_logs = vec![ScopeLogs { log_records: vec![log], ..ScopeLogs::default() }];
        let group = ResourceLogs { resource: resource(trace), scope_logs, ..ResourceLogs::default() };
        ("logs", ExportLogsServiceRequest { resource_logs: vec![group] }.encode_to_vec())
    };
    Written { key, ..Topic::otlp(partition, signal, payload) }
}

/// What came of a trace.
#[derive(Clone, Debug, Default)]
struct Arrived {
    /// By span id, or `log`: how often.
    records: BTreeMap<String, u32>,
    thresholds: BTreeSet<String>,
}

type ByTrace = Arc<Mutex<BTreeMap<String, Arrived>>>;

/// A next hop that sorts what comes by trace.
fn next_hop() -> (String, ByTrace) {
    let arrived = ByTrace::default();
    let shared = Arc::clone(&arrived);
    let at = kit::http::serve(move |path, body| {
        take(path, body, &mut shared.lock());
        200
    });
    (format!("http://{at}"), arrived)
}

fn take(path: &str, body: &[u8], arrived: &mut BTreeMap<String, Arrived>) {
    if path == "/v1/traces" {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        for span in request.resource_spans.into_iter().flat_map(|group| group.scope_spans).flat_map(|scope| scope.spans) {
            let trace = arrived.entry(hex(&span.trace_id)).or_default();
            *trace.records.entry(hex(&span.span_id)).or_default() += 1;
            let told = span.trace_state.split([';', ':', '=']).skip_while(|word| *word != "th").nth(1).unwrap_or("0");
            trace.thresholds.insert(told.to_owned());
        }
        return;
    }
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    for log in request.resource_logs.into_iter().flat_map(|group| group.scope_logs).flat_map(|scope| scope.log_records) {
        *arrived.entry(hex(&log.trace_id)).or_default().records.entry("log".to_owned()).or_default() += 1;
    }
}

/// Writes traces in three parts each until it is told to stop.
struct Writer {
    stop: Arc<AtomicBool>,
    begun: Arc<AtomicU64>,
    /// Groups whose parts came further apart than they should.
    slow: Arc<Mutex<BTreeSet<u64>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    fn start(topic: &Arc<Topic>) -> Writer {
        let (topic, stop, begun) = (Arc::clone(topic), Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (stopped, count, slow) = (Arc::clone(&stop), Arc::clone(&begun), Arc::<Mutex<BTreeSet<u64>>>::default());
        let slowly = Arc::clone(&slow);
        let thread = thread::spawn(move || {
            let mut groups = 0_u64;
            let mut stops_at = None;
            let mut last: BTreeMap<u64, Instant> = BTreeMap::new();
            loop {
                let is_over = stopped.load(Ordering::Acquire);
                if is_over && stops_at.is_none() {
                    stops_at = Some(groups);
                }
                // The parts of the groups that are open.
                for part in 0..3 {
                    let Some(group) = groups.checked_sub(part) else { continue };
                    if stops_at.is_none_or(|end| group < end) {
                        // Messages are stamped as they are given to librdkafka, however long brokers take then.
                        let before = last.insert(group, Instant::now());
                        topic.write((group * GROUP..(group + 1) * GROUP).map(|trace| message(trace, part)));
                        if before.is_some_and(|before| before.elapsed() > APART_MAX) {
                            slowly.lock().insert(group);
                        }
                    }
                }
                groups += 1;
                if stops_at.is_some_and(|end| groups > end + 3) {
                    return;
                }
                count.store(stops_at.unwrap_or(groups) * GROUP, Ordering::Release);
                thread::sleep(APART);
            }
        });
        Writer { stop, begun, slow, thread: Some(thread) }
    }

    /// Ends with whole traces; how many there are, and the groups that came slowly.
    fn end(mut self) -> (u64, BTreeSet<u64>) {
        self.stop.store(true, Ordering::Release);
        self.thread.take().unwrap().join().unwrap();
        (self.begun.load(Ordering::Acquire), self.slow.lock().clone())
    }
}

struct Fleet {
    topic: Arc<Topic>,
    url: String,
    folder: tempfile::TempDir,
    running: Vec<Option<Kansoku>>,
}

impl Fleet {
    fn folder(&self, member: usize) -> std::path::PathBuf {
        let folder = self.folder.path().join(member.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn start(&mut self, member: usize) {
        let rest = format!(
            "processors:
  traces: {{ type: correlate, inputs: [hop], close: {{ after_root: 6s, idle: 9s, after_first: 15s }} }}
  kept:
    type: sample
    inputs: [traces]
    rules: [{{ name: errors, when: .error, keep: 100% }}, {{ name: rest, keep: 50%, at_most: 20/s }}]
sinks:
  store: {{ inputs: [kept], path: store }}
  next: {{ type: otlp, inputs: [kept], endpoint: '{}', protocol: http, compression: none }}
",
            self.url
        );
        let yaml = pipeline(&self.topic, "", &rest);
        let folder = self.folder(member);
        let file = kit::process::written(Path::new(&folder), &yaml);
        let mut command = kit::process::command(&["run", &file, "--log", "sources=info,warn"]);
        self.running[member] = Some(Kansoku::ready(Kansoku::start(&mut command)));
    }

    fn stop(&mut self, member: usize) {
        let ended = self.running[member].take().unwrap().stop();
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(ended.err.contains("nothing was lost"), "{}", ended.err);
        println!("{member} said:\n{}", ended.err);
    }

    fn kill(&mut self, member: usize) {
        let kansoku = self.running[member].take().unwrap();
        kansoku.signal("KILL");
        assert_eq!(kansoku.ended().code, 137);
    }

    /// Partitions of each member that runs.
    fn partitions(&self) -> usize {
        self.running.iter().flatten().map(|kansoku| kansoku.status()["partitions"].as_array().map_or(0, Vec::len)).sum()
    }

    fn until_settled(&self) {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let all: Vec<serde_json::Value> = self
                .running
                .iter()
                .flatten()
                .flat_map(|kansoku| kansoku.status()["partitions"].as_array().cloned().unwrap_or_default())
                .collect();
            if all.len() == PARTITIONS as usize && all.iter().all(|one| one["unsettled"] == 0 && one["behind"] == 0) {
                return;
            }
            assert!(Instant::now() < end, "{all:#?}");
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// Spans and logs of each trace in each store.
    fn stored(&mut self, traces: u64) -> Vec<BTreeMap<String, u64>> {
        let services: BTreeSet<u64> = (0..traces).map(|trace| trace / 5_000).collect();
        let mut all = Vec::new();
        for member in 0..self.running.len() {
            if self.running[member].is_none() {
                self.start(member);
            }
            let Some(kansoku) = &self.running[member] else { continue };
            let mut stored = BTreeMap::new();
            for service in &services {
                let said = kansoku.ask(&[
                    "query",
                    "traces",
                    "--service",
                    &format!("open-{service}"),
                    "--since",
                    "24h",
                    "--limit",
                    "10000",
                    "--json",
                ]);
                for line in said.out.lines() {
                    let trace: serde_json::Value = serde_json::from_str(line).unwrap();
                    let records = trace["span_count"].as_u64().unwrap() + trace["log_count"].as_u64().unwrap();
                    let before = stored.insert(trace["trace_id"].as_str().unwrap().to_owned(), records);
                    assert!(before.is_none(), "one trace is two");
                }
            }
            all.push(stored);
        }
        all
    }
}

fn judge(hop: &BTreeMap<String, Arrived>, (traces, slow): (u64, &BTreeSet<u64>), once: bool) {
    let (mut kept, mut repeated) = (0, 0);
    assert!(slow.len() as u64 * GROUP * 2 < traces, "{} groups came slowly", slow.len());
    for trace in (0..traces).filter(|trace| !slow.contains(&(trace / GROUP))) {
        let id = hex(&id(trace));
        let Some(arrived) = hop.get(&id) else {
            assert!(!fails(trace), "trace {trace} {id} failed and was lost");
            continue;
        };
        kept += 1;
        assert_eq!(arrived.records.len(), 3, "trace {trace} {id} is not whole: {arrived:?}");
        assert_eq!(arrived.thresholds.len(), 1, "trace {trace} {id} was decided twice: {arrived:?}");
        repeated += u64::from(arrived.records.values().any(|times| *times > 1));
    }
    println!("{traces} traces, {} groups slowly; {kept} kept, all whole and decided once; of {repeated} something came twice", slow.len());
    assert!(kept < traces, "the rules keep some and not all");
    assert!(!once || repeated == 0, "{repeated} came twice");
}

#[test]
fn over_twenty_rebalances_each_trace_is_decided_once_and_arrives_whole_and_once() {
    let Some((broker, _shared)) = shared() else { return };
    let (url, hop) = next_hop();
    let topic = Arc::new(Topic::new(broker));
    let mut fleet = Fleet { topic: Arc::clone(&topic), url, folder: tempfile::tempdir().unwrap(), running: vec![None, None, None] };
    let writer = Writer::start(&topic);
    fleet.start(0);
    fleet.start(1);
    let mut turns = 2;
    while turns < 20 {
        // Each in turn comes and goes.
        let member = turns % 3;
        if fleet.running[member].is_some() {
            fleet.stop(member)
        } else {
            fleet.start(member)
        }
        thread::sleep(Duration::from_millis(1_000 + mix(turns as u64) % 4_000));
        if fleet.running.iter().flatten().count() == 0 {
            fleet.start(member);
            turns += 1;
        }
        turns += 1;
    }
    let (traces, slow) = writer.end();
    kit::until("every partition is read", || (fleet.partitions() == PARTITIONS as usize).then_some(()));
    fleet.until_settled();
    judge(&hop.lock(), (traces, &slow), true);
    let stored = fleet.stored(traces);
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    stored.iter().flatten().for_each(|(id, records)| *sums.entry(id.clone()).or_default() += records);
    assert!(sums.keys().eq(hop.lock().keys()), "the stores and the next hop have other traces");
    let wrong: Vec<_> = sums.iter().filter(|(_, records)| **records != 3).collect();
    assert!(wrong.is_empty(), "{} traces are not once in the stores: {wrong:?}", wrong.len());
}

#[test]
fn members_that_are_killed_leave_no_trace_undecided_and_none_decided_twice() {
    let Some((broker, _shared)) = shared() else { return };
    let (mut fleet, hop, writer) = two_members(broker);
    for turn in 0..6 {
        thread::sleep(Duration::from_millis(2_000 + mix(turn) % 4_000));
        let member = turn as usize % 2;
        fleet.kill(member);
        thread::sleep(Duration::from_millis(mix(turn + 100) % 9_000));
        fleet.start(member);
    }
    judge_all(&mut fleet, &hop, writer.end());
}

#[test]
fn a_broker_that_is_killed_leaves_no_trace_undecided_and_none_decided_twice() {
    let Some((broker, _alone)) = alone() else { return };
    let (mut fleet, hop, writer) = two_members(broker);
    for turn in 0..3 {
        thread::sleep(Duration::from_millis(9_000 + mix(turn) % 4_000));
        broker.kill();
        thread::sleep(Duration::from_millis(mix(turn + 100) % 4_000));
        broker.start_again();
    }
    judge_all(&mut fleet, &hop, writer.end());
}

/// Two members that read what is being written.
fn two_members(broker: &Broker) -> (Fleet, ByTrace, Writer) {
    let (url, hop) = next_hop();
    let topic = Arc::new(Topic::new(broker));
    let mut fleet = Fleet { topic: Arc::clone(&topic), url, folder: tempfile::tempdir().unwrap(), running: vec![None, None] };
    let writer = Writer::start(&topic);
    fleet.start(0);
    fleet.start(1);
    (fleet, hop, writer)
}

/// The same, where members or brokers were killed: remote sinks may see something again, and a store does not.
fn judge_all(fleet: &mut Fleet, hop: &ByTrace, (traces, slow): (u64, BTreeSet<u64>)) {
    fleet.until_settled();
    judge(&hop.lock(), (traces, &slow), false);
    for (stored, kansoku) in fleet.stored(traces).into_iter().zip(fleet.running.iter().flatten()) {
        let wrong: Vec<_> = stored.iter().filter(|(_, records)| **records > 3).collect();
        let shown = || wrong.iter().map(|(id, _)| kansoku.ask(&["query", "trace", id, "--json"]).out).collect::<Vec<_>>();
        assert!(wrong.is_empty(), "{} traces are twice in a store: {wrong:?}\n{}", wrong.len(), shown().join("\n"));
    }
}
