//! Which path is answered by what.

use crate::{
    Reloads, View, alerts,
    answer::{Refused, text},
    ask, dead_letters, figures,
    guard::{self, Guard},
    reload, status,
};
use axum::{
    Router,
    extract::State,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{Method, StatusCode, Uri, header};
use pipeline::{Clock, Stop};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Queries that read the disk at a time; more wait their turn.
const QUERIES_MAX: usize = 4;
/// Answers that follow what comes in, at a time; more are refused.
const FOLLOWERS_MAX: usize = 32;

const RETRY: &str = "/api/v1/dead-letters/retry";
const RELOAD: &str = "/api/v1/reload";

const INDEX: &str = "kansoku

  /livez                        200 while the process turns
  /readyz                       200 once data can be taken in, else 503 and why; ?verbose
  /metrics                      for Prometheus
  /api/v1/status                the ledger, queues, journal, stores, alerts
  /api/v1/traces                service, status=error|ok, text, min_duration, max_duration, since=1h, attribute=K=V, limit, follow=true
  /api/v1/logs                  service, status=LEVEL, text, since=1h, attribute=K=V, limit, follow=true
  /api/v1/trace/ID              a trace, by its id or the first digits, or `last`
  /api/v1/why/ID                the failing path, its logs, why it was kept, and what is missing; `last` is the latest that failed;
                                of a trace that was discarded lately, by which rule
  /api/v1/alerts                what is pending and firing, and what changed lately
  POST /api/v1/dead-letters/retry   has sinks try again what they refused for good; node=NAME
  POST /api/v1/reload               reads the pipeline file again: what changed, or what is wrong with it

With `follow=true` an answer goes on as NDJSON. Where there are several stores, say `store=KEY`.
";

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) view: Arc<dyn View>,
    pub(crate) reloads: Reloads,
    pub(crate) clock: Clock,
    pub(crate) stop: Stop,
    pub(crate) queries: Arc<Semaphore>,
    pub(crate) followers: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(view: Arc<dyn View>, reloads: Reloads, clock: Clock, stop: Stop) -> Shared {
        let places = |n| Arc::new(Semaphore::new(n));
        Shared { view, reloads, clock, stop, queries: places(QUERIES_MAX), followers: places(FOLLOWERS_MAX) }
    }
}

/// Everything.
pub(crate) fn admin(shared: Shared, guard: Guard) -> Router {
    let router = health()
        .route("/", get(async || text(StatusCode::OK, INDEX.to_owned())))
        .route("/api/v1/status", get(status::answer))
        .route("/api/v1/traces", get(ask::traces))
        .route("/api/v1/logs", get(ask::logs))
        .route("/api/v1/trace/{id}", get(ask::trace))
        .route("/api/v1/why/{id}", get(ask::why))
        .route("/api/v1/alerts", get(alerts::answer))
        .route(RETRY, post(dead_letters::retry))
        .route(RELOAD, post(reload::answer));
    finish(router, shared, guard)
}

/// What a kubelet and a scraper ask.
pub(crate) fn probes(shared: Shared) -> Router {
    finish(health(), shared, Guard::none())
}

fn health() -> Router<Shared> {
    Router::new()
        .route("/livez", get(async || text(StatusCode::OK, "alive\n".to_owned())))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

fn finish(router: Router<Shared>, shared: Shared, guard: Guard) -> Router {
    let router = router.fallback(unknown).method_not_allowed_fallback(wrong_method).with_state(shared);
    router.layer(from_fn_with_state(guard, guard::watch))
}

async fn ready(State(shared): State<Shared>, uri: Uri) -> Response {
    let (status, mut body) = match shared.view.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    };
    if uri.query().is_some_and(|query| query.split('&').any(|word| word == "verbose" || word.starts_with("verbose="))) {
        body.push_str(&status::verbose(&shared.view.status()));
    }
    text(status, body)
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let mut body = shared.view.metrics();
    body.push('\n');
    body.push_str(&figures::of(shared.view.pool()));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body).into_response()
}

async fn unknown(uri: Uri) -> Refused {
    Refused::absent(format!("there is nothing at {}; `/` lists what there is", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Refused {
    let words = match uri.path() {
        RETRY | RELOAD => format!("{} is asked with POST, not {method}", uri.path()),
        path => format!("{path} is only read; ask with GET, not {method}"),
    };
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, words)
}
