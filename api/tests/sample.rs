//! A view without a pipeline, and a store with a failed checkout.

use crate::{
    Reloads, View, Wishes,
    guard::Guard,
    routes::{self, Shared},
};
use alert::Book;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
};
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use journal::{Disk, simulated::SimulatedDisk};
use parking_lot::Mutex;
use pipeline::{Clock, Pool, Retried, Status, Stop};
use serde_json::{Value, json};
use signal::{Ack, Batch, Chunk, Flow, Limits, Ordinals, Signal, Time, check, codec};
use std::sync::Arc;
use store::Store;
use tokio::sync::watch;
use tower::ServiceExt;

/// 2026-11-21T10:00:00Z in nanoseconds.
pub(super) const START: u64 = 1_795_255_200_000_000_000;
pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const TRACE: &str = "3f2a0000000000000000000000000001";

pub(super) struct World {
    pub(super) pool: Pool,
    pub(super) not_ready: Mutex<Option<String>>,
}

impl View for World {
    fn status(&self) -> Status {
        serde_json::from_value(status()).unwrap()
    }
    fn ready(&self) -> Result<(), String> {
        self.not_ready.lock().clone().map_or(Ok(()), Err)
    }
    fn metrics(&self) -> String {
        "kansoku_uptime_seconds 12\n".to_owned()
    }
    fn pool(&self) -> &Pool {
        &self.pool
    }
    fn retry(&self, node: Option<String>) -> BoxFuture<'_, Result<Retried, String>> {
        Box::pin(async move { node.map(|_| Retried { letters: 1, records: 2, kept: 3 }).ok_or_else(|| "going down".to_owned()) })
    }
}

fn status() -> Value {
    let counts = json!({ "in": 3, "made": 0, "out": 3, "held": 0, "discarded": {}, "rejected": {}, "lost": {} });
    let health = json!({ "failures": 2, "failing_since": START, "last_error": "connection refused", "last_error_at": START });
    json!({
        "summary": "3 spans in; nothing was lost",
        "lost": 0,
        "uptime_seconds": 12.0,
        "ledger": { "nodes": [{ "name": "otlp", "kind": "source", "signals": { "traces": counts } }] },
        "edges": [{ "from": "otlp", "to": "hop", "port": null }],
        "sources": [{ "name": "otlp", "acknowledge": "durable" }],
        "sinks": [{ "name": "hop", "queue": { "bytes": 10, "bytes_max": 100, "oldest_seconds": 1.5 }, "health": health }],
        "journal": null,
        "memory": { "bytes_max": 1000, "intake": 1, "window": 2, "queues": 3 },
    })
}

/// Everything a test needs; the store and the book live as long as it does.
pub(super) struct Site {
    pub(super) world: Arc<World>,
    pub(super) store: Option<Arc<Store>>,
    pub(super) book: Arc<Book>,
    pub(super) router: Router,
    pub(super) stop: watch::Sender<bool>,
    pub(super) shared: Shared,
    /// Who asked for a reload.
    pub(super) wishes: Wishes,
}

impl Site {
    /// Without a store.
    pub(super) fn bare(guard: Guard) -> Site {
        let world = Arc::new(World { pool: Pool::default(), not_ready: Mutex::new(None) });
        let book = world.pool.get_or("alerts", || Ok::<_, ()>(Arc::new(Book::default()))).unwrap();
        let ((stop, stopped), (reloads, wishes)) = (Stop::pair(), Reloads::channel());
        let shared = Shared::new(Arc::clone(&world) as Arc<dyn View>, reloads, Clock::at(Time(START + 60 * SECOND)), stopped);
        Site { world, store: None, book, router: routes::admin(shared.clone(), guard), stop, shared, wishes }
    }

    /// With a store that has the failed checkout.
    pub(super) async fn new() -> Site {
        let mut site = Site::bare(Guard::none());
        site.store = Some(site.open("data/store"));
        site.append(Signal::Traces, &checkout()).await;
        site.append(
            Signal::Logs,
            &logs(&[(1, TRACE, "ERROR", "card declined: insufficient funds"), (2, TRACE, "INFO", "order 7 dropped")]),
        )
        .await;
        site
    }

    pub(super) fn open(&self, key: &str) -> Arc<Store> {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
        let make = || Store::open(store::Options::at(format!("/{key}")), disk, Arc::new(|work| work()));
        self.world.pool.get_or(key, make).unwrap()
    }

    pub(super) async fn append(&self, signal: Signal, otlp: &Value) {
        let raw = codec::json::to_protobuf(signal, otlp.to_string().as_bytes()).unwrap();
        let (bytes, counts) = check(signal, raw, &Limits::default()).unwrap();
        let chunk = Chunk::new(bytes, counts.records, None, Ordinals::From(0), Time(START));
        self.store.as_ref().unwrap().append(&Flow::Batch(Batch::new(signal, chunk, Ack::none()))).await.unwrap();
    }

    /// GETs; status, headers and body.
    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn send(&self, request: Request) -> (StatusCode, HeaderMap, String) {
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    /// GETs JSON.
    pub(super) async fn json(&self, path: &str) -> (u16, Value) {
        let (status, headers, body) = self.get(path, &[]).await;
        assert_eq!(headers["content-type"], "application/json", "{path}");
        (status.as_u16(), serde_json::from_str(&body).unwrap())
    }
}

fn resource(service: &str) -> Value {
    json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] })
}

fn span(id: u8, parent: &str, name: &str, ms: u64, failed: Option<&str>) -> Value {
    let mut span = json!({
        "traceId": TRACE, "spanId": format!("{id:016x}"), "parentSpanId": parent, "name": name, "kind": 2,
        "startTimeUnixNano": (START + u64::from(id) * 1_000_000).to_string(),
        "endTimeUnixNano": (START + u64::from(id) * 1_000_000 + ms * 1_000_000).to_string(),
        "attributes": [{ "key": "http.route", "value": { "stringValue": "/checkout" } }],
    });
    if let Some(message) = failed {
        span["status"] = json!({ "code": 2, "message": message });
    }
    span
}

fn checkout() -> Value {
    let of = |service: &str, spans: Value| json!({ "resource": resource(service), "scopeSpans": [{ "spans": spans }] });
    json!({ "resourceSpans": [
        of("frontend", json!([span(1, "", "POST /checkout", 412, Some("payment failed"))])),
        of("payment", json!([span(2, "0000000000000001", "POST /charge", 301, Some("card declined"))])),
    ] })
}

/// Log records of `payment`: second after the start, trace, level, message.
pub(super) fn logs(lines: &[(u64, &str, &str, &str)]) -> Value {
    let record = |(second, trace, level, message): &(u64, &str, &str, &str)| {
        json!({
            "timeUnixNano": (START + second * SECOND).to_string(), "traceId": trace, "spanId": "0000000000000002",
            "severityNumber": if *level == "ERROR" { 17 } else { 9 }, "severityText": level, "body": { "stringValue": message },
        })
    };
    let records: Vec<Value> = lines.iter().map(record).collect();
    json!({ "resourceLogs": [{ "resource": resource("payment"), "scopeLogs": [{ "logRecords": records }] }] })
}
