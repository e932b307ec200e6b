//! Clients of the fronts: each trace is a root, a child and a log whose id is only in its text, sent in this order and mostly to different fronts, each again until it is acknowledged.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use parking_lot::Mutex;
use prost::Message;
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const CLIENTS: usize = 3;
/// Between two requests of a client, so that a slow machine is not full of them.
const PAUSE: Duration = Duration::from_millis(10);

/// Of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Root,
    Child,
    Log,
}

pub(crate) struct Clients {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    fronts: [SocketAddr; 2],
    next: AtomicU64,
    complete: AtomicUsize,
    stop: AtomicBool,
    acknowledged: Mutex<BTreeSet<(u64, Part)>>,
}

impl Clients {
    pub(crate) fn start(fronts: [SocketAddr; 2]) -> Clients {
        let (next, complete, stop, acknowledged) = Default::default();
        let shared = Arc::new(Shared { fronts, next, complete, stop, acknowledged });
        let client = |number: usize| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                while !shared.stop.load(Ordering::Acquire) {
                    let trace = shared.next.fetch_add(1, Ordering::AcqRel);
                    for (at, part) in [Part::Root, Part::Child, Part::Log].into_iter().enumerate() {
                        shared.send(trace, part, (number + at) % 2);
                        thread::sleep(PAUSE);
                    }
                    shared.complete.fetch_add(1, Ordering::AcqRel);
                }
            })
        };
        Clients { threads: Mutex::new((0..CLIENTS).map(client).collect()), shared }
    }

    /// A trace of the test's own.
    pub(crate) fn begin(&self) -> u64 {
        self.shared.next.fetch_add(1, Ordering::AcqRel)
    }

    /// Sends a part of it.
    pub(crate) fn send(&self, trace: u64, part: Part, front: usize) {
        self.shared.send(trace, part, front);
    }

    /// Every trace below was begun, and none above.
    pub(crate) fn next(&self) -> u64 {
        self.shared.next.load(Ordering::Acquire)
    }

    /// Waits until so many more traces were sent whole.
    pub(crate) fn complete(&self, more: usize) {
        let before = self.shared.complete.load(Ordering::Acquire);
        kit::until("enough traces are sent", || (self.shared.complete.load(Ordering::Acquire) >= before + more).then_some(()));
    }

    pub(crate) fn acknowledged(&self) -> BTreeSet<(u64, Part)> {
        self.shared.acknowledged.lock().clone()
    }

    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.threads.lock().drain(..).for_each(|thread| thread.join().unwrap());
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
    }
}

impl Shared {
    fn send(&self, trace: u64, part: Part, front: usize) {
        let (path, request) = match part {
            Part::Root => ("/v1/traces", spans(trace..trace + 1, 1, None)),
            Part::Child => ("/v1/traces", spans(trace..trace + 1, 2, Some(1))),
            Part::Log => {
                let text = format!("trace_id={} item {trace}", kit::otlp::trace_hex(trace));
                ("/v1/logs", kit::otlp::log(&text, "INFO", None))
            }
        };
        let headers = [("content-type", "application/x-protobuf")];
        // Also what is given up at the end may be there.
        while !self.stop.load(Ordering::Acquire) {
            let answer = kit::http::try_send(self.fronts[front], "POST", path, &headers, &request);
            if answer.is_ok_and(|answer| answer.status == 200) {
                self.acknowledged.lock().insert((trace, part));
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A request with this span of each trace.
pub(crate) fn spans(traces: Range<u64>, own: u8, parent: Option<u8>) -> Vec<u8> {
    let now = kit::otlp::now();
    let span = |trace: u64| Span {
        trace_id: kit::otlp::trace_id(trace),
        span_id: vec![own; 8],
        parent_span_id: parent.map(|parent| vec![parent; 8]).unwrap_or_default(),
        name: format!("item {trace}"),
        start_time_unix_nano: now - 1_000_000,
        end_time_unix_nano: now,
        ..Span::default()
    };
    let value = Some(AnyValue { value: Some(Value::StringValue("shop".to_owned())) });
    let attributes = vec![KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() }];
    let scope_spans = vec![ScopeSpans { spans: traces.map(span).collect(), ..ScopeSpans::default() }];
    let resource = Some(Resource { attributes, ..Resource::default() });
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }] }.encode_to_vec()
}
